package link

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// noLeaks has the test fail when it leaves goroutines of this package, sockets,
// pipes or readers of buffers behind. It is called first, so that it looks last.
func noLeaks(t *testing.T) {
	t.Helper()
	before, open := working(), openFiles(t)
	t.Cleanup(func() {
		var left, still int
		ok := func() bool {
			left, still = working(), openFiles(t)
			return left <= before && still <= open
		}
		for deadline := time.Now().Add(time.Minute); !ok(); {
			if time.Now().After(deadline) {
				t.Errorf("goroutines: %d before, %d after; descriptors: %d before, %d after\n%s", before, left, open, still, stacks())
				return
			}
			waitTimer(time.Now().Add(time.Millisecond), nil, nil)
			// A pipe that a pool has forgotten, which the race detector has pools do, is
			// closed when the collector finds it.
			runtime.GC()
		}
	})
}

// working counts the goroutines of links. The engine stays, and the first delay
// of the process is followed by a measurement.
func working() (n int) {
	for g := range strings.SplitSeq(stacks(), "\n\n") {
		if strings.Contains(g, "internal/link.(*") && !strings.Contains(g, "internal/link.(*engine).run") && !strings.Contains(g, "internal/link.measureWake") {
			n++
		}
	}
	return n
}

// openFiles counts the process's sockets and pipes, but for the pipes that are
// kept for the next who needs one.
func openFiles(tb testing.TB) (n int) {
	tb.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // not Linux
	}
	for _, e := range entries {
		to, _ := os.Readlink("/proc/self/fd/" + e.Name())
		if strings.HasPrefix(to, "socket:") || strings.HasPrefix(to, "pipe:") {
			n++
		}
	}
	return n - freePipes()
}

func mustBreak(t testing.TB, l *Link, faults ...rehearse.Fault) {
	t.Helper()
	if err := l.Break(faults); err != nil {
		t.Fatal(err)
	}
}

// doseOf is the dose of a fault, the latest of that name.
func doseOf(t *testing.T, l *Link, name string) rehearse.Dose {
	t.Helper()
	for _, d := range l.Stats().Doses {
		if d.Fault.ID() == name {
			return d
		}
	}
	t.Fatalf("no fault %q has a dose", name)
	return rehearse.Dose{}
}

// gone heals the link and checks that the fault holds nothing any more.
func gone(t *testing.T, l *Link, name string) rehearse.Dose {
	t.Helper()
	mustBreak(t, l)
	eventually(t, func() bool { d := doseOf(t, l, name); return d.Gone && d.Holding == 0 && !d.Active })
	return doseOf(t, l, name)
}

// silentFor checks that nothing can be read for a little while.
func silentFor(t *testing.T, c net.Conn, what string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	n, err := c.Read(make([]byte, 1))
	c.SetReadDeadline(time.Time{})
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s: read %d bytes, %v; want silence", what, n, err)
	}
}

// expect reads a text.
func expect(t *testing.T, c net.Conn, text string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, len(text))
	if n, err := io.ReadFull(c, buf); err != nil || string(buf) != text {
		t.Fatalf("read %q, %v; want %q", buf[:n], err, text)
	}
	c.SetReadDeadline(time.Time{})
}

// expectEnd reads until the end, which must be of a kind: nil is a good one.
func expectEnd(t *testing.T, c net.Conn, want error) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := io.Copy(io.Discard, c); !errors.Is(err, want) || n > 0 {
		t.Errorf("read %d bytes, then %v; want %v", n, err, want)
	}
}

// ends are a connection's two ends, the one that sends first.
func ends(direction rehearse.Direction, client, upstream *net.TCPConn) (from, to *net.TCPConn) {
	if direction == rehearse.Down {
		return upstream, client
	}
	return client, upstream
}

// serveTier runs a link of a tier and a seed.
func serveTier(t *testing.T, tier rehearse.Tier, seed uint64, upstream string) (*Link, string) {
	t.Helper()
	l := New(rehearse.LinkSpec{ID: "client:upstream", Tier: tier}, seed)
	ln := listenTCP(t)
	serveOn(t, l, ln, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", upstream)
	})
	return l, ln.Addr().String()
}

// serveOn serves a listener until the test ends. It returns when Serve knows it.
func serveOn(t *testing.T, l *Link, ln net.Listener, dial Dial) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	count := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.listeners)
	}
	before := count()
	go func() { served <- l.Serve(ctx, ln, dial) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	eventually(t, func() bool { return count() > before })
}
