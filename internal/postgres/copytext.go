package postgres

import (
	"bytes"
	"fmt"

	"github.com/rehearse-dev/rehearse/internal/measure"
)

// copyText takes apart what COPY … TO STDOUT sends in its text format, and hands
// on each row. Its memory is used again for the next.
//
// A row is a line, its values are separated by tabs, and NULL is \N. Backslash
// stands before b, f, n, r, t, v for the control character, before up to three
// octal or x and two hexadecimal digits for a byte, and before anything else for
// that itself.
type copyText struct {
	columns int
	each    func(measure.Row) error
	row     measure.Row
	rest    []byte // of a line that has not ended
	plain   []byte // values that had escapes
}

// Write takes the next piece, which need not end with a line.
func (c *copyText) Write(p []byte) (int, error) {
	n := len(p)
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			c.rest = append(c.rest, p...)
			return n, nil
		}
		line := p[:end]
		if len(c.rest) > 0 {
			c.rest = append(c.rest, line...)
			line = c.rest
		}
		if err := c.line(line); err != nil {
			return 0, err
		}
		c.rest, p = c.rest[:0], p[end+1:]
	}
}

func (c *copyText) line(line []byte) error {
	c.row = c.row[:0]
	escaped := bytes.IndexByte(line, '\\') >= 0
	// No value is longer than its escaped form, so that plain stays where it is
	// while slices of it are handed out.
	if c.plain = c.plain[:0]; escaped && cap(c.plain) < len(line) {
		c.plain = make([]byte, 0, 2*len(line))
	}
	for {
		value, more, found := bytes.Cut(line, []byte{'\t'})
		if escaped {
			value = c.unescape(value)
		}
		c.row = append(c.row, value)
		if !found {
			break
		}
		line = more
	}
	if c.columns == 0 && len(c.row) == 1 && len(c.row[0]) == 0 {
		c.row = c.row[:0]
	}
	if len(c.row) != c.columns {
		return fmt.Errorf("a row of %d values came instead of %d", len(c.row), c.columns)
	}
	return c.each(c.row)
}

func (c *copyText) unescape(value []byte) []byte {
	if len(value) == 2 && value[0] == '\\' && value[1] == 'N' {
		return nil
	}
	i := bytes.IndexByte(value, '\\')
	if i < 0 {
		return value
	}
	from := len(c.plain)
	for i >= 0 && i+1 < len(value) {
		c.plain = append(c.plain, value[:i]...)
		b, n := escape(value[i+1:])
		c.plain = append(c.plain, b)
		value = value[i+1+n:]
		i = bytes.IndexByte(value, '\\')
	}
	c.plain = append(c.plain, value...)
	return c.plain[from:len(c.plain):len(c.plain)]
}

// escape reads what stands behind a backslash, and says how long it is.
func escape(s []byte) (b byte, n int) {
	switch s[0] {
	case 'b':
		return '\b', 1
	case 'f':
		return '\f', 1
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 't':
		return '\t', 1
	case 'v':
		return '\v', 1
	}
	// The server writes no digits, but the format has them.
	base, digits := 8, s[:min(3, len(s))]
	if s[0] == 'x' {
		base, digits = 16, s[1:min(3, len(s))]
	}
	value := 0
	for n < len(digits) {
		d := digit(digits[n])
		if d >= base {
			break
		}
		value = value*base + d
		n++
	}
	switch {
	case n == 0:
		return s[0], 1
	case base == 16:
		n++
	}
	return byte(value), n
}

func digit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return 99
}
