package link

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

// way is one direction of a flow of datagrams.
type way struct {
	mapping *mapping
	up      bool
	courier *courier
	line    *shape.Line  // the link's
	pending atomic.Int64 // datagrams that the courier has

	// mu is held from a datagram's coming until it is written or with the
	// courier, so that none overtakes another. In one direction there is one
	// goroutine that reads, and the answers of a fault beside it.
	mu     sync.Mutex
	count  uint64     // datagrams that came
	own    shape.Line // the flow's
	chance *chance    // nil until there is a shape
	last   time.Time  // when the last is due that keeps its order
}

// chance is what the shape draws for the datagrams of one direction of a flow.
// Each effect has a series of its own, so that one that is switched on strikes
// without changing what the others do.
type chance struct {
	jitter             shape.Dice
	losses             shape.Losses
	duplicate, reorder *rand.Rand
}

func newChance(seed, series uint64) *chance {
	of := func(effect uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, series<<3|effect)) }
	return &chance{jitter: shape.NewDice(of(1)), losses: shape.NewLosses(of(2)), duplicate: of(3), reorder: of(4)}
}

// strikes draws one event of a share.
func strikes(r *rand.Rand, share float64) bool { return share > 0 && r.Float64() < share }

// headers is what IP and UDP put in front of a datagram.
const headers = 20 + 8

// series is a number of its own for each direction of each flow.
func (w *way) series() uint64 { return w.mapping.number<<1 | uint64(w.index()) }

func (w *way) index() int {
	if w.up {
		return 0
	}
	return 1
}

// carry takes a datagram that came at a time through all that is on its way. It
// may change data, and keeps none of it.
func (w *way) carry(data []byte, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.mapping
	t := m.terms()
	p := &t.down
	if w.up {
		p = &t.up
	}
	w.count++
	luck := fortune{data: data, copies: 1}
	if len(p.burdens) > 0 && !w.suffer(&luck, p) {
		return
	}
	if w.up && !m.opened.Load() {
		m.open()
	}
	due := at
	if !p.path.IsZero() {
		var arrives bool
		if due, arrives = w.travel(&luck, &p.path, at); !arrives {
			return
		}
	} else if !luck.ahead && w.last.After(due) {
		due = w.last
	}
	for range luck.copies {
		if !due.After(at) && (luck.ahead || w.pending.Load() == 0) {
			w.deliver(luck.data, luck.answer)
			continue
		}
		w.pending.Add(1)
		if !w.courier.take(w, luck.data, luck.answer, at, due) {
			w.pending.Add(-1)
		}
	}
}

// travel says when a datagram arrives, or false when the path loses it.
func (w *way) travel(luck *fortune, p *rehearse.Path, at time.Time) (due time.Time, arrives bool) {
	if w.chance == nil {
		w.chance = newChance(w.mapping.nat.link.seed, w.series())
	}
	size := len(luck.data) + headers
	due, room := transmit(w.line, p, p.Rate, at, size)
	if room {
		due, room = transmit(&w.own, p, p.ConnectionRate, due, size)
	}
	if !room {
		return due, false
	}
	if _, lost := w.chance.losses.Run(*p, 1); lost > 0 {
		return due, false
	}
	// Both are drawn for every datagram, whatever the other says.
	delay := w.chance.jitter.Delay(*p)
	if strikes(w.chance.reorder, p.Reorder) {
		luck.ahead = true
	}
	if strikes(w.chance.duplicate, p.Duplicate) {
		luck.copies++
	}
	if luck.ahead {
		return due, true
	}
	due = later(due.Add(delay), w.last)
	w.last = due
	return due, true
}

// transmit is when a datagram has left a line, or false when the queue in front
// of it is full. One that finds nobody waiting always has room, or a limit below
// its size would let nothing pass.
func transmit(line *shape.Line, p *rehearse.Path, rate rehearse.Rate, at time.Time, size int) (time.Time, bool) {
	if rate <= 0 {
		return at, true
	}
	limit := p.Limit
	if limit <= 0 {
		limit = int64(shape.Window(*p))
	}
	if fit := line.Fit(rate, at, limit); fit < min(int64(size), limit) {
		return at, false
	}
	return line.Send(rate, at, size), true
}

// deliver hands a datagram to whom it is for.
func (w *way) deliver(data []byte, answer *burden) {
	switch {
	case !w.up:
		w.mapping.reply(data)
	case answer != nil:
		w.mapping.answer(answerDNS(data, answer.fault.spec.Code))
	default:
		w.mapping.write(data)
	}
}
