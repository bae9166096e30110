package link

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// TestServeReturnsWhenAllIsClosed ends a link with connections in every state
// and looks for what is left of it.
func TestServeReturnsWhenAllIsClosed(t *testing.T) {
	before := working()
	addr := serveTCP(t, func(c *net.TCPConn) { io.Copy(io.Discard, c) })
	for _, shape := range []rehearse.Shape{{}, rehearse.Symmetric(time.Hour, 0, 0), rehearse.Symmetric(0, 0, rehearse.Kbit)} {
		l := New(rehearse.LinkSpec{ID: "client:upstream", Shape: shape, Tier: rehearse.TierStream}, 1)
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 2)
		var conns []*net.TCPConn
		for port := range 2 {
			ln := listenTCP(t)
			go func() {
				served <- l.Serve(ctx, ln, func(ctx context.Context) (net.Conn, error) {
					if l.meter.connections.Load()%5 == 0 {
						<-ctx.Done() // an upstream that never answers
						return nil, ctx.Err()
					}
					return new(net.Dialer).DialContext(ctx, "tcp", addr)
				})
			}()
			for i := range 20 {
				c := dialTCP(t, ln.Addr().String())
				if i%2 == 0 {
					c.Write(make([]byte, 1+1000*i))
				}
				if i%4 < 2 {
					c.CloseWrite()
				}
				conns = append(conns, c)
			}
			eventually(t, func() bool { return l.Stats().Connections == int64(20*(port+1)) })
		}
		cancel()
		for range 2 {
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
		}
		if s := l.Stats(); s.Active != 0 || s.InFlight != 0 {
			t.Errorf("after Serve, %d connections and %d turns are open", s.Active, s.InFlight)
		}
		// What Serve has waited for may still be at its last instruction.
		eventually(t, func() bool { return working() <= before })
		for _, c := range conns {
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, net.ErrClosed) {
				t.Errorf("a client reads %v after the end", err)
			} else if e, ok := err.(net.Error); ok && e.Timeout() {
				t.Error("a client's connection was left open")
			}
		}
	}
}

func TestServeReturnsTheListenersError(t *testing.T) {
	ln := listenTCP(t)
	ln.Close()
	err := New(rehearse.LinkSpec{ID: "a:b"}, 1).Serve(t.Context(), ln, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "link a:b: accept: ") {
		t.Errorf("Serve returns %v", err)
	}
}
