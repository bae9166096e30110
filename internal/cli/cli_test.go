package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/driver/process"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/redact"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

// TestMain makes the test binary rehearse itself and the few programs that the
// scripts use, by the name it is called by. It is also the supervisor of
// environments, which must come first: that is what rehearse starts itself as.
func TestMain(m *testing.M) {
	stand.Main()
	testscript.Main(withServers{m}, map[string]func(){
		"rehearse":  func() { os.Exit(Main()) },
		"webserver": func() { os.Exit(webserver()) },
		"fetch":     func() { os.Exit(fetch()) },
		"interrupt": func() { os.Exit(interrupt()) },
	})
}

var update = flag.Bool("update", false, "rewrite the output that scripts compare with")

// TestScripts runs testdata/script: rehearse as a person uses it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                filepath.Join("testdata", "script"),
		Setup:              setup,
		Condition:          condition,
		RequireUniqueNames: true,
		UpdateScripts:      *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"verdict":  verdict,
			"noleft":   noleft,
			"crash":    crash,
			"capture":  capture,
			"truncate": truncate,
			"hidden":   hidden,
			"github":   githubs(t),
			"comments": comments,
			"checks":   checks,
			"database": databases(t),
			"engine":   engines(t),
			"way":      ways(t),
			"sql":      sql,
		},
	})
}

// setup gives a script state and cache directories of its own, and puts the web
// server and fetch into the project, where the jails of services see them.
func setup(env *testscript.Env) error {
	// Short, because a Unix socket's path has at most 107 bytes, and open,
	// because services run as an ordinary user when we are root.
	dir, err := os.MkdirTemp("/tmp", "r")
	if err != nil {
		return err
	}
	env.Defer(func() {
		endAll(env.T(), filepath.Join(dir, "s"))
		if err := os.RemoveAll(dir); err != nil {
			env.T().Log(err)
		}
	})
	for _, d := range []string{dir, env.WorkDir, filepath.Dir(env.WorkDir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			return err
		}
	}
	env.Setenv("XDG_STATE_HOME", filepath.Join(dir, "s"))
	env.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "c"))
	// Under the race detector a process waits a second before it ends, unless told
	// otherwise.
	env.Setenv("GORACE", "atexit_sleep_ms=0")
	rehearse, err := exec.LookPath("rehearse")
	if err != nil {
		return err
	}
	env.Setenv("BIN", filepath.Dir(rehearse))
	return errors.Join(linkSelf(filepath.Join(env.WorkDir, "webserver")), linkSelf(filepath.Join(env.WorkDir, "fetch")))
}

// linkSelf makes the test binary callable by another name.
func linkSelf(path string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Link(self, path); err == nil {
		return nil
	}
	data, err := os.ReadFile(self) // on another file system
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o755)
}

// condition knows [namespaces]: whether services get a network of their own here,
// so that those of all scripts can listen on the same port. And [mounts]: whether
// file systems can be mounted, in a mount namespace.
func condition(name string) (bool, error) {
	switch name {
	case "namespaces":
		c := process.New(process.Options{}).Capabilities(context.Background())
		return c.Tier == process.TierNamespaces, nil
	case "mounts":
		return exec.Command("unshare", "-m", "mount", "-t", "tmpfs", "rehearse", "/mnt").Run() == nil, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// exits N COMMAND [ARG...] runs a command that must end with exactly that exit
// code. Its output is there for stdout, stderr and cmp.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, command := exitArgs(ts, neg, args)
	if got := execute(ts, command); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// verdict N COMMAND [ARG...] is exits for a rehearsal with a load. A machine that
// is too busy to offer the load of a leg gets no verdict for it, which is the truth
// but not what the script asks, so it may try a few times.
func verdict(ts *testscript.TestScript, neg bool, args []string) {
	want, command := exitArgs(ts, neg, args)
	got := execute(ts, command)
	for range 4 {
		if !strings.Contains(ts.ReadFile("stdout"), "This machine is too busy for the profile") {
			break
		}
		got = execute(ts, command)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func exitArgs(ts *testscript.TestScript, neg bool, args []string) (want int, command []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits|verdict N COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	return want, args[1:]
}

func execute(ts *testscript.TestScript, command []string) (code int) {
	err := ts.Exec(command[0], command[1:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

// capture NAME REGEXP sets a variable to what the group in the expression
// matches in the last command's stdout.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME REGEXP")
	}
	expr, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	m := expr.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) != 2 {
		ts.Fatalf("stdout has no match for %s, or the expression not one group", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// truncate FILE N takes the last N bytes off a file.
func truncate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: truncate FILE N")
	}
	file := ts.MkAbs(args[0])
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	st, err := os.Stat(file)
	ts.Check(err)
	ts.Check(os.Truncate(file, st.Size()-n))
}

// hidden VALUE DIR [KIND...] asserts that no file below a directory, nor the last
// command's output, holds a value in any form, and that something was taken out of
// each kind of file: those that a rehearsal with a suite leaves, if none is named.
func hidden(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: hidden VALUE DIR [KIND...]")
	}
	kinds := args[2:]
	if len(kinds) == 0 {
		kinds = []string{".log", ".jsonl", ".zst", ".xml"}
	}
	secrets := redact.New(args[:1])
	look := func(name string, data []byte) {
		if secrets.In(data) {
			ts.Fatalf("%s holds the secret: %s", name, data)
		}
	}
	look("stdout", []byte(ts.ReadFile("stdout")))
	look("stderr", []byte(ts.ReadFile("stderr")))
	taken := map[string]bool{}
	ts.Check(filepath.WalkDir(ts.MkAbs(args[1]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if filepath.Ext(path) == ".zst" {
			decoder, err := zstd.NewReader(nil)
			if err != nil {
				return err
			}
			defer decoder.Close()
			if data, err = decoder.DecodeAll(data, nil); err != nil {
				return err
			}
		}
		look(path, data)
		if strings.Contains(string(data), redact.Mark) || strings.Contains(string(data), strings.Repeat("*", len(args[0]))) {
			taken[filepath.Ext(path)] = true
		}
		return nil
	}))
	for _, kind := range kinds {
		if !taken[kind] {
			ts.Fatalf("nothing was taken out of any %s file: the secret has not got there", kind)
		}
	}
}

// crash PID kills a rehearse that stands for an environment, as kill -9 does, and
// waits until it has ended.
func crash(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: crash PID")
	}
	pid, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(syscall.Kill(pid, syscall.SIGKILL))
	store := environment.Store{Root: records(ts.Getenv("XDG_STATE_HOME"))}
	poll(func() bool {
		entries, err := store.List()
		ts.Check(err)
		return !slices.ContainsFunc(entries, func(e environment.Entry) bool { return e.PID == pid && e.Alive })
	})
}

// patience is how long what should happen soon may take. A killed rehearse's
// services have five seconds to end by themselves.
const patience = 5 * time.Second

// poll asks until the answer is yes or the patience is at its end.
func poll(ask func() bool) bool {
	for deadline := time.Now().Add(patience); ; <-time.After(10 * time.Millisecond) {
		if ask() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// noleft asserts that nothing of any environment is left: no process with the
// label of the script's state directory, and no record.
func noleft(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: noleft")
	}
	var left []string
	if !poll(func() bool {
		left = remains(ts.Getenv("XDG_STATE_HOME"))
		if ts.Getenv("DOCKER_HOST") != "" {
			left = append(left, containers(ts)...)
		}
		return len(left) == 0
	}) {
		ts.Fatalf("still there: %s", strings.Join(left, ", "))
	}
}

// records is where rehearse keeps its environments below XDG_STATE_HOME.
func records(stateHome string) string { return filepath.Join(stateHome, "rehearse", "environments") }

func remains(stateHome string) []string {
	a := app{Host: stand.Host{State: records(stateHome)}}
	label := driver.LabelState + "=" + a.Label()
	var left []string
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range environs {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended, or is not ours
		}
		for kv := range strings.SplitSeq(string(data), "\x00") {
			if kv == label {
				left = append(left, "process "+filepath.Base(filepath.Dir(file)))
			}
		}
	}
	entries, _ := os.ReadDir(a.State)
	for _, e := range entries {
		left = append(left, "record "+e.Name())
	}
	return left
}

// endAll ends the environments that a failed script has left standing.
func endAll(t testscript.T, stateHome string) {
	store := environment.Store{Root: records(stateHome)}
	entries, err := store.List()
	if err != nil {
		t.Log(err)
	}
	for _, e := range entries {
		if e.Alive && e.PID > 0 {
			_ = syscall.Kill(e.PID, syscall.SIGTERM) // it may end this instant
		}
	}
	if len(entries) > 0 && !poll(func() bool { return len(remains(stateHome)) == 0 }) {
		t.Log("still there:", remains(stateHome))
	}
}
