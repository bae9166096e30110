package http

import "github.com/rehearse-dev/rehearse/internal/wire"

// side is what the two directions have in common: a head, then its body.
type side struct {
	kept   wire.Kept
	body   body
	inBody bool
	opaque bool
}

// rests reports whether the side is between two messages.
func (s *side) rests() bool { return s.opaque || s.kept.Len() == 0 && !s.inBody }

// whole collects a head. It returns the head, or nil while it has not all come,
// and what is behind it in p. A head that cannot be one is handed to bad.
func (s *side) whole(p []byte, could func([]byte) bool, bad func(rest []byte)) (head, rest []byte) {
	b, had := p[:min(len(p), wire.MaxHead)], s.kept.Len()
	if had > 0 {
		b = s.kept.Add(p[:min(len(p), wire.MaxHead-had)])
	}
	if end := headEnd(b, max(0, had-2)); end > 0 {
		if had > 0 {
			s.kept.Take()
		}
		return b[:end], p[end-had:]
	}
	if len(b) >= wire.MaxHead || !could(b) {
		rest := p[len(b)-had:]
		if had > 0 {
			bad(s.kept.Take())
		} else {
			rest = p
		}
		bad(rest)
		return nil, nil
	}
	if had == 0 {
		s.kept.Add(p)
	}
	return nil, nil
}
