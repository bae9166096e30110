package rehearsal_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver/memory"
	"github.com/rehearse-dev/rehearse/internal/rehearsal"
)

// TestTelemetryThatCannotBeWritten takes the directory of telemetry away in the
// middle of a run. That is an error, and what came is told in the evidence.
func TestTelemetryThatCannotBeWritten(t *testing.T) {
	s := newStage(t)
	dir := filepath.Join(s.options.Root, "runs", string(s.options.Run), "staging", "telemetry")
	s.driver = memory.New(map[string]memory.Program{"talk": func(ctx context.Context, h *memory.Host, _ []string) int {
		fmt.Fprintln(h.Stdout(), "here")
		<-ctx.Done()
		return 0
	}})
	s.options.Driver = s.driver
	s.options.Plans = []*rehearse.Plan{plan(rehearse.Staging(), "talk", suite(t, "away", fmt.Sprintf("test -d '%s' && rm -r '%[1]s'", dir)))}
	r, err := rehearsal.Run(t.Context(), s.options)
	if err == nil || !strings.Contains(err.Error(), "write telemetry") {
		t.Errorf("the error is %v, want one about telemetry", err)
	}
	s.nothingLeft(t)
	if got := outcomes(r)["staging"]; got != rehearse.Unverified {
		t.Errorf("the outcome is %v, want unverified", got)
	}
	for _, rec := range r.Report.Legs[0].Evidence.Records {
		if rec.Telemetry != nil && rec.Telemetry.Logs == 1 {
			return
		}
	}
	t.Error("the evidence has no word of the telemetry that came")
}
