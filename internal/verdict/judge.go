package verdict

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Judge says what a leg's evidence shows.
func Judge(leg string, ev *rehearse.Evidence) rehearse.Verdict {
	if ev == nil {
		ev = &rehearse.Evidence{}
	}
	v := rehearse.Verdict{Leg: leg}
	plan := ev.Plan()
	if plan == nil {
		plan = &rehearse.Plan{}
	}
	v.Seed = plan.Seed

	ready := judgeReady(plan, ev)
	v.Findings = append(v.Findings, ready, judgeStayedUp(ev, ready))
	v.Findings = append(v.Findings, judgeMemory(plan, ev)...)
	v.Findings = append(v.Findings, judgeMigrations(plan, ev)...)
	for _, step := range plan.Steps {
		switch {
		case step.Load != nil:
			v.Findings = append(v.Findings, judgeLoad(*step.Load, ev)...)
			v.Findings = append(v.Findings, judgeChurn(plan, step.Load.Name, ev)...)
		case step.Experiment != nil:
			v.Findings = append(v.Findings, judgeExperiment(*step.Experiment, ev)...)
			v.Findings = append(v.Findings, judgeChurn(plan, step.Experiment.Name, ev)...)
		case step.Suite != nil:
			v.Findings = append(v.Findings, judgeSuite(*step.Suite, ev))
		}
	}
	v.Findings = append(v.Findings, judgeChecks(plan, ev)...)
	v.Findings = append(v.Findings, judgeNetwork(plan, ev)...)
	v.Findings = append(v.Findings, judgeComplete(ev, ready)...)
	v.Findings = append(v.Findings, judgeLeft(ev)...)
	if lost := judgeLost(ev); lost != nil {
		excuse(v.Findings)
		v.Findings = append(v.Findings, *lost)
	}
	if outside := judgeOutside(ev, ready); outside != nil {
		if outside.Outcome != rehearse.Pass {
			excuse(v.Findings)
		}
		v.Findings = append(v.Findings, *outside)
	}
	v.Outcome = rehearse.Conclude(v.Findings)
	return v
}

// judgeLost finds out whether what ran the services went away beneath them.
func judgeLost(ev *rehearse.Evidence) *rehearse.Finding {
	var names []string
	detail := ""
	for _, rec := range ev.Records {
		e := rec.Service
		if e == nil || !e.Lost {
			continue
		}
		detail = e.Detail
		if !slices.Contains(names, string(e.Service)) { // the engine's end and its own are both told
			names = append(names, string(e.Service))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return &rehearse.Finding{
		Outcome: rehearse.Unverified, Check: "environment kept", Got: count(len(names), "service") + " lost",
		Detail:   fmt.Sprintf("What ran %s went away: %s.", list(names, 10), detail),
		Evidence: []string{"evidence.jsonl"},
		Hint:     "Run the rehearsal again when the engine answers.",
	}
}

// excuse takes failures back that may be the host's doing.
func excuse(findings []rehearse.Finding) {
	for i := range findings {
		if findings[i].Outcome == rehearse.Fail {
			findings[i].Outcome = rehearse.Unverified
		}
	}
}

// judgeComplete finds what is missing of the evidence itself.
func judgeComplete(ev *rehearse.Evidence, ready rehearse.Finding) []rehearse.Finding {
	problems := append([]string(nil), ev.Damage...)
	end := lastEnd(ev)
	// The reader of a run directory has its own sentences for a file that stops
	// early; these are for evidence that never was in a file.
	if len(ev.Damage) == 0 {
		if ev.Plan() == nil {
			problems = append(problems, "The evidence has no opening record, so there is no plan to judge it by.")
		}
		if end == nil {
			problems = append(problems, "The evidence has no closing record: the leg was cut short.")
		}
		for _, rec := range ev.Records {
			if l := rec.Load; l != nil && len(ev.Samples[l.Step]) != l.Count {
				problems = append(problems, fmt.Sprintf("The samples of %s are %d where the evidence counts %d.", l.Step, len(ev.Samples[l.Step]), l.Count))
			}
		}
	}
	// A service that did not become ready has its own finding and ends the leg.
	if end != nil && end.Error != "" && ready.Outcome != rehearse.Fail {
		problems = append(problems, "The leg ended before its last step: "+sentence(end.Error))
	}
	if len(problems) == 0 {
		return nil
	}
	return []rehearse.Finding{{
		Outcome:  rehearse.Unverified,
		Check:    "evidence complete",
		Got:      count(len(problems), "gap"),
		Detail:   strings.Join(problems, " "),
		Evidence: []string{"evidence.jsonl"},
		Hint:     "Run the rehearsal again: what is missing cannot be judged.",
	}}
}

func judgeLeft(ev *rehearse.Evidence) []rehearse.Finding {
	end := lastEnd(ev)
	if end == nil || len(end.Left) == 0 {
		return nil
	}
	return []rehearse.Finding{{
		Outcome: rehearse.Fail,
		Check:   "left nothing behind",
		Got:     fmt.Sprintf("%d left", len(end.Left)),
		Detail:  "Tearing down could not remove " + list(end.Left, 10) + ".",
		Hint:    "Run \"rehearse gc\" to find and remove what is left.",
	}}
}

func lastEnd(ev *rehearse.Evidence) *rehearse.End {
	var end *rehearse.End
	for _, rec := range ev.Records {
		if rec.End != nil {
			end = rec.End
		}
	}
	return end
}

// missing is the finding for something that never happened.
func missing(check, step, detail string) rehearse.Finding {
	return rehearse.Finding{Outcome: rehearse.Unverified, Check: check, Step: step, Got: "did not run", Detail: detail}
}

// count is "1 gap", "2 gaps".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// list joins words with commas, at most a number of them.
func list[S ~string](words []S, limit int) string {
	var b strings.Builder
	for i, w := range words {
		if i == limit {
			fmt.Fprintf(&b, " and %d more", len(words)-limit)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}

// sentence ends a text with a full stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

// short prints a duration for a table.
func short(d rehearse.Duration) string { return rehearse.Round(time.Duration(d)).String() }

// at prints a moment since the start of a load, as in "8.2 s".
func at(d rehearse.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
