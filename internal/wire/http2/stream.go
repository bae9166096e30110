package http2

import (
	"bytes"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
)

// stream is one that a fault has touched or may touch yet.
type stream struct {
	upDone, downDone bool // no more frames will come
	// swallow says that the server's frames do not pass; for the client's see
	// [Editor.skipped].
	swallow  bool
	charge   *rehearse.Fault // on whose account the bytes are that are swallowed
	faults   []touch         // that touch the answer
	answered bool            // the answer's final head has passed
	tunnel   bool            // CONNECT: what follows a granted one is no body

	cut  *rehearse.Fault // truncates the body after left bytes
	left int64

	ours   bool   // the answer is made here
	body   []byte // what is left of it; nil when it is whole
	window int64  // what the client takes of it yet
	borne  int    // how much of the request's body has come
}

// touch is a fault on one request.
type touch struct {
	fault   *rehearse.Fault
	counted bool // the request was counted for it already
}

// skipped are the streams whose frames do not pass to the server, which knows
// nothing of them, or has been told that they are over. What a client sends may
// come long after it has the answer, so they are never forgotten: a bit each, by
// the identifier without its last seven bits. Clients have the odd ones.
type skipped map[uint32]uint64

func (s skipped) has(id uint32) bool { return id%2 == 1 && s[id>>7]>>(id>>1&63)&1 == 1 }

func (s skipped) add(id uint32) { s[id>>7] |= 1 << (id >> 1 & 63) }

// swallows reports whether a side's frames of a stream do not pass.
func (e *Editor) swallows(s *side, id uint32) bool {
	if s.up {
		return e.skipped.has(id)
	}
	st := e.streams[id]
	return st != nil && st.swallow
}

// done notes the end of one direction of a stream.
func (e *Editor) done(id uint32, up bool) {
	st := e.streams[id]
	if st == nil || !up && st.body != nil {
		return // an answer of ours is under way, whatever the server says
	}
	if up {
		st.upDone = true
	} else {
		st.downDone = true
	}
	if st.upDone && st.downDone {
		delete(e.streams, id)
	}
}

// charged counts bytes of a stream that are swallowed.
func (e *Editor) charged(id uint32, n int) {
	if st := e.streams[id]; st != nil {
		e.decider.Touched(st.charge, 0, int64(n))
	}
}

// broken takes a side's RST_STREAM. It reports whether that is swallowed.
func (e *Editor) broken(s *side, id uint32) bool {
	if !e.swallows(s, id) {
		delete(e.streams, id)
		return false
	}
	if st := e.streams[id]; st != nil && s.up && st.body != nil {
		e.answers.forget(id)
		st.body = nil
		e.done(id, false)
	}
	e.done(id, s.up)
	return true
}

// requestBlock decides on a request, or takes the trailers of one. Clients have
// the odd streams.
func (e *Editor) requestBlock(b *block, u []byte, out *wire.Out) {
	if b.stream <= e.newest || b.stream%2 == 0 {
		e.trailers(&e.up, b, u, out)
		return
	}
	e.newest = b.stream
	if e.quiet || len(e.streams) >= wire.MaxOwed || !e.read(b) {
		e.up.sendBlock(out, b, u)
		return
	}
	st := &stream{tunnel: string(e.asked.Method) == "CONNECT"}
	st.upDone = b.has(endStream)
	var holds []*rehearse.Fault
	var abort *rehearse.Fault
	fields := b.fields
	stamps := e.stamper != nil
	for _, f := range e.decider.Decide(&e.asked) {
		t := touch{fault: f}
		switch f.Kind {
		case rehearse.FaultAbort:
			abort = f
		case rehearse.FaultDelay:
			if f.Direction != rehearse.Down {
				holds = append(holds, f)
				continue
			}
		case rehearse.FaultDropHeader:
			if f.Direction.Has(true) {
				stamps = stamps && !strings.EqualFold(f.Header, traceparent)
				var n int
				if b.fields, n = without(b.fields, f.Header); n > 0 {
					t.counted = true
					e.decider.Touched(f, 1, int64(n))
				}
			}
			if !f.Direction.Has(false) {
				continue
			}
		}
		if abort != nil {
			break
		}
		st.faults = append(st.faults, t)
	}
	if abort != nil {
		e.abort(b, st, abort, holds, len(u), out)
		return
	}
	for _, f := range holds {
		out.HoldServer(f)
		e.decider.Touched(f, 1, int64(len(u)))
	}
	if len(st.faults) > 0 {
		e.streams[b.stream] = st
	}
	if len(b.fields) < len(fields) {
		e.up.edit()
	}
	if stamps {
		e.stamp(b)
	}
	e.up.sendBlock(out, b, u)
}

// stamp gives a request the trace context that it goes on with.
func (e *Editor) stamp(b *block) {
	c, ok := e.stamper.Stamp(&e.asked)
	if !ok {
		return
	}
	e.up.edit()
	field := hpack.HeaderField{Name: traceparent, Value: string(wire.AppendContext(nil, c))}
	if own := ownContext(b.fields); own >= 0 {
		b.fields[own] = field
		return
	}
	b.fields, _ = without(b.fields, traceparent)
	b.fields = append(b.fields, field)
}

// edit makes the side's blocks be encoded anew.
func (s *side) edit() {
	s.edited = true
	s.blocks.rewrite()
}

// trailers takes a block that is no head.
func (e *Editor) trailers(s *side, b *block, u []byte, out *wire.Out) {
	if e.swallows(s, b.stream) {
		s.edit() // the receiver misses this block's entries
		e.charged(b.stream, len(u))
	} else {
		s.sendBlock(out, b, u)
	}
	if b.has(endStream) {
		e.done(b.stream, s.up)
	}
}

// swallow takes the head of DATA that does not pass, and gives its sender the
// window back.
func (e *Editor) swallow(s, back *side, f frame, u []byte, out *wire.Out) {
	s.drop = frameHead + f.length - len(u)
	if f.length > 0 {
		back.inject(out, credit(0, f.length))
		e.charged(f.stream, f.length)
	}
}

// requestData takes the head of a request's DATA.
func (e *Editor) requestData(f frame, u []byte, out *wire.Out) {
	if e.swallows(&e.up, f.stream) {
		e.swallow(&e.up, &e.down, f, u, out)
		if st := e.streams[f.stream]; st != nil && st.ours && f.length > 0 && !f.has(endStream) {
			e.bear(f, st, out)
		}
	} else {
		e.up.pass = frameHead + f.length - len(u)
		e.up.send(out, u)
	}
	if f.has(endStream) {
		e.done(f.stream, true)
	}
}

// answerBlock takes an answer's head or trailers.
func (e *Editor) answerBlock(b *block, u []byte, out *wire.Out) {
	st := e.streams[b.stream]
	if st == nil || st.swallow || st.answered {
		e.trailers(&e.down, b, u, out)
		return
	}
	status := value(b.fields, ":status")
	final := !strings.HasPrefix(status, "1")
	granted := st.tunnel && strings.HasPrefix(status, "2")
	for i := range st.faults {
		t := &st.faults[i]
		switch f := t.fault; f.Kind {
		case rehearse.FaultDropHeader:
			var n int
			if b.fields, n = without(b.fields, f.Header); n > 0 {
				e.down.edit()
				e.touched(t, int64(n))
			}
		case rehearse.FaultDelay:
			if final {
				out.HoldClient(f)
				e.touched(t, int64(len(u)))
			}
		case rehearse.FaultTruncate:
			if final && !granted && (st.cut == nil || f.Bytes < st.left) {
				st.cut, st.left = f, f.Bytes
			}
		}
	}
	st.answered = final
	e.down.sendBlock(out, b, u)
	if b.has(endStream) {
		e.done(b.stream, false)
	}
}

// touched counts the request for a fault once, whatever else it does to it.
func (e *Editor) touched(t *touch, n int64) {
	var requests int64
	if !t.counted {
		t.counted, requests = true, 1
	}
	e.decider.Touched(t.fault, requests, n)
}

// answerData takes the head of an answer's DATA.
func (e *Editor) answerData(f frame, u []byte, out *wire.Out) {
	if f.has(endStream) {
		defer e.done(f.stream, false)
	}
	if e.swallows(&e.down, f.stream) {
		e.swallow(&e.down, &e.up, f, u, out)
		return
	}
	e.down.pass = frameHead + f.length - len(u)
	e.answers.room -= int64(f.length)
	if st := e.streams[f.stream]; st != nil && st.cut != nil && !e.quiet {
		data := dataIn(f, u)
		if int64(data) > st.left {
			e.truncate(f, st, data, out)
			return
		}
		st.left -= int64(data)
	}
	e.down.send(out, u)
}

// dataIn is how long the data is in a frame of DATA whose head is u, without
// padding.
func dataIn(f frame, u []byte) int {
	n := frameHead + f.length - len(u)
	if len(u) > frameHead {
		n -= int(u[frameHead])
	}
	return max(0, n)
}

// truncate ends an answer in a frame, of whose data only the beginning passes.
func (e *Editor) truncate(f frame, st *stream, data int, out *wire.Out) {
	s, pass := &e.down, int(st.left)
	lost := f.length - pass
	s.edited, e.up.edited = true, true
	s.pass, s.drop = pass, s.pass-pass
	e.answers.room += int64(lost)
	if pass > 0 {
		start := len(s.own)
		s.own = appendHead(s.own, frame{length: pass, kind: dataFrame, stream: f.stream})
		s.send(out, s.own[start:])
	}
	st.swallow, st.charge = true, st.cut
	e.skipped.add(f.stream)
	e.decider.Touched(st.cut, 1, int64(data-pass))
	s.inject(out, reset(f.stream, internalError))
	e.up.inject(out, credit(0, lost))
	if !st.upDone || !f.has(endStream) {
		e.up.inject(out, reset(f.stream, canceled))
	}
}

// stalls reports whether the client has no room for what the upstream begins
// with u, because our own answers have taken it.
func (e *Editor) stalls(u []byte) bool {
	f := parse(u)
	if f.kind != dataFrame || e.answers.debt == 0 || e.swallows(&e.down, f.stream) {
		return false
	}
	n := int64(f.length)
	if st := e.streams[f.stream]; st != nil && st.cut != nil && int64(dataIn(f, u)) > st.left {
		n = st.left
	}
	return n > e.answers.room
}

// promise takes a PUSH_PROMISE. What the server pushes for a swallowed answer
// has no place to go.
func (e *Editor) promise(s *side, b *block, u []byte, out *wire.Out) {
	st := e.streams[b.stream]
	if s.up || st == nil || !st.swallow {
		s.sendBlock(out, b, u)
		return
	}
	s.edit()
	if e.streams[b.promised] != nil {
		return // no server promises what there is already
	}
	e.streams[b.promised] = &stream{upDone: true, swallow: true, charge: st.charge}
	e.up.inject(out, reset(b.promised, canceled))
}

// read makes a request's head what rules are asked about. It reports false
// where the block is no request's head.
func (e *Editor) read(b *block) bool {
	q := &e.asked
	*q = wire.Request{Protocol: wire.HTTP, ID: uint64(b.stream), Parent: parent(b.fields)}
	host, named := "", false
	e.lines = e.lines[:0]
	for _, f := range b.fields {
		switch {
		case f.Name == ":method":
			q.Method = []byte(f.Value)
		case f.Name == ":path":
			path, _, _ := bytes.Cut([]byte(f.Value), []byte("?"))
			q.Path, _, _ = bytes.Cut(path, []byte("#"))
		case f.Name == ":authority":
			host = f.Value
		case !f.IsPseudo() && !strings.ContainsAny(f.Name+f.Value, "\r\n"):
			named = named || f.Name == "host"
			e.line(f.Name, f.Value)
		}
	}
	if host != "" && !named {
		e.line("host", host)
	}
	q.Header = e.lines
	return len(q.Method) > 0
}

func (e *Editor) line(name, value string) {
	e.lines = append(append(append(append(e.lines, name...), ": "...), value...), "\r\n"...)
}

// value is the first field's of that name.
func value(fields []hpack.HeaderField, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// without takes fields away in place, and tells how many bytes they would take
// as lines. The memory behind those that stay is cleared.
func without(fields []hpack.HeaderField, name string) (left []hpack.HeaderField, n int) {
	left = fields[:0]
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			n += len(f.Name) + len(": ") + len(f.Value) + len("\r\n")
			continue
		}
		left = append(left, f)
	}
	clear(fields[len(left):])
	return left, n
}
