package link

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// control does something to the socket, and reports whether it could.
func (l *listener) control(do func(fd int) error) bool {
	if l.fd == nil {
		return false
	}
	var err error
	failed := l.fd.Control(func(fd uintptr) { err = do(int(fd)) })
	return failed == nil && err == nil
}

// listen sets the length of the backlog, and makes a socket that was shut down
// listen again.
func (l *listener) listen(backlog int) bool {
	return l.control(func(fd int) error { return unix.Listen(fd, backlog) })
}

// shut makes the kernel refuse connects, and reports whether it does. Where it
// cannot, each connection is reset when it has been accepted: a socket of Unix
// that was shut down never listens again.
func (l *listener) shut() bool {
	if !l.isTCP() {
		return false
	}
	return l.control(func(fd int) error {
		addr, err := unix.Getsockname(fd)
		if err != nil {
			return err
		}
		if err := unix.Shutdown(fd, unix.SHUT_RD); err != nil {
			return err
		}
		// The kernel takes a port back that it has chosen itself, and another
		// one would be listened on afterwards. An error means that the socket
		// still has its own.
		_ = unix.Bind(fd, addr)
		return nil
	})
}

// isTCP says that it listens for TCP, with whatever is around it.
func (l *listener) isTCP() bool {
	_, ok := l.Listener.(interface {
		AcceptTCP() (*net.TCPConn, error)
	})
	return ok
}

// deafen keeps every packet from a TCP socket that listens, and reports whether
// it could. hear undoes it.
func (l *listener) deafen() bool {
	if !l.isTCP() {
		return false // a filter does not stop the connects of Unix sockets
	}
	nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	return l.control(func(fd int) error {
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing})
	})
}

func (l *listener) hear() bool {
	return l.control(func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0) })
}

// here reports whether the socket is in the network namespace that we are in.
func (l *listener) here() bool {
	return l.control(func(fd int) error {
		ours, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(ours)
		a, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
		if err != nil {
			return err
		}
		b, err := unix.GetsockoptUint64(ours, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
		if err == nil && a != b {
			err = unix.EXDEV
		}
		return err
	})
}

// fill connects to ourselves, and reports whether that came about in time. The
// connect's address is noted before it is made: it may come about all the same
// when its time is over.
func (l *listener) fill(addr *net.TCPAddr) bool {
	ip := net.IPv6loopback
	if !addr.IP.IsUnspecified() {
		ip = addr.IP
	} else if addr.IP.To4() != nil {
		ip = net.IPv4(127, 0, 0, 1)
	}
	family, at := unix.AF_INET6, func(port int) unix.Sockaddr {
		return &unix.SockaddrInet6{Addr: [16]byte(ip.To16()), Port: port}
	}
	if v4 := ip.To4(); v4 != nil {
		family, at = unix.AF_INET, func(port int) unix.Sockaddr {
			return &unix.SockaddrInet4{Addr: [4]byte(v4), Port: port}
		}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	f := ownConnect(fd)
	if err := unix.Bind(fd, at(0)); err != nil {
		f.Close()
		return false
	}
	local := &net.TCPAddr{IP: ip}
	switch name, _ := unix.Getsockname(fd); name := name.(type) {
	case *unix.SockaddrInet4:
		local.Port = name.Port
	case *unix.SockaddrInet6:
		local.Port = name.Port
	}
	l.fillers[local.String()] = time.Time{}
	if err := unix.Connect(fd, at(addr.Port)); err != nil && err != unix.EINPROGRESS {
		f.Close()
		return false
	}
	ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	if n, _ := unix.Poll(ready, int(fillTimeout.Milliseconds())); n == 0 || ready[0].Revents&unix.POLLERR != 0 {
		f.Close()
		return false
	}
	l.filled = append(l.filled, f)
	return true
}

// ownConnect is the descriptor of a connect to ourselves.
type ownConnect int

// Close ends it by a reset, so that nothing of it stays behind.
func (c ownConnect) Close() error {
	_ = unix.SetsockoptLinger(int(c), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	return unix.Close(int(c))
}
