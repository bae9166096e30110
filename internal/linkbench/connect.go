package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse/internal/figures"
)

// measureConnect opens, uses and resets connections, eight at a time.
func measureConnect(ctx context.Context, b *bench) ([]row, error) {
	const workers, length = 8, 500 * time.Millisecond
	all, stop, err := b.startOpen(ctx, direct, plain, copied, toxiproxy, quiet)
	if err != nil {
		return nil, err
	}
	defer stop()
	got, err := interleave(ctx, 5, all, func(ctx context.Context, c *contestant) (float64, error) {
		var made atomic.Int64
		errs := make(chan error, workers)
		start := time.Now()
		for range workers {
			go func() {
				for time.Since(start) < length {
					conn, err := dialEcho(c.to.Echo)
					if err != nil {
						errs <- err
						return
					}
					conn.Close()
					made.Add(1)
				}
				errs <- nil
			}()
		}
		var failed error
		for range workers {
			if err := <-errs; failed == nil {
				failed = err
			}
		}
		return float64(made.Load()) / time.Since(start).Seconds(), failed
	})
	if err != nil {
		return nil, err
	}
	link := got[plain]
	return []row{compare("connections, 8 at a time", "per second", got, func(v float64) float64 { return v },
		newCheck(each(link, got[direct], divide), "of direct", figures.NoGoal),
		newCheck(each(link, got[toxiproxy], divide), "× Toxiproxy", figures.AtLeast(2)),
		newCheck(each(link, got[copied], divide), "× io.Copy", figures.NoGoal),
		newCheck(each(link, got[quiet], divide), "× Toxiproxy that logs errors only", figures.NoGoal))}, nil
}
