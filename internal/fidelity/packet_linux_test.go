package fidelity

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/packet"
	"github.com/rehearse-dev/rehearse/internal/packet/packettest"
)

// congestion makes a socket use CUBIC, the default of nearly every Linux. A
// namespace cannot be given it everywhere; a socket of root's can.
func congestion(_, _ string, conn syscall.RawConn) error {
	var of error
	err := conn.Control(func(fd uintptr) {
		of = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic")
	})
	return errors.Join(err, of)
}

// packets is the tier packet: a wire with an address for each path.
func packets(t *testing.T, cells []Cell) dial {
	t.Helper()
	address := func(rtt time.Duration, loss float64) netip.Addr {
		return netip.AddrFrom4([4]byte{10, 1, byte(1 + slices.Index(rtts, rtt)), byte(1 + slices.Index(losses, loss))})
	}
	paths := map[netip.Addr]rehearse.Shape{}
	var prefixes []netip.Prefix
	for _, c := range cells {
		a := address(c.RTT, c.Loss)
		if _, known := paths[a]; !known {
			prefixes = append(prefixes, netip.PrefixFrom(a, 8))
		}
		paths[a] = path(c.RTT, c.Loss)
	}
	client := packettest.NewHost(t, netip.MustParsePrefix("10.0.0.1/8"))
	links := packettest.NewHost(t, prefixes...)
	wire := packet.New(client.Device, links.Device, 1)
	for a, s := range paths {
		if err := wire.Set(a, s); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- wire.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for a, s := range paths {
			up, down := wire.Stats(a)
			t.Logf("%v %v: up %+v down %+v", a, s, up, down)
		}
	})
	var ln net.Listener
	var err error
	links.Do(func() {
		ln, err = (&net.ListenConfig{Control: congestion}).Listen(ctx, "tcp4", "0.0.0.0:0")
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go serve(ln, sizes[len(sizes)-1])
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	return func(ctx context.Context, rtt time.Duration, loss float64) (conn net.Conn, start time.Time, err error) {
		client.Do(func() {
			d := net.Dialer{Control: congestion}
			start = time.Now() // the thread took its time to come here
			conn, err = d.DialContext(ctx, "tcp4", net.JoinHostPort(address(rtt, loss).String(), port))
		})
		return conn, start, err
	}
}
