package link

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse/internal/shape"
)

// direction carries one side's bytes to the other. Its reader, the goroutine of
// run, writes to the destination itself while the path is flat and nothing is
// queued. The first chunk that has to wait starts a writer, which stays until
// the direction ends; from then on each chunk goes the one way or the other, and
// never past a chunk ahead of it.
type direction struct {
	session  *session
	up       bool
	src, dst *side
	back     *direction // the other direction of the same session
	lane     shape.Lane
	hands    handshake
	queue    queue
	// over is set when everything that the source said was handed over, its end
	// included, or cannot be handed over any more.
	over atomic.Bool
}

// errStopped says that a direction ended because its destination is broken or
// the session was ended, not because of its source.
var errStopped = errors.New("direction stopped")

// run carries until the source has ended and its end was passed on.
//
// A side that is broken, by a failed read or a failed write, is one of whose
// bytes no more will come. The other side is reset for it, but only when it has
// been given all that came: on a wire, too, a reset travels behind the data.
func (d *direction) run() {
	err := d.read()
	d.queue.drain()
	switch {
	case err == errStopped || d.dst.broken.Load():
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
	d.dst.broken.Store(true)
	if d.back.over.Load() {
		d.session.reset()
	}
}

// read takes chunks from the source and passes them on until there are no more.
// It returns io.EOF when the source ended in good order, errStopped when the
// fault is not the source's, and else the source's error.
func (d *direction) read() error {
	buf := buffers.Get().(*buffer)
	defer func() { buffers.Put(buf) }()
	for first := true; ; first = false {
		n, err := d.src.conn.Read(buf[:d.setting().chunk])
		at := time.Now()
		if n > 0 && d.up {
			d.session.asked(at)
		}
		if first {
			if at, err = d.hold(at, err); err == errStopped {
				return err
			}
		}
		if n > 0 {
			taken, ok := d.pass(buf, n, at)
			if !ok {
				return errStopped
			}
			if taken {
				buf = buffers.Get().(*buffer)
			}
		}
		if err != nil {
			return d.end(err, at)
		}
	}
}

// setting is what the shape in force asks of this direction.
func (d *direction) setting() *setting {
	s := d.session.link.settings.Load()
	if d.up {
		return &s.up
	}
	return &s.down
}

// hold keeps what was read first until the handshake allows it, and returns when
// that was, or errStopped when the session ended meanwhile.
func (d *direction) hold(at time.Time, err error) (time.Time, error) {
	until := at
	if d.up {
		until = d.hands.established
	} else if !d.session.spoke.Load() {
		until = at.Add(d.hands.early)
	}
	if !at.Before(until) {
		return at, err
	}
	if !d.session.link.wait(until, d.session.done) {
		return at, errStopped
	}
	return until, err
}

// pass hands n bytes on, now or when they are due. It reports whether it keeps
// the buffer, and whether the destination still takes bytes.
func (d *direction) pass(buf *buffer, n int, at time.Time) (taken, ok bool) {
	set := d.setting()
	if set.path.IsZero() && d.queue.idle() {
		return false, d.write(buf[:n])
	}
	d.startWriter()
	// The bytes were read under an earlier setting, whose chunks may be larger.
	for rest := buf[:n]; len(rest) > 0; {
		size := min(set.chunk, len(rest))
		c := chunk{data: rest[:size], at: at, due: d.lane.Due(set.path, at, size)}
		if size == n && n >= len(buf)/2 {
			c.whole, taken = buf, true
		} else {
			// A small chunk must not hold a large buffer for as long as it
			// is under way.
			c.data = append([]byte(nil), c.data...)
		}
		if !d.queue.put(c, set.window, d.session.done) {
			return taken, false
		}
		rest = rest[size:]
	}
	return taken, true
}

// end passes the source's end on behind its bytes, as late as those, and returns
// what kind of end it is.
func (d *direction) end(err error, at time.Time) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
		// We closed it ourselves: the session was cut, or the other direction
		// has ended and the connection has no halves.
		err = io.EOF
	}
	if err == io.EOF && d.src.broken.Load() {
		err = errBroken
	}
	path := d.setting().path
	if path.IsZero() && !d.queue.started {
		return err
	}
	d.startWriter()
	// A writer needs the end also to stop. The end takes no room, so it never waits for any.
	d.queue.put(chunk{due: d.lane.Due(path, at, 0), last: true}, shape.MaxWindow, d.session.done)
	return err
}

// errBroken stands for the error that a write to the source was told of.
var errBroken = errors.New("source broken")

// write hands data to the destination and reports whether it took them.
func (d *direction) write(data []byte) bool {
	s, m := d.session, &d.session.link.meter
	var began time.Time
	if d.up {
		if !s.spoke.Load() {
			s.spoke.Store(true)
		}
		m.bytesUp.Add(int64(len(data)))
	} else {
		began = s.answered()
		m.bytesDown.Add(int64(len(data)))
	}
	if _, err := d.dst.conn.Write(data); err != nil {
		d.fail()
		return false
	}
	if !began.IsZero() {
		m.turnAround.observe(time.Since(began))
	}
	return true
}

// startWriter starts the goroutine that hands over what is queued, once.
func (d *direction) startWriter() {
	if d.queue.start() {
		go d.deliver()
	}
}

// deliver hands over queued chunks when they are due, until the last of them,
// the destination's failure or the session's end.
func (d *direction) deliver() {
	defer d.queue.finish()
	done := d.session.done
	for {
		c, ok := d.queue.take(done)
		if !ok || !d.session.link.wait(c.due, done) || c.last {
			return
		}
		if !d.write(c.data) {
			return
		}
		d.session.link.meter.delayed(c.due.Sub(c.at), time.Since(c.at))
		if c.whole != nil {
			buffers.Put(c.whole)
		}
		d.queue.delivered(c)
	}
}
