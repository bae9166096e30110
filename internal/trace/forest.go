package trace

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// forest is all spans with their parents, while these are being found.
type forest struct {
	nodes []node // by start
	base  time.Time
	edges map[rehearse.LinkID]*edge
	byID  map[spanKey]int32
	moved map[rehearse.TraceID]rehearse.TraceID // where a trace went whose root found a parent
	flaws map[string]int

	// Children of node i are kids[first[i]:first[i+1]].
	first []int32
	kids  []int32
}

type spanKey struct {
	trace rehearse.TraceID
	span  rehearse.SpanID
}

// node is a span in the forest. Times are nanoseconds since the forest's base.
type node struct {
	span       *rehearse.Span
	start, end int64
	up         int32 // -1: none
	at         int32 // index in its trace
	known      rehearse.Known

	// Of calls that a link saw: its own spans and those that they are folded into.
	wire        *rehearse.Wire
	edge        *edge
	begun, over int64 // the call on the wire
	link        bool  // it is the link's own span
	folded      bool  // another node stands for it
	loose       bool
	background  bool
	abandoned   bool // somebody hung up in the middle
	nominal     bool // its time in shape is its path's, without jitter
}

// edge is a link's two ends.
type edge struct {
	id               rehearse.LinkID
	client, upstream rehearse.ServiceName
	ingress          bool
	up               float64 // the share of the shape's delay that is on the way up
	// early and late are how far a call of a nominal path may seem to begin before
	// it did, and to end after it did: the path is taken to be without its jitter.
	early, late int64
}

// sure is how many times the jitter covers all but a few calls in ten thousand,
// and rough what the host adds.
const (
	sure  = 4
	rough = int64(time.Millisecond)
)

func newForest(spans []rehearse.Span, links []rehearse.LinkSpec) *forest {
	f := &forest{
		edges: map[rehearse.LinkID]*edge{}, flaws: map[string]int{},
		byID: make(map[spanKey]int32, len(spans)), moved: map[rehearse.TraceID]rehearse.TraceID{},
	}
	for _, l := range links {
		e := &edge{id: l.ID, client: l.Client, upstream: l.Upstream, ingress: rehearse.IsIngress(l.Client), up: 0.5}
		if rtt := l.Shape.RTT(); rtt > 0 {
			e.up = float64(l.Shape.Up.Delay) / float64(rtt)
			e.early, e.late = sure*int64(l.Shape.Up.Jitter)+rough, sure*int64(l.Shape.Down.Jitter)+rough
		}
		f.edges[l.ID] = e
	}
	own := slices.Clone(spans)
	slices.SortFunc(own, compareSpans)
	if len(own) > 0 {
		f.base = own[0].Start
	}
	f.nodes = make([]node, 0, len(own))
	for i := range own {
		s := &own[i]
		if s.Duration < 0 || time.Duration(s.Duration) > never {
			s.Duration = min(max(s.Duration, 0), rehearse.Duration(never))
			f.flaws[FlawDuration]++
		}
		if !s.ID.IsZero() {
			key := spanKey{s.Trace, s.ID}
			if _, ok := f.byID[key]; ok {
				f.flaws[FlawDuplicate]++
				continue
			}
			f.byID[key] = int32(len(f.nodes))
		}
		n := node{span: s, up: -1, known: rehearse.KnownRoot, start: int64(min(s.Start.Sub(f.base), never))}
		n.end = n.start + int64(s.Duration)
		if s.Scope == rehearse.LinkScope {
			if w, ok := s.Wire(); ok {
				n.wire, n.link, n.edge = &w, true, f.edge(w.Link)
				n.begun, n.over = n.start, n.end
				n.abandoned = s.Text(rehearse.AttrAbandoned) != ""
				n.nominal, _ = s.Attribute(rehearse.AttrNominal).(bool)
			}
		}
		f.nodes = append(f.nodes, n)
	}
	f.untangle()
	return f
}

// untangle takes apart calls of nominal paths that follow one another on one
// connection and seem to overlap, by their paths' jitter: where the one ends and
// the other begins is somewhere in between. HTTP/2's calls do overlap.
func (f *forest) untangle() {
	type connection struct {
		edge   *edge
		number int64
	}
	latest := map[connection]*node{}
	for i := range f.nodes {
		n := &f.nodes[i]
		if !n.nominal || system(n.span) == "rpc" || n.span.Text("network.protocol.version") == "2" {
			continue
		}
		key := connection{n.edge, n.wire.Connection}
		last := latest[key]
		latest[key] = n
		if last == nil || n.wire.Queue > 0 {
			continue
		}
		over := last.over - n.begun
		if over <= 0 || over > n.edge.early+n.edge.late || n.over-over/2 <= n.begun || last.over-over/2 <= last.begun {
			continue
		}
		last.move(0, -over/2)
		n.move(over-over/2, 0)
	}
}

// move moves a call's start and end; that much of its path it did not take.
func (n *node) move(start, end int64) {
	n.start, n.begun, n.end, n.over = n.start+start, n.begun+start, n.end+end, n.over+end
	n.span.Start = n.span.Start.Add(time.Duration(start))
	n.span.Duration += rehearse.Duration(end - start)
	n.wire.Shape = max(0, n.wire.Shape+rehearse.Duration(end-start))
}

// edge is a link's, also of one that no plan has.
func (f *forest) edge(id rehearse.LinkID) *edge {
	e := f.edges[id]
	if e == nil {
		e = &edge{id: id, up: 0.5}
		client, upstream := ends(id)
		e.client, e.upstream, e.ingress = client, upstream, rehearse.IsIngress(client)
		f.edges[id] = e
	}
	return e
}

// ends are a link's client and upstream, as MakeLinkID joined them.
func ends(id rehearse.LinkID) (client, upstream rehearse.ServiceName) {
	i := strings.LastIndexByte(string(id), ':')
	if i < 0 {
		return "", rehearse.ServiceName(id)
	}
	return rehearse.ServiceName(id[:i]), rehearse.ServiceName(id[i+1:])
}

// compareSpans orders spans by their start, and is 0 only for spans that are the
// same.
func compareSpans(x, y rehearse.Span) int {
	if c := cmp.Or(x.Start.Compare(y.Start), bytes.Compare(x.Trace[:], y.Trace[:]), bytes.Compare(x.ID[:], y.ID[:])); c != 0 {
		return c
	}
	c := cmp.Or(cmp.Compare(x.Duration, y.Duration), bytes.Compare(x.Parent[:], y.Parent[:]), strings.Compare(x.Name, y.Name),
		cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Service, y.Service), cmp.Compare(x.Scope, y.Scope), cmp.Compare(x.Status, y.Status))
	if c != 0 {
		return c
	}
	return strings.Compare(fmt.Sprint(x.Message, x.Attributes, x.Resource, x.Events, x.Links), fmt.Sprint(y.Message, y.Attributes, y.Resource, y.Events, y.Links))
}

// join gives each span the parent that it names.
func (f *forest) join() {
	for i := range f.nodes {
		n := &f.nodes[i]
		s := n.span
		if n.wire != nil && n.wire.Undecoded != "" {
			n.loose = true
			continue
		}
		if s.Parent.IsZero() {
			continue
		}
		up, ok := f.byID[spanKey{s.Trace, s.Parent}]
		switch {
		case ok && f.nodes[up].wire != nil && f.nodes[up].wire.Undecoded != "":
			ok = false
			fallthrough
		case !ok:
			// Traffic from outside may well carry a context whose spans stay there.
			if n.wire == nil || !n.edge.ingress {
				n.known = rehearse.KnownNothing
				f.flaws[FlawMissing]++
			}
		case n.link:
			n.up, n.known = up, rehearse.KnownHeader
		default:
			n.up, n.known = up, rehearse.KnownSDK
		}
	}
}

// cut makes roots of spans that are their own ancestors, one in each cycle. An
// inferred parent gives way first.
func (f *forest) cut() {
	const fresh, onPath, done = 0, 1, 2
	state := make([]uint8, len(f.nodes))
	var walk []int32
	for i := range f.nodes {
		walk = walk[:0]
		j := int32(i)
		for j >= 0 && state[j] == fresh {
			state[j] = onPath
			walk = append(walk, j)
			j = f.nodes[j].up
		}
		if j >= 0 && state[j] == onPath {
			cycle := walk[slices.Index(walk, j):]
			f.nodes[j].cutFrom(f, cycle)
		}
		for _, k := range walk {
			state[k] = done
		}
	}
}

// cutFrom cuts the cycle at the node that began first, or at an inferred parent.
func (n *node) cutFrom(f *forest, cycle []int32) {
	for _, j := range cycle {
		c := &f.nodes[j]
		if c.link && c.known != rehearse.KnownHeader {
			c.up, c.known, c.loose = -1, rehearse.KnownNothing, true
			// What hangs below a loose call is the root of its own trace.
			return
		}
	}
	c := &f.nodes[slices.Min(cycle)]
	c.up, c.known = -1, rehearse.KnownNothing
	f.flaws[FlawCycle]++
}

// tolerance is how far clocks and resolutions of SDKs may stray from a link's
// before it is called skew.
const tolerance = int64(10 * time.Millisecond)

// straighten moves the spans of SDKs that lie outside of the link's span that
// caused them, with all that their service did below them.
func (f *forest) straighten() {
	f.children()
	for i := range f.nodes {
		n := &f.nodes[i]
		if n.link || n.up < 0 || !f.nodes[n.up].link || n.span.Kind == rehearse.SpanClient {
			continue
		}
		l := &f.nodes[n.up]
		late := n.end > l.end+tolerance && !l.abandoned && n.end-n.start <= l.end-l.start
		if n.start >= l.start-tolerance && n.start <= l.end+tolerance && !late {
			continue
		}
		f.flaws[FlawSkew]++
		f.shift(int32(i), l.start+max(0, (l.end-l.start-(n.end-n.start))/2)-n.start)
	}
}

// shift moves a span of an SDK and those below it that have the same clock.
func (f *forest) shift(i int32, by int64) {
	stack := []int32{i}
	service := f.nodes[i].span.Service
	for len(stack) > 0 {
		n := &f.nodes[stack[len(stack)-1]]
		kids := f.below(stack[len(stack)-1])
		stack = stack[:len(stack)-1]
		n.start += by
		n.end += by
		n.span.Start = n.span.Start.Add(time.Duration(by))
		for _, k := range kids {
			if c := &f.nodes[k]; !c.link && c.span.Service == service {
				stack = append(stack, k)
			}
		}
	}
}

// children lists the children of all nodes, by their start.
func (f *forest) children() {
	f.first = make([]int32, len(f.nodes)+1)
	for i := range f.nodes {
		if n := &f.nodes[i]; n.up >= 0 && !n.folded {
			f.first[n.up+1]++
		}
	}
	for i := range f.nodes {
		f.first[i+1] += f.first[i]
	}
	f.kids = make([]int32, f.first[len(f.nodes)])
	next := slices.Clone(f.first)
	for i := range f.nodes {
		if n := &f.nodes[i]; n.up >= 0 && !n.folded {
			f.kids[next[n.up]] = int32(i)
			next[n.up]++
		}
	}
	for i := range f.nodes {
		// Shifted clocks may have changed the order.
		slices.SortStableFunc(f.below(int32(i)), func(x, y int32) int { return cmp.Compare(f.nodes[x].start, f.nodes[y].start) })
	}
}

// below are the children of a node, by their start, as of the last call of
// children.
func (f *forest) below(i int32) []int32 { return f.kids[f.first[i]:f.first[i+1]] }
