package memory

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is how many bytes a stream holds before its writer must wait.
const window = 64 << 10

// stream is one direction of a connection.
type stream struct {
	mu      sync.Mutex
	buf     []byte
	eof     bool          // the writer has said that it is done
	unread  bool          // the reader has gone; nobody will take what comes
	failure error         // what reading and writing say once the connection has been reset
	changed chan struct{} // closed and replaced at every change
}

func newStream() *stream { return &stream{changed: make(chan struct{})} }

// update changes the stream and wakes whoever waits for a change.
func (s *stream) update(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.changed)
	s.changed = make(chan struct{})
}

// read takes what is there, else waits. What was sent before a reset can still
// be read, as on Linux.
func (s *stream) read(p []byte, d *deadline, closed <-chan struct{}) (int, error) {
	for {
		if err := over(d, closed); err != nil {
			return 0, err
		}
		var n int
		var err error
		s.mu.Lock()
		changed := s.changed
		switch {
		case len(p) == 0:
			s.mu.Unlock()
			return 0, nil
		case len(s.buf) > 0:
			n = copy(p, s.buf)
			s.buf = s.buf[n:]
			close(s.changed)
			s.changed = make(chan struct{})
		case s.failure != nil:
			err = os.NewSyscallError("read", s.failure)
		case s.eof:
			err = io.EOF
		}
		s.mu.Unlock()
		if n > 0 || err != nil {
			return n, err
		}
		select {
		case <-changed:
		case <-d.passed():
		case <-closed:
		}
	}
}

// write appends as the window allows.
func (s *stream) write(p []byte, d *deadline, closed <-chan struct{}) (int, error) {
	n := 0
	for {
		if err := over(d, closed); err != nil {
			return n, err
		}
		s.mu.Lock()
		changed := s.changed
		switch {
		case s.failure != nil || s.eof:
			err := s.failure
			if err == nil {
				err = syscall.EPIPE
			}
			s.mu.Unlock()
			return n, os.NewSyscallError("write", err)
		case s.unread:
			// Like TCP: these bytes are lost without a word, the next ones fail.
			s.failure = syscall.EPIPE
			s.mu.Unlock()
			return len(p), nil
		}
		if room := min(window-len(s.buf), len(p)-n); room > 0 {
			s.buf = append(s.buf, p[n:n+room]...)
			n += room
			close(s.changed)
			s.changed = make(chan struct{})
		}
		s.mu.Unlock()
		if n == len(p) {
			return n, nil
		}
		select {
		case <-changed:
		case <-d.passed():
		case <-closed:
		}
	}
}

// finish says that nothing more will be written.
func (s *stream) finish() { s.update(func() { s.eof = true }) }

// leave says that nothing more will be read, and reports whether something was
// left unread.
func (s *stream) leave() (lost bool) {
	s.update(func() {
		lost = len(s.buf) > 0
		s.unread, s.buf = true, nil
	})
	return lost
}

// fail breaks the stream. One that its writer has ended stays ended.
func (s *stream) fail(err error) {
	s.update(func() {
		if s.failure == nil && !s.eof {
			s.failure = err
		}
	})
}

// deadline is a point in time that may be moved while somebody waits for it.
// The zero value never passes.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	done  chan struct{}
}

func (d *deadline) passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.channel()
}

func (d *deadline) channel() chan struct{} {
	if d.done == nil {
		d.done = make(chan struct{})
	}
	return d.done
}

// set moves the deadline; the zero time takes it away.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.channel() // its function has run, or is about to: it closes this channel
	}
	d.timer = nil
	done := d.channel()
	select {
	case <-done:
		done = make(chan struct{})
		d.done = done
	default:
	}
	switch wait := time.Until(t); {
	case t.IsZero():
	case wait <= 0:
		close(done)
	default:
		d.timer = time.AfterFunc(wait, func() { close(done) })
	}
}

// over says why a read or write must not go on, if it must not.
func over(d *deadline, closed <-chan struct{}) error {
	select {
	case <-closed:
		return net.ErrClosed
	default:
	}
	select {
	case <-d.passed():
		return os.ErrDeadlineExceeded
	default:
	}
	return nil
}
