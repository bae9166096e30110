package link

import "time"

// wait blocks until a time has come and returns true, or until something can be
// received from stop or kick and returns false. When the time has come already
// it returns true.
type wait func(until time.Time, stop, kick <-chan struct{}) bool

// waitTimer is a wait on Go's own timers, which on Linux fire up to a
// millisecond late: the runtime asks epoll_wait for whole milliseconds.
func waitTimer(until time.Time, stop, kick <-chan struct{}) bool {
	d := time.Until(until)
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stop:
		return false
	case <-kick:
		return false
	}
}
