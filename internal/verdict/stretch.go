package verdict

import (
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/check"
)

// check asks a check of the telemetry before an experiment's method, and of that
// after its recovery.
func (t *trial) check(c rehearse.Check) (before, after rehearse.Finding) {
	plan := t.ev.Plan()
	if plan == nil {
		plan = &rehearse.Plan{}
	}
	began, ok := stepBegan(t.ev, t.step.Name)
	ask := func(what string, from, to rehearse.Duration) rehearse.Finding {
		f := t.finding(what + c.Name)
		why := t.cutShort(to)
		if !ok {
			why = "The evidence does not say when the load began."
		}
		if why == "" && from >= to {
			why = "The method was over so late that nothing was to be seen after it."
		}
		if why != "" {
			f.Outcome, f.Got, f.Detail = rehearse.Unverified, "did not run", why
			return f
		}
		inside := func(at time.Time) bool {
			since := rehearse.Duration(at.Sub(began))
			return since >= from && since < to
		}
		answer := check.Run(c, plan, during(whileUp(t.ev), inside))
		answer.Check, answer.Step = f.Check, f.Step
		return answer
	}
	return ask("steady before: ", 0, t.step.Before), ask("recovered: ", t.methodEnd()+t.step.Recover, t.step.Total())
}

// stepBegan is when a step's load began, as the first look at the links dates it.
func stepBegan(ev *rehearse.Evidence, step string) (time.Time, bool) {
	for _, rec := range ev.Records {
		if rec.Tick != nil && rec.Tick.Step == step {
			return rec.Time.Add(-time.Duration(rec.Tick.Since)), true
		}
	}
	return time.Time{}, false
}

// during is the part of telemetry that is of moments: traces by their start, logs
// by their time. What is only known of the whole, as the pools, stays.
func during(t *rehearse.Telemetry, inside func(time.Time) bool) *rehearse.Telemetry {
	if t == nil {
		return nil
	}
	part := *t
	part.Traces, part.Logs, part.Loose = nil, nil, nil
	for _, trace := range t.Traces {
		if inside(trace.Start) {
			part.Traces = append(part.Traces, trace)
		}
	}
	for _, node := range t.Loose {
		if inside(node.Start) {
			part.Loose = append(part.Loose, node)
		}
	}
	for _, rec := range t.Logs {
		if inside(rec.Time) {
			part.Logs = append(part.Logs, rec)
		} else {
			part.Result.Logs--
		}
	}
	return &part
}

// undisturbed is telemetry without what began while an experiment's method was
// under way, or its recovery: what happens then was meant to.
func undisturbed(t *rehearse.Telemetry, plan *rehearse.Plan, ev *rehearse.Evidence) *rehearse.Telemetry {
	for _, s := range plan.Steps {
		e := s.Experiment
		if e == nil {
			continue
		}
		if began, ok := stepBegan(ev, e.Name); ok {
			t = during(t, func(at time.Time) bool {
				since := rehearse.Duration(at.Sub(began))
				return since < e.Before || since >= e.MethodEnd()+e.Recover
			})
		}
	}
	return t
}

// copes reports whether a check asks how a service copes with what goes wrong, for
// which an experiment is the time to look.
func copes(k rehearse.CheckKind) bool {
	switch k {
	case rehearse.CheckRetryStorm, rehearse.CheckNoTimeout, rehearse.CheckErrorSwallowed, rehearse.CheckUndeclaredCall:
		return true
	}
	return false
}

// Outside is telemetry without what began while an experiment's method was under
// way: what of a leg does not have its cause in what was broken on purpose.
func Outside(ev *rehearse.Evidence) *rehearse.Telemetry {
	t, plan := ev.Telemetry, ev.Plan()
	if plan == nil {
		return t
	}
	for _, s := range plan.Steps {
		e := s.Experiment
		if e == nil || e.Calm {
			continue
		}
		if began, ok := stepBegan(ev, e.Name); ok {
			t = during(t, func(at time.Time) bool {
				since := rehearse.Duration(at.Sub(began))
				return since < e.Before || since >= e.MethodEnd()
			})
		}
	}
	return t
}
