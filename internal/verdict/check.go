package verdict

import (
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/check"
)

// judgeChecks asks the plan's checks of the leg's telemetry.
func judgeChecks(plan *rehearse.Plan, ev *rehearse.Evidence) []rehearse.Finding {
	var findings []rehearse.Finding
	telemetry := untilDown(ev)
	for _, c := range plan.Checks {
		findings = append(findings, check.Run(c, plan, telemetry))
	}
	return findings
}

// untilDown is the telemetry without what services wrote while they were taken
// down, which begins when the links have been asked for their figures: a server
// that loses its clients then says so as an error.
func untilDown(ev *rehearse.Evidence) *rehearse.Telemetry {
	var down time.Time
	for _, rec := range ev.Records {
		if rec.Links != nil {
			down = rec.Time
		}
	}
	if ev.Telemetry == nil || down.IsZero() {
		return ev.Telemetry
	}
	t := *ev.Telemetry
	t.Logs = nil
	for _, rec := range ev.Telemetry.Logs {
		if rec.Time.After(down) {
			t.Result.Logs--
		} else {
			t.Logs = append(t.Logs, rec)
		}
	}
	return &t
}
