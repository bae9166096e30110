package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/rehearse-dev/rehearse/internal/figures"
)

// trips are the round trips of several connections, in all.
type trips struct {
	took    []time.Duration
	seconds float64
}

func (t trips) p50() float64  { return micros(quantile(t.took, 0.5)) }
func (t trips) p99() float64  { return micros(quantile(t.took, 0.99)) }
func (t trips) rate() float64 { return float64(len(t.took)) / t.seconds }

// pace is how connections share their time. The zero value is as fast as can be.
type pace struct {
	spread time.Duration // over which their beginnings are spread
	rest   time.Duration // after each answer
}

// converse exchanges 64 bytes again and again for a while on all connections at
// once, and once at least on each.
func converse(conns []*net.TCPConn, length time.Duration, p pace) (trips, error) {
	type result struct {
		took []time.Duration
		err  error
	}
	results := make(chan result, len(conns))
	start := time.Now()
	for i, c := range conns {
		go func() {
			var r result
			buf := make([]byte, 64)
			time.Sleep(p.spread * time.Duration(i) / time.Duration(len(conns)))
			for more := true; more; more = r.err == nil && time.Since(start) < length {
				begun := time.Now()
				r.err = exchange(c, buf)
				r.took = append(r.took, time.Since(begun))
				time.Sleep(p.rest)
			}
			results <- r
		}()
	}
	var t trips
	var failed error
	for range conns {
		r := <-results
		t.took = append(t.took, r.took...)
		if failed == nil {
			failed = r.err
		}
	}
	t.seconds = time.Since(start).Seconds()
	return t, failed
}

// talk opens connections and converses on them.
func (c *contestant) talk(conns int, length time.Duration, p pace) (trips, error) {
	open, err := dialEchoes(c.to.Echo, conns)
	defer closeAll(open)
	if err != nil {
		return trips{}, err
	}
	return converse(open, length, p)
}

func measureRoundTrip(ctx context.Context, b *bench) ([]row, error) {
	all, stop, err := b.startOpen(ctx, direct, plain, copied, toxiproxy)
	if err != nil {
		return nil, err
	}
	defer stop()
	one, err := interleave(ctx, 7, all, func(ctx context.Context, c *contestant) (trips, error) {
		return c.talk(1, 300*time.Millisecond, pace{})
	})
	if err != nil {
		return nil, fmt.Errorf("1 connection: %w", err)
	}
	added := func(k kind, number func(trips) float64) []float64 {
		return each(one.of(k, number), one.of(direct, number), subtract)
	}
	rows := []row{
		compare("64 B round trip, 1 connection, p50", "µs", one, trips.p50,
			newCheck(added(plain, trips.p50), "µs added", figures.AtMost(25)),
			newCheck(added(copied, trips.p50), "µs added by io.Copy", figures.NoGoal),
			newCheck(added(toxiproxy, trips.p50), "µs added by Toxiproxy", figures.NoGoal)),
		compare("64 B round trip, 1 connection, p99", "µs", one, trips.p99,
			newCheck(added(plain, trips.p99), "µs added", figures.NoGoal),
			newCheck(added(toxiproxy, trips.p99), "µs added by Toxiproxy", figures.NoGoal)),
	}
	many, err := interleave(ctx, 5, all, func(ctx context.Context, c *contestant) (trips, error) {
		return c.talk(32, 300*time.Millisecond, pace{})
	})
	if err != nil {
		return rows, fmt.Errorf("32 connections: %w", err)
	}
	return append(rows, compareRates("64 B round trips, 32 connections", "per second", many, trips.rate)), nil
}

// measureBusy is a thousand connections that all speak at once.
func measureBusy(ctx context.Context, b *bench) ([]row, error) {
	const conns = 1000
	all, stop, err := b.startOpen(ctx, direct, plain, toxiproxy)
	if err != nil {
		return nil, err
	}
	defer stop()
	got, err := interleave(ctx, 3, all, func(ctx context.Context, c *contestant) (trips, error) {
		return c.talk(conns, 700*time.Millisecond, pace{})
	})
	if err != nil {
		return nil, err
	}
	return []row{
		compareRates("64 B round trips, 1,000 connections", "per second", got, trips.rate),
		compare("64 B round trip, 1,000 connections, p50", "µs", got, trips.p50),
		compare("64 B round trip, 1,000 connections, p99", "µs", got, trips.p99),
	}, nil
}

// compare is a row of one number of every contestant.
func compare[T any](name, unit string, got samples[T], number func(T) float64, checks ...check) row {
	r := row{Case: name, Unit: unit, Checks: checks}
	for k, to := range map[kind]**figure{direct: &r.Direct, plain: &r.Link, toxiproxy: &r.Toxiproxy} {
		if values := got.of(k, number); len(values) > 0 {
			*to = newFigure(values)
		}
	}
	return r
}

// compareRates is a row of which more is better, and for which there is no goal.
func compareRates[T any](name, unit string, got samples[T], number func(T) float64) row {
	link := got.of(plain, number)
	return compare(name, unit, got, number,
		newCheck(each(link, got.of(direct, number), divide), "of direct", figures.NoGoal),
		newCheck(each(link, got.of(toxiproxy, number), divide), "× Toxiproxy", figures.NoGoal))
}
