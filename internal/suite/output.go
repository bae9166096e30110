package suite

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

const (
	tailLines = 20
	lineBytes = 2000 // of one line in the tail
)

// tail keeps the last lines of what is written to it.
type tail struct {
	lines   []string
	partial []byte // the line that has not ended, no more than is kept of it
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	for {
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		t.partial = append(t.partial, line[:min(len(line), lineBytes-len(t.partial))]...)
		if !ended {
			return n, nil
		}
		t.push()
		p = rest
	}
}

func (t *tail) push() {
	if len(t.lines) == tailLines {
		t.lines = slices.Delete(t.lines, 0, 1)
	}
	t.lines = append(t.lines, plain(string(t.partial)))
	t.partial = t.partial[:0]
}

// last are the last lines, after the last write.
func (t *tail) last() []string {
	if len(t.partial) > 0 {
		t.push()
	}
	return t.lines
}

// escape is a terminal's control sequence (ECMA-48): colours, cursor movements,
// titles.
var escape = regexp.MustCompile("\x1b(\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(\x07|\x1b\\\\)|[@-Z\\\\^_])")

// plain is a line as a report can show it. Of a line that was written over, as
// progress bars are, it is the last state.
func plain(line string) string {
	line = strings.TrimRight(escape.ReplaceAllString(line, ""), "\r")
	line = line[strings.LastIndexByte(line, '\r')+1:]
	return strings.ToValidUTF8(line, "\uFFFD")
}
