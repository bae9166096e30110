package link

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// listeners are sockets of each kind that a link may be given.
func listeners(t *testing.T) map[string]net.Listener {
	t.Helper()
	out := map[string]net.Listener{}
	for name, l := range map[string]struct {
		network, addr string
		mptcp         bool
	}{
		"IPv4":       {"tcp4", "127.0.0.1:0", false},
		"IPv4 MPTCP": {"tcp4", "127.0.0.1:0", true},
		"IPv6":       {"tcp6", "[::1]:0", false},
		"both":       {"tcp", ":0", false},
		"both MPTCP": {"tcp", ":0", true},
	} {
		var config net.ListenConfig
		config.SetMultipathTCP(l.mptcp)
		ln, err := config.Listen(t.Context(), l.network, l.addr)
		if err != nil {
			t.Logf("no listener of kind %s here: %v", name, err)
			continue
		}
		out[name] = ln
	}
	return out
}

// attempt connects with some patience.
func attempt(ln net.Listener, patience time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return new(net.Dialer).DialContext(ctx, ln.Addr().Network(), ln.Addr().String())
}

// echoes checks that a connection works.
func echoes(t *testing.T, c net.Conn) {
	t.Helper()
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, "echo")
	expect(t, c, "echo")
}

func onLinux(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux lets a listener refuse or be silent")
	}
}

func TestRefuseIsConnectionRefused(t *testing.T) {
	onLinux(t)
	for name, ln := range listeners(t) {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			upstream := serveEchoDirect(t)
			l := New(rehearse.LinkSpec{ID: "client:upstream"}, 1)
			serveOn(t, l, ln, func(ctx context.Context) (net.Conn, error) { return net.Dial("tcp", upstream) })
			live, err := attempt(ln, 20*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(live, "there")
			expect(t, live, "there")
			for round := range 3 {
				mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultRefuse})
				for range 3 {
					if _, err := attempt(ln, 20*time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
						t.Errorf("round %d: connect: %v, want %v", round, err, syscall.ECONNREFUSED)
					}
				}
				mustBreak(t, l)
				c, err := attempt(ln, 20*time.Second)
				if err != nil {
					t.Fatalf("round %d: connect after the refusal: %v", round, err)
				}
				echoes(t, c)
			}
			echoes(t, live) // it was open all the time
		})
	}
}

// TestSilenceLetsConnectsHang has SYNs dropped: a connect gets no answer, and
// one that is patient succeeds when it is over.
func TestSilenceLetsConnectsHang(t *testing.T) {
	onLinux(t)
	for name, ln := range listeners(t) {
		for _, kind := range []rehearse.FaultKind{rehearse.FaultPartition, rehearse.FaultBlackhole} {
			t.Run(name+"/"+string(kind), func(t *testing.T) {
				noLeaks(t)
				ln := again(t, ln)
				upstream := serveEchoDirect(t)
				l := New(rehearse.LinkSpec{ID: "client:upstream", Tier: rehearse.TierStream}, 1)
				serveOn(t, l, ln, func(ctx context.Context) (net.Conn, error) { return net.Dial("tcp", upstream) })
				for round := range 2 {
					mustBreak(t, l, rehearse.Fault{Kind: kind})
					if c, err := attempt(ln, 50*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
						t.Errorf("connect: %v, %v; want no answer", c, err)
					}
					patient := make(chan error, 1)
					go func() {
						if round > 0 || kind != rehearse.FaultPartition {
							patient <- nil // once is enough: the kernel tries again after a second
							return
						}
						c, err := attempt(ln, 20*time.Second)
						if err == nil {
							defer c.Close()
						}
						patient <- err
					}()
					mustBreak(t, l)
					c, err := attempt(ln, 20*time.Second)
					if err != nil {
						t.Fatalf("connect when it is over: %v", err)
					}
					echoes(t, c)
					if err := <-patient; err != nil {
						t.Errorf("a connect from before: %v", err)
					}
				}
				// From partition to refusal and back, in one step each.
				mustBreak(t, l, rehearse.Fault{Kind: kind})
				mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultRefuse})
				if _, err := attempt(ln, 20*time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("connect: %v, want %v", err, syscall.ECONNREFUSED)
				}
				mustBreak(t, l, rehearse.Fault{Kind: kind})
				if _, err := attempt(ln, 50*time.Millisecond); !isTimeout(err) {
					t.Errorf("connect: %v, want no answer", err)
				}
				// One way alone leaves the client's side open.
				mustBreak(t, l, rehearse.Fault{Kind: kind, Direction: rehearse.Down})
				c, err := attempt(ln, 20*time.Second)
				if err != nil {
					t.Fatalf("connect with the way down closed: %v", err)
				}
				silentFor(t, c, "the client")
				c.Close()
				mustBreak(t, l)
				eventually(t, func() bool { return l.Stats().Active == 0 })
				if open := openings(l); open != 0 {
					t.Errorf("%d connects to ourselves are left", open)
				}
			})
		}
		ln.Close()
	}
}

// openings counts a link's connects to itself that it has not seen again.
func openings(l *Link) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ln := range l.listeners {
		ln.mu.Lock()
		n += len(ln.filled)
		ln.mu.Unlock()
	}
	return n
}

// again is another listener like one that is given.
func again(t *testing.T, like net.Listener) net.Listener {
	t.Helper()
	var config net.ListenConfig
	is, err := like.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	config.SetMultipathTCP(multipath(is))
	host, _, _ := net.SplitHostPort(like.Addr().String())
	ln, err := config.Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// TestUnixSockets cannot refuse at the connect, and so reset, or hold, what they
// accept.
func TestUnixSockets(t *testing.T) {
	onLinux(t)
	noLeaks(t)
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "link"))
	if err != nil {
		t.Fatal(err)
	}
	upstream := serveEchoDirect(t)
	l := New(rehearse.LinkSpec{ID: "client:upstream", Tier: rehearse.TierStream}, 1)
	serveOn(t, l, ln, func(ctx context.Context) (net.Conn, error) { return net.Dial("tcp", upstream) })
	for range 2 {
		mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultRefuse})
		c, err := attempt(ln, 20*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("a refused client reads %v", err)
		}
		c.Close()
		mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultPartition})
		c, err = attempt(ln, 20*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "later")
		silentFor(t, c, "a client in a partition")
		mustBreak(t, l)
		expect(t, c, "later")
		c.Close()
		c, err = attempt(ln, 20*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		echoes(t, c)
	}
	if d := doseOf(t, l, "refuse"); d.Connections != 1 {
		t.Errorf("dose is %+v", d)
	}
}

// TestRefuseSome resets new connections that the chance picks, and no others.
func TestRefuseSome(t *testing.T) {
	noLeaks(t)
	l, addr := serveEcho(t, rehearse.Shape{})
	mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultRefuse, Probability: 0.5})
	refused := 0
	for number := range uint64(30) {
		want := l.faults[0].touches(0.5, number+1)
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.SetDeadline(time.Now().Add(20 * time.Second))
			io.WriteString(c, "x")
			_, err = io.ReadFull(c, make([]byte, 1))
			c.Close()
		}
		if (err != nil) != want {
			t.Errorf("connection %d: %v; want it refused: %v", number+1, err, want)
		}
		if err != nil {
			refused++
		}
	}
	if d := gone(t, l, "refuse"); d.Connections != int64(refused) || refused == 0 || refused == 30 {
		t.Errorf("%d are refused, dose %+v", refused, d)
	}
}

// TestBreakAndServeAtOnce starts listeners while faults come and go: none may
// keep a state that is over.
func TestBreakAndServeAtOnce(t *testing.T) {
	onLinux(t)
	noLeaks(t)
	upstream := serveEchoDirect(t)
	l := New(rehearse.LinkSpec{ID: "client:upstream"}, 1)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if i%2 == 0 {
				l.Break([]rehearse.Fault{{Kind: rehearse.FaultRefuse}})
			} else {
				l.Break(nil)
			}
		}
	}()
	var all []net.Listener
	for range 30 {
		ln := listenTCP(t)
		serveOn(t, l, ln, func(ctx context.Context) (net.Conn, error) { return net.Dial("tcp", upstream) })
		all = append(all, ln)
	}
	close(stop)
	<-stopped
	mustBreak(t, l)
	for _, ln := range all {
		c, err := attempt(ln, 20*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		echoes(t, c)
	}
}
