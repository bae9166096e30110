package wiretest

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
)

// Stamper is a decider that stamps every request, and notes what it was asked.
type Stamper struct {
	*Decider
	Decided, Stamped []Asked
}

// Asked is a request.
type Asked struct {
	ID           uint64
	Method, Path string
	Parent       wire.Context
}

// NewStamper makes a stamper with faults, which must be valid.
func NewStamper(t testing.TB, faults ...rehearse.Fault) *Stamper {
	t.Helper()
	return &Stamper{Decider: NewDecider(t, faults...)}
}

// Decide implements [wire.Decider].
func (s *Stamper) Decide(q *wire.Request) []*rehearse.Fault {
	s.Decided = append(s.Decided, asked(q))
	return s.Decider.Decide(q)
}

// Stamp implements [wire.Stamper].
func (s *Stamper) Stamp(q *wire.Request) (wire.Context, bool) {
	s.Stamped = append(s.Stamped, asked(q))
	return Context(q.ID), true
}

func asked(q *wire.Request) Asked {
	return Asked{ID: q.ID, Method: string(q.Method), Path: string(q.Path), Parent: q.Parent}
}

// Context is what a stamper gives to a request.
func Context(id uint64) wire.Context {
	c := wire.Context{Trace: [16]byte{0: 0xaa}, Span: [8]byte{0: 0xbb}, Sampled: true}
	binary.BigEndian.PutUint32(c.Span[4:], uint32(id))
	return c
}

// Stamp is a traceparent's value with that.
func Stamp(id uint64) string { return string(wire.AppendContext(nil, Context(id))) }

// Agree plays steps through an editor with faults that stamps, and through a
// follower beside it. It fails where they disagree about a request.
func Agree(t testing.TB, edit func(wire.Decider) wire.Editor, follow func(wire.Tell) wire.Follower, steps []Step, faults ...rehearse.Fault) (*Stamper, []wire.Exchange) {
	t.Helper()
	var told []wire.Exchange
	seen := map[uint64]Asked{}
	f := follow(func(e *wire.Exchange) {
		told = append(told, *e)
		seen[e.ID] = Asked{ID: e.ID, Method: e.Method, Path: e.Path, Parent: e.Parent}
	})
	s := NewStamper(t, faults...)
	tape := NewTape(Along(edit(s), f))
	for _, step := range steps {
		if step.Up {
			tape.Up([]byte(step.Bytes))
		} else {
			tape.Down([]byte(step.Bytes))
		}
	}
	tape.End()
	var last uint64
	for _, a := range s.Decided {
		if a.ID <= last {
			t.Fatalf("request %d was asked about behind %d", a.ID, last)
		}
		last = a.ID
		if got, ok := seen[a.ID]; got != a && (ok || f.Opaque() == "") {
			t.Fatalf("the editor was asked about %+v, and the follower told of %+v", a, got)
		}
	}
	return s, told
}

// String is as it stands in messages.
func (a Asked) String() string { return fmt.Sprintf("%d %s %s", a.ID, a.Method, a.Path) }
