package redact

import (
	"io"
	"sync"
)

// Writer takes secrets out of a stream. What could be the beginning of a secret is
// held back until it is known. Its methods may be called from any goroutine.
type Writer struct {
	secrets *Secrets
	to      io.Writer
	masks   bool

	mu   sync.Mutex
	held []byte
	err  error
}

// Writer replaces secrets by [Mark] on the way to w. Close writes what is held back,
// and does not close w.
func (s *Secrets) Writer(w io.Writer) *Writer { return &Writer{secrets: s, to: w} }

// Masker overwrites secrets by as many asterisks on the way to w. Close writes what
// is held back, and does not close w.
func (s *Secrets) Masker(w io.Writer) *Writer { return &Writer{secrets: s, to: w, masks: true} }

// Write takes all of p. The error is of the writer behind, and stays.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	if w.secrets == nil {
		_, w.err = w.to.Write(p)
	} else {
		w.pass(append(w.held, p...), false)
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// Close writes what is held back.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && w.secrets != nil {
		w.pass(w.held, true)
	}
	return w.err
}

// pass writes what of b is known, and holds the rest back unless it is the last.
func (w *Writer) pass(b []byte, last bool) {
	var out []byte
	done := 0
	for done < len(b) {
		at, open := w.secrets.next(b, done)
		if open && !last {
			out = append(out, b[done:at.from]...)
			done = at.from
			break
		}
		out = append(out, b[done:at.from]...)
		done = at.from
		switch {
		case at.to > at.from && w.masks:
			mask(b[at.from:at.to])
			out = append(out, b[at.from:at.to]...)
			done = at.to
		case at.to > at.from:
			out = append(out, Mark...)
			done = at.to
		case done < len(b): // a secret that the end cuts off
			out = append(out, b[done])
			done++
		}
	}
	if len(out) > 0 {
		_, w.err = w.to.Write(out)
	}
	w.held = append(w.held[:0], b[done:]...)
}
