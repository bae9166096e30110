package verdict

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

const ms = rehearse.Duration(time.Millisecond)

func parse(t testing.TB, s string) rehearse.Threshold {
	t.Helper()
	th, err := rehearse.ParseThreshold(s)
	if err != nil {
		t.Fatal(err)
	}
	return th
}

// scene is evidence that passes, for tests to spoil.
type scene struct {
	plan     rehearse.Plan
	services []rehearse.ServiceEvent
	load     *rehearse.LoadResult
	samples  []rehearse.Sample
	suite    *rehearse.SuiteResult
	links    *rehearse.LinksResult
	end      *rehearse.End
	damage   []string
}

func newScene(t testing.TB) *scene {
	shape := rehearse.Symmetric(84*time.Millisecond, 6*time.Millisecond, rehearse.Gbit)
	s := &scene{
		plan: rehearse.Plan{
			Leg: rehearse.Production(), Seed: 7,
			Services: []rehearse.Service{{Name: "db"}, {Name: "seed", Job: true}, {Name: "web"}},
			Links: []rehearse.LinkSpec{
				{ID: "web:db", Client: "web", Upstream: "db", Shape: shape},
				{ID: "web:cache", Client: "web", Upstream: "cache", Shape: shape},
				{ID: "ingress:web", Client: "ingress", Upstream: "web"},
			},
			Steps: []rehearse.Step{
				{Load: &rehearse.LoadStep{Name: "peak", Thresholds: []rehearse.Threshold{
					parse(t, "http_req_failed rate<0.01"),
					parse(t, "http_req_duration p(99)<800ms"),
				}}},
				{Suite: &rehearse.SuiteStep{Name: "e2e"}},
			},
		},
		services: []rehearse.ServiceEvent{
			{Service: "db", State: rehearse.Starting}, {Service: "db", State: rehearse.Ready},
			{Service: "seed", State: rehearse.Done}, {Service: "web", State: rehearse.Ready},
			{Service: "db", State: rehearse.Stopped}, {Service: "web", State: rehearse.Stopped},
		},
		suite: &rehearse.SuiteResult{Step: "e2e", Output: "suites/e2e/output.log", Tests: []rehearse.Test{{Name: "a", Outcome: "passed"}, {Name: "b", Outcome: "passed"}}},
		links: &rehearse.LinksResult{Links: []rehearse.LinkStats{
			{ID: "web:db", Shape: shape, BytesUp: 10, BytesDown: 10, DelayAsked: quantiles(42 * ms), DelayGiven: quantiles(42*ms + 100e3)},
			{ID: "web:cache", Shape: shape},
			{ID: "ingress:web", BytesUp: 5},
		}},
		end: &rehearse.End{Elapsed: 1000 * ms},
	}
	for i := range 400 {
		at := rehearse.Duration(i) * 25 * ms
		s.samples = append(s.samples, rehearse.Sample{Intended: at, Sent: at, End: at + 100*ms, Request: "create", Status: 201, Passed: 1})
	}
	s.load = &rehearse.LoadResult{Step: "peak", Samples: "samples/peak.jsonl", Count: 400, Elapsed: 10000 * ms, Asked: 400, Sent: 400, Late: rehearse.Quantiles{Count: 400, P99: ms}}
	return s
}

func quantiles(d rehearse.Duration) rehearse.Quantiles {
	return rehearse.Quantiles{Count: 20, Min: d, P50: d, P90: d, P99: d, Max: d, Mean: d}
}

func (s *scene) evidence() *rehearse.Evidence {
	ev := &rehearse.Evidence{Samples: map[string][]rehearse.Sample{"peak": s.samples}, Damage: s.damage}
	add := func(r rehearse.Record) { ev.Records = append(ev.Records, r) }
	add(rehearse.Record{Begin: &rehearse.Begin{Plan: s.plan}})
	for i := range s.services {
		add(rehearse.Record{Service: &s.services[i]})
	}
	if s.load != nil {
		add(rehearse.Record{Load: s.load})
	}
	if s.suite != nil {
		add(rehearse.Record{Suite: s.suite})
	}
	if s.links != nil {
		add(rehearse.Record{Links: s.links})
	}
	if s.end != nil {
		add(rehearse.Record{End: s.end})
	}
	return ev
}

func TestPass(t *testing.T) {
	v := Judge("production", newScene(t).evidence())
	var got []string
	for _, f := range v.Findings {
		got = append(got, fmt.Sprintf("%s | %s | %s", f.Outcome, f.Check, f.Got))
	}
	want := []string{
		"pass | ready | 3 of 3 services",
		"pass | stayed up | no service failed",
		"pass | peak: load offered | 400 of 400",
		"pass | peak: http_req_failed rate<0.01 | 0%",
		"pass | peak: http_req_duration p(99)<800ms | 100ms",
		"pass | e2e: suite | 2 of 2 tests passed",
		"pass | network: web:db delay | asked p50 42ms, gave 42.1ms",
		"pass | network: in force | 1 of 2 shaped links used",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if v.Outcome != rehearse.Pass || v.Seed != 7 || v.Leg != "production" {
		t.Errorf("got %+v", v)
	}
}

func TestFindings(t *testing.T) {
	code := func(n int) *int { return &n }
	fail := func(s *scene, n int, edit func(*rehearse.Sample)) {
		for i := range n {
			edit(&s.samples[300+i])
		}
	}
	tests := []struct {
		name    string
		spoil   func(*scene)
		check   string
		outcome rehearse.Outcome
		got     string
		detail  string // a part of it
		overall rehearse.Outcome
	}{
		{"service failed to start", func(s *scene) {
			s.services = []rehearse.ServiceEvent{
				{Service: "db", State: rehearse.Failed, ExitCode: code(1), Detail: "It exited at once.", LogTail: []string{"a", "b", "", "FATAL: no", "bye"}},
			}
			s.end.Error = "db is not ready"
		}, "ready", rehearse.Fail, "0 of 3 services", "Service db did not become ready (exit code 1). It exited at once. Its last lines: b ⏎ FATAL: no ⏎ bye", rehearse.Fail},
		{"two services failed to start", func(s *scene) {
			s.services = []rehearse.ServiceEvent{
				{Service: "db", State: rehearse.Failed, LogTail: []string{"FATAL: no"}},
				{Service: "kv", State: rehearse.Failed, ExitCode: code(2)},
			}
			s.end.Error = "db is not ready"
		}, "ready", rehearse.Fail, "0 of 4 services", "Its last lines: FATAL: no · Service kv did not become ready (exit code 2).", rehearse.Fail},
		{"service failed, then came back", func(s *scene) {
			s.services = slices.Insert(s.services, 0, rehearse.ServiceEvent{Service: "db", State: rehearse.Failed})
		}, "ready", rehearse.Pass, "3 of 3 services", "", rehearse.Pass},
		{"service never ready", func(s *scene) { s.services = s.services[:3] },
			"ready", rehearse.Unverified, "2 of 3 services", "web (never started)", rehearse.Unverified},
		{"stayed up needs ready", func(s *scene) { s.services = s.services[:3] },
			"stayed up", rehearse.Unverified, "was not up", "never wholly ready", rehearse.Unverified},
		{"service fell", func(s *scene) {
			s.services = append(s.services, rehearse.ServiceEvent{Service: "web", State: rehearse.Failed, ExitCode: code(137)})
		}, "stayed up", rehearse.Fail, "1 service failed", "Service web failed after it had been ready (exit code 137, signal 9).", rehearse.Fail},
		{"generator sent too little", func(s *scene) { s.load.Sent = 390 },
			"peak: load offered", rehearse.Unverified, "390 of 400", "could send only 390", rehearse.Unverified},
		{"generator was late", func(s *scene) { s.load.Late.P99 = 60 * ms },
			"peak: load offered", rehearse.Unverified, "400 of 400, p99 late by 60ms", "after the profile's time", rehearse.Unverified},
		{"generator was late, by its samples", func(s *scene) {
			s.load.Late = rehearse.Quantiles{}
			fail(s, 10, func(x *rehearse.Sample) { x.Sent += 70 * ms })
		}, "peak: load offered", rehearse.Unverified, "400 of 400, p99 late by 70ms", "after the profile's time", rehearse.Unverified},
		{"nothing asked", func(s *scene) { s.load.Asked, s.load.Sent = 0, 0 },
			"peak: load offered", rehearse.Unverified, "nothing asked", "asked for no request", rehearse.Unverified},
		{"load did not run", func(s *scene) { s.load = nil },
			"peak: http_req_failed rate<0.01", rehearse.Unverified, "did not run", "no result of this load", rehearse.Unverified},
		{"requests failed", func(s *scene) {
			fail(s, 50, func(x *rehearse.Sample) { x.Error = "timeout"; x.Status = 0 })
			fail(s, 40, func(x *rehearse.Sample) { x.Error = "status"; x.Status = 503 })
		}, "peak: http_req_failed rate<0.01", rehearse.Fail, "12.5%", "50 of 400 requests failed: 40 status 503, 10 timeout; the first at 7.5 s.", rehearse.Fail},
		{"answers without a status", func(s *scene) { fail(s, 10, func(x *rehearse.Sample) { x.Status = 0 }) },
			"peak: http_req_failed rate<0.01", rehearse.Fail, "2.5%", "10 no answer", rehearse.Fail},
		{"slow", func(s *scene) { fail(s, 10, func(x *rehearse.Sample) { x.End += 1000 * ms }) },
			"peak: http_req_duration p(99)<800ms", rehearse.Fail, "1.1s", "10 of 400 requests took longer than 800ms, the first at 7.5 s; the slowest (create) took 1.1s.", rehearse.Fail},
		{"slow only because the generator was late", func(s *scene) {
			s.load.Late.P99 = 900 * ms
			fail(s, 10, func(x *rehearse.Sample) { x.Sent += 900 * ms; x.End += 900 * ms })
		}, "peak: http_req_duration p(99)<800ms", rehearse.Unverified, "1s", "from the moment of sending it is 100ms", rehearse.Unverified},
		{"slow although the generator was late", func(s *scene) {
			s.load.Late.P99 = 60 * ms
			fail(s, 10, func(x *rehearse.Sample) { x.Sent += 60 * ms; x.End += 1900 * ms })
		}, "peak: http_req_duration p(99)<800ms", rehearse.Fail, "2s", "10 of 400", rehearse.Fail},
		{"no samples for the tag", func(s *scene) {
			s.plan.Steps[0].Load.Thresholds = []rehearse.Threshold{parse(t, "http_req_duration{name:list} med<1s")}
		}, "peak: http_req_duration{name:list} med<1s", rehearse.Unverified, "no samples", `"list"`, rehearse.Unverified},
		{"checks missed", func(s *scene) {
			s.plan.Steps[0].Load.Thresholds = []rehearse.Threshold{parse(t, "checks rate>0.99")}
			fail(s, 100, func(x *rehearse.Sample) { x.Passed, x.Missed = 0, 1 })
		}, "peak: checks rate>0.99", rehearse.Fail, "75%", "100 of 400 checks did not hold.", rehearse.Fail},
		{"wrong answers", func(s *scene) {
			s.plan.Steps[0].Load.Thresholds = []rehearse.Threshold{parse(t, "checks rate>0.99")}
			for i := range s.samples[:8] {
				s.samples[i].Passed, s.samples[i].Missed = 1, 1
			}
		}, "peak: checks rate>0.99", rehearse.Fail, "98.03%", "Successful answers without a text that they should hold: 8 to ", rehearse.Fail},
		{"no checks", func(s *scene) {
			s.plan.Steps[0].Load.Thresholds = []rehearse.Threshold{parse(t, "checks rate>0.99")}
			for i := range s.samples {
				s.samples[i].Passed = 0
			}
		}, "peak: checks rate>0.99", rehearse.Unverified, "no samples", "has a check", rehearse.Unverified},
		{"dropped", func(s *scene) {
			s.plan.Steps[0].Load.Thresholds = []rehearse.Threshold{parse(t, "dropped_iterations count<1")}
			fail(s, 2, func(x *rehearse.Sample) { x.Dropped = true })
		}, "peak: dropped_iterations count<1", rehearse.Unverified, "2", "2 of 400 requests could not be sent in time.", rehearse.Unverified},
		{"throughput", func(s *scene) {
			s.plan.Steps[0].Load.Thresholds = []rehearse.Threshold{parse(t, "http_reqs rate>50")}
		}, "peak: http_reqs rate>50", rehearse.Fail, "40.0/s", "400 requests were sent.", rehearse.Fail},
		{"suite failed", func(s *scene) {
			s.suite.ExitCode = 1
			s.suite.Tests[1] = rehearse.Test{Name: "b", Outcome: "failed", Message: "expected x\nmore"}
		}, "e2e: suite", rehearse.Fail, "1 of 2 tests failed", "ended with exit code 1. Failed: b (expected x).", rehearse.Fail},
		{"suite failed without results", func(s *scene) { s.suite.ExitCode, s.suite.Tests, s.suite.Tail = 2, nil, []string{"boom"} },
			"e2e: suite", rehearse.Fail, "exit code 2", "Its last lines: boom", rehearse.Fail},
		{"suite contradicts itself", func(s *scene) { s.suite.Tests[0].Outcome = "failed" },
			"e2e: suite", rehearse.Unverified, "1 of 2 tests failed", "exit code 0, but", rehearse.Unverified},
		{"suite skipped all", func(s *scene) { s.suite.Tests[0].Outcome, s.suite.Tests[1].Outcome = "skipped", "skipped" },
			"e2e: suite", rehearse.Unverified, "0 of 2 tests passed", "every one", rehearse.Unverified},
		{"suite skipped", func(s *scene) { s.suite = &rehearse.SuiteResult{Step: "e2e", Skipped: "npx is missing"} },
			"e2e: suite", rehearse.Unverified, "skipped", "did not run: npx is missing.", rehearse.Unverified},
		{"suite timed out", func(s *scene) { s.suite.TimedOut, s.suite.Elapsed = true, 60000*ms },
			"e2e: suite", rehearse.Fail, "timed out", "after 1m0s", rehearse.Fail},
		{"suite never ran", func(s *scene) { s.suite = nil },
			"e2e: suite", rehearse.Unverified, "did not run", "no result", rehearse.Unverified},
		{"link too quick", func(s *scene) { s.links.Links[0].DelayGiven = quantiles(30 * ms) },
			"network: web:db delay", rehearse.Unverified, "asked p50 42ms, gave 30ms", "easier than in production", rehearse.Unverified},
		{"link too slow", func(s *scene) { s.links.Links[0].DelayGiven = quantiles(50 * ms) },
			"network: web:db delay", rehearse.Unverified, "asked p50 42ms, gave 50ms", "harder than in production", rehearse.Unverified},
		{"link within a tenth", func(s *scene) { s.links.Links[0].DelayGiven = quantiles(46 * ms) },
			"network: web:db delay", rehearse.Pass, "asked p50 42ms, gave 46ms", "", rehearse.Pass},
		{"link of another shape", func(s *scene) {
			s.links.Links[0].DelayAsked, s.links.Links[0].DelayGiven = quantiles(1), quantiles(1)
		}, "network: web:db delay", rehearse.Unverified, "asked p50 1ns, gave 1ns", "not the plan's", rehearse.Unverified},
		{"link not measured", func(s *scene) { s.links.Links[0].DelayGiven = rehearse.Quantiles{} },
			"network: web:db delay", rehearse.Unverified, "not measured", "measured no delay", rehearse.Unverified},
		{"network untouched", func(s *scene) { s.links.Links[0].BytesUp, s.links.Links[0].BytesDown = 0, 0 },
			"network: in force", rehearse.Unverified, "0 of 2 shaped links used", "not survived: web:db, web:cache.", rehearse.Unverified},
		{"no link figures", func(s *scene) { s.links = nil },
			"network: in force", rehearse.Unverified, "not measured", "no figures", rehearse.Unverified},
		{"damage", func(s *scene) { s.damage = []string{"A.", "B."} },
			"evidence complete", rehearse.Unverified, "2 gaps", "A. B.", rehearse.Unverified},
		{"no end", func(s *scene) { s.end = nil },
			"evidence complete", rehearse.Unverified, "1 gap", "no closing record", rehearse.Unverified},
		{"samples lost", func(s *scene) { s.samples = s.samples[:10] },
			"evidence complete", rehearse.Unverified, "1 gap", "are 10 where the evidence counts 400", rehearse.Unverified},
		{"ended early", func(s *scene) { s.end.Error = "interrupted" },
			"evidence complete", rehearse.Unverified, "1 gap", "before its last step: interrupted.", rehearse.Unverified},
		{"left", func(s *scene) { s.end.Left = []string{"process 12"} },
			"left nothing behind", rehearse.Fail, "1 left", "could not remove process 12.", rehearse.Fail},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t)
			tt.spoil(s)
			v := Judge("production", s.evidence())
			i := slices.IndexFunc(v.Findings, func(f rehearse.Finding) bool { return f.Check == tt.check })
			if i < 0 {
				t.Fatalf("no finding %q in %+v", tt.check, v.Findings)
			}
			f := v.Findings[i]
			if f.Outcome != tt.outcome || f.Got != tt.got || !strings.Contains(f.Detail, tt.detail) {
				t.Errorf("got %s, %q, %q\nwant %s, %q, %q", f.Outcome, f.Got, f.Detail, tt.outcome, tt.got, tt.detail)
			}
			if v.Outcome != tt.overall {
				t.Errorf("got the verdict %s, want %s: %+v", v.Outcome, tt.overall, v.Findings)
			}
		})
	}
}

func TestNotReadyIsTheOnlyWord(t *testing.T) {
	s := newScene(t)
	s.services = []rehearse.ServiceEvent{{Service: "db", State: rehearse.Failed}}
	s.end.Error = "db is not ready"
	for _, f := range Judge("x", s.evidence()).Findings {
		if f.Check == "evidence complete" {
			t.Errorf("got %+v beside the failed service", f)
		}
	}
}

func TestNoSteps(t *testing.T) {
	s := newScene(t)
	s.plan.Steps, s.plan.Links, s.load, s.suite, s.links, s.samples = nil, nil, nil, nil, nil, nil
	v := Judge("x", s.evidence())
	if len(v.Findings) != 2 || v.Outcome != rehearse.Pass {
		t.Errorf("got %+v, want ready and stayed up", v)
	}
}

func TestNothing(t *testing.T) {
	for _, ev := range []*rehearse.Evidence{nil, {}} {
		if v := Judge("x", ev); v.Outcome != rehearse.Unverified {
			t.Errorf("got %+v from no evidence, want unverified", v)
		}
	}
}

func TestMetric(t *testing.T) {
	samples := []rehearse.Sample{
		{Request: "a", Sent: 5 * ms, End: 10 * ms, Status: 200, Passed: 3, Missed: 1},
		{Request: "a", End: 20 * ms, Status: 200},
		{Request: "b", Intended: 70 * ms, Sent: 80 * ms, End: 100 * ms, Error: "timeout"},
		{Request: "b", Dropped: true},
	}
	for in, want := range map[string]string{
		"http_req_duration avg<1":            "20ms",
		"http_req_duration min<1":            "10ms",
		"http_req_duration max<1":            "30ms",
		"http_req_duration med<1":            "20ms",
		"http_req_duration p(34)<1":          "20ms",
		"http_req_duration p(33)<1":          "10ms",
		"http_req_duration p(100)<1":         "30ms",
		"http_req_duration{name:b} med<1":    "30ms",
		"http_req_failed rate<1":             "33.33%",
		"http_req_failed{name:a} rate<1":     "0%",
		"checks rate<1":                      "75%",
		"checks{name:b} rate<1":              "none",
		"http_reqs count<1":                  "3",
		"http_reqs rate<1":                   "1.5/s",
		"http_reqs{name:none} count<1":       "none",
		"dropped_iterations count<1":         "1",
		"dropped_iterations{name:a} count<1": "0",
		"dropped_iterations rate<1":          "0.5/s",
	} {
		th := parse(t, in)
		got := "none"
		if v, ok := metric(th, samples, 2*time.Second); ok {
			got = th.Format(v)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	if _, ok := metric(parse(t, "http_reqs rate<1"), samples, 0); ok {
		t.Error("got a rate over no time")
	}
}

func TestPercentileIsNearestRank(t *testing.T) {
	values := make([]float64, 1000)
	for i := range values {
		values[i] = float64(i + 1)
	}
	for p, want := range map[float64]float64{50: 500, 99: 990, 99.9: 999, 100: 1000, 0.01: 1} {
		if got := percentile(values, p); got != want {
			t.Errorf("p(%v): got %v, want %v", p, got, want)
		}
	}
}

// FuzzJudge judges arbitrary records: it never panics, never passes damaged
// evidence, and gives the same verdict twice.
func FuzzJudge(f *testing.F) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	for _, rec := range newScene(f).evidence().Records {
		if err := enc.Encode(rec); err != nil {
			f.Fatal(err)
		}
	}
	sample := []byte(`{"i":"1ms","s":"1ms","e":"5ms","r":"create","c":200}`)
	f.Add(buf.Bytes(), sample, "")
	f.Add(buf.Bytes(), sample, "The last line is cut short.")
	f.Add([]byte(`{"begin":{"plan":{"steps":[{},{"load":{"name":"peak","thresholds":[null]}}]}}}`+"\n"+`{"load":{"step":"peak","count":1}}`), sample, "")
	f.Fuzz(func(t *testing.T, records, samples []byte, damage string) {
		ev := &rehearse.Evidence{Samples: map[string][]rehearse.Sample{}}
		for s := bufio.NewScanner(bytes.NewReader(records)); s.Scan(); {
			var rec rehearse.Record
			if json.Unmarshal(s.Bytes(), &rec) == nil {
				ev.Records = append(ev.Records, rec)
			}
		}
		for s := bufio.NewScanner(bytes.NewReader(samples)); s.Scan(); {
			var sample rehearse.Sample
			if json.Unmarshal(s.Bytes(), &sample) == nil {
				ev.Samples["peak"] = append(ev.Samples["peak"], sample)
			}
		}
		if damage != "" {
			ev.Damage = []string{damage}
		}
		v := Judge("leg", ev)
		if v.Outcome == rehearse.Pass && (damage != "" || ev.Plan() == nil || lastEnd(ev) == nil) {
			t.Errorf("got a pass for damaged evidence: %+v", v)
		}
		if len(v.Findings) == 0 {
			t.Error("got a verdict without a finding")
		}
		if again := Judge("leg", ev); fmt.Sprintf("%+v", again.Outcome) != fmt.Sprintf("%+v", v.Outcome) || len(again.Findings) != len(v.Findings) {
			t.Errorf("got another verdict the second time: %+v, then %+v", v, again)
		}
	})
}

// Checks are asked of the telemetry after the steps; what has none shows nothing.
func TestChecks(t *testing.T) {
	s := newScene(t)
	s.plan.Checks = []rehearse.Check{{Name: "quiet", Kind: rehearse.CheckLogErrors}}
	ev := s.evidence()
	last := func() (rehearse.Verdict, rehearse.Finding) {
		v := Judge("production", ev)
		return v, v.Findings[6]
	}
	if v, f := last(); f.Check != "check: quiet" || f.Outcome != rehearse.Unverified || v.Outcome != rehearse.Unverified {
		t.Errorf("without telemetry: got %+v in a verdict of %s", f, v.Outcome)
	}
	record := rehearse.LogRecord{Service: "web", Severity: rehearse.SeverityInfo, Body: "ready"}
	ev.Telemetry = &rehearse.Telemetry{Logs: []rehearse.LogRecord{record}}
	if v, f := last(); f.Outcome != rehearse.Pass || v.Outcome != rehearse.Pass {
		t.Errorf("without an error: got %+v in a verdict of %s", f, v.Outcome)
	}
	record.Severity, record.Body = rehearse.SeverityError, "no connection"
	ev.Telemetry.Logs = append(ev.Telemetry.Logs, record)
	if v, f := last(); f.Outcome != rehearse.Fail || v.Outcome != rehearse.Fail || !strings.Contains(f.Detail, "no connection") {
		t.Errorf("with an error: got %+v in a verdict of %s", f, v.Outcome)
	}
	// What comes when the links have been counted is the end of the environment.
	for i := range ev.Records {
		if ev.Records[i].Links != nil {
			ev.Records[i].Time = time.Date(2026, 11, 22, 16, 12, 30, 0, time.UTC)
			ev.Telemetry.Logs[1].Time = ev.Records[i].Time.Add(time.Millisecond)
		}
	}
	// What comes before a service is ready may well be an answer to the question.
	before := rehearse.LogRecord{Service: "web", Severity: rehearse.SeverityFatal, Body: "starting up", Time: time.Date(2026, 11, 22, 16, 12, 0, 0, time.UTC)}
	for i := range ev.Records {
		if s := ev.Records[i].Service; s != nil && s.Service == "web" && s.State == rehearse.Ready {
			ev.Records[i].Time = before.Time.Add(time.Second)
			ev.Telemetry.Logs[0].Time = before.Time.Add(2 * time.Second)
			ev.Telemetry.Logs = append(ev.Telemetry.Logs, before)
		}
	}
	ev.Telemetry.Result.Logs = 3
	if v, f := last(); f.Outcome != rehearse.Pass || v.Outcome != rehearse.Pass {
		t.Errorf("with an error at the end: got %+v in a verdict of %s", f, v.Outcome)
	}
	if len(ev.Telemetry.Logs) != 3 || ev.Telemetry.Result.Logs != 3 {
		t.Error("judging has changed the evidence")
	}
}

// Nothing speaks against a project whose services were lost by their engine, and
// nothing for it either.
func TestLost(t *testing.T) {
	for _, lost := range []bool{false, true} {
		s := newScene(t)
		s.suite.ExitCode = 1
		s.services = append(s.services, rehearse.ServiceEvent{Service: "web", State: rehearse.Stopped, Detail: "the engine has gone", Lost: lost})
		v := Judge(s.plan.Leg.Name, s.evidence())
		want := rehearse.Fail
		if lost {
			want = rehearse.Unverified
		}
		if v.Outcome != want {
			t.Errorf("lost %v: the verdict is %s, want %s: %+v", lost, v.Outcome, want, v.Findings)
		}
		said := slices.ContainsFunc(v.Findings, func(f rehearse.Finding) bool {
			return f.Check == "environment kept" && strings.Contains(f.Detail, "the engine has gone")
		})
		if said != lost {
			t.Errorf("lost %v: a finding says so: %v", lost, said)
		}
	}
}
