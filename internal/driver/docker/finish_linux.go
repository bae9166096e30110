package docker

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// endOf is a file that can be read once an instance's first process has ended, with
// which the kernel ends all of its others.
func (e *environment) endOf(i *instance) (*os.File, bool) {
	pid := int(i.pid.Load())
	if !e.engine.local || pid <= 1 {
		return nil, false
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, false
	}
	end := os.NewFile(uintptr(fd), "pidfd")
	if !isOf(pid, i.id) {
		_ = end.Close()
		return nil, false
	}
	return end, true
}

// finish ends the link container when all others have ended, unless Close is there
// first.
func (e *environment) finish(ends []*os.File) {
	defer closeAll(ends)
	for _, end := range ends {
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(end.Fd()), Events: unix.POLLIN}}, int(finishPause.Milliseconds()))
			if err != nil && err != unix.EINTR || e.isClosed() {
				return
			}
			if n > 0 {
				break
			}
		}
	}
	e.endBoard()
}

// finishPause is how often somebody who waits for an end looks for Close.
const finishPause = 100 * time.Millisecond
