package link

import (
	"net"
	"net/netip"
)

// client is who a flow belongs to: an address of UDP, or the name of another.
type client struct {
	addr netip.AddrPort
	name string
}

// socket is where the clients' datagrams come in.
type socket struct {
	net.PacketConn
	udp    *net.UDPConn // nil for others; its addresses cost no allocation
	closed bool         // the port looks closed
}

// receiveBuffer is what the kernel is asked to keep for us while we are busy.
// It gives less where an administrator says so.
const receiveBuffer = 4 << 20

func newSocket(pc net.PacketConn) socket {
	s := socket{PacketConn: pc}
	s.udp, _ = pc.(*net.UDPConn)
	widen(pc)
	return s
}

// widen asks for a receive buffer that holds a burst.
func widen(conn any) {
	if c, ok := conn.(interface{ SetReadBuffer(bytes int) error }); ok {
		// Without it bursts may be lost, as they are on a busy host.
		_ = c.SetReadBuffer(receiveBuffer)
	}
}

func (s *socket) receive(p []byte) (n int, from client, addr net.Addr, err error) {
	if s.udp != nil {
		n, from.addr, err = s.udp.ReadFromUDPAddrPort(p)
		return n, from, nil, err
	}
	n, addr, err = s.ReadFrom(p)
	if addr != nil {
		from.name = addr.String()
	}
	return n, from, addr, err
}

func (s *socket) send(p []byte, m *mapping) error {
	var err error
	if s.udp != nil {
		_, err = s.udp.WriteToUDPAddrPort(p, m.from.addr)
	} else {
		_, err = s.WriteTo(p, m.addr)
	}
	return err
}
