package link

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

// direction carries one side's bytes to the other. Its reader, the goroutine of
// run, hands them over itself while nothing has to be done to them: spliced
// inside the kernel when they come in bulk, and else through a buffer. The first
// chunk that has to wait starts a writer, which stays until the direction ends;
// from then on each chunk goes the one way or the other, and never past a chunk
// ahead of it.
type direction struct {
	session  *session
	up       bool
	src, dst *side
	back     *direction // the other direction of the same session
	transit  transit
	full     int // reads in a row that filled their buffer
	// got are bytes that the client said, or that it is to be told: what a
	// follower sees.
	got atomic.Int64
	// until is when what an editor holds back enters the path. It is guarded by
	// session.editing: the other direction's bytes can make the editor hold ours.
	until time.Time
	// over is set when everything that the source said was handed over, its end
	// included, or cannot be handed over any more.
	over atomic.Bool
}

// The ways in which a direction's reading ends, other than its source's.
var (
	// errStopped: the destination is broken or the session was ended.
	errStopped = errors.New("direction stopped")
	// errCut: a fault ends the connection, behind what was passed so far.
	errCut = errors.New("connection cut")
	// errLost: a fault has made the end vanish.
	errLost = errors.New("end lost")
	// errBroken stands for the error that a write to the source was told of.
	errBroken = errors.New("source broken")
	// errNotBulk: go on reading in the ordinary way.
	errNotBulk = errors.New("not bulk")
)

// bulk is how many full buffers in a row make a stream bulk.
const bulk = 4

// run carries until the source has ended and its end was passed on.
//
// A side that is broken, by a failed read or a failed write, is one of whose
// bytes no more will come. The other side is reset for it, but only when it has
// been given all that came: on a wire, too, a reset travels behind the data.
func (d *direction) run() {
	defer d.session.ran()
	err := d.read()
	if s := d.session; s.follow != nil {
		s.follow.end(d.up, time.Now())
	}
	d.transit.drain()
	switch {
	case err == errLost || d.session.severed.Load():
	case err == errStopped || d.dst.broken.Load():
	case err == errCut:
		d.session.shut()
	case err == io.EOF:
		if d.up {
			d.session.spoke.Store(true)
		}
		closeWrite(d.dst.conn)
	default:
		d.src.broken.Store(true)
	}
	// The order of this store and load is the reverse of that in fail: one of
	// the two sees the other.
	d.over.Store(true)
	if d.src.broken.Load() {
		d.session.reset()
	}
}

// fail notes that the destination takes no more bytes.
func (d *direction) fail() {
	if d.up && d.session.severed.Load() {
		return // nobody is to learn of it
	}
	d.dst.broken.Store(true)
	if d.back.over.Load() {
		d.session.reset()
	}
}

// course is what the program in force asks of this direction.
func (d *direction) course() *course {
	p := d.session.program.Load()
	if d.up {
		return &p.up
	}
	return &p.down
}

// read takes chunks from the source and passes them on until there are no more.
// It returns io.EOF when the source ended in good order, one of the errors above
// when the fault is not the source's, and else the source's error.
func (d *direction) read() error {
	s := d.session
	met := s.follow == nil
	for first := true; ; first = false {
		if !d.transit.idle() && !d.transit.await(s.done) {
			return errStopped
		}
		c := d.course()
		if d.full >= bulk {
			d.full = 0
			if c.plain && !s.followed() && s.editor.Load() == nil && d.transit.idle() {
				if err := d.splice(); err != errNotBulk {
					if err == errStopped {
						return err
					}
					return d.end(err, time.Now())
				}
			}
		}
		buf, n, err := d.src.read(c.chunk, d.full > 0)
		at := time.Now()
		came := at
		if first && d.up && d.src.fd != nil && !d.src.lazy.waited {
			came = s.opened // it was there before we were
		}
		turn := n > 0 && d.up && s.asked(at)
		if d.src.lazy.waited && !d.course().path.IsZero() {
			at = at.Add(-wakeTime())
		}
		if n > 0 {
			if n == len(buf.data) {
				d.full++
			} else {
				d.full = 0
			}
		}
		if first {
			var ok bool
			if at, ok = d.hold(at); !ok {
				if n > 0 {
					buf.release()
				}
				return errStopped
			}
		}
		if n > 0 {
			if !met {
				met = true
				s.follow.meet(d.up, buf.data[:n])
			}
			if d.up || s.editor.Load() == nil {
				d.saw(buf.data[:n], came)
			}
			stop := d.pass(buf, n, at, turn && !first)
			buf.release()
			if stop != nil {
				return stop
			}
		}
		if err != nil {
			return d.end(err, at)
		}
	}
}

// saw lets the follower, if there is one, read along.
func (d *direction) saw(p []byte, at time.Time) {
	d.got.Add(int64(len(p)))
	if f := d.session.follow; f != nil {
		f.saw(d.up, p, at)
	}
}

// hold keeps what was read first until the handshake allows it, and returns when
// that was. It reports false when the session ended meanwhile.
func (d *direction) hold(at time.Time) (time.Time, bool) {
	s, until := d.session, at
	if d.up {
		until = s.hands.established
	} else if !s.spoke.Load() {
		until = at.Add(s.hands.early)
	}
	if !at.Before(until) {
		return at, true
	}
	return until, s.link.wait(until, s.done, nil)
}

// pass takes n bytes that were read through whatever there is on their way.
// turn says that the client begins to speak, after the upstream has answered.
// It returns nil when reading goes on.
func (d *direction) pass(buf *buffer, n int, at time.Time, turn bool) error {
	s := d.session
	if turn && s.editor.Load() == nil {
		s.edit(true)
	}
	for data := buf.data[:n]; len(data) > 0; {
		c := d.course()
		ready := data
		if len(c.faults) > 0 || s.severed.Load() {
			k, verdict := d.gate(data, &at)
			if verdict == gateStopped {
				return errStopped
			}
			ready = data[:k]
			data = data[k:]
			if verdict == gateDrop {
				continue
			}
			c = d.course()
		} else {
			data = nil
		}
		if e := s.editor.Load(); e != nil {
			if err := d.edit(e, ready, at); err != nil {
				return err
			}
		} else if err := d.send(buf, ready, at, c, true); err != nil {
			return err
		}
	}
	return nil
}

// send takes data, which lies in buf unless that is nil, through the faults that
// change bytes and forwards what they leave. direct allows it to be written at
// once, which nobody else may do then.
func (d *direction) send(buf *buffer, data []byte, at time.Time, c *course, direct bool) error {
	if len(c.faults) > 0 {
		return d.mangle(buf, data, at, c, direct)
	}
	return d.forward(buf, data, at, c, direct)
}

// forward hands data on, now or when it is due.
func (d *direction) forward(buf *buffer, data []byte, at time.Time, c *course, direct bool) error {
	if direct && c.path.IsZero() && d.transit.idle() {
		if !d.write(data) {
			return errStopped
		}
		if s := d.session; s.follow != nil {
			s.follow.sent(d.up, d.got.Load(), time.Now())
		}
		return nil
	}
	d.startWriter()
	// The bytes were read under an earlier course, whose chunks may be larger.
	for len(data) > 0 {
		k := chunk{data: data[:min(c.chunk, len(data))], at: at}
		data = data[len(k.data):]
		k.mark = d.got.Load() - int64(len(data))
		if buf != nil && len(k.data) >= len(buf.data)/2 {
			buf.retain()
			k.whole = buf
		} else {
			// A small chunk must not hold a large buffer for as long as it
			// is under way.
			k.data = append([]byte(nil), k.data...)
		}
		d.transit.put(k)
	}
	return nil
}

// end passes the source's end on behind its bytes, as late as those, and returns
// what kind of end it is.
func (d *direction) end(err error, at time.Time) error {
	s := d.session
	if s.ended() {
		return errStopped // an end passed on now would come in front of a reset
	}
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
		// We closed it ourselves: its upstream was taken away, or the other
		// direction has ended and the connection has no halves.
		err = io.EOF
	}
	if err == io.EOF && d.src.broken.Load() {
		err = errBroken
	}
	if s.severed.Load() && !d.up {
		return errLost
	}
	if len(d.course().faults) > 0 {
		switch _, verdict := d.gate(nil, &at); verdict {
		case gateStopped:
			return errStopped
		case gateDrop:
			return errLost
		}
		if err == io.EOF && !d.linger(&at) {
			return errStopped
		}
	}
	if ed := s.editor.Load(); ed != nil {
		if stop := d.editEnd(ed, at); stop != nil {
			return stop
		}
	}
	c := d.course()
	if c.path.IsZero() && !d.transit.started() {
		return err
	}
	d.startWriter()
	// A writer needs the end also to stop.
	s.editing.Lock()
	at = later(at, d.until)
	s.editing.Unlock()
	d.transit.put(chunk{at: at, last: true})
	return err
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// write hands data to the destination and reports whether it took them.
func (d *direction) write(data []byte) bool {
	began := d.account(len(data))
	if _, err := d.dst.conn.Write(data); err != nil {
		d.fail()
		return false
	}
	d.told(began)
	return true
}

// account counts n bytes that are about to be handed over, and returns when the
// turn that they end began.
func (d *direction) account(n int) (began time.Time) {
	s, m := d.session, &d.session.link.meter
	if d.up {
		if !s.spoke.Load() {
			s.spoke.Store(true)
		}
		m.bytesUp.Add(int64(n))
		return began
	}
	m.bytesDown.Add(int64(n))
	return s.answered()
}

// told notes that the turn which began at a time has ended.
func (d *direction) told(began time.Time) {
	if !began.IsZero() {
		d.session.link.meter.turnAround.observe(time.Since(began))
	}
}

// startWriter starts the goroutine that hands over what is under way, once.
func (d *direction) startWriter() {
	// The course is looked up under the transit's lock, or a change in between
	// would pass the new flow by.
	if d.transit.start(func() shape.Flow { return d.session.link.newFlow(d, d.course()) }) {
		go d.deliver()
	}
}

// newFlow makes one direction's flow. Each has a series of random numbers of its
// own, so that what one connection draws does not depend on how others are
// scheduled.
func (l *Link) newFlow(d *direction, c *course) shape.Flow {
	line, back, series := &l.down, &l.up, d.session.number<<1
	if d.up {
		line, back, series = &l.up, &l.down, series|1
	}
	tier := l.tier
	if tier == rehearse.TierPacket && c.path.Loss == 0 {
		tier = rehearse.TierStream // the kernel's own TCP is below
	}
	return shape.New(tier, line, back, rand.New(rand.NewPCG(l.seed, series)), c.path, c.back)
}

// deliver hands over what is under way when it is due, until the last of it, the
// destination's failure or the session's end.
func (d *direction) deliver() {
	t, s := &d.transit, d.session
	defer t.finish()
	var chunks []chunk
	var pieces net.Buffers
	lag := &s.link.lag
	for {
		var next time.Time
		chunks, next = t.take(chunks[:0], time.Now().Add(lag.get()))
		if len(chunks) == 0 {
			if next.IsZero() {
				select {
				case <-t.more:
				case <-s.done:
					return
				}
			} else if !s.link.wait(next.Add(-lag.get()), s.done, t.more) {
				select {
				case <-s.done:
					return
				default:
				}
			}
			continue
		}
		tail := chunks[len(chunks)-1]
		if tail.last {
			chunks = chunks[:len(chunks)-1]
		}
		lastMark := int64(0)
		if len(chunks) > 0 {
			lastMark = chunks[len(chunks)-1].mark
		}
		ok := d.writeAll(chunks, &pieces)
		now := time.Now()
		for i, c := range chunks {
			if ok {
				s.link.meter.delayed(c.due.Sub(c.at), now.Sub(c.at))
				lag.note(now.Sub(c.due))
			}
			t.delivered(c)
			chunks[i] = chunk{}
		}
		if ok && lastMark > 0 && s.follow != nil {
			s.follow.sent(d.up, lastMark, now)
		}
		if ok && tail.end != nil {
			tail.end()
		}
		if tail.last || !ok {
			return
		}
	}
}

// writeAll hands several chunks to the destination, in one call where it can.
func (d *direction) writeAll(chunks []chunk, pieces *net.Buffers) bool {
	if len(chunks) == 0 {
		return true
	}
	if len(chunks) == 1 {
		return d.write(chunks[0].data)
	}
	n, kept := 0, (*pieces)[:0]
	for i, c := range chunks {
		if c.alone {
			return d.writeAll(chunks[:i], pieces) && d.write(c.data) && d.writeAll(chunks[i+1:], pieces)
		}
		n += len(c.data)
		kept = append(kept, c.data)
	}
	began := d.account(n)
	rest := kept // WriteTo uses up what it is given
	_, err := rest.WriteTo(d.dst.conn)
	clear(kept)
	*pieces = kept
	if err != nil {
		d.fail()
		return false
	}
	d.told(began)
	return true
}
