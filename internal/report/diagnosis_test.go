package report

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// Whatever the figures, what a reader sees must add up, in every row and column.
func TestChangeTableAddsUp(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var op rehearse.OperationChange
		scale := rehearse.Duration(1) << rnd.IntN(40)
		for range rnd.IntN(15) {
			c := rehearse.Contribution{Path: "a → b", Kind: rehearse.SegmentServer, Passing: rehearse.Duration(rnd.Int64N(int64(scale) + 1)), Failing: rehearse.Duration(rnd.Int64N(int64(scale) + 1))}
			c.Change = c.Failing - c.Passing
			op.Change += c.Change
			op.Parts = append(op.Parts, c)
		}
		for i := range op.Parts {
			if op.Change != 0 {
				op.Parts[i].Share = float64(op.Parts[i].Change) / float64(op.Change)
			}
		}
		table := newChangeTable(&rehearse.Diagnosis{}, op, 4)
		var passing, failing, change, share int64
		for _, r := range table.Rows {
			passing += digits(r.Passing)
			failing += digits(r.Failing)
			change += digits(r.Change)
			share += digits(r.Share)
			if digits(r.Failing)-digits(r.Passing) != digits(r.Change) {
				t.Errorf("the row %+v does not add up", r)
			}
		}
		got := fmt.Sprint(passing, failing, change, share)
		if want := fmt.Sprint(digits(table.Sum.Passing), digits(table.Sum.Failing), digits(table.Sum.Change), digits(table.Sum.Share)); got != want {
			t.Errorf("the columns add up to %s, but the sum is %s", got, want)
		}
		if op.Change != 0 && digits(table.Sum.Share) != 100 {
			t.Errorf("the shares add up to %s", table.Sum.Share)
		}
		if len(op.Parts) != 5 && len(table.Rows) > 5 {
			t.Errorf("got %d rows of %d parts, want at most 4 and the others", len(table.Rows), len(op.Parts))
		}
	}
}

func TestFailing(t *testing.T) {
	leg := func(name string, o rehearse.Outcome) rehearse.LegReport {
		return rehearse.LegReport{Name: name, Verdict: rehearse.Verdict{Outcome: o}}
	}
	pass, fail := leg("staging", rehearse.Pass), leg("production", rehearse.Fail)
	named := &rehearse.Diagnosis{Failing: "production"}
	slow := &rehearse.Diagnosis{Failing: "slow requests"}
	for name, tt := range map[string]struct {
		r    rehearse.Report
		want int
	}{
		"no diagnosis":     {rehearse.Report{Legs: []rehearse.LegReport{fail}}, -1},
		"no leg":           {rehearse.Report{Diagnosis: named}, -1},
		"by name":          {rehearse.Report{Diagnosis: named, Legs: []rehearse.LegReport{pass, fail}}, 1},
		"by outcome":       {rehearse.Report{Diagnosis: slow, Legs: []rehearse.LegReport{pass, fail}}, 1},
		"for want of more": {rehearse.Report{Diagnosis: slow, Legs: []rehearse.LegReport{pass, pass}}, 0},
	} {
		if got := failing(tt.r); got != tt.want {
			t.Errorf("%s: got leg %d, want %d", name, got, tt.want)
		}
	}
}

// A page has room for a few traces: every finding and fact gets its first before
// any gets its second.
func TestExamplesAreFair(t *testing.T) {
	var r rehearse.Report
	tel := &rehearse.Telemetry{}
	for n := range byte(200) {
		tel.Traces = append(tel.Traces, rehearse.Trace{ID: traceID(n)})
	}
	leg := rehearse.LegReport{Name: "production", Evidence: &rehearse.Evidence{Telemetry: tel}}
	for n := range byte(8) {
		f := rehearse.Finding{Outcome: rehearse.Fail, Check: fmt.Sprint(n)}
		for k := range byte(10) {
			f.Traces = append(f.Traces, traceID(10*n+k))
		}
		f.Traces = append(f.Traces, traceID(250)) // which the evidence does not have
		leg.Verdict.Findings = append(leg.Verdict.Findings, f, rehearse.Finding{Outcome: rehearse.Pass, Traces: []rehearse.TraceID{traceID(190)}})
	}
	r.Legs = []rehearse.LegReport{leg}
	x := examplesOf(r, legsOf(r))
	var got []byte
	for _, e := range x.shown {
		got = append(got, e.id[15])
	}
	if want := []byte{0, 10, 20, 30, 40, 50, 60, 70, 1, 11, 21, 31}; string(got) != string(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	links := x.links(0, []rehearse.TraceID{traceID(0), traceID(9), traceID(250)})
	if links[0].URL == "" || links[1].URL != "" || links[2].URL != "" {
		t.Errorf("got %+v, want a link to the first alone", links)
	}
}
