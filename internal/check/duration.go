package check

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/rehearse-dev/rehearse"
)

// timed is one thing that took a time in seconds.
type timed struct {
	trace   rehearse.TraceID
	seconds float64
}

// maxDuration asks how long traces take, or the calls on a link, or those to a
// service.
func (q *inquiry) maxDuration() rehearse.Finding {
	c := q.check
	calls := c.Link != "" || c.Service != ""
	noun, matters := "trace", lostPass|lostFail
	if calls {
		noun, matters = "call", matters|unread
		if c.Operation != "" {
			matters |= unattributed
		}
	}
	// What the operations count is exact when spans are lost, but it does not say
	// to which trace a call belongs.
	if q.t.Result.Lost > 0 && (!calls || c.Operation == "") {
		return q.hold(q.durationOfOperations(noun), matters&^(lostPass|lostFail))
	}
	times := q.times(calls)
	if f, enough := q.enough(len(times), q.percentileSamples(), noun); !enough {
		return q.hold(f, matters)
	}
	slices.SortFunc(times, func(a, b timed) int {
		return cmp.Or(cmp.Compare(b.seconds, a.seconds), byID(a.trace, b.trace))
	})
	seconds := make([]float64, len(times))
	for i, t := range times {
		seconds[len(times)-1-i] = t.seconds
	}
	got := percentile(seconds, c.Percent)
	over := 0
	for over < len(times) && times[over].seconds > c.Limit {
		over++
	}
	f := rehearse.Finding{Outcome: rehearse.Pass, Got: q.aggregate() + " " + short(got), Value: pointer(got)}
	f.Detail = fmt.Sprintf("%d of %s took longer than %s; the slowest took %s.", over, counted(len(times), noun), short(c.Limit), short(times[0].seconds))
	if got > c.Limit {
		f.Outcome = rehearse.Fail
		for _, t := range times[:over] {
			f.Traces = append(f.Traces, t.trace)
		}
		f.Traces = examples(f.Traces)
	}
	return q.hold(f, matters)
}

// times are the durations that the check is about.
func (q *inquiry) times(calls bool) []timed {
	var out []timed
	if !calls {
		for _, t := range q.traces() {
			out = append(out, timed{t.ID, t.Duration.Seconds()})
		}
		return out
	}
	for i := range q.t.Traces {
		t := &q.t.Traces[i]
		if !matches(q.check.Operation, t.Operation) {
			continue
		}
		for j := range t.Nodes {
			if n := &t.Nodes[j]; q.asks(n) {
				out = append(out, timed{t.ID, felt(n)})
			}
		}
	}
	if q.check.Operation == "" {
		for i := range q.t.Loose {
			if n := &q.t.Loose[i]; q.asks(n) {
				out = append(out, timed{n.Trace, felt(n)})
			}
		}
	}
	return out
}

// asks reports whether a node is a call that the check is about.
func (q *inquiry) asks(n *rehearse.Node) bool {
	id, ok := onLink(n)
	_, upstream := ends(id)
	return ok && q.about(id) && (q.check.Service == "" || q.check.Service == upstream)
}

// felt is how long a call took its client, in seconds, as the link has measured.
func felt(n *rehearse.Node) float64 {
	return (n.Wire.Queue + n.Wire.Shape + n.Wire.Server + n.Wire.Transfer).Seconds()
}

// durationOfOperations answers from what is exact whatever was lost. Of a whole
// made of several operations, a percentile is at most the highest of theirs, and
// at least the lowest.
func (q *inquiry) durationOfOperations(noun string) rehearse.Finding {
	c := q.check
	low, high, n := math.Inf(1), 0.0, 0
	for _, op := range q.t.Result.Operations {
		client, upstream := ends(op.Link)
		switch {
		case op.Link == "" || op.Duration.Count == 0:
			continue
		case c.Link != "" || c.Service != "":
			if !q.about(op.Link) || c.Service != "" && c.Service != upstream {
				continue
			}
		case !rehearse.IsIngress(client) || !matches(c.Operation, string(upstream)+" "+op.Name):
			continue
		}
		n += int(op.Duration.Count)
		least, most := bounds(op.Duration, c.Percent)
		low, high = min(low, least), max(high, most)
	}
	if f, enough := q.enough(n, q.percentileSamples(), noun); !enough {
		return f
	}
	f := rehearse.Finding{
		Outcome: rehearse.Unverified, Got: q.aggregate() + " " + short(low), Value: pointer(high),
		Detail: fmt.Sprintf("Spans were lost, but the times of all %s are counted.", counted(n, noun)),
	}
	if low < high {
		f.Got += " to " + short(high)
	}
	switch {
	case high <= c.Limit:
		f.Outcome = rehearse.Pass
	case low > c.Limit:
		f.Outcome, f.Value = rehearse.Fail, pointer(low)
	default:
		f.Detail += fmt.Sprintf(" They do not say on which side of %s it is.", short(c.Limit))
	}
	return f
}

// bounds are between which of the quantiles that are kept a percentile is.
func bounds(d rehearse.Quantiles, percent float64) (least, most float64) {
	known := []struct {
		percent float64
		value   rehearse.Duration
	}{{0, d.Min}, {50, d.P50}, {90, d.P90}, {99, d.P99}, {100, d.Max}}
	most = d.Max.Seconds()
	for _, k := range known {
		if k.percent <= percent {
			least = k.value.Seconds()
		}
	}
	for _, k := range slices.Backward(known) {
		if k.percent >= percent {
			most = k.value.Seconds()
		}
	}
	return least, most
}

// percentileSamples is how many samples it takes for the percentile to be more
// than another word for the greatest.
func (q *inquiry) percentileSamples() int {
	if q.check.MinSamples > 0 {
		return q.check.MinSamples
	}
	return samplesOf(q.check.Percent)
}

func samplesOf(percent float64) int {
	if percent <= 0 || percent >= 100 {
		return 1
	}
	return int(math.Ceil(100/(100-percent) - 1e-9))
}

func (q *inquiry) aggregate() string {
	if q.check.Percent >= 100 {
		return "max"
	}
	return "p" + number(q.check.Percent)
}

// percentile is the smallest value that at least that many percent are not above
// (the nearest rank); there is at least one, and they are sorted.
func percentile(sorted []float64, percent float64) float64 {
	rank := int(math.Ceil(percent/100*float64(len(sorted)) - 1e-9))
	return sorted[min(max(rank, 1), len(sorted))-1]
}
