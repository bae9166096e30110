package link

import (
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// Watch is who is told what the connections of a link say. Watching takes no
// byte from its way: a follower reads along as they pass, keeps what it needs,
// and gives up where it does not understand.
type Watch struct {
	// Calls is told of calls that have ended, a batch at a time and never two at
	// once. The slice is the link's again when it returns. lost are the calls
	// before these, if any, that could not be told because Calls was too slow.
	Calls func(calls []Call, lost int)
	// Connection is told of each connection that has ended and whose bytes, or
	// the last of them, were no calls; and of each to a database, which clients
	// keep. It must not wait.
	Connection func(Connection)
	// Propagate gives the link's own span to each HTTP request as the parent of
	// what the upstream does for it.
	Propagate bool
	// Seed makes the identifiers of this link's spans, which must differ from
	// those of every other link of every environment.
	Seed [2]uint64
}

// Call is an exchange as the link carried it. Start to End is what the client
// felt, and Queue, Shape, Server and Transfer add up to it.
type Call struct {
	wire.Exchange
	Connection int64
	// Context is the call's trace and its own span. The trace is the one that
	// the request came with, or else a new one.
	Context wire.Context

	Start, End time.Time
	Queue      time.Duration // until its connection was there, and behind earlier answers
	Shape      time.Duration // in the link, both ways
	Server     time.Duration // from the request's last byte at the upstream to the answer's first
	Transfer   time.Duration // of the request and of the answer
	// Nominal says that the path lies below the link, so that its part of Shape is
	// the path's delay without jitter.
	Nominal bool
	// Abandoned is the side that ended the call early, "client" or "upstream",
	// and empty otherwise. A call that the client has left ends with that.
	Abandoned string
	Faults    string // in force on the connection, joined by commas
}

// Connection is what is known of a connection as a whole.
type Connection struct {
	Number             int64
	Opened, Closed     time.Time
	BytesUp, BytesDown int64
	Turns              int64 // the client spoke, then the upstream answered
	// Undecoded is why its bytes were no calls: "tls", "replication", "upgraded",
	// "unknown", or "lost" when it happened in the middle; empty when they were.
	Undecoded string
	Context   wire.Context
}

// Watch has the link tell of its calls. It is called before Serve.
func (l *Link) Watch(w Watch) { l.watch = &watcher{Watch: w} }

// Flush tells of the calls that have ended and were not told yet. It returns
// when they were.
func (l *Link) Flush() {
	if l.watch != nil {
		l.watch.flush()
	}
}

// Quiet reports whether nothing is in flight: no client waits for an answer, and
// no bytes are under way.
func (l *Link) Quiet() bool {
	asked := l.meter.inFlight.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.sessions {
		if !s.up.transit.idle() || !s.down.transit.idle() {
			return false
		}
		if s.follow == nil {
			continue
		}
		quiet, known := s.follow.quiet()
		if known && !quiet {
			return false
		}
		if known && s.turn.Load() != 0 {
			asked-- // it said what asks for no answer, as HTTP/2's WINDOW_UPDATE
		}
	}
	return asked <= 0
}

// How calls are told: after a moment in which more may come, so that one wake-up
// serves many, or when there are many.
const (
	batchTime = 10 * time.Millisecond
	batchSize = 512
	maxUntold = 1 << 16
)

// watcher collects calls for a Watch.
type watcher struct {
	Watch
	telling sync.Mutex // held while Calls runs

	mu       sync.Mutex
	untold   []Call
	spare    []Call
	lost     int
	flushing bool // a flush is on its way
}

func (w *watcher) add(c *Call) {
	w.mu.Lock()
	if len(w.untold) >= maxUntold {
		w.lost++
		w.mu.Unlock()
		return
	}
	w.untold = append(w.untold, *c)
	begin, now := !w.flushing, len(w.untold) == batchSize
	w.flushing = true
	w.mu.Unlock()
	switch {
	case now:
		go w.flush()
	case begin:
		time.AfterFunc(batchTime, w.flush)
	}
}

func (w *watcher) flush() {
	w.telling.Lock()
	defer w.telling.Unlock()
	w.mu.Lock()
	calls, lost := w.untold, w.lost
	w.untold, w.lost, w.flushing = w.spare[:0], 0, false
	w.mu.Unlock()
	if len(calls) > 0 || lost > 0 {
		w.Calls(calls, lost)
	}
	clear(calls) // lets their texts go
	w.spare = calls
}

// context is the trace context of a call: one that nobody else has, and the same
// in every run.
func (w *watcher) context(connection, id uint64, parent wire.Context) wire.Context {
	c := wire.Context{Trace: parent.Trace, Sampled: true}
	x := mix(w.Seed[0] ^ mix(connection<<32^id))
	if parent.IsZero() {
		put(c.Trace[:8], mix(x^w.Seed[1]))
		put(c.Trace[8:], mix(x+1))
	}
	put(c.Span[:], mix(x^mix(w.Seed[1]+2)))
	return c
}

// put writes an identifier's bits; all zeros stand for no identifier.
func put(b []byte, x uint64) {
	x = max(x, 1)
	for i := range b {
		b[i] = byte(x >> (56 - 8*i))
	}
}
