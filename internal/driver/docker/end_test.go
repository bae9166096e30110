package docker_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// TestEnds has services end in every way.
func TestEnds(t *testing.T) {
	t.Parallel()
	hungry := shell(t, "hungry", "exec tail /dev/zero")
	hungry.Limits.Memory = 16 << 20
	// Its image says by what signal it is stopped.
	stopped := rehearse.Service{
		Name: "stopped", Image: testdocker.Start(t).Go(t, "../../testdocker/program", "stopped", container.Config{StopSignal: "SIGUSR1"}),
		Entrypoint: []string{"sh", "-c"}, Command: []string{"trap 'cat /hook; exit 9' USR1; echo up; while :; do sleep 0.1; done"},
		Container: &rehearse.Container{PreStop: []rehearse.Hook{{Command: []string{"sh", "-c", "echo hooked >>/hook"}}, {Command: []string{"false"}}}},
	}
	p := open(t, newDriver(t, "ends"), "ends", "ends", hungry, stopped, shell(t, "seven", "sleep 0.2; exit 7"), shell(t, "taken", forever))

	proc, _ := p.start("hungry")
	if got, want := p.ended(proc), "out of memory: the limit is 16.8 MB"; got.Code != 137 || got.Reason != want {
		t.Errorf("out of memory it ends with %+v, want 137, %s", got, want)
	}
	proc, _ = p.start("seven")
	if got := p.ended(proc); got != (driver.Exit{Code: 7, Reason: "exit 7"}) {
		t.Errorf("it ends with %+v, want 7", got)
	}
	proc, _ = p.start("taken")
	if err := proc.Kill(); err != nil {
		t.Error(err)
	}
	if got := p.ended(proc); got != (driver.Exit{Code: 137, Reason: "signal: killed"}) {
		t.Errorf("killed, it ends with %+v", got)
	}

	proc, out := p.start("stopped")
	for !strings.Contains(out.String(), "up") { // else there is no trap yet
		select {
		case <-proc.Done():
			t.Fatalf("it ended: %+v", proc.Exit())
		case <-time.After(5 * time.Millisecond):
		}
	}
	if err := proc.Signal(driver.Signal("")); err != nil {
		t.Error(err)
	}
	if got := p.ended(proc); got.Code != 9 || out.String() != "up\nhooked\n" {
		t.Errorf("stopped by its image's signal it ends with %+v and says %q", got, out)
	}
	if got := p.fact("hook.failed"); got != "stopped" {
		t.Errorf("the hook that failed is one of %q, want stopped", got)
	}

	proc, _ = p.start("taken")
	p.execs("taken")
	id := p.containers("taken")[0].ID
	if _, err := testdocker.Start(t).Client().ContainerRemove(t.Context(), id, client.ContainerRemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if got := p.ended(proc); !got.Lost || !strings.Contains(got.Reason, "removed") {
		t.Errorf("its container was removed, and it ends with %+v, want it lost", got)
	}
	if _, err := p.Dial(t.Context(), "taken", 8080); err == nil {
		t.Error("a service that is gone was dialled")
	}
	_, err := p.Start(t.Context(), "taken", driver.Output{})
	if rehearse.KindOf(err) != rehearse.Unavailable {
		t.Errorf("it is started again: %v, want an error of the kind Unavailable", err)
	}
}

// execs runs commands of every kind in a service.
func (p *place) execs(name rehearse.ServiceName) {
	t := p.t
	t.Helper()
	var out, errs bytes.Buffer
	code, err := p.Exec(t.Context(), name, driver.Command{
		Args: []string{"sh", "-c", "cat; echo $WORD; echo wrong >&2; exit 5"}, Env: map[string]string{"WORD": "more"},
		Stdin: strings.NewReader("given\n"), Stdout: &out, Stderr: &errs,
	})
	if err != nil || code != 5 || out.String() != "given\nmore\n" || errs.String() != "wrong\n" {
		t.Errorf("exec: %d, %v, %q, %q", code, err, &out, &errs)
	}
	out.Reset()
	code, err = p.Exec(t.Context(), name, driver.Command{Args: []string{"no-such-program"}, Stdout: &out, Stderr: &out})
	if want := "no-such-program cannot be run: there is no such program\n"; err != nil || code != 127 || out.String() != want {
		t.Errorf("a program that is not there: %d, %v, %q; want 127, %q", code, err, &out, want)
	}
	out.Reset()
	code, err = p.Exec(t.Context(), name, driver.Command{Args: []string{"/etc/passwd"}, Stdout: &out, Stderr: &out})
	if want := "/etc/passwd cannot be run: permission denied\n"; err != nil || code != 126 || out.String() != want {
		t.Errorf("a file that is no program: %d, %v, %q; want 126, %q", code, err, &out, want)
	}

	ctx, cancel := context.WithCancel(t.Context())
	heard := &until{cancel: cancel}
	_, err = p.Exec(ctx, name, driver.Command{Args: []string{"sh", "-c", "sleep 4321 & (sleep 4321; true) & echo running; wait"}, Stdout: heard})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled command: %v", err)
	}
	got := p.sh(name, "for i in $(seq 50); do ps | grep 'sleep 432[1]' || break; sleep 0.1; done >/dev/null; ps | grep 'sleep 432[1]' || true")
	if got != "" {
		t.Errorf("after a command was cancelled there is still\n%s", got)
	}
}

// until cancels when something is said.
type until struct{ cancel context.CancelFunc }

func (u *until) Write(p []byte) (int, error) {
	u.cancel()
	return len(p), nil
}

// TestFailuresLeaveNothing has the journal fail at one point after the other.
func TestFailuresLeaveNothing(t *testing.T) {
	t.Parallel()
	const label = "failures"
	d := newDriver(t, label)
	up := server(t, "up")
	up.Mounts = []rehearse.Mount{{Type: "volume", Source: "data", Target: "/data"}}
	var reached []string
	for failing := 1; failing <= 9; failing++ {
		s, j, _ := spec(t, "failing", up)
		j.failing = failing
		at := "open"
		e, err := d.Open(t.Context(), s)
		if err == nil {
			at = "prepare"
			// The link container is made at the same time.
			if err = e.Prepare(t.Context(), "up"); err == nil {
				_, _, err = e.Listen(t.Context(), "up", []string{"other"}, 80)
			}
			if err == nil {
				at = "all"
			}
			if closed := e.Close(t.Context()); closed != nil {
				t.Errorf("close after %d: %v", failing, closed)
			}
		}
		if at != "all" && !errors.Is(err, errJournal) {
			t.Errorf("%s with a journal that fails at %d: %v", at, failing, err)
		}
		reached = append(reached, at)
		nothingLeft(t, label)
	}
	if want := []string{"open", "open", "prepare", "prepare", "prepare", "prepare", "prepare", "prepare", "all"}; !slices.Equal(reached, want) {
		t.Errorf("it failed in %q, want %q", reached, want)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, _, _ := spec(t, "failing", up)
	if _, err := d.Open(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled Open: %v", err)
	}
	nothingLeft(t, label)
}
