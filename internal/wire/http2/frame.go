package http2

import (
	"encoding/binary"
	"iter"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// preface is how a client begins (RFC 9113, section 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// kind is the type of a frame (RFC 9113, section 6).
type kind byte

const (
	dataFrame         kind = 0
	headersFrame      kind = 1
	rstStreamFrame    kind = 3
	settingsFrame     kind = 4
	pushPromiseFrame  kind = 5
	goAwayFrame       kind = 7
	windowUpdateFrame kind = 8
	continuationFrame kind = 9
)

// The flags of frames. Those of different frames share their bits.
const (
	endStream   = 0x1
	ack         = 0x1
	endHeaders  = 0x4
	padded      = 0x8
	hasPriority = 0x20
)

// The settings that matter here.
const (
	headerTableSize   = 1
	initialWindowSize = 4
)

// The codes of RST_STREAM that are sent here.
const (
	noError       = 0
	internalError = 2
	canceled      = 8
)

const (
	frameHead = 9
	// anyFrame is the longest payload that every receiver takes.
	anyFrame = 16 << 10
	// anyWindow is every window's size before anybody has said another.
	anyWindow = 65535
)

// frame is a frame's head.
type frame struct {
	length int
	kind   kind
	flags  byte
	stream uint32
}

func (f frame) has(flag byte) bool { return f.flags&flag != 0 }

// parse reads a frame's head from the start of b.
func parse(b []byte) frame {
	return frame{
		length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		kind:   kind(b[3]), flags: b[4],
		stream: binary.BigEndian.Uint32(b[5:]) & (1<<31 - 1),
	}
}

func appendHead(b []byte, f frame) []byte {
	b = append(b, byte(f.length>>16), byte(f.length>>8), byte(f.length), byte(f.kind), f.flags)
	return binary.BigEndian.AppendUint32(b, f.stream)
}

func appendNumber(b []byte, k kind, stream, number uint32) []byte {
	return binary.BigEndian.AppendUint32(appendHead(b, frame{length: 4, kind: k, stream: stream}), number)
}

// unit is how many bytes at the start of b are taken together, as far as b tells:
// it may grow until b has them all. It is a header block with all its frames, a
// whole frame whose payload matters, or the head of any other. Nothing that
// begins like b is understood when ok is false.
func unit(b []byte) (n int, ok bool) {
	if len(b) < frameHead {
		return frameHead, true
	}
	f := parse(b)
	n = frameHead
	switch f.kind {
	case dataFrame:
		if f.has(padded) && f.length > 0 {
			n++ // the padding's length decides how long the data is
		}
	case settingsFrame, rstStreamFrame, windowUpdateFrame:
		n += f.length
	case goAwayFrame:
		n += min(f.length, 4) // the last stream
	case headersFrame, pushPromiseFrame:
		n += f.length
		for last := f; !last.has(endHeaders); n += last.length {
			if len(b) < n+frameHead {
				n += frameHead
				break
			}
			last = parse(b[n:])
			if last.kind != continuationFrame || last.stream != f.stream {
				return 0, false
			}
			n += frameHead
		}
	case continuationFrame:
		return 0, false
	}
	return n, n <= wire.MaxHead
}

// opens reports whether p can be the beginning of a side's first frame, or go on
// with it behind so many bytes. It is SETTINGS (RFC 9113, section 3.4). Of
// anything else nothing is kept, as its receiver may wait for that.
func opens(behind int, p []byte) bool {
	const first = "\x00??\x04\x00\x00\x00\x00\x00"
	for i, c := range p {
		if behind+i >= len(first) {
			break
		}
		if want := first[behind+i]; want != '?' && want != c {
			return false
		}
	}
	return true
}

// settings are the names and values in the payload of SETTINGS.
func settings(p []byte) iter.Seq2[uint16, uint32] {
	return func(yield func(uint16, uint32) bool) {
		for ; len(p) >= 6; p = p[6:] {
			if !yield(binary.BigEndian.Uint16(p), binary.BigEndian.Uint32(p[2:])) {
				return
			}
		}
	}
}

// units takes the units from one direction's bytes.
type units struct {
	kept    wire.Kept // the beginning of a unit
	need    int       // how long the unit in kept is at least
	started bool      // the first frame, SETTINGS, was taken
}

// next takes a unit from the start of p. It is nil while it has not all come;
// what there is of it is kept. When ok is false nothing was taken.
func (s *units) next(p []byte) (u, rest []byte, ok bool) {
	if s.kept.Len() == 0 {
		n, ok := unit(p)
		if !ok {
			return nil, p, false
		}
		if n <= len(p) {
			return p[:n], p[n:], true
		}
		s.need = frameHead
	}
	for {
		n := min(len(p), s.need-s.kept.Len())
		b := s.kept.Add(p[:n])
		p = p[n:]
		if len(b) < s.need {
			return nil, nil, true
		}
		if n, ok = unit(b); !ok {
			return nil, p, false
		}
		if n == len(b) {
			return s.kept.Take(), p, true
		}
		s.need = n
	}
}
