package switchboard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse/internal/passing"
)

// maxSockets bounds one request for sockets.
const maxSockets = 128

// sockets makes unconnected sockets.
func sockets(n int) (out []*os.File, err error) {
	if n < 1 || n > maxSockets {
		return nil, fmt.Errorf("%d sockets at once", n)
	}
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			passing.CloseAll(out)
			return nil, fmt.Errorf("make a socket: %w", err)
		}
		out = append(out, os.NewFile(uintptr(fd), "socket"))
	}
	return out, nil
}

// listen listens on an address that it first makes ours. The listener passes out
// as a file, or stays and accepts for the tunnel.
func (p *panel) listen(q request, r *reply) ([]*os.File, error) {
	if err := p.hold(q.To.Addr()); err != nil {
		return nil, err
	}
	var c net.ListenConfig
	// Sockets of Multipath TCP take no filter, which links need to leave connects
	// unanswered.
	c.SetMultipathTCP(false)
	nl, err := c.Listen(context.Background(), "tcp4", q.To.String())
	if err != nil {
		return nil, err
	}
	l := nl.(*net.TCPListener)
	r.Addr = l.Addr().(*net.TCPAddr).AddrPort()
	if q.Sockets {
		defer l.Close()
		f, err := l.File()
		if err != nil {
			return nil, err
		}
		return []*os.File{f}, nil
	}
	p.mu.Lock()
	p.next++
	r.ID = p.next
	p.listeners[r.ID] = l
	p.mu.Unlock()
	p.t.beside(func() { p.accept(l, r.ID) })
	return nil, nil
}

func (p *panel) unlisten(id int) error {
	p.mu.Lock()
	l := p.listeners[id]
	delete(p.listeners, id)
	p.mu.Unlock()
	if l == nil {
		return nil
	}
	return l.Close()
}

// accept sends a listener's connections into the tunnel.
func (p *panel) accept(l *net.TCPListener, id int) {
	acceptEach(l, func(tcp *net.TCPConn) {
		p.t.beside(func() {
			s, err := p.t.OpenStream()
			if err == nil {
				err = writeMessage(s, opening{Listener: id, Client: tcp.RemoteAddr().(*net.TCPAddr).AddrPort()})
			}
			if err != nil {
				tcp.Close() // the host is gone
				return
			}
			p.carry(s, tcp)
		})
	})
}

// acceptEach accepts until the listener is closed. f must not wait.
func acceptEach(l *net.TCPListener, f func(*net.TCPConn)) {
	for {
		c, err := l.AcceptTCP()
		switch {
		case err == nil:
			f(c)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			time.Sleep(10 * time.Millisecond) // too many files are open; clients wait in the queue
		}
	}
}

// dials takes the streams that the host opens, until the session ends.
func (p *panel) dials(ctx context.Context) {
	for {
		s, err := p.t.AcceptStream()
		if err != nil {
			return
		}
		p.t.beside(func() {
			tcp, err := dialFor(ctx, s)
			if err != nil {
				s.Close()
				return
			}
			p.carry(s, tcp)
		})
	}
}

// dialFor connects as the host asks, and tells it what came of it.
func dialFor(ctx context.Context, s *yamux.Stream) (*net.TCPConn, error) {
	var d dial
	if err := readMessage(s, &d); err != nil {
		return nil, err
	}
	var dialer net.Dialer
	dialer.SetMultipathTCP(false)
	c, err := dialer.DialContext(ctx, "tcp4", d.To.String())
	var r reply
	if err != nil {
		r.fail(err)
		_ = writeMessage(s, r) // a host that does not hear it has given up
		return nil, err
	}
	tcp := c.(*net.TCPConn)
	r.Addr = tcp.LocalAddr().(*net.TCPAddr).AddrPort()
	if err := writeMessage(s, r); err != nil {
		tcp.Close()
		return nil, err
	}
	return tcp, nil
}

// carry joins a stream to a connection until both have ended.
func (p *panel) carry(s *yamux.Stream, tcp *net.TCPConn) {
	c := newConn(p.t, s, tcp.RemoteAddr(), tcp.LocalAddr())
	c.onGone = func(reset bool) {
		if reset {
			_ = tcp.SetLinger(0)
		}
		tcp.Close()
	}
	var down sync.WaitGroup
	down.Go(func() { copyHalf(c, tcp) })
	copyHalf(tcp, c)
	down.Wait()
	tcp.Close()
	c.Close()
}

// half is a connection that can end in more than one way.
type half interface {
	net.Conn
	CloseWrite() error
	SetLinger(seconds int) error
}

// copyHalf carries bytes one way, and their end. A reset of either side is one of
// both.
func copyHalf(to, from half) {
	if _, err := io.Copy(to, from); err == nil {
		_ = to.CloseWrite() // an error means that it has gone
		return
	}
	for _, c := range []half{to, from} {
		_ = c.SetLinger(0)
		c.Close()
	}
}

// addresses are the IPv4 addresses of an interface.
func addresses(name string) ([]netip.Addr, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	nets, err := ifi.Addrs()
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	var out []netip.Addr
	for _, n := range nets {
		if p, err := netip.ParsePrefix(n.String()); err == nil && p.Addr().Is4() {
			out = append(out, p.Addr())
		}
	}
	return out, nil
}
