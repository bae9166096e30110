package measure

import "math"

// maxHashes bounds how many distinct values are told apart exactly.
const maxHashes = 1 << 17

// hash is FNV-1a with its bits mixed once more: the lowest decide what is kept.
// It is the same in every process, so that estimates are.
func hash(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h ^= h >> 32
	h *= 0x9e3779b97f4a7c15
	return h ^ h>>29
}

// distinct counts distinct values. When there are too many it goes on with every
// second, every fourth and so on of all possible values (Wegman's adaptive
// sampling), which leaves counts that are estimates but no bias.
type distinct struct {
	level  int
	counts map[uint64]uint32
}

func (d *distinct) add(value []byte) {
	h := hash(value)
	if h&(1<<d.level-1) != 0 {
		return
	}
	if d.counts == nil {
		d.counts = map[uint64]uint32{}
	}
	d.counts[h]++
	for len(d.counts) > maxHashes {
		d.level++
		for h := range d.counts {
			if h&(1<<d.level-1) != 0 {
				delete(d.counts, h)
			}
		}
	}
}

// values is how many distinct values there were, and once how many of them came
// once.
func (d *distinct) values() (values, once int64) {
	for _, n := range d.counts {
		if n == 1 {
			once++
		}
	}
	return int64(len(d.counts)) << d.level, once << d.level
}

// exact reports whether values counts and does not estimate.
func (d *distinct) exact() bool { return d.level == 0 }

// estimateDistinct is how many distinct values a table has of which a sample is
// known: the estimator Duj1 of Haas and Stokes, as in PostgreSQL, or what the
// planner says if that is more. Both tend to be low.
func estimateDistinct(sampled, values, once, rows int64, planner float64) int64 {
	if sampled == 0 || rows == 0 {
		return 0
	}
	n, d, f1, all := float64(sampled), float64(values), float64(once), float64(max(rows, sampled))
	estimate := n * d / (n - f1 + f1*n/all)
	if planner < 0 {
		planner *= -all
	}
	return int64(math.Round(min(max(estimate, planner, d), all)))
}
