package dockerbench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// The labels of what peers make.
const (
	composeLabel        = "com.docker.compose.project"
	testcontainersLabel = "org.testcontainers"
)

// compose is one project, up and down.
func (b *bench) compose(v variant) func(context.Context) (taken, error) {
	return func(ctx context.Context) (t taken, err error) {
		name := b.nextProject()
		began := time.Now()
		err = b.composeUp(ctx, name, v)
		t.ready = time.Since(began)
		began = time.Now()
		err = errors.Join(err, b.composeDown(ctx, name, v))
		t.gone = time.Since(began)
		return t, err
	}
}

// nextProject is a name that no project has had.
func (b *bench) nextProject() string {
	b.projects++
	return b.composeProject(b.projects)
}

func (b *bench) composeProject(n int) string { return fmt.Sprintf("%s-%d", b.id, n) }

func (b *bench) composeUp(ctx context.Context, name string, v variant) error {
	_, err := run(ctx, b.engine.Command(ctx, filepath.Join(b.tools, "docker-compose"), append(b.composeArgs(name, v), "up", "--wait")...))
	return err
}

// composeDown takes a project down that was started, or half so.
func (b *bench) composeDown(ctx context.Context, name string, v variant) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	_, err := run(ctx, b.engine.Command(ctx, filepath.Join(b.tools, "docker-compose"), append(b.composeArgs(name, v), "down", "-v")...))
	return err
}

func (b *bench) composeArgs(name string, v variant) []string {
	return append([]string{"-p", name, "--progress", "quiet", "--project-directory", b.dir}, v.args(b.dir)...)
}

// testcontainers is one run of its program. What is not teardown counts as part of
// the way to ready: the program's own start, and its end, which is short.
func (b *bench) testcontainers(ctx context.Context) (taken, error) {
	p, err := b.startTestcontainers()
	if err != nil {
		return taken{}, err
	}
	return p.wait()
}

// testcontainersRun is the program while it runs.
type testcontainersRun struct {
	cmd       *exec.Cmd
	began     time.Time
	out, talk bytes.Buffer
}

// startTestcontainers starts the program apart from the terminal's Ctrl-C and from
// any context: it would leave what it has started.
func (b *bench) startTestcontainers() (*testcontainersRun, error) {
	p := &testcontainersRun{cmd: b.engine.Command(context.Background(), filepath.Join(b.tools, "testcontainers"),
		"-db", b.dbImage, "-app", b.appImage, "-init", filepath.Join(b.dir, "db", "init"))}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.talk
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.began = time.Now()
	return p, p.cmd.Start()
}

func (p *testcontainersRun) wait() (taken, error) {
	if err := p.cmd.Wait(); err != nil {
		return taken{}, fmt.Errorf("%w\n%s", err, p.talk.Bytes())
	}
	all := time.Since(p.began)
	var said struct {
		Teardown float64 `json:"teardown_ms"`
	}
	if err := json.Unmarshal(p.out.Bytes(), &said); err != nil {
		return taken{}, fmt.Errorf("%w: %s", err, p.out.Bytes())
	}
	gone := time.Duration(said.Teardown * float64(time.Millisecond))
	return taken{ready: all - gone, gone: gone}, nil
}
