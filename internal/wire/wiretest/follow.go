package wiretest

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// EndUp and EndDown are the steps with which a side ends.
var (
	EndUp   = Step{Up: true}
	EndDown = Step{}
)

// Follow plays steps through new followers, cut in several ways, and fails unless
// all tell of the same exchanges. The first step is at 1 ms, the next at 2 ms.
// It returns what was told, and the last follower.
func Follow(t testing.TB, fresh func(wire.Tell) wire.Follower, steps []Step, seed uint64) ([]wire.Exchange, wire.Follower) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	fixed := func(n int) func() int { return func() int { return n } }
	var want []wire.Exchange
	var whole wire.Follower
	for i, size := range []func() int{fixed(1 << 20), fixed(1), fixed(5), func() int { return 1 + rng.IntN(40) }} {
		var got []wire.Exchange
		f := fresh(func(e *wire.Exchange) { got = append(got, *e) })
		for at, s := range steps {
			follow(f, s, time.Duration(at+1)*time.Millisecond, size)
		}
		if i == 0 {
			want, whole = got, f
		}
		if !slices.Equal(got, want) {
			t.Fatalf("in other pieces it told of\n%+v, in whole ones of\n%+v", got, want)
		}
		if f.Opaque() != whole.Opaque() || f.Open() != whole.Open() {
			t.Fatalf("in other pieces opaque is %q with %d open, want %q with %d", f.Opaque(), f.Open(), whole.Opaque(), whole.Open())
		}
	}
	return want, whole
}

// follow gives a follower copies and spoils them afterwards: it must not keep
// them.
func follow(f wire.Follower, s Step, at time.Duration, size func() int) {
	if s.Bytes == "" {
		f.End(s.Up, at)
		return
	}
	for _, p := range Pieces([]byte(s.Bytes), size) {
		p = bytes.Clone(p)
		if s.Up {
			f.Up(p, at)
		} else {
			f.Down(p, at)
		}
		for i := range p {
			p[i] = '!'
		}
	}
}

// Along lets a follower read along at an editor: what the client says, and what
// it is told.
func Along(e wire.Editor, f wire.Follower) wire.Editor {
	return &along{Editor: e, follower: f, start: time.Now()}
}

type along struct {
	wire.Editor
	follower wire.Follower
	start    time.Time
}

func (a *along) Up(p []byte, out *wire.Out) {
	a.follower.Up(p, time.Since(a.start))
	a.told(out, func() { a.Editor.Up(p, out) })
}

func (a *along) Down(p []byte, out *wire.Out) {
	a.told(out, func() { a.Editor.Down(p, out) })
}

func (a *along) EndUp(out *wire.Out) {
	a.follower.End(true, time.Since(a.start))
	a.told(out, func() { a.Editor.EndUp(out) })
}

func (a *along) EndDown(out *wire.Out) {
	a.told(out, func() { a.Editor.EndDown(out) })
	a.follower.End(false, time.Since(a.start))
}

// told lets the follower see what a call hands out for the client.
func (a *along) told(out *wire.Out, call func()) {
	if len(out.Client) > 0 {
		panic("wiretest: internal error: what was handed out before is still there")
	}
	call()
	for _, op := range out.Client {
		if op.Do == wire.Send {
			a.follower.Down(op.Bytes, time.Since(a.start))
		}
	}
}
