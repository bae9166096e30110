package peers

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/authority"
	"github.com/rehearse-dev/rehearse/internal/link"
)

// carried is a link that runs until its test ends.
type carried struct {
	*link.Link
	addr string
}

// port is where its clients connect.
func (c carried) port() string {
	_, port, _ := net.SplitHostPort(c.addr)
	return port
}

// shapeOf is the path of a tier's cells: the plain tier's is a wire, which has
// ways of its own through a link, and the other one's is short.
func shapeOf(tier rehearse.Tier) rehearse.Shape {
	if tier == rehearse.TierModel {
		return rehearse.Symmetric(2*time.Millisecond, 0, 0)
	}
	return rehearse.Shape{}
}

func newLink(tier rehearse.Tier) *link.Link {
	return link.New(rehearse.LinkSpec{ID: "client:upstream", Shape: shapeOf(tier), Tier: tier}, 7)
}

// serveStream runs a link of connections to an upstream. end has it end TLS, and
// may be nil.
func serveStream(t testing.TB, tier rehearse.Tier, network, upstream string, end link.EndTLS) carried {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := carried{newLink(tier), ln.Addr().String()}
	if end != nil {
		c.EndTLS(end)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- c.Serve(ctx, ln, func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, upstream)
		})
	}()
	t.Cleanup(func() { cancel(); c.gone(t, served) })
	c.awaken(t)
	return c
}

// awaken waits until the link accepts. A fault that is set before that meets
// those who are connected already by the kernel, and not those who connect.
func (c carried) awaken(t testing.TB) {
	t.Helper()
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the link accepts", func() bool { return c.Stats().Connections == 1 })
	conn.Close()
	eventually(t, "it has no connection any more", func() bool { return c.Stats().Active == 0 })
}

// servePackets runs a link of datagrams to an upstream.
func servePackets(t testing.TB, tier rehearse.Tier, upstream string) carried {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := carried{newLink(tier), pc.LocalAddr().String()}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- c.ServePacket(ctx, pc, func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "udp", upstream)
		})
	}()
	t.Cleanup(func() { cancel(); c.gone(t, served) })
	return c
}

// gone checks that nothing is left of a link whose time is over.
func (c carried) gone(t testing.TB, served <-chan error) {
	select {
	case err := <-served:
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(bound):
		t.Fatal("the link does not end")
	}
	s := c.Stats()
	if s.Active != 0 || s.InFlight != 0 {
		t.Errorf("%d connections and %d requests are left of an ended link", s.Active, s.InFlight)
	}
	for _, d := range s.Doses {
		if d.Holding != 0 {
			t.Errorf("fault %s holds %d connections of an ended link", d.Fault.ID(), d.Holding)
		}
	}
}

// set puts faults on the link and no others.
func (c carried) set(t testing.TB, faults ...rehearse.Fault) {
	t.Helper()
	if err := c.Break(faults); err != nil {
		t.Fatal(err)
	}
}

// dose is what a fault has done.
func (c carried) dose(t testing.TB, id string) rehearse.Dose {
	t.Helper()
	for _, d := range c.Stats().Doses {
		if d.Fault.ID() == id {
			return d
		}
	}
	t.Fatalf("there is no dose of %s", id)
	return rehearse.Dose{}
}

// authorities are that of an upstream's own certificate and that of a link.
type authorities struct{ upstream, link *authority.Authority }

func newAuthorities(t testing.TB) authorities {
	t.Helper()
	upstream, err := authority.New("upstream", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := authority.New("link", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return authorities{upstream, ours}
}

// end ends TLS on a link.
func (a authorities) end(ctx context.Context, client net.Conn, dial link.Dial, flaw string) (near, far net.Conn, err error) {
	n, f, err := authority.End(ctx, client, dial, authority.Options{
		Authority: a.link, Flaw: authority.Flaw(flaw),
		Upstream: authority.Upstream{Roots: a.upstream.Pool()},
	})
	if err != nil {
		return nil, nil, err
	}
	return n, f, nil
}

// eventually polls until a condition holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(bound)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("%s: not within %v", what, bound)
		case <-time.After(time.Millisecond):
		}
	}
}
