package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rehearse-dev/rehearse/internal/figures"
)

// fleet is what many links in one process cost.
type fleet struct {
	create float64 // milliseconds, all of them
	memory float64 // KiB per link
	calls  []time.Duration
}

// measureLinks makes thousands of links, moves bulk through one of them and
// changes others meanwhile.
func measureLinks(ctx context.Context, b *bench) ([]row, error) {
	const links, rounds = 2000, 2
	got := samples[fleet]{}
	for range rounds {
		for _, k := range []kind{plain, toxiproxy} {
			f, err := b.fleet(ctx, k, links)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k, err)
			}
			got[k] = append(got[k], f)
		}
	}
	against := func(name, unit string, number func(fleet) float64) row {
		return compare(name, unit, got, number, newCheck(each(got.of(plain, number), got.of(toxiproxy, number), divide), "of Toxiproxy", figures.NoGoal))
	}
	return []row{
		against("create 2,000 links", "ms", func(f fleet) float64 { return f.create }),
		against("memory of a link, of 2,000", "KiB", func(f fleet) float64 { return f.memory }),
		against("control call beside bulk, p50", "µs", func(f fleet) float64 { return micros(quantile(f.calls, 0.5)) }),
		against("control call beside bulk, p99", "µs", func(f fleet) float64 { return micros(quantile(f.calls, 0.99)) }),
	}, nil
}

func (b *bench) fleet(ctx context.Context, k kind, links int) (fleet, error) {
	all, stop, err := b.startOpen(ctx, k)
	if err != nil {
		return fleet{}, err
	}
	defer stop()
	c := all[0]
	memoryBefore, err := c.Resident()
	if err != nil {
		return fleet{}, err
	}
	start := time.Now()
	for i := range links {
		if _, err := c.proxy(ctx, name(i), b.upstream.Echo); err != nil {
			return fleet{}, err
		}
	}
	f := fleet{create: float64(time.Since(start).Milliseconds())}
	memory, err := c.Resident()
	if err != nil {
		return fleet{}, err
	}
	f.memory = (memory - memoryBefore) / 1024 / float64(links)

	enough := make(chan struct{})
	moved := make(chan error, 1)
	go func() {
		for {
			if _, err := c.transfer(8, 128<<20, true); err != nil {
				moved <- err
				return
			}
			select {
			case <-enough:
				moved <- nil
				return
			default:
			}
		}
	}()
	err = c.control(ctx, &f, links, time.Second)
	close(enough)
	if moveErr := <-moved; err == nil {
		err = moveErr
	}
	return f, err
}

// control asks for the busy link, and sets and takes away a delay on one idle
// link after another.
func (c *contestant) control(ctx context.Context, f *fleet, links int, length time.Duration) error {
	start := time.Now()
	for i := 0; time.Since(start) < length; i++ {
		idle := name(i % links)
		for _, call := range []func() error{
			func() error { return c.show(ctx, "sink") },
			func() error { return c.delay(ctx, idle, "downstream", 50*time.Millisecond) },
			func() error { return c.undelay(ctx, idle) },
		} {
			begun := time.Now()
			if err := call(); err != nil {
				return err
			}
			f.calls = append(f.calls, time.Since(begun))
		}
	}
	return nil
}

// name is a link's in a fleet.
func name(i int) string { return fmt.Sprintf("link-%d", i) }
