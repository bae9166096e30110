package packet

import (
	"math/rand/v2"

	"github.com/rehearse-dev/rehearse/internal/shape"
)

// dice are the chance of one lane. Each effect has its own sequence, so that one
// that is switched on leaves the packets that another strikes as they were.
type dice struct {
	jitter                      shape.Dice
	losses                      shape.Losses
	duplicate, reorder, corrupt *rand.Rand
}

func newDice(seed, lane uint64) dice {
	sequence := func(effect uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, lane<<8|effect)) }
	return dice{
		jitter: shape.NewDice(sequence(1)), losses: shape.NewLosses(sequence(2)),
		duplicate: sequence(3), reorder: sequence(4), corrupt: sequence(5),
	}
}

// lost draws the fate of the next packet.
func (d *dice) lost(p *path) bool {
	_, lost := d.losses.Run(p.Path, 1)
	return lost > 0
}

// delay draws a delay in nanoseconds.
func (d *dice) delay(p *path) int64 { return int64(d.jitter.Delay(p.Path)) }

// strikes draws one event of a share.
func strikes(r *rand.Rand, share float64) bool { return share > 0 && r.Float64() < share }
