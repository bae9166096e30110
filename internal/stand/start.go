package stand

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"github.com/rehearse-dev/rehearse"
)

// report is what a process in the background tells of its start.
type report struct {
	Event  *rehearse.ServiceEvent `json:"event,omitempty"`
	Talk   string                 `json:"talk,omitempty"`
	Ready  *Standing              `json:"ready,omitempty"`
	Errors []Failure              `json:"errors,omitempty"`
}

// Start starts a process in the background, in a session of its own, that calls
// [Background], and returns when its environment is ready: it stands on without us.
// When the environment fails to come up, or ctx ends before it has, the process has
// ended. tell and talk are shown how it starts; they may be nil.
func Start(ctx context.Context, cmd *exec.Cmd, tell func(rehearse.ServiceEvent), talk io.Writer) (*Standing, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	// Until it is ready it is ours: an end here is an end there.
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	var last report
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 4<<20)
	for last.Ready == nil && lines.Scan() {
		var rep report
		switch err := json.Unmarshal(lines.Bytes(), &rep); {
		case err != nil: // cut short: it was killed
		case rep.Event != nil:
			if tell != nil {
				tell(*rep.Event)
			}
		case rep.Talk != "":
			if talk != nil {
				_, _ = io.WriteString(talk, rep.Talk)
			}
		default:
			last = rep
		}
	}
	switch {
	case last.Ready != nil:
		return last.Ready, cmd.Process.Release()
	case last.Errors != nil:
		_ = cmd.Wait() // it has said why
		return nil, errorOf(last.Errors)
	}
	return nil, fmt.Errorf("the environment's process ended without a word: %w", cmd.Wait())
}

// Background is what a process does that [Start] has started: it makes the options
// of an environment and stands it. How it starts is told over file 3, so that
// OnEvent, Talk and Ready of the options are not asked for; making them may write to
// the same talk.
func (h *Host) Background(ctx context.Context, options func(talk io.Writer) (Options, error)) error {
	syscall.CloseOnExec(startFD)
	start := &teller{f: os.NewFile(startFD, "start")}
	talk := writerFunc(func(b []byte) { _ = start.tell(report{Talk: string(b)}) })
	o, err := options(talk)
	if err == nil {
		o.Talk = talk
		o.OnEvent = func(ev rehearse.ServiceEvent) { _ = start.tell(report{Event: &ev}) }
		o.Ready = func(s Standing) error { return start.tell(report{Ready: &s}) }
		err = h.Stand(ctx, o)
	}
	if err != nil {
		_ = start.tell(report{Errors: failuresOf(err, h.Secrets(o.Project))})
	}
	return err
}

// startFD is where a process in the background tells of its start.
const startFD = 3

// teller tells of a start until there is no more to tell: it is ready, or has
// failed, or the listener has gone. Whose listener has gone before it was ready is
// told so each time, and must not stand: nobody would know of it.
type teller struct {
	mu   sync.Mutex
	f    *os.File
	gone error // the listener has
}

func (t *teller) tell(r report) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.f == nil {
		return t.gone
	}
	if _, err := t.f.Write(append(data, '\n')); err != nil {
		t.gone = fmt.Errorf("tell of the start: %w", err)
	}
	if t.gone != nil || r.Ready != nil || r.Errors != nil {
		_ = t.f.Close() // a pipe: everything is in it
		t.f = nil
	}
	return t.gone
}

type writerFunc func([]byte)

func (w writerFunc) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}
