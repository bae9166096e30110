package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/rehearse-dev/rehearse/internal/figures"
)

// measureDeaf fills a link whose upstream never reads, and then calls for it. A
// call that has no answer in time counts as all of the time: it hangs.
func measureDeaf(ctx context.Context, b *bench) ([]row, error) {
	const limit = 2 * time.Second
	got := samples[time.Duration]{}
	for _, k := range []kind{plain, toxiproxy} {
		worst, err := b.deaf(ctx, k, limit)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		got[k] = append(got[k], worst)
	}
	r := compare("slowest control call, upstream never reads (2000: hangs)", "ms", got, millis)
	r.Checks = []check{newCheck(got.of(plain, millis), "ms", figures.AtMost(100))}
	return []row{r}, nil
}

func millis(d time.Duration) float64 { return micros(d) / 1000 }

func (b *bench) deaf(ctx context.Context, k kind, limit time.Duration) (time.Duration, error) {
	all, stop, err := b.start(ctx, k)
	if err != nil {
		return 0, err
	}
	defer stop()
	c := all[0]
	address, err := c.proxy(ctx, "deaf", b.upstream.Deaf)
	if err != nil {
		return 0, err
	}
	if err := c.delay(ctx, "deaf", "upstream", 50*time.Millisecond); err != nil {
		return 0, err
	}
	conn, err := dial(address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := flood(conn); err != nil {
		return 0, err
	}

	var worst time.Duration
	for _, call := range []func(context.Context) error{
		func(ctx context.Context) error { return c.show(ctx, "deaf") },
		func(ctx context.Context) error { return c.undelay(ctx, "deaf") },
		func(ctx context.Context) error { return c.show(ctx, "deaf") },
	} {
		limited, cancel := context.WithTimeout(ctx, limit)
		begun := time.Now()
		err := call(limited)
		took := time.Since(begun)
		cancel()
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			took = limit
		case err != nil:
			return 0, err
		}
		worst = max(worst, took)
	}
	return worst, nil
}

// flood writes until nothing has been taken for a while.
func flood(c net.Conn) error {
	buf := make([]byte, blockSize)
	for {
		if err := c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
			return err
		}
		_, err := c.Write(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return err
		}
	}
}
