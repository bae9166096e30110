package docker

import (
	"os"

	"github.com/rehearse-dev/rehearse/internal/cgroup"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/processes"
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

// isOf says that a process is a container's. In a container of our own, the engine's
// numbers are not ours. Without control groups a container is known by the files that
// the engine mounts in it.
func isOf(pid int, container string) bool {
	return len(cgroup.Of(pid, container)) > 0 || processes.Mounts(pid, container)
}

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
