package explain

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

func TestJudgeProbe(t *testing.T) {
	finding := func(check string, o rehearse.Outcome) rehearse.Finding {
		return rehearse.Finding{Check: "peak: " + check, Step: "peak", Outcome: o, Got: "3%"}
	}
	samples := func(kinds ...string) *rehearse.Evidence {
		ev := &rehearse.Evidence{Samples: map[string][]rehearse.Sample{}}
		for _, k := range kinds {
			s := rehearse.Sample{Error: k}
			switch k {
			case "503":
				s = rehearse.Sample{Error: "status", Status: 503, Missed: 1}
			case "422":
				s = rehearse.Sample{Error: "status", Status: 422, Missed: 1}
			}
			ev.Samples["peak"] = append(ev.Samples["peak"], s)
		}
		return ev
	}
	failed := []rehearse.Finding{finding("failures", rehearse.Fail), finding("slow", rehearse.Fail)}
	was := KindsOf(samples("503", "503", "timeout", ""))
	if d := cmp.Diff(Kinds{"peak": {"status 503": 2, "timeout": 1}}, was); d != "" {
		t.Fatalf("the ways in which it failed (-want +got)\n%s", d)
	}
	for name, c := range map[string]struct {
		findings []rehearse.Finding
		kinds    []string
		want     rehearse.Outcome
		note     string
	}{
		"all pass":            {[]rehearse.Finding{finding("failures", rehearse.Pass), finding("slow", rehearse.Pass)}, nil, rehearse.Pass, ""},
		"one fails":           {[]rehearse.Finding{finding("failures", rehearse.Pass), finding("slow", rehearse.Fail)}, nil, rehearse.Fail, ""},
		"in the same way":     {[]rehearse.Finding{finding("failures", rehearse.Fail), finding("slow", rehearse.Pass)}, []string{"503", "422", "timeout"}, rehearse.Fail, ""},
		"in another way":      {[]rehearse.Finding{finding("failures", rehearse.Fail), finding("slow", rehearse.Pass)}, []string{"422", "422", "503"}, rehearse.Unverified, "in another way: 2 status 422"},
		"not judged":          {[]rehearse.Finding{finding("failures", rehearse.Unverified), finding("slow", rehearse.Pass)}, nil, rehearse.Unverified, "failures: 3%"},
		"fails and not":       {[]rehearse.Finding{finding("failures", rehearse.Unverified), finding("slow", rehearse.Fail)}, nil, rehearse.Fail, ""},
		"not asked":           {[]rehearse.Finding{finding("slow", rehearse.Pass)}, nil, rehearse.Unverified, "failures was not asked"},
		"of others":           {[]rehearse.Finding{finding("failures", rehearse.Pass), finding("slow", rehearse.Pass), finding("new", rehearse.Fail)}, nil, rehearse.Pass, ""},
		"without any samples": {[]rehearse.Finding{finding("failures", rehearse.Fail), finding("slow", rehearse.Fail)}, nil, rehearse.Fail, ""},
	} {
		got, findings, note := JudgeProbe(failed, was, rehearse.Verdict{Findings: c.findings}, samples(c.kinds...))
		if got != c.want || !strings.Contains(note, c.note) || (c.note == "") != (note == "") {
			t.Errorf("%s: %s, %q; want %s, %q", name, got, note, c.want, c.note)
		}
		if len(findings) != len(failed) {
			t.Errorf("%s: %d findings of %d checks", name, len(findings), len(failed))
		}
	}
}

func TestShorten(t *testing.T) {
	load := func(name string) rehearse.Step {
		return rehearse.Step{Load: &rehearse.LoadStep{Name: name, Traffic: rehearse.Traffic{
			Duration: rehearse.Duration(20 * time.Second), Rate: []rehearse.RatePoint{{PerSecond: 5}, {At: rehearse.Duration(10 * time.Second), PerSecond: 30}},
		}}}
	}
	p := &rehearse.Plan{
		Steps:  []rehearse.Step{{Suite: &rehearse.SuiteStep{Name: "e2e"}}, load("peak"), load("night")},
		Checks: []rehearse.Check{{Name: "n_plus_one docgen:db"}, {Name: "log_errors"}},
	}
	names := func(p *rehearse.Plan) (out []string) {
		for _, s := range p.Steps {
			out = append(out, s.Name())
		}
		for _, c := range p.Checks {
			out = append(out, c.Name)
		}
		return out
	}
	got := Shorten(p, []rehearse.Finding{{Check: "peak: slow", Step: "peak"}}, 0.25)
	if want := []string{"peak"}; !slices.Equal(names(got), want) {
		t.Errorf("where a load failed, a probe has %v", names(got))
	}
	tr := got.Steps[0].Load.Traffic
	if tr.Duration.Seconds() != 5 || tr.Rate[1].At.Seconds() != 2.5 || tr.Peak() != 30 {
		t.Errorf("a quarter of it is %+v", tr)
	}
	if p.Steps[1].Load.Traffic.Rate[1].At.Seconds() != 10 {
		t.Error("the plan itself has changed")
	}
	got = Shorten(p, []rehearse.Finding{{Check: "check: log_errors"}}, 1)
	if want := []string{"e2e", "peak", "night", "log_errors"}; !slices.Equal(names(got), want) {
		t.Errorf("where a check of telemetry failed, a probe has %v", names(got))
	}
	shares, long := Shares(p)
	if !slices.Equal(shares, []float64{0.5, 1}) || long != 1 {
		t.Errorf("loads of 20 s are shortened to %v, and %v for thresholds", shares, long)
	}
	p.Steps = p.Steps[:2]
	p.Steps[1].Load.Traffic.Duration = rehearse.Duration(10 * time.Minute)
	if shares, long := Shares(p); shares[0] != 1./16 || long != 0.1 {
		t.Errorf("loads of 10 min are shortened to %v, and %v for thresholds", shares, long)
	}
	if shares, long := Shares(&rehearse.Plan{}); !slices.Equal(shares, []float64{1}) || long != 1 {
		t.Errorf("without a load: %v, %v", shares, long)
	}
}
