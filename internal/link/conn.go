package link

import "net"

// reset closes a connection so that its peer sees a reset, where the connection
// can tell that from an ordinary end.
func reset(conn net.Conn) {
	if c, ok := conn.(interface{ SetLinger(seconds int) error }); ok {
		// An error means that the connection is gone already.
		_ = c.SetLinger(0)
	}
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
