package link

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// bearing is a fault as one connection bears it.
type bearing struct {
	fault   *fault
	session *session
	touched atomic.Bool
	lost    atomic.Bool // bytes of the connection are gone for good
	timer   *time.Timer // guarded by session.mu
	// passed are the bytes that went by since the fault came, up and down; each
	// is counted by its direction's reader.
	passed [2]atomic.Int64
}

// touch counts n bytes, in one packet, that the fault has done something to.
func (b *bearing) touch(n int) {
	if !b.touched.Swap(true) {
		b.fault.connections.Add(1)
	}
	if n > 0 {
		b.fault.packets.Add(1)
		b.fault.bytes.Add(int64(n))
	}
}

func (d *direction) index() int {
	if d.up {
		return 0
	}
	return 1
}

// gateVerdict is what becomes of bytes at the gate.
type gateVerdict int

const (
	gatePass gateVerdict = iota
	gateDrop
	gateStopped // the session ended while they were held
)

// gate says how many of the bytes may go on, or are to vanish, and waits until
// any may: a partition and a stall hold bytes, a black hole and a time-out let
// them vanish. It moves at to when they were let go. The end of a stream is no
// bytes, and waits like any.
func (d *direction) gate(data []byte, at *time.Time) (n int, verdict gateVerdict) {
	s := d.session
	var held time.Time // since when, or zero
	var holders []*bearing
	again := false // they were sent again after they had been held
	for {
		p := s.program.Load()
		n, verdict, holder := d.look(data)
		if holder != nil {
			if !slices.Contains(holders, holder) { // count what it holds once
				holder.touch(len(data))
				holders = append(holders, holder)
			}
			if held.IsZero() {
				held = *at
			}
			again = false
			select {
			case <-p.changed:
			case <-s.done:
				return 0, gateStopped
			}
			continue
		}
		if verdict == gatePass && !held.IsZero() && !again {
			if !d.retransmitted(held) {
				return 0, gateStopped
			}
			again = true
			*at = time.Now()
			continue // they may meet another fault now
		}
		if verdict == gatePass {
			d.count(rehearse.FaultStall, n)
		}
		return n, verdict
	}
}

// look says what the faults in force do to bytes at the gate, each to what those
// before it let through: how many of them pass or vanish, or who holds them all.
func (d *direction) look(data []byte) (n int, verdict gateVerdict, holder *bearing) {
	s, n := d.session, len(data)
	gone := s.severed.Load()
	for _, b := range d.course().faults {
		switch f := b.fault.spec; f.Kind {
		case rehearse.FaultHalfOpen:
			if gone {
				b.touch(n)
			}
		case rehearse.FaultBlackhole, rehearse.FaultTimeout:
			if !gone {
				b.lost.Store(true)
				b.touch(n)
				gone = true
			}
		case rehearse.FaultPartition:
			if !gone {
				return 0, gatePass, b
			}
		case rehearse.FaultStall:
			room := max(0, f.Bytes-b.passed[d.index()].Load())
			if !gone && room == 0 {
				return 0, gatePass, b
			}
			if !gone {
				n = int(min(int64(n), room))
			}
		case rehearse.FaultTLS:
			// A handshake record of TLS 1.0 or later, RFC 8446 section 5.1.
			if !gone && f.Code == "stall" && d.up && !s.spoke.Load() && n > 0 && data[0] == 0x16 {
				return 0, gatePass, b
			}
		}
	}
	if gone {
		return n, gateDrop, nil
	}
	return n, gatePass, nil
}

// count notes that n bytes went by faults of a kind.
func (d *direction) count(kind rehearse.FaultKind, n int) {
	for _, b := range d.course().faults {
		if b.fault.spec.Kind == kind {
			b.passed[d.index()].Add(int64(n))
		}
	}
}

// retransmitted waits until a TCP sender, whose bytes were held up from a time
// on, would have tried again: it does so after 200 ms and a round trip, and each
// time after twice as long (RFC 6298). In the plain tier bytes come at once.
func (d *direction) retransmitted(held time.Time) bool {
	s := d.session
	if s.link.tier != rehearse.TierModel {
		return true
	}
	c := d.course()
	timeout := 200*time.Millisecond + time.Duration(c.path.Delay) + time.Duration(c.back.Delay)
	again, now := held.Add(timeout), time.Now()
	for again.Before(now) {
		timeout = min(2*timeout, 2*time.Minute)
		again = again.Add(timeout)
	}
	return s.link.wait(again, s.done, nil)
}

// segment is what a stream's bytes are counted in where a fault speaks of
// packets: the payload of an Ethernet frame under TCP with time stamps.
const segment = 1448

// mangle takes data through the faults that change bytes: truncate, then
// corrupt, then slice, in whatever order they were given.
func (d *direction) mangle(buf *buffer, data []byte, at time.Time, c *course, direct bool) error {
	var cut *bearing
	var slice *bearing
	var corrupt []*bearing
	for _, b := range c.faults {
		switch f := b.fault.spec; f.Kind {
		case rehearse.FaultTruncate:
			if left := max(0, f.Bytes-b.passed[d.index()].Load()); int64(len(data)) >= left {
				b.touch(len(data) - int(left))
				data, cut = data[:left], b
			}
		case rehearse.FaultSlice:
			slice = b
		case rehearse.FaultCorrupt:
			corrupt = append(corrupt, b)
		case rehearse.FaultDelay, rehearse.FaultLoss, rehearse.FaultRate:
			b.touch(len(data))
		}
	}
	for _, b := range corrupt {
		flipped := d.corrupt(b, data)
		if flipped != nil {
			data, buf = flipped, nil
		}
	}
	for _, b := range c.faults {
		if b.fault.spec.Kind != rehearse.FaultStall { // the gate counts for that
			b.passed[d.index()].Add(int64(len(data)))
		}
	}
	var err error
	if slice != nil {
		err = d.slice(slice, data, at)
	} else if len(data) > 0 {
		err = d.forward(buf, data, at, c, direct)
	}
	if err == nil && cut != nil {
		err = errCut
		if d.transit.started() {
			d.transit.put(chunk{at: at, last: true})
		}
	}
	return err
}

// corrupt flips bits of those segments that the fault touches, in a copy of
// data; it returns nil when there are none. Which bit of which segment follows
// from the segment's place in the stream alone, however it is cut into chunks.
func (d *direction) corrupt(b *bearing, data []byte) (flipped []byte) {
	f := b.fault
	from := b.passed[d.index()].Load()
	to := from + int64(len(data))
	for k := from / segment; k*segment < to; k++ {
		numbers := []uint64{d.session.number<<1 | uint64(d.index()), uint64(k)}
		if !f.touches(f.spec.Share, numbers...) {
			continue
		}
		bit := uint64(f.draw(append(numbers, 1)...) * segment * 8)
		place := k*segment + int64(bit/8) - from
		if place < 0 || place >= int64(len(data)) {
			continue
		}
		if flipped == nil {
			flipped = append([]byte(nil), data...)
		}
		flipped[place] ^= 1 << (bit % 8)
		b.touch(1)
	}
	return flipped
}

// slice sends data in pieces, each some time after the one before it. The reader
// goes no faster than the pieces leave, or they would pile up; when the fault is
// taken away it is free at once.
func (d *direction) slice(b *bearing, data []byte, at time.Time) error {
	f, s := b.fault.spec, d.session
	d.startWriter()
	for place := uint64(b.passed[d.index()].Load()) - uint64(len(data)); len(data) > 0; {
		size := f.Size
		if f.Variation > 0 {
			size += int(b.fault.draw(s.number<<1|uint64(d.index()), place)*float64(2*f.Variation+1)) - f.Variation
		}
		size = min(max(size, 1), len(data))
		mark := d.got.Load() - int64(len(data)-size)
		d.transit.put(chunk{data: append([]byte(nil), data[:size]...), at: at, mark: mark, alone: true})
		b.touch(size)
		data = data[size:]
		place += uint64(size)
		at = at.Add(time.Duration(f.Delay))
		for {
			p := s.program.Load()
			if !slices.Contains(d.course().faults, b) {
				return d.forward(nil, data, time.Now(), d.course(), false)
			}
			if s.link.wait(at, s.done, p.changed) {
				break
			}
			if s.ended() {
				return errStopped
			}
		}
	}
	return nil
}

// linger keeps the end of a stream back for as long as a fault says, and
// reports false when the session ended meanwhile.
func (d *direction) linger(at *time.Time) bool {
	s := d.session
	for {
		p := s.program.Load()
		until := *at
		for _, b := range d.course().faults {
			if b.fault.spec.Kind == rehearse.FaultSlowClose {
				b.touch(0)
				until = later(until, at.Add(time.Duration(b.fault.spec.Delay)))
			}
		}
		if s.link.wait(until, s.done, p.changed) {
			*at = until
			return true
		}
		select {
		case <-s.done:
			return false
		default: // another program, perhaps without the fault
		}
	}
}
