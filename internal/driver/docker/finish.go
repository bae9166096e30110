package docker

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse/internal/driver"
)

var _ driver.Finisher = (*environment)(nil)

// Finish has the link container end with the last process that could use a link.
// The kernel tells of that end sooner than the engine, which first takes apart what
// the container had; so that both are taken apart at once. Where the engine's
// processes are not this host's, Close does it.
func (e *environment) Finish() {
	var ends []*os.File
	defer func() {
		if len(ends) > 0 {
			go e.finish(ends)
		}
	}()
	for _, s := range e.services {
		s.mu.Lock()
		p := s.proc
		s.mu.Unlock()
		if p == nil {
			continue
		}
		for _, i := range p.alive() {
			end, ok := e.endOf(i)
			if !ok {
				closeAll(ends)
				ends = nil
				return
			}
			ends = append(ends, end)
		}
	}
}

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

// isOf says that a process is a container's. In a container of our own, the engine's
// numbers are not ours.
func isOf(pid int, container string) bool {
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	return err == nil && bytes.Contains(groups, []byte(container))
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

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // nothing is written to them
	}
}

// endBoard ends the link container's program, which ends with its standard input.
func (e *environment) endBoard() {
	e.board.ending.Do(func() {
		close(e.board.ended)
		<-e.board.opened
		if e.board.Board != nil {
			e.board.Board.Close()
		}
		if e.board.stdio != nil {
			e.board.stdio.Close()
		}
	})
}
