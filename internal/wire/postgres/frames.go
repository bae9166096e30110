package postgres

import "encoding/binary"

// frames finds the messages of one direction, whose bytes come in any pieces. Of
// a message's body it keeps the beginning that is looked into, if it has to, and
// skips the rest by its length.
type frames struct {
	// needs is how many bytes of a body are looked into; -1 for a kind that
	// there is not.
	needs func(kind byte) int

	at   int64 // bytes that have passed
	head [5]byte
	have int    // of the head
	size int    // of the whole message
	left int    // of the body
	need int    // of the body
	kept []byte // of those
	body []byte // those, when the message is whole
}

// between reports whether it stands between two messages.
func (r *frames) between() bool { return r.have == 0 }

// kind is the kind of the message that was found last.
func (r *frames) kind() byte { return r.head[0] }

// next takes as much of p, which is not empty, as belongs to the message at hand.
// It reports whether the message is whole, and whether it is one.
func (r *frames) next(p []byte) (n int, whole, ok bool) {
	if r.have < len(r.head) {
		n = copy(r.head[r.have:], p)
		r.have += n
		r.at += int64(n)
		r.need = r.needs(r.head[0])
		if r.need < 0 {
			return n, false, false
		}
		if r.have < len(r.head) {
			return n, false, true
		}
		length := int(binary.BigEndian.Uint32(r.head[1:]))
		if length < 4 || length > maxLength {
			return n, false, false
		}
		r.size, r.left = length+1, length-4
		r.need = min(r.need, r.left)
		r.kept = r.kept[:0]
	}
	b := p[n:min(len(p), n+r.left)]
	if len(r.kept) == 0 && len(b) == r.left {
		r.body = b[:r.need]
	} else {
		r.kept = append(r.kept, b[:min(len(b), r.need-len(r.kept))]...)
		r.body = r.kept
	}
	n += len(b)
	r.at += int64(len(b))
	r.left -= len(b)
	if r.left > 0 {
		return n, false, true
	}
	r.have = 0
	return n, true, true
}

// release gives up what was kept of a message that was long.
func (r *frames) release() {
	if cap(r.kept) > maxName {
		r.kept = nil
	}
	r.body = nil
}
