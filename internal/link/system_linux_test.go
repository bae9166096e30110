package link

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// freePipes is how many descriptors are kept for the next who needs a pipe.
func freePipes() int {
	kernelPipes.Lock()
	defer kernelPipes.Unlock()
	return 2 * len(kernelPipes.free)
}

// multipath reports whether a socket is one of MPTCP.
func multipath(c syscall.RawConn) (is bool) {
	c.Control(func(fd uintptr) {
		protocol, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL)
		is = err == nil && protocol == unix.IPPROTO_MPTCP
	})
	return is
}
