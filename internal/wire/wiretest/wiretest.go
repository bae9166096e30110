// Package wiretest plays conversations through an editor in the tests of the
// packages below wire: cut in many ways, with the same result each time.
package wiretest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
)

// Decider applies faults whenever they match, and counts.
type Decider struct {
	faults []*rehearse.Fault
	rules  []*wire.Rule
	asked  int
	doses  map[string][2]int64 // requests and bytes, by the fault's ID
	hits   []*rehearse.Fault
}

// NewDecider makes a decider of faults, which must be valid.
func NewDecider(t testing.TB, faults ...rehearse.Fault) *Decider {
	t.Helper()
	d := &Decider{doses: map[string][2]int64{}}
	for _, f := range faults {
		r, err := wire.NewRule(f)
		if err != nil {
			t.Fatal(err)
		}
		d.faults, d.rules = append(d.faults, &f), append(d.rules, r)
	}
	return d
}

// Decide implements [wire.Decider].
func (d *Decider) Decide(q *wire.Request) []*rehearse.Fault {
	d.asked++
	d.hits = d.hits[:0]
	for i, r := range d.rules {
		if r.Matches(q) {
			d.hits = append(d.hits, d.faults[i])
		}
	}
	return d.hits
}

// Touched implements [wire.Decider].
func (d *Decider) Touched(f *rehearse.Fault, requests, bytes int64) {
	dose := d.doses[f.ID()]
	d.doses[f.ID()] = [2]int64{dose[0] + requests, dose[1] + bytes}
}

// Asked is how many requests were seen.
func (d *Decider) Asked() int { return d.asked }

// Dose is the requests and bytes that a fault has touched, as "2 requests, 70 bytes".
func (d *Decider) Dose(id string) string {
	return fmt.Sprintf("%d requests, %d bytes", d.doses[id][0], d.doses[id][1])
}

// Requests is how many requests a fault has touched.
func (d *Decider) Requests(id string) int { return int(d.doses[id][0]) }

// Tape plays bytes through an editor and writes down what each side is given.
// What is not a byte stands there as <hold name>, <close> or <reset>.
type Tape struct {
	editor         wire.Editor
	out            wire.Out
	server, client strings.Builder
}

// NewTape makes an empty tape.
func NewTape(e wire.Editor) *Tape { return &Tape{editor: e} }

// Up plays bytes from the client, in pieces.
func (t *Tape) Up(pieces ...[]byte) {
	for _, p := range pieces {
		t.call(t.editor.Up, p)
	}
}

// Down plays bytes from the upstream, in pieces.
func (t *Tape) Down(pieces ...[]byte) {
	for _, p := range pieces {
		t.call(t.editor.Down, p)
	}
}

// End ends both sides.
func (t *Tape) End() {
	t.editor.EndUp(&t.out)
	t.editor.EndDown(&t.out)
	t.write()
}

// call gives the editor a copy and spoils it afterwards: it must not keep it.
func (t *Tape) call(f func([]byte, *wire.Out), p []byte) {
	p = bytes.Clone(p)
	f(p, &t.out)
	t.write()
	for i := range p {
		p[i] = '!'
	}
}

func (t *Tape) write() {
	record(&t.server, t.out.Server)
	record(&t.client, t.out.Client)
	if t.out.Reset {
		t.client.WriteString("<reset>")
	}
	t.out.Clear()
}

func record(b *strings.Builder, ops []wire.Op) {
	for _, op := range ops {
		switch op.Do {
		case wire.Send:
			b.Write(op.Bytes)
		case wire.Hold:
			fmt.Fprintf(b, "<hold %s>", op.Fault.ID())
		case wire.Close:
			b.WriteString("<close>")
		}
	}
}

// Server and Client are what the sides were given so far.
func (t *Tape) Server() string { return t.server.String() }

// Client is Server's other side.
func (t *Tape) Client() string { return t.client.String() }

// Step is what one side says.
type Step struct {
	Up    bool
	Bytes string
}

// Up and Down make steps.
func Up(s string) Step { return Step{Up: true, Bytes: s} }

// Down is Up's other side.
func Down(s string) Step { return Step{Bytes: s} }

// Play plays steps through new editors, cut in several ways, and compares what
// the sides are given. It returns the last editor.
func Play(t *testing.T, fresh func() wire.Editor, steps []Step, server, client string) wire.Editor {
	t.Helper()
	var last wire.Editor
	for _, size := range []int{1, 2, 3, 7, 64, 1 << 20} {
		last = fresh()
		tape := NewTape(last)
		for _, s := range steps {
			if s.Up {
				tape.Up(Pieces([]byte(s.Bytes), func() int { return size })...)
			} else {
				tape.Down(Pieces([]byte(s.Bytes), func() int { return size })...)
			}
		}
		if got := tape.Server(); got != server {
			t.Fatalf("in pieces of %d the server got\n%q, want\n%q", size, got, server)
		}
		if got := tape.Client(); got != client {
			t.Fatalf("in pieces of %d the client got\n%q, want\n%q", size, got, client)
		}
	}
	return last
}

// Pieces cuts p.
func Pieces(p []byte, size func() int) [][]byte {
	var out [][]byte
	for len(p) > 0 {
		n := min(len(p), size())
		out = append(out, p[:n])
		p = p[n:]
	}
	return out
}

// Transparent plays any bytes in any pieces through an editor whose decider
// finds nothing, and fails unless they come out as they went in.
func Transparent(t *testing.T, e wire.Editor, up, down []byte, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	tape := NewTape(e)
	ups := Pieces(up, func() int { return 1 + rng.IntN(40) })
	downs := Pieces(down, func() int { return 1 + rng.IntN(40) })
	for len(ups)+len(downs) > 0 {
		if len(downs) == 0 || len(ups) > 0 && rng.IntN(2) == 0 {
			tape.Up(ups[0])
			ups = ups[1:]
		} else {
			tape.Down(downs[0])
			downs = downs[1:]
		}
	}
	tape.End()
	if got := tape.Server(); got != string(up) {
		t.Fatalf("the server got %q, want %q", got, up)
	}
	if got := tape.Client(); got != string(down) {
		t.Fatalf("the client got %q, want %q", got, down)
	}
}
