package suite

import (
	"context"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// grace is how long what has been asked to stop may take.
const grace = 2 * time.Second

// command is what run runs.
type command struct {
	path    string // of the program, absolute
	args    []string
	dir     string
	env     []string
	timeout time.Duration // 0: none
}

// ending is how a command ended.
type ending struct {
	code        int // 128+N after signal N
	timedOut    bool
	interrupted bool // by the context
}

// run runs a command until it and its process group have ended. Both of its
// streams go to out through one pipe, so that they keep their order.
func run(ctx context.Context, c command, out io.Writer) (ending, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return ending{}, err
	}
	defer r.Close()
	cmd := &exec.Cmd{Path: c.path, Args: c.args, Dir: c.dir, Env: c.env, Stdout: w, Stderr: w, SysProcAttr: ownGroup()}
	started, exited := make(chan error), make(chan struct{})
	go func() {
		defer close(exited)
		// The parent-death signal comes when the thread that started the
		// command ends, and Go ends threads: see https://go.dev/issue/27505.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in cmd.ProcessState
		}
	}()
	err = <-started
	w.Close()
	if err != nil {
		<-exited
		return ending{}, err
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(out, r) // out keeps its own errors, and reading ends with the pipe
	}()

	var e ending
	var late <-chan time.Time
	if c.timeout > 0 {
		timer := time.NewTimer(c.timeout)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-exited:
	case <-late:
		e.timedOut = true
	case <-ctx.Done():
		e.interrupted = true
	}
	// The number of a group whose first process has been reaped is not given
	// out again while the group has members. Without any it is free, but the
	// system goes through all other numbers first.
	terminate(cmd.Process)
	wait(exited, copied)
	kill(cmd.Process)
	<-exited
	if !wait(copied) {
		// A process that left the group holds the pipe.
		_ = r.SetReadDeadline(time.Now())
		<-copied
	}
	e.code = exitCode(cmd.ProcessState)
	return e, nil
}

// wait waits until all events have happened, but no longer than the grace.
func wait(events ...<-chan struct{}) bool {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for _, e := range events {
		select {
		case <-e:
		case <-timer.C:
			return false
		}
	}
	return true
}
