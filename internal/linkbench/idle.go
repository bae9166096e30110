package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rehearse-dev/rehearse/internal/figures"
)

// idleness is what connections cost that nothing moves on.
type idleness struct {
	memory      float64 // KiB per connection
	descriptors float64 // per connection
	cpu         float64 // milliseconds per second, all of them
}

// measureIdle holds connections open that have each carried one byte. Every
// round has processes of its own: memory that was once used is not soon given
// back.
func measureIdle(ctx context.Context, b *bench) ([]row, error) {
	const conns, rounds = 5000, 2
	got := samples[idleness]{}
	for range rounds {
		for _, k := range []kind{plain, watched, toxiproxy} {
			s, err := b.idle(ctx, k, conns)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k, err)
			}
			got[k] = append(got[k], s)
		}
	}
	memory := func(s idleness) float64 { return s.memory }
	descriptors := func(s idleness) float64 { return s.descriptors }
	cpu := func(s idleness) float64 { return s.cpu }
	return []row{
		compare("memory of an idle connection, of 5,000", "KiB", got, memory,
			newCheck(each(got.of(plain, memory), got.of(toxiproxy, memory), divide), "of Toxiproxy", figures.AtMost(0.25)),
			newCheck(each(got.of(watched, memory), got.of(toxiproxy, memory), divide), "of Toxiproxy, watched", figures.NoGoal)),
		compare("descriptors of an idle connection", "each", got, descriptors),
		compare("processor, 5,000 idle connections", "ms/s", got, cpu),
	}, nil
}

func (b *bench) idle(ctx context.Context, k kind, conns int) (idleness, error) {
	all, stop, err := b.startOpen(ctx, k)
	if err != nil {
		return idleness{}, err
	}
	defer stop()
	c := all[0]
	memoryBefore, err := c.Resident()
	if err != nil {
		return idleness{}, err
	}
	filesBefore, err := c.Descriptors()
	if err != nil {
		return idleness{}, err
	}
	open, err := dialEchoes(c.to.Echo, conns)
	defer closeAll(open)
	if err != nil {
		return idleness{}, err
	}
	// What was under way settles.
	pause(ctx, 500*time.Millisecond)
	memory, err := c.Resident()
	if err != nil {
		return idleness{}, err
	}
	files, err := c.Descriptors()
	if err != nil {
		return idleness{}, err
	}
	cpuBefore, err := c.CPU()
	if err != nil {
		return idleness{}, err
	}
	pause(ctx, time.Second)
	cpu, err := c.CPU()
	return idleness{
		memory:      (memory - memoryBefore) / 1024 / float64(conns),
		descriptors: (files - filesBefore) / float64(conns),
		cpu:         float64((cpu - cpuBefore).Milliseconds()),
	}, err
}
