package docker

import (
	"fmt"
	"io"
	"strings"
)

// The exit codes of a command that could not be run, as shells have them.
const (
	codeUnrunnable = 126
	codeNotFound   = 127
)

// unrunnable is why a command could not be run.
type unrunnable struct {
	code int
	why  string
}

// unrunnableFrom reads what an engine says in the place of a command that its
// runtime, runc or crun, could not run. ok is false for other words.
func unrunnableFrom(said string) (u unrunnable, ok bool) {
	said = strings.ToLower(said)
	if !strings.Contains(said, "oci runtime") || !strings.Contains(said, `exec: "`) && !strings.Contains(said, "executable file") {
		return u, false
	}
	for _, why := range []string{"permission denied", "exec format error", "is a directory"} {
		if strings.Contains(said, why) {
			return unrunnable{codeUnrunnable, why}, true
		}
	}
	if strings.Contains(said, "not found") || strings.Contains(said, "no such file") {
		return unrunnable{codeNotFound, "there is no such program"}, true
	}
	return u, false
}

// say tells it to whoever asked for the command, and returns its exit code.
func (u unrunnable) say(q execRequest) int {
	to := orDiscard(q.Stderr)
	if q.Stderr == nil {
		to = orDiscard(q.Stdout)
	}
	fmt.Fprintf(to, "%s cannot be run: %s\n", q.Args[0], u.why)
	return u.code
}

// firstWords passes output on, but holds back what may be an engine's excuse for a
// command that could not be run: that comes as the command's own output, and alone.
type firstWords struct {
	to      io.Writer
	held    []byte
	through bool
}

// excuse is how all of them begin, and maxExcuse is longer than any.
const (
	excuse    = "OCI runtime"
	maxExcuse = 4 << 10
)

func (f *firstWords) Write(p []byte) (int, error) {
	if f.through {
		return f.to.Write(p)
	}
	f.held = append(f.held, p...)
	n := min(len(f.held), len(excuse))
	if string(f.held[:n]) == excuse[:n] && len(f.held) < maxExcuse {
		return len(p), nil
	}
	return len(p), f.flush()
}

// flush passes on what was held back.
func (f *firstWords) flush() error {
	f.through = true
	held := f.held
	f.held = nil
	if len(held) == 0 {
		return nil
	}
	_, err := f.to.Write(held)
	return err
}
