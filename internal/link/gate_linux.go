package link

import (
	"net"

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
	if _, ok := l.Listener.(*net.TCPListener); !ok {
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

// deafen keeps every packet from a TCP socket that listens, and reports whether
// it could. hear undoes it.
func (l *listener) deafen() bool {
	if _, ok := l.Listener.(*net.TCPListener); !ok {
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
