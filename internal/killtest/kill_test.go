// Package killtest kills rehearse, at random moments and in the middle of
// experiments, and looks at what is left.
//
// Nothing may be: no process, mount, listener, control group or directory. What
// is there is asked of the kernel, not of rehearse.
package killtest

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	seed   = flag.Uint64("kill-seed", 0, "the seed of the random moments (0: another one each time)")
	rounds = flag.Int("kill-rounds", 50, "how often to kill")
)

// endsWithin is how long what a dead rehearse has started may go on.
const endsWithin = 5 * time.Second

// built is where the binary is that all tests run, and the cache that they share:
// what an environment starts with need not be made for each of them.
var built struct{ binary, cache string }

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	// Services run as a user who cannot enter the directories of t.TempDir.
	dir, err := os.MkdirTemp("", "rehearse-kill-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Chmod(dir, 0o755)
	}
	built.binary, built.cache = filepath.Join(dir, "rehearse"), filepath.Join(dir, "cache")
	if err == nil {
		build := exec.Command("go", "build", "-o", built.binary, "../../cmd/rehearse")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		err = build.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

const composeFile = `
services:
  db:
    image: postgres:15
    environment: {POSTGRES_PASSWORD: secret}
    ports: ["5432"]
  app:
    image: app
    depends_on: {db: {condition: service_started}}
    deploy: {resources: {limits: {cpus: "0.5", memory: 256M, pids: 64}}}
`

// The suite leaves a process behind, as suites do: it lives on for a moment when
// nobody is there any more to end it.
const rehearseFile = `
name: killtest
services:
  app:
    process: {command: [sh, -c, "echo running; exec sleep 3600"]}
    ready: {log: running}
suites:
  brief: {command: [sh, -c, "sleep 1 & sleep 0.1"]}
rehearsal:
  - suite: brief
`

// lab is a project, and a place of its own for its state.
type lab struct {
	host
	project, scratch string
}

func newLab(t *testing.T) *lab {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("what is left is counted in /proc, which only Linux has")
	}
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) == 0 {
		if _, err := exec.LookPath("initdb"); err != nil {
			t.Skip("PostgreSQL's initdb is not on this host: apt-get install postgresql")
		}
	}
	// Services run as a user who cannot enter the directories of t.TempDir.
	dir, err := os.MkdirTemp("", "rehearse-kill-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &lab{
		host:    host{home: filepath.Join(dir, "state"), before: map[string]bool{}},
		project: filepath.Join(dir, "project"), scratch: t.TempDir(),
	}
	if err := errors.Join(
		os.Chmod(dir, 0o755), os.Mkdir(l.project, 0o755),
		os.WriteFile(filepath.Join(l.project, "compose.yaml"), []byte(composeFile), 0o644),
		os.WriteFile(filepath.Join(l.project, "rehearse.yaml"), []byte(rehearseFile), 0o644),
	); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after a test that has failed
		l.start(t, "down", "--all").wait(t, time.Minute)
		l.start(t, "gc").wait(t, time.Minute)
	})
	for inode := range listening() {
		l.before[inode] = true
	}
	l.must(t, "up", "-d") // makes the template, if it is the first: the figures below are of a warm start
	l.learn(t)
	l.must(t, "down")
	poll(t, endsWithin, "after down", l.left)
	return l
}

// running is a rehearse command under way.
type running struct {
	cmd    *exec.Cmd
	stderr string        // the file that it talks to
	ready  chan struct{} // closed when it has printed its environment, or has ended
	done   chan struct{} // closed when it has ended
}

// command is rehearse, at the lab's project.
func (l *lab) command(args ...string) *exec.Cmd {
	cmd := exec.Command(built.binary, args...)
	cmd.Dir = l.project
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+l.home, "XDG_CACHE_HOME="+built.cache)
	return cmd
}

func (l *lab) start(t *testing.T, args ...string) *running {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	// A file: a pipe would stay open in whatever outlives the command.
	talk, err := os.CreateTemp(l.scratch, "stderr-")
	if err != nil {
		t.Fatal(err)
	}
	defer talk.Close()
	cmd := l.command(args...)
	cmd.Stdout, cmd.Stderr = w, talk
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &running{cmd: cmd, stderr: talk.Name(), ready: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer r.Close()
		lines := bufio.NewScanner(r)
		lines.Scan()
		close(c.ready)
		for lines.Scan() { // so that it is never held up
		}
	}()
	go func() {
		_ = cmd.Wait() // how it ended is in its ProcessState
		close(c.done)
	}()
	t.Cleanup(func() {
		select {
		case <-c.done:
		default:
			_ = cmd.Process.Kill() // after a test that has failed
			<-c.done
		}
	})
	return c
}

func (c *running) wait(t *testing.T, within time.Duration) {
	t.Helper()
	select {
	case <-c.done:
	case <-time.After(within):
		t.Fatalf("%v has not ended after %v", c.cmd.Args, within)
	}
}

func (c *running) talk() string {
	text, err := os.ReadFile(c.stderr)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// must runs a command to its end, which must be a good one, and says how long it
// took.
func (l *lab) must(t *testing.T, args ...string) time.Duration {
	t.Helper()
	begun := time.Now()
	c := l.start(t, args...)
	c.wait(t, time.Minute)
	if code := c.cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("rehearse %s: exit %d\n%s", strings.Join(args, " "), code, c.talk())
	}
	return time.Since(begun)
}

// upAndDown starts an environment in the foreground and asks it to go as soon as
// it is ready.
func (l *lab) upAndDown(t *testing.T) *running {
	c := l.start(t, "up")
	go func() {
		<-c.ready
		_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	}()
	return c
}

// supervisor finds the process in the background of an up -d that is under way,
// or 0.
func (c *running) supervisor() int {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", c.cmd.Process.Pid))
	for _, file := range files {
		children, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(children)) {
			// Before its first child Go makes another, which only tries whether the
			// kernel has pidfds; to kill that one kills nothing of ours.
			args, err := os.ReadFile("/proc/" + f + "/cmdline")
			if err != nil || !strings.Contains(string(args), "--supervise") {
				continue
			}
			if pid, err := strconv.Atoi(f); err == nil {
				return pid
			}
		}
	}
	return 0
}

// standing finds the process of the standing environment, or 0.
func (l *lab) standing() int {
	for _, p := range processes() {
		if p.env["XDG_STATE_HOME"] == l.home && strings.HasSuffix(p.name, "--supervise") {
			pid, _ := strconv.Atoi(p.pid)
			return pid
		}
	}
	return 0
}

// poll waits until nothing is left of what look lists.
func poll(t *testing.T, within time.Duration, what string, look func() []string) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		left := look()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: after %v there are left:\n  %s", what, within, strings.Join(left, "\n  "))
		}
		time.Sleep(5 * time.Millisecond) // between two polls of a deadline
	}
}

// nothing checks that what a dead rehearse has left ends by itself or is found
// by gc.
func (l *lab) nothing(t *testing.T) {
	t.Helper()
	poll(t, endsWithin, "by itself", l.running)
	poll(t, endsWithin, "after gc", func() []string {
		l.must(t, "gc")
		return l.left()
	})
}

// goesDown takes down what may still stand, when only a client was killed.
func (l *lab) goesDown(t *testing.T) {
	t.Helper()
	poll(t, 30*time.Second, "after down", func() []string {
		if len(l.directories()) > 0 {
			l.start(t, "down", "--all").wait(t, time.Minute) // which fails while it starts, or is going by itself
		}
		return l.directories()
	})
}

// sleepUntil waits for a moment to come, or for an early end.
func sleepUntil(moment time.Time, end <-chan struct{}) {
	select {
	case <-time.After(time.Until(moment)):
	case <-end:
	}
}

// chance gives the random moments of a test, and says how to get them again.
func chance(t *testing.T) *rand.Rand {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("-kill-seed %d", s)
	return rand.New(rand.NewPCG(s, 0))
}

// TestKilledAtRandomMoments is the promise of the README: whenever rehearse is
// killed, nothing is left.
func TestKilledAtRandomMoments(t *testing.T) {
	l := newLab(t)
	random := chance(t)
	begun := time.Now()
	l.upAndDown(t).wait(t, time.Minute)
	cycle := map[string]time.Duration{"up": time.Since(begun)}
	cycle["run"] = l.must(t, "run")
	cycle["up -d"] = l.must(t, "up", "-d")
	cycle["down"] = l.must(t, "down")
	t.Logf("whole cycles: %v", cycle)

	for round := range *rounds {
		what := []string{"up", "run", "up -d", "down"}[round%4]
		delay := time.Duration(random.Int64N(int64(cycle[what])))
		client := random.IntN(3) == 0
		t.Run(fmt.Sprintf("%d %s after %v", round, what, delay), func(t *testing.T) {
			switch what {
			case "up":
				l.kill(t, l.upAndDown(t), delay)
			case "run":
				l.kill(t, l.start(t, "run"), delay)
			case "up -d":
				l.killDetached(t, l.start(t, "up", "-d"), delay, client)
			case "down":
				l.must(t, "up", "-d")
				l.killDetached(t, l.start(t, "down"), delay, client)
			}
			l.nothing(t)
		})
		if t.Failed() {
			return // the rest would stumble over what is left
		}
	}
}

// kill kills a command after a while.
func (l *lab) kill(t *testing.T, c *running, delay time.Duration) {
	t.Helper()
	sleepUntil(time.Now().Add(delay), c.done)
	_ = c.cmd.Process.Kill() // it may have ended
	c.wait(t, endsWithin)
}

// killDetached kills the process behind a command after a while, or the command.
func (l *lab) killDetached(t *testing.T, c *running, delay time.Duration, client bool) {
	t.Helper()
	moment := time.Now().Add(delay)
	supervisor := l.standing()
	sleepUntil(moment, c.done)
	if supervisor == 0 {
		supervisor = c.supervisor()
	}
	if supervisor == 0 {
		supervisor = l.standing() // its client has just ended
	}
	if client || supervisor == 0 {
		_ = c.cmd.Process.Kill()
	} else {
		_ = syscall.Kill(supervisor, syscall.SIGKILL) // it may have ended
	}
	c.wait(t, time.Minute)
	if client || supervisor == 0 {
		l.goesDown(t)
	}
}

// TestInterruptedAtRandomMoments asks rehearse to end, at random moments. Nothing
// may be left then, without any gc.
func TestInterruptedAtRandomMoments(t *testing.T) {
	l := newLab(t)
	random := chance(t)
	whole := l.must(t, "run")
	for round := range 10 {
		delay := time.Duration(random.Int64N(int64(whole)))
		t.Run(fmt.Sprintf("%d after %v", round, delay), func(t *testing.T) {
			c := l.start(t, "run")
			sleepUntil(time.Now().Add(delay), c.done)
			_ = c.cmd.Process.Signal(syscall.SIGINT) // it may have ended
			c.wait(t, time.Minute)
			poll(t, endsWithin, "by itself", l.left)
			if code := c.cmd.ProcessState.ExitCode(); code != 130 && code != 0 && code != -1 {
				t.Errorf("exit %d\n%s", code, c.talk())
			}
		})
	}
}

// TestGC kills rehearse while a suite has something in the background that does
// not end by itself. Only gc finds it, and it touches nothing else.
func TestGC(t *testing.T) {
	l := newLab(t)
	text := strings.Replace(rehearseFile, "sleep 1 & sleep 0.1", "sleep 3333 & wait", 1)
	if err := os.WriteFile(filepath.Join(l.project, "orphan.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	orphan := func() []string {
		var out []string
		for _, p := range l.running() {
			if strings.Contains(p, "(sleep 3333)") {
				out = append(out, p)
			}
		}
		return out
	}
	l.must(t, "up", "-d")
	c := l.start(t, "run", "--config", "orphan.yaml")
	poll(t, time.Minute, "without the suite's process", func() []string {
		if len(orphan()) == 0 {
			return []string{"the wait for it"}
		}
		return nil
	})
	l.kill(t, c, 0)
	if len(orphan()) == 0 {
		t.Error("the suite's process has ended with rehearse: this test tests nothing")
	}
	l.must(t, "gc")
	poll(t, endsWithin, "after gc", orphan)
	l.must(t, "exec", "app", "true") // the standing one still stands
	l.must(t, "down")
	poll(t, endsWithin, "after down", l.left)
}
