package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse/internal/figures"
)

// transfer is what one bulk transfer took.
type transfer struct {
	bytes   float64
	seconds float64
	cpu     float64 // seconds of the proxy's
}

func (t transfer) rate() float64     { return t.bytes / 1e6 / t.seconds }
func (t transfer) cpuPerGB() float64 { return t.cpu / (t.bytes / 1e9) }

// measureBulk moves as many bytes as take some 0.4 s.
func measureBulk(ctx context.Context, b *bench) ([]row, error) {
	const goal = 400 * time.Millisecond
	all, stop, err := b.startOpen(ctx, direct, plain, copied, toxiproxy)
	if err != nil {
		return nil, err
	}
	defer stop()
	var rows []row
	for _, v := range []struct {
		conns int
		push  bool
		name  string
	}{
		{1, true, "push, 1 connection"}, {1, false, "pull, 1 connection"},
		{8, true, "push, 8 connections"}, {8, false, "pull, 8 connections"},
	} {
		sizes := map[kind]int64{} // found in the warm-up
		got, err := interleave(ctx, 5, all, func(_ context.Context, c *contestant) (transfer, error) {
			size := sizes[c.kind]
			if size == 0 {
				size = 64 << 20
			}
			t, err := c.transfer(v.conns, size, v.push)
			if err == nil {
				sizes[c.kind] = min(max(int64(t.bytes/t.seconds*goal.Seconds()), 16<<20), 8<<30)
			}
			return t, err
		})
		if err != nil {
			return rows, fmt.Errorf("%s: %w", v.name, err)
		}
		rows = append(rows, bulkRows(v.name, got)...)
	}
	return rows, nil
}

func bulkRows(name string, got samples[transfer]) []row {
	rates := func(k kind) []float64 { return got.of(k, transfer.rate) }
	costs := func(k kind) []float64 { return got.of(k, transfer.cpuPerGB) }
	return []row{
		{
			Case: "bulk " + name, Unit: "MB/s",
			Direct: newFigure(rates(direct)), Link: newFigure(rates(plain)), Toxiproxy: newFigure(rates(toxiproxy)),
			Checks: []check{
				newCheck(each(rates(plain), rates(direct), divide), "of direct", figures.AtLeast(0.55)),
				newCheck(each(rates(plain), rates(toxiproxy), divide), "× Toxiproxy", figures.AtLeast(4)),
				newCheck(each(rates(plain), rates(copied), divide), "× io.Copy", figures.NoGoal),
			},
		}, {
			Case: "processor, " + name, Unit: "s/GB",
			Link: newFigure(costs(plain)), Toxiproxy: newFigure(costs(toxiproxy)),
			Checks: []check{
				newCheck(each(costs(plain), costs(toxiproxy), divide), "of Toxiproxy", figures.AtMost(1.0/8)),
				newCheck(each(costs(plain), costs(copied), divide), "× io.Copy", figures.NoGoal),
			},
		},
	}
}

// transfer moves size bytes over so many connections at once.
func (c *contestant) transfer(conns int, size int64, push bool) (transfer, error) {
	address, move := c.to.Source, pull
	if push {
		address, move = c.to.Sink, pushTo
	}
	open, err := dialAll(address, conns)
	defer closeAll(open)
	if err != nil {
		return transfer{}, err
	}
	share := size / int64(conns)
	run := func(n int64) error {
		errs := make(chan error, conns)
		for _, conn := range open {
			go func() { errs <- move(conn, n) }()
		}
		var first error
		for range conns {
			if err := <-errs; first == nil {
				first = err
			}
		}
		return first
	}
	// The way to the upstream is open when a first block has passed.
	if err := run(blockSize); err != nil {
		return transfer{}, err
	}
	before, err := c.used()
	if err != nil {
		return transfer{}, err
	}
	start := time.Now()
	if err := run(share); err != nil {
		return transfer{}, err
	}
	t := transfer{bytes: float64(share * int64(conns)), seconds: time.Since(start).Seconds()}
	after, err := c.used()
	t.cpu = (after - before).Seconds()
	return t, err
}

// used is the processor time of the contestant's process, if it has one.
func (c *contestant) used() (time.Duration, error) {
	if c.Process == nil {
		return 0, nil
	}
	return c.CPU()
}

var blocks = sync.Pool{New: func() any { return new([blockSize]byte) }}

func pushTo(c net.Conn, n int64) error {
	buf := blocks.Get().(*[blockSize]byte)
	defer blocks.Put(buf)
	if err := writeNumber(c, n); err != nil {
		return err
	}
	if err := fill(c, buf[:], n); err != nil {
		return err
	}
	return drain(c, buf[:], 1)
}

func pull(c net.Conn, n int64) error {
	buf := blocks.Get().(*[blockSize]byte)
	defer blocks.Put(buf)
	if err := writeNumber(c, n); err != nil {
		return err
	}
	return drain(c, buf[:], n)
}
