package peers

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/authority"
)

// serveQUIC echoes streams until the test ends.
func serveQUIC(t testing.TB, a *authority.Authority) (addr string) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	transport := &quic.Transport{Conn: pc}
	ln, err := transport.Listen(a.Server(authority.Server{Names: []string{"localhost"}, Protocols: []string{"echo"}}), &quic.Config{MaxIdleTimeout: bound})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := ln.Accept(ctx)
			if err != nil {
				return
			}
			go func() { // ends with its connection, and that with the transport
				for {
					s, err := conn.AcceptStream(ctx)
					if err != nil {
						return
					}
					go func() {
						defer s.Close()
						io.Copy(s, s)
					}()
				}
			}()
		}
	}()
	t.Cleanup(func() {
		cancel()
		ln.Close()
		transport.Close()
		pc.Close()
		<-ended
	})
	return pc.LocalAddr().String()
}

// streamsOfQUIC is a connection of QUIC.
type streamsOfQUIC struct {
	conn      *quic.Conn
	transport *quic.Transport
	socket    net.PacketConn
}

func dialQUIC(ctx context.Context, c carried, a *authority.Authority) (conversation, error) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	v := &streamsOfQUIC{transport: &quic.Transport{Conn: socket}, socket: socket}
	to, err := net.ResolveUDPAddr("udp", c.addr)
	if err == nil {
		config := &tls.Config{RootCAs: a.Pool(), ServerName: "localhost", NextProtos: []string{"echo"}}
		v.conn, err = v.transport.Dial(ctx, to, config, &quic.Config{HandshakeIdleTimeout: quicPatience, MaxIdleTimeout: quicPatience})
	}
	if err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// quicPatience is after what time QUIC takes its peer for gone.
const quicPatience = 2 * time.Second

func (v *streamsOfQUIC) exchange(ctx context.Context) error {
	s, err := v.conn.OpenStreamSync(ctx)
	if err != nil {
		return err
	}
	defer s.CancelRead(0)
	defer context.AfterFunc(ctx, func() { s.CancelRead(0); s.CancelWrite(0) })()
	wrote := make(chan error, 1)
	go func() {
		_, err := s.Write(body)
		if err == nil {
			err = s.Close()
		}
		wrote <- err
	}()
	got, err := io.ReadAll(s)
	if err != nil {
		s.CancelWrite(0)
		<-wrote
		return err
	}
	if err := <-wrote; err != nil {
		return err
	}
	return same("stream", got, body)
}

func (v *streamsOfQUIC) Close() error {
	if v.conn != nil {
		v.conn.CloseWithError(0, "")
	}
	v.transport.Close()
	return v.socket.Close()
}

// datagrams are the faults as QUIC meets them. It repeats what is lost and takes
// no datagram that was changed, so that it works through whatever ends, and it
// keeps its connection when its address changes. What does not end it calls a
// peer that is gone.
var datagrams = []breakage{
	{fault: rehearse.Fault{Kind: rehearse.FaultDelay, Delay: ms(3), Jitter: ms(2)}, want: works, dose: ofBytes},
	{fault: rehearse.Fault{Kind: rehearse.FaultLoss, Share: 0.03}, want: works, dose: ofBytes, tier: rehearse.TierModel},
	{fault: rehearse.Fault{Kind: rehearse.FaultRate, Rate: 32e6}, want: works, dose: ofBytes},
	{fault: rehearse.Fault{Kind: rehearse.FaultDuplicate, Share: 0.3}, want: works, dose: ofBytes},
	// It needs a delay, which is that of the tier's shape.
	{fault: rehearse.Fault{Kind: rehearse.FaultReorder, Share: 0.1}, want: works, dose: ofBytes, tier: rehearse.TierModel},
	{fault: rehearse.Fault{Kind: rehearse.FaultCorrupt, Share: 0.03}, want: works, dose: ofBytes},
	{fault: rehearse.Fault{Kind: rehearse.FaultPartition}, held: true, want: works, dose: ofBytes},
	{fault: rehearse.Fault{Kind: rehearse.FaultBlackhole}, held: true, want: works, dose: ofBytes},
	{fault: rehearse.Fault{Kind: rehearse.FaultStall, Bytes: 3000}, held: true, want: works, dose: ofBytes},
	{fault: rehearse.Fault{Kind: rehearse.FaultTruncate, Bytes: 500}, held: true, want: works, dose: ofBytes},
	{fault: rehearse.Fault{Kind: rehearse.FaultTimeout}, held: true, want: works, dose: ofBytes},
	{name: "blackhole-for-good", fault: rehearse.Fault{Kind: rehearse.FaultBlackhole}, want: closed, dose: ofBytes},
	{name: "truncate-for-good", fault: rehearse.Fault{Kind: rehearse.FaultTruncate, Bytes: 500}, want: closed, dose: ofBytes},
	{fault: rehearse.Fault{Kind: rehearse.FaultHalfOpen}, want: closed, dose: ofConnections},
	{fault: rehearse.Fault{Kind: rehearse.FaultRefuse}, fresh: true, want: closed, dose: unseen},
	{fault: rehearse.Fault{Kind: rehearse.FaultLimit}, fresh: true, want: closed, dose: ofBytes},
	// Each of its datagrams comes from another port. QUIC allows no such change
	// before its handshake is over, and this one follows a few at a time.
	{fault: rehearse.Fault{Kind: rehearse.FaultReset}, held: true, want: either, dose: ofConnections},
	{fault: rehearse.Fault{Kind: rehearse.FaultSlice, Size: 100}, want: works, dose: nothing},
	{fault: rehearse.Fault{Kind: rehearse.FaultSlowClose, Delay: ms(30)}, want: works, dose: nothing},
	{fault: rehearse.Fault{Kind: rehearse.FaultTLS, Code: "stall"}, want: works, dose: nothing},
	{fault: rehearse.Fault{Kind: rehearse.FaultDNS, Code: "NXDOMAIN"}, want: works, dose: nothing},
}

func TestQUIC(t *testing.T) {
	a := newAuthorities(t).upstream
	addr := serveQUIC(t, a)
	matrix(t, []peer{{
		name: "quic", checked: true, handshakes: true,
		link: func(t testing.TB, tier rehearse.Tier) carried { return servePackets(t, tier, addr) },
		open: func(ctx context.Context, c carried) (conversation, error) { return dialQUIC(ctx, c, a) },
		says: map[ending]string{closed: `timeout: |connection refused`},
	}}, datagrams)
}

// A flow that is forgotten goes on from another port, as behind a NAT, and QUIC
// keeps its connection.
func TestQUICMoves(t *testing.T) {
	a := newAuthorities(t).upstream
	over := servePackets(t, rehearse.TierModel, serveQUIC(t, a))
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	v, err := dialQUIC(ctx, over, a)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for range 2 {
		if err := v.exchange(ctx); err != nil {
			t.Fatal(err)
		}
		over.set(t, rehearse.Fault{Kind: rehearse.FaultReset})
		eventually(t, "the flow is forgotten", func() bool { return over.Stats().Active == 0 })
		over.set(t)
	}
	if err := v.exchange(ctx); err != nil {
		t.Fatal(err)
	}
	if n := over.Stats().Connections; n < 3 {
		t.Errorf("%d flows for three ports", n)
	}
}
