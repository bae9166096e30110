package link

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

// slow takes 30 ms up and 12 ms down: a round trip of 42 ms in which the two
// directions cannot be mistaken for each other.
var slow = rehearse.Shape{
	Up:   rehearse.Path{Delay: rehearse.Duration(30 * time.Millisecond)},
	Down: rehearse.Path{Delay: rehearse.Duration(12 * time.Millisecond)},
}

// TestHandshake holds the arithmetic of handshake.go, to the nanosecond.
func TestHandshake(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name string
		// All counted from the client's connect, but greets, which counts from
		// the upstream's accept and is negative for one that only answers.
		speaks, dials, greets time.Duration
		// When the upstream reads the client's first byte, and the client its.
		up, down time.Duration
	}{
		{"client speaks at once, upstream answers at once", 0, 0, -1, 72 * ms, 84 * ms},
		{"client speaks before it would be connected", 41 * ms, 0, -1, 72 * ms, 84 * ms},
		{"client speaks later", 100 * ms, 0, -1, 130 * ms, 142 * ms},
		{"upstream greets at once", 500 * ms, 0, 0, 530 * ms, 84 * ms},
		{"upstream takes its time to greet", 500 * ms, 0, 200 * ms, 530 * ms, 284 * ms},
		{"upstream accepts late and greets", 500 * ms, 20 * ms, 0, 530 * ms, 84 * ms},
		{"upstream accepts after the handshake's time", 0, 200 * ms, -1, 230 * ms, 242 * ms},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, dial := memoryLink(t, slow, 1, test.dials)
				client, upstream := dial()
				var both sync.WaitGroup
				both.Go(func() {
					time.Sleep(test.speaks - time.Since(start))
					io.WriteString(client, "q")
				})
				var got, want [2]time.Duration
				want = [2]time.Duration{test.up, test.down}
				both.Go(func() {
					u := <-upstream
					if test.greets >= 0 {
						time.Sleep(test.greets)
						io.WriteString(u, "g")
					}
					io.ReadFull(u, make([]byte, 1))
					got[0] = time.Since(start)
					if test.greets < 0 {
						io.WriteString(u, "a")
					}
				})
				io.ReadFull(client, make([]byte, 1))
				got[1] = time.Since(start)
				both.Wait()
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("upstream's and client's first byte (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestRefusalTakesARoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(rehearse.LinkSpec{Shape: slow, Tier: rehearse.TierStream}, 1)
		l.wait = waitTimer
		start := time.Now()
		client := serveMemory(t, l, func(context.Context) (net.Conn, error) { return nil, syscall.ECONNREFUSED })()
		if _, err := client.Read(make([]byte, 1)); err == nil {
			t.Error("the client reads bytes of an upstream that refused")
		}
		if got, want := time.Since(start), 42*time.Millisecond; got != want {
			t.Errorf("the client learns of the refusal after %v, want %v", got, want)
		}
		synctest.Wait()
		if s := l.Stats(); s.Refused != 1 || s.Active != 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}

// TestDelay follows one connection through an exchange, a live change to flat
// and back, and a half-close in front of the answer.
func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, dial := memoryLink(t, slow, 1, 0)
		client, accepted := dial()
		upstream := <-accepted
		time.Sleep(time.Second)
		carry := func(from, to net.Conn, text string) time.Duration {
			start := time.Now()
			go io.WriteString(from, text)
			buf := make([]byte, len(text))
			if _, err := io.ReadFull(to, buf); err != nil || string(buf) != text {
				t.Fatalf("read %q, %v; want %q", buf, err, text)
			}
			took := time.Since(start)
			synctest.Wait() // the link has noted what it did
			return took
		}
		check := func(what string, got, want time.Duration) {
			t.Helper()
			if got != want {
				t.Errorf("%s takes %v, want %v", what, got, want)
			}
		}
		check("up", carry(client, upstream, "question"), 30*time.Millisecond)
		check("down", carry(upstream, client, "answer"), 12*time.Millisecond)
		l.Set(rehearse.Shape{})
		check("up when flat", carry(client, upstream, "question"), 0)
		check("down when flat", carry(upstream, client, "answer"), 0)
		l.Set(slow)
		check("up when slow again", carry(client, upstream, "question"), 30*time.Millisecond)
		check("down when slow again", carry(upstream, client, "answer"), 12*time.Millisecond)

		// What is under way when the shape becomes flat is not overtaken.
		start := time.Now()
		io.WriteString(client, "slow")
		synctest.Wait()
		l.Set(rehearse.Shape{})
		io.WriteString(client, "fast")
		buf := make([]byte, 8)
		if _, err := io.ReadFull(upstream, buf); err != nil || string(buf) != "slowfast" {
			t.Fatalf("upstream reads %q, %v", buf, err)
		}
		check("what follows slow bytes", time.Since(start), 30*time.Millisecond)
		l.Set(slow)

		start = time.Now()
		client.(*duplex).CloseWrite()
		if _, err := upstream.Read(buf); err != io.EOF {
			t.Errorf("upstream reads %v, want the client's end", err)
		}
		check("the client's end", time.Since(start), 30*time.Millisecond)
		check("an answer after the client's end", carry(upstream, client, "late"), 12*time.Millisecond)
		upstream.(*duplex).CloseWrite()
		if _, err := client.Read(buf); err != io.EOF {
			t.Errorf("client reads %v, want the upstream's end", err)
		}
		synctest.Wait()
		if s := l.Stats(); s.Active != 0 || s.Resets != 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}

// TestRateIsShared sends over two connections at once.
func TestRateIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := rehearse.Path{Delay: rehearse.Duration(10 * time.Millisecond), Rate: 8 * rehearse.Mbit}
		_, dial := memoryLink(t, rehearse.Shape{Up: path}, 1, 0)
		start := time.Now()
		var both sync.WaitGroup
		var last [2]time.Duration
		for i := range last {
			client, accepted := dial()
			upstream := <-accepted
			both.Go(func() { client.Write(make([]byte, 500_000)) })
			both.Go(func() {
				io.ReadFull(upstream, make([]byte, 500_000))
				last[i] = time.Since(start)
			})
		}
		both.Wait()
		// 1 MB takes 1 s at 1 MB/s, behind a handshake of 10 ms and 10 ms of
		// delay.
		if got, want := max(last[0], last[1]), 1020*time.Millisecond; got != want {
			t.Errorf("both together take %v, want %v", got, want)
		}
		// Who comes first at the start is ahead by what it may have queued.
		ahead := time.Duration(shape.Window(path)+shape.Chunk(path)) * time.Microsecond
		if apart := (last[0] - last[1]).Abs(); apart > ahead {
			t.Errorf("they end %v apart: one had more than its share", apart)
		}
	})
}

func TestSeedMakesJitterReproducible(t *testing.T) {
	wan := rehearse.Symmetric(40*time.Millisecond, 6*time.Millisecond, 0)
	series := func(seed uint64) (out []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			_, dial := memoryLink(t, wan, seed, 0)
			client, accepted := dial()
			upstream := <-accepted
			go io.Copy(struct{ io.Writer }{upstream}, struct{ io.Reader }{upstream})
			for range 10 {
				start := time.Now()
				pingPong(t, client, make([]byte, 8))
				out = append(out, time.Since(start))
			}
		})
		return out
	}
	if diff := cmp.Diff(series(1), series(1)); diff != "" {
		t.Errorf("the same seed gave two series:\n%s", diff)
	}
	if cmp.Equal(series(1), series(2)) {
		t.Error("two seeds gave the same series")
	}
}

func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, dial := memoryLink(t, slow, 1, 0)
		var clients, upstreams []net.Conn
		for range 3 {
			c, accepted := dial()
			clients, upstreams = append(clients, c), append(upstreams, <-accepted)
		}
		time.Sleep(time.Second)
		ask := func(i int) {
			io.WriteString(clients[i], "ask")
			io.ReadFull(upstreams[i], make([]byte, 3))
		}
		answer := func(i int) {
			// Two writes: only the first ends the turn.
			io.WriteString(upstreams[i], "ans")
			io.WriteString(upstreams[i], "wer")
			io.ReadFull(clients[i], make([]byte, 6))
		}
		ask(0)
		ask(1)
		synctest.Wait()
		if s := l.Stats(); s.InFlight != 2 || s.RoundTrips != 0 {
			t.Errorf("after two questions: %d in flight, %d round trips", s.InFlight, s.RoundTrips)
		}
		time.Sleep(100 * time.Millisecond)
		answer(0)
		answer(1)
		ask(1)
		answer(1)
		ask(2)
		clients[2].Close() // gives up before the answer
		upstreams[2].Close()
		synctest.Wait()
		time.Sleep(time.Second)

		d := func(d time.Duration) rehearse.Duration { return rehearse.Duration(d) }
		got := l.Stats()
		// Means and inner quantiles are the histogram's business.
		type q struct {
			count    int64
			min, max rehearse.Duration
		}
		of := func(x rehearse.Quantiles) q { return q{x.Count, x.Min, x.Max} }
		for _, c := range []struct {
			name      string
			got, want q
		}{
			{"DelayAsked", of(got.DelayAsked), q{10, d(12 * time.Millisecond), d(30 * time.Millisecond)}},
			{"DelayGiven", of(got.DelayGiven), q{10, d(12 * time.Millisecond), d(30 * time.Millisecond)}},
			{"DelayError", of(got.DelayError), q{10, 0, 0}},
			// Asked at 0 and 30 ms, each on its way for 30 ms; then 100 ms of
			// thought; the answers take 12 ms one after the other.
			{"TurnAround", of(got.TurnAround), q{3, d(42 * time.Millisecond), d(172 * time.Millisecond)}},
		} {
			if c.got != c.want {
				t.Errorf("%s is %v, want %v", c.name, c.got, c.want)
			}
		}
		var charted int64
		for _, b := range got.Histogram {
			charted += b.Count
		}
		if charted != 3 {
			t.Errorf("the histogram counts %d turns, want 3", charted)
		}
		got.DelayAsked, got.DelayGiven, got.DelayError, got.TurnAround, got.Histogram = rehearse.Quantiles{}, rehearse.Quantiles{}, rehearse.Quantiles{}, rehearse.Quantiles{}, nil
		want := rehearse.LinkStats{
			ID: "client:upstream", Shape: slow, Tier: rehearse.TierStream,
			Connections: 3, Active: 2, MaxActive: 3,
			InFlight: 0, MaxInFlight: 2, RoundTrips: 3,
			BytesUp: 12, BytesDown: 18,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
	})
}

// duplex is a connection in memory whose halves can be closed apart, which a
// net.Pipe's cannot.
type duplex struct {
	net.Conn // reads
	out      net.Conn
}

func (d *duplex) Write(p []byte) (int, error) { return d.out.Write(p) }
func (d *duplex) CloseWrite() error           { return d.out.Close() }
func (d *duplex) Close() error                { return errors.Join(d.Conn.Close(), d.out.Close()) }

func newDuplex() (a, b *duplex) {
	aRead, bWrite := net.Pipe()
	bRead, aWrite := net.Pipe()
	return &duplex{aRead, aWrite}, &duplex{bRead, bWrite}
}

// memoryListener accepts what is sent to it.
type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *memoryListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *memoryListener) Addr() net.Addr { return nil }

// serveMemory runs a link until the test ends and gives what dials it.
func serveMemory(t *testing.T, l *Link, dial func(context.Context) (net.Conn, error)) func() net.Conn {
	ln := &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- l.Serve(ctx, ln, dial) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return func() net.Conn {
		client, inside := newDuplex()
		t.Cleanup(func() { client.Close() })
		ln.conns <- inside
		return client
	}
}

// memoryLink runs a link whose upstream takes a time to accept. What it returns
// makes one connection and gives its two ends.
func memoryLink(t *testing.T, s rehearse.Shape, seed uint64, accept time.Duration) (*Link, func() (client net.Conn, upstream <-chan net.Conn)) {
	l := New(rehearse.LinkSpec{ID: "client:upstream", Shape: s, Tier: rehearse.TierStream}, seed)
	l.wait = waitTimer
	accepted := make(chan net.Conn, 1)
	dial := serveMemory(t, l, func(context.Context) (net.Conn, error) {
		time.Sleep(accept)
		inside, upstream := newDuplex()
		t.Cleanup(func() { upstream.Close() })
		accepted <- upstream
		return inside, nil
	})
	return l, func() (net.Conn, <-chan net.Conn) { return dial(), accepted }
}
