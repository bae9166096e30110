package authority

import (
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// Conn is one of the two connections of a stream whose TLS was ended. Whoever
// carries bytes from one to the other and calls CloseWrite at the end of either
// stream passes that end on as it came.
type Conn struct {
	*tls.Conn
	wire *wire
	peer *Conn
	// bare is set when the peer's stream ended without close_notify.
	bare atomic.Bool
}

// Read reads plain bytes. It returns io.EOF both when the stream was closed and
// when its connection just ended between two records, as that of many servers
// does; and io.ErrUnexpectedEOF when it ended within one.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF && c.wire.ended.Load() {
		c.peer.bare.Store(true)
	}
	return n, err
}

// CloseWrite ends the stream that is written, and leaves the other open. It says
// close_notify unless the peer's stream ended without. It takes as long as a
// write does, until Close.
func (c *Conn) CloseWrite() error {
	bare := c.bare.Load()
	if !bare {
		c.wire.closing.Store(true)
		if err := c.Conn.CloseWrite(); err != nil {
			return err
		}
	}
	if half, ok := c.wire.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	if bare {
		return c.wire.Close()
	}
	return nil // close_notify says it all
}

// Close closes the connection at once. Unlike that of [tls.Conn] it says no
// close_notify, which could wait for a peer that does not read, and would call a
// stream complete that was cut: whoever means that calls CloseWrite first.
func (c *Conn) Close() error { return c.wire.Close() }

// SetLinger is that of [net.TCPConn], so that a reset can be passed on. It does
// nothing if the connection below has no such thing.
func (c *Conn) SetLinger(seconds int) error {
	if l, ok := c.wire.Conn.(interface{ SetLinger(int) error }); ok {
		return l.SetLinger(seconds)
	}
	return nil
}

// wire is the connection below TLS. It sees what tls.Conn does not tell.
type wire struct {
	net.Conn
	ended   atomic.Bool // the peer has ended its half
	closing atomic.Bool
	silent  bool // set and read by the goroutine of the handshake
}

// Read notes the end of the connection. tls.Conn reads no further than
// close_notify, so an end that is seen here came without.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err == io.EOF {
		w.ended.Store(true)
	}
	return n, err
}

// Write drops what is written once the wire is silent.
func (w *wire) Write(p []byte) (int, error) {
	if w.silent {
		return len(p), nil
	}
	return w.Conn.Write(p)
}

// silence ends a handshake that has not been answered yet with an alert, or
// without a word if that is 0. From here on, nothing more is written.
func (w *wire) silence(alert byte) {
	if alert != 0 {
		// A record of type alert, fatal. An error means that the client is gone.
		_, _ = w.Conn.Write([]byte{21, 3, 3, 0, 2, 2, alert})
	}
	w.silent = true
}

// SetWriteDeadline keeps tls.Conn from giving up on close_notify after five
// seconds: behind a peer that reads slowly it has to wait like any byte.
func (w *wire) SetWriteDeadline(t time.Time) error {
	if w.closing.Load() {
		return nil
	}
	return w.Conn.SetWriteDeadline(t)
}
