package environment

import (
	"io"
	"strings"
	"testing"
	"time"
)

// A line that is too long is cut, and nothing of it is lost.
func TestLongLine(t *testing.T) {
	var got []string
	l := &serviceLog{told: func(_, line string, _ time.Time) { got = append(got, line) }}
	s := l.stream("out")
	long := strings.Repeat("0123456789", maxLine/4)
	io.WriteString(s, "a\r\n"+long)
	io.WriteString(s, "\nb\nend")
	s.flush()
	if all := strings.Join(got, ""); all != "a"+long+"bend" || len(got) != 6 || len(got[1]) != maxLine {
		t.Errorf("%d lines of %d bytes, want 6 of %d", len(got), len(all), len(long)+5)
	}
}
