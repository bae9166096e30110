package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/rehearse-dev/rehearse/internal/contest"
)

// kind is what is measured.
type kind string

const (
	direct  kind = "direct"
	plain   kind = "link"
	watched kind = "watched link"
	// copied is the simplest proxy there is: io.Copy each way, which splices. It
	// is what the machine lets a proxy reach.
	copied    kind = "io.Copy"
	toxiproxy kind = "Toxiproxy"
	// quiet is Toxiproxy with LOG_LEVEL=error. As shipped it logs every
	// connection.
	quiet kind = "quiet Toxiproxy"
)

// contestant is one way to an upstream.
type contestant struct {
	kind kind
	to   targets
	*contest.Process
	*api
}

// startPeer starts the upstream of all that is measured.
func (b *bench) startPeer(ctx context.Context) (*contest.Process, error) {
	p, err := contest.Start(ctx, nil, b.self, "peer")
	if err != nil {
		return nil, err
	}
	if err := p.Greeting(&b.upstream); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// start makes contestants without any proxy in them yet. What it returns ends
// them.
func (b *bench) start(ctx context.Context, kinds ...kind) (all []*contestant, stop func(), err error) {
	stop = func() {
		for _, c := range all {
			c.stop()
		}
	}
	for _, k := range kinds {
		c, err := b.startOne(ctx, k)
		if err != nil {
			stop()
			return nil, nil, fmt.Errorf("start %s: %w", k, err)
		}
		all = append(all, c)
	}
	return all, stop, nil
}

func (b *bench) startOne(ctx context.Context, k kind) (*contestant, error) {
	c := &contestant{kind: k}
	switch k {
	case direct:
		c.to = b.upstream
		return c, nil
	case plain, watched, copied:
		args := []string{"serve", fmt.Sprintf("-watch=%t", k == watched), fmt.Sprintf("-copy=%t", k == copied)}
		if b.profile != "" {
			b.profiles++
			args = append(args, "-profile="+filepath.Join(b.profile, fmt.Sprintf("%02d-%s.pprof", b.profiles, k)))
		}
		p, err := contest.Start(ctx, nil, b.self, args...)
		if err != nil {
			return nil, err
		}
		var address string
		if err := p.Greeting(&address); err != nil {
			p.Stop()
			return nil, err
		}
		c.Process, c.api = p, newAPI(address)
		return c, nil
	default:
		return c, b.startToxiproxy(ctx, c)
	}
}

// startToxiproxy starts its server on a port that was free a moment ago: it
// would not say which one it had chosen itself.
func (b *bench) startToxiproxy(ctx context.Context, c *contestant) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := ln.Addr().String()
	ln.Close()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	var env []string
	if c.kind == quiet {
		env = []string{"LOG_LEVEL=error"}
	}
	p, err := contest.Start(ctx, env, b.toxiproxy, "-host", "127.0.0.1", "-port", port)
	if err != nil {
		return err
	}
	go p.Discard()
	c.Process, c.api = p, newAPI(address)
	for range 100 {
		if err = c.call(ctx, "GET", "/version", nil, nil); err == nil {
			return nil
		}
		if !pause(ctx, 20*time.Millisecond) {
			break
		}
	}
	c.stop()
	return errors.Join(err, ctx.Err())
}

func (c *contestant) stop() {
	if c.Process != nil {
		c.api.close()
		c.Process.Stop()
	}
}

// open gives the contestant a proxy for each of the peer's addresses.
func (c *contestant) open(ctx context.Context, upstream targets) error {
	if c.kind == direct {
		return nil
	}
	for _, t := range []struct {
		name, upstream string
		to             *string
	}{{"echo", upstream.Echo, &c.to.Echo}, {"sink", upstream.Sink, &c.to.Sink}, {"source", upstream.Source, &c.to.Source}} {
		var err error
		if *t.to, err = c.proxy(ctx, t.name, t.upstream); err != nil {
			return fmt.Errorf("%s: %w", c.kind, err)
		}
	}
	return nil
}

// startOpen is start and open.
func (b *bench) startOpen(ctx context.Context, kinds ...kind) ([]*contestant, func(), error) {
	all, stop, err := b.start(ctx, kinds...)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range all {
		if err := c.open(ctx, b.upstream); err != nil {
			stop()
			return nil, nil, err
		}
	}
	return all, stop, nil
}

// pause waits a while and reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// samples are what the rounds of one case gave: samples[kind][round].
type samples[T any] map[kind][]T

// interleave measures each contestant once per round, the first being another
// one each time. Round 0 is a warm-up and does not count.
func interleave[T any](ctx context.Context, rounds int, all []*contestant, measure func(context.Context, *contestant) (T, error)) (samples[T], error) {
	out := samples[T]{}
	for round := range rounds + 1 {
		for i := range all {
			c := all[(round+i)%len(all)]
			s, err := measure(ctx, c)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.kind, err)
			}
			if round > 0 {
				out[c.kind] = append(out[c.kind], s)
			}
		}
	}
	return out, nil
}

// of is one number of each sample of a kind.
func (s samples[T]) of(k kind, number func(T) float64) []float64 {
	var out []float64
	for _, x := range s[k] {
		out = append(out, number(x))
	}
	return out
}
