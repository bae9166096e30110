package memory

import (
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// addr is a place in the in-memory network. It calls itself "tcp" because it
// behaves so.
type addr struct {
	host string
	port int
}

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return net.JoinHostPort(a.host, strconv.Itoa(a.port)) }

// conn is one end of a connection. It keeps TCP's manners: writes are buffered
// and block when the window is full, the two directions end separately, closing
// with unread bytes resets the peer, and the first write to a peer that has gone
// succeeds while the next one fails.
type conn struct {
	local, remote   addr
	in, out         *stream
	readBy, writeBy deadline
	writing         sync.Mutex // keeps the bytes of one Write together

	mu     sync.Mutex
	linger bool          // false: Close resets
	gone   func()        // tells the owner; nil without one
	ended  bool          // closed, by whichever way
	closed chan struct{} // the same for those who wait
}

var _ net.Conn = (*conn)(nil)

// pair makes the two ends of a connection.
func pair(client, server addr) (c, s *conn) {
	up, down := newStream(), newStream()
	c = &conn{local: client, remote: server, in: down, out: up, linger: true, closed: make(chan struct{})}
	s = &conn{local: server, remote: client, in: up, out: down, linger: true, closed: make(chan struct{})}
	return c, s
}

// Read reads what has arrived, at least one byte, unless the peer is done.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p, &c.readBy, c.closed)
	return n, c.wrap("read", err)
}

// Write returns once everything is on its way.
func (c *conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	n, err := c.out.write(p, &c.writeBy, c.closed)
	return n, c.wrap("write", err)
}

// CloseWrite ends the outgoing direction; the peer reads to the end of it.
func (c *conn) CloseWrite() error {
	select {
	case <-c.closed:
		return c.wrap("close", net.ErrClosed)
	default:
	}
	c.out.finish()
	return nil
}

// SetLinger(0) makes Close reset the connection; any other number takes that
// back.
func (c *conn) SetLinger(seconds int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return c.wrap("set", net.ErrClosed)
	}
	c.linger = seconds != 0
	return nil
}

// Close ends both directions. The peer still reads what was sent, unless there
// are bytes that this end has not read: then it is reset.
func (c *conn) Close() error {
	linger, gone, ok := c.end()
	if !ok {
		return c.wrap("close", net.ErrClosed)
	}
	if linger {
		if c.in.leave() {
			c.tear()
		}
		c.out.finish()
	} else {
		c.tear()
	}
	gone()
	return nil
}

// reset ends both directions; the peer's reads and writes fail.
func (c *conn) reset() {
	if _, gone, ok := c.end(); ok {
		c.tear()
		gone()
	}
}

func (c *conn) tear() {
	c.in.leave()
	c.in.fail(syscall.ECONNRESET)
	c.out.fail(syscall.ECONNRESET)
}

// end marks the end as closed; ok is false when it was before.
func (c *conn) end() (linger bool, gone func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false, nil, false
	}
	c.ended = true
	close(c.closed)
	if c.gone == nil {
		c.gone = func() {}
	}
	return c.linger, c.gone, true
}

// onClose sets what is called once this end has been closed.
func (c *conn) onClose(gone func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = gone
}

// LocalAddr is this end's address.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the peer's address.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline bounds reads and writes, pending ones too.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline bounds reads.
func (c *conn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.readBy, t) }

// SetWriteDeadline bounds writes.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.writeBy, t) }

func (c *conn) setDeadline(d *deadline, t time.Time) error {
	select {
	case <-c.closed:
		return c.wrap("set", net.ErrClosed)
	default:
	}
	d.set(t)
	return nil
}

// wrap says what failed, as package net does. io.EOF stays as it is.
func (c *conn) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}
