package load

import (
	"context"
	"time"
)

// pacer waits for points in time.
type pacer interface {
	// until returns at the given time, at once when that has passed; earlier,
	// with the context's error, when the context ends. It is the context that
	// the pacer was made for.
	until(context.Context, time.Time) error
	stop()
}

// timerPacer waits with Go's timers. An idle Go program fires those up to 1 ms
// late, because its epoll_wait counts in whole milliseconds.
type timerPacer struct{}

func (timerPacer) until(ctx context.Context, t time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d := time.Until(t)
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (timerPacer) stop() {}
