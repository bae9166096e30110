package http

// body follows a message's body through the bytes without keeping any. The zero
// value is no body.
type body struct {
	kind  bodyKind
	state chunkState
	left  int64 // of the counted body, or of the chunk
	size  int   // digits of the chunk's size so far
}

type bodyKind byte

const (
	none    bodyKind = iota
	counted          // Content-Length
	chunked
	endless // until the connection ends
)

// chunkState is what comes next in a chunked body.
type chunkState byte

const (
	chunkSize chunkState = iota
	chunkExtension
	chunkSizeEnd // LF after CR
	chunkData
	chunkDataEnd // CR LF or LF
	chunkDataLF
	trailerStart
	trailer
	trailerEnd // LF after the CR of an empty line
)

// run is how many bytes at the start of p are of one sort.
type run struct {
	n       int
	payload bool // and not framing
	done    bool // the body ends behind it
	bad     bool // the framing cannot be understood from here on
}

// next takes the first run of p, which is not empty unless the body is none.
func (b *body) next(p []byte) run {
	switch b.kind {
	case none:
		return run{done: true}
	case endless:
		return run{n: len(p), payload: true}
	case counted:
		n := b.take(p)
		return run{n: n, payload: true, done: b.left == 0}
	}
	if b.state == chunkData {
		n := b.take(p)
		if b.left == 0 {
			b.state = chunkDataEnd
		}
		return run{n: n, payload: true}
	}
	for i, c := range p {
		if !b.step(c) {
			return run{n: i, bad: true}
		}
		if b.kind == none {
			return run{n: i + 1, done: true}
		}
		if b.state == chunkData {
			return run{n: i + 1}
		}
	}
	return run{n: len(p)}
}

func (b *body) take(p []byte) int {
	n := int(min(int64(len(p)), b.left))
	b.left -= int64(n)
	return n
}

// step takes one byte of a chunked body's framing. It ends the body by making
// it none.
func (b *body) step(c byte) bool {
	switch b.state {
	case chunkSize:
		if d, ok := hex(c); ok {
			b.left = b.left<<4 | int64(d)
			b.size++
			return b.size <= 15 // more would not fit
		}
		if b.size == 0 {
			return false
		}
		switch c {
		case '\r':
			b.state = chunkSizeEnd
		case '\n':
			b.sized()
		case ';', ' ', '\t':
			b.state = chunkExtension
		default:
			return false
		}
	case chunkExtension:
		if c == '\n' {
			b.sized()
		}
	case chunkSizeEnd:
		if c != '\n' {
			return false
		}
		b.sized()
	case chunkDataEnd:
		if c == '\r' {
			b.state = chunkDataLF
			return true
		}
		b.state = chunkSize
		return c == '\n'
	case chunkDataLF:
		b.state = chunkSize
		return c == '\n'
	case trailerStart:
		switch c {
		case '\r':
			b.state = trailerEnd
		case '\n':
			b.kind = none
		default:
			b.state = trailer
		}
	case trailer:
		if c == '\n' {
			b.state = trailerStart
		}
	case trailerEnd:
		b.kind = none
		return c == '\n'
	}
	return true
}

// sized ends the line with a chunk's size.
func (b *body) sized() {
	b.size = 0
	b.state = chunkData
	if b.left == 0 {
		b.state = trailerStart
	}
}

func hex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
