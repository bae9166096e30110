package synth

import (
	"sort"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

// A reference leads rows of one table to rows of another, so that the number of
// children per parent is distributed as the profile says.
//
// Each parent has as many slots as it has children. Row after row that refers to
// anybody takes the next slot, in shuffled order, so that every slot is taken
// once.
type reference struct {
	fk       schema.ForeignKey
	from, to *table
	columns  []int // of from, as fk.Columns
	targets  []int // of to, as fk.To
	seed     uint64
	// null decides which rows refer to nobody. Its bucket 0 is NULL.
	null *node
	// children gives the number of children of each parent.
	children *node
	counts   []count
	// one: no parent has two children, by a key of the child's.
	one bool
	// self: a row of the same table, and never the row itself.
	self     bool
	orphans  float64
	affinity *affinity // nil: none
	// bound are positions of columns whose values another reference decides: the
	// parent must have the same there. groups finds such parents.
	bound  []int
	groups map[string][]int32
	key    *keyReader // of parents, while groups are made
	ruled  int        // which of the columns of a rule it decides, from 1; 0: none

	// starts has for every block of parents the number of slots before it. It is
	// made when it is first needed, which Compile sees to.
	starts []int64
	block  int64
	slots  int64
	factor float64
	order  permutation
	any    permutation // of the parents, where slots do not suffice
	taken  int64       // rows that refer to somebody
}

// count is a bucket of the number of children.
type count struct {
	from, to int64
	power    float64
}

// prepare counts the slots.
func (r *reference) prepare() {
	r.taken = r.from.rows
	if r.null != nil {
		r.taken -= r.null.total[0]
	}
	n := r.to.rows
	r.factor = 1
	if !r.one {
		var sum int64
		for i := range n {
			sum += r.raw(i)
		}
		// A few in a hundred are the rounding of the profile; more is another scale,
		// or parents that do not grow with their children.
		if sum > 0 {
			if f := float64(r.taken) / float64(sum); f < 0.97 || f > 1.03 {
				r.factor = f
			}
		}
	}
	r.block = 1
	for n/r.block > 8<<20 {
		r.block *= 2
	}
	r.starts = make([]int64, 0, n/r.block+2)
	var sum int64
	for i := range n {
		if i%r.block == 0 {
			r.starts = append(r.starts, sum)
		}
		sum += r.fanout(i)
	}
	r.starts = append(r.starts, sum)
	r.slots = sum
	if r.one && r.slots < r.taken {
		// More children than the profile has parents with one: any parent will do.
		r.any = permute(n, r.seed)
	}
	if found, ok := r.from.profile.Reference(r.fk.Columns); ok {
		r.attract(found.Affinity)
	}
	r.order = permute(r.taken, r.seed)
	if r.from.driving == r {
		r.order = inOrder(r.taken, false)
	}
}

// raw is the number of children that the profile gives a parent.
func (r *reference) raw(parent int64) int64 {
	p := r.children.at(parent, 0)
	c := r.counts[p.bucket]
	if c.to == c.from {
		return c.from
	}
	u := (float64(p.rank) + 0.5) / float64(p.n)
	return c.from + int64(pow(u, c.power)*float64(c.to-c.from)+0.5)
}

// fanout is the number of slots of a parent.
func (r *reference) fanout(parent int64) int64 {
	n := r.raw(parent)
	if r.factor != 1 {
		f := float64(n) * r.factor
		n = int64(f)
		if unit(mix(r.seed^uint64(parent))) < f-float64(n) {
			n++
		}
	}
	if r.one {
		n = min(n, 1)
	}
	return n
}

// parent is the row that a row refers to, if any. Attempts after the first pick
// other slots, and in the end other parents, so that a combination that must be
// unique is found even where nearly all are taken.
func (r *reference) parent(row int64, attempt int) (int64, bool) {
	rank := row
	if r.null != nil {
		p := r.null.at(row, 0)
		null, forced := r.force(row, attempt)
		switch {
		case forced && null, p.bucket == 0 && (r.one || !forced):
			return 0, false
		case p.bucket > 0:
			rank = r.rankOf(p)
		}
	}
	if r.to.rows == 0 {
		return 0, false
	}
	if r.bound != nil {
		return r.boundParent(row, attempt)
	}
	var parent int64
	switch {
	case r.any.n > 0:
		if rank >= r.any.n {
			return 0, false // everybody has one
		}
		parent = r.any.at(rank)
	case r.slots == 0:
		parent = below(mix(r.seed^uint64(row)^stir(attempt)), r.to.rows)
	case attempt == 0 && r.affinity != nil:
		class, rank, ok := r.ofClass(row)
		if !ok {
			return 0, false
		}
		parent = r.affinity.parent(class, rank)
	case attempt == 0 || r.one || r.from.driving == r && attempt < 12:
		parent = r.ofSlot(r.slotOf(r.order.at(rank)))
	case attempt < 12:
		parent = r.ofSlot(below(mix(r.seed^mix(uint64(row)^stir(attempt))), r.slots))
	default:
		parent = (below(mix(r.seed^uint64(row)), r.to.rows) + int64(attempt)) % r.to.rows
	}
	if r.self {
		parent = r.above(parent, row)
	}
	return parent, true
}

// force says what a later attempt wants of a reference that a rule is about: that
// it leads nowhere, or somewhere.
func (r *reference) force(row int64, attempt int) (null, forced bool) {
	if r.ruled == 0 || attempt < plainAttempts {
		return false, false
	}
	if attempt < nullAttempts {
		return attempt>>(uint(r.ruled-1)%5)&1 == 1, true
	}
	x := mix(r.seed^uint64(row)^stir(attempt)) & 7
	return x == 0, x < 4
}

// rankOf numbers the rows that refer to somebody: those of bucket 1 first.
func (r *reference) rankOf(p place) int64 {
	rank := p.rank
	for c := 1; c < p.bucket; c++ {
		rank += r.null.total[c]
	}
	return rank
}

// slotOf stretches the rows over the slots.
func (r *reference) slotOf(rank int64) int64 {
	if r.taken == r.slots {
		return rank
	}
	return min(int64((float64(rank)+0.5)*float64(r.slots)/float64(r.taken)), r.slots-1)
}

// ofSlot is the parent that a slot belongs to.
func (r *reference) ofSlot(slot int64) int64 {
	b := sort.Search(len(r.starts)-1, func(i int) bool { return r.starts[i+1] > slot })
	parent := int64(b) * r.block
	if r.block == 1 {
		return parent
	}
	for before := r.starts[b]; ; parent++ {
		if before += r.fanout(parent); before > slot {
			return parent
		}
	}
}

// above keeps trees trees: the parent of a row stands before it, and is one that
// has children. The first row, which has nobody before it, refers to itself where
// it must refer to somebody.
func (r *reference) above(parent, row int64) int64 {
	for try := uint64(0); parent >= row && try < 16 && r.slots > 0; try++ {
		parent = r.ofSlot(below(mix(r.seed^mix(uint64(row)^try<<40)), max(r.starts[min(row/r.block, int64(len(r.starts)-1))], 1)))
	}
	if parent < row {
		return parent
	}
	return below(mix(r.seed^uint64(row)), max(row, 1))
}
