package link

import (
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// refuse makes the port look closed, or open again, where that can be done. It
// does not wait. The caller holds the link's mu.
//
// Nobody but the kernel may send ICMP messages. But a socket that is connected
// receives from its peer alone, and the kernel answers everybody else as if it
// were not there. So it is connected to itself, and can go on sending to
// anybody. One that is bound to no address could not: the connect gives it one.
func (s *socket) refuse(on bool) {
	if s.udp == nil || on == s.closed {
		return
	}
	own, ok := s.udp.LocalAddr().(*net.UDPAddr)
	if !ok || own.IP.IsUnspecified() || own.Zone != "" {
		return
	}
	fd, err := s.udp.SyscallConn()
	if err != nil {
		return
	}
	_ = fd.Control(func(fd uintptr) {
		if on {
			s.closed = unix.Connect(int(fd), sockaddr(own)) == nil
			return
		}
		if disconnect(fd) {
			s.closed = false
			// The kernel takes a port back with the peer if it had chosen it;
			// one that was asked for it leaves, and this fails.
			_ = unix.Bind(int(fd), sockaddr(own))
		}
	})
}

func sockaddr(a *net.UDPAddr) unix.Sockaddr {
	if ip := a.IP.To4(); ip != nil {
		return &unix.SockaddrInet4{Port: a.Port, Addr: [4]byte(ip)}
	}
	return &unix.SockaddrInet6{Port: a.Port, Addr: [16]byte(a.IP.To16())}
}

// disconnect takes a socket's peer away, by connecting it to no address at all,
// for which package unix has no type.
func disconnect(fd uintptr) bool {
	none := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, fd, uintptr(unsafe.Pointer(&none)), unsafe.Sizeof(none))
	return errno == 0
}
