package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"golang.org/x/net/dns/dnsmessage"
)

// serveDNS has one name with one address, until the test ends.
func serveDNS(t testing.TB) (addr string) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.Authoritative, m.Additionals = true, true, nil
			switch {
			case q.Name.String() != "known.test.":
				m.RCode = dnsmessage.RCodeNameError
			case q.Type == dnsmessage.TypeA:
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1},
					Body:   &dnsmessage.AResource{A: [4]byte{192, 0, 2, 7}},
				}}
			}
			if answer, err := m.Pack(); err == nil {
				pc.WriteTo(answer, from)
			}
		}
	}()
	t.Cleanup(func() { pc.Close(); <-ended })
	return pc.LocalAddr().String()
}

// lookUp asks Go's resolver, which asks each question twice before it gives up.
func lookUp(ctx context.Context, c carried) error {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "udp", c.addr)
		if err == nil {
			err = conn.SetDeadline(time.Now().Add(dnsPatience))
		}
		return impatient{conn}, err
	}}
	got, err := r.LookupNetIP(ctx, "ip4", "known.test.")
	if err != nil {
		return err
	}
	if s := fmt.Sprint(got); s != "[192.0.2.7]" {
		return fmt.Errorf("%w: %s", errWrong, s)
	}
	return nil
}

// dnsPatience is how long the resolver waits for each answer.
const dnsPatience = 300 * time.Millisecond

// impatient is a connection whose deadline is not put off. It is a packet's
// connection, by which the resolver tells UDP from TCP.
type impatient struct{ net.Conn }

func (impatient) SetDeadline(time.Time) error { return nil }
func (i impatient) ReadFrom(b []byte) (int, net.Addr, error) {
	return i.Conn.(net.PacketConn).ReadFrom(b)
}
func (i impatient) WriteTo(b []byte, to net.Addr) (int, error) {
	return i.Conn.(net.PacketConn).WriteTo(b, to)
}

// The ways in which a name is not found.
const (
	unknown ending = "unknown" // there is no such name, or no such record
	failing ending = "failing" // the server cannot tell
	silent  ending = "silent"
)

func dns(code string, want ending) breakage {
	return breakage{name: "dns-" + code, fault: rehearse.Fault{Kind: rehearse.FaultDNS, Code: code}, want: want, dose: ofBytes}
}

func TestDNS(t *testing.T) {
	addr := serveDNS(t)
	matrix(t, []peer{{
		name: "dns", use: lookUp,
		link: func(t testing.TB, tier rehearse.Tier) carried { return servePackets(t, tier, addr) },
		says: map[ending]string{
			unknown: `no such host|no DNS records`, failing: `server misbehaving`, silent: `i/o timeout`, refused: `connection refused`,
		},
	}}, []breakage{
		dns("NXDOMAIN", unknown), dns("SERVFAIL", failing), dns("REFUSED", failing), dns("FORMERR", failing), dns("empty", unknown),
		{fault: rehearse.Fault{Kind: rehearse.FaultDelay, Delay: ms(10)}, want: works, dose: ofBytes},
		{fault: rehearse.Fault{Kind: rehearse.FaultDuplicate, Share: 1}, want: works, dose: ofBytes},
		{fault: rehearse.Fault{Kind: rehearse.FaultRate, Rate: 1e6}, want: works, dose: ofBytes},
		{fault: rehearse.Fault{Kind: rehearse.FaultLoss, Share: 1}, want: silent, dose: ofBytes, tier: rehearse.TierModel},
		{name: "loss-down", fault: rehearse.Fault{Kind: rehearse.FaultLoss, Share: 1, Direction: rehearse.Down}, want: silent, dose: ofBytes, tier: rehearse.TierModel},
		{fault: rehearse.Fault{Kind: rehearse.FaultPartition}, want: silent, dose: ofBytes},
		{fault: rehearse.Fault{Kind: rehearse.FaultBlackhole}, want: silent, dose: ofBytes},
		{fault: rehearse.Fault{Kind: rehearse.FaultStall, Bytes: 0}, want: silent, dose: ofBytes},
		{fault: rehearse.Fault{Kind: rehearse.FaultTimeout}, want: silent, dose: ofBytes},
		{fault: rehearse.Fault{Kind: rehearse.FaultTruncate, Bytes: 8}, want: silent, dose: ofBytes},
		{fault: rehearse.Fault{Kind: rehearse.FaultLimit}, want: silent, dose: ofBytes},
		{fault: rehearse.Fault{Kind: rehearse.FaultRefuse}, want: refused, dose: unseen},
		{fault: rehearse.Fault{Kind: rehearse.FaultSlice, Size: 1}, want: works, dose: nothing},
		// Most bits of a short answer are of its name, its address or what the
		// resolver compares; it does not notice a changed address.
		{fault: rehearse.Fault{Kind: rehearse.FaultCorrupt, Share: 1}, want: changed, dose: ofBytes},
	})
}

// A fault of DNS says so in the way by which programs tell a name that is not
// there from a server that has failed.
func TestDNSErrors(t *testing.T) {
	over := servePackets(t, rehearse.TierStream, serveDNS(t))
	for code, there := range map[string]bool{"NXDOMAIN": false, "SERVFAIL": true} {
		over.set(t, rehearse.Fault{Kind: rehearse.FaultDNS, Code: code})
		err := lookUp(t.Context(), over)
		var e *net.DNSError
		if !errors.As(err, &e) || e.IsNotFound == there {
			t.Errorf("%s: %#v", code, err)
		}
	}
}
