package fidelity

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

// virtual measures a cell on a tier that is arithmetic, in virtual time: the
// same answer on every machine. It returns at least n times, sorted.
func virtual(tier rehearse.Tier, c Cell, n int) []time.Duration {
	var took []time.Duration
	for i := uint64(0); len(took) < n; i++ {
		rng := rand.New(rand.NewPCG(i, uint64(c.RTT)^uint64(c.Size)<<32^math.Float64bits(c.Loss)))
		e, connect := shape.Connect(tier, rng, path(c.RTT, c.Loss))
		if !c.Warm {
			took = append(took, connect+e.Do(requestSize, c.Size))
			continue
		}
		for range before {
			e.Do(requestSize, c.Size)
		}
		for range measured {
			took = append(took, e.Do(requestSize, c.Size))
		}
	}
	slices.Sort(took)
	return took
}

// path is the shape with a round trip and a loss each way.
func path(rtt time.Duration, loss float64) rehearse.Shape {
	s := rehearse.Symmetric(rtt, 0, 0)
	s.Up.Loss, s.Down.Loss = loss, loss
	return s
}
