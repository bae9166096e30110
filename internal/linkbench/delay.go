package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/rehearse-dev/rehearse/internal/figures"
)

// measureDelay asks for 50 ms on the way back and looks at how much more a round
// trip takes than that and the direct one together. Directly, a client rests for
// 50 ms after each answer: it has no more to do than one that waits so long for
// it, and a processor that has rested is slower to wake.
func measureDelay(ctx context.Context, b *bench) ([]row, error) {
	const asked, length = 50 * time.Millisecond, 1500 * time.Millisecond
	all, stop, err := b.startOpen(ctx, direct, plain, toxiproxy)
	if err != nil {
		return nil, err
	}
	defer stop()
	for _, c := range all {
		if c.kind == direct {
			continue
		}
		if err := c.delay(ctx, "echo", "downstream", asked); err != nil {
			return nil, err
		}
	}
	var rows []row
	for _, v := range []struct {
		conns int
		name  string
	}{{1, "1 connection"}, {100, "100 connections"}} {
		got, err := interleave(ctx, 4, all, func(ctx context.Context, c *contestant) (trips, error) {
			if c.kind == direct {
				return c.talk(v.conns, length, pace{spread: asked, rest: asked})
			}
			t, err := c.talk(v.conns, length, pace{spread: asked})
			for i := range t.took {
				t.took[i] -= asked
			}
			return t, err
		})
		if err != nil {
			return rows, fmt.Errorf("%s: %w", v.name, err)
		}
		base := got.of(direct, trips.p50)
		excess := func(k kind, number func(trips) float64) []float64 {
			return each(got.of(k, number), base, subtract)
		}
		rows = append(rows,
			row{
				Case: "error of a 50 ms delay, " + v.name + ", p50", Unit: "µs",
				Link: newFigure(excess(plain, trips.p50)), Toxiproxy: newFigure(excess(toxiproxy, trips.p50)),
				Checks: []check{
					newCheck(each(excess(plain, trips.p50), base, func(e, _ float64) float64 { return math.Abs(e) }), "µs off", figures.AtMost(100)),
					newCheck(base, "µs is a round trip directly", figures.NoGoal),
				},
			},
			row{
				Case: "error of a 50 ms delay, " + v.name + ", p99", Unit: "µs",
				Link: newFigure(excess(plain, trips.p99)), Toxiproxy: newFigure(excess(toxiproxy, trips.p99)),
			})
	}
	return rows, nil
}
