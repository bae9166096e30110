package shape

import (
	"math/rand/v2"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Stream is the flow of tier stream: every piece of the stream is delayed on its
// own, after its turn at the rate. Nothing is lost and no window holds the
// sender up, but Room.
type Stream struct {
	lane  Lane
	path  rehearse.Path
	now   time.Time
	under fifo[arrival] // under way
	held  int           // bytes under way
}

// arrival is a number of bytes and when they come out.
type arrival struct {
	n   int
	due time.Time
}

// NewStream makes a flow on a link's line. It draws its jitter from rng, which
// nobody else may use meanwhile.
func NewStream(line *Line, rng *rand.Rand, p rehearse.Path) *Stream {
	return &Stream{lane: NewLane(line, rng), path: p}
}

// Send implements Flow.
func (s *Stream) Send(at time.Time, n int) {
	s.move(at)
	s.held += max(0, n)
	for most := Chunk(s.path); n > 0; n -= most {
		size := min(n, most)
		s.under.push(arrival{size, s.lane.Due(s.path, s.now, size)})
	}
}

// Deliver implements Flow.
func (s *Stream) Deliver(now time.Time) (n int, due time.Time) {
	s.move(now)
	if s.under.len() == 0 || s.under.front().due.After(s.now) {
		return 0, time.Time{}
	}
	a := *s.under.front()
	s.under.pop()
	s.held -= a.n
	return a.n, a.due
}

// Next implements Flow.
func (s *Stream) Next() time.Time {
	if s.under.len() == 0 {
		return time.Time{}
	}
	return s.under.front().due
}

// Room implements Flow.
func (s *Stream) Room() int { return max(0, Window(s.path)-s.held) }

// Set implements Flow. The way back is nothing to a stream.
func (s *Stream) Set(now time.Time, p, _ rehearse.Path) {
	s.move(now)
	s.path = p
}

func (s *Stream) move(to time.Time) {
	if to.After(s.now) {
		s.now = to
	}
}
