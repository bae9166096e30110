package explain

import "math"

// chance is how sure one probe is: the probability that it fails under conditions
// that make the leg fail, and under conditions that do not.
type chance struct{ bad, good float64 }

// usual is assumed of probes until production itself is seen to fail less often:
// one in ten says what is not so, be it the project or the machine.
var usual = chance{bad: 0.9, good: 0.1}

// seldom is the chance where conditions that make the leg fail did so in only some
// of their probes: one standard deviation below that share, for what few probes say
// too well costs more than what they say too badly.
func seldom(failed, probes int) chance {
	share := float64(failed) / float64(probes)
	bad := min(max(share-math.Sqrt(share*(1-share)/float64(probes)), 0.3), usual.bad)
	return chance{bad: bad, good: bad / 9}
}

// weight is the logarithm of how much more likely an outcome is where the
// conditions make the leg fail.
func (c chance) weight(failed bool) float64 {
	if failed {
		return math.Log(c.bad / c.good)
	}
	return math.Log((1 - c.bad) / (1 - c.good))
}

// bound is the sum of weights at which Wald's sequential test of two hypotheses
// decides with this probability of being wrong, either way.
func bound(wrong float64) float64 { return math.Log((1 - wrong) / wrong) }

// glance is the bound of a single usual probe: what is enough to go on with a
// search whose result is proven afterwards.
var glance = usual.weight(true) - 1e-9

// sure is the probability that a decision is right which was made at a sum of
// weights, where either was as likely before.
func sure(sum float64) float64 { return 1 / (1 + math.Exp(-math.Abs(sum))) }

// most is how many probes a decision may take: as many as it takes where all say
// that the leg passes, and again half as many and four.
func (c chance) most(bound float64) int {
	return int(math.Ceil(1.5*bound/-c.weight(false))) + 4
}

// posterior is what is known of a threshold: the probability that it lies in each
// cell of a grid. A leg fails at the values of a cell's upper end and beyond, if the
// threshold lies in it or below.
type posterior []float64

func newPosterior(cells int) posterior {
	p := make(posterior, cells)
	for i := range p {
		p[i] = 1 / float64(cells)
	}
	return p
}

// learn takes in the outcome of one probe at the upper end of a cell.
func (p posterior) learn(c chance, cell int, failed bool) {
	var sum float64
	for i := range p {
		like := c.good
		if i <= cell {
			like = c.bad
		}
		if !failed {
			like = 1 - like
		}
		p[i] *= like
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
}

// next is the cell at whose upper end a probe tells most: the one that leaves as
// much on one side as on the other.
func (p posterior) next() int {
	best, off := 0, math.Inf(1)
	var sum float64
	for i := range p {
		sum += p[i]
		if d := math.Abs(sum - 0.5); d < off {
			best, off = i, d
		}
	}
	return best
}

// window is the shortest row of cells that holds the threshold with a probability,
// its first and last, and with what probability it does.
func (p posterior) window(confidence float64) (first, last int, mass float64) {
	first, last, mass = 0, len(p)-1, 1
	for i := range p {
		var sum float64
		for j := i; j < len(p) && j-i < last-first; j++ {
			if sum += p[j]; sum >= confidence {
				first, last, mass = i, j, sum
				break
			}
		}
	}
	return first, last, mass
}
