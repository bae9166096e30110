package packet

import (
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// grain is how much of a train may share one moment at a rate: its packets come
// when the last of them would. A card gathers interrupts about as long.
const grain = int64(50 * time.Microsecond)

// manyFlows is how many connections may be idle before they are forgotten.
const manyFlows = 1024

// lane is one direction of one link. Its path may be set from any goroutine; the
// rest belongs to the one that runs the wire. Times are nanoseconds since the
// wire's start.
type lane struct {
	path  atomic.Pointer[path]
	dice  dice
	turn  turn
	flows map[flow]turn // of each connection, where each keeps its own order
	sweep int           // from how many on to look for idle ones
	meter meter
}

// turn is what packets keep their order by.
type turn struct {
	free int64 // when the last byte of what was sent at the rate has left
	last int64 // when the last packet is due that kept its turn
}

// fate is what becomes of packets from up to but not including to of a frame.
type fate struct {
	from, to int
	due      int64
	copies   int
	spoil    bool   // flip the bit that luck chooses
	luck     uint64 // drawn here, so that it belongs to the packet's number
}

// judge appends the fates of a frame's packets, in order, to fates: those that
// are treated alike together.
func (l *lane) judge(fates []fate, f frame, now int64) []fate {
	p := l.path.Load()
	l.meter.packets.Add(int64(f.packets))
	l.meter.bytes.Add(int64(f.bytes(0, f.packets)))
	if p.blocked {
		l.meter.blocked.Add(int64(f.packets))
		return fates
	}
	delay := l.dice.delay(p)
	own := &l.turn
	if p.ConnectionRate > 0 || p.Jitter > 0 {
		// A connection that is held back, by its rate or by a long delay that it
		// drew, holds up no other: all would have the longest delay of any else.
		key := f.flow()
		one := l.flow(key, now)
		defer func() { l.flows[key] = one }()
		own = &one
	}
	if p.whole() {
		return append(fates, fate{to: f.packets, due: own.next(now + delay), copies: 1})
	}
	first := len(fates)
	var began int64 // when the train that is being gathered would have come
	for i := range f.packets {
		left, sent := l.send(p, own, f.bytes(i, i+1), now)
		if !sent {
			l.meter.dropped.Add(1)
			continue
		}
		if l.dice.lost(p) {
			l.meter.lost.Add(1)
			continue
		}
		one := fate{from: i, to: i + 1, copies: 1}
		if strikes(l.dice.reorder, p.Reorder) {
			// As in tc-netem: it overtakes what is under way.
			l.meter.reordered.Add(1)
			one.due = left
		} else {
			one.due = own.next(left + delay)
		}
		if strikes(l.dice.duplicate, p.Duplicate) {
			l.meter.duplicated.Add(1)
			one.copies = 2
		}
		if strikes(l.dice.corrupt, p.corrupt) {
			l.meter.corrupted.Add(1)
			one.spoil, one.luck = true, l.dice.corrupt.Uint64()
		}
		if n := len(fates); n > first && one.follows(fates[n-1]) && one.due-began <= grain {
			fates[n-1].to, fates[n-1].due = one.to, one.due
			continue
		}
		began = one.due
		fates = append(fates, one)
	}
	return fates
}

// follows reports whether a packet can end the train before it.
func (f fate) follows(train fate) bool {
	return train.to == f.from && train.due <= f.due && train.copies == 1 && f.copies == 1 && !train.spoil && !f.spoil
}

// next keeps a packet behind those before it.
func (t *turn) next(due int64) int64 {
	t.last = max(t.last, due)
	return t.last
}

// flow is a connection's turn. Those that have nothing under way are forgotten
// now and then.
func (l *lane) flow(key flow, now int64) turn {
	if l.flows == nil {
		l.flows = map[flow]turn{}
	}
	t, known := l.flows[key]
	if !known && len(l.flows) >= l.sweep {
		for k, t := range l.flows {
			if max(t.free, t.last) < now {
				delete(l.flows, k)
			}
		}
		l.sweep = max(manyFlows, 2*len(l.flows))
	}
	return t
}

// send is when the last byte of a packet of n bytes has left at the rates, or
// false when the queue in front of one has no room for it.
func (l *lane) send(p *path, own *turn, n int, now int64) (int64, bool) {
	held, linkHeld := now, now
	room := true
	if p.ConnectionRate > 0 {
		if held, room = transmit(own.free, now, n, p.ConnectionRate, p.limit); !room {
			return 0, false
		}
	}
	if p.Rate > 0 {
		// As of now: what a connection's own rate holds back would keep the
		// link from those that could use it.
		if linkHeld, room = transmit(l.turn.free, now, n, p.Rate, p.limit); !room {
			return 0, false
		}
		l.turn.free = linkHeld
	}
	if p.ConnectionRate > 0 {
		own.free = held
	}
	return max(held, linkHeld), true
}

// transmit is when n bytes have left a transmitter that is busy until free, if
// no more than limit bytes wait for it. A packet that finds nobody waiting always
// has room, or a limit below its size would let nothing pass. What is being sent
// counts as waiting.
func transmit(free, at int64, n int, rate rehearse.Rate, limit int64) (int64, bool) {
	if free <= at {
		return at + transfer(n, rate), true
	}
	waiting := float64(free-at) / 1e9 * float64(rate) / 8
	if waiting+float64(n) > float64(limit) {
		return 0, false
	}
	return free + transfer(n, rate), true
}

// transfer is how long n bytes take at a rate, in nanoseconds.
func transfer(n int, rate rehearse.Rate) int64 {
	return int64(min(float64(n)*8e9/float64(rate), float64(longest)))
}
