package synth

import (
	"math"
	"slices"
	"sort"
)

// A node decides for each row of a table which bucket of a column the row falls
// into, and which of that bucket's rows it is. Nothing is drawn: the rows of a
// table are dealt out.
//
// A root deals its table's rows, in a shuffled order, so that each bucket gets
// its exact share. A node that follows another deals the rows of each of that
// one's buckets in turn, by the shares that hold there. It can, because the other
// says not only the bucket but also which of the bucket's rows this is; and it
// can say the same, because how many rows come into each of its buckets from
// each of the other's is known beforehand. So every marginal, and every pair that
// the profile records, has the counts that it should, in a table of any size; and
// any row can be asked for at any time.
//
// A node that follows a column of a referenced row cannot deal, because how many
// rows will see which bucket is not known. It draws, with numbers that are spread
// evenly over the table.
type node struct {
	name  string
	seed  uint64
	rows  int64 // of the table
	width int   // buckets
	on    *node
	via   *reference // on is a node of the referenced table

	// Dealt: for each bucket of on (one for a root) how many rows come before
	// each of our buckets within it (cum), how many rows our bucket has from the
	// other's earlier buckets (base), and the order in which they are dealt.
	cum   [][]int64
	base  [][]int64
	perms []permutation
	total []int64 // rows of each bucket
	// Drawn: cumulative shares for each bucket of on, and one more for rows that
	// refer to nobody.
	shares [][]float64
	spread permutation
}

// place is a bucket, and which of its rows a row is.
type place struct {
	bucket  int
	rank, n int64
}

// dealt reports whether ranks are exact.
func (d *node) dealt() bool { return d.shares == nil }

// deal makes a root of the shares of its buckets. least is how many rows a bucket
// with any share has at least, where there are enough.
func deal(name string, seed uint64, rows int64, shares []float64, least int64, order permutation) *node {
	d := &node{name: name, seed: seed, rows: rows, width: len(shares)}
	d.total = apportion(rows, shares, least)
	d.cum = [][]int64{accumulate(d.total)}
	d.base = [][]int64{make([]int64, len(shares))}
	d.perms = []permutation{order}
	return d
}

// follow makes a node of its shares for each bucket of another of the same table.
func follow(name string, seed uint64, on *node, given [][]float64) *node {
	d := &node{name: name, seed: seed, rows: on.rows, on: on, width: len(given[0])}
	if !on.dealt() {
		d.draw(given, nil)
		return d
	}
	d.total = make([]int64, d.width)
	for p, shares := range given {
		counts := apportion(on.total[p], shares, 0)
		d.cum = append(d.cum, accumulate(counts))
		d.base = append(d.base, slices.Clone(d.total))
		d.perms = append(d.perms, permute(on.total[p], seed+uint64(p)*0x9e37))
		for c, n := range counts {
			d.total[c] += n
		}
	}
	return d
}

// followReferenced makes a node of its shares for each bucket of a node of the
// table that a reference leads to; otherwise are those of rows that refer to
// nobody.
func followReferenced(name string, seed uint64, rows int64, via *reference, on *node, given [][]float64, otherwise []float64) *node {
	d := &node{name: name, seed: seed, rows: rows, on: on, via: via, width: len(otherwise)}
	d.draw(given, otherwise)
	return d
}

func (d *node) draw(given [][]float64, otherwise []float64) {
	if otherwise != nil {
		given = append(slices.Clone(given), otherwise)
	}
	d.spread = permute(d.rows, d.seed)
	d.total = make([]int64, d.width)
	for _, shares := range given {
		var sum, total float64
		for _, s := range shares {
			total += s
		}
		cum := make([]float64, len(shares))
		for c, s := range shares {
			if total > 0 {
				sum += s / total
			} else {
				sum += 1 / float64(len(shares))
			}
			cum[c] = sum
			// What n is for a drawn rank: only its order of magnitude matters.
			d.total[c] = max(d.total[c], int64(math.Ceil(s*float64(d.rows))), 1)
		}
		cum[len(cum)-1] = 2
		d.shares = append(d.shares, cum)
	}
}

// at is where a row falls. Later attempts at a row, after the first has broken a
// constraint, are drawn.
func (d *node) at(row int64, attempt int) place {
	if d.shares != nil {
		return d.drawn(row, attempt)
	}
	var p int
	rank := row
	if d.on != nil {
		above := d.on.at(row, attempt)
		p, rank = above.bucket, above.rank
	}
	return d.dealtAt(p, rank, row, attempt)
}

// dealtAt is at for a node that deals, when it is known where the row falls in
// the node that it follows.
func (d *node) dealtAt(p int, rank, row int64, attempt int) place {
	perm := &d.perms[p]
	var q int64
	if attempt == 0 {
		q = perm.at(rank)
	} else {
		q = below(mix(d.seed^mix(uint64(row)^stir(attempt))), perm.n)
	}
	cum := d.cum[p]
	c := search(cum, q)
	at := place{bucket: c, rank: d.base[p][c] + q - cum[c], n: d.total[c]}
	if attempt > 0 {
		// Between the ranks of first attempts, so that there are other values.
		at.rank, at.n = at.rank*finer+int64(mix(d.seed^uint64(row)^stir(attempt))%finer), at.n*finer
	}
	return at
}

// finer is how many ranks of later attempts lie between two of first ones.
const finer = 1024

func (d *node) drawn(row int64, attempt int) place {
	var p int
	switch {
	case d.via != nil:
		parent, ok := d.via.parent(row, attempt)
		if !ok {
			p = len(d.shares) - 1
		} else {
			p = d.on.at(parent, d.via.to.attempt(parent)).bucket
		}
	default:
		p = d.on.at(row, attempt).bucket
	}
	u := (float64(d.spread.at(row)) + 0.5) / float64(d.rows)
	if attempt > 0 {
		u = unit(mix(d.seed ^ mix(uint64(row)^stir(attempt))))
	}
	cum := d.shares[p]
	c := sort.SearchFloat64s(cum, u)
	var low float64
	if c > 0 {
		low = cum[c-1]
	}
	high := min(cum[c], 1)
	within := 0.5
	if high > low {
		within = (u - low) / (high - low)
	}
	n := d.total[c]
	if attempt > 0 {
		n *= finer
	}
	return place{bucket: c, rank: min(int64(within*float64(n)), n-1), n: n}
}

// search finds the bucket of the q-th row: the last whose start is not above q
// and that has a row.
func search(cum []int64, q int64) int {
	if len(cum) <= 6 {
		c := 0
		for c+2 < len(cum) && cum[c+1] <= q {
			c++
		}
		return c
	}
	// There is one way through the loop, so that no processor has to guess.
	low, n := 0, len(cum)-1
	for n > 1 {
		half := n >> 1
		if mid := low + half; cum[mid] <= q {
			low = mid
		}
		n -= half
	}
	return low
}

// accumulate gives n+1 sums: how many stand before each, and all.
func accumulate(counts []int64) []int64 {
	out := make([]int64, len(counts)+1)
	for i, c := range counts {
		out[i+1] = out[i] + c
	}
	return out
}

// apportion deals n by shares, whole and exactly: the largest remainders get what
// rounding leaves. Every bucket with a share gets at least least, as long as that
// takes no more than half of the rows.
func apportion(n int64, shares []float64, least int64) []int64 {
	out := make([]int64, len(shares))
	var sum float64
	some := 0
	for _, s := range shares {
		if s > 0 {
			sum += s
			some++
		}
	}
	if sum <= 0 {
		if len(out) > 0 {
			out[len(out)-1] = n
		}
		return out
	}
	type part struct {
		i    int
		rest float64
	}
	var parts []part
	left := n
	for i, s := range shares {
		if s <= 0 {
			continue
		}
		exact := s / sum * float64(n)
		out[i] = int64(exact)
		left -= out[i]
		parts = append(parts, part{i, exact - float64(out[i])})
	}
	sort.SliceStable(parts, func(a, b int) bool { return parts[a].rest > parts[b].rest })
	for i := int64(0); i < left; i++ {
		out[parts[i%int64(len(parts))].i]++
	}
	if least > 0 && int64(some)*least*2 <= n {
		for i, s := range shares {
			for s > 0 && out[i] < least {
				largest := 0
				for j := range out {
					if out[j] > out[largest] {
						largest = j
					}
				}
				out[largest]--
				out[i]++
			}
		}
	}
	return out
}
