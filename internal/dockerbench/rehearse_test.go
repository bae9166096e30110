package dockerbench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse/internal/stand"
)

// cleanTime is how long it may take to remove what a failed round has left, or many
// environments at once.
const cleanTime = 10 * time.Minute

// rehearse is one environment, up and down.
func (b *bench) rehearse(v variant) func(context.Context) (taken, error) {
	return func(ctx context.Context) (taken, error) { return b.rehearseIn(ctx, b.cache, v) }
}

// rehearseFirst is the same with nothing in rehearse's cache.
func (b *bench) rehearseFirst(v variant) func(context.Context) (taken, error) {
	return func(ctx context.Context) (_ taken, err error) {
		cache, err := os.MkdirTemp(filepath.Dir(b.cache), "cache-")
		if err != nil {
			return taken{}, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(cache)) }()
		return b.rehearseIn(ctx, cache, v)
	}
}

func (b *bench) rehearseIn(ctx context.Context, cache string, v variant) (t taken, err error) {
	began := time.Now()
	id, err := b.rehearseUp(ctx, cache, v)
	t.ready = time.Since(began)
	if err != nil {
		return t, err
	}
	began = time.Now()
	err = b.rehearseDown(ctx, cache, id)
	t.gone = time.Since(began)
	return t, err
}

func (b *bench) rehearseUp(ctx context.Context, cache string, v variant) (id string, err error) {
	args := append([]string{"up", "-d", "--json", "--driver", "docker", "--leg", "staging"}, v.args(b.dir)...)
	out, err := run(ctx, b.rehearseCommand(ctx, cache, append(args, b.dir)...))
	if err != nil {
		return "", err
	}
	var standing struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(out, &standing); err != nil {
		return "", fmt.Errorf("rehearse up --json: %w: %s", err, out)
	}
	return standing.ID, nil
}

// rehearseDown takes down one environment, after an interruption too: leaveNothing
// would have to wait for it as well.
func (b *bench) rehearseDown(ctx context.Context, cache, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	_, err := run(ctx, b.rehearseCommand(ctx, cache, "down", id))
	return err
}

func (b *bench) rehearseCommand(ctx context.Context, cache string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.rehearseProgram(), args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+b.engine.Host(), "XDG_STATE_HOME="+b.state, "XDG_CACHE_HOME="+cache)
	return cmd
}

func (b *bench) rehearseProgram() string { return filepath.Join(b.tools, "rehearse") }

// run runs a command apart from the terminal's Ctrl-C, which is told to it when ctx
// ends, and returns what it prints.
func run(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Run(); err != nil {
		return nil, errors.Join(ctx.Err(), fmt.Errorf("%s %s: %w\n%s", filepath.Base(cmd.Path), cmd.Args[1], err, talk.Bytes()))
	}
	return out.Bytes(), nil
}

// stateLabel is on all that rehearse makes in the engine with our state directory.
func (b *bench) stateLabel() string {
	h := stand.Host{State: filepath.Join(b.state, "rehearse", "environments")}
	return "dev.rehearse.state=" + h.Label()
}

// leaveNothing removes what failed rounds have left, and fails if anything is
// there still. Of testcontainers, what was there before is others'.
func (b *bench) leaveNothing(tb testing.TB, before []string) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanTime)
	defer cancel()
	for _, args := range [][]string{{"down", "--all"}, {"gc"}} {
		if _, err := run(ctx, b.rehearseCommand(ctx, b.cache, args...)); err != nil {
			tb.Error(err)
		}
	}
	left := b.engine.Leftovers(tb, b.stateLabel())
	for n := range b.projects {
		left = append(left, b.engine.Leftovers(tb, composeLabel+"="+b.composeProject(n+1))...)
	}
	left = append(left, b.engine.Leftovers(tb, handLabel+"="+b.id)...)
	for _, what := range b.engine.Leftovers(tb, testcontainersLabel) {
		if !slices.Contains(before, what) {
			left = append(left, what)
		}
	}
	if len(left) > 0 {
		tb.Errorf("left in the engine: %q", left)
	}
}
