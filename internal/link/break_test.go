package link

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rehearse-dev/rehearse"
)

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
