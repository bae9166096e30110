// Package link carries the traffic of one edge between a client and its
// upstream, and gives it the delay, jitter and rate of the network in between.
//
// [New] makes a [Link], [Link.Serve] carries what a listener accepts, and
// [Link.Set] changes the shape of everything that is carried, now and from now
// on. A connection is two directions, each of them the same pipeline:
//
//	source ─▶ read ─┬─ flat, nothing queued ───────────▶ write ─▶ destination
//	                └─ shaped ─▶ queue of (chunk, due) ─▶ wait, write ─┘
//
// A shape is the only difference between a link and a wire: no byte is changed,
// lost or moved; half-close, reset and backpressure pass through; an upstream
// that refuses is a reset for the client.
//
// What a link cannot give is a slow connect: the kernel has completed the
// client's handshake before the link knows of it. The handshake's time is added
// to the first bytes instead, see handshake.go.
package link

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

// Link is one carried edge. Its methods may be called at once from several
// goroutines, before, during and after Serve.
type Link struct {
	spec     rehearse.LinkSpec
	seed     uint64
	wait     wait
	epoch    time.Time // times of turns count from here
	settings atomic.Pointer[settings]
	up, down shape.Line
	meter    meter
}

// settings is a shape with what follows from it, made once per Set.
type settings struct {
	shape    rehearse.Shape
	up, down setting
}

// setting is what one direction needs to know for every chunk.
type setting struct {
	path          rehearse.Path
	chunk, window int
}

func newSetting(p rehearse.Path) setting {
	return setting{path: p, chunk: shape.Chunk(p), window: shape.Window(p)}
}

// New makes a link that is not yet running. The seed makes its jitter
// reproducible: the nth connection draws the same series in every run.
func New(spec rehearse.LinkSpec, seed uint64) *Link {
	// An epoch in the past keeps the time of a turn from being 0, which stands
	// for no turn.
	l := &Link{spec: spec, seed: seed, wait: waitPrecisely, epoch: time.Now().Add(-1)}
	l.Set(spec.Shape)
	return l
}

// Set changes the shape at once, for new connections and for live ones. What is
// already under way arrives when the former shape said; no byte is lost and
// none overtakes another. It never waits.
func (l *Link) Set(s rehearse.Shape) {
	l.settings.Store(&settings{shape: s, up: newSetting(s.Up), down: newSetting(s.Down)})
}

// Shape is the shape in force.
func (l *Link) Shape() rehearse.Shape { return l.settings.Load().shape }

// Stats is what the link has seen so far. It reads counters only and never waits
// for the traffic. A chunk counts when it is handed to its destination.
func (l *Link) Stats() rehearse.LinkStats {
	s := l.meter.stats()
	s.ID = l.spec.ID
	s.Shape = l.Shape()
	return s
}

// Serve accepts connections on ln, dials the upstream once for each, and carries
// them until ctx ends; then it closes ln, resets what is still open, and returns
// nil once every connection that it started has been closed and dial has
// returned. When ln fails before that, it ends in the same way and returns the
// listener's error. It may be called for several listeners at once.
//
// Dial is called from many goroutines. It is given a context that ends with ctx,
// and decides itself how long an upstream may take to answer.
func (l *Link) Serve(ctx context.Context, ln net.Listener, dial func(context.Context) (net.Conn, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	var sessions sync.WaitGroup
	defer sessions.Wait()
	defer cancel()
	defer ln.Close()
	defer context.AfterFunc(ctx, func() { ln.Close() })()

	for {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			opened := time.Now()
			sessions.Go(func() { l.carry(ctx, conn, opened, dial) })
		case ctx.Err() != nil:
			return nil
		case exhausted(err):
			// The process is out of descriptors or memory for a moment. The
			// client waits in the backlog, as it would for a busy server.
			l.wait(time.Now().Add(10*time.Millisecond), ctx.Done())
		default:
			return fmt.Errorf("link %s: accept: %w", l.spec.ID, err)
		}
	}
}

// exhausted reports whether accepting may work again a little later.
func exhausted(err error) bool {
	for _, e := range []syscall.Errno{
		syscall.ECONNABORTED, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// newLane makes one direction's lane for the nth connection. Each has a series
// of random numbers of its own, so that what one connection draws does not
// depend on how others are scheduled.
func (l *Link) newLane(connection int64, up bool) shape.Lane {
	line, stream := &l.down, uint64(connection)<<1
	if up {
		line, stream = &l.up, stream|1
	}
	return shape.NewLane(line, rand.New(rand.NewPCG(l.seed, stream)))
}
