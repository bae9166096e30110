package link

import (
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// meter counts what a link sees. Every field is updated by the data path with
// atomic operations and read at any time; there is no lock to wait for.
type meter struct {
	connections, active, maxActive atomic.Int64
	inFlight, maxInFlight          atomic.Int64
	roundTrips                     atomic.Int64
	bytesUp, bytesDown             atomic.Int64
	refused, resets                atomic.Int64

	delayAsked, delayGiven, delayError, turnAround histogram
}

// open counts a connection and returns its number, from 1.
func (m *meter) open() int64 {
	raise(&m.maxActive, m.active.Add(1))
	return m.connections.Add(1)
}

func (m *meter) close() { m.active.Add(-1) }

// asked counts a connection whose client waits for an answer from now on.
func (m *meter) asked() { raise(&m.maxInFlight, m.inFlight.Add(1)) }

// answered counts the end of a turn.
func (m *meter) answered() {
	m.inFlight.Add(-1)
	m.roundTrips.Add(1)
}

// delayed counts a chunk that was to take one time and took another.
func (m *meter) delayed(asked, given time.Duration) {
	m.delayAsked.observe(asked)
	m.delayGiven.observe(given)
	m.delayError.observe((given - asked).Abs())
}

func (m *meter) stats() rehearse.LinkStats {
	return rehearse.LinkStats{
		Connections: m.connections.Load(),
		Active:      m.active.Load(),
		MaxActive:   m.maxActive.Load(),
		InFlight:    m.inFlight.Load(),
		MaxInFlight: m.maxInFlight.Load(),
		RoundTrips:  m.roundTrips.Load(),
		BytesUp:     m.bytesUp.Load(),
		BytesDown:   m.bytesDown.Load(),
		Refused:     m.refused.Load(),
		Resets:      m.resets.Load(),
		DelayAsked:  m.delayAsked.quantiles(),
		DelayGiven:  m.delayGiven.quantiles(),
		DelayError:  m.delayError.quantiles(),
		TurnAround:  m.turnAround.quantiles(),
		Histogram:   m.turnAround.buckets(),
	}
}

// raise makes a at least v.
func raise(a *atomic.Int64, v int64) {
	for {
		old := a.Load()
		if v <= old || a.CompareAndSwap(old, v) {
			return
		}
	}
}
