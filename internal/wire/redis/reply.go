package redis

import "bytes"

// reply follows one answer, or one pushed message, through the bytes without
// keeping any. The zero value stands in front of one.
type reply struct {
	begun  bool
	push   bool // a pushed message and nobody's answer
	newer  bool // a type that only RESP3 has was seen
	queued bool // it was +QUEUED

	top    byte  // the kind of the whole
	first  word  // the beginning of its first string or line
	passed bool  // that has come
	last   int64 // the integer that came last

	left  int64 // values that are still to come
	state replyState
	kind  byte
	n     int64 // the number on the line, or what is left of the data
	minus bool
	chars int // of the line so far
}

type replyState byte

const (
	replyType replyState = iota
	replyLine            // nothing on it matters
	replyNumber
	replyData
)

const queued = "QUEUED\r"

// next takes as much of p as belongs to the answer. It reports whether the
// answer ends there, and whether it could be understood so far.
func (r *reply) next(p []byte) (n int, done, ok bool) {
	if !r.begun {
		*r = reply{begun: true, left: 1, push: p[0] == '>', top: p[0]}
	}
	for i := 0; i < len(p); {
		switch r.state {
		case replyType:
			if !r.kindOf(p[i]) {
				return i, false, false
			}
			i++
		case replyData:
			k := int(min(r.n, int64(len(p)-i)))
			if !r.passed && r.n > 2 {
				r.first.add(p[i : i+min(k, int(r.n-2))])
			}
			i += k
			if r.n -= int64(k); r.n == 0 {
				r.value()
			}
		case replyLine:
			end := bytes.IndexByte(p[i:], '\n') + 1
			line := p[i:]
			if end > 0 {
				line = p[i : i+end]
			}
			r.note(line)
			i += len(line)
			if end > 0 {
				r.value()
			}
		case replyNumber:
			if !r.digit(p[i]) {
				return i, false, false
			}
			i++
		}
		if r.left == 0 {
			r.begun = false
			return i, true, true
		}
	}
	return len(p), false, true
}

func (r *reply) kindOf(c byte) bool {
	r.kind, r.n, r.minus, r.chars, r.queued = c, 0, false, 0, false
	switch c {
	case '+', '-', ':':
		r.state = replyLine
		if c == ':' {
			r.last = 0
		}
	case '_', ',', '#', '(':
		r.state, r.newer = replyLine, true
	case '$', '*':
		r.state = replyNumber
	case '=', '!', '~', '>', '%', '|':
		r.state, r.newer = replyNumber, true
	default:
		return false
	}
	return true
}

// note compares a simple string with +QUEUED, and reads integers.
func (r *reply) note(line []byte) {
	if !r.passed && (r.kind == '+' || r.kind == '-') {
		r.first.add(bytes.TrimRight(line, "\r\n"))
	}
	if r.kind == ':' {
		r.integer(line)
	}
	if r.kind != '+' {
		return
	}
	for _, c := range line {
		switch {
		case c == '\n':
			r.queued = r.chars == len(queued)
			return
		case r.chars < len(queued) && queued[r.chars] == c:
			r.chars++
		default:
			r.chars = len(queued) + 1
		}
	}
}

// integer reads the digits of a line, or a part of it.
func (r *reply) integer(line []byte) {
	for _, c := range line {
		if c >= '0' && c <= '9' {
			r.last = 10*r.last + int64(c-'0')
		}
	}
}

// digit takes one byte of a line with a number. Values without a known end (?),
// which no server sends yet, are not understood.
func (r *reply) digit(c byte) bool {
	switch {
	case c == '-' && r.chars == 0:
		r.minus = true
	case c >= '0' && c <= '9' && r.chars < 13:
		r.n = 10*r.n + int64(c-'0')
	case c == '\r' && r.chars > 0:
	case c == '\n' && r.chars > 0:
		return r.sized()
	default:
		return false
	}
	r.chars++
	return true
}

// sized ends a line with a number.
func (r *reply) sized() bool {
	r.state = replyType
	if r.minus {
		r.value() // a null
		return true
	}
	switch r.kind {
	case '$', '=', '!':
		r.state, r.n = replyData, r.n+2
		return true
	case '%':
		r.left += 2*r.n - 1
	case '|':
		r.left += 2 * r.n // in front of a value, and none itself
	default:
		r.left += r.n - 1
	}
	return r.left < 1<<50
}

func (r *reply) value() {
	r.state = replyType
	r.left--
	r.passed = true
}
