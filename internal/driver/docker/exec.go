package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// execRequest is a command with what only hooks ask for.
type execRequest struct {
	driver.Command
	user, dir  string
	privileged bool
}

// Exec runs a command in the first instance of a started service.
func (e *environment) Exec(ctx context.Context, name rehearse.ServiceName, cmd driver.Command) (int, error) {
	s, err := e.service(name)
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	p := s.proc
	s.mu.Unlock()
	if p == nil || len(p.alive()) == 0 {
		return 0, fmt.Errorf("service %q is not running", name)
	}
	return e.execIn(ctx, p.alive()[0], execRequest{Command: cmd})
}

// execIn runs a command in a container and returns its exit code.
func (e *environment) execIn(ctx context.Context, i *instance, q execRequest) (int, error) {
	terminal, restore, err := terminalOf(q.Command)
	if err != nil {
		return 0, err
	}
	defer restore()
	o := client.ExecCreateOptions{
		User: q.user, WorkingDir: q.dir, Privileged: q.privileged, TTY: terminal != nil,
		AttachStdin: q.Stdin != nil, AttachStdout: true, AttachStderr: true,
		Env: environ(q.Env), Cmd: q.Args,
	}
	attach := client.ExecAttachOptions{TTY: o.TTY}
	if terminal != nil {
		if w, h, err := term.GetSize(int(terminal.Fd())); err == nil {
			o.ConsoleSize = client.ConsoleSize{Height: uint(h), Width: uint(w)}
			attach.ConsoleSize = o.ConsoleSize
		}
	}
	made, err := e.engine.api.ExecCreate(ctx, i.id, o)
	if err != nil {
		return 0, explain(err)
	}
	streams, err := e.engine.api.ExecAttach(ctx, made.ID, attach)
	if err != nil {
		if u, ok := unrunnableFrom(err.Error()); ok {
			return u.say(q), nil
		}
		return 0, explain(err)
	}
	defer streams.Close()
	if q.Stdin != nil {
		go func() {
			_, _ = io.Copy(streams.Conn, q.Stdin) // the command may end before it has read all
			_ = streams.CloseWrite()
		}()
	}
	copied := make(chan struct{})
	out := &firstWords{to: orDiscard(q.Stdout)}
	go func() {
		defer close(copied)
		if o.TTY {
			_, _ = io.Copy(out, streams.Reader)
			return
		}
		_, _ = stdcopy.StdCopy(out, orDiscard(q.Stderr), streams.Reader)
	}()
	select {
	case <-copied:
	case <-ctx.Done():
		e.killExec(ctx, made.ID)
		streams.Close()
		<-copied
		return 0, ctx.Err()
	}
	code, err := e.exitOfExec(ctx, made.ID)
	if u, ok := unrunnableFrom(string(out.held)); err == nil && ok && (code == codeUnrunnable || code == codeNotFound) {
		return u.say(q), nil
	}
	return code, errors.Join(err, out.flush())
}

// exitOfExec is the exit code of a command whose output has ended. The engine may
// learn of its end a moment later.
func (e *environment) exitOfExec(ctx context.Context, id string) (int, error) {
	for {
		got, err := e.engine.api.ExecInspect(ctx, id, client.ExecInspectOptions{})
		if err != nil {
			return 0, explain(err)
		}
		if !got.Running {
			return got.ExitCode, nil
		}
		select {
		case <-ctx.Done():
			e.killExec(ctx, id)
			return 0, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// killExec ends a command that nobody waits for any more, and what it started. The
// engine has no call for it; where its processes are this host's, the kernel has:
// they are of a session that the command leads.
func (e *environment) killExec(ctx context.Context, id string) {
	ctx, stop := e.forRequest(ctx)
	defer stop()
	got, err := e.engine.api.ExecInspect(ctx, id, client.ExecInspectOptions{})
	for err == nil && got.Running && got.PID == 0 { // it may have spoken before the engine knows its number
		select {
		case <-ctx.Done():
			return
		case <-time.After(5 * time.Millisecond):
		}
		got, err = e.engine.api.ExecInspect(ctx, id, client.ExecInspectOptions{})
	}
	if err != nil || !got.Running || got.PID <= 1 || !e.engine.local {
		return
	}
	if !isOf(got.PID, got.ContainerID) {
		return
	}
	all, _ := filepath.Glob("/proc/[0-9]*") // the pattern is a good one
	for _, dir := range all {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && pid != got.PID && sessionOf(pid) == got.PID {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended, or be another user's
		}
	}
	_ = syscall.Kill(got.PID, syscall.SIGKILL)
}

// sessionOf is the session of a process; 0 for one that has ended.
func sessionOf(pid int) int {
	sid, err := unix.Getsid(pid)
	if err != nil {
		return 0
	}
	return sid
}

// terminalOf is the terminal that a command is to have, in raw mode until restore.
func terminalOf(c driver.Command) (terminal *os.File, restore func(), err error) {
	in, ok := c.Stdin.(*os.File)
	out, ok2 := c.Stdout.(*os.File)
	if !ok || !ok2 || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
		return nil, func() {}, nil
	}
	was, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, nil, fmt.Errorf("take over the terminal: %w", err)
	}
	return in, func() { _ = term.Restore(int(in.Fd()), was) }, nil
}
