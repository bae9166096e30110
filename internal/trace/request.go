package trace

import (
	"cmp"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// request is something that a service was asked for, and worked on.
type request struct {
	node     int32 // the link's span of it, or the SDK's where there is none
	hang     int32 // what its calls hang below: the SDK's span if there is one
	lo, hi   int64 // it can have been in the service at no other time
	a, b     int64 // when the service had it, as well as is known
	name     string
	left     bool // its client hung up: the service may have gone on
	template bool // its calls were found by a template
}

// afterLeft is for how long a service may go on with a request whose client hung up.
const afterLeft = int64(10 * time.Second)

// requests are those of each service, by their start.
func (f *forest) requests() map[rehearse.ServiceName][]request {
	out := map[rehearse.ServiceName][]request{}
	for i := range f.nodes {
		n := &f.nodes[i]
		if n.folded || n.loose {
			continue
		}
		switch {
		case n.link:
			r := request{node: int32(i), hang: int32(i), lo: n.start, hi: n.end, name: n.span.Name, left: n.abandoned}
			parts := f.parts(n)
			r.a, r.b = n.start+parts.before(), n.end-parts.after()
			if c := f.served(int32(i)); c >= 0 {
				s := &f.nodes[c]
				r.hang, r.a, r.b = c, s.start, s.end
				r.lo, r.hi = min(r.lo, s.start), max(r.hi, s.end)
				r.left = false // the SDK says when it ended
			}
			out[n.edge.upstream] = append(out[n.edge.upstream], r)
		case n.wire == nil && n.up < 0 && n.span.Kind != rehearse.SpanClient,
			n.wire == nil && n.up >= 0 && n.span.Kind == rehearse.SpanConsumer && !f.nodes[n.up].link:
			out[n.span.Service] = append(out[n.span.Service], request{
				node: int32(i), hang: int32(i), lo: n.start, hi: n.end, a: n.start, b: n.end, name: n.span.Name,
			})
		}
	}
	for service, rs := range out {
		slices.SortStableFunc(rs, func(x, y request) int { return cmp.Compare(x.lo, y.lo) })
		// Where links add no context, a request is told of twice: the link's counts.
		until := int64(-1)
		out[service] = slices.DeleteFunc(rs, func(r request) bool {
			n := &f.nodes[r.node]
			if n.link {
				until = max(until, r.hi)
			}
			return !n.link && n.span.Kind == rehearse.SpanServer && r.hi <= until
		})
	}
	return out
}

// served is the span of the upstream's SDK below a link's span, or -1.
func (f *forest) served(i int32) int32 {
	for _, c := range f.below(i) {
		if n := &f.nodes[c]; !n.link && n.span.Service == f.nodes[i].edge.upstream {
			return c
		}
	}
	return -1
}

// within is the innermost span of the SDK at or below i that has all of the time
// from start to end.
func (f *forest) within(i int32, start, end int64) int32 {
	for {
		found := int32(-1)
		for _, c := range f.below(i) {
			n := &f.nodes[c]
			if n.start > start {
				break
			}
			if n.end < end || n.wire != nil || n.span.Service != f.nodes[i].span.Service {
				continue
			}
			if found >= 0 {
				return i // in parallel: either
			}
			found = c
		}
		if found < 0 {
			return i
		}
		i = found
	}
}

// parts are the pieces of a call, in the order in which they come; what they
// leave between shapeUp and shapeDown of its time on the wire is the upstream's.
type parts struct {
	queue, shapeUp, shapeDown, transfer int64
}

func (p parts) before() int64 { return p.queue + p.shapeUp }
func (p parts) after() int64  { return p.shapeDown + p.transfer }

// parts are those of a call, cut to its time.
func (f *forest) parts(n *node) (p parts) {
	left := n.over - n.begun
	take := func(d rehearse.Duration) int64 {
		v := min(max(int64(d), 0), left)
		left -= v
		return v
	}
	w := n.wire
	p.queue = take(w.Queue)
	shape := take(w.Shape)
	p.shapeUp = int64(float64(shape) * n.edge.up)
	p.shapeDown = shape - p.shapeUp
	p.transfer = take(w.Transfer)
	return p
}
