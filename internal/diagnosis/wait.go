package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// wait explains requests that wait for a connection: the sentence says who holds
// the connections, for how long and why, and how many there are.
func (l *lead) wait() *cause {
	edge := l.group.where
	link := linkOf(edge)
	pool := poolOf(l.failing.Telemetry, link)
	held := l.hold(link, pool)

	sentence := fmt.Sprintf("%s waits for a connection on %s", short(l.o.name), edge)
	var clauses []string
	if held.length > 0 {
		who := "each request"
		if held.operation != "" && held.operation != l.o.name {
			who = short(held.operation)
		}
		clauses = append(clauses, fmt.Sprintf("%s holds one for %s%s", who, text(held.length), l.holdWhy(held)))
	}
	if pool != nil {
		clauses = append(clauses, poolText(pool))
	}
	if len(clauses) > 0 {
		sentence += ": " + strings.Join(clauses, ", and ")
	}
	before, after := l.both(on(edge))
	clause, forced := l.forced(before, after)

	second := l.fact("%s%s", l.holdFact(link, held), forced)
	third := l.fact("%s", l.poolFact(link, pool, held))
	if pool != nil && len(pool.Examples) > 0 {
		third.Traces = pool.Examples[:min(len(pool.Examples), examplesEach)]
	}
	return l.cause(sentence+clause+".", second, third)
}

// hold is how the operation that keeps the link's connections most of the time
// does so. The pool's own figures stand in where no request's calls are known.
func (l *lead) hold(link rehearse.LinkID, pool *rehearse.Pool) hold {
	if all := holds(l.failing.Telemetry, link); len(all) > 0 {
		all[0].rtt = l.rtt(link, all[0].rtt)
		return all[0]
	}
	if pool == nil {
		return hold{}
	}
	trips := int(pool.Trips + 0.5)
	return hold{
		count: int(pool.Holds.Count), length: time.Duration(pool.Holds.P50),
		trips: trips, rtt: l.rtt(link, time.Duration(pool.RTT)), shape: time.Duration(trips) * time.Duration(pool.RTT),
	}
}

// rtt is the round trip that the plan asks of a link where what was measured is
// within a tenth of it, and else what was measured.
func (c *comparison) rtt(link rehearse.LinkID, measured time.Duration) time.Duration {
	if c.failing.Plan == nil {
		return measured
	}
	k, _ := c.failing.Plan.Link(link)
	if asked := k.Shape.RTT(); (measured - asked).Abs() <= asked/10 {
		return asked
	}
	return measured
}

// holdWhy is a clause that says what most of a hold is.
func (l *lead) holdWhy(h hold) string {
	client, upstream := l.ends()
	switch {
	case 2*h.shape >= h.length && h.trips > 0:
		return ", " + tripsText(h.trips, h.rtt)
	case 2*h.server >= h.length:
		return fmt.Sprintf(", %s of it %s's work", text(h.server), upstream)
	case 2*h.other >= h.length:
		return fmt.Sprintf(", %s of it between its calls, in %s", text(h.other), client)
	}
	return ""
}

// tripsText is "5 sequential round trips × 84ms".
func tripsText(n int, rtt time.Duration) string {
	if n == 1 {
		return "1 round trip of " + text(rtt)
	}
	return fmt.Sprintf("%d sequential round trips × %s", n, text(rtt))
}

func poolText(p *rehearse.Pool) string {
	n := p.Size
	if n == 0 {
		return fmt.Sprintf("at most %d were busy at once", p.Peak)
	}
	s := fmt.Sprintf("there are %d", n)
	if n == 1 {
		s = "there is 1"
	}
	if p.Lost > 0 {
		s += fmt.Sprintf(", of which %d %s lost", p.Lost, wasWere(p.Lost))
	}
	return s
}

func wasWere(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

func (l *lead) holdFact(link rehearse.LinkID, h hold) string {
	if h.length == 0 {
		passing, failing := l.of()
		return fmt.Sprintf("A request waits for %s, the mean; %s in %s.", text(failing), text(passing), l.passing.Name)
	}
	who := "A request"
	if h.operation != "" {
		who = short(h.operation)
	}
	s := fmt.Sprintf("%s holds a connection from its first call to its last, for %s", who, text(h.length))
	if h.trips > 0 && h.rtt > 0 {
		s += fmt.Sprintf(": %s = %s on the way", tripsText(h.trips, h.rtt), text(time.Duration(h.trips)*h.rtt))
		if h.server > 0 {
			s += fmt.Sprintf(", and %s at work", text(h.server))
		}
	} else if h.trips > 0 {
		s += fmt.Sprintf(": %s", count(float64(h.trips), "sequential round trip"))
	}
	if !l.within {
		all := holds(l.passing.Telemetry, link)
		at := slices.IndexFunc(all, func(p hold) bool { return p.operation == h.operation })
		switch {
		case at >= 0:
			s += fmt.Sprintf("; in %s %s take %s", l.passing.Name, count(float64(all[at].trips), "round trip"), text(all[at].length))
		case h.operation == "":
			if p := poolOf(l.passing.Telemetry, link); p != nil && p.Holds.Count > 0 {
				s += fmt.Sprintf("; in %s for %s", l.passing.Name, text(p.Holds.P50))
			}
		}
	}
	return s + "."
}

func (l *lead) poolFact(link rehearse.LinkID, p *rehearse.Pool, h hold) string {
	arrivals, length := l.arrivals(link)
	if p == nil {
		return fmt.Sprintf("Up to %s requests/s arrive that need a connection.", rate(arrivals))
	}
	s := fmt.Sprintf("At most %s busy at once", count(float64(p.Peak), "connection")+" "+wasWere(p.Peak))
	if p.Saturated > 0 && length > 0 {
		s += fmt.Sprintf(", and for %s of the load's time none was free", percent(min(1, float64(p.Saturated)/float64(length))))
	}
	s += "."
	mean := time.Duration(p.Holds.Mean)
	if mean == 0 {
		mean = h.length
	}
	if mean > 0 && p.Size > 0 {
		if most := float64(p.Size) / mean.Seconds(); arrivals >= most {
			s += fmt.Sprintf(" %d / %s (the mean hold) = %s requests/s is all that they can serve, and up to %s/s arrive.", p.Size, text(mean), rate(most), rate(arrivals))
		}
	}
	if p.Waited > 0 {
		s += fmt.Sprintf(" %s waited", count(float64(p.Waited), "request"))
		if p.Waits.Count > 0 {
			s += fmt.Sprintf(", half of them for %s and more", text(p.Waits.P50))
		}
		s += "."
	}
	if p.Lost > 0 {
		s += fmt.Sprintf(" %d of %d ended in the middle of a call or a transaction and %s never replaced.", p.Lost, max(p.Size, p.Lost), wasWere(p.Lost))
	}
	return s
}

// arrivals is the peak rate, over five seconds, of requests whose operation uses
// a link, in 1/s, and from the first request's start to the last one's end.
func (l *lead) arrivals(link rehearse.LinkID) (perSecond float64, length time.Duration) {
	const window = 5 * time.Second
	var starts []time.Time
	var first, last time.Time
	for _, traces := range entries(l.failing.Telemetry) {
		uses := slices.ContainsFunc(traces, func(t *rehearse.Trace) bool { return usesLink(t, link) })
		for _, t := range traces {
			if first.IsZero() || t.Start.Before(first) {
				first = t.Start
			}
			if end := t.Start.Add(time.Duration(t.Duration)); end.After(last) {
				last = end
			}
			if uses {
				starts = append(starts, t.Start)
			}
		}
	}
	slices.SortFunc(starts, time.Time.Compare)
	most, from := 0, 0
	for i := range starts {
		for starts[i].Sub(starts[from]) >= window {
			from++
		}
		most = max(most, i-from+1)
	}
	length = last.Sub(first)
	over := min(window, max(length, time.Second))
	return float64(most) / over.Seconds(), length
}

func usesLink(t *rehearse.Trace, link rehearse.LinkID) bool {
	return slices.ContainsFunc(t.Nodes, func(n rehearse.Node) bool { return n.Wire != nil && n.Wire.Link == link }) ||
		slices.ContainsFunc(t.Critical, func(s rehearse.Segment) bool {
			return s.Kind == rehearse.SegmentWait && linkOf(edgeOf(s.Path)) == link
		})
}

// rate prints requests a second.
func rate(v float64) string { return fmt.Sprintf("%.3g", v) }
