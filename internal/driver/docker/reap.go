package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// The reaper is our own binary, started again before the first thing of an
// environment is made. It waits until its pipe ends. If we had not said before
// that all is gone, then we have died, and it removes what carries the
// environment's label: containers outlive the process that asked for them.

// reaperArg is what the binary is called, as argv[0]. No user types it.
const reaperArg = "rehearse: reaper"

// linkArg is the name by which the link container starts the program, whatever
// binary it is.
const linkArg = "rehearse-link"

// Main runs the process as a reaper or as the link container's program if it was
// started as one, and never returns then. Every main must call it first.
func Main() {
	switch filepath.Base(os.Args[0]) {
	case reaperArg:
		os.Exit(exitCode(reap(os.Stdin)))
	case linkArg:
		os.Exit(exitCode(linkMain()))
	}
}

func exitCode(err error) int {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
		return 1
	}
	return 0
}

// reaper is the other end of one's pipe.
type reaper struct {
	pipe *os.File
	cmd  *exec.Cmd
}

// orders are the first line that a reaper is told.
type orders struct {
	Environment rehearse.EnvironmentID `json:"environment"`
	State       string                 `json:"state"`
	Endpoint    endpoint               `json:"endpoint"`
}

// dismissal is what a reaper is told when there is nothing left for it to do.
const dismissal = "dismissed\n"

func startReaper(o Options, id rehearse.EnvironmentID) (*reaper, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := &exec.Cmd{
		Path: exe, Args: []string{reaperArg}, Dir: "/", Stdin: r, Env: reaperEnv(o),
		// Of a session of its own, so that neither Ctrl-C nor a closed terminal
		// reaches it.
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("start the reaper: %w", err)
	}
	p := &reaper{pipe: w, cmd: cmd}
	data, err := json.Marshal(orders{Environment: id, State: o.Label, Endpoint: endpointFrom(o.Getenv, o.Home)})
	if err == nil {
		_, err = w.Write(append(data, '\n'))
	}
	if err != nil {
		p.dismiss(true, reaperTime)
		return nil, fmt.Errorf("start the reaper: %w", err)
	}
	return p, nil
}

// reaperEnv is what programs that lead to an engine, as ssh, want to know.
func reaperEnv(o Options) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "SSH_AUTH_SOCK", "GORACE"} {
		if v := o.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// dismiss ends the reaper, and waits for its end. Where something is left, it
// tries to remove that first, and is not waited for longer than patience.
func (r *reaper) dismiss(clean bool, patience time.Duration) {
	if clean {
		_, _ = r.pipe.WriteString(dismissal) // one that has died needs no telling
	}
	r.pipe.Close()
	ended := make(chan struct{})
	go func() { // as long as the reaper, or as we
		defer close(ended)
		_ = r.cmd.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(patience):
	}
}

// How often and for how long a reaper tries. What was being made when we died may
// come to exist a moment later.
const (
	reapings    = 60
	reapTime    = 30 * time.Second // for one of them, the rest is the next one's
	reapingWait = time.Second
	settled     = 3 // times in a row that nothing is found
)

func reap(in io.Reader) error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	debug.FreeOSMemory() // there is one for each environment, and nearly all only wait
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	line, rest, ok := bytes.Cut(data, []byte("\n"))
	if !ok || string(rest) == dismissal {
		return nil
	}
	var o orders
	if err := json.Unmarshal(line, &o); err != nil {
		return err
	}
	ctx := context.Background()
	nothing := 0
	for range reapings {
		one, cancel := context.WithTimeout(ctx, reapTime)
		found, failure := reapOnce(one, o)
		cancel()
		err = failure
		if err == nil && found == 0 {
			nothing++
		} else {
			nothing = 0
		}
		if nothing == settled {
			return nil
		}
		time.Sleep(reapingWait)
	}
	return err
}

// reapOnce removes all that it finds.
func reapOnce(ctx context.Context, o orders) (found int, err error) {
	e, err := connect(ctx, o.Endpoint)
	if err != nil {
		return 0, err
	}
	defer e.api.Close()
	list, err := e.list(ctx, o.State, o.Environment)
	if err != nil {
		return 0, err
	}
	var problems []error
	for _, r := range list {
		problems = append(problems, e.remove(ctx, o.State, r))
	}
	return len(list), errors.Join(problems...)
}
