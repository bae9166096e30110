package switchboard_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse/internal/switchboard"
)

// datagrams gives a UDP socket of the client's that is connected to an address.
func (w *world) datagrams(t testing.TB, to netip.AddrPort) net.Conn {
	t.Helper()
	var c net.Conn
	w.inside(t, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(fd), "client")
		defer f.Close()
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
			return err
		}
		c, err = net.FileConn(f)
		return err
	})
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second)) // datagrams get lost
	return c
}

// resolver asks the name server at an address, over "udp" or "tcp".
func (w *world) resolver(t *testing.T, network string, at netip.Addr) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		if network == "tcp" {
			return w.dial(t, netip.AddrPortFrom(at, 53))
		}
		return w.datagrams(t, netip.AddrPortFrom(at, 53)), nil
	}}
}

// next waits for n refusals, and gives them in order.
func (w *world) next(n int) []string {
	var out []string
	for range n {
		r := <-w.refused
		to := r.To.String()
		if !r.To.IsValid() {
			to = r.Name
		}
		out = append(out, fmt.Sprintf("%s %s %s", r.Client, r.Proto, to))
	}
	slices.Sort(out)
	return out
}

func TestNames(t *testing.T) {
	eachMode(t, func(t *testing.T, w *world, b *switchboard.Board) {
		if err := b.Names(clientAddr, map[string]netip.Addr{"db": linkAddr, "API.example.com": linkAddr.Next()}); err != nil {
			t.Fatal(err)
		}
		if err := b.Gateway(gatewayAddr); err != nil {
			t.Fatal(err)
		}
		for _, network := range []string{"udp", "tcp"} {
			for _, at := range []netip.Addr{ownAddr, gatewayAddr} {
				resolver := w.resolver(t, network, at)
				for name, want := range map[string]string{"db.": "10.77.0.130", "dB.": "10.77.0.130", "api.EXAMPLE.com.": "10.77.0.131"} {
					got, err := resolver.LookupHost(t.Context(), name)
					if err != nil || !slices.Equal(got, []string{want}) {
						t.Errorf("over %s, %s gives %s as %v, %v, want %s", network, at, name, got, err, want)
					}
				}
				var dns *net.DNSError
				if got, err := resolver.LookupHost(t.Context(), "API.stripe.example."); !errors.As(err, &dns) || !dns.IsNotFound {
					t.Errorf("over %s, %s gives an unknown name as %v, %v", network, at, got, err)
				}
			}
		}
		if got, want := w.next(1), "10.77.0.3 dns api.stripe.example"; got[0] != want {
			t.Errorf("%q was refused, want %q", got[0], want)
		}
		// What is said again replaces what was said before.
		if err := b.Names(clientAddr, map[string]netip.Addr{"cache": linkAddr}); err != nil {
			t.Fatal(err)
		}
		if got, err := w.resolver(t, "udp", ownAddr).LookupHost(t.Context(), "db."); err == nil {
			t.Errorf("a name that is known no more is %v", got)
		}
		if got, want := w.next(1), "10.77.0.3 dns db"; got[0] != want || len(w.refused) > 0 {
			t.Errorf("%q was refused, and %d others, want %q once", got[0], len(w.refused), want)
		}
	})
}

// TestGateway has the client send to where nothing is. It is told so at once, as
// often as it tries, and the host once for each destination.
func TestGateway(t *testing.T) {
	eachMode(t, func(t *testing.T, w *world, b *switchboard.Board) {
		if err := b.Gateway(gatewayAddr); err != nil {
			t.Fatal(err)
		}
		// More than the kernel itself would answer in one go.
		var want []string
		for i := range 20 {
			to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 443)
			for range 2 {
				if _, err := w.dial(t, to); !errors.Is(err, syscall.ENETUNREACH) {
					t.Errorf("the client dials %s: %v, want %v", to, err, syscall.ENETUNREACH)
				}
			}
			want = append(want, "10.77.0.3 tcp "+to.String())
		}
		c := w.datagrams(t, netip.MustParseAddrPort("198.51.100.1:123"))
		if _, err := c.Write([]byte("what time is it?")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("after a datagram the client reads %v, want %v", err, syscall.ENETUNREACH)
		}
		want = append(want, "10.77.0.3 udp 198.51.100.1:123")
		slices.Sort(want)
		if diff := cmp.Diff(want, w.next(len(want))); diff != "" {
			t.Errorf("what was refused (-want +got):\n%s", diff)
		}
		// The container itself has lost its way out, and what it holds is not refused.
		if _, err := b.Dial(t.Context(), netip.MustParseAddrPort("192.0.2.1:443")); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("Dial: %v, want %v", err, syscall.ENETUNREACH)
		}
		pairs(t, w, b, func(*testing.T, endpoint, endpoint) {})
		if len(w.refused) > 0 {
			t.Errorf("%v was refused, too", w.next(len(w.refused)))
		}
	})
}

// TestNameServerSpeech asks what a resolver of the standard library does not.
func TestNameServerSpeech(t *testing.T) {
	w, b := inMode(t, switchboard.ModeSockets)
	if err := b.Names(clientAddr, map[string]netip.Addr{"db": linkAddr}); err != nil {
		t.Fatal(err)
	}
	c := w.datagrams(t, netip.AddrPortFrom(ownAddr, 53))
	for _, q := range []struct {
		name    string
		kind    dnsmessage.Type
		code    dnsmessage.RCode
		answers int
	}{
		{"db.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, 1},
		{"db.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, 0},
		{"db.", dnsmessage.TypeMX, dnsmessage.RCodeSuccess, 0},
		{"other.", dnsmessage.TypeAAAA, dnsmessage.RCodeNameError, 0},
	} {
		m := dnsmessage.Message{
			Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
			Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(q.name), Type: q.kind, Class: dnsmessage.ClassINET}},
		}
		query, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(query); err != nil {
			t.Fatal(err)
		}
		data := make([]byte, 512)
		n, err := c.Read(data)
		if err != nil {
			t.Fatal(err)
		}
		var r dnsmessage.Message
		if err := r.Unpack(data[:n]); err != nil {
			t.Fatal(err)
		}
		if r.ID != 7 || !r.Response || r.RCode != q.code || len(r.Answers) != q.answers {
			t.Errorf("%s %v: %v with %d answers, want %v with %d", q.name, q.kind, r.RCode, len(r.Answers), q.code, q.answers)
		}
		for _, a := range r.Answers {
			if a.Header.TTL > 30 {
				t.Errorf("%s may be kept for %d s", q.name, a.Header.TTL)
			}
		}
	}
}
