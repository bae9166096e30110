package docker

import (
	"regexp"
	"slices"
	"strings"
)

// steps follows what a builder says, line by line, and remembers for each step its
// title and the last that it said. It understands the engine's own builder
//
//	Step 2/3 : RUN make
//	cc -o main main.c
//
// and BuildKit's plain progress, where steps run beside each other:
//
//	#7 [3/4] RUN make
//	#7 0.412 cc -o main main.c
//	#7 ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 2
type steps struct {
	part   string // of a line that has no end yet
	all    []*step
	failed *step    // the one that says so
	rest   []string // the last lines that belong to no step
}

type step struct {
	key, title string
	lines      []string
}

// lastLines is how much of a step's output is kept.
const lastLines = 20

// Write takes what the builder says.
func (s *steps) Write(p []byte) (int, error) {
	lines := strings.Split(s.part+string(p), "\n")
	s.part = lines[len(lines)-1]
	for _, line := range lines[:len(lines)-1] {
		s.line(strings.TrimRight(line, "\r"))
	}
	return len(p), nil
}

var (
	engineStep = regexp.MustCompile(`^Step \d+/\d+ : (.*)$`)
	plainLine  = regexp.MustCompile(`^#(\d+) (.*)$`)
	plainTime  = regexp.MustCompile(`^\d+\.\d+ `)
)

func (s *steps) line(line string) {
	if m := engineStep.FindStringSubmatch(line); m != nil {
		s.all = append(s.all, &step{title: m[1]})
		return
	}
	if m := plainLine.FindStringSubmatch(line); m != nil {
		at := slices.IndexFunc(s.all, func(x *step) bool { return x.key == m[1] })
		switch {
		case at < 0:
			s.all = append(s.all, &step{key: m[1], title: m[2]})
		case strings.HasPrefix(m[2], "ERROR: "):
			s.failed = s.all[at]
		case plainTime.MatchString(m[2]):
			s.all[at].add(plainTime.ReplaceAllString(m[2], ""))
		}
		return
	}
	if n := len(s.all); n > 0 && s.all[n-1].key == "" {
		s.all[n-1].add(line)
		return
	}
	s.rest = lastOf(append(s.rest, line))
}

func (s *step) add(line string) {
	if strings.HasPrefix(line, " ---> ") || strings.HasPrefix(line, "Removing intermediate container ") || strings.TrimSpace(line) == "" {
		return // the engine's own notes
	}
	s.lines = lastOf(append(s.lines, line))
}

func lastOf(lines []string) []string {
	if over := len(lines) - lastLines; over > 0 {
		return slices.Delete(lines, 0, over)
	}
	return lines
}

// current is the step that failed: the one that said so, or the last.
func (s *steps) current() *step {
	if s.failed == nil && len(s.all) > 0 && s.all[len(s.all)-1].key == "" {
		return s.all[len(s.all)-1]
	}
	return s.failed
}

// title is the failed step's instruction; empty when no step failed.
func (s *steps) title() string {
	if step := s.current(); step != nil {
		return step.title
	}
	return ""
}

// end is the last that the failed step said, or else the builder.
func (s *steps) end() string {
	if step := s.current(); step != nil && len(step.lines) > 0 {
		return strings.Join(step.lines, "\n")
	}
	return s.said()
}

// said is the last that the builder itself said.
func (s *steps) said() string {
	return strings.TrimSpace(strings.Join(lastOf(append(slices.Clone(s.rest), s.part)), "\n"))
}
