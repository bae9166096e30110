package synth

import (
	"sort"

	"github.com/rehearse-dev/rehearse/internal/profile"
)

// An affinity pairs rows with parents by the classes of both: rows of a class are
// dealt out over the slots of each class of parents, in the numbers that the
// profile has, and within these as they come. So how rows go with their parents
// is kept, for each of a table's references, and every slot is still taken once.
type affinity struct {
	// rows of each class that refer to somebody, and of the parents' classes.
	mine, theirs []int64
	cum, base    [][]int64 // as of a node
	perms        []permutation
	within       []permutation // of the rows of each class of parents
	// parents are ordered by class; before has the slots before each, and start the
	// first slot of each class.
	parents []int32
	before  []int64
	start   []int64
}

// attract makes the affinity of a reference, where both tables have classes and
// the profile says how they go together.
func (r *reference) attract(given []profile.DataGiven) {
	if len(given) == 0 || r.from.class == nil || r.to.class == nil || r.self || r.one || r.bound != nil || r.to.rows > 8<<20 || r.slots == 0 {
		return
	}
	if r.null != nil && r.null.on != r.from.class {
		return
	}
	a := &affinity{mine: make([]int64, r.from.class.width), theirs: make([]int64, r.to.class.width)}
	for c := range a.mine {
		if a.mine[c] = r.from.class.total[c]; r.null != nil {
			a.mine[c] = r.null.cum[c][r.null.width] - r.null.cum[c][1]
		}
	}
	classes := make([]int16, r.to.rows)
	counts := make([]int64, len(a.theirs)+1)
	slots := make([]int64, len(a.theirs))
	for i := range classes {
		c := r.to.class.at(int64(i), 0).bucket
		classes[i] = int16(c)
		counts[c+1]++
		slots[c] += r.fanout(int64(i))
	}
	for c := range slots {
		counts[c+1] += counts[c]
	}
	a.parents = make([]int32, r.to.rows)
	for i, c := range classes {
		a.parents[counts[c]] = int32(i)
		counts[c]++
	}
	a.start = accumulate(slots)
	a.before = make([]int64, 0, len(a.parents)+1)
	var sum int64
	for _, p := range a.parents {
		a.before = append(a.before, sum)
		sum += r.fanout(int64(p))
	}
	a.before = append(a.before, sum)
	a.apportion(given, slots, classLabels(r.from.profile.Classes), classLabels(r.to.profile.Classes), r)
	r.affinity = a
}

// apportion deals the rows of each class out over the classes of parents: as the
// profile says, and so that every class of parents gets as many as it has slots
// (iterative proportional fitting).
func (a *affinity) apportion(given []profile.DataGiven, slots []int64, own, other []string, r *reference) {
	index := map[string]int{}
	for i, l := range other {
		index[l] = i
	}
	m := make([][]float64, len(a.mine))
	for c := range m {
		m[c] = make([]float64, len(slots))
		for p := range m[c] {
			m[c][p] = 1e-6 * float64(slots[p]) / float64(r.slots) // nothing is quite impossible
		}
	}
	for _, g := range given {
		for c, l := range own {
			if l != g.Bucket {
				continue
			}
			for _, s := range g.Then {
				if p, ok := index[s.Name]; ok {
					m[c][p] += s.Share
				}
			}
		}
	}
	stretch := float64(r.taken) / float64(r.slots)
	for range 40 {
		for p := range slots {
			var sum float64
			for c := range m {
				sum += m[c][p]
			}
			if sum > 0 {
				for c := range m {
					m[c][p] *= float64(slots[p]) * stretch / sum
				}
			}
		}
		for c := range m {
			var sum float64
			for _, x := range m[c] {
				sum += x
			}
			if sum > 0 {
				for p := range m[c] {
					m[c][p] *= float64(a.mine[c]) / sum
				}
			}
		}
	}
	a.theirs = make([]int64, len(slots))
	for c := range m {
		counts := apportion(a.mine[c], m[c], 0)
		a.cum = append(a.cum, accumulate(counts))
		base := make([]int64, len(slots))
		copy(base, a.theirs)
		a.base = append(a.base, base)
		for p, n := range counts {
			a.theirs[p] += n
		}
		a.perms = append(a.perms, permute(a.mine[c], r.seed+uint64(c)*7))
	}
	for p := range slots {
		a.within = append(a.within, permute(a.theirs[p], r.seed+uint64(p)*11+5))
	}
}

// parent is the parent of a row of a class: the rank-th of its rows that refer to
// somebody.
func (a *affinity) parent(class int, rank int64) int64 {
	q := a.perms[class].at(rank)
	p := search(a.cum[class], q)
	at := a.within[p].at(a.base[class][p] + q - a.cum[class][p])
	n := a.start[p+1] - a.start[p]
	slot := a.start[p]
	if n > 0 {
		slot += min(int64((float64(at)+0.5)*float64(n)/float64(a.theirs[p])), n-1)
	}
	i := sort.Search(len(a.before)-1, func(i int) bool { return a.before[i+1] > slot })
	return int64(a.parents[min(i, len(a.parents)-1)])
}

// ofClass is the class of a row, and its rank among the class's rows that refer
// to somebody.
func (r *reference) ofClass(row int64) (class int, rank int64, ok bool) {
	at := r.from.class.at(row, 0)
	if r.null == nil {
		return at.bucket, r.from.class.perms[0].at(row) - r.from.class.cum[0][at.bucket], true
	}
	q := r.null.perms[at.bucket].at(at.rank)
	if some := r.null.cum[at.bucket][1]; q >= some {
		return at.bucket, q - some, true
	}
	return 0, 0, false
}
