package verdict

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// trialScene is an experiment that goes well: a partition from second 2 to 4 of 10,
// of which requests fail until half a second later.
func trialScene(t testing.TB) *scene {
	s := newScene(t)
	fault := rehearse.Fault{Name: "outage/partition", Kind: rehearse.FaultPartition}
	step := &rehearse.ExperimentStep{
		Name: "outage", Before: 2000 * ms, Recover: 2000 * ms, After: 4000 * ms,
		Steady: []rehearse.Threshold{parse(t, "http_req_failed rate<0.01")}, During: []rehearse.Threshold{parse(t, "http_req_failed rate<=0.5")},
		Load:   rehearse.LoadStep{Name: "outage"},
		Method: []rehearse.Action{{Title: "db: partition", For: 2000 * ms, Fault: &fault, Links: []rehearse.LinkID{"web:db"}}},
	}
	s.plan.Steps = []rehearse.Step{{Experiment: step}}
	s.load.Step, s.suite = "outage", nil
	for i := range s.samples {
		if at := s.samples[i].Intended; at >= 3000*ms && at < 4500*ms {
			s.samples[i].Status, s.samples[i].Error = 503, "status"
		}
	}
	return s
}

// judged are the outcomes of an experiment's findings, by what follows its name,
// with what they got.
func judged(s *scene, events ...rehearse.Record) map[string]string {
	ev := s.evidence()
	ev.Samples = map[string][]rehearse.Sample{"outage": s.samples}
	end := len(ev.Records) - 1
	ev.Records = slices.Insert(ev.Records, end, events...)
	out := map[string]string{}
	for _, f := range Judge("production", ev).Findings {
		if check, ok := strings.CutPrefix(f.Check, "outage: "); ok {
			out[check] = string(f.Outcome) + " " + f.Got
		}
	}
	return out
}

// told are the events of the one action.
func told(begun, over rehearse.ActionEvent) []rehearse.Record {
	begun.Step, over.Step, over.Over = "outage", "outage", true
	return []rehearse.Record{{Action: &begun}, {Action: &over}}
}

func touched(n int64, gone bool) []rehearse.LinkDose {
	return []rehearse.LinkDose{{Link: "web:db", Dose: rehearse.Dose{Gone: gone, Connections: n}}}
}

func TestExperiment(t *testing.T) {
	const (
		before  = "steady before: http_req_failed rate<0.01"
		during  = "during: http_req_failed rate<=0.5"
		recover = "recovers within 2s: http_req_failed rate<0.01"
		hold    = "took hold"
		mended  = "rolled back"
	)
	well := told(rehearse.ActionEvent{At: 2000 * ms}, rehearse.ActionEvent{At: 4000 * ms, Doses: touched(3, true)})
	all := func(s *scene, from, to rehearse.Duration) {
		for i := range s.samples {
			if at := s.samples[i].Intended; at >= from && at < to {
				s.samples[i].Status, s.samples[i].Error = 500, "status"
			}
		}
	}
	step := func(s *scene) *rehearse.ExperimentStep { return s.plan.Steps[0].Experiment }
	// ticks are looks at the link, whose round trips stand still from 2.3 s to 4 s.
	ticks := func() (out []rehearse.Record) {
		trips := int64(0)
		for at := rehearse.Duration(0); at < 6000*ms; at += 250 * ms {
			if at < 2300*ms || at > 4000*ms {
				trips += 10
			}
			out = append(out, rehearse.Record{Tick: &rehearse.Tick{Since: at, Step: "outage", Links: []rehearse.LinkTick{{ID: "web:db", RoundTrips: trips}}}})
		}
		return out
	}
	for _, tt := range []struct {
		name   string
		spoil  func(*scene)
		events []rehearse.Record
		want   map[string]string
	}{
		{"well", nil, well, map[string]string{before: "pass 0%", during: "pass 50%", recover: "pass after 500ms", hold: "pass 1 of 1 action", mended: "pass 1 of 1 action"}},
		{"worse meanwhile", func(s *scene) { all(s, 2000*ms, 4000*ms) }, well, map[string]string{before: "pass 0%", during: "fail 100%", recover: "pass after 500ms"}},
		{"recovers late", func(s *scene) { all(s, 4000*ms, 7000*ms) }, well, map[string]string{recover: "fail after 3s", before: "pass 0%"}},
		{"never recovers", func(s *scene) { all(s, 4000*ms, 10000*ms) }, well, map[string]string{recover: "fail not by the end"}},
		{"was never steady", func(s *scene) { all(s, 0, 1000*ms) }, well, map[string]string{before: "fail 51.94%", during: "unverified 50%", recover: "unverified after 500ms", hold: "pass 1 of 1 action"}},
		{"touched nothing", nil, told(rehearse.ActionEvent{At: 2000 * ms}, rehearse.ActionEvent{At: 4000 * ms, Doses: touched(0, true)}),
			map[string]string{before: "pass 0%", during: "unverified 50%", recover: "unverified after 500ms", hold: "unverified 0 of 1 action", mended: "pass 1 of 1 action"}},
		{"kept connects out", nil, append(ticks(), told(rehearse.ActionEvent{At: 2000 * ms}, rehearse.ActionEvent{At: 4000 * ms, Doses: touched(0, true)})...),
			map[string]string{recover: "pass after 500ms", hold: "pass 1 of 1 action"}},
		{"could not begin", nil, told(rehearse.ActionEvent{Error: "no"}, rehearse.ActionEvent{}), map[string]string{hold: "unverified 0 of 1 action", recover: "unverified after 500ms"}},
		{"still there", nil, told(rehearse.ActionEvent{At: 2000 * ms}, rehearse.ActionEvent{Doses: touched(3, false)}), map[string]string{hold: "pass 1 of 1 action", mended: "unverified 0 of 1 action"}},
		{"not told to be over", nil, well[:1], map[string]string{hold: "unverified 0 of 1 action", mended: "unverified 0 of 1 action"}},
		{"a service that does not come back", func(s *scene) {
			a := &step(s).Method[0]
			a.Fault, a.Disruption, a.Services = nil, &rehearse.Disruption{Kind: rehearse.DisruptKill}, []rehearse.ServiceName{"db"}
		}, told(rehearse.ActionEvent{}, rehearse.ActionEvent{Error: "db: it is not ready again"}), map[string]string{hold: "pass 1 of 1 action", mended: "fail 0 of 1 action"}},
		{"undone late", func(s *scene) { all(s, 4000*ms, 7000*ms) }, told(rehearse.ActionEvent{At: 2000 * ms}, rehearse.ActionEvent{At: 7000 * ms, Doses: touched(3, true)}),
			map[string]string{before: "pass 0%", during: "pass 50%", recover: "pass at once", mended: "pass 1 of 1 action"}},
		{"undone too late to see more", func(s *scene) { all(s, 4000*ms, 7000*ms) }, told(rehearse.ActionEvent{At: 2000 * ms}, rehearse.ActionEvent{At: 8500 * ms, Doses: touched(3, true)}),
			map[string]string{recover: "unverified no samples"}},
		{"begun late", nil, told(rehearse.ActionEvent{At: 3200 * ms}, rehearse.ActionEvent{At: 4000 * ms, Doses: touched(3, true)}), map[string]string{during: "unverified 50%", recover: "pass after 500ms"}},
		{"a killed service is started for long", func(s *scene) {
			all(s, 4000*ms, 7000*ms)
			a := &step(s).Method[0]
			a.Fault, a.Disruption, a.Services = nil, &rehearse.Disruption{Kind: rehearse.DisruptKill}, []rehearse.ServiceName{"db"}
		}, told(rehearse.ActionEvent{At: 2000 * ms}, rehearse.ActionEvent{At: 7000 * ms}), map[string]string{recover: "fail after 3s"}},
		{"interrupted", func(s *scene) {
			s.samples = s.samples[:140]
			s.samples[139].Error, s.samples[139].Dropped = "canceled", true
			s.load.Count = 140
		}, well, map[string]string{before: "pass 0%", during: "unverified did not run", recover: "unverified did not run", mended: "pass 1 of 1 action"}},
		{"calm", func(s *scene) { step(s).Calm = true }, nil, map[string]string{before: "pass 0%", during: "pass 50%", recover: "pass after 500ms", hold: "", mended: ""}},
		{"nobody asked after it", func(s *scene) { s.samples = s.samples[:160]; s.load.Count = 160 }, well, map[string]string{during: "pass 50%", recover: "unverified no samples"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := trialScene(t)
			if tt.spoil != nil {
				tt.spoil(s)
			}
			got := judged(s, tt.events...)
			for check, want := range tt.want {
				if got[check] != want {
					t.Errorf("%s: got %q, want %q", check, got[check], want)
				}
			}
		})
	}
}

// Checks of a leg do not look at what began while something was broken on purpose,
// unless they ask how it was coped with; an experiment's own look before and after.
func TestExperimentChecks(t *testing.T) {
	s := trialScene(t)
	s.plan.Checks = []rehearse.Check{{Name: "logs", Kind: rehearse.CheckLogErrors}}
	s.plan.Steps[0].Experiment.Checks = []rehearse.Check{{Name: "own logs", Kind: rehearse.CheckLogErrors}}
	ev := s.evidence()
	ev.Samples = map[string][]rehearse.Sample{"outage": s.samples}
	began := time.Unix(1000, 0)
	ev.Records = slices.Insert(ev.Records, len(ev.Records)-1, rehearse.Record{Time: began, Tick: &rehearse.Tick{Step: "outage"}})
	ask := func(at ...time.Duration) map[string]rehearse.Outcome {
		ev.Telemetry = &rehearse.Telemetry{Result: rehearse.TelemetryResult{Logs: int64(len(at) + 2), Quiet: true}}
		for _, d := range append(at, time.Second, 9*time.Second) {
			r := rehearse.LogRecord{Time: began.Add(d), Service: "web", Body: "x", Severity: 9}
			if slices.Contains(at, d) {
				r.Severity = 17
			}
			ev.Telemetry.Logs = append(ev.Telemetry.Logs, r)
		}
		out := map[string]rehearse.Outcome{}
		for _, f := range Judge("production", ev).Findings {
			out[f.Check] = f.Outcome
		}
		return out
	}
	meanwhile := ask(3 * time.Second)
	if meanwhile["check: logs"] != rehearse.Pass || meanwhile["outage: steady before: own logs"] != rehearse.Pass {
		t.Errorf("an error while something was broken: %v", meanwhile)
	}
	early := ask(1500 * time.Millisecond)
	if early["check: logs"] != rehearse.Fail || early["outage: steady before: own logs"] != rehearse.Fail {
		t.Errorf("an error before: %v", early)
	}
}
