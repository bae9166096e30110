package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/driver/process"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

// TestMain makes the test binary rehearse itself and the few programs that the
// scripts use, by the name it is called by. It is also the supervisor of
// environments, which must come first: that is what rehearse starts itself as.
func TestMain(m *testing.M) {
	process.Main()
	testscript.Main(m, map[string]func(){
		"rehearse":  func() { os.Exit(Main()) },
		"webserver": func() { os.Exit(webserver()) },
		"fetch":     func() { os.Exit(fetch()) },
		"interrupt": func() { os.Exit(interrupt()) },
	})
}

// TestScripts runs testdata/script: rehearse as a person uses it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                filepath.Join("testdata", "script"),
		Setup:              setup,
		Condition:          condition,
		RequireUniqueNames: true,
		UpdateScripts:      os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"noleft":   noleft,
			"capture":  capture,
			"truncate": truncate,
		},
	})
}

// setup gives a script state and cache directories of its own, and puts the web
// server into the project, where the jails of services see it.
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
	env.Setenv("REHEARSE_PROCESS_TIER", os.Getenv("REHEARSE_PROCESS_TIER"))
	return linkSelf(filepath.Join(env.WorkDir, "webserver"))
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

// condition knows [root].
func condition(name string) (bool, error) {
	if name == "root" {
		return os.Getuid() == 0, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// exits N COMMAND [ARG...] runs a command that must end with exactly that exit
// code. Its output is there for stdout, stderr and cmp.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
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

// noleft asserts that nothing of any environment is left: no process with the
// label of the script's state directory, and no record.
func noleft(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: noleft")
	}
	// A killed rehearse's services have five seconds to end by themselves.
	deadline := time.Now().Add(5 * time.Second)
	for {
		left := remains(ts.Getenv("XDG_STATE_HOME"))
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("still there: %s", strings.Join(left, ", "))
		}
		<-time.After(10 * time.Millisecond)
	}
}

// records is where rehearse keeps its environments below XDG_STATE_HOME.
func records(stateHome string) string { return filepath.Join(stateHome, "rehearse", "environments") }

func remains(stateHome string) []string {
	a := app{state: records(stateHome)}
	label := driver.LabelState + "=" + a.label()
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
	entries, _ := os.ReadDir(a.state)
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
	deadline := time.Now().Add(20 * time.Second)
	for len(remains(stateHome)) > 0 && len(entries) > 0 && time.Now().Before(deadline) {
		<-time.After(10 * time.Millisecond)
	}
}
