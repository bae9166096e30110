package redis

import (
	"strconv"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
)

// Editor is the editor of one connection.
type Editor struct {
	decider wire.Decider
	owed    wire.Queue[owed]
	asked   wire.Request

	// The commands.
	kept     wire.Kept
	command  command
	rest     arguments
	swallow  bool            // the rest is of a command that is not forwarded
	charge   *rehearse.Fault // the rest's bytes are on its account
	upOpaque bool
	inMulti  bool
	unsure   bool // whether inMulti is true is for the next answer to tell

	// The answers.
	reply      reply
	downOpaque bool
	resp3      bool

	over bool // the connection was reset
}

var _ wire.Editor = (*Editor)(nil)

// owed is an answer that the client does not have yet, or one that it must not
// have.
type owed struct {
	ours   bool            // the upstream knows nothing of it
	hidden bool            // the upstream's answer is swallowed
	answer *rehearse.Fault // what the client is told instead
	holds  []*rehearse.Fault
}

// New makes the editor of a connection that is new or, if it is live, at whose
// next bytes the client begins a command while no answer is outstanding.
func New(d wire.Decider, live bool) *Editor {
	return &Editor{decider: d, inMulti: live, unsure: live}
}

// Free implements [wire.Editor].
func (e *Editor) Free() bool {
	return !e.over && e.kept.Len() == 0 && e.rest.left == 0 && !e.reply.begun && e.owed.Len() == 0 || e.Opaque()
}

// Opaque implements [wire.Editor].
func (e *Editor) Opaque() bool { return !e.over && e.upOpaque && e.downOpaque }

// Up implements [wire.Editor].
func (e *Editor) Up(p []byte, out *wire.Out) {
	for len(p) > 0 && !e.over {
		switch {
		case e.upOpaque:
			out.ToServer(p)
			return
		case e.rest.left > 0:
			p = e.arguments(p, out)
		default:
			p = e.begin(p, out)
		}
	}
}

// Down implements [wire.Editor].
func (e *Editor) Down(p []byte, out *wire.Out) {
	for len(p) > 0 && !e.over {
		if e.downOpaque {
			out.ToClient(p)
			return
		}
		p = e.answer(p, out)
	}
}

// EndUp implements [wire.Editor].
func (e *Editor) EndUp(out *wire.Out) {
	if !e.over {
		out.ToServer(e.kept.Take())
	}
	e.upOpaque = true
}

// EndDown implements [wire.Editor].
func (e *Editor) EndDown(*wire.Out) { e.downOpaque = true }

// begin takes a command, as far as it is read before the decision, from the
// start of p.
func (e *Editor) begin(p []byte, out *wire.Out) (rest []byte) {
	b, had := p[:min(len(p), wire.MaxHead)], e.kept.Len()
	if had > 0 {
		b = e.kept.Add(p[:min(len(p), wire.MaxHead-had)])
	}
	switch got := e.command.parse(b); {
	case got == more && len(b) < wire.MaxHead:
		if had == 0 {
			e.kept.Add(p)
		}
		return nil
	case got != ready:
		e.upOpaque = true
		if had > 0 {
			out.ToServer(e.kept.Take())
			return p[len(b)-had:]
		}
		return p
	}
	if had > 0 {
		e.kept.Take()
	}
	n := e.command.n
	e.decide(b[:n], out)
	if n >= had {
		return p[n-had:]
	}
	// The key has outgrown what may be kept: what was kept of it is a part of
	// the rest.
	e.arguments(b[n:], out)
	return p[len(b)-had:]
}

// decide is asked about a command that begins with b.
func (e *Editor) decide(b []byte, out *wire.Out) {
	c := &e.command
	e.swallow, e.charge = false, nil
	e.rest = arguments{left: c.left}
	if c.name == nil {
		out.ToServer(b)
		return
	}
	var o owed
	e.asked = wire.Request{Protocol: wire.Redis, Command: c.name, Key: c.key, Queued: e.inMulti && !c.ends()}
	for _, f := range e.decider.Decide(&e.asked) {
		switch f.Kind {
		case rehearse.FaultDelay:
			if f.Direction == rehearse.Down {
				o.holds = append(o.holds, f)
				continue
			}
			out.HoldServer(f)
			e.decider.Touched(f, 1, int64(len(b)))
			e.charge = f
		case rehearse.FaultEvict:
			out.ToServer(unlink(c.key))
			e.owed.Push(owed{hidden: true})
			e.decider.Touched(f, 1, 0)
		case rehearse.FaultRedisError:
			e.refuse(f, o, len(b), out)
			return
		}
	}
	if !e.follow() {
		e.upOpaque = true
	} else if !(e.resp3 && c.subscribes()) {
		e.owed.Push(o)
	}
	out.ToServer(b)
}

// refuse answers a command with a fault's error.
func (e *Editor) refuse(f *rehearse.Fault, o owed, n int, out *wire.Out) {
	e.decider.Touched(f, 1, int64(n))
	e.swallow, e.charge = e.rest.left > 0, f
	o.answer = f
	switch {
	case !e.inMulti || e.command.verb.is("MULTI"):
		o.ours = true
	case e.command.ends():
		o.hidden = true
		out.ToServer([]byte("*1\r\n$7\r\nDISCARD\r\n"))
		e.follow()
	default:
		o.hidden = true
		out.ToServer([]byte("*1\r\n$3\r\nGET\r\n")) // no key: it is not queued
	}
	e.owed.Push(o)
	e.flush(out)
}

// ends reports whether a command ends a MULTI.
func (c *command) ends() bool { return c.verb.is("EXEC", "DISCARD", "RESET") }

// subscribes reports whether a command is answered by pushed messages.
func (c *command) subscribes() bool {
	return c.verb.is("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE")
}

// follow takes down what a forwarded command changes about those behind it. It
// reports whether their answers can be counted.
func (e *Editor) follow() bool {
	c := &e.command
	switch {
	case c.verb.is("MULTI"):
		e.inMulti, e.unsure = true, false
	case c.ends():
		e.inMulti, e.unsure = false, false
	case c.subscribes():
		return e.resp3
	case c.verb.is("MONITOR", "SYNC", "PSYNC"), c.verb.is("CLIENT") && verbOf(c.first) == verbOf([]byte("REPLY")):
		return false
	}
	return e.owed.Len() < wire.MaxOwed
}

// unlink is the command that takes a key away.
func unlink(key []byte) []byte {
	b := append(make([]byte, 0, len(key)+40), "*2\r\n$6\r\nUNLINK\r\n$"...)
	b = strconv.AppendInt(b, int64(len(key)), 10)
	b = append(b, "\r\n"...)
	b = append(b, key...)
	return append(b, "\r\n"...)
}

// arguments takes the rest of a command from p.
func (e *Editor) arguments(p []byte, out *wire.Out) (rest []byte) {
	n, ok := e.rest.next(p)
	if e.charge != nil {
		e.decider.Touched(e.charge, 0, int64(n))
	}
	switch {
	case !e.swallow:
		out.ToServer(p[:n])
		if !ok {
			e.upOpaque, e.rest = true, arguments{}
		}
	case !ok:
		out.Reset, e.over = true, true
	case e.rest.left == 0:
		e.swallow = false
		e.flush(out)
	}
	return p[n:]
}

// flush hands out the answers of our own whose turn has come.
func (e *Editor) flush(out *wire.Out) {
	for e.owed.Len() > 0 && !e.reply.begun && !e.downOpaque {
		o := e.owed.Front()
		if !o.ours || e.swallow && e.owed.Len() == 1 {
			return
		}
		e.tell(o, out)
		e.owed.Pop()
	}
	if e.upOpaque && e.owed.Len() == 0 && !e.reply.begun {
		e.downOpaque = true
	}
}

// tell hands out an answer of our own.
func (e *Editor) tell(o *owed, out *wire.Out) {
	e.hold(o, out)
	out.ToClient([]byte("-" + o.answer.Code + "\r\n"))
}

func (e *Editor) hold(o *owed, out *wire.Out) {
	for _, f := range o.holds {
		out.HoldClient(f)
		e.decider.Touched(f, 1, 0)
	}
}

// answer takes an answer, or a part of it, from the start of p.
func (e *Editor) answer(p []byte, out *wire.Out) (rest []byte) {
	first := !e.reply.begun
	if first && p[0] != '>' && (e.owed.Len() == 0 || e.owed.Front().ours) {
		return e.lost(p, out)
	}
	n, done, ok := e.reply.next(p)
	e.resp3 = e.resp3 || e.reply.newer
	var o *owed
	if !e.reply.push {
		o = e.owed.Front()
	}
	if o == nil || !o.hidden {
		if o != nil && first {
			e.hold(o, out)
		}
		out.ToClient(p[:n])
	}
	switch {
	case !ok:
		return e.lost(p[n:], out)
	case !done:
		return p[n:]
	case o == nil:
		e.flush(out)
		return p[n:]
	}
	if e.unsure && !o.hidden {
		e.unsure, e.inMulti = false, e.reply.queued
	}
	if o.hidden && o.answer != nil {
		e.tell(o, out)
	}
	e.owed.Pop()
	e.flush(out)
	return p[n:]
}

// lost passes p, which cannot be understood, and all that follows.
func (e *Editor) lost(p []byte, out *wire.Out) (rest []byte) {
	if e.swallow || e.owed.Any(func(o *owed) bool { return o.ours || o.hidden }) {
		out.Reset, e.over = true, true
		return nil
	}
	out.ToClient(p)
	e.upOpaque, e.downOpaque = true, true
	out.ToServer(e.kept.Take())
	return nil
}
