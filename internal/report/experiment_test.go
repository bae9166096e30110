package report

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

// broken is a leg with an experiment: a partition from second 2 to 4, of which
// users see errors and late answers until second 5.
func broken() rehearse.Report {
	second := func(s float64) rehearse.Duration { return seconds(s) }
	steady, err := rehearse.ParseThreshold("http_req_duration p(99)<500ms")
	if err != nil {
		panic(err)
	}
	fault := rehearse.Fault{Name: "outage/partition", Kind: rehearse.FaultPartition}
	step := rehearse.ExperimentStep{
		Name: "outage", Before: second(2), Recover: second(2), After: second(2), Steady: []rehearse.Threshold{steady},
		Load:   rehearse.LoadStep{Name: "outage", Target: "web", Traffic: rehearse.Traffic{Duration: second(8), Rate: []rehearse.RatePoint{{PerSecond: 4}}}},
		Method: []rehearse.Action{{Title: "<db>: partition", For: second(2), Fault: &fault, Links: []rehearse.LinkID{"web:db"}}},
	}
	plan := rehearse.Plan{Leg: rehearse.Production(), Steps: []rehearse.Step{{Experiment: &step}}, Links: []rehearse.LinkSpec{
		{ID: "ingress:web", Declared: true}, {ID: "web:db", Declared: true}, {ID: "web:cache"},
	}}
	var samples []rehearse.Sample
	for i := range 32 {
		at := float64(i) / 4
		s := rehearse.Sample{Intended: second(at), Sent: second(at), End: second(at + 0.1), Request: "create", Status: 200}
		switch {
		case at >= 2 && at < 4:
			s.End, s.Status, s.Error = second(at+1), 503, "status"
		case at >= 4 && at < 5:
			s.End = second(at + 0.8)
		}
		samples = append(samples, s)
	}
	after := 1.0
	return rehearse.Report{Legs: []rehearse.LegReport{{Name: "production", Evidence: &rehearse.Evidence{
		Samples: map[string][]rehearse.Sample{"outage": samples},
		Records: []rehearse.Record{
			{Begin: &rehearse.Begin{Plan: plan}},
			{Action: &rehearse.ActionEvent{Step: "outage", At: second(2)}},
			{Action: &rehearse.ActionEvent{Step: "outage", Over: true, At: second(4), Doses: []rehearse.LinkDose{{Link: "web:db", Dose: rehearse.Dose{Fault: fault, Gone: true, Connections: 7}}}}},
			{Load: &rehearse.LoadResult{Step: "outage", Samples: "samples/outage.jsonl", Count: 32, Elapsed: second(8), Asked: 32, Sent: 32}},
		},
	}, Verdict: rehearse.Verdict{Leg: "production", Outcome: rehearse.Pass, Findings: []rehearse.Finding{
		{Outcome: rehearse.Pass, Check: "outage: recovers within 2s: http_req_duration p(99)<500ms", Step: "outage", Got: "after 1s", Value: &after},
	}}}}}
}

func TestExperiment(t *testing.T) {
	r := broken()
	want := []string{
		"<db>: partition, from 2.0 s to 4.0 s: touched 7 connections.",
		"Noticed after 500ms. Recovered 1s after the method. 8 of 24 requests lost: 8 status 503.",
	}
	if d := cmp.Diff(want, legsOf(r)[0].experiments()[0].lines()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	var text, page, comment, machine bytes.Buffer
	for _, err := range []error{Terminal(&text, r, TerminalOptions{}), HTML(&page, r), Markdown(&comment, r), JSON(&machine, r)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(text.String(), "experiment outage in production\n"+strings.Join(want, "\n")) {
		t.Errorf("the terminal says\n%s", text.String())
	}
	if !strings.Contains(comment.String(), "- &lt;db&gt;: partition, from 2.0 s to 4.0 s: touched 7 connections.") {
		t.Errorf("the comment says\n%s", comment.String())
	}
	if !strings.Contains(text.String(), "broken in production: 1 of 6\nlink         outage     slow  error\ningress:web  –          –     –\nweb:db       partition  –     –\n") {
		t.Errorf("the terminal says of what was broken\n%s", text.String())
	}
	if !strings.Contains(comment.String(), "<details><summary>Broken in production: 1 of 6</summary>\n\n| link | outage | slow | error |\n|---|---|---|---|\n| ingress:web | – | – | – |\n| web:db | partition | – | – |\n") {
		t.Errorf("the comment says of what was broken\n%s", comment.String())
	}
	if !strings.Contains(page.String(), `<th scope="row">web:db</th><td>partition</td><td>–</td><td>–</td>`) {
		t.Error("the page does not say what was broken")
	}
	if n := strings.Count(page.String(), `<rect class="shade"`); n < 2 || !strings.Contains(page.String(), "&lt;db&gt;: partition") {
		t.Errorf("%d charts show when it was broken", n)
	}
	var doc any
	if err := json.Unmarshal(machine.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	s := readSchema(t)
	s.check(t, "experiment", s.root, doc)
}

// TestTried: what was to be done to a service befalls the links that lead to it, and
// what did not begin was not tried.
func TestTried(t *testing.T) {
	r := broken()
	plan := &r.Legs[0].Evidence.Records[0].Begin.Plan
	method := &plan.Steps[0].Experiment.Method
	for i, kind := range []rehearse.DisruptionKind{rehearse.DisruptCPU, rehearse.DisruptDisk} {
		plan.Links[i].Upstream = "web"
		*method = append(*method, rehearse.Action{Disruption: &rehearse.Disruption{Kind: kind}, Services: []rehearse.ServiceName{"web"}})
		ev := &rehearse.ActionEvent{Step: "outage", Action: i + 1}
		if kind == rehearse.DisruptDisk {
			ev.Error = "it has none"
		}
		r.Legs[0].Evidence.Records = append(r.Legs[0].Evidence.Records, rehearse.Record{Action: ev})
	}
	want := []tried{
		{"ingress:web", []string{}, []string{"cpu"}, []string{}},
		{"web:db", []string{"partition"}, []string{"cpu"}, []string{}},
	}
	if diff := cmp.Diff(want, legsOf(r)[0].tried()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Every fault has a column.
func TestEffects(t *testing.T) {
	for _, k := range rehearse.FaultKinds() {
		if _, ok := effects[string(k)]; !ok {
			t.Errorf("nobody says what %s is to who calls", k)
		}
	}
	for _, k := range rehearse.DisruptionKinds() {
		if _, ok := effects[string(k)]; !ok {
			t.Errorf("nobody says what %s is to who calls", k)
		}
	}
}

// Where nothing was broken, nothing is told of it.
func TestCalmExperiment(t *testing.T) {
	r := broken()
	r.Legs[0].Evidence.Records[0].Begin.Plan.Steps[0].Experiment.Calm = true
	l := legsOf(r)[0]
	if got := l.experiments()[0]; !got.Calm || got.Lost > 0 || got.Detected != nil || !slices.Equal(got.lines(), []string{"Nothing was broken in this leg."}) {
		t.Errorf("got %+v", got)
	}
}
