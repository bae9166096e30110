package trace

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// infer finds the parents of calls that carried no trace context, service by
// service.
func (f *forest) infer() {
	calls := map[rehearse.ServiceName][]int32{}
	for i := range f.nodes {
		if n := &f.nodes[i]; n.wire != nil && !n.folded && !n.loose && !n.edge.ingress {
			calls[n.edge.client] = append(calls[n.edge.client], int32(i))
		}
	}
	requests := f.requests()
	for _, service := range slices.Sorted(maps.Keys(calls)) {
		// A folded call is on the wire later than its SDK's span begins.
		of := calls[service]
		slices.SortStableFunc(of, func(x, y int32) int {
			a, b := &f.nodes[x], &f.nodes[y]
			return cmp.Or(cmp.Compare(a.begun, b.begun), cmp.Compare(a.over, b.over), cmp.Compare(a.wire.Connection, b.wire.Connection), cmp.Compare(a.wire.Number, b.wire.Number))
		})
		w := newWorker(f, f.widened(requests[service], of), of)
		possible := w.alone()
		w.learn()
		w.match()
		w.nearest()
		w.apply(possible)
	}
}

// widened are requests with the time by which their calls may seem to begin too
// early and to end too late: by what the host adds between an event and its time,
// and by the jitter of nominal paths.
func (f *forest) widened(requests []request, calls []int32) []request {
	early, late := rough, rough
	for _, c := range calls {
		if n := &f.nodes[c]; n.nominal {
			early, late = max(early, n.edge.early), max(late, n.edge.late)
		}
	}
	requests = slices.Clone(requests)
	for i := range requests {
		requests[i].lo -= early
		requests[i].hi += late
	}
	return requests
}

// alone gives an owner to each atom that began while one request was in flight,
// and says of each whether any can have caused it. It also finds out what is
// background work.
func (w *worker) alone() (possible []bool) {
	type event struct {
		at   int64
		kind int8 // in the order in which those of one moment count
		i    int32
	}
	const arrives, asks, leaves = 0, 1, 2
	var events []event
	for i := range w.requests {
		r := &w.requests[i]
		events = append(events, event{r.lo, arrives, int32(i)}, event{w.until(r), leaves, int32(i)})
	}
	for i := range w.atoms {
		events = append(events, event{w.atoms[i].start, asks, int32(i)})
	}
	slices.SortFunc(events, func(x, y event) int {
		return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.kind, y.kind), cmp.Compare(x.i, y.i))
	})
	possible = make([]bool, len(w.atoms))
	single := make([]int32, len(w.atoms))
	var count, sum int32 // of the requests in flight: with one, the sum is that one
	var none, one int64  // for how long there was none, and one
	type seen struct{ none, one int64 }
	counts := map[int32]seen{}
	for k, e := range events {
		if k > 0 {
			switch passed := e.at - events[k-1].at; count {
			case 0:
				none += passed
			case 1:
				one += passed
			}
		}
		switch e.kind {
		case arrives:
			count++
			sum += e.i
		case leaves:
			count--
			sum -= e.i
		case asks:
			a := &w.atoms[e.i]
			possible[e.i] = count > 0
			single[e.i] = -1
			s := counts[a.pattern]
			if count == 0 {
				s.none++
			} else if count == 1 && w.fits(a, &w.requests[sum]) {
				single[e.i] = sum
				s.one++
			}
			counts[a.pattern] = s
		}
	}
	for i := range w.atoms {
		a := &w.atoms[i]
		s := counts[a.pattern]
		// Were those that nobody asked for as many at all times, so many would be
		// expected while one request is in flight.
		others := float64(s.none) / float64(max(none, 1)) * float64(one)
		a.background = a.setup || s.none > 0 && others > 0.5*float64(s.one)
		if s.none > 0 && others > 0.005*float64(s.one) || none < idleEnough {
			// Some are nobody's, or come after their request; or there was hardly a
			// time without a request in which that would have been seen.
			single[i] = -1
		}
		if a.idle && float64(s.one)*float64(none) < 5*float64(one) {
			// Nothing was ever asked on its connection but whether it is there,
			// and nobody was away for long enough to see if that goes on.
			single[i] = -1
		}
		if single[i] >= 0 && !a.background && !a.given {
			a.owner, a.known = single[i], rehearse.KnownAlone
		}
	}
	return possible
}

// idleEnough is for how long a service must have had no request before a call that
// is made beside one is certainly for it.
const idleEnough = int64(500 * time.Millisecond)

// until is when the last call that a request caused can have begun.
func (w *worker) until(r *request) int64 {
	if r.left {
		return r.hi + afterLeft
	}
	return r.hi
}

// fits reports whether a request was in flight during an atom's first call.
func (w *worker) fits(a *atom, r *request) bool {
	return a.start >= r.lo && a.start <= r.hi && !slices.Contains(a.calls, r.node) && (w.f.nodes[a.calls[0]].over <= r.hi || r.left || w.f.nodes[a.calls[0]].abandoned)
}

const (
	closeBy = int64(10 * time.Millisecond) // between a connection's two calls of one request, and between a request's last call and its end
	farOff  = int64(50 * time.Millisecond) // what follows a template strays no further
	tries   = 16                           // how many are looked at on each side
)

// match gives requests the atoms that follow what their like did before: those
// that fit best first.
func (w *worker) match() {
	type pair struct {
		request, atom int32
		off           int64
	}
	var pairs []pair
	for i := range w.requests {
		r := &w.requests[i]
		looked := map[int32]bool{}
		for v := range w.templates[r.name] {
			t := &w.templates[r.name][v]
			last := &t.slots[len(t.slots)-1]
			if looked[last.pattern] {
				continue
			}
			looked[last.pattern] = true
			around(w.byEnd[last.pattern], func(a int32) int64 { return w.atoms[a].end }, r.b-t.end, func(a int32, off int64) bool {
				if off <= farOff && w.free(a, int32(i)) {
					pairs = append(pairs, pair{int32(i), a, off})
				}
				return off <= farOff
			})
		}
	}
	slices.SortFunc(pairs, func(x, y pair) int {
		return cmp.Or(cmp.Compare(x.off, y.off), cmp.Compare(x.request, y.request), cmp.Compare(x.atom, y.atom))
	})
	for _, whole := range []bool{true, false} {
		for _, p := range pairs {
			r := &w.requests[p.request]
			if r.template || !w.free(p.atom, p.request) {
				continue
			}
			found := w.follow(p.request, p.atom, whole)
			if found == nil {
				continue
			}
			r.template = true
			known := rehearse.KnownTemplate
			if !whole {
				known = rehearse.KnownNearest
			}
			for _, a := range found {
				if at := &w.atoms[a]; at.owner < 0 {
					at.owner, at.known = p.request, known
				}
			}
		}
	}
}

// around visits what of a sorted list is closest to a value, on both sides.
// Visit returns false to go no further on that side.
func around(sorted []int32, value func(int32) int64, at int64, visit func(i int32, off int64) bool) {
	k, _ := slices.BinarySearchFunc(sorted, at, func(i int32, at int64) int { return cmp.Compare(value(i), at) })
	for j := k; j < min(len(sorted), k+tries); j++ {
		if !visit(sorted[j], value(sorted[j])-at) {
			break
		}
	}
	for j := k - 1; j >= max(0, k-tries); j-- {
		if !visit(sorted[j], at-value(sorted[j])) {
			break
		}
	}
}

// follow finds the atoms of a request whose last one is given, backwards along
// each template of its name. Nil: none is followed as a whole; what must not be
// whole may lack some.
func (w *worker) follow(r, last int32, whole bool) (best []int32) {
	bestOff := int64(-1)
	for v := range w.templates[w.requests[r].name] {
		t := &w.templates[w.requests[r].name][v]
		if t.slots[len(t.slots)-1].pattern != w.atoms[last].pattern {
			continue
		}
		found, off := []int32{last}, distance(w.requests[r].b-w.atoms[last].end, t.end)
		at := last
		for s := len(t.slots) - 2; s >= 0; s-- {
			a, o := w.before(r, at, &t.slots[s], found)
			if a < 0 {
				if whole {
					found = nil
					break
				}
				continue
			}
			found, at, off = append(found, a), a, off+o
		}
		if found != nil && (best == nil || len(found) > len(best) || len(found) == len(best) && off < bestOff) {
			best, bestOff = found, off
		}
	}
	return best
}

// before is the atom that fills a slot, given the one of the next slot, and how
// far it is off.
func (w *worker) before(r, next int32, s *slot, found []int32) (best int32, off int64) {
	best = -1
	n := &w.atoms[next]
	fits := func(a int32) bool {
		return w.atoms[a].pattern == s.pattern && w.free(a, r) && !slices.Contains(found, a)
	}
	if p := n.prev; s.same && p >= 0 && fits(p) && distance(n.start-w.atoms[p].end, s.gap) <= farOff {
		return p, distance(n.start-w.atoms[p].end, s.gap)
	}
	list, value, at := w.byEnd[s.pattern], func(a int32) int64 { return w.atoms[a].end }, n.start-s.gap
	if s.parallel {
		list, value, at = w.byStart[s.pattern], func(a int32) int64 { return w.atoms[a].start }, n.start-s.gap
	}
	around(list, value, at, func(a int32, o int64) bool {
		if fits(a) && (s.parallel || w.atoms[a].end <= n.start+int64(time.Millisecond)) {
			best, off = a, o
			return false
		}
		return true
	})
	return best, off
}

// nearest gives what no template has claimed to the request that ended right
// after it, that has the connection's next call, or that is the only one whose
// time covers it.
func (w *worker) nearest() {
	byEnd := make([]int32, len(w.requests))
	for i := range byEnd {
		byEnd[i] = int32(i)
	}
	slices.SortStableFunc(byEnd, func(x, y int32) int { return cmp.Compare(w.requests[x].b, w.requests[y].b) })
	type pair struct {
		request, atom int32
		off           int64
	}
	var pairs []pair
	open := func(a *atom) bool { return a.owner < 0 && !a.background && !a.given }
	for i := range w.atoms {
		a := &w.atoms[i]
		if !open(a) {
			continue
		}
		around(byEnd, func(r int32) int64 { return w.requests[r].b }, a.end, func(r int32, off int64) bool {
			if off <= closeBy && w.free(int32(i), r) && w.plausible(a, &w.requests[r]) {
				pairs = append(pairs, pair{r, int32(i), off})
			}
			return off <= closeBy
		})
	}
	slices.SortFunc(pairs, func(x, y pair) int {
		return cmp.Or(cmp.Compare(x.off, y.off), cmp.Compare(x.request, y.request), cmp.Compare(x.atom, y.atom))
	})
	ended := make([]bool, len(w.requests))
	for _, p := range pairs {
		if a := &w.atoms[p.atom]; a.owner < 0 && !ended[p.request] && !w.requests[p.request].template {
			a.owner, a.known, ended[p.request] = p.request, rehearse.KnownNearest, true
		}
	}
	for i := len(w.atoms) - 1; i >= 0; i-- {
		a := &w.atoms[i]
		if a.next < 0 || a.given || a.owner >= 0 || a.background && !a.setup {
			continue
		}
		n := &w.atoms[a.next]
		if n.owner >= 0 && n.start-a.end <= closeBy && a.start >= w.requests[n.owner].lo && !slices.Contains(a.calls, w.requests[n.owner].node) && !w.requests[n.owner].template {
			a.owner, a.known = n.owner, rehearse.KnownNearest
		}
	}
	w.only(open)
}

// plausible reports whether a request's templates, if it has any, know of a call
// like the atom's first.
func (w *worker) plausible(a *atom, r *request) bool {
	t := w.templates[r.name]
	return len(t) == 0 || slices.ContainsFunc(t, func(v variant) bool {
		return slices.ContainsFunc(v.slots, func(s slot) bool { return s.head == a.head })
	})
}

// only gives each atom that is left to the one plausible request whose time
// covers it, if there is only one.
func (w *worker) only(open func(*atom) bool) {
	var active []int32
	next, compact := 0, tries
	for i := range w.atoms {
		a := &w.atoms[i]
		for next < len(w.requests) && w.requests[next].lo <= a.start {
			active = append(active, int32(next))
			next++
		}
		if len(active) > compact {
			active = slices.DeleteFunc(active, func(r int32) bool { return w.until(&w.requests[r]) < a.start })
			compact = 2*len(active) + tries
		}
		if !open(a) || a.setup {
			continue
		}
		fitting := int32(-1)
		for _, r := range active {
			if rq := &w.requests[r]; !rq.template && w.free(int32(i), r) && (a.end <= rq.hi || rq.left) && w.plausible(a, rq) {
				if fitting >= 0 {
					fitting = -1
					break
				}
				fitting = r
			}
		}
		if fitting >= 0 {
			a.owner, a.known = fitting, rehearse.KnownNearest
		}
	}
}

// apply writes into the forest what was found.
func (w *worker) apply(possible []bool) {
	for i := range w.atoms {
		a := &w.atoms[i]
		if a.given {
			w.own(a)
			continue
		}
		for k, c := range a.calls {
			n := &w.f.nodes[c]
			switch {
			case a.owner >= 0:
				n.known = a.known
				if k > 0 && a.known == rehearse.KnownAlone {
					n.known = rehearse.KnownOwned
				}
				n.up = w.f.within(w.requests[a.owner].hang, n.begun, n.over)
			case a.background || !possible[i]:
				n.known, n.background = rehearse.KnownRoot, true
			default:
				n.known, n.loose = rehearse.KnownNothing, true
			}
		}
	}
}

// own gives calls of a transaction the parent that another of its calls has from
// an SDK or a header.
func (w *worker) own(a *atom) {
	k := slices.IndexFunc(a.calls, func(c int32) bool { return w.f.nodes[c].up >= 0 })
	if k < 0 {
		return
	}
	up := w.f.nodes[a.calls[k]].up
	for _, c := range a.calls {
		if n := &w.f.nodes[c]; n.up < 0 && n.link && n.span.Parent.IsZero() {
			n.known = rehearse.KnownOwned
			n.up = up
		}
	}
}
