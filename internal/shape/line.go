package shape

import (
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
	mu sync.Mutex
	transmitter
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
	return l.send(rate, at, n)
}

// Fit is how many bytes the line can take at a time before more than limit bytes
// wait in it, and unlimited when it has no rate. Between Fit and Send another
// connection may take the place, so that the queue may exceed its limit by what
// each connection sends at once.
func (l *Line) Fit(rate rehearse.Rate, at time.Time, limit int64) int64 {
	if rate <= 0 {
		return unlimited
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fit(rate, at, limit)
}

// transmitter is a line of one goroutine at a time.
type transmitter struct {
	free time.Time // when the last byte of what was sent so far has left
}

func (t *transmitter) send(rate rehearse.Rate, at time.Time, n int) time.Time {
	if rate <= 0 || n <= 0 {
		return at
	}
	if t.free.Before(at) {
		t.free = at
	}
	t.free = t.free.Add(transfer(rate, n))
	return t.free
}

func (t *transmitter) fit(rate rehearse.Rate, at time.Time, limit int64) int64 {
	if rate <= 0 {
		return unlimited
	}
	waiting := float64(rate) / 8 * max(0, t.free.Sub(at)).Seconds()
	return int64(max(0, float64(limit)-waiting))
}

// unlimited is more bytes than anybody sends.
const unlimited = 1 << 62

// transfer is how long n bytes take at a rate. Floating point keeps a large n
// from overflowing; its error is far below a nanosecond for a chunk.
func transfer(rate rehearse.Rate, n int) time.Duration {
	seconds := float64(n) * 8 / float64(rate)
	if seconds >= longest.Seconds() {
		return longest
	}
	return time.Duration(seconds * float64(time.Second))
}
