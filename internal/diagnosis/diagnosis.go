package diagnosis

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// Side is one of the two that are compared.
type Side struct {
	Name      string              // the leg's
	Plan      *rehearse.Plan      // gives the seed, the thresholds and the links' shapes; nil: none are known
	Telemetry *rehearse.Telemetry // nil: there is none, and no diagnosis
}

// Needed reports whether a verdict has a failure that the traces can explain: a
// threshold of a load or an experiment, or a check of how long requests take or
// which calls they make. A suite that fails, or a log with errors, has a cause of
// its own.
func Needed(v rehearse.Verdict, plan *rehearse.Plan) bool {
	if plan == nil {
		return false
	}
	return slices.ContainsFunc(v.Findings, func(f rehearse.Finding) bool {
		return f.Outcome == rehearse.Fail && (slices.ContainsFunc(plan.Steps, func(s rehearse.Step) bool { return bounds(s, f, func(rehearse.Threshold) bool { return true }) }) ||
			slices.ContainsFunc(plan.Checks, func(c rehearse.Check) bool { return explained[c.Kind] && f.Check == "check: "+c.Name }))
	})
}

// explained are the checks whose failures have their cause in where the time went,
// or in which calls were made.
var explained = map[rehearse.CheckKind]bool{
	rehearse.CheckMaxDuration: true, rehearse.CheckPoolExhausted: true, rehearse.CheckChattyLink: true,
	rehearse.CheckNPlusOne: true, rehearse.CheckMaxCalls: true, rehearse.CheckRetryStorm: true,
}

// bounds reports whether a finding is of one of a step's thresholds that match. An
// experiment asks for the same one in several of its stretches.
func bounds(s rehearse.Step, f rehearse.Finding, match func(rehearse.Threshold) bool) bool {
	return strings.HasPrefix(f.Check, s.Name()+": ") && slices.ContainsFunc(thresholdsOf(s), func(t rehearse.Threshold) bool {
		return match(t) && strings.HasSuffix(f.Check, ": "+t.String())
	})
}

// thresholdsOf are all thresholds of a step.
func thresholdsOf(s rehearse.Step) []rehearse.Threshold {
	var out []rehearse.Threshold
	if load := s.Driven(); load != nil {
		out = append(out, load.Thresholds...)
	}
	if e := s.Experiment; e != nil {
		out = append(append(out, e.Steady...), e.During...)
	}
	return out
}

// fewest is how many traces of an operation each leg must have to be compared.
const fewest = 8

// Of says why the one leg fails and the other passes. It is nil when the traces
// show nothing: no operation changed beyond the noise, or none that changed
// hurts. [Within] the failing leg may still find something then.
func Of(passing, failing Side) *rehearse.Diagnosis {
	c := comparison{passing: passing, failing: failing, limits: limitsOf(failing.Plan)}
	before, after := entries(passing.Telemetry), entries(failing.Telemetry)
	for _, name := range slices.Sorted(maps.Keys(after)) {
		p, f := before[name], after[name]
		if len(p) < fewest || len(f) < fewest {
			continue
		}
		o := operation{name: name, passing: p, failing: f}
		o.measure(seedOf(failing.Plan))
		o.slower = o.change.Change > floor(o.change) && float64(o.change.Change) > certainty*float64(o.change.Noise)
		o.worse = moreFail(o.change.Passing, o.change.Failing)
		o.choose(c.limits)
		if o.worse || o.slower && c.limits.hurts(f) {
			c.add(o)
		}
	}
	return c.diagnose()
}

// Within says why some requests of a leg fail or are slow where others are
// quick. It is nil when the traces show nothing.
func Within(s Side) *rehearse.Diagnosis {
	c := comparison{passing: s, failing: s, limits: limitsOf(s.Plan), within: true}
	c.passing.Name, c.failing.Name = "quick requests", "slow requests"
	all := entries(s.Telemetry)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		quick, slow := c.limits.split(all[name])
		if len(quick) < fewest/2 || len(slow) == 0 {
			continue
		}
		o := operation{name: name, passing: quick, failing: slow, good: quick, bad: slow}
		o.measure(seedOf(s.Plan))
		// The slow are slower, by how they were chosen: it must be by much.
		o.slower = o.change.Change > max(floor(o.change), o.change.Passing.Mean/2)
		o.worse = o.change.Failing.Failed > 0
		o.exceed()
		if o.worse || o.slower && c.limits.hurts(all[name]) {
			c.add(o)
		}
	}
	return c.diagnose()
}

// comparison is everything that the rules look at.
type comparison struct {
	passing, failing Side
	limits           limits
	within           bool // both sides are of one leg
	operations       []operation
}

func (c *comparison) add(o operation) { c.operations = append(c.operations, o) }

// cause is what a rule found.
type cause struct {
	sentence string
	facts    []rehearse.DiagnosisFact
}

func (c *comparison) diagnose() *rehearse.Diagnosis {
	if len(c.operations) == 0 {
		return nil
	}
	slices.SortStableFunc(c.operations, func(a, b operation) int {
		return cmp.Or(cmp.Compare(b.excess(), a.excess()), cmp.Compare(a.name, b.name))
	})
	names := namesOf(c.operations)
	for i := range c.operations {
		c.operations[i].contribute(names)
	}
	found := c.byError(names)
	if found == nil {
		found = c.byTime(names)
	}
	if found == nil {
		found = c.byOwnError(false)
	}
	if found == nil {
		return nil
	}
	d := &rehearse.Diagnosis{
		Failing: c.failing.Name, Passing: c.passing.Name,
		Sentence: found.sentence, Facts: found.facts,
	}
	for _, o := range c.operations {
		d.Operations = append(d.Operations, o.change)
	}
	for _, f := range d.Facts {
		if len(f.Traces) > 0 {
			d.Command = "rehearse trace show " + f.Traces[0].String()
			break
		}
	}
	return d
}

func seedOf(p *rehearse.Plan) uint64 {
	if p == nil {
		return 0
	}
	return p.Seed
}
