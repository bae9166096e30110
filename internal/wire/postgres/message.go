package postgres

import (
	"bytes"
	"encoding/binary"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// Codes in place of a version at the start of a connection.
const (
	version3  = 3
	cancel    = 80877102
	askSSL    = 80877103
	askGSS    = 80877104
	maxStart  = 10000   // the server's own bound
	maxLength = 1 << 30 // the server's own bound
)

// message is the beginning of a message from the client.
type message struct {
	kind byte // 0: of the startup
	body []byte
	n    int // bytes of it that were read: all, or wire.MaxHead
	left int // bytes that are still to come
}

// outcome is how reading went.
type outcome int

const (
	more outcome = iota // the rest is needed
	ready
	bad
)

// parse reads a message from the start of b. Of those that no decision is about
// it reads the head only.
func (m *message) parse(b []byte) outcome {
	if len(b) < 5 {
		if len(b) > 0 && !ofClient(b[0]) {
			return bad
		}
		return more
	}
	*m = message{kind: b[0], n: 5}
	length := int(binary.BigEndian.Uint32(b[1:5]))
	if !ofClient(m.kind) || length < 4 || length > maxLength {
		return bad
	}
	total := length + 1
	switch m.kind {
	case 'Q', 'P', 'B', 'E', 'C':
		m.n = min(total, wire.MaxHead)
	}
	if len(b) < m.n {
		return more
	}
	m.body, m.left = b[5:m.n], total-m.n
	return ready
}

// parseStart reads a message of the startup.
func (m *message) parseStart(b []byte) outcome {
	if len(b) < 8 {
		if len(b) > 0 && b[0] != 0 {
			return bad
		}
		return more
	}
	length := int(binary.BigEndian.Uint32(b))
	if length < 8 || length > maxStart {
		return bad
	}
	if len(b) < length {
		return more
	}
	*m = message{body: b[4:length], n: length}
	return ready
}

func ofClient(kind byte) bool {
	return bytes.IndexByte([]byte("QPBECDHSFXdcfp"), kind) >= 0
}

func ofServer(kind byte) bool {
	return bytes.IndexByte([]byte("ZCDTESN123nstARKGHIcdVv"), kind) >= 0
}

// text takes a string that ends in a zero from the start of b, or all of b where
// the end was cut off.
func text(b []byte) (s, rest []byte) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return b, nil
	}
	return b[:i], b[i+1:]
}

// replicates reports whether a startup message asks for replication, whose
// messages are others.
func replicates(b []byte) bool {
	for len(b) > 0 && b[0] != 0 {
		var name []byte
		name, b = text(b)
		_, b = text(b)
		if string(name) == "replication" {
			return true
		}
	}
	return false
}

// query is the message of a simple query.
func query(statement string) []byte {
	b := make([]byte, 0, len(statement)+6)
	b = append(b, 'Q')
	b = binary.BigEndian.AppendUint32(b, uint32(len(statement)+5))
	b = append(b, statement...)
	return append(b, 0)
}

// killed is what a server says to a client when an administrator ends its
// connection.
func killed() []byte {
	const fields = "SFATAL\x00VFATAL\x00C57P01\x00Mterminating connection due to administrator command\x00\x00"
	b := binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(fields)+4))
	return append(b, fields...)
}

// terminate is what a client says when it goes.
func terminate() []byte { return []byte{'X', 0, 0, 0, 4} }

// answer follows the server's messages through the bytes without keeping them.
type answer struct {
	head   [5]byte
	have   int
	left   int
	status byte // of a ReadyForQuery
}

// whole reports whether it stands between two messages.
func (a *answer) whole() bool { return a.have == 0 }

// next takes as much of p as belongs to the message. Its first byte is its kind,
// and is known from the first call on.
func (a *answer) next(p []byte) (n int, done, ok bool) {
	for a.have < len(a.head) {
		if n == len(p) {
			return n, false, true
		}
		a.head[a.have] = p[n]
		a.have++
		n++
		if a.have == len(a.head) {
			length := int(binary.BigEndian.Uint32(a.head[1:]))
			if length < 4 || length > maxLength {
				return n, false, false
			}
			a.left = length - 4
		}
	}
	body := p[n:min(len(p), n+a.left)]
	if a.head[0] == 'Z' && len(body) > 0 {
		a.status = body[len(body)-1]
	}
	n += len(body)
	a.left -= len(body)
	if a.left == 0 {
		a.have = 0
		return n, true, true
	}
	return n, false, true
}
