package trace

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// variant is one way in which requests of a name went: what they asked for, from
// the first to end to the last.
type variant struct {
	slots []slot
	end   int64 // from the end of the last one to the request's
	count int
}

// slot is one atom of a variant, in relation to the next one.
type slot struct {
	pattern, head int32
	same          bool  // it is on the same connection
	parallel      bool  // it is not over when the next one begins
	gap           int64 // from its end to the next one's start; in parallel, from start to start
}

// maxVariants is how many ways are kept of each name.
const maxVariants = 8

// learn makes templates of the requests whose calls are all certain.
func (w *worker) learn() {
	// How many atoms before each one are neither certain nor background work.
	doubtful := make([]int32, len(w.atoms)+1)
	for i := range w.atoms {
		a := &w.atoms[i]
		doubtful[i+1] = doubtful[i]
		if a.owner < 0 && !a.background {
			doubtful[i+1]++
		}
	}
	owned := map[int32][]int32{}
	for i := range w.atoms {
		if a := &w.atoms[i]; a.owner >= 0 {
			owned[a.owner] = append(owned[a.owner], int32(i))
		}
	}
	type sample struct {
		variant
		gaps [][]int64
		ends []int64
	}
	samples := map[string]map[string]*sample{}
	for i := range w.requests {
		r := &w.requests[i]
		atoms := owned[int32(i)]
		if len(atoms) == 0 || r.left || w.f.nodes[r.node].span.Status == rehearse.StatusError {
			continue
		}
		from, _ := slices.BinarySearchFunc(w.atoms, r.lo, func(a atom, at int64) int { return cmp.Compare(a.start, at) })
		to, _ := slices.BinarySearchFunc(w.atoms, r.hi+1, func(a atom, at int64) int { return cmp.Compare(a.start, at) })
		if doubtful[to] != doubtful[from] {
			continue
		}
		slots, last := w.slots(atoms)
		var sign strings.Builder
		for _, s := range slots {
			fmt.Fprint(&sign, s.pattern, s.same, s.parallel, " ")
		}
		if samples[r.name] == nil {
			samples[r.name] = map[string]*sample{}
		}
		s := samples[r.name][sign.String()]
		if s == nil {
			s = &sample{variant: variant{slots: slots}, gaps: make([][]int64, len(slots))}
			samples[r.name][sign.String()] = s
		}
		s.count++
		s.ends = append(s.ends, r.b-last)
		for k := range slots {
			s.gaps[k] = append(s.gaps[k], slots[k].gap)
		}
	}
	w.templates = map[string][]variant{}
	for name, bySign := range samples {
		var vs []variant
		for _, s := range bySign {
			for k := range s.slots {
				s.slots[k].gap = median(s.gaps[k])
			}
			s.end = median(s.ends)
			vs = append(vs, s.variant)
		}
		slices.SortFunc(vs, func(x, y variant) int {
			return cmp.Or(cmp.Compare(y.count, x.count), slices.CompareFunc(x.slots, y.slots, compareSlots))
		})
		w.templates[name] = vs[:min(len(vs), maxVariants)]
	}
}

func compareSlots(x, y slot) int {
	return cmp.Or(cmp.Compare(x.pattern, y.pattern), cmp.Compare(x.gap, y.gap), cmp.Compare(b2i(x.same), b2i(y.same)), cmp.Compare(b2i(x.parallel), b2i(y.parallel)))
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// slots describe a request's atoms, and say when the last one ended.
func (w *worker) slots(atoms []int32) (slots []slot, last int64) {
	atoms = slices.Clone(atoms)
	slices.SortStableFunc(atoms, func(x, y int32) int { return cmp.Compare(w.atoms[x].end, w.atoms[y].end) })
	slots = make([]slot, len(atoms))
	for k, i := range atoms {
		a := &w.atoms[i]
		slots[k] = slot{pattern: a.pattern, head: a.head}
		if k+1 < len(atoms) {
			next := &w.atoms[atoms[k+1]]
			slots[k].same = a.conn == next.conn
			slots[k].gap = next.start - a.end
			if slots[k].parallel = slots[k].gap < 0; slots[k].parallel {
				slots[k].gap = next.start - a.start
			}
		}
		last = a.end
	}
	return slots, last
}

// median is of a list that is not empty; it sorts it.
func median(of []int64) int64 {
	slices.Sort(of)
	return of[len(of)/2]
}
