package shape_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

// TestLikeTheKernel holds the model to what Linux 6.18 with CUBIC did over a
// packet emulator: requests of 64 bytes and answers of many sizes. docs/fidelity.md
// has the whole grid; these cells are those where a mistake in one of the model's
// parts shows.
func TestLikeTheKernel(t *testing.T) {
	const fresh, warm = 0, 4 // exchanges before those that count, four where the connection is warm
	tests := []struct {
		name   string
		rtt    float64 // in milliseconds, as all times here
		loss   float64
		rate   rehearse.Rate
		limit  int64
		answer int
		before int
		// 0 is not held: a median that lies between two round trips, a mean
		// that one answer in a hundred decides.
		median, mean float64
	}{
		{"connect and request", 50, 0, 0, 0, 1000, fresh, 101, 101},
		{"second flight", 50, 0, 0, 0, 50_000, fresh, 201, 201},
		{"receive window", 50, 0, 0, 0, 200_000, fresh, 301, 282},
		{"slow start", 50, 0, 0, 0, 1_000_000, fresh, 403, 406},
		{"slow start to the end", 50, 0, 0, 0, 5_000_000, fresh, 504, 517},
		{"open window", 50, 0, 0, 0, 1_000_000, warm, 50.5, 50.6},
		{"largest window", 50, 0, 0, 0, 5_000_000, warm, 101, 101},
		{"long path", 200, 0, 0, 0, 1_000_000, fresh, 1604, 1614},
		{"short path", 5, 0, 0, 0, 1_000_000, fresh, 42, 0},

		{"rate", 50, 0, 10 * rehearse.Mbit, 93_750, 200_000, fresh, 338, 341},
		{"rate and full queue", 50, 0, 10 * rehearse.Mbit, 93_750, 1_000_000, fresh, 1002, 1003},
		{"rate, warm", 50, 0, 10 * rehearse.Mbit, 93_750, 200_000, warm, 216, 216},
		{"high rate", 50, 0, 100 * rehearse.Mbit, 937_500, 5_000_000, fresh, 817, 0},

		{"thin flow under loss", 50, 0.02, 0, 0, 64, warm, 50.4, 62},
		{"connect under loss", 50, 0.02, 0, 0, 1000, fresh, 101, 149},
		{"few losses", 20, 0.001, 0, 0, 1_000_000, warm, 0, 145},
		{"a loss in most answers", 50, 0.005, 0, 0, 200_000, warm, 0, 241},
		{"losses in all", 50, 0.01, 0, 0, 200_000, warm, 504, 482},
		{"bulk under loss", 50, 0.02, 0, 0, 1_000_000, warm, 4925, 4890},
		{"bulk under loss, fresh", 50, 0.02, 0, 0, 1_000_000, fresh, 3703, 3346},
		{"bulk under loss, nearer", 20, 0.01, 0, 0, 5_000_000, warm, 6572, 6572},
		{"bulk under loss, near", 5, 0.02, 0, 0, 5_000_000, warm, 3007, 2994},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := rehearse.Path{Delay: ms(test.rtt / 2), Loss: test.loss, Rate: test.rate, Limit: test.limit}
			connections := 400
			if test.answer > 1_000_000 || test.rate > 0 {
				connections = 30
			}
			var took []float64
			var mean float64
			for i := range connections {
				e, d := shape.Connect(rehearse.TierModel, rand.New(rand.NewPCG(uint64(i), 77)), both(p))
				counted := 1
				if test.before > 0 {
					d, counted = 0, 4
				}
				for range test.before {
					e.Do(64, test.answer)
				}
				for range counted {
					took = append(took, (d+e.Do(64, test.answer)).Seconds()*1000)
				}
			}
			for _, ms := range took {
				mean += ms / float64(len(took))
			}
			slices.Sort(took)
			for _, m := range []struct {
				name      string
				got, want float64
			}{{"median", took[len(took)/2], test.median}, {"mean", mean, test.mean}} {
				if m.want > 0 && math.Abs(m.got/m.want-1) > 0.2 {
					t.Errorf("%s is %.1f ms, the kernel's %.1f (%+.0f %%)", m.name, m.got, m.want, (m.got/m.want-1)*100)
				}
			}
		})
	}
}

// TestExchangeOverStream shows what the tiers differ in: a delay line knows
// neither windows nor loss.
func TestExchangeOverStream(t *testing.T) {
	p := rehearse.Path{Delay: ms(25), Loss: 0.1}
	e, took := shape.Connect(rehearse.TierStream, rand.New(rand.NewPCG(1, 1)), both(p))
	if want := 50 * time.Millisecond; took != want {
		t.Errorf("connecting took %v, want %v", took, want)
	}
	for _, size := range []int{64, 4_000_000} {
		if got, want := e.Do(64, size), 50*time.Millisecond; got != want {
			t.Errorf("%d bytes took %v, want %v", size, got, want)
		}
	}
}
