package process

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// pauseTime bounds the wait for what has been told to stop. What takes longer is in
// the kernel, as who waits for a disk is, and does not come back before it stops.
const pauseTime = 2 * time.Second

// pause stops everything that a service runs, and returns when it has stopped: the
// kernel lets every thread go on until it next looks for signals.
func (e *environment) pause(ctx context.Context, p *jailProcess) error {
	if err := p.signalAll(unix.SIGSTOP); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, pauseTime)
	defer cancel()
	for slices.ContainsFunc(e.iso.processes(p), runs) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// runs says whether any thread of a process has neither stopped nor ended.
func runs(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	return slices.ContainsFunc(threads, func(file string) bool {
		stat, err := os.ReadFile(file)
		at := bytes.LastIndexByte(stat, ')') // behind the name, which may be anything
		return err == nil && at >= 0 && at+2 < len(stat) && !bytes.ContainsRune([]byte("TtZX"), rune(stat[at+2]))
	})
}
