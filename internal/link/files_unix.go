//go:build unix

package link

import (
	"net"
	"syscall"
)

// kept is how many descriptors connections leave to everything else of the
// process, such as whoever takes faults away again.
const kept = 64

// crowded reports whether the process has so many descriptors open that those
// which are left should be kept. The system gives out the lowest that is free,
// so that a new one tells.
func crowded(conn net.Conn) bool {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return false
	}
	files := uint64(limit.Cur)
	most := files - min(kept, files/4)
	high := false
	// An error means that the connection is gone, and its descriptor free.
	_ = raw.Control(func(fd uintptr) {
		if uint64(fd) < most {
			return
		}
		// It was high when it came; what would one be that comes now?
		next, err := syscall.Dup(int(fd))
		if err == nil {
			syscall.Close(next)
		}
		high = err != nil || uint64(next) >= most
	})
	return high
}
