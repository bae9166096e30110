package rehearsal

import (
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// A failure of the stretch in which something is broken is looked for there; every
// other one elsewhere. What was broken is named with a leg's failure either way.
func TestWhatIsBrokenOnPurpose(t *testing.T) {
	const second = rehearse.Duration(1e9)
	plan := rehearse.Plan{Steps: []rehearse.Step{
		{Load: &rehearse.LoadStep{Name: "peak"}},
		{Experiment: &rehearse.ExperimentStep{Name: "outage", Before: 5 * second, Method: []rehearse.Action{{Title: "db: kill", At: second, For: 2 * second}}}},
	}}
	leg := func(step, check string, outcome rehearse.Outcome) *rehearse.LegReport {
		return &rehearse.LegReport{
			Evidence: &rehearse.Evidence{Records: []rehearse.Record{{Begin: &rehearse.Begin{Plan: plan}}}},
			Verdict:  rehearse.Verdict{Findings: []rehearse.Finding{{Step: step, Check: step + ": " + check, Outcome: outcome}}},
		}
	}
	for _, tt := range []struct {
		step, check string
		outcome     rehearse.Outcome
		meanwhile   bool
		named       int
	}{
		{"outage", "during: http_req_failed rate<0.5", rehearse.Fail, true, 1},
		{"outage", "http_req_failed rate<0.5", rehearse.Fail, true, 1}, // of the whole load
		{"outage", "recovers within 5s: http_req_failed rate<0.5", rehearse.Fail, false, 1},
		{"outage", "steady before: http_req_failed rate<0.5", rehearse.Fail, false, 1},
		{"outage", "during: http_req_failed rate<0.5", rehearse.Pass, false, 0},
		{"peak", "http_req_failed rate<0.5", rehearse.Fail, false, 0},
	} {
		l := leg(tt.step, tt.check, tt.outcome)
		if got := meanwhile(l.Verdict.Findings[0], &plan); got != tt.meanwhile {
			t.Errorf("%s %s: of the method's stretch: %v", tt.step, tt.check, got)
		}
		facts := onPurpose(l)
		if len(facts) != tt.named || tt.named > 0 && facts[0].Text != "On purpose, db: kill was in force from 6.0 s to 8.0 s of outage." {
			t.Errorf("%s %s: named %v", tt.step, tt.check, facts)
		}
	}
}
