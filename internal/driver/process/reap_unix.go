//go:build unix

package process

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// eachExit calls f for every child that ends, for ever. It waits for signals and
// not in wait4 itself, which fails at once while there is no child.
func eachExit(f func(pid int, ws unix.WaitStatus, ru *unix.Rusage)) {
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	for {
		for {
			var ws unix.WaitStatus
			var ru unix.Rusage
			pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, &ru)
			if err == unix.EINTR {
				continue
			}
			if pid <= 0 || err != nil {
				break
			}
			f(pid, ws, &ru)
		}
		<-children
	}
}
