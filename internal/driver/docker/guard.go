package docker

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/rehearse-dev/rehearse"
)

// guard lets a link's own client through, and nobody else who knows the address.
type guard struct {
	e      *environment
	client rehearse.ServiceName
	what   string // where the link leads: "db:5432"
}

// around is a listener that only the client gets connections from. A listener of
// TCP stays one: links need its socket.
func (g guard) around(l net.Listener) net.Listener {
	if tcp, ok := l.(*net.TCPListener); ok {
		return guardedTCP{tcp, g}
	}
	return guarded{l, g}
}

// guarded is a listener of the tunnel's.
type guarded struct {
	net.Listener
	guard
}

// Accept waits for the client.
func (l guarded) Accept() (net.Conn, error) { return l.accept(l.Listener) }

// guardedTCP is a listener that the link container has passed to us.
type guardedTCP struct {
	*net.TCPListener
	guard
}

// Accept waits for the client.
func (l guardedTCP) Accept() (net.Conn, error) { return l.accept(l.TCPListener) }

func (g guard) accept(l net.Listener) (net.Conn, error) {
	for {
		c, err := l.Accept()
		if err != nil {
			return nil, err
		}
		if g.admits(c.RemoteAddr()) {
			return c, nil
		}
		if r, ok := c.(interface{ SetLinger(int) error }); ok {
			_ = r.SetLinger(0) // a reset: nobody is here for it
		}
		_ = c.Close() // it may have gone by itself
	}
}

// admits says whether a connection comes from the client, and names whoever it
// comes from instead.
func (g guard) admits(from net.Addr) bool {
	at, err := netip.ParseAddrPort(from.String())
	if err != nil {
		return false
	}
	owner := g.e.addressee(g.client)
	g.e.mu.Lock()
	who := g.e.at[at.Addr()]
	g.e.mu.Unlock()
	if who == string(owner) {
		return true
	}
	g.e.fact(rehearse.Fact{
		Name: rehearse.FactRefused, Value: fmt.Sprintf("%s → %s of %s", who, g.what, g.client),
		Note: "the link is another service's",
	})
	return false
}

// addressee is the service whose addresses a client has: its own, or of the one whose
// network it joins.
func (e *environment) addressee(client rehearse.ServiceName) rehearse.ServiceName {
	for range e.services { // a chain ends
		s := e.services[client]
		if s == nil || s.spec.Container == nil {
			break
		}
		other, ok := cutService(s.spec.Container.Network)
		if !ok {
			break
		}
		client = other
	}
	return client
}
