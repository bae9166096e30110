package http

import (
	"bytes"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// traceparent is the header with a request's trace context.
const traceparent = "traceparent"

// headEnd is where the head at the start of b ends, its empty line included, or
// 0 if it has not come yet. Nothing before from can be the end. A lone LF ends a
// line, too (RFC 9112, section 2.2).
func headEnd(b []byte, from int) int {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return 0
		}
		from += i + 1
		switch rest := b[from:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return from + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return from + 2
		}
	}
}

// head is what a head says about what follows it, and of a request whose it is.
type head struct {
	lines []byte // the header's lines, without the empty one
	minor byte   // of the version: '0' or '1'

	chunked bool  // the last transfer coding
	coded   bool  // there is another transfer coding
	length  int64 // Content-Length; -1: none
	close   bool  // Connection: close
	alive   bool  // Connection: keep-alive
	upgrade bool
	expects bool // Expect: 100-continue

	host, agent []byte
	context, b3 []byte // of the last traceparent and b3
	contexts    int    // how many traceparents; one that goes on in another line counts twice
}

// request is a request's head.
type request struct {
	head
	method, path []byte
}

// response is a response's head.
type response struct {
	head
	status int
}

const maxMethod = 32

// couldBeRequest reports whether b can be the beginning of a request, so that
// another protocol's bytes are not kept while its server waits for them.
func couldBeRequest(b []byte) bool {
	for i, c := range b {
		if c == ' ' {
			break
		}
		if i == maxMethod || !ofMethod(c) {
			return false
		}
	}
	line, _, whole := bytes.Cut(b, lf)
	if !whole {
		return true
	}
	_, _, _, ok := requestLine(line)
	return ok
}

func ofMethod(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_'
}

// couldBeResponse is couldBeRequest's other side.
func couldBeResponse(b []byte) bool {
	const version = "HTTP/1."
	n := min(len(b), len(version))
	return string(b[:n]) == version[:n]
}

var lf = []byte("\n")

func requestLine(line []byte) (method, target []byte, minor byte, ok bool) {
	line = bytes.TrimSuffix(line, []byte("\r"))
	a, z := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if a <= 0 || z <= a+1 || a > maxMethod {
		return nil, nil, 0, false
	}
	for _, c := range line[:a] {
		if !ofMethod(c) {
			return nil, nil, 0, false
		}
	}
	minor, ok = version(line[z+1:])
	return line[:a], line[a+1 : z], minor, ok
}

func version(b []byte) (minor byte, ok bool) {
	if len(b) != len("HTTP/1.1") || string(b[:7]) != "HTTP/1." || b[7] != '0' && b[7] != '1' {
		return 0, false
	}
	return b[7], true
}

// parseRequest reads a whole head.
func parseRequest(b []byte, r *request) bool {
	line, lines, _ := bytes.Cut(b, lf)
	method, target, minor, ok := requestLine(line)
	if !ok {
		return false
	}
	r.method, r.path = method, path(target)
	return r.head.parse(lines, minor) && (!r.coded || r.chunked)
}

// parseResponse reads a whole head.
func parseResponse(b []byte, r *response) bool {
	line, lines, _ := bytes.Cut(b, lf)
	if len(line) < len("HTTP/1.1 200") || line[8] != ' ' {
		return false
	}
	minor, ok := version(line[:8])
	if !ok {
		return false
	}
	r.status = 0
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return false
		}
		r.status = 10*r.status + int(c-'0')
	}
	return r.status >= 100 && r.head.parse(lines, minor)
}

// path is a request's target without its query, and without what stands in
// front of the path when it is sent to a proxy.
func path(target []byte) []byte {
	if i := bytes.IndexAny(target, "?#"); i >= 0 {
		target = target[:i]
	}
	if i := bytes.Index(target, []byte("://")); i > 0 && target[0] != '/' {
		target = target[i+3:]
		if i := bytes.IndexByte(target, '/'); i >= 0 {
			return target[i:]
		}
		return []byte("/")
	}
	return target
}

// parse reads a header's lines with the empty line behind them.
func (h *head) parse(b []byte, minor byte) bool {
	*h = head{minor: minor, length: -1}
	all := b
	before := 0 // contexts in front of the last field
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n') + 1
		line := b[:end]
		if line[0] == '\n' || line[0] == '\r' {
			h.lines = all[:len(all)-len(b)]
			return true
		}
		b = b[end:]
		if line[0] == ' ' || line[0] == '\t' {
			// The line before goes on (obs-fold). None that matters here does.
			if h.contexts > before {
				h.contexts++
			}
			continue
		}
		before = h.contexts
		i := bytes.IndexByte(line, ':')
		if i <= 0 || line[i-1] == ' ' || line[i-1] == '\t' || !h.note(line[:i], bytes.TrimSpace(line[i+1:])) {
			return false
		}
	}
	return false
}

// note takes down a header that matters. It reports whether the framing can still
// be told.
func (h *head) note(name, value []byte) bool {
	switch len(name) {
	case len("b3"):
		if is(name, "b3") {
			h.b3 = value
		}
	case len("host"):
		if is(name, "host") {
			h.host = value
		}
	case len(traceparent):
		if is(name, traceparent) {
			h.context = value
			h.contexts++
		}
	case len("content-length"):
		if is(name, "content-length") {
			n, ok := decimal(value)
			if !ok || h.length >= 0 && h.length != n {
				return false
			}
			h.length = n
		}
	case len("transfer-encoding"):
		if is(name, "transfer-encoding") {
			for v := range bytes.SplitSeq(value, comma) {
				h.coded, h.chunked = true, is(bytes.TrimSpace(v), "chunked")
			}
		}
	case len("connection"): // as long as user-agent
		if is(name, "user-agent") {
			h.agent = value
		}
		if is(name, "connection") {
			for v := range bytes.SplitSeq(value, comma) {
				v = bytes.TrimSpace(v)
				h.close = h.close || is(v, "close")
				h.alive = h.alive || is(v, "keep-alive")
			}
		}
	case len("upgrade"):
		h.upgrade = h.upgrade || is(name, "upgrade")
	case len("expect"):
		h.expects = h.expects || is(name, "expect") && is(value, "100-continue")
	}
	return true
}

var comma = []byte(",")

// traceparent is the value of the traceparent, or nil unless there is one that is
// well formed.
func (h *head) traceparent() []byte {
	if _, ok := wire.ParseContext(h.context); !ok || h.contexts != 1 {
		return nil
	}
	return h.context
}

// parent is the trace context, or zero where there is none.
func (h *head) parent() wire.Context {
	if c, ok := wire.ParseContext(h.context); ok && h.contexts == 1 {
		return c
	}
	c, _ := wire.ParseB3(h.b3)
	return c
}

// is compares in ASCII without regard to case. Lower is in lower case.
func is(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func decimal(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// last reports whether the connection ends after the message.
func (h *head) last() bool { return h.close || h.minor == '0' && !h.alive }

// body is what follows a request's head.
func (r *request) body() body {
	switch {
	case r.chunked:
		return body{kind: chunked}
	case r.length > 0:
		return body{kind: counted, left: r.length}
	}
	return body{}
}

// body is what follows a response's head.
func (r *response) body(toHead bool) body {
	switch {
	case toHead || r.status < 200 || r.status == 204 || r.status == 304:
		return body{}
	case r.chunked:
		return body{kind: chunked}
	case r.coded || r.length < 0:
		return body{kind: endless}
	case r.length > 0:
		return body{kind: counted, left: r.length}
	}
	return body{}
}
