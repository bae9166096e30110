package http

import (
	"bytes"

	"github.com/rehearse-dev/rehearse"
)

// linesOf is how many bytes the lines of one header take.
func linesOf(lines []byte, name string) (n int) {
	eachField(lines, func(field []byte) {
		if named(field, name) {
			n += len(field)
		}
	})
	return n
}

// without hands out a head but for the fields that faults drop. The lines are a
// part of h.
func without(h, lines []byte, drop []*rehearse.Fault, emit func([]byte)) {
	start := bytes.IndexByte(h, '\n') + 1 // the lines stand behind the first
	emit(h[:start])
	eachField(lines, func(field []byte) {
		for _, f := range drop {
			if named(field, f.Header) {
				return
			}
		}
		emit(field)
	})
	emit(h[start+len(lines):])
}

// eachField calls f with each field of a head: a line and those that go on with
// it (obs-fold).
func eachField(lines []byte, f func([]byte)) {
	for len(lines) > 0 {
		end := 0
		for {
			end += bytes.IndexByte(lines[end:], '\n') + 1
			if end == len(lines) || lines[end] != ' ' && lines[end] != '\t' {
				break
			}
		}
		f(lines[:end])
		lines = lines[end:]
	}
}

func named(field []byte, name string) bool {
	return len(field) > len(name) && field[len(name)] == ':' && bytes.EqualFold(field[:len(name)], []byte(name))
}
