//go:build unix

package switchboard

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/yamux"
)

// conn is a TCP connection that passes through the tunnel, on both sides. Its
// bytes travel in frames of four bytes of length and that many bytes; two lengths
// are marks. A stream that ends without the mark of closing was reset.
//
// A stream's own end would do for the end of a half, but then nothing could say
// that the other half is not read any more either, and whoever writes into it
// would wait for ever.
type conn struct {
	t             *tunnel
	s             *yamux.Stream
	local, remote net.Addr
	// onGone is called once when the peer has closed the whole of the connection,
	// after all of its bytes have been read. Nil means nobody asks.
	onGone func(reset bool)

	reading sync.Mutex
	r       *bufio.Reader
	left    int   // of the frame that is being read
	ended   error // why there is nothing more to read

	writing sync.Mutex
	frame   []byte // being written; what is left of it after a deadline

	linger atomic.Int64 // as SetLinger said, plus one
	closed atomic.Bool
	ending atomic.Bool // CloseWrite was called
	gone   atomic.Bool // the peer reads nothing more
}

var _ interface {
	net.Conn
	CloseWrite() error
	SetLinger(int) error
} = (*conn)(nil)

const (
	maxFrame  = 64 << 10
	markEnd   = 0xffff_ffff // nothing more comes
	markClose = 0xffff_fffe // nor is anything read
	// patience is for a peer that does not read, when a connection is closed.
	patience = time.Minute
)

func newConn(t *tunnel, s *yamux.Stream, local, remote net.Addr) *conn {
	return &conn{t: t, s: s, local: local, remote: remote, r: bufio.NewReaderSize(s, 4<<10)}
}

// LocalAddr is our end's address, as it was on the wire.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the peer's address, as it was on the wire.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// Read reads bytes, or io.EOF when the peer has ended its half, or ECONNRESET.
func (c *conn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	for c.left == 0 {
		if c.ended == nil {
			c.next()
		}
		if c.ended != nil {
			err := c.failure("read", c.ended)
			if errors.Is(c.ended, os.ErrDeadlineExceeded) {
				c.ended = nil // the next read may have more luck
			}
			return 0, err
		}
	}
	n, err := c.r.Read(p[:min(len(p), c.left)])
	c.left -= n
	if n > 0 {
		return n, nil
	}
	return 0, c.failure("read", c.broken(err))
}

// next reads the head of a frame.
func (c *conn) next() {
	head, err := c.r.Peek(4)
	if err != nil {
		c.ended = c.broken(err)
		return
	}
	_, _ = c.r.Discard(4)
	switch size := binary.BigEndian.Uint32(head); {
	case size == markEnd:
		c.ended = io.EOF
		// Somebody must go on listening: the mark of closing may follow.
		c.t.beside(c.watch)
	case size == markClose:
		c.ended = io.EOF
		c.leave(false)
	case size > maxFrame:
		c.ended = errors.New("a frame that is none")
		c.leave(true)
	default:
		c.left = int(size)
	}
}

// watch waits for the end of a connection whose one half has ended.
func (c *conn) watch() {
	for {
		head, err := c.r.Peek(4)
		switch {
		case errors.Is(deadline(err), os.ErrDeadlineExceeded):
			if c.closed.Load() {
				return // by ourselves, and the peer is being told
			}
			// A deadline that a reader has left behind, and nobody reads any more.
			_ = c.s.SetReadDeadline(time.Time{})
		case err == nil && binary.BigEndian.Uint32(head) == markClose:
			c.leave(false)
			return
		default:
			c.leave(true)
			return
		}
	}
}

// broken turns a stream's error into a connection's.
func (c *conn) broken(err error) error {
	if err = deadline(err); errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	c.leave(true)
	return syscall.ECONNRESET
}

// leave notes that the peer has left.
func (c *conn) leave(reset bool) {
	if c.gone.Swap(true) {
		return
	}
	_ = c.s.SetWriteDeadline(time.Unix(1, 0)) // whoever waits to write
	if c.onGone != nil && !c.closed.Load() {
		c.onGone(reset)
	}
}

// deadline gives a deadline's error the name that the standard library has.
func deadline(err error) error {
	if errors.Is(err, yamux.ErrTimeout) {
		return os.ErrDeadlineExceeded
	}
	return err
}

// failure is the error that a caller sees.
func (c *conn) failure(op string, err error) error {
	if c.closed.Load() {
		err = net.ErrClosed
	}
	if err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// Write writes bytes. What a deadline cuts off is finished by the next write.
func (c *conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	var done int
	for done < len(p) {
		if err := c.writable(); err != nil {
			return done, c.failure("write", err)
		}
		if err := c.flush(); err != nil {
			return done, c.failure("write", err)
		}
		part := p[done:min(done+maxFrame, len(p))]
		c.frame = append(binary.BigEndian.AppendUint32(c.frame[:0], uint32(len(part))), part...)
		whole := len(c.frame)
		err := c.flush()
		if err != nil && len(c.frame) == whole {
			c.frame = c.frame[:0]
			return done, c.failure("write", err)
		}
		done += len(part)
		if err != nil {
			return done, c.failure("write", err)
		}
	}
	return done, nil
}

func (c *conn) writable() error {
	switch {
	case c.closed.Load():
		return net.ErrClosed
	case c.ending.Load(), c.gone.Load():
		return syscall.EPIPE
	}
	return nil
}

// flush writes what is left of a frame.
func (c *conn) flush() error {
	for len(c.frame) > 0 {
		n, err := c.s.Write(c.frame)
		c.frame = c.frame[:copy(c.frame, c.frame[n:])]
		if err != nil {
			if err = deadline(err); c.gone.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
				err = syscall.EPIPE
			}
			return err
		}
	}
	return nil
}

// CloseWrite ends our half. It returns at once, as a socket's does: what has been
// written goes first.
func (c *conn) CloseWrite() error {
	if err := c.writable(); err != nil {
		return c.failure("close", err)
	}
	c.ending.Store(true)
	c.t.beside(func() {
		c.writing.Lock()
		defer c.writing.Unlock()
		c.mark(markEnd, time.Time{})
	})
	return nil
}

// mark sends a mark after all bytes. Whoever closes or leaves does not wait for
// the lock of writers: the deadline wakes them, so ours comes before we look.
func (c *conn) mark(mark uint32, deadline time.Time) {
	_ = c.s.SetWriteDeadline(deadline)
	if c.gone.Load() || mark == markEnd && c.closed.Load() {
		return
	}
	if c.flush() == nil {
		c.frame = binary.BigEndian.AppendUint32(c.frame[:0], mark)
		_ = c.flush() // a peer that has gone needs no marks
	}
}

// Close ends both halves, and returns at once. The peer sees a reset when
// SetLinger(0) came before.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return c.failure("close", net.ErrClosed)
	}
	_ = c.s.SetDeadline(time.Unix(1, 0)) // whoever waits to read or write
	if c.linger.Load() == 1 || c.gone.Load() {
		return c.s.Close()
	}
	c.t.beside(func() {
		c.writing.Lock()
		defer c.writing.Unlock()
		c.mark(markClose, time.Now().Add(patience))
		_ = c.s.Close() // it says that the session has ended, and nothing else
	})
	return nil
}

// SetLinger with 0 makes Close reset the connection.
func (c *conn) SetLinger(seconds int) error {
	c.linger.Store(int64(seconds) + 1)
	return nil
}

// SetDeadline is as for any connection.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline is as for any connection.
func (c *conn) SetReadDeadline(t time.Time) error {
	if c.closed.Load() {
		return c.failure("set", net.ErrClosed)
	}
	return c.s.SetReadDeadline(t)
}

// SetWriteDeadline is as for any connection.
func (c *conn) SetWriteDeadline(t time.Time) error {
	if c.closed.Load() || c.ending.Load() || c.gone.Load() {
		return nil // the end is under way, with a deadline of its own
	}
	return c.s.SetWriteDeadline(t)
}
