package http

import (
	"bytes"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
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

// rewrite hands out b, which is a head, but for the fields that faults drop. With
// a context, which is a line, its value takes the place of the request's own where
// that is well formed, and else the line stands behind all others in its stead.
func rewrite(b []byte, h *head, drop []*rehearse.Fault, context []byte, emit func([]byte)) {
	start := bytes.IndexByte(b, '\n') + 1 // the lines stand behind the first
	emit(b[:start])
	own := h.traceparent()
	eachField(h.lines, func(field []byte) {
		for _, f := range drop {
			if named(field, f.Header) {
				return
			}
		}
		if context == nil || !named(field, traceparent) {
			emit(field)
			return
		}
		if own != nil {
			i := bytes.Index(field, own)
			emit(field[:i])
			emit(context[len(traceparent+": "):][:wire.ContextSize])
			emit(field[i+len(own):])
		}
	})
	if own == nil {
		emit(context)
	}
	emit(b[start+len(h.lines):])
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
