package trace

import (
	"cmp"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// path walks traces for their critical paths: from the end of the root backwards
// to the child that finished last, into it, and on from its start, as CRISP and
// Jaeger do. What children leave of a node is its own.
type path struct {
	forest *forest
	waits  *waits
	seen   map[rehearse.ServiceName]bool // services that spans look into
	names  map[edgeName]string
	out    []rehearse.Segment // the last first
	base   int64
}

type edgeName struct {
	edge *edge
	name string
}

// overlap is how much two siblings may overlap and still have come one after
// the other, which is what SDKs with clocks of milliseconds need.
const overlap = int64(time.Millisecond)

// of is the critical path of a root, and tiles its time.
func (p *path) of(root int32) []rehearse.Segment {
	if p.seen == nil {
		p.look()
	}
	n := &p.forest.nodes[root]
	p.out, p.base = p.out[:0], n.start
	p.walk(root, n.start, n.end, root)
	slices.Reverse(p.out)
	return slices.Clone(p.out)
}

// look finds the services that spans look into.
func (p *path) look() {
	p.seen, p.names = map[rehearse.ServiceName]bool{}, map[edgeName]string{}
	for i := range p.forest.nodes {
		if n := &p.forest.nodes[i]; !n.loose && (n.wire == nil || !n.edge.ingress) {
			p.seen[n.span.Service] = true
		}
	}
}

// walk goes through the part of a node's time that its parent waited for it.
// The request is the one that the node's service works on.
func (p *path) walk(i int32, lo, hi int64, request int32) {
	n := &p.forest.nodes[i]
	kids := p.forest.below(i)
	switch {
	case n.link:
		p.wire(i, lo, hi)
	case n.wire != nil:
		begun, over := min(max(n.begun, lo), hi), min(max(n.over, lo), hi)
		key := p.key(n)
		p.share(i, key, rehearse.SegmentNetwork, over, hi, request)
		p.wire(i, begun, over)
		p.share(i, key, rehearse.SegmentNetwork, lo, begun, request)
	case n.span.Kind == rehearse.SpanClient || n.span.Kind == rehearse.SpanProducer:
		key, kind := "", rehearse.SegmentServer
		if k := slices.IndexFunc(kids, func(c int32) bool { return p.forest.nodes[c].link }); k >= 0 {
			key, kind = p.key(&p.forest.nodes[kids[k]]), rehearse.SegmentNetwork
		} else {
			key = Key(&rehearse.Node{Span: *n.span})
		}
		p.children(kids, lo, hi, request, func(lo, hi int64) { p.share(i, key, kind, lo, hi, request) })
	default:
		if n.span.Kind == rehearse.SpanConsumer {
			request = i
		}
		p.children(kids, lo, hi, request, func(lo, hi int64) {
			p.share(i, string(n.span.Service), rehearse.SegmentSelf, lo, hi, request)
		})
	}
}

// wire goes through a call: the link's shares, and between them what the
// upstream did.
func (p *path) wire(i int32, lo, hi int64) {
	n := &p.forest.nodes[i]
	kids := p.forest.below(i)
	parts := p.forest.parts(n)
	from, to := n.begun+parts.before(), n.over-parts.after()
	for _, k := range kids {
		// What was seen to happen is better known than the order of the parts.
		c := &p.forest.nodes[k]
		from, to = min(from, max(c.start, n.begun)), max(to, min(c.end, n.over))
	}
	key := p.key(n)
	piece := func(kind rehearse.SegmentKind, a, b int64) { p.emit(i, key, kind, max(a, lo), min(b, hi)) }

	down := min(to+parts.shapeDown, n.over)
	piece(rehearse.SegmentTransfer, down, n.over)
	piece(rehearse.SegmentShape, to, down)
	inside := func(a, b int64) { p.emit(i, key, rehearse.SegmentServer, a, b) }
	switch {
	case p.forest.served(i) >= 0:
		inside = func(a, b int64) { p.emit(i, key, rehearse.SegmentNetwork, a, b) }
	case len(kids) > 0 || p.seen[n.edge.upstream]:
		inside = func(a, b int64) { p.share(i, string(n.edge.upstream), rehearse.SegmentSelf, a, b, i) }
	}
	if a, b := max(from, lo), min(to, hi); a < b {
		p.children(kids, a, b, i, inside)
	}
	queue := min(n.begun+parts.queue, from)
	shape := min(queue+parts.shapeUp, from)
	piece(rehearse.SegmentTransfer, shape, from)
	piece(rehearse.SegmentShape, queue, shape)
	piece(rehearse.SegmentQueue, n.begun, queue)
}

// children walks into the children that were waited for between lo and hi, and
// gives the gaps to rest.
func (p *path) children(kids []int32, lo, hi int64, request int32, rest func(lo, hi int64)) {
	type child struct {
		node       int32
		start, end int64
	}
	in := make([]child, 0, len(kids))
	for _, k := range kids {
		n := &p.forest.nodes[k]
		if c := (child{k, max(n.start, lo), min(n.end, hi)}); c.start < c.end {
			in = append(in, c)
		}
	}
	slices.SortStableFunc(in, func(x, y child) int { return cmp.Or(cmp.Compare(y.end, x.end), cmp.Compare(x.start, y.start)) })
	at := hi
	for _, c := range in {
		end := min(c.end, at)
		if c.end > at+overlap || c.start >= end {
			continue // in parallel with one that finished later
		}
		rest(end, at)
		p.walk(c.node, c.start, end, request)
		at = c.start
	}
	rest(lo, at)
}

// share gives a stretch of a service's time to itself and to its waits for
// connections.
func (p *path) share(i int32, key string, kind rehearse.SegmentKind, lo, hi int64, request int32) {
	for _, w := range slices.Backward(p.waits.of[request]) {
		a, b := max(w.lo, lo), min(w.hi, hi)
		if a >= b {
			continue
		}
		p.emit(i, key, kind, b, hi)
		p.emit(i, Edge(w.edge.client, w.edge.upstream), rehearse.SegmentWait, a, b)
		hi = a
	}
	p.emit(i, key, kind, lo, hi)
}

// emit adds a segment in front of those that there are.
func (p *path) emit(i int32, key string, kind rehearse.SegmentKind, lo, hi int64) {
	if lo >= hi {
		return
	}
	at := int(p.forest.nodes[i].at)
	if k := len(p.out) - 1; k >= 0 {
		if s := &p.out[k]; s.Node == at && s.Kind == kind && s.Path == key {
			s.Start, s.Length = rehearse.Duration(lo-p.base), s.Length+rehearse.Duration(hi-lo)
			return
		}
	}
	p.out = append(p.out, rehearse.Segment{Node: at, Path: key, Kind: kind, Start: rehearse.Duration(lo - p.base), Length: rehearse.Duration(hi - lo)})
}

func (p *path) key(n *node) string {
	k := edgeName{n.edge, n.span.Name}
	s, ok := p.names[k]
	if !ok {
		s = join(Edge(n.edge.client, n.edge.upstream), n.span.Name)
		p.names[k] = s
	}
	return s
}
