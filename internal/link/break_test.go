package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

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

func TestPartitionHoldsAndHeals(t *testing.T) {
	for _, live := range []bool{false, true} {
		for _, direction := range []rehearse.Direction{rehearse.Up, rehearse.Down, ""} {
			t.Run(fmt.Sprintf("live=%v/%s", live, direction), func(t *testing.T) {
				noLeaks(t)
				l, client, upstream := connect(t, rehearse.Shape{})
				if live {
					io.WriteString(client, "up")
					expect(t, upstream, "up")
					io.WriteString(upstream, "down")
					expect(t, client, "down")
				}
				mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultPartition, Direction: direction})
				held := int64(0)
				for _, way := range []rehearse.Direction{rehearse.Up, rehearse.Down} {
					from, to := ends(way, client, upstream)
					io.WriteString(from, "held or not")
					if direction.Has(way == rehearse.Up) {
						held += 11
						silentFor(t, to, string(way))
					} else {
						expect(t, to, "held or not")
					}
				}
				eventually(t, func() bool { return doseOf(t, l, "partition").Bytes == held })
				// Other changes do not count the same bytes again.
				for i := range 20 {
					l.Set(rehearse.Symmetric(time.Duration(i%2)*time.Microsecond, 0, 0))
				}
				l.Set(rehearse.Shape{})
				for _, way := range []rehearse.Direction{rehearse.Up, rehearse.Down} {
					if direction.Has(way == rehearse.Up) {
						from, to := ends(way, client, upstream)
						io.WriteString(from, ", and more")
						from.CloseWrite()
						silentFor(t, to, string(way))
					}
				}
				if d := doseOf(t, l, "partition"); d.Bytes != held || d.Connections != 1 || d.Holding != 1 || !d.Active {
					t.Errorf("dose is %+v, want %d bytes of one connection", d, held)
				}
				gone(t, l, "partition")
				for _, way := range []rehearse.Direction{rehearse.Up, rehearse.Down} {
					if direction.Has(way == rehearse.Up) {
						_, to := ends(way, client, upstream)
						expect(t, to, "held or not, and more")
						expectEnd(t, to, nil)
					}
				}
			})
		}
	}
}

// TestStallPassesExactly stalls behind a number of bytes that come one by one,
// and loses none when it is over.
func TestStallPassesExactly(t *testing.T) {
	for _, direction := range []rehearse.Direction{rehearse.Up, rehearse.Down} {
		t.Run(string(direction), func(t *testing.T) {
			noLeaks(t)
			l, client, upstream := connect(t, rehearse.Shape{})
			from, to := ends(direction, client, upstream)
			io.WriteString(from, "before")
			expect(t, to, "before")
			mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultStall, Direction: direction, Bytes: 5})
			for _, b := range "01234" {
				fmt.Fprintf(from, "%c", b)
				expect(t, to, string(b))
			}
			io.WriteString(from, "56789")
			eventually(t, func() bool { return doseOf(t, l, "stall").Bytes == 5 })
			silentFor(t, to, "behind the stall")
			gone(t, l, "stall")
			expect(t, to, "56789")

			// In one piece, too.
			mustBreak(t, l, rehearse.Fault{Name: "again", Kind: rehearse.FaultStall, Direction: direction, Bytes: 5})
			io.WriteString(from, "0123456789")
			from.CloseWrite()
			expect(t, to, "01234")
			silentFor(t, to, "behind the stall")
			if d := gone(t, l, "again"); d.Bytes != 5 || d.Connections != 1 {
				t.Errorf("dose is %+v, want 5 bytes of one connection", d)
			}
			expect(t, to, "56789")
			expectEnd(t, to, nil)
		})
	}
}

func TestBlackholeLosesAndResets(t *testing.T) {
	for _, direction := range []rehearse.Direction{rehearse.Up, rehearse.Down} {
		t.Run(string(direction), func(t *testing.T) {
			noLeaks(t)
			ln := listenTCP(t)
			defer ln.Close()
			l, linked := serveLink(t, rehearse.Shape{}, ln.Addr().String())
			pair := func() (client, upstream *net.TCPConn) {
				client = dialTCP(t, linked)
				c, err := ln.Accept()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
				return client, c.(*net.TCPConn)
			}
			client, upstream := pair()
			idle, far := pair()
			mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultBlackhole, Direction: direction})
			from, to := ends(direction, client, upstream)
			io.WriteString(from, "vanishes")
			eventually(t, func() bool { return doseOf(t, l, "blackhole").Bytes == 8 })
			silentFor(t, to, "behind the black hole")
			io.WriteString(to, "the other way")
			expect(t, from, "the other way")
			if d := doseOf(t, l, "blackhole"); d.Connections != 1 || d.Packets != 1 || d.Holding != 2 {
				t.Errorf("dose is %+v", d)
			}
			gone(t, l, "blackhole")
			expectEnd(t, from, syscall.ECONNRESET)
			expectEnd(t, to, syscall.ECONNRESET)
			io.WriteString(idle, "untouched")
			expect(t, far, "untouched")
			io.WriteString(far, "too")
			expect(t, idle, "too")
		})
	}
}

func TestResetOfIdleAndNewConnections(t *testing.T) {
	noLeaks(t)
	l, client, upstream := connect(t, rehearse.Shape{})
	io.WriteString(client, "idle from now on")
	expect(t, upstream, "idle from now on")
	mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultReset})
	expectEnd(t, client, syscall.ECONNRESET)
	expectEnd(t, upstream, syscall.ECONNRESET)
	eventually(t, func() bool { return l.Stats().Active == 0 })
	if d := gone(t, l, "reset"); d.Connections != 1 {
		t.Errorf("dose is %+v, want 1 connection", d)
	}
	if s := l.Stats(); s.Resets != 1 {
		t.Errorf("%d resets, want 1", s.Resets)
	}
}

// TestResetAtOnceLetsNothingThrough has connections that begin under a reset, to an
// upstream that speaks at once.
func TestResetAtOnceLetsNothingThrough(t *testing.T) {
	noLeaks(t)
	l, addr := serveLink(t, rehearse.Shape{}, serveTCP(t, func(c *net.TCPConn) { io.WriteString(c, "hello") }))
	mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultReset})
	const connections = 40
	for range connections {
		c, err := net.Dial("tcp", addr)
		if errors.Is(err, syscall.ECONNRESET) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		expectEnd(t, c, syscall.ECONNRESET)
		c.Close()
	}
	if d := doseOf(t, l, "reset"); d.Connections != connections {
		t.Errorf("dose is %+v, want %d connections", d, connections)
	}
}

// TestResetThatWasTakenAway has resets fall due while they are being taken away:
// one that is gone strikes nobody.
func TestResetThatWasTakenAway(t *testing.T) {
	noLeaks(t)
	l, client, upstream := connect(t, rehearse.Shape{})
	mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultReset, Delay: rehearse.Duration(time.Hour)},
		rehearse.Fault{Kind: rehearse.FaultHalfOpen, Delay: rehearse.Duration(time.Hour)},
		rehearse.Fault{Kind: rehearse.FaultTimeout, Delay: rehearse.Duration(time.Hour)})
	// The timers fire, but find that their faults have gone.
	l.mu.Lock()
	var timers []*time.Timer
	var s *session
	for s = range l.sessions {
		s.mu.Lock()
		for _, b := range s.bearings {
			timers = append(timers, b.timer)
		}
	}
	l.mu.Unlock()
	for _, timer := range timers {
		timer.Reset(0)
	}
	eventually(t, func() bool { return within(stacks(), ".strike.func1") == len(timers) })
	for _, b := range s.bearings {
		s.lift(b)
		b.fault.holding.Add(1) // the next change takes it away once more
	}
	s.mu.Unlock()
	eventually(t, func() bool { return within(stacks(), ".strike.func1") == 0 })
	mustBreak(t, l)
	io.WriteString(client, "alive")
	expect(t, upstream, "alive")
	for _, d := range l.Stats().Doses {
		if d.Connections != 0 || d.Holding != 0 {
			t.Errorf("dose is %+v, want nothing touched", d)
		}
	}
}

func TestHalfOpen(t *testing.T) {
	noLeaks(t)
	l, client, upstream := connect(t, rehearse.Shape{})
	io.WriteString(client, "hello")
	expect(t, upstream, "hello")
	mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultHalfOpen})
	expectEnd(t, upstream, syscall.ECONNRESET)
	silentFor(t, client, "the client")
	if _, err := io.WriteString(client, "anyone?"); err != nil {
		t.Errorf("the client's write: %v", err)
	}
	eventually(t, func() bool { return doseOf(t, l, "half-open").Bytes == 7 })
	silentFor(t, client, "the client after its write")
	if d := doseOf(t, l, "half-open"); d.Connections != 1 || d.Holding != 1 {
		t.Errorf("dose is %+v", d)
	}
	gone(t, l, "half-open")
	expectEnd(t, client, syscall.ECONNRESET)
}

func TestHalfOpenClientGoesAway(t *testing.T) {
	noLeaks(t)
	l, client, upstream := connect(t, rehearse.Shape{})
	mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultHalfOpen})
	expectEnd(t, upstream, syscall.ECONNRESET)
	client.Close()
	eventually(t, func() bool { s := l.Stats(); return s.Active == 0 && s.Doses[0].Holding == 0 })
}

func TestTimeoutDropsAndEnds(t *testing.T) {
	for _, delay := range []time.Duration{0, 30 * time.Millisecond} {
		t.Run(delay.String(), func(t *testing.T) {
			noLeaks(t)
			l, client, upstream := connect(t, rehearse.Shape{})
			start := time.Now()
			mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultTimeout, Delay: rehearse.Duration(delay)})
			io.WriteString(client, "dropped")
			if delay == 0 {
				eventually(t, func() bool { return doseOf(t, l, "timeout").Bytes == 7 })
				silentFor(t, upstream, "upstream")
				silentFor(t, client, "client")
				gone(t, l, "timeout")
			}
			expectEnd(t, client, nil)
			expectEnd(t, upstream, nil)
			if took := time.Since(start); took < delay {
				t.Errorf("it ended after %v, want no less than %v", took, delay)
			}
			eventually(t, func() bool { return l.Stats().Active == 0 })
			if d := gone(t, l, "timeout"); d.Connections != 1 {
				t.Errorf("dose is %+v", d)
			}
		})
	}
}

func TestSlowClose(t *testing.T) {
	const late = 40 * time.Millisecond
	for _, shape := range []rehearse.Shape{{}, rehearse.Symmetric(2*time.Millisecond, 0, 0)} {
		t.Run(shape.String(), func(t *testing.T) {
			noLeaks(t)
			l, client, upstream := connect(t, shape)
			mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultSlowClose, Delay: rehearse.Duration(late), Direction: rehearse.Up})
			start := time.Now()
			io.WriteString(client, "last")
			client.CloseWrite()
			expect(t, upstream, "last")
			expectEnd(t, upstream, nil)
			if took := time.Since(start); took < late {
				t.Errorf("the end took %v, want no less than %v", took, late)
			}
			if d := doseOf(t, l, "slow-close"); d.Connections != 1 {
				t.Errorf("dose is %+v", d)
			}
			// Taken away, it keeps nobody waiting: an hour would fail the test.
			mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultSlowClose, Delay: rehearse.Duration(time.Hour)})
			upstream.CloseWrite()
			silentFor(t, client, "the client")
			gone(t, l, "slow-close")
			expectEnd(t, client, nil)
		})
	}
}

func TestTruncateEndsBehindExactlySoMuch(t *testing.T) {
	for _, shape := range []rehearse.Shape{{}, rehearse.Symmetric(2*time.Millisecond, 0, 0)} {
		for _, direction := range []rehearse.Direction{rehearse.Up, rehearse.Down} {
			for _, n := range []int{0, 1, 1000, 300_000} {
				t.Run(fmt.Sprintf("%v/%s/%d", shape, direction, n), func(t *testing.T) {
					noLeaks(t)
					l, client, upstream := connect(t, shape)
					from, to := ends(direction, client, upstream)
					mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultTruncate, Bytes: int64(n), Direction: direction})
					var writer sync.WaitGroup
					sent := randomBytes(1, n+5000)
					writer.Go(func() { from.Write(sent) }) // fails at the end, or not
					to.SetReadDeadline(time.Now().Add(20 * time.Second))
					got, err := io.ReadAll(to)
					if err != nil || !bytes.Equal(got, sent[:n]) {
						t.Errorf("read %d bytes, %v; want the first %d and an end", len(got), err, n)
					}
					writer.Wait()
					eventually(t, func() bool { return l.Stats().Active == 0 })
					if d := doseOf(t, l, "truncate"); d.Connections != 1 || d.Holding != 0 {
						t.Errorf("dose is %+v", d)
					}
				})
			}
		}
	}
}

func randomBytes(seed uint64, n int) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed)}).Read(p)
	return p
}

// corrupted sends data through a new link's first connection in pieces of some
// size and gives what arrives, and the dose.
func corrupted(t *testing.T, seed uint64, direction rehearse.Direction, data []byte, piece int) ([]byte, rehearse.Dose) {
	t.Helper()
	l := New(rehearse.LinkSpec{ID: "client:upstream", Tier: rehearse.TierStream}, seed)
	l.wait = waitTimer
	mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultCorrupt, Share: 0.3, Direction: direction})
	far := make(chan net.Conn, 1)
	client := serveMemory(t, l, func(context.Context) (net.Conn, error) {
		inside, upstream := newDuplex()
		t.Cleanup(func() { upstream.Close() })
		far <- upstream
		return inside, nil
	})()
	upstream := <-far
	from, to := client, upstream
	if direction == rehearse.Down {
		from, to = upstream, client
	}
	go func() {
		for rest := data; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
			from.Write(rest[:min(piece, len(rest))])
		}
	}()
	got := make([]byte, len(data))
	if _, err := io.ReadFull(to, got); err != nil {
		t.Fatal(err)
	}
	return got, doseOf(t, l, "corrupt")
}

func TestCorruptFlipsTheSameBits(t *testing.T) {
	data := randomBytes(1, 200_000)
	for _, direction := range []rehearse.Direction{rehearse.Up, rehearse.Down} {
		t.Run(string(direction), func(t *testing.T) {
			noLeaks(t)
			want, dose := corrupted(t, 1, direction, data, len(data))
			flips := 0
			for i := range data {
				flips += bits.OnesCount8(data[i] ^ want[i])
			}
			if flips < 20 || flips > 70 || dose.Packets != int64(flips) || dose.Bytes != int64(flips) || dose.Connections != 1 {
				t.Errorf("%d bits of %d segments are flipped, dose %+v; the share is 0.3", flips, len(data)/segment, dose)
			}
			for _, piece := range []int{997, segment, 40_000} {
				if got, _ := corrupted(t, 1, direction, data, piece); !bytes.Equal(got, want) {
					t.Errorf("in pieces of %d other bits are flipped", piece)
				}
			}
			if got, _ := corrupted(t, 2, direction, data, len(data)); bytes.Equal(got, want) {
				t.Error("another seed flips the same bits")
			}
		})
	}
}

func TestSliceCutsAndLetsGo(t *testing.T) {
	noLeaks(t)
	l := New(rehearse.LinkSpec{ID: "client:upstream"}, 1)
	fault := rehearse.Fault{Kind: rehearse.FaultSlice, Size: 10, Variation: 5, Direction: rehearse.Up}
	mustBreak(t, l, fault)
	far := make(chan net.Conn, 1)
	client := serveMemory(t, l, func(context.Context) (net.Conn, error) {
		inside, upstream := newDuplex()
		t.Cleanup(func() { upstream.Close() })
		far <- upstream
		return inside, nil
	})()
	upstream := <-far
	data := randomBytes(1, 1000)
	go client.Write(data)
	var got []byte
	sizes := map[int]bool{}
	buf := make([]byte, len(data))
	for len(got) < len(data) {
		n, err := upstream.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, buf[:n]...)
		sizes[n] = true
		if n > 15 || n < 5 && len(got) < len(data) {
			t.Errorf("a piece has %d bytes, want 5 to 15", n)
		}
	}
	if !bytes.Equal(got, data) || len(sizes) < 5 {
		t.Errorf("read %d bytes in pieces of %v", len(got), sizes)
	}
	if d := doseOf(t, l, "slice"); d.Bytes != 1000 || d.Connections != 1 {
		t.Errorf("dose is %+v", d)
	}

	// One piece an hour; without the fault, the rest at once.
	fault.Delay, fault.Variation = rehearse.Duration(time.Hour), 0
	mustBreak(t, l, fault)
	go client.Write(data)
	expect(t, upstream, string(data[:10]))
	l.Set(rehearse.Symmetric(0, 0, rehearse.Gbit)) // another change is not the end of it
	silentFor(t, upstream, "between two pieces")
	gone(t, l, "slice")
	expect(t, upstream, string(data[10:]))
}

func TestLimit(t *testing.T) {
	noLeaks(t)
	l, addr := serveEcho(t, rehearse.Shape{})
	mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultLimit, Count: 3})
	works := func(c *net.TCPConn) bool {
		c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := c.Write([]byte("x")); err != nil {
			return false
		}
		_, err := io.ReadFull(c, make([]byte, 1))
		return err == nil
	}
	// All at once: those that are refused must not keep others out.
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []*net.TCPConn
	for range 12 {
		all.Go(func() {
			// A reset may come so soon that connect itself sees it.
			c, err := net.Dial("tcp", addr)
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			if works(c.(*net.TCPConn)) {
				mu.Lock()
				defer mu.Unlock()
				open = append(open, c.(*net.TCPConn))
			}
		})
	}
	all.Wait()
	if len(open) != 3 {
		t.Fatalf("%d connections are open, want 3", len(open))
	}
	if d := doseOf(t, l, "limit"); d.Connections != 9 {
		t.Errorf("dose is %+v, want 9 connections refused", d)
	}
	open[0].Close()
	eventually(t, func() bool { return l.Stats().Active == 2 })
	if !works(dialTCP(t, addr)) {
		t.Error("one has left, and no other may come")
	}
	gone(t, l, "limit")
	if !works(dialTCP(t, addr)) {
		t.Error("without the limit, no other may come")
	}
}

func TestTLSStall(t *testing.T) {
	noLeaks(t)
	l, live, far := connect(t, rehearse.Shape{})
	io.WriteString(live, "plain")
	expect(t, far, "plain")
	mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultTLS, Code: "stall"})
	io.WriteString(live, "\x16 is nothing new here")
	expect(t, far, "\x16 is nothing new here")
	if d := gone(t, l, "tls"); d.Connections != 0 {
		t.Errorf("dose is %+v", d)
	}

	l, fresh, far := connect(t, rehearse.Shape{})
	mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultTLS, Code: "stall"})
	io.WriteString(fresh, "\x16\x03\x01hello")
	eventually(t, func() bool { return doseOf(t, l, "tls").Bytes == 8 })
	silentFor(t, far, "the upstream of a handshake")
	gone(t, l, "tls")
	expect(t, far, "\x16\x03\x01hello")
}

// TestProbabilityFollowsFromSeed resets some of many connections: which ones is
// the same for the same seed and name.
func TestProbabilityFollowsFromSeed(t *testing.T) {
	noLeaks(t)
	touched := func(seed uint64, name string) (which string) {
		l := New(rehearse.LinkSpec{ID: "client:upstream", Tier: rehearse.TierStream}, seed)
		dial := serveMemory(t, l, func(context.Context) (net.Conn, error) {
			inside, upstream := newDuplex()
			go func() { io.Copy(upstream, struct{ io.Reader }{upstream}); upstream.Close() }()
			return inside, nil
		})
		var clients []net.Conn
		for range 40 {
			clients = append(clients, dial())
			pingPong(t, clients[len(clients)-1], make([]byte, 1)) // it has its number
		}
		mustBreak(t, l, rehearse.Fault{Name: name, Kind: rehearse.FaultReset, Probability: 0.4})
		var want int64
		for number := range uint64(40) {
			if l.faults[0].touches(0.4, number+1) {
				want++
			}
		}
		eventually(t, func() bool { s := l.Stats(); return s.Active == 40-want && s.Resets == want })
		n := 0
		for _, c := range clients {
			go c.Write([]byte("x"))
			if _, err := c.Read(make([]byte, 1)); err == nil {
				which += "."
			} else {
				which += "x"
				n++
			}
		}
		mustBreak(t, l)
		if d := doseOf(t, l, name); int(d.Connections) != n || n < 5 || n > 30 {
			t.Errorf("%d of 40 are reset, dose %+v", n, d)
		}
		return which
	}
	first := touched(1, "some")
	if diff := cmp.Diff(first, touched(1, "some")); diff != "" {
		t.Errorf("the same seed touches others:\n%s", diff)
	}
	if first == touched(2, "some") || first == touched(1, "others") {
		t.Error("another seed or name touches the same")
	}
}

func TestTenThousandFaults(t *testing.T) {
	noLeaks(t)
	l, client, upstream := connect(t, rehearse.Shape{})
	set := func(round int) {
		faults := make([]rehearse.Fault, 10_000)
		for i := range faults {
			faults[i] = rehearse.Fault{Name: fmt.Sprintf("%d-%d", round, i), Kind: rehearse.FaultSlowClose, Delay: 1}
		}
		mustBreak(t, l, faults...)
	}
	for round := range 3 {
		set(round)
		io.WriteString(client, "through")
		expect(t, upstream, "through")
		if n := len(l.Faults()); n != 10_000 {
			t.Fatalf("%d faults are set", n)
		}
	}
	mustBreak(t, l)
	doses := l.Stats().Doses
	if len(doses) != maxPast {
		t.Errorf("%d doses are remembered, want %d", len(doses), maxPast)
	}
	for _, d := range doses {
		if !d.Gone || d.Holding != 0 {
			t.Fatalf("dose is %+v", d)
		}
	}
	io.WriteString(client, "healed")
	expect(t, upstream, "healed")
}

// TestControlNeverWaits floods an upstream that never reads under every fault in
// turn: Break, Set and Stats come back all the same.
func TestControlNeverWaits(t *testing.T) {
	hour := rehearse.Duration(time.Hour)
	for _, tier := range []rehearse.Tier{rehearse.TierStream, rehearse.TierModel} {
		t.Run(string(tier), func(t *testing.T) {
			noLeaks(t)
			ln := listenTCP(t)
			defer ln.Close() // never accepts
			l, addr := serveTier(t, tier, 1, ln.Addr().String())
			var flood sync.WaitGroup
			var clients []*net.TCPConn
			for range 4 {
				c := dialTCP(t, addr)
				flood.Go(func() {
					for {
						if _, err := c.Write(make([]byte, 256<<10)); err != nil {
							return
						}
					}
				})
				clients = append(clients, c)
			}
			defer flood.Wait()
			defer func() {
				for _, c := range clients {
					c.Close()
				}
			}()
			eventually(t, func() bool { return l.Stats().BytesUp > 1<<20 })
			for range 3 {
				for _, f := range []rehearse.Fault{
					{Kind: rehearse.FaultDelay, Delay: hour}, {Kind: rehearse.FaultRate, Rate: rehearse.Kbit},
					{Kind: rehearse.FaultRate, Rate: rehearse.Kbit, Shared: true}, {Kind: rehearse.FaultCorrupt, Share: 0.1},
					{Kind: rehearse.FaultSlice, Size: 1, Delay: hour}, {Kind: rehearse.FaultPartition}, {Kind: rehearse.FaultStall},
					{Kind: rehearse.FaultSlowClose, Delay: hour}, {Kind: rehearse.FaultRefuse}, {Kind: rehearse.FaultLimit},
					{Kind: rehearse.FaultHalfOpen, Delay: hour}, {Kind: rehearse.FaultReset, Delay: hour}, {Kind: rehearse.FaultTimeout, Delay: hour},
				} {
					mustBreak(t, l, f)
					l.Set(rehearse.Symmetric(time.Second, 0, rehearse.Mbit))
					l.Stats()
					l.Set(rehearse.Shape{})
				}
			}
			mustBreak(t, l)
		})
	}
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

func TestFaultsCompose(t *testing.T) {
	noLeaks(t)
	l, client, upstream := connect(t, rehearse.Shape{})
	// What the stall lets through, the corruption touches; what it holds, nothing.
	mustBreak(t, l,
		rehearse.Fault{Kind: rehearse.FaultStall, Bytes: segment, Direction: rehearse.Up},
		rehearse.Fault{Kind: rehearse.FaultCorrupt, Share: 1, Direction: rehearse.Up},
		rehearse.Fault{Kind: rehearse.FaultDelay, Delay: rehearse.Duration(time.Millisecond)},
		rehearse.Fault{Kind: rehearse.FaultPartition, Direction: rehearse.Down})
	data := randomBytes(1, 2*segment)
	client.Write(data)
	io.WriteString(upstream, "held")
	got := make([]byte, segment)
	if _, err := io.ReadFull(upstream, got); err != nil {
		t.Fatal(err)
	}
	flips := 0
	for i := range got {
		flips += bits.OnesCount8(got[i] ^ data[i])
	}
	if flips != 1 {
		t.Errorf("%d bits of the first segment are flipped, want 1", flips)
	}
	silentFor(t, upstream, "behind the stall")
	silentFor(t, client, "behind the partition")
	for name, want := range map[string]int64{"stall": segment, "corrupt": 1, "delay": segment, "partition": 4} {
		if d := doseOf(t, l, name); d.Bytes != want || d.Connections != 1 {
			t.Errorf("dose is %+v, want %d bytes", d, want)
		}
	}
	mustBreak(t, l)
	expect(t, upstream, string(data[segment:]))
	expect(t, client, "held")
}

// TestPartitionAndBlackholeInTurn has bytes, held by one, meet the other.
func TestPartitionAndBlackholeInTurn(t *testing.T) {
	noLeaks(t)
	l, client, upstream := connect(t, rehearse.Shape{})
	mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultPartition, Direction: rehearse.Up})
	io.WriteString(client, "late")
	eventually(t, func() bool { return doseOf(t, l, "partition").Bytes == 4 })
	mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultBlackhole, Direction: rehearse.Up})
	eventually(t, func() bool { return doseOf(t, l, "blackhole").Bytes == 4 })
	gone(t, l, "blackhole")
	expectEnd(t, client, syscall.ECONNRESET)
	expectEnd(t, upstream, syscall.ECONNRESET)
}

// stubborn is a connection whose half does not end while its peer reads nothing,
// as one of TLS does not.
type stubborn struct {
	*duplex
	closed chan struct{}
	once   *sync.Once
}

func (s stubborn) CloseWrite() error { <-s.closed; return net.ErrClosed }
func (s stubborn) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.duplex.Close()
}

// TestEndThatWaits ends a connection in good order whose half does not end. No
// change waits for that, and the connection ends all the same.
func TestEndThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(rehearse.LinkSpec{ID: "client:upstream", Tier: rehearse.TierStream}, 1)
		l.wait = waitTimer
		client := serveMemory(t, l, func(context.Context) (net.Conn, error) {
			inside, upstream := newDuplex()
			t.Cleanup(func() { upstream.Close() })
			return stubborn{inside, make(chan struct{}), new(sync.Once)}, nil
		})()
		synctest.Wait()
		mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultTimeout, Delay: 1})
		time.Sleep(time.Millisecond)
		start := time.Now()
		mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultDelay, Delay: 1})
		mustBreak(t, l)
		l.Stats()
		if took := time.Since(start); took > 0 {
			t.Errorf("the changes waited for %v", took)
		}
		expectEnd(t, client, nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s := l.Stats(); s.Active != 0 || s.Doses[0].Holding != 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}

// TestNothingFollowsTheEnd has an editor end a stream whose source goes on, at
// the same moment: the end is not lost among what comes behind it.
func TestNothingFollowsTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, dial := memoryLink(t, slow, 1, 0)
		client, accepted := dial()
		upstream := <-accepted
		io.WriteString(upstream, "greeting")
		expect(t, client, "greeting") // it has paid for the handshake
		io.WriteString(upstream, "a")
		synctest.Wait() // it is under way
		l.mu.Lock()
		for s := range l.sessions {
			s.down.shutAfter(time.Now())
		}
		l.mu.Unlock()
		io.WriteString(upstream, "b")
		expect(t, client, "a")
		expectEnd(t, client, nil)
		synctest.Wait()
		if s := l.Stats(); s.Active != 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}
