// Package redact takes secrets out of bytes, by value: whatever they are called,
// wherever they turn up.
//
// [New] makes [Secrets] of values; [Secrets.Bytes] replaces them in a text,
// [Secrets.JSON] in the strings of a JSON value, [Secrets.Mask] in place and
// without a change of length, for formats that count bytes; [Secrets.Writer] and
// [Secrets.Masker] do the first and the last to a stream, across the borders of
// its writes. A nil *Secrets has no secret and changes nothing.
//
// A value is found as it is, and as JSON, HTML, URLs, hexadecimal digits and
// base64 write it; in base64 wherever it begins, so that the password in
// base64("user:password") is found too. A value of several lines is found as a
// whole and line by line, as CI systems mask it.
//
// [URL] hides the password of a database's URL, which it need not know.
//
// What is compressed or encrypted is not looked into.
package redact

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
)

const (
	// Shortest is how many bytes a value must have to be taken for a secret: what is
	// shorter turns up everywhere by chance, and in half of the words.
	Shortest = 6
	// Mark stands in texts where a secret was.
	Mark = "••••"
)

// Secrets are values to be taken out. They may be used from any goroutine.
type Secrets struct {
	patterns [256][][]byte // by the first byte, the longest first
	begins   [1024]uint64  // a bit for the hash of each pattern's first four bytes
}

// New makes secrets of values. Those that are shorter than [Shortest] are left
// out. Without any value that counts it is nil.
func New(values []string) *Secrets {
	all := map[string]bool{}
	for _, v := range values {
		for _, whole := range lines(v) {
			for _, form := range forms(whole) {
				all[form] = true
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	s := &Secrets{}
	for form := range all {
		s.patterns[form[0]] = append(s.patterns[form[0]], []byte(form))
		h := begin([]byte(form))
		s.begins[h/64] |= 1 << (h % 64)
	}
	for _, p := range s.patterns {
		slices.SortFunc(p, func(a, b []byte) int { return len(b) - len(a) })
	}
	return s
}

// begin hashes the first four bytes, of which every pattern has more.
func begin(b []byte) uint32 {
	return binary.LittleEndian.Uint32(b) * 0x9e3779b1 >> 16 // Knuth's multiplicative hash
}

// span is where secrets stand in a buffer: one, or several that overlap.
type span struct{ from, to int }

// next finds the first span at or after from. open is true when what stands at
// span.from could still become a secret, or a longer one, with more bytes behind the
// buffer. Without any, the span is empty and at the buffer's end.
func (s *Secrets) next(b []byte, from int) (found span, open bool) {
	for i := from; i < len(b); i++ {
		if i+4 <= len(b) {
			if h := begin(b[i:]); s.begins[h/64]&(1<<(h%64)) == 0 {
				continue
			}
		}
		n, more := s.at(b, i)
		if n == 0 && !more {
			continue
		}
		found, open = span{i, i + n}, more
		for j := i + 1; j < found.to; j++ {
			n, more := s.at(b, j)
			found.to, open = max(found.to, j+n), open || more
		}
		return found, open
	}
	return span{len(b), len(b)}, false
}

// at is the length of the longest secret that stands at i, and whether one could
// that the buffer's end cuts off.
func (s *Secrets) at(b []byte, i int) (n int, more bool) {
	rest := b[i:]
	for _, p := range s.patterns[rest[0]] {
		switch {
		case len(p) > len(rest):
			more = more || bytes.HasPrefix(p, rest)
		case n == 0 && bytes.HasPrefix(rest, p):
			n = len(p)
		}
	}
	return n, more
}

// each calls f for every span of a whole buffer, in order.
func (s *Secrets) each(b []byte, f func(span)) {
	if s == nil {
		return
	}
	for i := 0; i < len(b); {
		found, _ := s.next(b, i)
		if found.to > found.from {
			f(found)
			i = found.to
		} else {
			i = found.from + 1 // a secret that the end cuts off
		}
	}
}

// In reports whether there is a secret in b.
func (s *Secrets) In(b []byte) bool {
	in := false
	s.each(b, func(span) { in = true })
	return in
}

// Bytes replaces secrets by [Mark]. Without any, it returns b itself.
func (s *Secrets) Bytes(b []byte) []byte {
	var out []byte
	done := 0
	s.each(b, func(at span) {
		out = append(append(out, b[done:at.from]...), Mark...)
		done = at.to
	})
	if done == 0 {
		return b
	}
	return append(out, b[done:]...)
}

// String replaces secrets by [Mark].
func (s *Secrets) String(text string) string {
	if s == nil {
		return text
	}
	return string(s.Bytes([]byte(text)))
}

// Mask overwrites secrets by as many asterisks.
func (s *Secrets) Mask(b []byte) {
	s.each(b, func(at span) { mask(b[at.from:at.to]) })
}

func mask(b []byte) {
	for i := range b {
		b[i] = '*'
	}
}

// JSON replaces secrets in the strings of a JSON value, and leaves its numbers, its
// keys and the strings under the keys that are named as they are. Without a secret,
// or when it is not JSON, it returns what [Secrets.Bytes] does.
func (s *Secrets) JSON(b []byte, keep ...string) []byte {
	if s == nil || !s.In(b) {
		return b
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return s.Bytes(b)
	}
	out, err := json.Marshal(s.value(v, keep))
	if err != nil {
		return s.Bytes(b)
	}
	if bytes.HasSuffix(b, []byte("\n")) {
		out = append(out, '\n')
	}
	return out
}

func (s *Secrets) value(v any, keep []string) any {
	switch v := v.(type) {
	case string:
		return s.String(v)
	case []any:
		for i := range v {
			v[i] = s.value(v[i], keep)
		}
	case map[string]any:
		for key, inside := range v {
			if _, text := inside.(string); text && slices.Contains(keep, key) {
				continue
			}
			v[key] = s.value(inside, keep)
		}
	}
	return v
}

// lines are a value and, when it has several lines, each that could be a secret by
// itself: not the first and last of a key in PEM.
func lines(value string) []string {
	value = strings.TrimSpace(value)
	if len(value) < Shortest {
		return nil
	}
	out := []string{value}
	if !strings.Contains(value, "\n") {
		return out
	}
	for line := range strings.Lines(value) {
		line = strings.TrimSpace(line)
		if len(line) >= Shortest && !strings.HasPrefix(line, "-----") {
			out = append(out, line)
		}
	}
	return out
}
