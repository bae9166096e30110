package link

import (
	"net"

	"golang.org/x/sys/unix"
)

// listen sets the length of the backlog, and makes a socket that was shut down
// listen again.
func (l *listener) listen(backlog int) bool {
	if l.fd == nil {
		return false
	}
	var err error
	if failed := l.fd.Control(func(fd uintptr) { err = unix.Listen(int(fd), backlog) }); failed != nil {
		return false
	}
	return err == nil
}

// shut makes the kernel refuse connects. Where it cannot, each connection is
// reset when it has been accepted.
func (l *listener) shut() {
	if _, ok := l.Listener.(*net.TCPListener); !ok || l.fd == nil {
		return
	}
	_ = l.fd.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RD) })
}
