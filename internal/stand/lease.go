package stand

import (
	"context"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse/internal/environment"
)

// lease ends an environment at a time that may be put off.
type lease struct {
	record *environment.Record
	length time.Duration // 0: it does not end

	mu    sync.Mutex
	ends  time.Time
	timer *time.Timer // nil before begin
}

// begin starts the lease: what came before it was the environment's own time.
func (l *lease) begin(over func()) error {
	if l.length == 0 {
		return nil
	}
	l.mu.Lock()
	l.timer = time.AfterFunc(l.length, over)
	l.mu.Unlock()
	_, err := l.extend(l.length)
	return err
}

// end stops the clock. The environment goes down for another reason.
func (l *lease) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
}

// lookOften is how many times in its length a lease looks for use.
const lookOften = 20

// follow puts the end of the lease off whenever the environment has been used, by
// what seen has counted, until ctx ends.
func (l *lease) follow(ctx context.Context, seen func() int64) {
	if l.length == 0 {
		return
	}
	beat := time.NewTicker(max(l.length/lookOften, time.Millisecond))
	defer beat.Stop()
	last := seen()
	for {
		select {
		case <-beat.C:
			if now := seen(); now != last {
				last = now
				_, _ = l.extend(l.length) // what cannot be written down is not put off
			}
		case <-ctx.Done():
			return
		}
	}
}

// extend has the lease last for at least so long from now, and returns its end.
func (l *lease) extend(d time.Duration) (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := time.Now().Add(d)
	if !until.After(l.ends) {
		return l.ends, nil
	}
	// The record first: who tidies up must not think that the lease is over.
	if err := l.record.Extend(until); err != nil {
		return l.ends, err
	}
	l.ends = until
	if l.timer != nil {
		l.timer.Reset(d)
	}
	return until, nil
}
