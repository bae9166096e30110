package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

const ms = time.Millisecond

// TestDatagramsAreUnaltered sends datagrams of all sizes through links that
// shape nothing, delay, and have faults that strike nothing.
func TestDatagramsAreUnaltered(t *testing.T) {
	idle := rehearse.Fault{Kind: rehearse.FaultPartition, Schedule: rehearse.Schedule{After: rehearse.Duration(time.Hour)}}
	slow := rehearse.Symmetric(2*ms, ms, 0)
	for _, host := range []string{"127.0.0.1", "::1"} {
		for name, spec := range map[string]rehearse.LinkSpec{
			"flat": {}, "delayed": {Shape: slow}, "scheduled": {Faults: []rehearse.Fault{idle}},
			"packet": {Shape: slow, Tier: rehearse.TierPacket},
		} {
			t.Run(host+"/"+name, func(t *testing.T) {
				l := New(spec, 1)
				c := serveUDP(t, l, host, echoUDP(t, host))()
				random := rand.New(rand.NewPCG(1, 1))
				var sum int64
				buf := make([]byte, maxDatagram)
				for _, size := range []int{0, 1, 12, 1200, 1472, 9000, 65507} {
					data := make([]byte, size)
					for i := range data {
						data[i] = byte(random.Uint32())
					}
					sum += int64(size)
					if _, err := c.Write(data); err != nil {
						t.Fatal(err)
					}
					c.SetReadDeadline(time.Now().Add(20 * time.Second))
					n, err := c.Read(buf)
					if err != nil || !bytes.Equal(buf[:n], data) {
						t.Fatalf("of %d bytes %d come back, %v", size, n, err)
					}
				}
				eventually(t, func() bool { return l.Stats().TurnAround.Count == 7 })
				s := l.Stats()
				got := []int64{s.Connections, s.Active, s.BytesUp, s.BytesDown, s.RoundTrips, s.InFlight, s.Resets, s.Refused}
				if diff := cmp.Diff([]int64{1, 1, sum, sum, 7, 0, 0, 0}, got); diff != "" {
					t.Errorf("connections, active, bytes up and down, round trips, in flight, resets, refused (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestFlows has two clients, whom the upstream must tell apart and who each get
// what is theirs, also from an upstream that speaks unasked.
func TestFlows(t *testing.T) {
	upstream := listenUDP(t, "127.0.0.1:0")
	dial := serveUDP(t, New(rehearse.LinkSpec{}, 1), "127.0.0.1", upstream.LocalAddr().String())
	var ports []net.Addr
	clients := []*net.UDPConn{dial(), dial()}
	buf := make([]byte, 100)
	for i, c := range clients {
		fmt.Fprintf(c, "client %d", i)
		n, from, err := upstream.ReadFrom(buf)
		if want := fmt.Sprintf("client %d", i); err != nil || string(buf[:n]) != want {
			t.Fatalf("upstream reads %q, %v; want %q", buf[:n], err, want)
		}
		ports = append(ports, from)
	}
	if ports[0].String() == ports[1].String() {
		t.Errorf("both clients come from %v", ports[0])
	}
	for i, c := range clients {
		for k := range 2 {
			upstream.WriteTo(fmt.Append(nil, "to ", i, k), ports[i])
			c.SetReadDeadline(time.Now().Add(20 * time.Second))
			n, err := c.Read(buf)
			if want := fmt.Sprint("to ", i, k); err != nil || string(buf[:n]) != want {
				t.Fatalf("client reads %q, %v; want %q", buf[:n], err, want)
			}
		}
	}
}

// TestUpstreamComesLater sends to a port where nobody is yet. The refusal must
// end neither the link nor the flow.
func TestUpstreamComesLater(t *testing.T) {
	gone := listenUDP(t, "127.0.0.1:0")
	addr := gone.LocalAddr().String()
	gone.Close()
	l := New(rehearse.LinkSpec{}, 1)
	c := serveUDP(t, l, "127.0.0.1", addr)()
	io.WriteString(c, "anyone?")
	eventually(t, func() bool { return l.Stats().Refused > 0 })
	upstream := listenUDP(t, addr)
	io.WriteString(c, "and now?")
	buf := make([]byte, 100)
	upstream.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, _, err := upstream.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "and now?" {
		t.Errorf("upstream reads %q, %v", buf[:n], err)
	}
	if s := l.Stats(); s.Connections != 1 || s.Active != 1 {
		t.Errorf("stats are %+v", s)
	}
}

// TestServePacketEnds ends a link with flows in every state and looks for what
// is left of it.
func TestServePacketEnds(t *testing.T) {
	before := stacks()
	upstream := echoUDP(t, "127.0.0.1")
	for _, shape := range []rehearse.Shape{{}, rehearse.Symmetric(time.Hour, 0, 0)} {
		l := New(rehearse.LinkSpec{Shape: shape}, 1)
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		pc := listenUDP(t, "127.0.0.1:0")
		var dials atomic.Int64
		go func() {
			served <- l.ServePacket(ctx, pc, func(ctx context.Context) (net.Conn, error) {
				if dials.Add(1)%5 == 0 {
					<-ctx.Done() // a dial that takes for ever
					return nil, ctx.Err()
				}
				return new(net.Dialer).DialContext(ctx, "udp", upstream)
			})
		}()
		for range 20 {
			c, err := net.Dial("udp", pc.LocalAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, "hello")
		}
		eventually(t, func() bool { return l.Stats().Active == 20 })
		cancel()
		if err := <-served; err != nil {
			t.Errorf("ServePacket: %v", err)
		}
		if s := l.Stats(); s.Active != 0 || s.InFlight != 0 || s.Refused != 0 {
			t.Errorf("at the end: %+v", s)
		}
		if _, err := pc.WriteTo(nil, pc.LocalAddr()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the socket is still open: %v", err)
		}
	}
	after := stacks()
	for _, text := range []string{"link.(*mapping)", "link.(*nat)", "link.(*courier)"} {
		if within(after, text) > within(before, text) {
			t.Errorf("goroutines are left in %s:\n%s", text, after)
		}
	}
}

func TestServePacketTellsOfABrokenSocket(t *testing.T) {
	pc := listenUDP(t, "127.0.0.1:0")
	pc.Close()
	l := New(rehearse.LinkSpec{ID: "a:b"}, 1)
	if err := l.ServePacket(context.Background(), pc, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("ServePacket returns %v, want %v", err, net.ErrClosed)
	}
}

func TestFailedDialIsTriedAgain(t *testing.T) {
	inBubble(t, rehearse.Shape{}, 1, func(t *testing.T, b *bubble) {
		b.mu.Lock()
		b.fails = syscall.ENETUNREACH
		b.mu.Unlock()
		b.ask("a", "1")
		b.mu.Lock()
		b.fails = nil
		b.mu.Unlock()
		b.ask("a", "2")
		if diff := cmp.Diff([]string{"2"}, b.flow(0).texts()); diff != "" {
			t.Errorf("upstream reads (-want +got):\n%s", diff)
		}
		if s := b.link.Stats(); s.Refused != 1 || s.Connections != 1 {
			t.Errorf("stats are %+v", s)
		}
	})
}

// TestDatagramDelay follows one flow through a live change to flat and back.
func TestDatagramDelay(t *testing.T) {
	inBubble(t, slow, 1, func(t *testing.T, b *bubble) {
		check := func(what string, got []arrival, want ...arrival) {
			t.Helper()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		b.ask("a", "1", "2")
		b.after(time.Second)
		check("up", b.flow(0).take(), arrival{"", "1", 30 * ms}, arrival{"", "2", 30 * ms})
		b.answer(0, "3")
		b.after(time.Second)
		check("down", b.port.take(), arrival{"a", "3", 1012 * ms})

		// What is under way when the shape becomes flat is not overtaken.
		b.ask("a", "4")
		b.link.Set(rehearse.Shape{})
		b.after(10 * ms)
		b.ask("a", "5")
		b.answer(0, "6")
		b.after(time.Second)
		check("up when flat", b.flow(0).take(), arrival{"", "4", 2030 * ms}, arrival{"", "5", 2030 * ms})
		check("down when flat", b.port.take(), arrival{"a", "6", 2010 * ms})
		b.ask("a", "7")
		check("up when flat for a while", b.flow(0).take(), arrival{"", "7", 3010 * ms})
		b.link.Set(slow)
		b.ask("a", "8")
		b.after(time.Second)
		check("up when slow again", b.flow(0).take(), arrival{"", "8", 3040 * ms})

		s := b.link.Stats()
		if got, want := s.DelayGiven, s.DelayAsked; got != want || s.DelayError.Max != 0 || got.Count != 6 {
			t.Errorf("delay asked %+v, given %+v, error %+v", s.DelayAsked, got, s.DelayError)
		}
	})
}

// TestJitterKeepsOrder holds the property that datagrams of a flow keep their
// order, are never early and are all there, for many paths; and that some
// overtake others where there is reordering.
func TestJitterKeepsOrder(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		path := rehearse.Path{
			Delay: rehearse.Duration(random.Int64N(int64(100 * ms))), Jitter: rehearse.Duration(random.Int64N(int64(50 * ms))),
			Distribution: []rehearse.Distribution{"", rehearse.Uniform, rehearse.Pareto}[random.IntN(3)],
			Rate:         []rehearse.Rate{0, rehearse.Mbit}[random.IntN(2)], Limit: 1 << 20,
		}
		for _, reorder := range []float64{0, 0.2} {
			path.Reorder = reorder
			inBubble(t, rehearse.Shape{Up: path}, seed, func(t *testing.T, b *bubble) {
				const count = 300
				sent := map[string]time.Duration{}
				for i := range count {
					text := fmt.Sprintf("%03d", i)
					sent[text] = time.Since(b.port.start)
					b.ask("a", text)
					b.after(time.Duration(random.Int64N(int64(2 * ms))))
				}
				b.after(time.Minute)
				got := b.flow(0).take()
				if len(got) != count {
					t.Fatalf("%d datagrams of %d arrive", len(got), count)
				}
				overtaken := 0
				for i, a := range got {
					if a.At < sent[a.Data] {
						t.Errorf("%s arrives %v early", a.Data, sent[a.Data]-a.At)
					}
					if i > 0 && a.Data < got[i-1].Data {
						overtaken++
					}
				}
				if (overtaken > 0) != (reorder > 0) {
					t.Errorf("reorder %v of %+v: %d came behind one that was sent later", reorder, path, overtaken)
				}
			})
		}
	}
}

// TestSeedDecides compares runs with everything that chance decides.
func TestSeedDecides(t *testing.T) {
	path := rehearse.Path{
		Delay: rehearse.Duration(20 * ms), Jitter: rehearse.Duration(5 * ms), Loss: 0.1, Burst: 2, Duplicate: 0.1, Reorder: 0.1,
	}
	run := func(seed uint64) (out []arrival) {
		inBubble(t, rehearse.Shape{Up: path, Down: path}, seed, func(t *testing.T, b *bubble) {
			b.fault(rehearse.Fault{Kind: rehearse.FaultCorrupt, Share: 0.1}, rehearse.Fault{Kind: rehearse.FaultLoss, Share: 0.1},
				rehearse.Fault{Kind: rehearse.FaultDuplicate, Share: 0.1}, rehearse.Fault{Kind: rehearse.FaultReorder, Share: 0.1},
				rehearse.Fault{Kind: rehearse.FaultBlackhole, Probability: 0.3})
			for c := range 10 {
				for i := range 30 {
					b.ask(fmt.Sprint("client ", c), fmt.Sprint("datagram ", i))
					b.after(ms)
				}
			}
			b.after(time.Second)
			for n := range b.dialled() {
				out = append(out, b.flow(n).take()...)
			}
		})
		return out
	}
	first := run(1)
	if len(first) < 100 {
		t.Fatalf("only %d datagrams arrive", len(first))
	}
	if diff := cmp.Diff(first, run(1)); diff != "" {
		t.Errorf("the same seed gave two runs:\n%s", diff)
	}
	if cmp.Equal(first, run(2)) {
		t.Error("two seeds gave the same run")
	}
}

// TestShares counts what the shares of a path do.
func TestShares(t *testing.T) {
	const count = 10000
	for name, path := range map[string]rehearse.Path{
		"nothing": {}, "loss": {Loss: 0.2}, "bursts": {Loss: 0.2, Burst: 4}, "duplicate": {Duplicate: 0.2},
	} {
		inBubble(t, rehearse.Shape{Up: path}, 1, func(t *testing.T, b *bubble) {
			for range count {
				b.ask("a", "x")
			}
			got := float64(len(b.flow(0).take())) / count
			if want := 1 - path.Loss + path.Duplicate; got < want-0.02 || got > want+0.02 {
				t.Errorf("%s: %v of the datagrams arrive, want %v", name, got, want)
			}
		})
	}
}

// TestDatagramRate sends a burst at a rate with a queue, and two flows at rates
// of their own.
func TestDatagramRate(t *testing.T) {
	text := string(make([]byte, 1000-headers))
	times := func(got []arrival) (out []time.Duration) {
		for _, a := range got {
			out = append(out, a.At)
		}
		return out
	}
	// 1000 bytes take 8 ms. The first is on its way at once, three more fit in.
	path := rehearse.Path{Rate: rehearse.Mbit, Limit: 4000, Delay: rehearse.Duration(ms)}
	inBubble(t, rehearse.Shape{Up: path}, 1, func(t *testing.T, b *bubble) {
		b.ask("a", text, text, text, text, text, text)
		b.after(time.Second)
		if diff := cmp.Diff([]time.Duration{9 * ms, 17 * ms, 25 * ms, 33 * ms}, times(b.flow(0).take())); diff != "" {
			t.Errorf("a burst (-want +got):\n%s", diff)
		}
	})
	path.Limit = 10 // less than a datagram: one at a time
	inBubble(t, rehearse.Shape{Up: path}, 1, func(t *testing.T, b *bubble) {
		b.ask("a", text, text)
		b.after(time.Second)
		if got := len(b.flow(0).take()); got != 1 {
			t.Errorf("%d datagrams pass a queue that is too short for one, want 1", got)
		}
	})
	path = rehearse.Path{ConnectionRate: rehearse.Mbit}
	inBubble(t, rehearse.Shape{Up: path}, 1, func(t *testing.T, b *bubble) {
		b.ask("a", text, text)
		b.after(ms)
		b.ask("b", text)
		b.after(time.Second)
		got := [][]time.Duration{times(b.flow(0).take()), times(b.flow(1).take())}
		if diff := cmp.Diff([][]time.Duration{{8 * ms, 16 * ms}, {9 * ms}}, got); diff != "" {
			t.Errorf("two flows (-want +got):\n%s", diff)
		}
	})
}

// TestIdleFlowsEnd waits for a flow to be forgotten, which traffic either way
// and what is under way prevent.
func TestIdleFlowsEnd(t *testing.T) {
	inBubble(t, rehearse.Shape{}, 1, func(t *testing.T, b *bubble) {
		b.ask("a", "1")
		b.after(20 * time.Second)
		b.ask("b", "1")
		b.after(9 * time.Second)
		b.answer(0, "2")
		b.after(30*time.Second - 1)
		if !b.flow(0).open() || b.flow(1).open() {
			t.Errorf("after 30 s: the flow with an answer is open: %v, the one without: %v", b.flow(0).open(), b.flow(1).open())
		}
		b.after(1)
		if s := b.link.Stats(); b.flow(0).open() || s.Active != 0 || s.InFlight != 0 {
			t.Errorf("after 30 s without anything: open %v, %+v", b.flow(0).open(), s)
		}
		b.ask("a", "3")
		if diff := cmp.Diff([]string{"3"}, b.flow(2).texts()); diff != "" {
			t.Errorf("the next flow (-want +got):\n%s", diff)
		}
		b.link.Set(rehearse.Shape{Up: rehearse.Path{Delay: rehearse.Duration(time.Minute)}})
		b.ask("a", "4")
		b.after(time.Minute)
		if diff := cmp.Diff([]string{"4"}, b.flow(2).texts()); diff != "" {
			t.Errorf("what was under way for a minute (-want +got):\n%s", diff)
		}
	})
}

// TestOldestFlowMakesRoom has one client more than there may be.
func TestOldestFlowMakesRoom(t *testing.T) {
	inBubble(t, rehearse.Shape{}, 1, func(t *testing.T, b *bubble) {
		for i := range maxFlows {
			b.ask(fmt.Sprint(i), "x")
		}
		b.ask("0", "still here")
		b.ask("new", "x")
		s := b.link.Stats()
		if s.Active != maxFlows || s.Connections != maxFlows+1 {
			t.Errorf("%d flows of %d are open", s.Active, s.Connections)
		}
		if !b.flow(0).open() || b.flow(1).open() || !b.flow(maxFlows).open() {
			t.Error("it is not the one that was idle for longest that made room")
		}
	})
}

// TestChangesUnderTraffic changes everything while datagrams go to and fro. None
// may be altered, and in the end all is as it was.
func TestChangesUnderTraffic(t *testing.T) {
	l := New(rehearse.LinkSpec{}, 1)
	dial := serveUDP(t, l, "127.0.0.1", echoUDP(t, "127.0.0.1"))
	var clients sync.WaitGroup
	for i := range 4 {
		c := dial()
		clients.Go(func() {
			sent, buf := map[string]bool{}, make([]byte, 100)
			for k := range 200 {
				text := fmt.Sprintf("datagram %d of client %d", k, i)
				sent[text] = true
				io.WriteString(c, text)
				c.SetReadDeadline(time.Now().Add(2 * ms))
				if n, err := c.Read(buf); err == nil && !sent[string(buf[:n])] {
					t.Errorf("client %d gets %q", i, buf[:n])
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { clients.Wait(); close(done) }()
	faults := []rehearse.Fault{
		{Kind: rehearse.FaultDuplicate, Share: 0.5}, {Kind: rehearse.FaultReorder, Share: 0.5}, {Kind: rehearse.FaultLoss, Share: 0.5},
		{Kind: rehearse.FaultReset, Delay: duration(ms)}, {Kind: rehearse.FaultPartition}, {Kind: rehearse.FaultRefuse},
		{Kind: rehearse.FaultLimit, Count: 3}, {Kind: rehearse.FaultRate, Rate: rehearse.Mbit, Shared: true},
	}
	for i := 0; waitTimer(time.Now().Add(ms), done, nil); i++ {
		if err := l.Break([]rehearse.Fault{faults[i%len(faults)], faults[(i+1+i/len(faults))%len(faults)]}[:1+i%2]); err != nil {
			t.Fatal(err)
		}
		l.Set(rehearse.Symmetric(time.Duration(i%3)*ms, time.Duration(i%2)*ms, 0))
		l.Stats()
	}
	l.Set(rehearse.Shape{})
	if err := l.Break(nil); err != nil {
		t.Fatal(err)
	}
	c, buf := dial(), make([]byte, 10)
	eventually(t, func() bool {
		io.WriteString(c, "over")
		c.SetReadDeadline(time.Now().Add(10 * ms))
		n, err := c.Read(buf)
		return err == nil && string(buf[:n]) == "over"
	})
	eventually(t, func() bool {
		for _, d := range l.Stats().Doses {
			if d.Holding != 0 || !d.Gone {
				return false
			}
		}
		return true
	})
}

// TestBurstBeforeTheDial sends more than is kept while the dial takes its time.
func TestBurstBeforeTheDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fit = maxEarly / (256 + 1200)
		c := &memoryConn{in: make(chan []byte), closed: make(chan struct{}), start: time.Now()}
		b := &bubble{t: t, port: newMemoryPort()}
		dialled := make(chan struct{})
		servePacket(t, New(rehearse.LinkSpec{}, 1), b.port, func(context.Context) (net.Conn, error) {
			<-dialled
			return c, nil
		})
		for i := range fit + 10 {
			b.ask("a", fmt.Sprintf("%01200d", i))
		}
		close(dialled)
		synctest.Wait()
		got := c.texts()
		if len(got) != fit || !slices.IsSorted(got) {
			t.Errorf("%d datagrams arrive, in order: %v; want %d", len(got), slices.IsSorted(got), fit)
		}
	})
}

// TestWhatIsUnderWayIsBounded sends more on a very long path than is kept.
func TestWhatIsUnderWayIsBounded(t *testing.T) {
	inBubble(t, rehearse.Shape{}, 1, func(t *testing.T, b *bubble) {
		b.ask("a", "before there is a delay")
		b.flow(0).take()
		b.link.Set(rehearse.Shape{Up: rehearse.Path{Delay: duration(time.Minute)}})
		text := string(make([]byte, 60000))
		fit := maxHeld / cost(len(text))
		for range fit + 10 {
			b.ask("a", text)
		}
		b.after(time.Minute)
		if got := len(b.flow(0).take()); got != fit {
			t.Errorf("%d datagrams arrive, want %d", got, fit)
		}
		b.ask("a", text)
		b.after(time.Minute)
		if got := len(b.flow(0).take()); got != 1 {
			t.Errorf("%d datagrams arrive when there is room again, want 1", got)
		}
	})
}

// TestDatagramsAllocateNothing carries datagrams up and down a link that has
// nothing to do.
func TestDatagramsAllocateNothing(t *testing.T) {
	l := New(rehearse.LinkSpec{}, 1)
	c := serveUDP(t, l, "127.0.0.1", echoUDP(t, "127.0.0.1"))()
	data, buf := make([]byte, 1200), make([]byte, 2000)
	exchange := func() {
		c.Write(data)
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	exchange()
	most := 1.0
	if raceDetector {
		most = 4
	}
	if got := testing.AllocsPerRun(200, exchange); got >= most {
		t.Errorf("%v allocations for a round trip on a flat link", got)
	}
}

// BenchmarkDatagrams is the round trip of one datagram, without and with a link.
func BenchmarkDatagrams(b *testing.B) {
	upstream := echoUDP(b, "127.0.0.1")
	for _, name := range []string{"direct", "flat", "lossy"} {
		b.Run(name, func(b *testing.B) {
			dial := func() *net.UDPConn {
				c, err := net.Dial("udp", upstream)
				if err != nil {
					b.Fatal(err)
				}
				return c.(*net.UDPConn)
			}
			if name != "direct" {
				l := New(rehearse.LinkSpec{}, 1)
				if name == "lossy" {
					l.Set(rehearse.Shape{Up: rehearse.Path{Loss: 1e-9}, Down: rehearse.Path{Loss: 1e-9}})
				}
				dial = serveUDP(b, l, "127.0.0.1", upstream)
			}
			c := dial()
			buf := make([]byte, 1200)
			b.ReportAllocs()
			for b.Loop() {
				c.Write(buf)
				c.Read(buf)
			}
		})
	}
}
