//go:build !linux

package link

import "time"

// waitPrecisely is the most exact wait that the system has.
func waitPrecisely(until time.Time, stop, kick <-chan struct{}) bool {
	return waitTimer(until, stop, kick)
}
