package link

import (
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
	// is its direction's own.
	passed [2]int64
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

// gate says how many of the bytes may go on, and waits until any may: a
// partition and a stall hold bytes, a black hole and a time-out let them vanish.
// It moves at to when they were let go.
func (d *direction) gate(data []byte, at *time.Time) (n int, verdict gateVerdict) {
	s := d.session
	var held time.Time
	for {
		p := s.program.Load()
		c := d.course()
		n, drop := len(data), s.severed.Load()
		for _, b := range c.faults {
			switch b.fault.spec.Kind {
			case rehearse.FaultBlackhole, rehearse.FaultTimeout:
				b.lost.Store(true)
				b.touch(len(data))
				drop = true
			case rehearse.FaultPartition:
				if n > 0 {
					b.touch(len(data))
				}
				n = 0
			case rehearse.FaultStall:
				passed := &b.passed[d.index()]
				room := max(0, b.fault.spec.Bytes-*passed)
				if int64(n) > room {
					b.touch(n - int(room))
					n = int(room)
				}
				*passed += int64(n)
			case rehearse.FaultTLS:
				// A handshake record of TLS 1.0 or later, RFC 8446 section 5.1.
				if b.fault.spec.Code == "stall" && d.up && !s.spoke.Load() && data[0] == 0x16 {
					b.touch(len(data))
					n = 0
				}
			}
		}
		if drop {
			return len(data), gateDrop
		}
		if n > 0 {
			if !held.IsZero() {
				if !d.retransmitted(held) {
					return 0, gateStopped
				}
				*at = time.Now()
			}
			return n, gatePass
		}
		if held.IsZero() {
			held = *at
		}
		select {
		case <-p.changed:
		case <-s.done:
			return 0, gateStopped
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
			if left := max(0, f.Bytes-b.passed[d.index()]); int64(len(data)) >= left {
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
		b.passed[d.index()] += int64(len(data))
	}
	var err error
	if slice != nil {
		err = d.slice(slice, data, at, c)
	} else if len(data) > 0 {
		err = d.forward(buf, data, at, c, direct)
	}
	if err == nil && cut != nil {
		err = errCut
		if d.transit.started() {
			d.transit.put(chunk{at: later(at, d.until), last: true})
		}
	}
	return err
}

// corrupt flips bits of those segments that the fault touches, in a copy of
// data; it returns nil when there are none. Which bit of which segment follows
// from the segment's place in the stream alone, however it is cut into chunks.
func (d *direction) corrupt(b *bearing, data []byte) (flipped []byte) {
	f := b.fault
	from := b.passed[d.index()]
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
		b.touch(min(segment, len(data)))
	}
	return flipped
}

// slice sends data in pieces, each some time after the one before it.
func (d *direction) slice(b *bearing, data []byte, at time.Time, c *course) error {
	f := b.fault.spec
	d.startWriter(c)
	at = later(at, d.until)
	for place := uint64(b.passed[d.index()]); len(data) > 0; place++ {
		size := f.Size
		if f.Variation > 0 {
			size += int(b.fault.draw(d.session.number, place)*float64(2*f.Variation+1)) - f.Variation
		}
		size = min(max(size, 1), len(data))
		d.transit.put(chunk{data: append([]byte(nil), data[:size]...), at: at, alone: true})
		b.touch(size)
		data = data[size:]
		at = at.Add(time.Duration(f.Delay))
	}
	d.until = at
	// The reader goes no faster than the pieces leave, or they would pile up.
	if !d.session.link.wait(at, d.session.done, nil) {
		return errStopped
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
