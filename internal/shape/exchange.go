package shape

import (
	"math/rand/v2"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Handshake is how long a connect takes over a shape: a round trip, and a second
// for each SYN or answer that is lost. Linux sends up to four more a second
// apart before it doubles the time (tcp_syn_linear_timeouts). It gives up after
// six, and so does this.
func Handshake(rng *rand.Rand, s rehearse.Shape) time.Duration {
	dice := NewDice(rng)
	up, down := NewLosses(rng), NewLosses(rng)
	var waited time.Duration
	wait := time.Second
	for try := 0; ; try++ {
		trip := dice.Delay(s.Up) + dice.Delay(s.Down)
		there, _ := up.Run(s.Up, 1)
		back := 0
		if there > 0 {
			back, _ = down.Run(s.Down, 1)
		}
		if back > 0 || try == 6 {
			return waited + trip
		}
		if try > 4 {
			wait *= 2
		}
		waited += wait
	}
}

// Exchange is a connection in virtual time: requests and answers over two flows,
// one after the other.
type Exchange struct {
	up, down Flow
	now      time.Time
}

// Connect opens a connection over a shape on lines of its own, and returns how
// long that took. All of it is drawn from rng.
func Connect(tier rehearse.Tier, rng *rand.Rand, s rehearse.Shape) (*Exchange, time.Duration) {
	var up, down Line
	took := s.RTT()
	if tier != rehearse.TierStream {
		took = Handshake(rng, s)
	}
	return &Exchange{
		up:   New(tier, &up, &down, rng, s.Up, s.Down),
		down: New(tier, &down, &up, rng, s.Down, s.Up),
		now:  time.Unix(0, 0).Add(took),
	}, took
}

// Wait lets the connection rest.
func (e *Exchange) Wait(d time.Duration) { e.now = e.now.Add(max(0, d)) }

// Do sends a request and, when all of it has arrived, an answer, and returns
// when all of that has arrived, counted from the call.
func (e *Exchange) Do(request, answer int) time.Duration {
	began := e.now
	e.now = transport(e.up, e.now, request)
	e.now = transport(e.down, e.now, answer)
	return e.now.Sub(began)
}

// transport sends n bytes and returns when the last has arrived.
func transport(f Flow, at time.Time, n int) time.Time {
	for sent, got := 0, 0; got < n; {
		if k := min(n-sent, f.Room()); k > 0 {
			f.Send(at, k)
			sent += k
		}
		if next := f.Next(); next.After(at) {
			at = next
		}
		for {
			k, _ := f.Deliver(at)
			if k == 0 {
				break
			}
			got += k
		}
	}
	return at
}
