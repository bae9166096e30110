package shape

import (
	"math/rand/v2"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// TCP is the flow of tier model: a Linux sender and receiver over the path, with
// slow start, HyStart and CUBIC, a receive window that tunes itself, SACK, RACK,
// PRR, tail loss probes and time-outs. The kernel's sources are the reference
// (net/ipv4, version 6.18, at its default settings), whose names stand where a
// rule is not in an RFC. Its acknowledgements travel the way back and may be lost
// there.
//
// What is left out: delayed acknowledgements where nothing waits for them, the
// undoing of a reduction that was needless for another reason than a time-out
// that came too soon, pacing, ECN, and giving up.
//
//	Send ─▶ queue ─▶ windows ─▶ loss ─▶ line ─▶ delay ─▶ reassembly ─▶ Deliver
//	                    ▲                                    │
//	             board, timers ◀── delay ◀── line ◀── loss ◀─┘ acknowledgements
type TCP struct {
	wire, wayBack route
	base          time.Time     // of all times inside
	now           time.Duration // up to which everything has happened
	phase         time.Duration // of the sender's ticks

	sender
	receiver
	flight fifo[piece] // of packets, by arrival
	acks   fifo[ack]   // under way, by arrival
	ready  fifo[arrival]
	under  int // bytes taken in and not delivered
}

// route is one direction of the path as the packets of one connection meet it.
type route struct {
	path   rehearse.Path
	line   *Line
	own    transmitter
	host   transmitter
	dice   Dice
	losses Losses
	last   time.Duration // the latest arrival so far
}

// piece is packets that arrive together.
type piece struct {
	seq, end int64
	at, due  time.Duration // when they were sent and arrive
}

// ack is acknowledgements that arrive together, of which the last counts.
type ack struct {
	seq   int64         // what was received in order
	holes int           // how many of the receiver's notes it speaks of
	edge  int64         // where the receive window ends
	again bool          // something came twice (DSACK)
	at    time.Duration // when what it answers was sent, as time stamps tell
	due   time.Duration // when it comes to the sender
}

// NewTCP makes a flow on a link's lines, there and back, of a connection that is
// open and idle. It draws everything from rng, which nobody else may use
// meanwhile.
func NewTCP(line, back *Line, rng *rand.Rand, p, wayBack rehearse.Path) *TCP {
	t := &TCP{
		wire:    route{path: p, line: line, dice: NewDice(rng), losses: NewLosses(rng)},
		wayBack: route{path: wayBack, line: back, dice: NewDice(rng), losses: NewLosses(rng)},
		phase:   time.Duration(rng.Int64N(int64(tick * wheel * wheel))),
	}
	rtt := bounded(p.Delay) + bounded(wayBack.Delay)
	t.sender = newSender(rtt)
	t.receiver = newReceiver(rtt, rng)
	return t
}

func bounded(d rehearse.Duration) time.Duration { return min(max(0, time.Duration(d)), longest) }

// Send implements Flow.
func (t *TCP) Send(at time.Time, n int) {
	t.move(t.since(at), false)
	if n <= 0 {
		return
	}
	t.under += n
	plain := t.una == t.accepted && t.wire.path.IsZero() && t.wayBack.path.IsZero()
	t.accepted += int64(n)
	if plain {
		// A wire with nothing on it: all of it is through at once, both ways.
		t.una, t.nxt, t.expected = t.accepted, t.accepted, t.accepted
		t.edge = max(t.edge, t.una+t.window)
		t.lastSent = t.now
		t.ready.push(arrival{n, t.time(t.now)})
		return
	}
	t.transmit()
}

// Deliver implements Flow.
func (t *TCP) Deliver(now time.Time) (n int, due time.Time) {
	t.move(t.since(now), true)
	if t.ready.len() == 0 {
		return 0, time.Time{}
	}
	a := *t.ready.front()
	t.ready.pop()
	t.under -= a.n
	return a.n, a.due
}

// Next implements Flow.
func (t *TCP) Next() time.Time {
	switch {
	case t.ready.len() > 0:
		return t.ready.front().due
	case t.under == 0:
		// Acknowledgements and timers that are left change nothing that can be
		// seen before the next Send.
		return time.Time{}
	}
	at, _ := t.next()
	return t.time(at)
}

// Room implements Flow. What a sender may have under way is bound by the largest
// send buffer, which is that of Window.
func (t *TCP) Room() int { return max(0, MaxWindow-t.under) }

// Set implements Flow.
func (t *TCP) Set(now time.Time, p, wayBack rehearse.Path) {
	t.move(t.since(now), false)
	t.wire.path, t.wayBack.path = p, wayBack
	t.transmit()
}

// since is a caller's time as the flow counts it, never before what has happened.
func (t *TCP) since(at time.Time) time.Duration {
	if t.base.IsZero() {
		t.base = at
	}
	return max(t.now, at.Sub(t.base))
}

func (t *TCP) time(d time.Duration) time.Time { return t.base.Add(d) }

// event is what happens next in a flow.
type event int

const (
	nothing event = iota
	packetEvent
	ackEvent
	timerEvent
)

// next is the next event and its time.
func (t *TCP) next() (time.Duration, event) {
	at, what := forever, nothing
	if t.flight.len() > 0 {
		at, what = t.flight.front().due, packetEvent
	}
	if t.acks.len() > 0 && t.acks.front().due < at {
		at, what = t.acks.front().due, ackEvent
	}
	if t.timer != off && t.deadline < at {
		at, what = t.deadline, timerEvent
	}
	return max(at, t.now), what
}

// move lets everything happen that does up to a time, or until bytes are ready
// where the caller asks for that.
func (t *TCP) move(to time.Duration, untilReady bool) {
	for !untilReady || t.ready.len() == 0 {
		at, what := t.next()
		if what == nothing || at > to {
			t.now = to
			return
		}
		t.now = at
		switch what {
		case packetEvent:
			p := *t.flight.front()
			t.flight.pop()
			t.arrive(p)
		case ackEvent:
			a := *t.acks.front()
			t.acks.pop()
			t.acknowledged(a)
		case timerEvent:
			t.expire()
		}
	}
}

// launch puts bytes on the path now.
func (t *TCP) launch(seq, end int64) {
	for seq < end {
		pass, gone := t.wire.losses.Run(t.wire.path, packets(end-seq))
		stop := min(end, seq+int64(pass)*segment)
		t.fly(seq, stop)
		seq = min(end, stop+int64(gone)*segment)
	}
}

// fly puts bytes on the line that are lost no more but by its full queue.
func (t *TCP) fly(seq, end int64) {
	r, now := &t.wire, t.time(t.now)
	if fit := r.fit(now); fit < end-seq {
		end = seq + fit/segment*segment
	}
	for size := int64(1); seq < end; {
		size = r.grain(size)
		stop := min(end, seq+size*segment)
		k := packets(stop - seq)
		due := r.carry(now, int(stop-seq)+k*header, k).Sub(t.base)
		r.last = max(r.last, due)
		t.flight.push(piece{seq, stop, t.now, r.last})
		seq = stop
		size *= 2
	}
}

// fit is how many bytes of payload the queues take.
func (r *route) fit(now time.Time) int64 {
	p := r.path
	if p.Rate <= 0 && p.ConnectionRate <= 0 {
		return unlimited
	}
	limit := p.Limit
	if limit <= 0 {
		limit = int64(Window(p))
	}
	// Even a short queue takes a packet while nothing waits.
	limit = max(limit, segment+header)
	fit := min(r.line.Fit(p.Rate, now, limit), r.own.fit(p.ConnectionRate, now, limit))
	return fit / (segment + header) * segment
}

// grain is how many packets should arrive as one where as many as asked for
// could: no more than the line carries in a moment, as an acknowledgement of the
// first must not wait for the last. With jitter, the first packets are on their
// own and the rest in ever larger pieces, as the latest so far holds all back
// and there are ever fewer of those.
func (r *route) grain(asked int64) int64 {
	const moment = time.Millisecond
	rate := rehearse.Rate(hostRate)
	if slow := slowest(r.path); slow > 0 {
		rate = min(rate, slow)
	}
	fits := max(1, int64(float64(rate)/8*moment.Seconds())/(segment+header))
	if r.path.Jitter > 0 {
		return min(asked, fits)
	}
	return fits
}

// hostRate is what a host can send at most: without it, a window of any size
// would leave at once.
const hostRate = 10 * rehearse.Gbit

// carry is when k packets of n bytes in all come out of the route.
func (r *route) carry(now time.Time, n, k int) time.Time {
	left := r.host.send(hostRate, now, n-k*header)
	left = r.own.send(r.path.ConnectionRate, r.line.Send(r.path.Rate, left, n), n)
	return left.Add(r.dice.Longest(r.path, k))
}
