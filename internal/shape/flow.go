package shape

import (
	"math/rand/v2"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Flow says when the bytes of one direction of one connection come out at the
// other end. It holds no bytes, only their number; they come out in order. The
// end of a stream is a byte of its own, as FIN is in TCP's sequence space.
//
// A flow is used by one goroutine at a time. The times that it is told never go
// back; one that does counts as the latest.
type Flow interface {
	// Send takes n bytes in at a time. They may be more than Room.
	Send(at time.Time, n int)
	// Deliver moves to now and returns the next bytes that have arrived in
	// order by then, and when they did; 0 when there are none. Call it until it
	// returns 0. A caller that stops calling stops the flow.
	Deliver(now time.Time) (n int, due time.Time)
	// Next is when to call Deliver again, which may return 0 even then. It is
	// the zero time when all that was sent was delivered.
	Next() time.Time
	// Room is how many more bytes Send should be given now. It grows by Deliver
	// and by Set only.
	Room() int
	// Set changes the path and the way back from now on. What is under way
	// keeps its times, and nothing overtakes it.
	Set(now time.Time, p, back rehearse.Path)
}

var (
	_ Flow = (*Stream)(nil)
	_ Flow = (*TCP)(nil)
)

// New makes the flow of a tier: a TCP for all but TierStream. The line is the
// link's in this direction and back the one in the other.
func New(tier rehearse.Tier, line, back *Line, rng *rand.Rand, p, wayBack rehearse.Path) Flow {
	if tier == rehearse.TierStream {
		return NewStream(line, rng, p)
	}
	return NewTCP(line, back, rng, p, wayBack)
}
