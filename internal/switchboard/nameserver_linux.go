package switchboard

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// nameServer answers DNS over UDP and TCP at the container's own addresses, to
// each client with its own names. It is not at links' addresses, where an
// upstream may have the port.
type nameServer struct {
	refused *refusalLog

	mu     sync.Mutex
	at     []netip.Addr // where to serve once there are names
	names  map[netip.Addr]map[string]netip.Addr
	open   map[netip.Addr][]io.Closer
	conns  map[net.Conn]bool
	closed bool
	work   sync.WaitGroup
}

func newNameServer(at []netip.Addr, refused *refusalLog) *nameServer {
	return &nameServer{
		refused: refused, at: at, names: map[netip.Addr]map[string]netip.Addr{},
		open: map[netip.Addr][]io.Closer{}, conns: map[net.Conn]bool{},
	}
}

// set says what a client finds, and opens the server's sockets the first time.
func (s *nameServer) set(client netip.Addr, names map[string]netip.Addr) error {
	lower := make(map[string]netip.Addr, len(names))
	for name, addr := range names {
		lower[strings.ToLower(strings.TrimSuffix(name, "."))] = addr
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[client] = lower
	return s.serve()
}

// serveAt adds an address to serve at, which need not be ours yet.
func (s *nameServer) serveAt(addr netip.Addr) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, addr)
	return s.serve()
}

// serve opens what is not open yet. s.mu is held.
func (s *nameServer) serve() error {
	for _, addr := range s.at {
		if s.open[addr] != nil || s.closed {
			continue
		}
		at := netip.AddrPortFrom(addr, 53).String()
		c := net.ListenConfig{Control: freeBind}
		udp, err := c.ListenPacket(context.Background(), "udp4", at)
		if err != nil {
			return fmt.Errorf("answer names: %w", err)
		}
		tcp, err := c.Listen(context.Background(), "tcp4", at)
		if err != nil {
			return fmt.Errorf("answer names: %w", errors.Join(err, udp.Close()))
		}
		s.open[addr] = []io.Closer{udp, tcp}
		s.work.Go(func() { s.serveUDP(udp.(*net.UDPConn)) })
		s.work.Go(func() { s.serveTCP(tcp.(*net.TCPListener)) })
	}
	return nil
}

// freeBind lets a socket be bound to an address that nobody has.
func freeBind(_, _ string, c syscall.RawConn) error {
	var err error
	failed := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1) })
	return errors.Join(failed, err)
}

// close ends the serving and waits for it.
func (s *nameServer) close() {
	s.mu.Lock()
	s.closed = true
	for _, sockets := range s.open {
		for _, c := range sockets {
			c.Close()
		}
	}
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.work.Wait()
}

// ask answers one query.
func (s *nameServer) ask(client netip.Addr, query []byte) []byte {
	s.mu.Lock()
	names := s.names[client] // never changed once it is there
	s.mu.Unlock()
	out, unknown := answer(query, names)
	if unknown != "" {
		s.refused.add(Refused{Client: client, Proto: "dns", Name: unknown})
	}
	return out
}

func (s *nameServer) serveUDP(c *net.UDPConn) {
	query := make([]byte, 4096)
	for {
		n, from, err := c.ReadFromUDPAddrPort(query)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP message about an earlier answer
		}
		if out := s.ask(from.Addr(), query[:n]); out != nil {
			_, _ = c.WriteToUDPAddrPort(out, from) // a client asks again
		}
	}
}

func (s *nameServer) serveTCP(l *net.TCPListener) {
	acceptEach(l, func(c *net.TCPConn) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed {
			c.Close()
			return
		}
		s.conns[c] = true
		s.work.Go(func() { s.converse(c) })
	})
}

// converse answers a client's queries over TCP: each has two bytes of length.
func (s *nameServer) converse(c *net.TCPConn) {
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		c.Close()
	}()
	client := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
	for {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		var head [2]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		out := s.ask(client, query)
		if out == nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)); err != nil {
			return
		}
	}
}
