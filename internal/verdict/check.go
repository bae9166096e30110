package verdict

import (
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/check"
)

// judgeChecks asks the plan's checks of the leg's telemetry, and of what its
// databases said.
func judgeChecks(plan *rehearse.Plan, ev *rehearse.Evidence) []rehearse.Finding {
	var findings []rehearse.Finding
	all := whileUp(ev)
	calm := undisturbed(all, plan, ev)
	for _, c := range plan.Checks {
		if c.Kind == rehearse.CheckPlanRegression {
			findings = append(findings, judgePlans(c, plan, ev))
			continue
		}
		telemetry := calm
		if copes(c.Kind) {
			telemetry = all
		}
		findings = append(findings, check.Run(c, plan, telemetry))
	}
	return findings
}

// whileUp is the telemetry without what services wrote before they were ready, when
// the question whether they are may well be an error to them, and while they were
// taken down, which begins when the links have been asked for their figures: a
// server that loses its clients then says so as an error.
func whileUp(ev *rehearse.Evidence) *rehearse.Telemetry {
	if ev.Telemetry == nil {
		return nil
	}
	var down time.Time
	ready := map[rehearse.ServiceName]time.Time{}
	for _, rec := range ev.Records {
		switch {
		case rec.Links != nil:
			down = rec.Time
		case rec.Service != nil && rec.Service.State == rehearse.Ready && ready[rec.Service.Service].IsZero():
			ready[rec.Service.Service] = rec.Time
		}
	}
	t := *ev.Telemetry
	t.Logs = nil
	for _, rec := range ev.Telemetry.Logs {
		if !down.IsZero() && rec.Time.After(down) || rec.Time.Before(ready[rec.Service]) {
			t.Result.Logs--
		} else {
			t.Logs = append(t.Logs, rec)
		}
	}
	return &t
}
