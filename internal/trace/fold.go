package trace

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// foldWidth is how many of a service's own client spans are tried for one call.
const foldWidth = 32

// fold makes one node of a call that both a link and its client's SDK have told
// of without a context that joins them: the SDK's, which knows the parent, with
// what the link measured. Of several that fit, those that begin and end closest
// belong together.
func (f *forest) fold() {
	sdk, wire := map[rehearse.ServiceName][]int32{}, map[rehearse.ServiceName][]int32{}
	for i := range f.nodes {
		n := &f.nodes[i]
		switch {
		case n.link && !n.loose && n.span.Parent.IsZero() && !n.edge.ingress:
			wire[n.edge.client] = append(wire[n.edge.client], int32(i))
		case !n.link && n.span.Kind == rehearse.SpanClient && !slices.ContainsFunc(f.below(int32(i)), func(c int32) bool { return f.nodes[c].link }):
			sdk[n.span.Service] = append(sdk[n.span.Service], int32(i))
		}
	}
	var pairs []pair
	for service, calls := range wire {
		spans := sdk[service]
		// SDKs' clocks may have been shifted.
		slices.SortStableFunc(spans, func(x, y int32) int { return cmp.Compare(f.nodes[x].start, f.nodes[y].start) })
		var open []int32
		for _, c := range calls {
			call := &f.nodes[c]
			// On a nominal path a call seems to be elsewhere by its jitter.
			early, late := tolerance, tolerance
			if call.nominal {
				early, late = early+call.edge.early, late+call.edge.late
			}
			for len(spans) > 0 && f.nodes[spans[0]].start <= call.start+early {
				open = append(open, spans[0])
				spans = spans[1:]
			}
			open = slices.DeleteFunc(open, func(s int32) bool { return f.nodes[s].end < call.start-early })
			fitting := pairs[len(pairs):]
			for _, s := range open {
				span := &f.nodes[s]
				if span.start <= call.start+early && span.end >= call.end-late && same(span.span, call.span) {
					fitting = append(fitting, pair{c, s, distance(span.start, call.start)/2 + distance(span.end, call.end)})
				}
			}
			slices.SortStableFunc(fitting, func(x, y pair) int { return cmp.Compare(x.off, y.off) })
			pairs = append(pairs, fitting[:min(len(fitting), foldWidth)]...)
		}
	}
	f.together(pairs)
	slices.SortFunc(pairs, func(x, y pair) int {
		return cmp.Or(cmp.Compare(x.off, y.off), cmp.Compare(x.call, y.call), cmp.Compare(x.span, y.span))
	})
	for _, p := range pairs {
		call, span := &f.nodes[p.call], &f.nodes[p.span]
		if call.folded || span.wire != nil || f.above(p.call, p.span) {
			continue
		}
		call.folded = true
		span.wire, span.edge, span.begun, span.over, span.abandoned, span.nominal = call.wire, call.edge, call.begun, call.over, call.abandoned, call.nominal
		span.span.Attributes = slices.Clone(span.span.Attributes)
		for _, a := range call.span.Attributes {
			if span.span.Attribute(a.Key) == nil {
				span.span.Attributes = append(span.span.Attributes, a)
			}
		}
		if name := call.span.Name; call.span.Text("db.query.summary") != "" && span.span.Name != name {
			// A statement's summary is what OpenTelemetry wants it to be called, and
			// what it is called without an SDK.
			span.span.Attributes = append(span.span.Attributes, rehearse.Attribute{Key: rehearse.AttrSDKName, Value: span.span.Name})
			span.span.Name = name
		}
		// What the call caused at the upstream hangs below the one node.
		for _, k := range f.below(p.call) {
			f.nodes[k].up = p.span
		}
	}
	f.children()
}

// pair is a link's call and an SDK's span that may be the same, and by how much
// their times differ.
type pair struct {
	call, span int32
	off        int64
}

// together puts pairs back that would give one request's calls to several
// connections, where jitter leaves that open: the one on which most of them fit
// best comes first.
func (f *forest) together(pairs []pair) {
	type way struct {
		parent     int32
		edge       *edge
		connection int64
	}
	type request struct {
		parent int32
		edge   *edge
	}
	room := func(e *edge) int64 { return e.early + e.late + 2*tolerance }
	fits := map[way]int64{}
	best := map[request]way{}
	each := func(visit func(p *pair, w way)) {
		for i := range pairs {
			call, span := &f.nodes[pairs[i].call], &f.nodes[pairs[i].span]
			if call.nominal && span.up >= 0 {
				visit(&pairs[i], way{span.up, call.edge, call.wire.Connection})
			}
		}
	}
	each(func(p *pair, w way) { fits[w] += max(0, room(w.edge)-p.off) })
	each(func(_ *pair, w way) {
		r := request{w.parent, w.edge}
		if b, ok := best[r]; !ok || fits[w] > fits[b] || fits[w] == fits[b] && w.connection < b.connection {
			best[r] = w
		}
	})
	each(func(p *pair, w way) {
		if best[request{w.parent, w.edge}] != w {
			p.off += room(w.edge)
		}
	})
}

// above reports whether a node is an ancestor of another.
func (f *forest) above(ancestor, i int32) bool {
	for i = f.nodes[i].up; i >= 0; i = f.nodes[i].up {
		if i == ancestor {
			return true
		}
	}
	return false
}

// same reports whether an SDK's client span may be a link's call, by what both
// say of it.
func same(span, call *rehearse.Span) bool {
	s, c := system(span), system(call)
	if s == "" {
		return span.Name == call.Name
	}
	if c != "" && s != c {
		return false
	}
	for _, about := range []func(*rehearse.Span) string{operation, collection} {
		x, y := about(span), about(call)
		if x != "" && y != "" && !strings.EqualFold(x, y) {
			return false
		}
	}
	return true
}

func collection(s *rehearse.Span) string {
	if c := s.Text("db.collection.name"); c != "" {
		return c
	}
	return s.Text("db.sql.table")
}

func distance(x, y int64) int64 {
	if x < y {
		return y - x
	}
	return x - y
}
