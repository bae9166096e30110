package shape

import (
	"math/rand/v2"
	"slices"
	"time"
)

// receiver is the far end of a TCP flow. Its application reads at once.
type receiver struct {
	expected int64  // everything before it has arrived
	beyond   []span // what arrived behind a hole, in order, none touching another
	// notes are of what arrived behind a hole, in the order of arrival: what
	// selective acknowledgements tell.
	notes fifo[span]
	// The receive window grows by twice what arrives (tcp_grow_window) up to a
	// bound that follows what a round trip brings (tcp_rcv_space_adjust).
	window, bound int64
	space         int64 // what the last round trip that was measured brought
	measured      int64 // bytes up to the last measurement, and when it was
	measuredAt    time.Duration
	rtt           time.Duration // as time stamps of whole milliseconds tell it
}

type span struct{ seq, end int64 }

const (
	firstWindow = 64 << 10 // half of tcp_rmem's default
	firstBound  = 79 << 10 // the same at the overhead of full packets
	lastBound   = 4 << 20  // of tcp_rmem's maximum of 6 MiB
)

func newReceiver(rtt time.Duration, rng *rand.Rand) receiver {
	r := receiver{window: firstWindow, bound: firstBound, space: initialWindow * segment, rtt: rtt}
	// Time stamps that lie on both sides of a tick make the round trip seem
	// longer than it is: of new connections, two in three by measurement.
	if rng.IntN(3) > 0 {
		r.rtt = rtt.Truncate(time.Millisecond) + time.Millisecond
	}
	return r
}

// arrive takes in packets and acknowledges them.
func (t *TCP) arrive(p piece) {
	before := t.expected
	if before == 0 && t.measuredAt == 0 {
		t.measuredAt = t.now - time.Millisecond
	}
	again := p.end <= t.expected
	if !again {
		again = !t.take(span{max(p.seq, t.expected), p.end})
	}
	if fresh := t.expected - before; fresh > 0 {
		t.ready.push(arrival{int(fresh), t.time(t.now)})
		t.tune(before)
	}
	t.window = max(t.window, min(t.window+2*(p.end-p.seq), t.bound))
	t.reply(again, p)
}

// take files what arrived and reports whether any of it was new.
func (t *TCP) take(s span) bool {
	i := 0
	for i < len(t.beyond) && t.beyond[i].end < s.seq {
		i++
	}
	if i < len(t.beyond) && t.beyond[i].seq <= s.seq && s.end <= t.beyond[i].end {
		return false
	}
	if s.seq > t.expected {
		t.notes.push(s)
	}
	j := i
	for ; j < len(t.beyond) && t.beyond[j].seq <= s.end; j++ {
		s = span{min(s.seq, t.beyond[j].seq), max(s.end, t.beyond[j].end)}
	}
	if s.seq <= t.expected {
		t.expected = s.end
		t.beyond = slices.Delete(t.beyond, 0, j)
		return true
	}
	t.beyond = slices.Replace(t.beyond, i, j, s)
	return true
}

// tune raises the receive window's bound with what a round trip has brought. It
// is called where a burst begins, so it speaks of the bursts before. Where a
// round trip seems longer than it is, only every other burst ends a measurement,
// and the first that raises the bound is the fourth. That costs a new connection
// a round trip at about 200 kB.
func (t *TCP) tune(had int64) {
	if t.now-t.measuredAt < t.rtt {
		return
	}
	brought := had - t.measured
	if brought > t.space {
		want := 2 * brought
		want += 2 * (want * (brought - t.space) / t.space)
		t.bound = max(t.bound, min(want, lastBound))
		t.space = brought
	}
	t.measured, t.measuredAt = had, t.now
}

// reply sends the acknowledgements of packets on their way: one for every other
// packet, or for each while there are holes.
func (t *TCP) reply(again bool, p piece) {
	n := packets(p.end - p.seq)
	if len(t.beyond) == 0 && !again {
		n = (n + 1) / 2
	}
	r := &t.wayBack
	now := t.time(t.now)
	survive := 0
	for left := n; left > 0; {
		pass, gone := r.losses.Run(r.path, left)
		survive += pass
		left -= pass + gone
	}
	// What one acknowledgement says, the next says too, so that one that gets
	// through is as good as all.
	if survive == 0 || r.fit(now) == 0 {
		return
	}
	r.last = max(r.last, r.carry(now, survive*header, 1).Sub(t.base))
	t.acks.push(ack{
		seq: t.expected, holes: t.notes.gone + t.notes.len(), edge: t.expected + t.window,
		again: again, at: p.at, due: r.last,
	})
}
