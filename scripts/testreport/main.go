// Command testreport turns the output of "go test -json" into something to read.
//
//	go test -json ./... | testreport -skips scripts/expected-skips.txt
//	testreport check NAME COMMAND [ARG...]
//
// The first form prints a line for each package, the output of what failed, and
// every skip with its reason. It ends 1 when something failed, or when a test was
// skipped for a reason that the file does not expect: a test that did not run has
// shown nothing. Its last line is "N passed, N failed, N skipped".
//
// The second form runs a command that is not a Go test and writes its outcome in
// the format that the first form reads.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

func main() {
	if len(os.Args) > 3 && os.Args[1] == "check" {
		os.Exit(check(os.Stdout, os.Args[2], os.Args[3:]))
	}
	skips := flag.String("skips", "", "a `file` of the skips that are expected")
	flag.Parse()
	expected, err := readSkips(*skips)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(2)
	}
	r := &report{out: os.Stdout, expected: expected, output: map[test]*strings.Builder{}}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(2)
	}
	if !r.end() {
		os.Exit(1)
	}
}

// event is a line of "go test -json"; see "go doc test2json" and "go help
// buildjson".
type event struct {
	Action      string  `json:"Action"`
	Package     string  `json:"Package,omitempty"`
	ImportPath  string  `json:"ImportPath,omitempty"`
	Test        string  `json:"Test,omitempty"`
	Elapsed     float64 `json:"Elapsed,omitempty"`
	Output      string  `json:"Output,omitempty"`
	FailedBuild string  `json:"FailedBuild,omitempty"`
}

// check runs a command and writes what became of it as one test.
func check(w io.Writer, name string, args []string) int {
	start := time.Now()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	action, code := "pass", 0
	if err != nil {
		action, code = "fail", 1
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
			out = append(out, err.Error()+"\n"...)
		}
	}
	enc := json.NewEncoder(w)
	for line := range strings.Lines(string(out)) {
		_ = enc.Encode(event{Action: "output", Package: "lint", Test: name, Output: line}) // a closed pipe ends us anyway
	}
	_ = enc.Encode(event{Action: action, Package: "lint", Test: name, Elapsed: time.Since(start).Seconds()})
	return code
}

// skip is one kind of skip that is expected.
type skip struct{ test, reason *regexp.Regexp }

// readSkips reads lines of two regular expressions with two spaces or more
// between them: the test's name, and its reason.
func readSkips(file string) ([]skip, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out []skip
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, ok := strings.Cut(line, "  ")
		if !ok {
			return nil, fmt.Errorf("%s:%d: a line is a test, two spaces, and a reason", file, n)
		}
		var s skip
		if s.test, err = regexp.Compile("^(?:" + name + ")$"); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
		if s.reason, err = regexp.Compile(strings.TrimSpace(reason)); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// test names a test; without a name it is its package, and a build has only the
// import path.
type test struct{ pkg, name string }

func (t test) String() string {
	pkg := strings.TrimPrefix(t.pkg, "github.com/rehearse-dev/rehearse/")
	if t.name == "" {
		return pkg
	}
	return pkg + "." + t.name
}

// report is what is known so far.
type report struct {
	out      io.Writer
	expected []skip
	output   map[test]*strings.Builder // of what has not ended yet

	passed, failed, skipped int
	failedIn                map[string]int // tests of a package that have failed
	skips, unexpected       []string
	failures                []string
}

func (r *report) read(in io.Reader) error {
	r.failedIn = map[string]int{}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
				fmt.Fprint(r.out, line) // not the format: what the go command itself has to say
			} else {
				r.take(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) take(e event) {
	t := test{e.Package, e.Test}
	switch e.Action {
	case "output":
		r.said(t).WriteString(e.Output)
	case "build-output":
		r.said(test{pkg: e.ImportPath}).WriteString(e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(t, e)
			return
		}
		r.endTest(t, e)
	}
}

func (r *report) said(t test) *strings.Builder {
	if r.output[t] == nil {
		r.output[t] = &strings.Builder{}
	}
	return r.output[t]
}

func (r *report) endTest(t test, e event) {
	said := r.said(t).String()
	delete(r.output, t)
	switch e.Action {
	case "pass":
		r.passed++
		if e.Package == "lint" {
			fmt.Fprintf(r.out, "ok    %-60s %6.1fs\n", t, e.Elapsed)
		}
	case "skip":
		r.skipped++
		reason := reasonOf(said)
		line := t.String() + ": " + reason
		r.skips = append(r.skips, line)
		if !r.expects(t, reason) {
			r.unexpected = append(r.unexpected, line)
		}
	case "fail":
		r.fail(t, said)
	}
}

func (r *report) fail(t test, said string) {
	r.failed++
	r.failedIn[t.pkg]++
	r.failures = append(r.failures, t.String())
	fmt.Fprintf(r.out, "FAIL  %s\n%s\n", t, indent(said))
}

func (r *report) endPackage(t test, e event) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(r.out, "ok    %-60s %6.1fs\n", t, e.Elapsed)
	case "fail":
		// A test that never ended: the package panicked, or ran out of time.
		for of, said := range r.output {
			if of.pkg == t.pkg && of.name != "" {
				r.fail(of, said.String())
				delete(r.output, of)
			}
		}
		said := r.said(t).String()
		if e.FailedBuild != "" {
			said = r.said(test{pkg: e.FailedBuild}).String() + said
		}
		if r.failedIn[t.pkg] == 0 { // it did not build, or failed outside its tests
			r.fail(t, said)
		} else {
			fmt.Fprintf(r.out, "FAIL  %-60s %6.1fs\n%s", t, e.Elapsed, indent(notable(said)))
		}
	}
	delete(r.output, t)
}

// notable is a package's own output without the lines that every package ends
// with; a data race or a panic is left.
func notable(said string) string {
	var out strings.Builder
	for line := range strings.Lines(said) {
		switch {
		case strings.HasPrefix(line, "FAIL"), strings.HasPrefix(line, "-test.shuffle"), strings.HasPrefix(line, "exit status"):
		default:
			out.WriteString(line)
		}
	}
	return out.String()
}

func indent(s string) string {
	if s = strings.TrimRight(s, "\n"); s == "" {
		return ""
	}
	return "      " + strings.ReplaceAll(s, "\n", "\n      ") + "\n"
}

// reasonOf is what a skipped test has said, without the frame around it.
func reasonOf(said string) string {
	var words []string
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		words = append(words, place.ReplaceAllString(line, ""))
	}
	if len(words) == 0 {
		return "it does not say why"
	}
	return strings.Join(words, " ")
}

var place = regexp.MustCompile(`^[\w.]+\.go:\d+: `)

func (r *report) expects(t test, reason string) bool {
	for _, s := range r.expected {
		if s.test.MatchString(t.String()) && s.reason.MatchString(reason) {
			return true
		}
	}
	return false
}

// end prints what is to be known of the whole and says whether all is well.
func (r *report) end() bool {
	list := func(title string, lines []string) {
		if len(lines) > 0 {
			fmt.Fprintf(r.out, "\n%s\n      %s\n", title, strings.Join(lines, "\n      "))
		}
	}
	list("Skipped:", r.skips)
	list("Failed:", r.failures)
	list("Skipped, and nobody expected it; make it run, or say why not in expected-skips.txt:", r.unexpected)
	fmt.Fprintf(r.out, "\n%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	return r.failed == 0 && len(r.unexpected) == 0 && r.passed > 0
}
