// Package suite runs one of the team's own test commands and keeps what it said.
//
// [Run] is all there is to call. It starts the command in the suite's directory
// with exactly the environment that it is given, keeps its output, ends it when
// its time is up, reads the results that it wrote and copies what it left behind.
// It judges nothing: a command that exits with 0 although its results hold
// failures is reported with both facts.
//
// # Skipping
//
// A suite is skipped, with a reason, when a program that it needs is not in the
// PATH of its environment, or when its command exits with 77, which is how a test
// tells automake that it could not run. The last line of the output is then the
// reason.
//
// # Ending
//
// The command runs in a process group of its own. When its time is up or the
// context ends, the whole group gets SIGTERM and, two seconds later, SIGKILL. What
// the command leaves running in its group when it exits is ended in the same way,
// so that nothing survives a suite except what has made a session of its own. On
// Linux the kernel also kills the command itself should this process die.
//
// # Results
//
// Results are JUnit XML or CTRF JSON (https://ctrf.io), told apart by their first
// character. Only files that the command wrote count: one that was there before
// and has not changed speaks of another run. A file of more than 64 MiB is not
// read.
//
// # Artifacts
//
// Artifacts are files and whole directories, named by path or by a pattern of
// package path/filepath, and copied as they are when the command has ended, older
// files too. Nothing outside of the suite's directory is copied: a symbolic link
// to a file inside becomes that file, every other one is left out, and so are
// devices, sockets and pipes. Results and artifacts of one suite may have 256 MiB
// together; files that do not fit are left out.
//
// What was left out, not found or not readable is said at the end of the suite's
// output, in lines that start with "rehearse: ".
package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Options say what to run and where to put what it leaves.
type Options struct {
	// Step is the suite. The values of its Env are used as they are.
	Step rehearse.SuiteStep
	// Env is the environment that the step's own is added to, as "NAME=value".
	Env []string
	// OutDir is the directory, absolute, for output.log and the directories
	// results and artifacts. Run makes it. Two suites need two of them.
	OutDir string
	// RelTo is the directory that the paths in the result are relative to.
	RelTo string
	// Tee also gets the output, as it comes. It may be nil. It is written to
	// from one goroutine; its errors are ignored.
	Tee io.Writer
	// Filter is between the suite and every file that is kept of it, to take secrets
	// out; it is closed before the file is. Nil: all is kept as it is.
	Filter func(io.Writer) io.WriteCloser
}

// skipCode is the exit code by which a test says that it could not run.
const skipCode = 77

// Run runs the suite and returns when everything that it started has ended. That
// the suite failed is no error. An error of kind Unavailable says that the command
// is not on this host, one of kind Invalid that the step cannot be right. When ctx
// ends, the error is its cause, and the result holds what there is so far.
func Run(ctx context.Context, o Options) (rehearse.SuiteResult, error) {
	r := rehearse.SuiteResult{Step: o.Step.Name}
	wrap := func(err error) error { return fmt.Errorf("run suite %q: %w", o.Step.Name, err) }
	if ctx.Err() != nil {
		return r, wrap(context.Cause(ctx))
	}
	if err := check(o.Step); err != nil {
		return r, err
	}
	env := environ(o)
	if names := missing(o.Step.Needs, env, o.Step.Dir); len(names) > 0 {
		r.Skipped = needs(names)
		return r, nil
	}
	program, ok := find(o.Step.Command[0], env, o.Step.Dir)
	if !ok {
		return r, noProgram(o.Step)
	}

	root, err := os.OpenRoot(o.Step.Dir)
	if err != nil {
		return r, noDirectory(o.Step, err)
	}
	defer root.Close()
	before := snapshot(root, o.Step.Results)

	k, err := newKeeper(o)
	if err != nil {
		return r, wrap(err)
	}
	defer k.close()
	r.Output = k.relative(k.log.Name())
	start := time.Now()
	e, err := run(ctx, command{path: program, args: o.Step.Command, dir: o.Step.Dir, env: env, timeout: time.Duration(o.Step.Timeout)}, k)
	if err != nil {
		return r, noStart(o.Step, err)
	}
	r.Elapsed = rehearse.Duration(time.Since(start))
	r.ExitCode, r.TimedOut = e.code, e.timedOut

	tail := k.tail.last()
	switch {
	case e.code == skipCode && !e.timedOut && !e.interrupted:
		r.Skipped = reason(tail)
	case e.code != 0 || e.timedOut:
		r.Tail = tail
	}
	for _, name := range k.fresh(root, o.Step.Results, before) {
		r.Tests = append(r.Tests, k.read(root, name)...)
		r.Artifacts = append(r.Artifacts, k.copy(root, name, "results")...)
	}
	if r.Skipped == "" {
		for _, name := range k.match(root, o.Step.Artifacts) {
			r.Artifacts = append(r.Artifacts, k.copy(root, name, "artifacts")...)
		}
	}
	r.Notes = k.notes
	if err := k.close(); err != nil {
		return r, wrap(err)
	}
	if e.interrupted {
		return r, wrap(context.Cause(ctx))
	}
	return r, nil
}

// check finds what is wrong with a step before anything is started.
func check(s rehearse.SuiteStep) error {
	var p rehearse.Problems
	invalid := func(hint, format string, args ...any) {
		p = append(p, &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("suite %q: ", s.Name) + fmt.Sprintf(format, args...), Hint: hint})
	}
	if len(s.Command) == 0 || s.Command[0] == "" {
		invalid("Give it a command, as in [npm, test].", "there is no command")
	}
	for _, pattern := range slices.Concat(s.Results, s.Artifacts) {
		if !filepath.IsLocal(pattern) {
			invalid("Write it relative to the suite's directory, or give the suite a directory that holds it.", "%q leads out of the suite's directory", pattern)
		}
		if _, err := filepath.Match(pattern, ""); err != nil {
			invalid("See https://pkg.go.dev/path/filepath#Match for what a pattern may hold.", "%q is not a pattern", pattern)
		}
	}
	if len(p) == 1 {
		return p[0]
	}
	return p.Err()
}

// environ is the environment of the command. The last of several values of a
// variable is the one that counts, as package os/exec has it.
func environ(o Options) []string {
	env := append(slices.Clone(o.Env), "PWD="+o.Step.Dir)
	for _, name := range slices.Sorted(maps.Keys(o.Step.Env)) {
		env = append(env, name+"="+o.Step.Env[name])
	}
	return env
}

// reason is why a suite that skipped itself did so.
func reason(tail []string) string {
	for _, line := range slices.Backward(tail) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return "its command exited with 77, which means that it could not run, and did not say why"
}

func noProgram(s rehearse.SuiteStep) error {
	name := s.Command[0]
	e := &rehearse.Error{
		Kind: rehearse.Unavailable, Msg: fmt.Sprintf("suite %q: the program %s is not on this host", s.Name, name),
		Hint: fmt.Sprintf("Install %s, or add it to the suite's needs: the suite is then skipped where it is missing.", name),
	}
	if strings.ContainsRune(name, filepath.Separator) {
		e.Msg = fmt.Sprintf("suite %q: %s is not an executable file", s.Name, name)
		e.Hint = "The path is relative to the suite's directory. Build or install what it names, and make it executable."
	}
	return e
}

func noStart(s rehearse.SuiteStep, err error) error {
	e := &rehearse.Error{Kind: rehearse.Unavailable, Msg: fmt.Sprintf("suite %q: start %s", s.Name, s.Command[0]), Err: err}
	if errors.Is(err, fs.ErrNotExist) {
		e.Hint = "The file exists, so it is a script whose first line names an interpreter that does not."
	}
	return e
}

func noDirectory(s rehearse.SuiteStep, err error) error {
	return &rehearse.Error{
		Kind: rehearse.Invalid, Msg: fmt.Sprintf("suite %q: its directory cannot be opened", s.Name), Err: err,
		Hint: "Correct the suite's dir in rehearse.yaml; it is relative to the project directory.",
	}
}
