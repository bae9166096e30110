package postgres

import (
	"bytes"
	"encoding/binary"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
)

// Editor is the editor of one connection.
type Editor struct {
	decider wire.Decider
	owed    wire.Queue[owed]
	asked   wire.Request
	session session[prepared]

	// The client's messages.
	starting    bool // no startup message was sent yet
	negotiating bool // the server is to say in one byte whether it encrypts
	kept        wire.Kept
	message     message
	left        int             // of the message's bytes
	swallow     bool            // they are not forwarded
	charge      *rehearse.Fault // they are on its account
	skipping    bool            // all is dropped until a Sync: the batch has failed
	open        bool            // the last of what is owed is for the batch that no Sync has ended yet
	sent        int             // messages of the batch that are answered one by one
	upOpaque    bool

	// The server's messages.
	answer     answer
	hidden     bool // the message at hand is not for the client
	results    int  // of such messages since the last ReadyForQuery
	status     byte // of the last ReadyForQuery; 0: unknown
	downOpaque bool

	// A server that reads the data of a COPY ignores Sync until the data end.
	copies, copied int

	killer *rehearse.Fault // ends the connection between two of the server's messages
	over   bool
}

var _ wire.Editor = (*Editor)(nil)

// owed is a ReadyForQuery that the client does not have yet, with what precedes
// it.
type owed struct {
	raise  raise // its fault is nil where none is raised
	before int   // results that precede the raised error, or the server has failed earlier
	batch  bool  // of the extended protocol: a raised error is followed by a ReadyForQuery too many
	sync   bool  // by a Sync
	failed bool  // the raising query has failed, as it should
	holds  []*rehearse.Fault
}

// New makes the editor of a connection that is new or, if it is live, at whose
// next bytes the client begins a query while no answer is outstanding.
func New(d wire.Decider, live bool) *Editor { return &Editor{decider: d, starting: !live} }

// Free implements [wire.Editor].
func (e *Editor) Free() bool {
	return !e.over && e.killer == nil && !e.starting && !e.negotiating && e.kept.Len() == 0 && e.left == 0 &&
		!e.skipping && !e.open && e.sent == 0 && e.answer.whole() && e.owed.Len() == 0 || e.Opaque()
}

// Opaque implements [wire.Editor].
func (e *Editor) Opaque() bool { return !e.over && e.upOpaque && e.downOpaque }

// Up implements [wire.Editor].
func (e *Editor) Up(p []byte, out *wire.Out) {
	for len(p) > 0 && !e.over && e.killer == nil {
		switch {
		case e.upOpaque:
			out.ToServer(p)
			return
		case e.negotiating:
			// Who does not wait for the answer does not take no for one.
			e.opaque()
		case e.left > 0:
			p = e.rest(p, out)
		default:
			p = e.begin(p, out)
		}
	}
}

// Down implements [wire.Editor].
func (e *Editor) Down(p []byte, out *wire.Out) {
	for len(p) > 0 && !e.over {
		switch {
		case e.downOpaque:
			out.ToClient(p)
			return
		case e.negotiating:
			out.ToClient(p[:1])
			e.negotiating = false
			if p[0] != 'N' {
				e.opaque()
			}
			p = p[1:]
		default:
			p = e.answerPart(p, out)
		}
	}
}

// EndUp implements [wire.Editor].
func (e *Editor) EndUp(out *wire.Out) {
	if !e.over && e.killer == nil {
		out.ToServer(e.kept.Take())
	}
	e.upOpaque = true
}

// EndDown implements [wire.Editor].
func (e *Editor) EndDown(*wire.Out) { e.downOpaque = true }

func (e *Editor) opaque() { e.upOpaque, e.downOpaque = true, true }

// rest takes the rest of a message from p.
func (e *Editor) rest(p []byte, out *wire.Out) []byte {
	n := min(e.left, len(p))
	e.left -= n
	if e.charge != nil {
		e.decider.Touched(e.charge, 0, int64(n))
	}
	if !e.swallow {
		out.ToServer(p[:n])
	}
	return p[n:]
}

// begin takes a message, as far as it is read before the decision, from the
// start of p.
func (e *Editor) begin(p []byte, out *wire.Out) (rest []byte) {
	b, had := p[:min(len(p), wire.MaxHead)], e.kept.Len()
	if had > 0 {
		b = e.kept.Add(p[:min(len(p), wire.MaxHead-had)])
	}
	parse := e.message.parse
	if e.starting {
		parse = e.message.parseStart
	}
	switch parse(b) {
	case more:
		if had == 0 {
			e.kept.Add(p)
		}
		return nil
	case bad:
		if e.skipping {
			out.Reset, e.over = true, true
			return nil
		}
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
	n := e.message.n
	e.left, e.swallow, e.charge = e.message.left, false, nil
	if e.starting {
		e.start(b[:n], out)
	} else {
		e.said(b[:n], out)
	}
	return p[n-had:]
}

// start takes a message of the startup.
func (e *Editor) start(b []byte, out *wire.Out) {
	e.left = 0
	switch code := binary.BigEndian.Uint32(e.message.body); {
	case code == askSSL || code == askGSS:
		e.negotiating = true
	case code>>16 == version3 && !replicates(e.message.body[4:]):
		e.starting = false
		e.owed.Push(owed{})
	default:
		e.opaque()
	}
	out.ToServer(b)
}

// said takes a message that begins with b.
func (e *Editor) said(b []byte, out *wire.Out) {
	kind, body := e.message.kind, e.message.body
	if e.owed.Len() >= wire.MaxOwed && !e.skipping {
		e.upOpaque = true
		out.ToServer(b)
		return
	}
	if e.skipping && kind != 'S' && kind != 'X' {
		e.swallow = true
		return
	}
	switch kind {
	case 'Q':
		sql, _ := text(body)
		e.decide(prepared{text: sql, class: classify(sql)}, false, b, out)
		return
	case 'E':
		if p := e.session.execute(body); !p.begun {
			e.decide(p.statement, true, b, out)
			return
		}
		e.sent++
	case 'P':
		e.prepare(body)
		e.sent++
	case 'B':
		e.session.bind(body)
		e.sent++
	case 'C':
		e.session.close(body)
		e.sent++
	case 'D':
		e.sent++
	case 'S':
		e.sync()
	case 'F':
		e.owed.Push(owed{})
	case 'c', 'f':
		e.copied++
	}
	out.ToServer(b)
}

// prepared is a statement that can be executed.
type prepared struct {
	text  []byte
	class class
}

// prepare remembers the statement of a Parse. The memory of the unnamed one is
// used again.
func (e *Editor) prepare(body []byte) {
	name, rest := text(body)
	sql, _ := text(rest)
	if len(name) > 0 {
		e.session.remember(name, prepared{text: bytes.Clone(sql), class: classify(sql)}, len(sql))
		return
	}
	if s := &e.session.statement; !bytes.Equal(s.text, sql) {
		s.text = append(s.text[:0], sql...)
		s.class = classify(sql)
	}
}

// sync ends a batch.
func (e *Editor) sync() {
	switch {
	case e.open:
		e.owed.Back().sync = true
	case e.copies <= e.copied:
		e.owed.Push(owed{sync: true})
	}
	e.open, e.skipping, e.sent = false, false, 0
}

// decide is asked about a statement whose message begins with b.
func (e *Editor) decide(p prepared, batch bool, b []byte, out *wire.Out) {
	alone := e.owed.Len() == 0
	e.asked = wire.Request{
		Protocol: wire.PostgreSQL, Statement: p.text, Writes: p.class.writes != "", Rollback: p.class.rollback,
		InTransaction: alone && e.status == 'T', Failed: alone && e.status == 'E',
	}
	o := owed{batch: batch, before: e.sent}
	for _, f := range e.decider.Decide(&e.asked) {
		if f.Kind == rehearse.FaultDelay && f.Direction == rehearse.Down {
			o.holds = append(o.holds, f)
			continue
		}
		e.decider.Touched(f, 1, int64(len(b)))
		e.charge = f
		switch f.Kind {
		case rehearse.FaultDelay:
			out.HoldServer(f)
			continue
		case rehearse.FaultSQLKill:
			e.killer = f
			e.kill(out)
			return
		}
		o.raise = raiseOf(f, p.class)
		break
	}
	if o.raise.fault == nil {
		out.ToServer(b)
		if batch {
			e.sent++
		}
	} else {
		out.ToServer(o.raise.query())
		e.swallow, e.skipping = true, batch
	}
	switch {
	case !batch:
		e.owed.Push(o)
	case o.raise.fault == nil && o.holds == nil:
	case e.open:
		back := e.owed.Back()
		o.holds = append(back.holds, o.holds...)
		*back = o
	default:
		e.open = true
		e.owed.Push(o)
	}
}

// kill ends the connection, unless the server is in the middle of a message.
func (e *Editor) kill(out *wire.Out) {
	if !e.answer.whole() {
		return
	}
	out.ToServer(terminate())
	out.ToClient(killed())
	out.CloseClient(e.killer)
	e.over = true
}

// answerPart takes a message of the server's, or a part of it, from p.
func (e *Editor) answerPart(p []byte, out *wire.Out) (rest []byte) {
	if e.answer.whole() {
		kind := p[0]
		if !ofServer(kind) || e.starting || kind == 'Z' && e.owed.Len() == 0 {
			return e.lost(p, out)
		}
		e.hidden = e.hides(kind)
		if !e.hidden && kind != 'N' && kind != 'S' && kind != 'A' {
			e.hold(out)
		}
	}
	n, done, ok := e.answer.next(p)
	if !e.hidden {
		out.ToClient(p[:n])
	}
	if !ok {
		return e.lost(p[n:], out)
	}
	if done {
		e.answered(e.answer.head[0])
		if e.killer != nil {
			e.kill(out)
		}
	}
	return p[n:]
}

// hides reports whether a message of the server's is one that it would not have
// sent without the fault.
func (e *Editor) hides(kind byte) bool {
	if e.owed.Len() == 0 {
		return false
	}
	o := e.owed.Front()
	switch {
	case o.raise.fault == nil:
		return false
	case o.failed:
		return kind == 'Z' && o.batch
	}
	return o.raise.commit && e.results == o.before && (kind == 'C' || kind == 'N')
}

// hold lets the client wait for the answer that begins.
func (e *Editor) hold(out *wire.Out) {
	if e.owed.Len() == 0 {
		return
	}
	o := e.owed.Front()
	for _, f := range o.holds {
		out.HoldClient(f)
		e.decider.Touched(f, 1, 0)
	}
	o.holds = nil
}

// answered takes down what a whole message of the server's means.
func (e *Editor) answered(kind byte) {
	switch kind {
	case '1', '2', '3', 'T', 'n', 'C', 'I', 's':
		if !e.hidden {
			e.results++
		}
	case 'E':
		if e.owed.Len() > 0 {
			o := e.owed.Front()
			o.failed = o.failed || o.raise.fault != nil && e.results == o.before
		}
	case 'G':
		e.copies++
		if e.owed.Len() > 0 && e.owed.Front().sync {
			e.owed.Pop() // by a Sync that the server ignores
		}
	case 'Z':
		if e.hidden {
			// The one of the batch's Sync is still to come.
			e.owed.Front().batch = false
			return
		}
		e.status, e.results = e.answer.status, 0
		e.owed.Pop()
		if e.owed.Len() == 0 {
			e.copies, e.copied = 0, 0
			e.downOpaque = e.upOpaque
		}
	}
}

// lost passes p, which cannot be understood, and all that follows.
func (e *Editor) lost(p []byte, out *wire.Out) (rest []byte) {
	if e.killer != nil || e.skipping || e.owed.Any(func(o *owed) bool { return o.raise.fault != nil }) {
		out.Reset, e.over = true, true
		return nil
	}
	out.ToClient(p)
	e.opaque()
	out.ToServer(e.kept.Take())
	return nil
}
