package link

import (
	"math/rand/v2"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/http2"
	"github.com/rehearse-dev/rehearse/internal/wire/postgres"
	"github.com/rehearse-dev/rehearse/internal/wire/redis"
)

// editor understands a connection's bytes and lets faults touch its requests.
// It is used under the session's lock of the same name.
type editor struct {
	wire.Editor
	out      wire.Out
	session  *session
	protocol wire.Protocol
	requests uint64
	decided  map[*rehearse.Fault]*bearing // every fault that ever touched a request
	dice     shape.Dice                   // for the delays that faults ask for
}

// edit puts an editor into the connection, when a fault in force wants one: live
// says that bytes have passed already, and that the client begins a request.
func (s *session) edit(live bool) {
	p := s.program.Load()
	if len(p.requests) == 0 {
		return
	}
	s.editAs(wire.ProtocolOf(p.requests[0].fault.spec), live)
}

// stamp puts an editor into a connection of HTTP that begins, unless there is
// one, so that each request goes on as the link's own span. The caller holds the
// lock of the session's follow.
func (s *session) stamp() {
	if s.link.watch.Propagate && s.editor.Load() == nil {
		s.editAs(wire.HTTP, false)
	}
}

func (s *session) editAs(p wire.Protocol, live bool) {
	e := &editor{session: s, decided: map[*rehearse.Fault]*bearing{}, protocol: p}
	e.dice = shape.NewDice(rand.New(rand.NewPCG(s.link.seed, s.number<<2|2)))
	switch e.protocol {
	case wire.HTTP:
		e.Editor = http2.New(e)
	case wire.PostgreSQL:
		e.Editor = postgres.New(e, live)
	case wire.Redis:
		e.Editor = redis.New(e, live)
	}
	s.editor.Store(e)
}

// Decide answers with the faults in force that touch a request.
func (e *editor) Decide(q *wire.Request) (faults []*rehearse.Fault) {
	e.requests++
	for _, b := range e.session.program.Load().requests {
		f := b.fault
		if f.rule.Matches(q) && f.touches(f.spec.Probability, e.session.number, e.requests) {
			faults = append(faults, &f.spec)
			e.decided[&f.spec] = b
		}
	}
	return faults
}

// Stamp is the context that an HTTP request goes on with.
func (e *editor) Stamp(q *wire.Request) (wire.Context, bool) {
	w := e.session.link.watch
	if w == nil || !w.Propagate {
		return wire.Context{}, false
	}
	return w.context(e.session.number, q.ID, q.Parent), true
}

// Touched counts what a fault has done, which may have gone since it was decided
// on.
func (e *editor) Touched(spec *rehearse.Fault, requests, bytes int64) {
	b := e.decided[spec]
	b.touch(0)
	b.fault.requests.Add(requests)
	b.fault.bytes.Add(bytes)
}

// delay is how long a fault holds a request.
func (e *editor) delay(f *rehearse.Fault) time.Duration {
	return e.dice.Delay(rehearse.Path{Delay: f.Delay, Jitter: f.Jitter, Distribution: f.Distribution, Correlation: f.Correlation})
}

// edit takes bytes through the editor and does what it says.
func (d *direction) edit(e *editor, data []byte, at time.Time) error {
	d.session.editing.Lock()
	defer d.session.editing.Unlock()
	e.out.Clear()
	if !understood(func() {
		if d.up {
			e.Up(data, &e.out)
		} else {
			e.Down(data, &e.out)
		}
	}) {
		d.session.reset() // nobody can tell what of it has passed
		return errStopped
	}
	stop := d.do(e, at)
	if e.Opaque() {
		// What follows, of a tunnel for one, needs nobody who understands it.
		d.session.editor.CompareAndSwap(e, nil)
	}
	return stop
}

// understood reports whether an editor has come to the end of its work: its error
// must not end more than the connection.
func understood(work func()) (ok bool) {
	defer func() { ok = recover() == nil }()
	work()
	return true
}

// editEnd tells the editor of the source's end, and hands out what it kept.
func (d *direction) editEnd(e *editor, at time.Time) error {
	d.session.editing.Lock()
	defer d.session.editing.Unlock()
	e.out.Clear()
	if !understood(func() {
		if d.up {
			e.EndUp(&e.out)
		} else {
			e.EndDown(&e.out)
		}
	}) {
		d.session.reset()
		return errStopped
	}
	return d.do(e, at)
}

// do does what the editor said: first what goes against this direction, whose
// memory is ours, and then what goes along it.
func (d *direction) do(e *editor, at time.Time) error {
	along, against := e.out.Client, e.out.Server
	if d.up {
		along, against = against, along
	}
	stop := d.back.inject(e, against, at)
	if err := d.carryOut(e, along, at); err != nil {
		return err
	}
	if e.out.Reset {
		client := &d.session.down
		client.startWriter()
		client.transit.put(chunk{at: later(at, client.until), last: true, end: d.session.reset})
		stop = true
	}
	if stop {
		return errStopped
	}
	return nil
}

// carryOut does what an editor says for the side that its bytes were going to.
func (d *direction) carryOut(e *editor, ops []wire.Op, at time.Time) error {
	for _, op := range ops {
		switch op.Do {
		case wire.Send:
			c := d.course()
			if !d.up {
				d.saw(op.Bytes, at)
			}
			d.startWriter()
			if err := d.send(nil, op.Bytes, later(at, d.until), c, false); err != nil {
				return err
			}
		case wire.Hold:
			d.until = later(at, d.until).Add(e.delay(op.Fault))
		case wire.Close:
			d.shutAfter(at)
			return errStopped
		}
	}
	return nil
}

// inject does what an editor says for the other side, and reports whether that
// ends the connection. Faults of bytes do not touch it: it was never sent. It
// stands for what the upstream would have said, and that would have been asked
// first: it comes later by the way there.
func (d *direction) inject(e *editor, ops []wire.Op, at time.Time) (stop bool) {
	at = at.Add(time.Duration(d.back.course().path.Delay))
	for _, op := range ops {
		switch op.Do {
		case wire.Send:
			if !d.up {
				d.saw(op.Bytes, at)
			}
			d.startWriter()
			d.transit.put(chunk{data: op.Bytes, at: later(at, d.until), mark: d.got.Load()})
		case wire.Hold:
			d.until = later(at, d.until).Add(e.delay(op.Fault))
		case wire.Close:
			d.shutAfter(at)
			return true
		}
	}
	return false
}

// shutAfter ends the connection behind what is under way in this direction.
func (d *direction) shutAfter(at time.Time) {
	d.startWriter()
	d.transit.put(chunk{at: later(at, d.until), last: true, end: d.session.shut})
}
