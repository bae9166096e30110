package explain

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// leftBehind is the one failure that no condition of production's makes.
const leftBehind = "left nothing behind"

// Failures are the checks that a leg failed, and that its conditions may be to
// blame for.
func Failures(v rehearse.Verdict) []rehearse.Finding {
	var out []rehearse.Finding
	for _, f := range v.Findings {
		if f.Outcome == rehearse.Fail && f.Check != leftBehind {
			out = append(out, f)
		}
	}
	return out
}

// Kinds are the ways in which the requests of each load have failed: "status 503",
// "timeout".
type Kinds map[string]map[string]int

// KindsOf counts the ways in which a leg's requests failed.
func KindsOf(ev *rehearse.Evidence) Kinds {
	out := Kinds{}
	for step, samples := range ev.Samples {
		out[step] = map[string]int{}
		for _, s := range samples {
			switch {
			case s.Dropped || s.Error == "" && s.Missed == 0:
			case s.Error == "status" || s.Error == "":
				out[step][fmt.Sprintf("status %d", s.Status)]++
			default:
				out[step][s.Error]++
			}
		}
	}
	return out
}

// JudgeProbe says what a probe's leg showed of the checks that failed in the first
// place. That a check fails again counts where it fails in the same way: where no
// more than half of the requests that failed did so in a way that was not seen
// before. Else something else is wrong under these conditions, which is no answer.
func JudgeProbe(failed []rehearse.Finding, was Kinds, v rehearse.Verdict, ev *rehearse.Evidence) (outcome rehearse.Outcome, findings []rehearse.ProbeFinding, note string) {
	is := KindsOf(ev)
	outcome = rehearse.Pass
	for _, f := range failed {
		i := slices.IndexFunc(v.Findings, func(g rehearse.Finding) bool { return g.Check == f.Check })
		if i < 0 {
			findings = append(findings, rehearse.ProbeFinding{Check: f.Check, Outcome: rehearse.Unverified, Got: notAsked})
			if outcome == rehearse.Pass {
				outcome, note = rehearse.Unverified, f.Check+" was not asked"
			}
			continue
		}
		g := v.Findings[i]
		findings = append(findings, rehearse.ProbeFinding{Check: g.Check, Outcome: g.Outcome, Got: g.Got})
		switch g.Outcome {
		case rehearse.Fail:
			if strange := strangers(was[g.Step], is[g.Step]); strange != "" {
				if outcome == rehearse.Pass {
					outcome, note = rehearse.Unverified, "fails in another way: "+strange
				}
				continue
			}
			return rehearse.Fail, append(findings, rest(failed, v, len(findings))...), ""
		case rehearse.Unverified:
			if outcome == rehearse.Pass {
				outcome, note = rehearse.Unverified, g.Check+": "+g.Got
			}
		}
	}
	return outcome, findings, note
}

// notAsked is what a probe shows of a check that its leg does not have.
const notAsked = "not asked"

// Asked reports whether a probe's leg had a check.
func Asked(f rehearse.ProbeFinding) bool { return f.Got != notAsked }

// rest are the findings of the checks from a place on.
func rest(failed []rehearse.Finding, v rehearse.Verdict, from int) []rehearse.ProbeFinding {
	var out []rehearse.ProbeFinding
	for _, f := range failed[from:] {
		for _, g := range v.Findings {
			if g.Check == f.Check {
				out = append(out, rehearse.ProbeFinding{Check: g.Check, Outcome: g.Outcome, Got: g.Got})
			}
		}
	}
	return out
}

// strangers names the ways of failing that were not seen before, where most
// failures are of them; empty where they are not, or where nothing had failed
// before.
func strangers(was, is map[string]int) string {
	if len(was) == 0 {
		return ""
	}
	all, strange := 0, 0
	var names []string
	for _, kind := range slices.Sorted(maps.Keys(is)) {
		all += is[kind]
		if was[kind] == 0 {
			strange += is[kind]
			names = append(names, fmt.Sprintf("%d %s", is[kind], kind))
		}
	}
	if 2*strange <= all {
		return ""
	}
	return strings.Join(names, ", ")
}

// Shorten is a plan for a probe: only the steps that failed, where only steps did,
// with loads that take a share of their time; and only the checks of telemetry that
// failed.
func Shorten(p *rehearse.Plan, failed []rehearse.Finding, share float64) *rehearse.Plan {
	out := *p
	out.Steps = nil
	everything := slices.ContainsFunc(failed, func(f rehearse.Finding) bool { return f.Step == "" })
	for _, s := range p.Steps {
		if !everything && !slices.ContainsFunc(failed, func(f rehearse.Finding) bool { return f.Step == s.Name() }) {
			continue
		}
		if s.Load != nil {
			l := *s.Load
			l.Traffic = l.Traffic.Over(seconds(share * l.Traffic.Duration.Seconds()))
			s.Load = &l
		}
		out.Steps = append(out.Steps, s)
	}
	out.Checks = slices.DeleteFunc(slices.Clone(p.Checks), func(c rehearse.Check) bool {
		return !slices.ContainsFunc(failed, func(f rehearse.Finding) bool { return strings.HasSuffix(f.Check, c.Name) })
	})
	return &out
}

// Shares are how far the loads of a plan may be shortened, ascending, and how far
// where a threshold is measured: there a load of a minute is long enough, if the
// leg fails within it.
func Shares(p *rehearse.Plan) (shares []float64, long float64) {
	const shortest, longest = 5, 60 // seconds
	// Of fewer requests a single one decides a high percentile.
	const fewest = 150
	most, least := 0.0, math.Inf(1)
	for _, s := range p.Steps {
		if s.Load != nil {
			most = max(most, s.Load.Traffic.Duration.Seconds())
			least = min(least, s.Load.Traffic.Total())
		}
	}
	if most > 0 {
		for _, share := range []float64{1. / 16, 1. / 8, 1. / 4, 1. / 2} {
			if share*most >= shortest && share*least >= fewest {
				shares = append(shares, share)
			}
		}
	}
	return append(shares, 1), min(longest/max(most, longest), 1)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
