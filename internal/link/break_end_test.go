package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rehearse-dev/rehearse"
)

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
