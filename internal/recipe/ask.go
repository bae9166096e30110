package recipe

import (
	"context"
	"net"
	"time"
	"unicode/utf8"
)

// ask dials and makes the connection end with the context.
func ask(ctx context.Context, dial Dial, port int) (net.Conn, error) {
	conn, err := dial(ctx, port)
	if err != nil {
		return nil, err
	}
	asked := &askedConn{Conn: conn}
	asked.stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return asked, nil
}

// askedConn is a connection whose reads and writes fail once a context ends.
type askedConn struct {
	net.Conn
	stop func() bool
}

func (c *askedConn) Close() error {
	c.stop()
	return c.Conn.Close()
}

func isText(data []byte) bool { return utf8.Valid(data) }
