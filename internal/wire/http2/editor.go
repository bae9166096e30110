package http2

import (
	"bytes"

	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/http"
)

// Editor is the editor of one connection.
type Editor struct {
	decider wire.Decider
	stamper wire.Stamper // nil: requests keep their trace context
	// plain is the editor of a connection that is not HTTP/2, once that is known.
	plain *http.Editor
	known bool // the preface has passed

	up, down side
	streams  map[uint32]*stream // those that faults have touched, until they end
	skipped  skipped
	newest   uint32       // the newest stream of a request
	quiet    bool         // no more requests are decided on
	over     bool         // the connection is reset
	asked    wire.Request // the one that is decided on
	lines    []byte       // of it

	answers answers
	// stalled says that the upstream has sent more than the client's window has
	// room for; stash is that, and what is behind it.
	stalled bool
	stash   []byte
}

var _ wire.Editor = (*Editor)(nil)

// maxStash bounds what is kept for want of window: no more than our own answers
// took of it, and the frames around that.
const maxStash = 1 << 20

// New makes the editor of a connection that is new. One that is older it
// understands only if it is HTTP/1 and a client begins a request with the next
// bytes, while no answer is outstanding.
func New(d wire.Decider) *Editor {
	e := &Editor{decider: d, up: side{up: true}, answers: answers{room: anyWindow, initial: anyWindow}}
	e.stamper, _ = d.(wire.Stamper)
	return e
}

// begin makes what only HTTP/2 needs.
func (e *Editor) begin() {
	if e.streams == nil {
		e.up.blocks, e.down.blocks, e.streams = newBlocks(), newBlocks(), map[uint32]*stream{}
		e.skipped = skipped{}
	}
}

// Free implements [wire.Editor]. An HTTP/2 connection is never free: who took
// its editor out could put no other in.
func (e *Editor) Free() bool {
	if e.plain != nil {
		return e.plain.Free()
	}
	return e.Opaque() || !e.known && !e.down.started && e.up.kept.Len() == 0 && e.down.kept.Len() == 0
}

// Opaque implements [wire.Editor].
func (e *Editor) Opaque() bool {
	if e.plain != nil {
		return e.plain.Opaque()
	}
	return !e.over && e.up.opaque && e.down.opaque
}

// Up implements [wire.Editor].
func (e *Editor) Up(p []byte, out *wire.Out) {
	if !e.known && e.plain == nil {
		p = e.sniff(p, out)
	}
	if e.plain != nil {
		e.plain.Up(p, out)
		return
	}
	e.begin()
	e.up.own = e.up.own[:0]
	e.run(&e.up, p, out)
	if e.answers.room > 0 {
		e.unstash(out)
	}
}

// Down implements [wire.Editor].
func (e *Editor) Down(p []byte, out *wire.Out) {
	if e.plain != nil {
		e.plain.Down(p, out)
		return
	}
	e.begin()
	e.down.own = e.down.own[:0]
	e.run(&e.down, p, out)
}

// EndUp implements [wire.Editor].
func (e *Editor) EndUp(out *wire.Out) {
	if e.plain != nil {
		e.plain.EndUp(out)
		return
	}
	e.end(&e.up, out)
	e.answers.debt = 0 // no update will ever come
	e.unstash(out)
}

// EndDown implements [wire.Editor].
func (e *Editor) EndDown(out *wire.Out) {
	if e.plain != nil {
		e.plain.EndDown(out)
		return
	}
	e.answers.debt = 0 // what waits is better late than never
	e.unstash(out)
	e.end(&e.down, out)
}

// end hands out what is kept of a side. Half a frame is of no use to anybody who
// can tell.
func (e *Editor) end(s *side, out *wire.Out) {
	if !e.over && !s.edited {
		s.send(out, s.kept.Take())
	}
	s.opaque, s.ended, s.waiting = true, true, nil
}

// sniff compares what the client sends first with the preface. It returns what
// is behind that, or p when the connection turns out to be another.
func (e *Editor) sniff(p []byte, out *wire.Out) (rest []byte) {
	b, had := p[:min(len(p), len(preface))], e.up.kept.Len()
	if had > 0 {
		b = e.up.kept.Add(p[:min(len(p), len(preface)-had)])
	}
	switch {
	case string(b) != preface[:len(b)]:
		rest = p[len(b)-had:]
		if had == 0 {
			rest = p
		} else {
			b = e.up.kept.Take()
		}
		e.plain = http.New(e.decider)
		if e.down.ended {
			e.plain.EndDown(out)
		}
		if had > 0 {
			e.plain.Up(b, out)
		}
		e.plain.Down(e.down.kept.Take(), out)
		return rest
	case len(b) < len(preface):
		if had == 0 {
			e.up.kept.Add(b)
		}
		return nil
	}
	if had > 0 {
		e.up.kept.Take()
	}
	e.known = true
	out.ToServer(b)
	return p[len(b)-had:]
}

// run takes bytes of one direction.
func (e *Editor) run(s *side, p []byte, out *wire.Out) {
	for len(p) > 0 {
		switch {
		case e.over:
			return
		case s.opaque:
			s.send(out, p)
			return
		case !s.up && e.stalled:
			e.stash = append(e.stash, p...)
			if len(e.stash) > maxStash {
				e.reset(out)
			}
			return
		case s.pass+s.drop > 0:
			p = s.payload(p, out)
			s.flush(out)
		case !s.started && !opens(s.kept.Len(), p):
			e.lost(s, out, p)
			return
		default:
			u, rest, ok := s.next(p)
			switch {
			case !ok:
				e.lost(s, out, rest)
				return
			case u == nil:
				return
			case !s.up && e.stalls(u):
				e.stalled = true
				e.stash = append(append(e.stash, u...), rest...)
				return
			case !e.frame(s, u, out):
				e.lost(s, out, u, rest)
				return
			}
			s.started = true
			s.flush(out)
			p = rest
		}
	}
}

// frame takes one unit. It reports false when it cannot be understood; then
// nothing was done.
func (e *Editor) frame(s *side, u []byte, out *wire.Out) bool {
	f := parse(u)
	switch f.kind {
	case headersFrame, pushPromiseFrame:
		b, err := s.blocks.read(u)
		switch {
		case err != nil:
			return false
		case f.kind == pushPromiseFrame:
			e.promise(s, &b, u, out)
		case s.up:
			e.requestBlock(&b, u, out)
		default:
			e.answerBlock(&b, u, out)
		}
		return true
	case dataFrame:
		if s.up {
			e.requestData(f, u, out)
		} else {
			e.answerData(f, u, out)
		}
		return true
	case settingsFrame:
		if f.stream == 0 && !f.has(ack) {
			e.settings(s, u[frameHead:])
			e.pump(out)
		}
	case windowUpdateFrame:
		if s.up && f.length == 4 {
			e.update(f, u, out)
			return true
		}
	case rstStreamFrame:
		if e.broken(s, f.stream) {
			return true
		}
	}
	if e.swallows(s, f.stream) {
		s.drop = frameHead + f.length - len(u)
		return true
	}
	s.pass = frameHead + f.length - len(u)
	s.send(out, u)
	return true
}

// settings reads what a side says of what it takes.
func (e *Editor) settings(s *side, p []byte) {
	back := &e.down
	if !s.up {
		back = &e.up
	}
	for name, value := range settings(p) {
		switch name {
		case headerTableSize:
			back.blocks.allow(value)
		case initialWindowSize:
			if s.up && value < 1<<31 {
				e.answers.resize(int64(value), e.streams)
			}
		}
	}
}

// lost passes parts, which cannot be understood, and all that follows.
func (e *Editor) lost(s *side, out *wire.Out, parts ...[]byte) {
	if s.edited {
		e.reset(out)
		return
	}
	if !e.known {
		// An upstream that does not begin like one of HTTP/2 is none.
		e.plain = http.New(e.decider)
		e.plain.Up(e.up.kept.Take(), out)
		e.plain.Down(e.down.kept.Take(), out)
		for _, p := range parts {
			e.plain.Down(p, out)
		}
		return
	}
	e.quiet = true
	s.opaque = true
	s.send(out, s.kept.Take())
	for _, p := range parts {
		s.send(out, p)
	}
	other := &e.up
	if s.up {
		other = &e.down
	}
	if !other.edited {
		other.opaque = true
		other.send(out, other.kept.Take())
	}
}

func (e *Editor) reset(out *wire.Out) {
	out.Reset = true
	e.over = true
}

// unstash goes on with what the upstream sent beyond the client's window. What
// it hands out is the caller's to keep, as it is not a call for that side.
func (e *Editor) unstash(out *wire.Out) {
	if !e.stalled {
		return
	}
	p := e.stash
	e.stalled, e.stash = false, nil
	from := len(out.Client)
	e.run(&e.down, p, out)
	for i := from; i < len(out.Client); i++ {
		out.Client[i].Bytes = bytes.Clone(out.Client[i].Bytes)
	}
}
