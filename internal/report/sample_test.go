package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

const ms = rehearse.Duration(time.Millisecond)

var began = time.Date(2026, 11, 22, 16, 12, 7, 0, time.UTC)

func mustThreshold(t testing.TB, s string) rehearse.Threshold {
	t.Helper()
	th, err := rehearse.ParseThreshold(s)
	if err != nil {
		t.Fatal(err)
	}
	return th
}

// sampleReport is made up, but as the case study goes: on a flat network all is
// well, and under production's the pool drains.
func sampleReport(t testing.TB) rehearse.Report {
	return rehearse.Report{
		Run: "20261122-161207-4f9k", Project: "docgen", Version: "0.1.0",
		Legs:      []rehearse.LegReport{sampleLeg(t, rehearse.Staging()), sampleLeg(t, rehearse.Production())},
		Diagnosis: sampleDiagnosis(),
	}
}

func sampleLeg(t testing.TB, which rehearse.Leg) rehearse.LegReport {
	real := which.Has(rehearse.FacetNetwork)
	shape := rehearse.Shape{}
	ingress := rehearse.LinkSpec{ID: "ingress:docgen", Client: "ingress", Upstream: "docgen", Declared: true}
	traffic := rehearse.Traffic{
		Duration: 40000 * ms, Arrivals: rehearse.Even, Timeout: 10000 * ms,
		Rate:     []rehearse.RatePoint{{PerSecond: 24}},
		Origins:  []rehearse.Origin{{Weight: 1, Link: "ingress:docgen"}},
		Requests: []rehearse.Request{{Name: "create", Weight: 3, Method: "POST", Path: "/documents"}, {Name: "read", Weight: 1, Method: "GET", Path: "/documents/{id}"}},
	}
	if real {
		shape = rehearse.Symmetric(84*time.Millisecond, 6*time.Millisecond, rehearse.Gbit)
		ingress = rehearse.LinkSpec{ID: "ingress/eu-west-1:docgen", Client: "ingress/eu-west-1", Upstream: "docgen", Declared: true, Shape: rehearse.Symmetric(8*time.Millisecond, time.Millisecond, 0)}
		traffic.Arrivals = rehearse.Poisson
		traffic.Rate = []rehearse.RatePoint{{PerSecond: 14}, {At: 12000 * ms, PerSecond: 28}, {At: 40000 * ms, PerSecond: 28}}
		traffic.Origins = []rehearse.Origin{{Region: "eu-west-1", Weight: 1, Link: ingress.ID}}
	}
	db := rehearse.LinkSpec{ID: "docgen:db", Client: "docgen", Upstream: "db", Declared: true, Shape: shape}
	plan := rehearse.Plan{
		Project: "docgen", Dir: "/src/docgen", Files: []string{"/src/docgen/compose.yaml"}, Leg: which, Seed: 7, Driver: "process",
		Services: []rehearse.Service{{Name: "db", Region: "us-east-1", Image: "postgres:17"}, {Name: "migrate", Job: true}, {Name: "docgen", Region: "eu-west-1"}},
		Links:    []rehearse.LinkSpec{db, ingress, {ID: "migrate:db", Client: "migrate", Upstream: "db", Shape: shape}},
		Steps: []rehearse.Step{
			{Suite: &rehearse.SuiteStep{Name: "e2e"}},
			{Load: &rehearse.LoadStep{Name: "peak", Target: "docgen", Port: 8080, Traffic: traffic, Thresholds: []rehearse.Threshold{
				mustThreshold(t, "http_req_failed rate<0.001"), mustThreshold(t, "http_req_duration p(99)<800ms"),
			}}},
		},
		Notes: []rehearse.Note{{Service: "docgen", Field: "deploy.placement", Text: "The process driver does not honour placement."}},
	}
	samples := simulate(which, traffic)
	f := figures(samples)

	ev := &rehearse.Evidence{Samples: map[string][]rehearse.Sample{"peak": samples}}
	add := func(at time.Duration, r rehearse.Record) {
		r.Time = began.Add(at)
		ev.Records = append(ev.Records, r)
	}
	state := func(at time.Duration, name rehearse.ServiceName, s rehearse.ServiceState, after time.Duration) {
		add(at*time.Millisecond, rehearse.Record{Service: &rehearse.ServiceEvent{Service: name, State: s, After: rehearse.Duration(after * time.Millisecond)}})
	}
	add(0, rehearse.Record{Begin: &rehearse.Begin{Version: "0.1.0", Environment: "docgen-4f9k2m", Plan: plan}})
	add(0, rehearse.Record{Fact: &rehearse.Fact{Name: "driver.tier", Value: "namespaces"}})
	add(0, rehearse.Record{Fact: &rehearse.Fact{Name: "limits.cpus", Value: "not applied", Note: "This host gives no CPU controller to users."}})
	state(1, "db", rehearse.Building, 0)
	state(1, "docgen", rehearse.Building, 0)
	state(1, "migrate", rehearse.Waiting, 0)
	state(48, "db", rehearse.Starting, 0)
	state(160, "db", rehearse.Ready, 112)
	state(161, "migrate", rehearse.Starting, 0)
	state(214, "docgen", rehearse.Waiting, 0)
	state(248, "migrate", rehearse.Done, 87)
	state(249, "docgen", rehearse.Starting, 0)
	state(291, "docgen", rehearse.Ready, 42)
	add(4*time.Second, rehearse.Record{Suite: &rehearse.SuiteResult{Step: "e2e", Elapsed: 3200 * ms, Output: "suites/e2e/output.log", Tests: []rehearse.Test{
		{Name: "the page lists templates", Outcome: "passed", Elapsed: 812 * ms},
		{Name: "a document can be created", Outcome: "passed", Elapsed: 1404 * ms},
		{Name: "a document downloads as PDF", Outcome: "skipped"},
	}}})
	for i := range 80 {
		since := rehearse.Duration(i) * 500 * ms
		waiting := inFlight(samples, since)
		onDB := waiting
		if onDB > 10 {
			onDB = 10
		}
		add(5*time.Second+time.Duration(since), rehearse.Record{Tick: &rehearse.Tick{Since: since, Step: "peak", Links: []rehearse.LinkTick{
			{ID: "docgen:db", InFlight: onDB}, {ID: ingress.ID, InFlight: waiting}, {ID: "migrate:db"},
		}}})
	}
	add(45*time.Second, rehearse.Record{Load: &rehearse.LoadResult{Step: "peak", Samples: "samples/peak.jsonl", Count: len(samples), Elapsed: 41200 * ms, Asked: f.Requests, Sent: f.Requests, Late: rehearse.Quantiles{Count: int64(f.Requests), P50: ms / 10, P99: 13 * ms / 10}}})
	stats := rehearse.LinkStats{ID: "docgen:db", Shape: shape, Connections: 10, MaxActive: 10, MaxInFlight: 3, RoundTrips: 7421, BytesUp: 1_402_331, BytesDown: 9_120_442}
	if real {
		stats.MaxInFlight, stats.Resets = 10, 4
		stats.Tier = rehearse.TierPacket
		stats.DelayAsked = rehearse.Quantiles{Count: 14000, P50: 42 * ms, P90: 47 * ms, P99: 51 * ms}
		stats.DelayGiven = rehearse.Quantiles{Count: 14000, P50: 42*ms + ms/10, P90: 47 * ms, P99: 51 * ms}
		stats.DelayError = rehearse.Quantiles{Count: 14000, P50: ms / 20, P99: ms / 4}
	}
	add(46*time.Second, rehearse.Record{Links: &rehearse.LinksResult{Links: []rehearse.LinkStats{
		{ID: ingress.ID, Shape: ingress.Shape, Connections: 61, MaxInFlight: int64(40), RoundTrips: int64(f.Requests), BytesUp: 182_000, BytesDown: 1_120_000},
		stats,
		{ID: "migrate:db", Shape: shape, Connections: 1, MaxInFlight: 1, RoundTrips: 22, BytesUp: 4021, BytesDown: 1810},
		{ID: "docgen:mailer"},
	}}})
	ev.Telemetry = sampleTelemetry(which)
	add(46*time.Second, rehearse.Record{Telemetry: &ev.Telemetry.Result})
	add(46*time.Second, rehearse.Record{End: &rehearse.End{Elapsed: 46000 * ms}})
	return rehearse.LegReport{Name: which.Name, Dir: which.Name, Evidence: ev, Verdict: sampleVerdict(which, f)}
}

// simulate is a queue in front of ten connections, each of which is lost for
// good now and then.
func simulate(which rehearse.Leg, traffic rehearse.Traffic) []rehearse.Sample {
	rnd := rand.New(rand.NewPCG(7, 7))
	real := which.Has(rehearse.FacetNetwork)
	free := make([]float64, 10)
	var out []rehearse.Sample
	at := 0.0
	for n := 0; ; n++ {
		gap := 1 / traffic.At(time.Duration(at*float64(time.Second)))
		if traffic.Arrivals == rehearse.Poisson {
			gap *= rnd.ExpFloat64()
		}
		if at += gap; at >= traffic.Duration.Seconds() {
			return out
		}
		service := 0.012 + 0.006*rnd.Float64()
		if real {
			service = 0.36 + 0.05*rnd.NormFloat64()
		}
		name := "create"
		if n%4 == 3 {
			name = "read"
			service /= 3
		}
		best := 0
		for i := range free {
			if free[i] < free[best] {
				best = i
			}
		}
		s := rehearse.Sample{Intended: seconds(at), Sent: seconds(at + 0.0002), Request: name, Status: 201, Passed: 1}
		done := max(at, free[best]) + service
		if done > at+10 {
			s.End, s.Status, s.Error, s.Passed, s.Missed = seconds(at+10), 0, "timeout", 0, 1
		} else {
			s.End = seconds(done)
			free[best] = done
			if real && n%90 == 89 {
				free[best] = math.Inf(1)
			}
			if real && done > at+6 {
				s.End, s.Status, s.Error, s.Passed, s.Missed = seconds(at+6), 503, "status", 0, 1
			}
		}
		out = append(out, s)
	}
}

func seconds(s float64) rehearse.Duration {
	return rehearse.Duration(s*1e6) * rehearse.Duration(time.Microsecond)
}

func inFlight(samples []rehearse.Sample, at rehearse.Duration) int64 {
	var n int64
	for _, s := range samples {
		if s.Sent <= at && at < s.End {
			n++
		}
	}
	return n
}

func sampleVerdict(which rehearse.Leg, f loadFigures) rehearse.Verdict {
	real := which.Has(rehearse.FacetNetwork)
	value := func(v float64) *float64 { return &v }
	failed := rehearse.Finding{Outcome: rehearse.Pass, Check: "peak: http_req_failed rate<0.001", Step: "peak", Got: "0%", Value: value(0), Evidence: []string{"samples/peak.jsonl"}}
	slow := rehearse.Finding{Outcome: rehearse.Pass, Check: "peak: http_req_duration p(99)<800ms", Step: "peak", Got: "18ms", Value: value(0.018), Evidence: []string{"samples/peak.jsonl"}}
	if real {
		failed.Outcome, failed.Got, failed.Value = rehearse.Fail, percent(f.Failed, f.Requests), value(float64(f.Failed)/float64(f.Requests))
		failed.Detail = fmt.Sprintf("%d of %d requests failed: %d status 503, 27 timeout; the first at 24.9 s.", f.Failed, f.Requests, f.Failed-27)
		slow.Outcome, slow.Got, slow.Value = rehearse.Fail, "10s", value(10)
		slow.Detail = fmt.Sprintf("640 of %d requests took longer than 800ms, the first at 11.2 s; the slowest (create) took 10s.", f.Requests)
		slow.Hint = "Look at the requests in flight on docgen:db: they stand at the size of the pool."
	}
	findings := []rehearse.Finding{
		{Outcome: rehearse.Pass, Check: "ready", Got: "3 of 3 services"},
		{Outcome: rehearse.Pass, Check: "stayed up", Got: "no service failed"},
		{Outcome: rehearse.Pass, Check: "e2e: suite", Step: "e2e", Got: "2 of 3 tests passed", Value: value(0)},
		{Outcome: rehearse.Pass, Check: "peak: load offered", Step: "peak", Got: fmt.Sprintf("%d of %d", f.Requests, f.Requests)},
		failed, slow,
	}
	if real {
		findings = append(findings,
			rehearse.Finding{Outcome: rehearse.Pass, Check: "network: docgen:db delay", Got: "asked p50 42ms, gave 42.1ms", Value: value(0.0421)},
			rehearse.Finding{Outcome: rehearse.Pass, Check: "network: in force", Got: "3 of 3 shaped links used", Value: value(3)},
			rehearse.Finding{Outcome: rehearse.Fail, Check: "check: n_plus_one", Got: "14 calls", Value: value(14), Evidence: []string{"telemetry"},
				Detail: "GET /items/{id} was called up to 14 times in a row on docgen → store by one request, in 241 of 241 requests.", Traces: []rehearse.TraceID{traceID(4), traceID(98)}})
	}
	return rehearse.Verdict{Leg: which.Name, Outcome: rehearse.Conclude(findings), Seed: 7, Findings: findings}
}
