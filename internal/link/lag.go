package link

import (
	"sync/atomic"
	"time"
)

// lag is how long it takes, in the median, from the moment at which a chunk is
// due until it is handed over: waking a goroutine, a write. A link begins so
// much earlier, and so is right in the median. It learns from every chunk: each
// that comes late moves it up a little and each that comes early moves it down
// as much, which is in balance when half of them are late.
type lag struct{ ns atomic.Int64 }

const (
	lagStep = 500 // ns
	// longestLag bounds what a busy machine can talk it into.
	longestLag = 200 * time.Microsecond
)

func (l *lag) get() time.Duration { return time.Duration(l.ns.Load()) }

// note learns that a chunk came late, by a negative time when it came early.
func (l *lag) note(late time.Duration) {
	// Connections that note at the same time may lose a step, which is no harm.
	switch ns := l.ns.Load(); {
	case late > 0 && ns < int64(longestLag):
		l.ns.Store(ns + lagStep)
	case late < 0 && ns > 0:
		l.ns.Store(ns - lagStep)
	}
}
