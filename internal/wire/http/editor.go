package http

import (
	"bytes"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
)

// Editor is the editor of one connection.
type Editor struct {
	decider wire.Decider
	stamper wire.Stamper // nil: requests keep their trace context
	owed    wire.Queue[owed]
	up      upward
	down    downward
	number  uint64 // of requests so far
	// over is set when the connection was closed by a fault, or cannot go on.
	over bool
}

var _ wire.Editor = (*Editor)(nil)

// upward is the direction of requests.
type upward struct {
	side
	swallow bool            // the body is of an aborted request
	charge  *rehearse.Fault // the body's bytes are on its account
	deaf    bool            // all that comes is behind a last request, and lost
	asked   wire.Request
	own     []byte // memory for what is written here, until the next call with the client's bytes
}

// downward is the direction of answers.
type downward struct {
	side
	last  bool            // the connection ends behind this answer
	cut   *rehearse.Fault // truncates the body after left bytes
	left  int64
	final bool // the head was not an interim one
}

// New makes the editor of a connection that is new, or at whose next bytes a
// client begins a request while no answer is outstanding. It counts requests
// from there.
func New(d wire.Decider) *Editor {
	e := &Editor{decider: d}
	e.stamper, _ = d.(wire.Stamper)
	return e
}

// Free implements [wire.Editor].
func (e *Editor) Free() bool {
	return !e.over && !e.up.deaf && e.up.rests() && e.down.rests() && (e.owed.Len() == 0 || e.Opaque())
}

// Opaque implements [wire.Editor].
func (e *Editor) Opaque() bool { return !e.over && e.up.opaque && e.down.opaque }

// Up implements [wire.Editor].
func (e *Editor) Up(p []byte, out *wire.Out) {
	e.up.own = e.up.own[:0]
	for len(p) > 0 {
		switch {
		case e.over || e.up.deaf:
			return
		case e.up.opaque:
			out.ToServer(p)
			return
		case e.up.inBody:
			p = e.requestBody(p, out)
		case e.owed.Len() > 0 && e.owed.Back().switches:
			// Nobody can tell what this is before the answer has come.
			e.up.opaque = true
		default:
			p = e.requestHead(p, out)
		}
	}
}

// Down implements [wire.Editor].
func (e *Editor) Down(p []byte, out *wire.Out) {
	for len(p) > 0 {
		switch {
		case e.over:
			return
		case e.down.opaque:
			out.ToClient(p)
			return
		case e.down.inBody:
			p = e.answerBody(p, out)
		case e.owed.Len() == 0, e.owed.Front().abort != nil:
			// The upstream speaks unasked, as some do before they hang up.
			p = e.lost(p, out)
		default:
			p = e.answerHead(p, out)
		}
	}
}

// EndUp implements [wire.Editor].
func (e *Editor) EndUp(out *wire.Out) {
	if !e.over && !e.up.deaf {
		out.ToServer(e.up.kept.Take())
	}
	e.up.opaque = true
}

// EndDown implements [wire.Editor].
func (e *Editor) EndDown(out *wire.Out) {
	if !e.over {
		out.ToClient(e.down.kept.Take())
	}
	e.down.opaque = true
}

// requestHead takes a request's head, or a part of it, from the start of p.
func (e *Editor) requestHead(p []byte, out *wire.Out) (rest []byte) {
	if e.up.kept.Len() == 0 {
		// Empty lines in front of a request mean nothing.
		if n := len(p) - len(bytes.TrimLeft(p, "\r\n")); n > 0 {
			out.ToServer(p[:n])
			return p[n:]
		}
	}
	h, rest := e.up.whole(p, couldBeRequest, func(b []byte) {
		e.up.opaque = true
		out.ToServer(b)
	})
	if h == nil {
		return rest
	}
	var r request
	if !parseRequest(h, &r) || e.owed.Len() >= wire.MaxOwed {
		e.up.opaque = true
		out.ToServer(h)
		return rest
	}
	e.request(h, &r, out)
	return rest
}

// request decides on a request whose head is h.
func (e *Editor) request(h []byte, r *request, out *wire.Out) {
	e.number++
	e.up.asked = wire.Request{Protocol: wire.HTTP, Method: r.method, Path: r.path, Header: r.lines, ID: e.number, Parent: r.parent()}
	o := owed{
		toHead: string(r.method) == "HEAD", tunnel: string(r.method) == "CONNECT",
		last: r.last(), keep: r.minor == '0' && r.alive,
	}
	o.switches = o.tunnel || r.upgrade
	e.up.charge = nil
	var drop []*rehearse.Fault
	var holds []*rehearse.Fault
	stamps := e.stamper != nil
	for _, f := range e.decider.Decide(&e.up.asked) {
		t := touch{fault: f}
		switch f.Kind {
		case rehearse.FaultAbort:
			o.abort = f
		case rehearse.FaultDelay:
			if f.Direction != rehearse.Down {
				holds = append(holds, f)
				e.up.charge = f
				continue
			}
		case rehearse.FaultDropHeader:
			if f.Direction.Has(true) {
				stamps = stamps && !strings.EqualFold(f.Header, traceparent)
				if n := linesOf(r.lines, f.Header); n > 0 {
					drop = append(drop, f)
					t.counted = true
					e.decider.Touched(f, 1, int64(n))
				}
			}
			if !f.Direction.Has(false) {
				continue
			}
		}
		if o.abort != nil {
			break
		}
		o.faults = append(o.faults, t)
	}
	e.up.body = r.body()
	e.up.inBody = e.up.body.kind != none
	e.up.swallow = o.abort != nil
	if o.abort != nil {
		e.abort(&o, len(h), holds, r.expects && e.up.inBody)
		e.flush(out)
		return
	}
	for _, f := range holds {
		out.HoldServer(f)
		e.decider.Touched(f, 1, int64(len(h)))
	}
	e.owed.Push(o)
	var context []byte
	if stamps {
		context = e.stamp()
	}
	if drop == nil && context == nil {
		out.ToServer(h)
		return
	}
	rewrite(h, &r.head, drop, context, out.ToServer)
}

// stamp is the line with the trace context that the request goes on with, or nil
// where it keeps its own.
func (e *Editor) stamp() []byte {
	c, ok := e.stamper.Stamp(&e.up.asked)
	if !ok {
		return nil
	}
	start := len(e.up.own)
	e.up.own = append(e.up.own, traceparent+": "...)
	e.up.own = append(wire.AppendContext(e.up.own, c), "\r\n"...)
	return e.up.own[start:]
}

// abort takes a request of n bytes so far, and its answer into what is owed.
func (e *Editor) abort(o *owed, n int, holds []*rehearse.Fault, waits bool) {
	e.decider.Touched(o.abort, 1, int64(n))
	e.up.charge = o.abort
	for _, f := range holds {
		o.faults = append(o.faults, touch{fault: f})
	}
	o.switches = false
	if waits {
		// Whether the client sends the body after this answer is its choice,
		// so nothing that follows can be understood.
		o.last = true
		e.up.inBody = false
	}
	o.due = !e.up.inBody
	e.up.deaf = o.due && o.last
	e.owed.Push(*o)
}

// requestBody takes the first run of a request's body from p.
func (e *Editor) requestBody(p []byte, out *wire.Out) (rest []byte) {
	r := e.up.body.next(p)
	if e.up.charge != nil {
		e.decider.Touched(e.up.charge, 0, int64(r.n))
	}
	if !e.up.swallow {
		out.ToServer(p[:r.n])
		e.up.opaque = r.bad
	} else if r.bad {
		// A server would answer, too, and hang up.
		e.owed.Back().last = true
	}
	if r.done || r.bad {
		e.up.inBody = false
		if e.up.swallow {
			e.owed.Back().due = true
			e.up.deaf = e.owed.Back().last
			e.flush(out)
		}
	}
	return p[r.n:]
}

// flush hands out the answers of our own whose turn has come.
func (e *Editor) flush(out *wire.Out) {
	for e.owed.Len() > 0 && !e.down.inBody && !e.down.opaque && !e.over {
		o := e.owed.Front()
		if o.abort == nil || !o.due {
			return
		}
		for _, t := range o.faults {
			if t.fault.Kind == rehearse.FaultDelay {
				e.decider.Touched(t.fault, 1, 0)
				out.HoldClient(t.fault)
			}
		}
		out.ToClient(o.aborted())
		if o.last {
			out.CloseClient(o.abort)
			e.over = true
		}
		e.owed.Pop()
	}
}

// answerHead takes an answer's head, or a part of it, from the start of p.
func (e *Editor) answerHead(p []byte, out *wire.Out) (rest []byte) {
	h, rest := e.down.whole(p, couldBeResponse, func(b []byte) { e.lost(b, out) })
	if h == nil {
		return rest
	}
	var r response
	if !parseResponse(h, &r) {
		e.lost(h, out)
		return rest
	}
	e.answer(h, &r, out)
	return rest
}

// lost passes p, which cannot be understood, and all that follows.
func (e *Editor) lost(p []byte, out *wire.Out) (rest []byte) {
	if e.owed.Any(func(o *owed) bool { return o.abort != nil }) {
		out.Reset = true
		e.over = true
		return nil
	}
	out.ToClient(p)
	e.up.opaque, e.down.opaque = true, true
	out.ToServer(e.up.kept.Take())
	return nil
}

// answer edits an answer whose head is h.
func (e *Editor) answer(h []byte, r *response, out *wire.Out) {
	o := e.owed.Front()
	switched := r.status == 101 || o.tunnel && r.status/100 == 2
	e.down.final = r.status >= 200 || switched
	e.down.body = r.body(o.toHead)
	e.down.inBody = e.down.body.kind != none
	e.down.last = r.last() && (e.down.final && !switched) || e.down.body.kind == endless
	e.down.cut = nil
	var drop []*rehearse.Fault
	for i := range o.faults {
		t := &o.faults[i]
		switch f := t.fault; f.Kind {
		case rehearse.FaultDropHeader:
			if n := linesOf(r.lines, f.Header); n > 0 {
				drop = append(drop, f)
				e.touched(t, int64(n))
			}
		case rehearse.FaultDelay:
			if e.down.final {
				out.HoldClient(f)
				e.touched(t, int64(len(h)))
			}
		case rehearse.FaultTruncate:
			if e.down.final && !switched && (e.down.cut == nil || f.Bytes < e.down.left) {
				e.down.cut, e.down.left = f, f.Bytes
			}
		}
	}
	if drop == nil {
		out.ToClient(h)
	} else {
		rewrite(h, &r.head, drop, nil, out.ToClient)
	}
	if switched {
		e.down.inBody = false
		e.up.opaque, e.down.opaque = true, true
		out.ToServer(e.up.kept.Take())
		return
	}
	if !e.down.inBody {
		e.answered(out)
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

// answerBody takes the first run of an answer's body from p.
func (e *Editor) answerBody(p []byte, out *wire.Out) (rest []byte) {
	r := e.down.body.next(p)
	if f := e.down.cut; f != nil && r.payload {
		if int64(r.n) > e.down.left {
			out.ToClient(p[:e.down.left])
			e.decider.Touched(f, 1, int64(r.n)-e.down.left)
			out.CloseClient(f)
			e.over = true
			return nil
		}
		e.down.left -= int64(r.n)
	}
	out.ToClient(p[:r.n])
	switch {
	case r.bad:
		return e.lost(p[r.n:], out)
	case r.done:
		e.down.inBody = false
		e.answered(out)
	}
	return p[r.n:]
}

// answered notes that the answer in front is whole, unless it was interim.
func (e *Editor) answered(out *wire.Out) {
	if !e.down.final {
		return
	}
	e.owed.Pop()
	switch {
	case e.down.last:
		// The upstream hangs up. An answer of ours behind this one would be
		// one that no server could have given.
		e.down.opaque = true
	case e.owed.Len() == 0 && e.up.opaque:
		e.down.opaque = true
	default:
		e.flush(out)
	}
}
