package link

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// side is one of the two connections of a session. One goroutine reads from it.
type side struct {
	conn net.Conn
	// broken is set when a write has failed. The kernel tells of a reset once,
	// to a read or to a write; a read that comes second sees an ordinary end.
	broken atomic.Bool

	// fd is the descriptor of a connection that has one, and nil else.
	fd   syscall.RawConn
	lazy lazyRead
}

// use makes conn the side's connection.
func (s *side) use(conn net.Conn) {
	s.conn, s.fd = conn, nil
	// A connection that is more than its descriptor, as TLS is, must not be
	// read below its back.
	switch c := conn.(type) {
	case *net.TCPConn:
		s.fd, _ = c.SyscallConn()
	case *net.UnixConn:
		s.fd, _ = c.SyscallConn()
	}
}

// read waits for bytes, up to a limit, and takes a buffer only once there are
// some: an idle connection has none. The caller owns the buffer; it is nil when
// n is 0.
func (s *side) read(limit int, large bool) (*buffer, int, error) {
	if s.fd != nil {
		return s.lazy.read(s.fd, limit, large)
	}
	b := newBuffer(large)
	n, err := s.conn.Read(b.data[:min(limit, len(b.data))])
	if n == 0 {
		b.release()
		b = nil
	}
	return b, n, err
}

// reset closes a connection so that its peer sees a reset, where the connection
// can tell that from an ordinary end.
func reset(conn net.Conn) {
	if c, ok := conn.(interface{ SetLinger(seconds int) error }); ok {
		// An error means that the connection is gone already.
		_ = c.SetLinger(0)
	}
	conn.Close()
}

// hangUp ends a connection in good order: bytes that nobody reads must not turn
// the end into a reset. The half of one with a protocol of its own, as TLS has,
// ends by a write, which a peer that does not read could hold up for ever.
func hangUp(conn net.Conn) {
	patience := time.AfterFunc(time.Second, func() { conn.Close() })
	closeWrite(conn)
	patience.Stop()
	conn.Close()
}

// closeWrite ends our half of a connection. One that has no halves is closed.
func closeWrite(conn net.Conn) {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		// An error means that the peer is gone; the next read or write tells.
		_ = c.CloseWrite()
		return
	}
	conn.Close()
}

// lazyRead reads from a descriptor into a buffer that it takes when the
// descriptor is readable. It is kept with the connection so that a read
// allocates nothing.
type lazyRead struct {
	try func(fd uintptr) bool
	// The arguments and results of the read under way.
	limit int
	large bool
	buf   *buffer
	// waited is whether the bytes were not there yet when they were asked for.
	waited bool
	n      int
	err    error
}

func (r *lazyRead) read(fd syscall.RawConn, limit int, large bool) (*buffer, int, error) {
	if r.try == nil {
		r.try = r.attempt
	}
	r.limit, r.large, r.buf, r.n, r.err, r.waited = limit, large, nil, 0, nil, false
	err := fd.Read(r.try)
	buf := r.buf
	r.buf = nil
	switch {
	case err != nil: // closed by us
	case r.err != nil:
		err = r.err
	case r.n == 0:
		err = io.EOF
	default:
		return buf, r.n, nil
	}
	if buf != nil {
		buf.release()
	}
	return nil, 0, err
}

// attempt is called when the descriptor may be readable, and returns false to
// be called again.
func (r *lazyRead) attempt(fd uintptr) bool {
	if r.buf == nil {
		r.buf = newBuffer(r.large)
	}
	n, err := readFD(fd, r.buf.data[:min(r.limit, len(r.buf.data))])
	if err == syscall.EAGAIN {
		r.buf.release()
		r.buf = nil
		r.waited = true
		return false
	}
	r.n, r.err = n, err
	return true
}
