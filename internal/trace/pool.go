package trace

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// waits are the times in which requests waited for connections, by the node of
// the request: in order, none overlapping another.
type waits struct {
	of map[int32][]wait
}

type wait struct {
	edge   *edge
	lo, hi int64
}

// hold is a stretch in which one request kept a connection.
type hold struct {
	start, end int64
	request    int32 // its node, -1: not known
	trips      int   // calls, one after the other
	cut        bool  // it ended with its connection
	free       int64 // since when the connection had been free; its start for the first
}

const (
	maxExamples = 5
	bridge      = int64(2 * time.Millisecond)  // a connection is handed on in less
	shortest    = int64(time.Millisecond)      // a wait
	wanted      = int64(10 * time.Millisecond) // somebody must have waited for so long, in all
	plateau     = 0.01                         // of the time in which requests waited: a level that lasted
	last        = int64(time.Second)           // of the time in which requests waited: by then what was to be replaced has been
	lasting     = 0.1                          // of that: connections that were there to stay
	explained   = 0.65                         // of that time no connection was free, and of those who then got one another request had it before
)

// pools finds the pools of all links, and who waited for their connections.
func (f *forest) pools(t *rehearse.Telemetry) *waits {
	w := &waits{of: map[int32][]wait{}}
	calls := map[*edge][]int32{}
	closed := map[*edge]map[int64]int64{}
	for i := range f.nodes {
		if n := &f.nodes[i]; n.wire != nil && n.wire.Undecoded != "" {
			if closed[n.edge] == nil {
				closed[n.edge] = map[int64]int64{}
			}
			closed[n.edge][n.wire.Connection] = n.end
		}
		if n := &f.nodes[i]; n.wire != nil && !n.folded && n.wire.Undecoded == "" && !n.edge.ingress {
			calls[n.edge] = append(calls[n.edge], int32(i))
		}
	}
	requests := f.requests()
	for _, e := range slices.SortedFunc(maps.Keys(calls), func(x, y *edge) int { return cmp.Compare(x.id, y.id) }) {
		p := &pool{forest: f, edge: e, requests: requests[e.client], closed: closed[e]}
		if p.read(calls[e]) {
			p.plateau()
			t.Pools = append(t.Pools, p.sum(w))
		}
	}
	for _, of := range w.of {
		// Of waits for two pools at once, the one that began first counts.
		slices.SortStableFunc(of, func(x, y wait) int { return cmp.Compare(x.lo, y.lo) })
		for k := 1; k < len(of); k++ {
			of[k].lo = max(of[k].lo, of[k-1].hi)
			of[k].hi = max(of[k].hi, of[k].lo)
		}
	}
	return w
}

// pool is a link's connections under analysis.
type pool struct {
	forest   *forest
	edge     *edge
	requests []request
	closed   map[int64]int64 // when a connection ended, where that was seen

	holds   []hold
	shape   []int64
	busy    []change // of the number of busy connections
	made    []change // of the number of connections that are being made
	open    []change // of the number of connections that are there, those that are being made among them
	ended   int      // connections that are not there any more
	wants   []want
	peak    int
	size    int
	unclear bool      // requests waited, and it is not clear for what
	full    []stretch // no connection was free
}

// member is one connection of the pool.
type member struct {
	from, over int64 // its first call's start and its last one's end
	end        int64 // when it ended; never where nobody saw it end
}

// change is a step of a number over time.
type change struct {
	at int64
	by int
}

type stretch struct{ lo, hi int64 }

// want is a stretch in which a request wanted a connection and had none.
type want struct {
	stretch
	request int
	hold    int   // that ended it, -1: none did
	usual   int64 // how long requests of its kind take to ask when none is short
}

// read cuts the connections' calls into holds. It is false for a link whose
// connections are not kept, carry several calls at once, or do no work.
func (p *pool) read(calls []int32) bool {
	nodes := p.forest.nodes
	slices.SortStableFunc(calls, func(x, y int32) int {
		return cmp.Or(cmp.Compare(nodes[x].begun, nodes[y].begun), cmp.Compare(nodes[x].wire.Number, nodes[y].wire.Number))
	})
	conns := map[int64][]int32{}
	for _, c := range calls {
		conns[nodes[c].wire.Connection] = append(conns[nodes[c].wire.Connection], c)
	}
	kept, asked, crossing := false, 0, 0
	// On a nominal path calls seem to overlap, and a connection to be free, by as
	// much as jitter moves them.
	overlap, bridge := overlap, bridge
	if slices.ContainsFunc(calls, func(c int32) bool { return nodes[c].nominal }) {
		overlap += p.edge.early + p.edge.late
		bridge += max(p.edge.early, p.edge.late)
	}
	var members []member
	for _, number := range slices.Sorted(maps.Keys(conns)) {
		of := conns[number]
		if !p.works(of) {
			continue
		}
		asked += len(of)
		m := member{from: nodes[of[0]].begun, over: nodes[of[0]].over, end: int64(never)}
		var holds []hold
		open, over := false, int64(0)
		for _, c := range of {
			n := &nodes[c]
			m.over = max(m.over, n.over)
			if setup(n.span) {
				p.made = append(p.made, change{n.begun, 1}, change{n.over, -1})
				continue
			}
			p.shape = append(p.shape, int64(n.wire.Shape))
			request := p.forest.requestOf(c)
			var h *hold
			if k := len(holds) - 1; k >= 0 {
				h = &holds[k]
			}
			switch {
			case h != nil && (open || request >= 0 && request == h.request && n.begun-h.end <= closeBy):
				if n.begun >= over-overlap {
					h.trips++
				} else if n.wire.Queue == 0 {
					crossing++
				}
				h.request = max(h.request, request)
			default:
				if h != nil && n.begun < over-overlap && n.wire.Queue == 0 {
					crossing++
				}
				free := n.begun
				if h != nil {
					free = h.end
				}
				holds = append(holds, hold{start: n.begun, request: request, trips: 1, free: free})
				h = &holds[len(holds)-1]
			}
			h.end = max(h.end, n.over)
			over = max(over, n.over)
			tx := n.span.Text(rehearse.AttrTransaction)
			open = tx == "open" || tx == "failed"
		}
		cut := len(holds) == 0 || open || nodes[of[len(of)-1]].abandoned
		if end, seen := p.closed[number]; seen {
			m.end = end
		}
		if cut {
			// Whoever used it has given it up. It may take its time to end, but nobody
			// can have it any more.
			m.end = min(m.end, m.over)
		}
		members = append(members, m)
		if len(holds) == 0 {
			continue // it was given up before it was of use
		}
		holds[len(holds)-1].cut = cut
		kept = kept || len(holds) > 1
		for k, h := range holds {
			if k == 0 || h.start > holds[k-1].end+bridge {
				p.busy = append(p.busy, change{h.start, 1})
			}
			if k == len(holds)-1 || holds[k+1].start > h.end+bridge {
				p.busy = append(p.busy, change{h.end, -1})
			}
		}
		p.holds = append(p.holds, holds...)
	}
	p.count(members)
	for _, of := range [][]change{p.busy, p.made, p.open} {
		slices.SortFunc(of, func(x, y change) int { return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.by, y.by)) })
	}
	level := 0
	for _, c := range p.busy {
		level += c.by
		p.peak = max(p.peak, level)
	}
	return kept && crossing*20 <= asked
}

// works reports whether a connection is one of those that do the service's work:
// a health check's never asks anything, and a cancel request is no connection to
// work on. One that was given up while it was made would have been.
func (p *pool) works(calls []int32) bool {
	made := true
	for _, c := range calls {
		s := p.forest.nodes[c].span
		if !trivial(s) {
			return true
		}
		made = made && s.Name == "STARTUP"
	}
	last := calls[len(calls)-1]
	return made || p.forest.nodes[last].abandoned && p.forest.requestOf(last) >= 0 && p.forest.nodes[last].span.Name != "CANCEL"
}

// count says when connections were there. Where nobody saw one end: no pool opens
// another while it has a free one.
func (p *pool) count(members []member) {
	slices.SortFunc(members, func(x, y member) int { return cmp.Compare(x.from, y.from) })
	for _, m := range members {
		p.open = append(p.open, change{m.from, 1})
		if m.end < int64(never) {
			p.ended++
			p.open = append(p.open, change{max(m.end, m.from), -1})
			continue
		}
		k, _ := slices.BinarySearchFunc(members, m.over, func(x member, at int64) int { return cmp.Compare(x.from, at) })
		if k < len(members) {
			p.open = append(p.open, change{members[k].from, -1})
		}
	}
}

// requestOf is the node of the request that a call was made for, or -1.
func (f *forest) requestOf(call int32) int32 {
	service := f.nodes[call].edge.client
	for i := f.nodes[call].up; i >= 0; i = f.nodes[i].up {
		n := &f.nodes[i]
		if n.link && n.edge.upstream == service || n.up < 0 && n.span.Service == service || n.span.Kind == rehearse.SpanConsumer && !n.link && (n.up < 0 || !f.nodes[n.up].link) {
			return i
		}
	}
	return -1
}

// wanting finds when requests wanted a connection: before each hold, since the
// request came or its last call before that ended; and of those that got none
// though their kind asks for one, until they ended.
func (p *pool) wanting() {
	index := make(map[int32]int, len(p.requests))
	for i := range p.requests {
		index[p.requests[i].node] = i
	}
	holds := make([][]int, len(p.requests))
	for k, h := range p.holds {
		if i, ok := index[h.request]; ok && h.request >= 0 {
			holds[i] = append(holds[i], k)
		}
	}
	type kind struct{ well, asked, all int }
	kinds := map[string]kind{}
	usual := map[string][]int64{}
	var wants []want
	for i := range p.requests {
		r := &p.requests[i]
		status := p.forest.nodes[r.node].span.Status
		k := kinds[r.name]
		if len(holds[i]) > 0 {
			k.all++
		}
		if status != rehearse.StatusError && !r.left {
			k.well++
			if len(holds[i]) > 0 {
				k.asked++
			}
		}
		kinds[r.name] = k
		slices.SortFunc(holds[i], func(x, y int) int { return cmp.Compare(p.holds[x].start, p.holds[y].start) })
		for _, h := range holds[i] {
			w := want{stretch: stretch{p.since(r, p.holds[h].start), p.holds[h].start}, request: i, hold: h}
			if w.lo < w.hi {
				wants = append(wants, w)
				usual[r.name] = append(usual[r.name], w.hi-w.lo)
			}
		}
	}
	for i := range p.requests {
		r := &p.requests[i]
		k := kinds[r.name]
		if len(holds[i]) == 0 && k.all > 0 && 2*k.asked >= k.well {
			if w := (want{stretch: stretch{p.since(r, r.b), r.b}, request: i, hold: -1}); w.lo < w.hi {
				wants = append(wants, w)
			}
		}
	}
	for name, of := range usual {
		slices.Sort(of)
		usual[name] = of[:len(of)/10+1]
	}
	for i := range wants {
		if of := usual[p.requests[wants[i].request].name]; len(of) > 0 {
			wants[i].usual = of[len(of)-1]
		}
	}
	p.wants = wants
}

// since is when a request's last call before a time had ended, or when it came.
func (p *pool) since(r *request, before int64) int64 {
	since := r.a
	stack := []int32{r.hang}
	if r.hang != r.node {
		stack = append(stack, r.node)
	}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, c := range p.forest.below(i) {
			n := &p.forest.nodes[c]
			switch {
			case n.wire != nil:
				if n.over <= before {
					since = max(since, n.over)
				}
			case n.span.Service == p.edge.client && c != r.hang:
				stack = append(stack, c)
			}
		}
	}
	return since
}

// waitedLong reports whether requests spent so much of their time before calls
// that it matters for what.
func (p *pool) waitedLong() bool {
	var waited, all int64
	for _, w := range p.wants {
		waited += max(0, w.hi-w.lo-w.usual-bridge)
	}
	for i := range p.requests {
		all += p.requests[i].b - p.requests[i].a
	}
	return waited > all/10 && waited > wanted*int64(len(p.requests))
}

// plateau finds the pool's size: the highest number of busy connections that
// lasted while requests waited, if having none free is why they did: then they
// got one that another request had just given back.
func (p *pool) plateau() {
	p.wanting()
	var waiting []change
	got, handed := 0, 0
	for _, w := range p.wants {
		if lo := w.lo + w.usual + bridge; lo < w.hi {
			waiting = append(waiting, change{lo, 1}, change{w.hi, -1})
			if w.hold >= 0 && p.holds[w.hold].free < p.holds[w.hold].start {
				got++
				if p.holds[w.hold].free > w.lo {
					handed++
				}
			}
		}
	}
	slices.SortFunc(waiting, func(x, y change) int { return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.by, y.by)) })
	at := map[int]int64{}
	total := int64(0)
	sweep([][]change{p.busy, waiting}, func(lo, hi int64, n []int) {
		if n[1] > 0 {
			at[n[0]] += hi - lo
			total += hi - lo
		}
	})
	if total < wanted {
		return // nobody waited
	}
	p.unclear = p.waitedLong()
	if float64(handed) < explained*float64(got) {
		return
	}
	size := 0
	for level, lasted := range at {
		if lasted >= max(wanted/2, int64(plateau*float64(total))) {
			size = max(size, level)
		}
	}
	if size == 0 {
		return
	}
	p.size = size
	short, reached := int64(0), false
	sweep([][]change{p.busy, waiting, p.open, p.made}, func(lo, hi int64, n []int) {
		reached = reached || n[0] >= size
		if reached && n[2] <= n[0]+n[3] {
			p.full = append(p.full, stretch{lo, hi})
			if n[1] > 0 {
				short += hi - lo
			}
		}
	})
	if float64(short) < explained*float64(total) {
		p.size, p.full = 0, nil
		return
	}
	p.unclear = false
}

// lost counts the connections of the pool that were not there any more in the
// end, though requests waited.
func (p *pool) lost(waited []stretch) int {
	if p.ended == 0 {
		return 0
	}
	all, total := int64(0), int64(0)
	var waiting []change
	for _, s := range waited {
		all += s.hi - s.lo
		waiting = append(waiting, change{s.lo, 1}, change{s.hi, -1})
	}
	at := map[int]int64{}
	sweep([][]change{waiting, p.open}, func(lo, hi int64, n []int) {
		if n[0] == 0 {
			return
		}
		if total += hi - lo; total > all-last {
			at[n[1]] += hi - lo
		}
	})
	left := 0
	for level, lasted := range at {
		if float64(lasted) >= lasting*float64(min(last, all)) {
			left = max(left, level)
		}
	}
	return min(max(p.size-left, 0), p.size)
}

// sweep visits the stretches between changes of several numbers, each in order.
func sweep(of [][]change, visit func(lo, hi int64, n []int)) {
	n, next := make([]int, len(of)), make([]int, len(of))
	last, begun := int64(0), false
	for {
		k := -1
		for i := range of {
			if next[i] < len(of[i]) && (k < 0 || of[i][next[i]].at < of[k][next[k]].at) {
				k = i
			}
		}
		if k < 0 {
			return
		}
		c := of[k][next[k]]
		if begun && c.at > last {
			visit(last, c.at, n)
		}
		n[k] += c.by
		next[k]++
		last, begun = c.at, true
	}
}

// sum is what is said of the pool; who waited for it goes to w.
func (p *pool) sum(w *waits) rehearse.Pool {
	out := rehearse.Pool{Link: p.edge.id, Size: p.size, Peak: p.peak, Unclear: p.unclear}
	var lengths, trips []int64
	for _, whole := range []bool{true, false} {
		for _, h := range p.holds {
			if !(whole && h.cut) {
				lengths = append(lengths, h.end-h.start)
				trips = append(trips, int64(h.trips))
			}
		}
		if len(lengths) > 0 {
			break
		}
	}
	out.Holds, out.Trips = quantiles(lengths), float64(median(trips))
	out.RTT = rehearse.Duration(median(p.shape))
	if p.size == 0 {
		return out
	}
	p.full = merge(p.full)
	type waited struct {
		request int
		length  int64
	}
	byRequest := map[int]int64{}
	var short []stretch
	for _, want := range p.wants {
		k, _ := slices.BinarySearchFunc(p.full, want.lo, func(s stretch, at int64) int { return cmp.Compare(s.hi, at) })
		length := int64(0)
		var parts []stretch
		for ; k < len(p.full) && p.full[k].lo < want.hi; k++ {
			if s := (stretch{max(want.lo, p.full[k].lo), min(want.hi, p.full[k].hi)}); s.lo < s.hi {
				parts = append(parts, s)
				length += s.hi - s.lo
			}
		}
		if length < shortest || want.hi-want.lo < want.usual+shortest {
			continue
		}
		byRequest[want.request] += length
		short = append(short, parts...)
		node := p.requests[want.request].node
		for _, s := range parts {
			w.of[node] = append(w.of[node], wait{p.edge, s.lo, s.hi})
		}
	}
	slices.SortFunc(short, func(x, y stretch) int { return cmp.Compare(x.lo, y.lo) })
	for _, s := range merge(short) {
		out.Saturated += rehearse.Duration(s.hi - s.lo)
	}
	var all []waited
	lengths = lengths[:0]
	for r, l := range byRequest {
		all = append(all, waited{r, l})
		lengths = append(lengths, l)
	}
	out.Waited, out.Waits = len(all), quantiles(lengths)
	out.Lost = p.lost(merge(short))
	slices.SortFunc(all, func(x, y waited) int {
		return cmp.Or(cmp.Compare(y.length, x.length), cmp.Compare(x.request, y.request))
	})
	for _, r := range all {
		if id := p.forest.root(p.requests[r.request].node); !slices.Contains(out.Examples, id) {
			if out.Examples = append(out.Examples, id); len(out.Examples) == maxExamples {
				break
			}
		}
	}
	return out
}

// root is the id of the trace that a node is in.
func (f *forest) root(i int32) rehearse.TraceID {
	for f.nodes[i].up >= 0 {
		i = f.nodes[i].up
	}
	return f.nodes[i].span.Trace
}

// merge joins stretches, which are in order, that touch.
func merge(of []stretch) (out []stretch) {
	for _, s := range of {
		if k := len(out) - 1; k >= 0 && s.lo <= out[k].hi {
			out[k].hi = max(out[k].hi, s.hi)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// quantiles sums up times; it sorts them.
func quantiles(of []int64) (q rehearse.Quantiles) {
	if len(of) == 0 {
		return q
	}
	slices.Sort(of)
	at := func(share float64) rehearse.Duration { return rehearse.Duration(of[int(share*float64(len(of)-1)+0.5)]) }
	sum := 0.0
	for _, v := range of {
		sum += float64(v)
	}
	return rehearse.Quantiles{
		Count: int64(len(of)), Min: at(0), P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: at(1),
		Mean: rehearse.Duration(sum / float64(len(of))),
	}
}
