package packettest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/packet"
	"github.com/rehearse-dev/rehearse/internal/packet/packettest"
)

// links are the addresses of the links in the tests with the kernel's own TCP.
var links = []netip.Addr{netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("fd00::2")}

// world is two network namespaces and a wire between them.
type world struct {
	wire        *packet.Wire
	client, far *packettest.Host
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		client: packettest.NewHost(t, netip.MustParsePrefix("10.0.0.1/8"), netip.MustParsePrefix("fd00::1/64")),
		far:    packettest.NewHost(t, netip.PrefixFrom(links[0], 8), netip.PrefixFrom(links[1], 64)),
	}
	w.wire = packet.New(w.client.Device, w.far.Device, 1)
	w.set(t, rehearse.Shape{})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- w.wire.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) set(t testing.TB, s rehearse.Shape, faults ...rehearse.Fault) {
	t.Helper()
	for _, a := range links {
		if err := w.wire.Set(a, s, faults...); err != nil {
			t.Fatal(err)
		}
	}
}

// listen opens a TCP listener behind the far device.
func (w *world) listen(t testing.TB, a netip.Addr) (net.Listener, string) {
	t.Helper()
	var ln net.Listener
	var err error
	w.far.Do(func() { ln, err = net.Listen("tcp", netip.AddrPortFrom(a, 0).String()) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln, ln.Addr().String()
}

func (w *world) dial(t testing.TB, network, address string) net.Conn {
	t.Helper()
	var conn net.Conn
	var err error
	w.client.Do(func() {
		d := net.Dialer{Timeout: 30 * time.Second}
		conn, err = d.Dial(network, address)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func half(d time.Duration) rehearse.Path { return rehearse.Path{Delay: rehearse.Duration(d / 2)} }

// both is a shape that is the same in both directions.
func both(p rehearse.Path) rehearse.Shape { return rehearse.Shape{Up: p, Down: p} }

// echo sends back what it gets, on one connection.
func echo(t testing.TB, ln net.Listener) {
	conn, err := ln.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	if _, err := io.Copy(conn, conn); err != nil {
		t.Error(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Error(err)
	}
}

// TestTCP sends data to and fro through every kind of path. All of it must come
// and be what it was: the kernel repairs what the wire breaks.
func TestTCP(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name   string
		path   rehearse.Path
		faults []rehearse.Fault
	}{
		{name: "plain"},
		{name: "delay", path: half(10 * time.Millisecond)},
		{name: "jitter", path: rehearse.Path{Delay: rehearse.Duration(3 * time.Millisecond), Jitter: rehearse.Duration(time.Millisecond)}},
		{name: "loss", path: rehearse.Path{Delay: rehearse.Duration(time.Millisecond), Loss: 0.01}},
		{name: "bursts", path: rehearse.Path{Delay: rehearse.Duration(time.Millisecond), Loss: 0.01, Burst: 4}},
		{name: "duplicate", path: rehearse.Path{Delay: rehearse.Duration(time.Millisecond), Duplicate: 0.1}},
		{name: "reorder", path: rehearse.Path{Delay: rehearse.Duration(time.Millisecond), Reorder: 0.02}},
		{name: "rate", path: rehearse.Path{Rate: 200 * rehearse.Mbit}},
		{name: "rate of a connection", path: rehearse.Path{ConnectionRate: 200 * rehearse.Mbit}},
		{name: "corrupt", path: half(time.Millisecond), faults: []rehearse.Fault{{Kind: rehearse.FaultCorrupt, Share: 0.01}}},
	} {
		for _, a := range links {
			t.Run(c.name+"/"+family(a), func(t *testing.T) {
				w.set(t, both(c.path), c.faults...)
				ln, address := w.listen(t, a)
				go echo(t, ln)
				start := time.Now()
				conn := w.dial(t, "tcp", address)
				if took := time.Since(start); took < 2*time.Duration(c.path.Delay) && c.path.Jitter == 0 && c.path.Reorder == 0 {
					t.Errorf("connected in %v, before the round trip of %v", took, 2*time.Duration(c.path.Delay))
				}
				const size = 1 << 20
				data := make([]byte, size)
				rand.NewChaCha8([32]byte{1}).Read(data)
				go func() {
					if _, err := conn.Write(data); err != nil {
						t.Error(err)
					}
					if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
						t.Error(err)
					}
				}()
				start = time.Now()
				got, err := io.ReadAll(conn)
				if err != nil {
					t.Fatal(err)
				}
				if sha256.Sum256(got) != sha256.Sum256(data) {
					t.Errorf("%d bytes came back of %d, or they are others", len(got), size)
				}
				if rate := c.path.Rate + c.path.ConnectionRate; rate > 0 {
					if fastest := time.Duration(float64(size) * 8 / float64(rate) * 1e9); time.Since(start) < fastest {
						t.Errorf("%d bytes took %v, less than the %v that they take at the rate", size, time.Since(start), fastest)
					}
				}
			})
		}
	}
	for _, a := range links {
		up, down := w.wire.Stats(a)
		for _, s := range []packet.Stats{up, down} {
			if s.Lost == 0 || s.Duplicated == 0 || s.Reordered == 0 || s.Corrupted == 0 || s.Refused != 0 {
				t.Errorf("%v: %+v", a, s)
			}
		}
	}
}

func family(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// TestUDP counts datagrams through loss, duplicates and corruption: what comes
// was sent, and as often as the statistics say.
func TestUDP(t *testing.T) {
	for _, a := range links {
		t.Run(family(a), func(t *testing.T) {
			w := newWorld(t)
			const sent = 2000
			w.set(t, rehearse.Shape{Up: rehearse.Path{Delay: rehearse.Duration(5 * time.Millisecond), Loss: 0.1, Duplicate: 0.1}},
				rehearse.Fault{Kind: rehearse.FaultCorrupt, Share: 0.1, Direction: rehearse.Up})
			var server net.PacketConn
			var err error
			w.far.Do(func() { server, err = net.ListenPacket("udp", netip.AddrPortFrom(a, 0).String()) })
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			if err := server.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
				t.Fatal(err)
			}
			client := w.dial(t, "udp", server.LocalAddr().String())
			came := map[uint32]int{}
			b := make([]byte, 2000)
			receive := func() (uint32, bool) {
				n, _, err := server.ReadFrom(b)
				if err != nil {
					t.Fatal(err)
				}
				i := binary.BigEndian.Uint32(b)
				if !bytes.Equal(b[:n], message(i)) {
					t.Fatalf("a datagram came that was never sent: %x", b[:n])
				}
				return i, i < sent
			}
			for i := range uint32(sent) {
				if _, err := client.Write(message(i)); err != nil {
					t.Fatal(err)
				}
				if i%25 == 24 {
					// A last word that nothing can befall ends each part, which a
					// socket's buffer must hold.
					w.set(t, rehearse.Shape{Up: rehearse.Path{Delay: rehearse.Duration(5 * time.Millisecond)}})
					if _, err := client.Write(message(sent + i)); err != nil {
						t.Fatal(err)
					}
					for {
						j, one := receive()
						if !one {
							break
						}
						came[j]++
					}
					w.set(t, rehearse.Shape{Up: rehearse.Path{Delay: rehearse.Duration(5 * time.Millisecond), Loss: 0.1, Duplicate: 0.1}},
						rehearse.Fault{Kind: rehearse.FaultCorrupt, Share: 0.1, Direction: rehearse.Up})
				}
			}
			up, _ := w.wire.Stats(a)
			total := 0
			for i, n := range came {
				if total += n; n > 2 {
					t.Errorf("datagram %d came %d times", i, n)
				}
			}
			if up.Lost == 0 || up.Corrupted == 0 || up.Duplicated == 0 || total >= sent || total < sent/2 {
				t.Errorf("%d came of %d: %+v", total, sent, up)
			}
			if int64(total) > sent-up.Lost-up.Corrupted+up.Duplicated {
				t.Errorf("%d came, more than %+v leave", total, up)
			}
		})
	}
}

// message is a datagram whose whole text follows from its number.
func message(i uint32) []byte {
	return bytes.Repeat(binary.BigEndian.AppendUint32(nil, i), 1+int(i%300))
}

// TestPartition: what is sent during a partition is sent again by the kernel.
func TestPartition(t *testing.T) {
	w := newWorld(t)
	ln, address := w.listen(t, links[0])
	go echo(t, ln)
	conn := w.dial(t, "tcp", address)
	ask := func(word string) error {
		if _, err := io.WriteString(conn, word); err != nil {
			return err
		}
		got := make([]byte, len(word))
		_, err := io.ReadFull(conn, got)
		if err == nil && string(got) != word {
			t.Errorf("got %q, want %q", got, word)
		}
		return err
	}
	if err := ask("before"); err != nil {
		t.Fatal(err)
	}
	w.set(t, rehearse.Shape{}, rehearse.Fault{Kind: rehearse.FaultPartition})
	if err := conn.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := ask("during"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("through a partition: %v", err)
	}
	w.set(t, rehearse.Shape{})
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("during"))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "during" {
		t.Errorf("after the partition: %q, %v", got, err)
	}
	if up, _ := w.wire.Stats(links[0]); up.Blocked == 0 {
		t.Errorf("nothing was blocked: %+v", up)
	}
}

// TestBlackholeOfConnects: nobody answers, as behind a dead machine.
func TestBlackholeOfConnects(t *testing.T) {
	w := newWorld(t)
	w.set(t, rehearse.Shape{}, rehearse.Fault{Kind: rehearse.FaultBlackhole, Direction: rehearse.Up})
	_, address := w.listen(t, links[0])
	w.client.Do(func() {
		d := net.Dialer{Timeout: 100 * time.Millisecond}
		var timeout net.Error
		if _, err := d.Dial("tcp", address); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("a connect into a black hole: %v", err)
		}
	})
	w.set(t, rehearse.Shape{})
	ln, address := w.listen(t, links[0])
	ln.Close()
	w.client.Do(func() {
		if _, err := net.Dial("tcp", address); !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("a connect to nobody: %v", err)
		}
	})
}

// TestDeviceDown: a wire outlives its device's being down, at the start and in
// between, and counts what the device did not take.
func TestDeviceDown(t *testing.T) {
	w := newWorld(t)
	ln, address := w.listen(t, links[0])
	go echo(t, ln)
	w.far.Switch(t, false)
	conn := w.dial(t, "udp", "10.1.0.1:9")
	for refused := int64(0); refused == 0; {
		if _, err := conn.Write([]byte("is there anybody?")); err != nil {
			t.Fatal(err)
		}
		up, _ := w.wire.Stats(links[0])
		if refused = up.Refused; up.Packets > 100_000 {
			t.Fatalf("nothing is refused: %+v", up)
		}
	}
	w.far.Switch(t, true)
	again := w.dial(t, "tcp", address)
	if _, err := io.WriteString(again, "yes"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 3)
	if _, err := io.ReadFull(again, got); err != nil || string(got) != "yes" {
		t.Errorf("after the device came back: %q, %v", got, err)
	}
}

// BenchmarkBulk is one connection that pushes as much as it can.
func BenchmarkBulk(b *testing.B) {
	for _, c := range []struct {
		name string
		path rehearse.Path
	}{{"plain", rehearse.Path{}}, {"delay=1ms", half(2 * time.Millisecond)}, {"loss=0.1%", rehearse.Path{Loss: 0.001}}, {"rate=1Gbit", rehearse.Path{Rate: rehearse.Gbit}}} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b)
			w.set(b, both(c.path))
			ln, address := w.listen(b, links[0])
			done := make(chan error)
			go func() {
				conn, err := ln.Accept()
				if err == nil {
					defer conn.Close()
					_, err = io.Copy(sink{}, conn)
				}
				done <- err
			}()
			conn := w.dial(b, "tcp", address)
			if err := conn.SetDeadline(time.Time{}); err != nil {
				b.Fatal(err)
			}
			chunk := make([]byte, 1<<20)
			b.SetBytes(int64(len(chunk)))
			for b.Loop() {
				if _, err := conn.Write(chunk); err != nil {
					b.Fatal(err)
				}
			}
			conn.Close()
			if err := <-done; err != nil {
				b.Error(err)
			}
		})
	}
}

// sink discards, and is not io.Discard, which has a small buffer of its own.
type sink struct{}

func (sink) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkRoundTrip is 64 bytes there and back, beyond the path's own delay.
func BenchmarkRoundTrip(b *testing.B) {
	for _, rtt := range []time.Duration{0, 2 * time.Millisecond} {
		b.Run("rtt="+strconv.Itoa(int(rtt.Milliseconds()))+"ms", func(b *testing.B) {
			w := newWorld(b)
			w.set(b, both(half(rtt)))
			ln, address := w.listen(b, links[0])
			go echo(b, ln)
			conn := w.dial(b, "tcp", address)
			word := make([]byte, 64)
			var took time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := conn.Write(word); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(conn, word); err != nil {
					b.Fatal(err)
				}
				took += time.Since(start) - rtt
			}
			b.ReportMetric(float64(took.Microseconds())/float64(b.N), "µs-beyond-rtt")
		})
	}
}
