package shape

import (
	"math"
	"math/rand/v2"

	"github.com/rehearse-dev/rehearse"
)

// Losses says which of one connection's packets a path loses. It is used by one
// goroutine at a time, and nobody else may use its source of randomness
// meanwhile. The same source and the same questions lose the same packets.
type Losses struct {
	rng  *rand.Rand
	path lossy   // what the state below was drawn for
	bad  bool    // in a run of losses
	left int     // packets to go in the run
	z    float64 // the latest draw of a correlated path
}

// lossy is what of a path decides about its losses.
type lossy struct{ loss, burst, correlation float64 }

// NewLosses makes a loss process that draws from rng: one number for each run of
// packets with the same fate, or one for each packet where the losses are
// correlated.
func NewLosses(rng *rand.Rand) Losses { return Losses{rng: rng} }

// Run says what becomes of the next packets, n at most: the first pass get
// through and the lost after them do not. It speaks of at least one packet, and
// of all n unless a loss among them is followed by a packet that passes; ask
// again for the rest.
//
// Losses strike each on its own, or with a Burst above 1 as in Gilbert's model:
// so many in a row on average, and the share of Loss in all. With a Correlation
// and no Burst, each packet's luck takes after that of the packet before, as in
// netem, but the share lost is still Loss; netem's falls short of it.
func (l *Losses) Run(p rehearse.Path, n int) (pass, lost int) {
	want := lossy{min(p.Loss, 1), p.Burst, min(max(p.Correlation, 0), 1)}
	if !(want.loss > 0) || n <= 0 { // not a number is no loss
		return max(n, 0), 0
	}
	if want.loss == 1 {
		return 0, n
	}
	if l.path != want {
		l.path = want
		l.z, l.bad, l.left = l.rng.NormFloat64(), true, 0
		// A run turns into its contrary. The first is of passes, which may be
		// none, but in Gilbert's model it is of losses as often as any packet.
		if want.burst > 1 && l.rng.Float64() < want.loss {
			l.bad = false
		}
	}
	for pass+lost < n {
		for l.left <= 0 {
			l.turn()
		}
		if !l.bad && lost > 0 {
			break
		}
		k := min(l.left, n-pass-lost)
		l.left -= k
		if l.bad {
			lost += k
		} else {
			pass += k
		}
	}
	return pass, lost
}

// turn draws the next run of packets with the same fate. A run may be empty.
func (l *Losses) turn() {
	p := l.path
	switch {
	case p.burst > 1:
		l.bad = !l.bad
		if l.bad {
			l.left = 1 + l.geometric(1/p.burst)
			return
		}
		// The mean run of passes follows from the mean run of losses and
		// their share. It cannot be shorter than a packet.
		enter := min(1, p.loss/(1-p.loss)/p.burst)
		l.left = 1 + l.geometric(enter)
	case p.correlation > 0:
		c := p.correlation
		l.z = c*l.z + math.Sqrt(1-c*c)*l.rng.NormFloat64()
		l.bad, l.left = share(l.z) < p.loss, 1
	default:
		l.bad = !l.bad
		l.left = 1
		if !l.bad {
			l.left = l.geometric(p.loss)
		}
	}
}

// geometric draws how many times something of the given probability fails to
// happen before it does.
func (l *Losses) geometric(probability float64) int {
	if probability >= 1 {
		return 0
	}
	n := math.Log(1-l.rng.Float64()) / math.Log1p(-probability)
	return int(min(n, 1<<40))
}
