//go:build unix

package suite_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/suite"
)

func TestPass(t *testing.T) {
	o := options(t, `echo "$GREETING, $WHO"; echo problem >&2; echo in $PWD; cat`)
	o.Env = append(o.Env, "GREETING=hello", "WHO=nobody")
	o.Step.Env = map[string]string{"WHO": "world"}
	var live bytes.Buffer
	o.Tee = &live
	r := run(t, o)
	want := rehearse.SuiteResult{Step: "e2e", Output: "suites/e2e/output.log"}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	text := "hello, world\nproblem\nin " + o.Step.Dir + "\n"
	if got := output(t, o); got != text {
		t.Errorf("output.log holds %q, want %q", got, text)
	}
	if live.String() != text {
		t.Errorf("live output: %q, want %q", live.String(), text)
	}
}

func TestFailure(t *testing.T) {
	r := run(t, options(t, `i=0; while [ $i -lt 30 ]; do i=$((i+1)); printf '\033[31mline\033[0m %d\r\n' $i; done; printf 'half 1\rdone'; exit 3`))
	if r.ExitCode != 3 {
		t.Errorf("exit code %d, want 3", r.ExitCode)
	}
	if len(r.Tail) != 20 || r.Tail[0] != "line 12" || r.Tail[18] != "line 30" || r.Tail[19] != "done" {
		t.Errorf("tail: %q", r.Tail)
	}
}

func TestSignalled(t *testing.T) {
	if r := run(t, options(t, `kill -SEGV $$`)); r.ExitCode != 128+int(syscall.SIGSEGV) {
		t.Errorf("exit code %d, want %d", r.ExitCode, 128+int(syscall.SIGSEGV))
	}
}

func TestSkip(t *testing.T) {
	r := run(t, options(t, `echo looking; echo "There is no browser."; echo; exit 77`))
	if got, want := r.Skipped, "There is no browser."; got != want || r.ExitCode != 77 || r.Tail != nil {
		t.Errorf("got %+v, want skipped: %q", r, want)
	}
	if r := run(t, options(t, `exit 77`)); !strings.Contains(r.Skipped, "did not say why") {
		t.Errorf("without a last line: %q", r.Skipped)
	}
}

func TestNeeds(t *testing.T) {
	dir := t.TempDir()
	program(t, filepath.Join(dir, "google-chrome"))
	if err := os.WriteFile(filepath.Join(dir, "notes"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		needs []string
		want  string
	}{
		{[]string{"sh", "chromium"}, ""},
		{[]string{"notes"}, "needs notes, which is not on this host"}, // not executable
		{[]string{"none", "sh", "nil"}, "needs none and nil, which are not on this host"},
	} {
		o := options(t, "true")
		o.Env = []string{"PATH=/nowhere", "PATH=" + dir + ":/usr/bin:/bin"}
		o.Step.Needs = tt.needs
		if r := run(t, o); r.Skipped != tt.want {
			t.Errorf("needs %v: %q, want %q", tt.needs, r.Skipped, tt.want)
		}
	}
	o := options(t, "true")
	o.Env = []string{"PATH=/nowhere"}
	o.Step.Needs = []string{"chromium"}
	if r := run(t, o); r.Skipped != "needs chromium, which is not on this host" {
		t.Errorf("skipped: %q", r.Skipped)
	}
}

func TestCommandIsFoundFromTheSuitesDirectory(t *testing.T) {
	o := options(t, "")
	program(t, filepath.Join(o.Step.Dir, "bin", "check"))
	for _, command := range []string{"./bin/check", "check"} {
		o.Step.Command = []string{command}
		o.Step.Env = map[string]string{"PATH": "bin"}
		if r := run(t, o); r.ExitCode != 0 {
			t.Errorf("%s: %+v", command, r)
		}
	}
}

func TestCannotRun(t *testing.T) {
	o := options(t, "")
	script := filepath.Join(o.Step.Dir, "script")
	if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(*rehearse.SuiteStep)
		kind   rehearse.Kind
		text   string
	}{
		{"no such program", func(s *rehearse.SuiteStep) { s.Command = []string{"no-such-program"} }, rehearse.Unavailable, "no-such-program is not on this host"},
		{"no such file", func(s *rehearse.SuiteStep) { s.Command = []string{"./none"} }, rehearse.Unavailable, "./none is not an executable file"},
		{"no interpreter", func(s *rehearse.SuiteStep) { s.Command = []string{"./script"} }, rehearse.Unavailable, "start ./script"},
		{"no command", func(s *rehearse.SuiteStep) { s.Command = nil }, rehearse.Invalid, "there is no command"},
		{"no directory", func(s *rehearse.SuiteStep) { s.Dir = filepath.Join(s.Dir, "none") }, rehearse.Invalid, "directory cannot be opened"},
		{"outside", func(s *rehearse.SuiteStep) { s.Artifacts = []string{"../secrets"} }, rehearse.Invalid, `"../secrets" leads out`},
		{"pattern", func(s *rehearse.SuiteStep) { s.Results = []string{"["} }, rehearse.Invalid, `"[" is not a pattern`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := o
			tt.change(&o.Step)
			_, err := suite.Run(t.Context(), o)
			if err == nil || rehearse.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.text) {
				t.Fatalf("error %v of kind %v; want %q of kind %v", err, rehearse.KindOf(err), tt.text, tt.kind)
			}
			var e *rehearse.Error
			if !errors.As(err, &e) || e.Hint == "" {
				t.Error("it has no hint")
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	o := options(t, `echo started; sleep 1000`)
	o.Step.Timeout = rehearse.Duration(50 * time.Millisecond)
	r := run(t, o)
	if !r.TimedOut || r.ExitCode != 128+int(syscall.SIGTERM) {
		t.Errorf("got %+v, want timed out, by SIGTERM", r)
	}
}

func TestTimeoutOfAStubbornGroup(t *testing.T) {
	t.Parallel()
	o := options(t, `trap '' TERM; (echo x >&3; while :; do sleep 1000; done) 3>alive & while :; do sleep 1000; done`)
	alive := witness(t, o)
	o.Step.Timeout = rehearse.Duration(200 * time.Millisecond)
	r := run(t, o)
	if !r.TimedOut || r.ExitCode != 137 {
		t.Errorf("got %+v, want timed out, by SIGKILL", r)
	}
	gone(t, alive)
}

func TestWhatIsLeftRunningEnds(t *testing.T) {
	o := options(t, `{ echo x >&3; exec sleep 1000; } 3>alive & read line <ready; exit 0`)
	if err := syscall.Mkfifo(filepath.Join(o.Step.Dir, "ready"), 0o600); err != nil {
		t.Fatal(err)
	}
	alive := witness(t, o)
	go func() {
		// Opens once the command reads, so that it does not end before
		// the one in the background has begun.
		b := make([]byte, 1)
		for {
			n, err := alive.Read(b)
			if n > 0 {
				break
			}
			if err != io.EOF { // which it says while nobody has the other end
				return
			}
			runtime.Gosched()
		}
		os.WriteFile(filepath.Join(o.Step.Dir, "ready"), []byte("go\n"), 0)
	}()
	if r := run(t, o); r.ExitCode != 0 || r.TimedOut {
		t.Errorf("got %+v", r)
	}
	gone(t, alive)
}

func TestInterrupted(t *testing.T) {
	o := options(t, `(echo x >&3; exec sleep 1000) 3>alive & echo ready; wait`)
	alive := witness(t, o)
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	o.Tee = writer(func([]byte) { cancel(enough) })
	r, err := suite.Run(ctx, o)
	if !errors.Is(err, enough) {
		t.Errorf("error %v, want the cause of the context's end", err)
	}
	if r.TimedOut || r.ExitCode == 0 || r.Output == "" {
		t.Errorf("got %+v", r)
	}
	gone(t, alive)
	if _, err := suite.Run(ctx, o); !errors.Is(err, enough) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// witness is a pipe that stays open as long as a process of the suite has it.
func witness(t *testing.T, o suite.Options) *os.File {
	t.Helper()
	path := filepath.Join(o.Step.Dir, "alive")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func gone(t *testing.T, alive *os.File) {
	t.Helper()
	if err := alive.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, alive); err != nil {
		t.Errorf("a process of the suite is left: %v", err)
	}
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// options run a shell script as the suite e2e in a directory of its own.
func options(t *testing.T, script string) suite.Options {
	t.Helper()
	out := t.TempDir()
	dir, err := filepath.EvalSymlinks(t.TempDir()) // as the shell sees it
	if err != nil {
		t.Fatal(err)
	}
	return suite.Options{
		Step:   rehearse.SuiteStep{Name: "e2e", Command: []string{"/bin/sh", "-c", script}, Dir: dir, Timeout: rehearse.Duration(time.Minute)},
		Env:    []string{"PATH=" + os.Getenv("PATH")},
		OutDir: filepath.Join(out, "suites", "e2e"), RelTo: out,
	}
}

// run runs a suite that can be run. The time it took differs from run to run.
func run(t *testing.T, o suite.Options) rehearse.SuiteResult {
	t.Helper()
	r, err := suite.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if ran := r.Output != ""; ran != (r.Elapsed > 0) {
		t.Errorf("elapsed %v, ran: %v", r.Elapsed, ran)
	}
	r.Elapsed = 0
	return r
}

func output(t *testing.T, o suite.Options) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(o.OutDir, "output.log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func program(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}
