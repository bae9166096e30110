package link

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

func serveEchoDirect(tb testing.TB) string {
	return serveTCP(tb, func(c *net.TCPConn) { io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c}) })
}

func serveEcho(tb testing.TB, s rehearse.Shape) (*Link, string) {
	return serveLink(tb, s, serveEchoDirect(tb))
}

// serveTCP handles each connection to a port of its own until the test ends.
func serveTCP(tb testing.TB, handle func(*net.TCPConn)) string {
	tb.Helper()
	ln := listenTCP(tb)
	var all sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			all.Go(func() {
				handle(conn.(*net.TCPConn))
				conn.Close()
				mu.Lock()
				delete(open, conn)
				mu.Unlock()
			})
		}
	})
	tb.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return ln.Addr().String()
}

func listenTCP(tb testing.TB) net.Listener {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return ln
}

func dialTCP(tb testing.TB, addr string) *net.TCPConn {
	tb.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// serveLink runs a link to an upstream until the test ends.
func serveLink(tb testing.TB, s rehearse.Shape, upstream string) (*Link, string) {
	tb.Helper()
	l := New(rehearse.LinkSpec{ID: "client:upstream", Shape: s, Tier: rehearse.TierStream}, 1)
	return l, serveThis(tb, l, upstream)
}

// serveThis runs a link that was made before.
func serveThis(tb testing.TB, l *Link, upstream string) string {
	tb.Helper()
	ln := listenTCP(tb)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- l.Serve(ctx, ln, func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", upstream)
		})
	}()
	tb.Cleanup(func() {
		cancel()
		if err := <-served; err != nil && !errors.Is(err, net.ErrClosed) {
			tb.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// connect gives both ends of one connection over a link.
func connect(t *testing.T, s rehearse.Shape) (l *Link, client, upstream *net.TCPConn) {
	t.Helper()
	ln := listenTCP(t)
	t.Cleanup(func() { ln.Close() })
	l, linked := serveLink(t, s, ln.Addr().String())
	client = dialTCP(t, linked)
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return l, client, conn.(*net.TCPConn)
}

// stacks is what every goroutine does.
func stacks() string {
	buf := make([]byte, 4<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// within counts the goroutines that are in code that the text names.
func within(stacks, text string) (n int) {
	for g := range strings.SplitSeq(stacks, "\n\n") {
		if strings.Contains(g, text) {
			n++
		}
	}
	return n
}

// eventually polls until a condition holds.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to pass in 20 s")
		}
		waitTimer(time.Now().Add(time.Millisecond), nil, nil)
	}
}
