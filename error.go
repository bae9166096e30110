package rehearse

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind is what callers branch on when an error reaches them.
type Kind int

// The kinds of error. The command line turns them into exit codes.
const (
	Internal    Kind = iota // we could not run the rehearsal: exit code 3
	Invalid                 // the user's command or files are wrong: exit code 2
	Unavailable             // the host lacks something: exit code 3
	NotReady                // a service of the user's did not become ready: 1 in a rehearsal, else 3
	Interrupted             // Ctrl-C: exit code 130
)

// Error is an error that a person can act on.
type Error struct {
	Kind Kind
	File string // where, when a file is to blame
	Line int    // counts from 1; 0 when unknown
	Msg  string // what is wrong, as a phrase that starts in lower case
	Hint string // the next step, as a complete sentence
	Err  error  // the cause, if any
}

// Error is "file:line: message: cause", without the hint.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Msg)
	if e.Err != nil {
		if e.Msg != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of the first [*Error] in the chain; Internal if none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Problems are several errors found at once, in the order of the file.
type Problems []*Error

// Error joins the problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, e := range p {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each problem to errors.Is and errors.As.
func (p Problems) Unwrap() []error {
	errs := make([]error, len(p))
	for i, e := range p {
		errs[i] = e
	}
	return errs
}

// Err is nil when there is no problem. It avoids the typed nil.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// Hints are the hints along an error's tree, each once.
func Hints(err error) []string {
	var out []string
	for _, h := range collectHints(err) {
		if !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

func collectHints(err error) []string {
	if err == nil {
		return nil
	}
	var out []string
	if e, ok := err.(*Error); ok && e.Hint != "" {
		out = append(out, e.Hint)
	}
	switch u := err.(type) {
	case interface{ Unwrap() error }:
		out = append(out, collectHints(u.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, e := range u.Unwrap() {
			out = append(out, collectHints(e)...)
		}
	}
	return out
}
