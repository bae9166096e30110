package link

import (
	"context"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rehearse-dev/rehearse"
)

func listenUDP(tb testing.TB, addr string) *net.UDPConn {
	tb.Helper()
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		tb.Skipf("cannot listen on %s: %v", addr, err)
	}
	tb.Cleanup(func() { pc.Close() })
	return pc.(*net.UDPConn)
}

// servePacket runs a link on a socket until the test ends.
func servePacket(tb testing.TB, l *Link, pc net.PacketConn, dial Dial) {
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- l.ServePacket(ctx, pc, dial) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			tb.Errorf("ServePacket: %v", err)
		}
	})
}

// serveUDP runs a link to an upstream and returns what dials it.
func serveUDP(tb testing.TB, l *Link, host, upstream string) func() *net.UDPConn {
	tb.Helper()
	pc := listenUDP(tb, net.JoinHostPort(host, "0"))
	servePacket(tb, l, pc, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", upstream)
	})
	return func() *net.UDPConn {
		c, err := net.Dial("udp", pc.LocalAddr().String())
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { c.Close() })
		return c.(*net.UDPConn)
	}
}

// echoUDP returns the address of one who answers each datagram with itself.
func echoUDP(tb testing.TB, host string) string {
	pc := listenUDP(tb, net.JoinHostPort(host, "0"))
	go func() {
		buf := make([]byte, maxDatagram)
		for {
			n, from, err := pc.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			pc.WriteToUDPAddrPort(buf[:n], from)
		}
	}()
	return pc.LocalAddr().String()
}

// bubble is a link for datagrams in memory, for use in a synctest bubble.
type bubble struct {
	t    *testing.T
	link *Link
	port *memoryPort

	mu    sync.Mutex
	flows []*memoryConn // what was dialled, in its order
	fails error         // what a dial says
}

// arrival is a datagram and when it came.
type arrival struct {
	To   string // the client; empty for the upstream
	Data string
	At   time.Duration
}

// inBubble runs a test with a link in a bubble. All datagrams are there for the
// taking when the bubble is idle.
func inBubble(t *testing.T, s rehearse.Shape, seed uint64, test func(*testing.T, *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := New(rehearse.LinkSpec{ID: "client:upstream", Shape: s}, seed)
		l.wait = waitTimer
		b := &bubble{t: t, link: l, port: newMemoryPort()}
		servePacket(t, l, b.port, func(context.Context) (net.Conn, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.fails != nil {
				return nil, b.fails
			}
			c := &memoryConn{in: make(chan []byte, 1<<16), closed: make(chan struct{}), start: b.port.start}
			b.flows = append(b.flows, c)
			return c, nil
		})
		test(t, b)
	})
}

// ask sends datagrams to the link, as a client of some name.
func (b *bubble) ask(from string, datagrams ...string) {
	for _, d := range datagrams {
		b.port.from <- memoryAddr(from)
		b.port.in <- []byte(d)
	}
	synctest.Wait()
}

// flow is the nth socket that was dialled, from 0.
func (b *bubble) flow(n int) *memoryConn {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if n >= len(b.flows) {
		b.t.Fatalf("%d flows were dialled, not %d", len(b.flows), n+1)
	}
	return b.flows[n]
}

func (b *bubble) dialled() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.flows)
}

// answer sends datagrams from the nth flow's upstream.
func (b *bubble) answer(n int, datagrams ...string) {
	b.t.Helper()
	for _, d := range datagrams {
		b.flow(n).in <- []byte(d)
	}
	synctest.Wait()
}

// after lets time go by.
func (b *bubble) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (b *bubble) fault(faults ...rehearse.Fault) {
	b.t.Helper()
	if err := b.link.Break(faults); err != nil {
		b.t.Fatal(err)
	}
	synctest.Wait()
}

// memoryConn is a connection for datagrams in memory.
type memoryConn struct {
	in     chan []byte
	closed chan struct{}
	once   sync.Once
	start  time.Time

	mu  sync.Mutex
	got []arrival
}

func (c *memoryConn) Read(p []byte) (int, error) {
	select {
	case d := <-c.in:
		return copy(p, d), nil
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *memoryConn) Write(p []byte) (int, error) {
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
		return c.write(p, "")
	}
}

func (c *memoryConn) write(p []byte, to string) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, arrival{to, string(p), time.Since(c.start)})
	return len(p), nil
}

// take gives what has arrived since the last call.
func (c *memoryConn) take() []arrival {
	c.mu.Lock()
	defer c.mu.Unlock()
	got := c.got
	c.got = nil
	return got
}

// texts are what has arrived since the last call, without times.
func (c *memoryConn) texts() []string {
	var out []string
	for _, a := range c.take() {
		out = append(out, a.Data)
	}
	return out
}

func (c *memoryConn) open() bool {
	select {
	case <-c.closed:
		return false
	default:
		return true
	}
}

func (c *memoryConn) Close() error                     { c.once.Do(func() { close(c.closed) }); return nil }
func (c *memoryConn) LocalAddr() net.Addr              { return memoryAddr("") }
func (c *memoryConn) RemoteAddr() net.Addr             { return memoryAddr("") }
func (c *memoryConn) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// memoryPort is a memoryConn that knows who sends.
type memoryPort struct {
	memoryConn
	from chan memoryAddr
}

func newMemoryPort() *memoryPort {
	return &memoryPort{
		memoryConn: memoryConn{in: make(chan []byte, 1<<16), closed: make(chan struct{}), start: time.Now()},
		from:       make(chan memoryAddr, 1<<16),
	}
}

func (p *memoryPort) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := p.Read(b)
	if err != nil {
		return 0, nil, err
	}
	return n, <-p.from, nil
}

func (p *memoryPort) WriteTo(b []byte, to net.Addr) (int, error) { return p.write(b, to.String()) }

type memoryAddr string

func (a memoryAddr) Network() string { return "memory" }
func (a memoryAddr) String() string  { return string(a) }

// dose is the one of a fault.
func (b *bubble) dose(id string) rehearse.Dose {
	b.t.Helper()
	doses := b.link.Stats().Doses
	i := slices.IndexFunc(doses, func(d rehearse.Dose) bool { return d.Fault.ID() == id })
	if i < 0 {
		b.t.Fatalf("there is no dose of %s", id)
	}
	return doses[i]
}
