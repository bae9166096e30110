package fidelity

import (
	"math"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// The goals of tier model: how far it may be from tier packet. A p99 is judged
// where there are enough samples, and on paths with loss only: on the others
// there is no chance but the machine's.
const (
	goal50, goal99 = 0.20, 0.30
	enoughFor99    = 100

	// How often chance alone may look like a miss. There are hundreds of cells,
	// and the tail of one is a handful of samples that may be seconds apart,
	// while a median that is a little outside is still within its goal.
	rare50, rare99 = 1. / 20, 1. / 1000
)

// Comparison is a cell of two tiers beside the packets' truth.
type Comparison struct {
	Truth         Result
	Model, Stream Result
	// Error50 and Error99 are how far the model is from what was measured, as a
	// share of it, beyond what chance explains: both are samples.
	Error50, Error99 float64
}

// compare judges what was measured of a cell.
func compare(truth Result) Comparison {
	n := 1000
	if truth.Loss == 0 {
		n = 40 // there is no chance in it but where the sender's clock stands
	}
	switch {
	case truth.Loss > 0 && truth.Size <= 10_000:
		n = 5000 // quick, and few of them see a loss
	case expected(truth.Cell) > 20*truth.RTT:
		n = 300
	}
	model := virtual(rehearse.TierModel, truth.Cell, n)
	stream := virtual(rehearse.TierStream, truth.Cell, measured)
	c := Comparison{
		Truth:  truth,
		Model:  summarise(truth.Cell, model, nil),
		Stream: summarise(truth.Cell, stream, nil),
	}
	// The measured connections of a warm cell gave several samples each, which
	// take after one another: they count for one.
	independent := truth.N
	if truth.Warm {
		independent = max(1, truth.N/measured)
	}
	c.Error50 = beyond(truth.P50, model, 0.50, independent, rare50)
	c.Error99 = beyond(truth.P99, model, 0.99, independent, rare99)
	return c
}

// beyond is how far a quantile of n measurements lies outside of where it would
// fall, had they been drawn from the model, but for so rare a chance; 0 inside.
func beyond(truth float64, model []time.Duration, q float64, n int, rare float64) float64 {
	low, high := chance(q, n, rare)
	least, most := at(model, low), at(model, high)
	switch {
	case truth > most && (1-high)*float64(len(model)) < 1 && truth > at(model, 1):
		return 0 // so rare that the model may not have drawn it
	case truth > most:
		return most/truth - 1
	case truth < least:
		return least/truth - 1
	}
	return 0
}

// chance is between which quantiles of a distribution the q-th of n samples of
// it lies but for so rare a chance, from the binomial distribution of how many of
// them are below a point.
func chance(q float64, n int, rare float64) (low, high float64) {
	rank := min(int(q*float64(n)), n-1) // as at takes it, from 0
	below := func(p float64) float64 {  // the sample of that rank is below the p-th quantile
		var sum float64
		for k := rank + 1; k <= n; k++ {
			a, _ := math.Lgamma(float64(n + 1))
			b, _ := math.Lgamma(float64(k + 1))
			c, _ := math.Lgamma(float64(n - k + 1))
			sum += math.Exp(a - b - c + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
		}
		return sum
	}
	find := func(share float64) float64 {
		from, to := 0.0, 1.0
		for range 40 {
			if middle := (from + to) / 2; below(middle) < share {
				from = middle
			} else {
				to = middle
			}
		}
		return (from + to) / 2
	}
	return find(rare / 2), find(1 - rare/2)
}

// outside reports whether the model misses a goal in a cell.
func (c Comparison) outside() bool {
	return math.Abs(c.Error50) > goal50 || c.judged99() && math.Abs(c.Error99) > goal99
}

func (c Comparison) judged99() bool { return c.Truth.N >= enoughFor99 && c.Truth.Loss > 0 }

// raw50 is how far a tier's median is from the measured one, chance and all.
func raw50(truth, tier Result) float64 { return tier.P50/truth.P50 - 1 }
