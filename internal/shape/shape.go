// Package shape is the arithmetic of a shaped path: when a chunk of bytes that
// arrived now is due at the other end. It starts no goroutine, reads no clock
// and opens no file; callers bring the time and the randomness.
//
// One direction of a link is a [Line], which all its connections share, and one
// [Lane] per connection, which keeps that connection's bytes in order:
//
//	         Line (the link's)          Lane (the connection's)
//	chunk ─▶ wait for the transmitter ─▶ + delay ± jitter, never ─▶ due
//	         + n bytes at the rate       before the chunk ahead
//
// [Chunk] and [Window] say how finely a carrier should cut its reads and how
// much it should hold, so that the path behaves as its rate and delay say.
package shape

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// longest bounds every single delay, so that no sum of two overflows.
const longest = 24 * time.Hour

// Line is the transmitter of one direction of a link. Its rate belongs to the
// link, not to a connection: two connections at rate R together get R. It sends
// first come, first served, and a chunk has left when its last byte has, which
// is a token bucket without any burst. The zero value is an idle line.
//
// Its methods may be called at once from several goroutines.
type Line struct {
	mu   sync.Mutex
	free time.Time // when the last byte of what was sent so far has left
}

// Send gives n bytes that arrive at a time to the line and returns when the last
// of them has left. An unlimited rate sends at once and takes no turn, so that
// lifting a limit does not leave newcomers waiting behind what was queued.
func (l *Line) Send(rate rehearse.Rate, at time.Time, n int) time.Time {
	if rate <= 0 || n <= 0 {
		return at
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.free.Before(at) {
		l.free = at
	}
	l.free = l.free.Add(transfer(rate, n))
	return l.free
}

// transfer is how long n bytes take at a rate. Floating point keeps a large n
// from overflowing; its error is far below a nanosecond for a chunk.
func transfer(rate rehearse.Rate, n int) time.Duration {
	seconds := float64(n) * 8 / float64(rate)
	if seconds >= longest.Seconds() {
		return longest
	}
	return time.Duration(seconds * float64(time.Second))
}

// Lane is one connection's share of one direction: its jitter and its order. It
// is used by one goroutine at a time.
type Lane struct {
	line *Line
	rng  *rand.Rand
	last time.Time
}

// NewLane makes a lane on a line. The lane draws its jitter from rng, one number
// per chunk while there is jitter, and nobody else may use rng meanwhile.
func NewLane(line *Line, rng *rand.Rand) Lane {
	return Lane{line: line, rng: rng}
}

// Due is when n bytes that arrived at a time come out at the other end of the
// path. It is never before that time and never before the answer to an earlier
// call, whatever the path was then: the lane may be asked with another path for
// every chunk. A chunk of 0 bytes, the end of a stream, is delayed like any
// other and takes no time on the line.
func (l *Lane) Due(p rehearse.Path, at time.Time, n int) time.Time {
	due := l.line.Send(p.Rate, at, n).Add(l.delay(p))
	if due.Before(l.last) {
		due = l.last
	}
	l.last = due
	return due
}

// delay draws a one-way delay. A jitter that would make it negative makes it 0:
// no byte arrives before it was sent.
func (l *Lane) delay(p rehearse.Path) time.Duration {
	d := min(max(0, time.Duration(p.Delay)), longest)
	if p.Jitter <= 0 {
		return d
	}
	// The product is bounded as a float: converting one that is too large for
	// an integer is undefined.
	j := l.rng.NormFloat64() * float64(p.Jitter)
	j = min(max(j, -float64(longest)), float64(longest))
	return min(max(0, d+time.Duration(j)), longest)
}
