package trace

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// atom is what of a connection's calls surely belongs together: a transaction,
// or a single call outside of any.
type atom struct {
	calls      []int32 // nodes, in order
	start, end int64
	pattern    int32 // of the names of its calls
	head       int32 // of the name of its first call
	prev, next int32 // on the same connection; -1: none
	conn       int32
	owner      int32 // index of a request, -1: none is known
	known      rehearse.Known
	setup      bool // it opens a connection or cancels: no request asks for it
	background bool // its like is also seen while no request is in flight
	idle       bool // nothing but trivial calls were ever made on its connection
	given      bool // its SDK or a header says whose it is
}

// worker is one service with what it was asked for and what it asked for.
type worker struct {
	f        *forest
	requests []request // by lo
	atoms    []atom    // by start
	names    map[string]int32
	// Atoms of each pattern by their ends, and by their starts.
	byEnd, byStart map[int32][]int32
	templates      map[string][]variant // by a request's name
}

// newWorker cuts a service's calls into atoms. Calls are in the order of their start.
func newWorker(f *forest, requests []request, calls []int32) *worker {
	w := &worker{f: f, requests: requests, names: map[string]int32{}, byEnd: map[int32][]int32{}, byStart: map[int32][]int32{}}
	type connection struct {
		id      int32
		trivial bool
		open    bool // in a transaction
		last    int32
	}
	type key struct {
		link   rehearse.LinkID
		number int64
	}
	conns := map[key]*connection{}
	var all []*connection
	for _, c := range calls {
		n := &f.nodes[c]
		k := key{n.wire.Link, n.wire.Connection}
		conn := conns[k]
		if conn == nil {
			conn = &connection{id: int32(len(all)), trivial: true, last: -1}
			conns[k] = conn
			all = append(all, conn)
		}
		conn.trivial = conn.trivial && trivial(n.span)
		given := !n.link || !n.span.Parent.IsZero()
		if conn.open && conn.last >= 0 {
			a := &w.atoms[conn.last]
			a.calls = append(a.calls, c)
			a.end = max(a.end, n.over)
			a.given = a.given || given
		} else {
			w.atoms = append(w.atoms, atom{
				calls: []int32{c}, start: n.begun, end: n.over, prev: conn.last, next: -1, conn: conn.id, owner: -1,
				head: w.intern(string(n.wire.Link) + "\x00" + n.span.Name), setup: setup(n.span), given: given,
			})
			if conn.last >= 0 {
				w.atoms[conn.last].next = int32(len(w.atoms) - 1)
			}
			conn.last = int32(len(w.atoms) - 1)
		}
		tx := n.span.Text(rehearse.AttrTransaction)
		conn.open = tx == "open" || tx == "failed"
	}
	for i := range w.atoms {
		a := &w.atoms[i]
		a.idle = all[a.conn].trivial
		a.pattern = a.head
		if len(a.calls) > 1 {
			var b strings.Builder
			for _, c := range a.calls {
				b.WriteString(string(f.nodes[c].wire.Link) + "\x00" + f.nodes[c].span.Name + "\x01")
			}
			a.pattern = w.intern(b.String())
		}
		w.byStart[a.pattern] = append(w.byStart[a.pattern], int32(i))
	}
	for p, of := range w.byStart {
		of = slices.Clone(of)
		slices.SortStableFunc(of, func(x, y int32) int { return cmp.Compare(w.atoms[x].end, w.atoms[y].end) })
		w.byEnd[p] = of
	}
	return w
}

func (w *worker) intern(s string) int32 {
	id, ok := w.names[s]
	if !ok {
		id = int32(len(w.names))
		w.names[s] = id
	}
	return id
}

func setup(s *rehearse.Span) bool {
	return s.Name == "STARTUP" || s.Name == "CANCEL"
}

// free reports whether an atom may become a request's, and began in its time.
func (w *worker) free(a int32, r int32) bool {
	at, rq := &w.atoms[a], &w.requests[r]
	return !at.setup && !at.given && !slices.Contains(at.calls, rq.node) && (at.owner < 0 || at.owner == r) && at.start >= rq.lo && (at.start <= rq.hi || rq.left && at.start <= rq.hi+afterLeft)
}
