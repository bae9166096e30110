package wire

// Kept is the beginning of a head whose rest has not come yet. Its memory is
// used again: what Take returned holds until the next Take.
type Kept struct{ buf, spare []byte }

// small is the most memory that is worth holding on to between heads.
const small = 4 << 10

// Len is how many bytes are kept.
func (k *Kept) Len() int { return len(k.buf) }

// Add keeps p too and returns all that is kept. Callers bound it.
func (k *Kept) Add(p []byte) []byte {
	k.buf = append(k.buf, p...)
	return k.buf
}

// Take returns what is kept and keeps nothing any more.
func (k *Kept) Take() []byte {
	b := k.buf
	k.buf = nil
	if cap(k.spare) <= small {
		k.buf = k.spare[:0]
	}
	k.spare = b
	return b
}
