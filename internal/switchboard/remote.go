//go:build unix

package switchboard

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// listener accepts connections that come through the tunnel.
type listener struct {
	b     *Board
	id    int
	addr  netip.AddrPort
	queue chan *conn
	once  sync.Once
	over  chan struct{}
}

// listenTunnel has the container listen, and accept.
func (b *Board) listenTunnel(q request) (net.Listener, error) {
	// The answer and the registration are one step: a client may be quick.
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone {
		return nil, errGone
	}
	r, _, err := b.control.call(q)
	if err != nil {
		return nil, err
	}
	l := &listener{b: b, id: r.ID, addr: r.Addr, queue: make(chan *conn), over: make(chan struct{})}
	b.listeners[l.id] = l
	return l, nil
}

// Accept waits for a connection.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.over:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
}

// Addr is the address in the containers' network.
func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.addr) }

// Close ends the listening, here and in the container.
func (l *listener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		err = nil
		close(l.over)
		l.b.mu.Lock()
		delete(l.b.listeners, l.id)
		gone := l.b.gone
		l.b.mu.Unlock()
		if !gone {
			err = l.b.ask("end listening", request{Op: "unlisten", ID: l.id})
		}
	})
	return err
}

// accept takes the streams that the container opens, until the session ends.
func (b *Board) accept(onRefused func(Refused)) {
	for {
		s, err := b.tunnel.AcceptStream()
		if err != nil {
			return
		}
		b.tunnel.beside(func() {
			var o opening
			if err := readMessage(s, &o); err != nil {
				s.Close()
				return
			}
			if o.Events {
				refusals(s, onRefused)
				return
			}
			b.arrived(s, o)
		})
	}
}

// refusals reads what was refused.
func refusals(s *yamux.Stream, onRefused func(Refused)) {
	defer s.Close()
	for {
		var r Refused
		if err := readMessage(s, &r); err != nil {
			return
		}
		if onRefused != nil {
			onRefused(r)
		}
	}
}

// arrived gives a connection to its listener. Without one it is reset, as by a
// system whose listener has been closed.
func (b *Board) arrived(s *yamux.Stream, o opening) {
	b.mu.Lock()
	l := b.listeners[o.Listener]
	b.mu.Unlock()
	if l == nil {
		s.Close()
		return
	}
	c := newConn(b.tunnel, s, l.Addr(), net.TCPAddrFromAddrPort(o.Client))
	select {
	case l.queue <- c:
	case <-l.over:
		s.Close()
	case <-b.tunnel.CloseChan():
	}
}

// dialTunnel has the container connect.
func (b *Board) dialTunnel(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	failed := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(addr), Err: err}
	}
	s, err := b.tunnel.OpenStream()
	if err != nil {
		return failed(errGone)
	}
	stop := context.AfterFunc(ctx, func() { _ = s.SetDeadline(time.Unix(1, 0)) })
	var r reply
	err = writeMessage(s, dial{To: addr})
	if err == nil {
		err = readMessage(s, &r)
	}
	switch stopped := stop(); {
	case !stopped:
		err = ctx.Err()
	case err != nil:
		err = errGone
	default:
		err = r.err()
	}
	if err != nil {
		return failed(errors.Join(err, s.Close()))
	}
	return newConn(b.tunnel, s, net.TCPAddrFromAddrPort(r.Addr), net.TCPAddrFromAddrPort(addr)), nil
}
