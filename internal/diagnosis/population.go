package diagnosis

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// entries are the traces that came from outside, by operation, each in the order
// of their starts.
func entries(t *rehearse.Telemetry) map[string][]*rehearse.Trace {
	out := map[string][]*rehearse.Trace{}
	if t == nil {
		return out
	}
	for i := range t.Traces {
		trace := &t.Traces[i]
		if len(trace.Nodes) == 0 || trace.Operation == "" {
			continue
		}
		if w := trace.Nodes[0].Wire; w != nil && rehearse.IsIngress(clientOf(w.Link)) {
			out[trace.Operation] = append(out[trace.Operation], trace)
		}
	}
	for _, traces := range out {
		slices.SortFunc(traces, byStart)
	}
	return out
}

func byStart(a, b *rehearse.Trace) int {
	return cmp.Or(a.Start.Compare(b.Start), bytes.Compare(a.ID[:], b.ID[:]))
}

// slowest sorts the slowest first.
func slowest(a, b *rehearse.Trace) int {
	return cmp.Or(cmp.Compare(b.Duration, a.Duration), bytes.Compare(a.ID[:], b.ID[:]))
}

func durations(traces []*rehearse.Trace) []time.Duration {
	out := make([]time.Duration, len(traces))
	for i, t := range traces {
		out[i] = time.Duration(t.Duration)
	}
	slices.Sort(out)
	return out
}

// rank is the nearest-rank percentile of sorted values; 0 of none.
func rank(sorted []time.Duration, percent float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	i := int(math.Ceil(percent/100*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

func median(values []time.Duration) time.Duration {
	slices.Sort(values)
	return rank(values, 50)
}

func failed(traces []*rehearse.Trace) []*rehearse.Trace {
	var out []*rehearse.Trace
	for _, t := range traces {
		if t.Failed {
			out = append(out, t)
		}
	}
	return out
}

// limits are a plan's thresholds on the durations of all requests. Those on one
// request's name are no limits: a trace does not know the profile's names.
type limits []rehearse.Threshold

func limitsOf(p *rehearse.Plan) limits {
	var out limits
	if p == nil {
		return out
	}
	for _, s := range p.Steps {
		for _, t := range thresholdsOf(s) {
			if t.Metric == "http_req_duration" && t.Tag == "" && strings.HasPrefix(t.Op, "<") {
				out = append(out, t)
			}
		}
	}
	return out
}

// hurts reports whether a threshold does not hold for the traces, or there is
// none that could. A trace starts a little later than the request was meant to,
// so what is within a tenth of the bound counts as beyond it.
func (l limits) hurts(traces []*rehearse.Trace) bool {
	sorted := durations(traces)
	for _, t := range l {
		var v time.Duration
		switch t.Aggregate {
		case "p":
			v = rank(sorted, t.Percent)
		case "med":
			v = rank(sorted, 50)
		case "min":
			v = rank(sorted, 0)
		case "max":
			v = rank(sorted, 100)
		case "avg":
			v = figures(traces).mean()
		}
		if !t.Holds(1.1 * v.Seconds()) {
			return true
		}
	}
	return len(l) == 0
}

// bound is the lowest bound of all, and ok false when there is none.
func (l limits) bound() (d time.Duration, ok bool) {
	for _, t := range l {
		if b := time.Duration(t.Bound * float64(time.Second)); !ok || b < d {
			d, ok = b, true
		}
	}
	return d, ok
}

// bad are the traces that failed, are slower than a bound, or not quicker than
// 95 % of all.
func (l limits) bad(traces []*rehearse.Trace) []*rehearse.Trace {
	slow := rank(durations(traces), 95)
	if b, ok := l.bound(); ok {
		slow = min(slow, b+1)
	}
	var out []*rehearse.Trace
	for _, t := range traces {
		if t.Failed || time.Duration(t.Duration) >= slow {
			out = append(out, t)
		}
	}
	return out
}

// split parts the traces of one leg into the quick, which succeeded and are in
// the faster half, and the bad.
func (l limits) split(traces []*rehearse.Trace) (quick, slow []*rehearse.Trace) {
	var good []*rehearse.Trace
	for _, t := range traces {
		if !t.Failed {
			good = append(good, t)
		}
	}
	middle := rank(durations(good), 50)
	for _, t := range good {
		if time.Duration(t.Duration) <= middle {
			quick = append(quick, t)
		}
	}
	for _, t := range l.bad(traces) {
		if t.Failed || time.Duration(t.Duration) > middle {
			slow = append(slow, t)
		}
	}
	return quick, slow
}

// summary is OperationFigures with the sum that the mean comes from.
type summary struct {
	rehearse.OperationFigures
	total time.Duration
}

func (s summary) mean() time.Duration { return time.Duration(s.Mean) }

func figures(traces []*rehearse.Trace) summary {
	var s summary
	s.Count = len(traces)
	s.Failed = len(failed(traces))
	sorted := durations(traces)
	for _, d := range sorted {
		s.total += d
	}
	if s.Count > 0 {
		s.Mean = rehearse.Duration(s.total / time.Duration(s.Count))
	}
	s.P50 = rehearse.Duration(rank(sorted, 50))
	s.P99 = rehearse.Duration(rank(sorted, 99))
	return s
}

// moreFail reports whether the share that fails grew by more than chance: a
// difference that equal shares have once in two hundred cases.
func moreFail(passing, failing rehearse.OperationFigures) bool {
	return moreOften(passing.Failed, passing.Count, failing.Failed, failing.Count)
}

func moreOften(k0, n0, k1, n1 int) bool {
	if n0 == 0 || n1 == 0 {
		return false
	}
	all := float64(k0+k1) / float64(n0+n1)
	deviation := math.Sqrt(all * (1 - all) * (1/float64(n0) + 1/float64(n1)))
	difference := float64(k1)/float64(n1) - float64(k0)/float64(n0)
	return difference > 0 && difference > 2.6*deviation
}
