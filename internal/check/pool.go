package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// poolExhausted asks whether requests waited because every connection that a
// service keeps to another was busy.
func (q *inquiry) poolExhausted() rehearse.Finding {
	var pools []rehearse.Pool
	for _, p := range q.t.Pools {
		if q.about(p.Link) {
			pools = append(pools, p)
		}
	}
	if f, enough := q.enough(len(pools), 1, "pool of connections"); !enough {
		return q.hold(f, 0)
	}
	f := rehearse.Finding{Outcome: rehearse.Pass}
	var waited int
	var unclear []string
	slices.SortStableFunc(pools, func(a, b rehearse.Pool) int { return cmp.Compare(b.Waited, a.Waited) })
	for _, p := range pools {
		if p.Unclear {
			unclear = append(unclear, string(p.Link))
		}
		if p.Size == 0 || p.Waited == 0 {
			continue
		}
		f.Outcome = rehearse.Fail
		waited += p.Waited
		f.Detail = strings.TrimSpace(f.Detail + " " + exhausted(p))
		f.Traces = append(f.Traces, p.Examples...)
	}
	f.Traces = examples(f.Traces)
	f.Got, f.Value = counted(waited, "request")+" waited", pointer(float64(waited))
	if f.Outcome == rehearse.Pass && len(unclear) > 0 {
		f.Outcome, f.Got, f.Value = rehearse.Unverified, "not clear", nil
		f.Detail = fmt.Sprintf("Requests waited before they called over %s, and it cannot be told whether it was for a connection.", strings.Join(unclear, ", "))
	} else if f.Outcome == rehearse.Pass {
		f.Detail = fmt.Sprintf("No request waited for a connection; the most that were busy at once were %d on %s.", peak(pools).Peak, peak(pools).Link)
	} else {
		f.Hint = "Hold a connection for fewer round trips, or keep more of them."
	}
	return q.hold(f, lostPass|lostFail|unread)
}

func peak(pools []rehearse.Pool) rehearse.Pool {
	return slices.MaxFunc(pools, func(a, b rehearse.Pool) int { return cmp.Compare(a.Peak, b.Peak) })
}

// exhausted says how a pool ran dry.
func exhausted(p rehearse.Pool) string {
	client, upstream := ends(p.Link)
	s := fmt.Sprintf("All %s from %s to %s were busy for %s, and %s waited for one",
		counted(p.Size, "connection"), client, upstream, duration(p.Saturated), counted(p.Waited, "request"))
	if !p.Waits.IsZero() {
		s += fmt.Sprintf(" (p50 %s, p90 %s, p99 %s)", duration(p.Waits.P50), duration(p.Waits.P90), duration(p.Waits.P99))
	}
	s += "."
	if !p.Holds.IsZero() {
		s += fmt.Sprintf(" A request kept one for %s in the median: %s round trips, one after the other, of %s each.", duration(p.Holds.P50), number(p.Trips), duration(p.RTT))
	}
	if p.Lost > 0 {
		s += fmt.Sprintf(" %s ended in the middle of a call or a transaction, with no other to follow.", counted(p.Lost, "connection"))
	}
	return s
}

// idleInTransaction asks for how long a connection did nothing while its
// transaction was open.
func (q *inquiry) idleInTransaction() rehearse.Finding {
	type place struct {
		link       rehearse.LinkID
		connection int64
	}
	connections := map[place][]*rehearse.Node{}
	of := map[*rehearse.Node]rehearse.TraceID{}
	add := func(n *rehearse.Node, id rehearse.TraceID) {
		if link, ok := onLink(n); ok && q.about(link) && n.Text(rehearse.AttrTransaction) != "" {
			at := place{link, n.Wire.Connection}
			connections[at] = append(connections[at], n)
			of[n] = id
		}
	}
	for i := range q.t.Traces {
		t := &q.t.Traces[i]
		for j := range t.Nodes {
			add(&t.Nodes[j], t.ID)
		}
	}
	for i := range q.t.Loose {
		add(&q.t.Loose[i], q.t.Loose[i].Trace)
	}
	var gaps []sample
	statements, left := 0, 0
	for at, calls := range connections {
		statements += len(calls)
		slices.SortFunc(calls, func(a, b *rehearse.Node) int {
			return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Wire.Number, b.Wire.Number))
		})
		for i, n := range calls {
			switch state := n.Text(rehearse.AttrTransaction); {
			case state != "open" && state != "failed":
			case i+1 == len(calls):
				left++
			default:
				idle := after(calls[i+1].Start, n.End())
				gaps = append(gaps, sample{trace: of[n], value: idle, what: fmt.Sprintf("%s on %s after %s", short(idle), at.link, n.Name)})
			}
		}
	}
	if f, enough := q.enough(statements, max(q.check.MinSamples, 1), "statement"); !enough {
		return q.hold(f, 0)
	}
	slices.SortFunc(gaps, func(a, b sample) int { return cmp.Or(worse(b, a), cmp.Compare(a.what, b.what)) })
	bad := slices.IndexFunc(gaps, func(s sample) bool { return s.value <= q.check.Limit })
	if bad < 0 {
		bad = len(gaps)
	}
	f := rehearse.Finding{Outcome: rehearse.Pass, Got: "0s", Value: pointer(0)}
	f.Detail = fmt.Sprintf("Of %s in a transaction, none was longer than %s.", counted(len(gaps), "pause"), short(q.check.Limit))
	if len(gaps) > 0 {
		f.Got, f.Value = short(gaps[0].value), pointer(gaps[0].value)
	}
	if bad > 0 {
		f.Outcome = rehearse.Fail
		f.Detail = fmt.Sprintf("Of %s in a transaction, %d were longer than %s; at worst %s.", counted(len(gaps), "pause"), bad, short(q.check.Limit), gaps[0].what)
		f.Hint = "Do what needs no transaction before it begins or after it has ended."
		for _, s := range gaps[:bad] {
			f.Traces = append(f.Traces, s.trace)
		}
		f.Traces = examples(f.Traces)
	}
	if left > 0 {
		f.Detail += fmt.Sprintf(" %s did nothing more after a statement in a transaction that was still open; for how long is not known.", counted(left, "connection"))
	}
	return q.hold(f, lostPass|lostFail|unread)
}

func duration(d rehearse.Duration) string { return rehearse.Round(time.Duration(d)).String() }
