package link

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/shape"
)

// burden is a fault as one flow of datagrams bears it: what a bearing is to a
// connection.
type burden struct {
	fault   *fault
	touched atomic.Bool
	lost    atomic.Bool // the upstream was taken away
	timer   *time.Timer // guarded by mapping.mu
	// passed are the bytes that a stall let through since it came, up and down.
	passed [2]atomic.Int64
	// losses are a loss's draws, up and down; each is its way's own.
	losses [2]shape.Losses
}

func newBurden(f *fault, number uint64) *burden {
	b := &burden{fault: f}
	if f.spec.Kind == rehearse.FaultLoss {
		for i := range b.losses {
			b.losses[i] = shape.NewLosses(rand.New(rand.NewPCG(f.key, number<<1|uint64(i))))
		}
	}
	return b
}

// renew makes a burden that has rested what it was at first.
func (b *burden) renew() {
	for i := range b.passed {
		b.passed[i].Store(0)
	}
	b.lost.Store(false)
}

// leave takes the fault off the flow.
func (b *burden) leave() {
	if b.timer != nil {
		b.timer.Stop()
	}
	b.fault.holding.Add(-1)
}

// concerns reports whether the fault does anything to datagrams that go up, or
// down.
func (b *burden) concerns(up bool) bool {
	switch b.fault.spec.Kind {
	case rehearse.FaultSlice, rehearse.FaultSlowClose, rehearse.FaultTLS, rehearse.FaultReset:
		return false // the last is its timer's alone
	case rehearse.FaultRefuse, rehearse.FaultLimit, rehearse.FaultDNS:
		return up
	}
	return true
}

// touch counts the flow, once.
func (b *burden) touch() {
	if !b.touched.Swap(true) {
		b.fault.connections.Add(1)
	}
}

// strike counts a datagram, of which the fault has touched n bytes.
func (b *burden) strike(n int) {
	b.touch()
	b.fault.packets.Add(1)
	b.fault.bytes.Add(int64(n))
}

// passage is what a flow does with the datagrams of one direction.
type passage struct {
	path    rehearse.Path
	burdens []*burden
	plain   bool // nothing is to be done
}

// passageOf is what the shape and the faults of a flow ask of one direction.
func passageOf(path rehearse.Path, burdens []*burden, up bool) passage {
	c := passage{path: path}
	for _, b := range burdens {
		f := b.fault.spec
		if !f.Direction.Has(up) || !b.concerns(up) {
			continue
		}
		switch f.Kind {
		case rehearse.FaultDelay, rehearse.FaultRate:
			c.path = bend(c.path, f)
		}
		c.burdens = append(c.burdens, b)
	}
	c.plain = c.path.IsZero() && len(c.burdens) == 0
	return c
}

// fortune is what becomes of one datagram.
type fortune struct {
	data   []byte
	copies int
	ahead  bool    // it overtakes what is under way
	answer *burden // the fault that answers it in the upstream's place, or nil
}

// suffer takes a datagram through the faults, in their order, and reports
// whether it is still there.
func (w *way) suffer(luck *fortune, p *passage) bool {
	for _, b := range p.burdens {
		f, n := b.fault, len(luck.data)
		switch f.spec.Kind {
		case rehearse.FaultPartition, rehearse.FaultBlackhole, rehearse.FaultTimeout, rehearse.FaultRefuse:
			b.strike(n)
			return false
		case rehearse.FaultHalfOpen:
			if b.lost.Load() {
				b.strike(n)
				return false
			}
		case rehearse.FaultLimit:
			m := w.mapping
			if !m.opened.Load() && m.nat.link.meter.active.Load() >= int64(f.spec.Count) {
				b.strike(n)
				return false
			}
		case rehearse.FaultStall:
			if b.passed[w.index()].Add(int64(n)) > f.spec.Bytes {
				b.strike(n)
				return false
			}
		case rehearse.FaultLoss:
			path := rehearse.Path{Loss: f.spec.Share, Burst: f.spec.Burst, Correlation: f.spec.Correlation}
			if _, lost := b.losses[w.index()].Run(path, 1); lost > 0 {
				b.strike(n)
				return false
			}
		case rehearse.FaultTruncate:
			if int64(n) > f.spec.Bytes {
				b.strike(n - int(f.spec.Bytes))
				luck.data = luck.data[:f.spec.Bytes]
			}
		case rehearse.FaultCorrupt:
			if n > 0 && f.touches(f.spec.Share, w.series(), w.count) {
				bit := uint64(f.draw(w.series(), w.count, 1) * float64(n*8))
				luck.data[bit/8] ^= 1 << (bit % 8)
				b.strike(1)
			}
		case rehearse.FaultDuplicate:
			if f.touches(f.spec.Share, w.series(), w.count) {
				luck.copies++
				b.strike(n)
			}
		case rehearse.FaultReorder:
			// Where there is no delay there is nobody to overtake.
			if (p.path.Delay > 0 || p.path.Jitter > 0) && f.touches(f.spec.Share, w.series(), w.count) {
				luck.ahead = true
				b.strike(n)
			}
		case rehearse.FaultDNS:
			if luck.answer == nil && isQuery(luck.data) {
				luck.answer = b
				b.strike(n)
				f.requests.Add(1)
			}
		case rehearse.FaultDelay, rehearse.FaultRate:
			b.strike(n)
		}
	}
	return true
}
