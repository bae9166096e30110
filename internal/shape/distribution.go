package shape

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Dice draws the one-way delays of one connection's packets. It is used by one
// goroutine at a time, and nobody else may use its source of randomness
// meanwhile. The same source and the same questions give the same delays.
type Dice struct {
	rng *rand.Rand
	// z is the latest draw, as a standard normal number, and drawn whether
	// there was one. The next takes after it where the path is correlated.
	z     float64
	drawn bool
}

// NewDice makes dice that draw from rng: one number per delay while the path has
// jitter, and none otherwise.
func NewDice(rng *rand.Rand) Dice { return Dice{rng: rng} }

// Delay draws a one-way delay of the path. It is never below 0: no byte arrives
// before it was sent. A distribution that is not known is Normal.
func (d *Dice) Delay(p rehearse.Path) time.Duration { return d.Longest(p, 1) }

// Longest draws the longest of n delays of the path. As packets never overtake
// one another, n of them sent at once have all arrived after that.
func (d *Dice) Longest(p rehearse.Path, n int) time.Duration {
	mean := min(max(0, time.Duration(p.Delay)), longest)
	if p.Jitter <= 0 || p.Distribution == rehearse.Constant {
		return mean
	}
	stray := d.draw(p.Correlation)
	if n > 1 {
		// The largest of n draws has a share u of its distribution below it
		// where each single one has u^(1/n).
		u := math.Pow(share(stray), 1/float64(n))
		stray = math.Sqrt2 * math.Erfinv(2*u-1)
	}
	switch p.Distribution {
	case rehearse.Uniform:
		stray = 2*share(stray) - 1
	case rehearse.Pareto:
		stray = pareto(share(-stray))
	}
	// The product is bounded as a float: converting one that is too large for
	// an integer is undefined.
	j := min(max(stray*float64(p.Jitter), -float64(longest)), float64(longest))
	return min(max(0, mean+time.Duration(j)), longest)
}

// draw is a standard normal number that has the given correlation with the one
// before it. Whatever else a delay is drawn from is made of its quantile, so
// that correlation leaves every distribution as it is.
func (d *Dice) draw(correlation float64) float64 {
	z := d.rng.NormFloat64()
	if c := min(max(correlation, 0), 1); c > 0 && d.drawn {
		z = c*d.z + math.Sqrt(1-c*c)*z
	}
	d.z, d.drawn = z, true
	return z
}

// share is the part of the standard normal distribution below z.
func share(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// pareto is the value of a Pareto distribution of tail index 3 that a share of
// it exceeds, moved and scaled to mean 0 and deviation 1. With a least value of m
// its mean is 3m/2 and its deviation m·√3/2.
func pareto(above float64) float64 {
	const m = 2 / 1.7320508075688772
	return m * (1/math.Cbrt(max(above, 1e-15)) - 1.5)
}
