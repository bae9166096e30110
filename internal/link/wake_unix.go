//go:build unix

package link

import (
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// wake is how long it takes here, in the median, from the arrival of bytes to
// the moment at which the goroutine that waited for them looks at the clock. A
// chunk that was waited for arrived so much before it was read. It is measured
// once for a process, the first time that something is delayed, and 0 until then.
var wake struct {
	ns   atomic.Int64
	once sync.Once
}

// wakeTime is what wake says, and has it measured.
func wakeTime() time.Duration {
	wake.once.Do(func() {
		go func() {
			if d, err := measureWake(); err == nil {
				wake.ns.Store(int64(min(d, longestLag)))
			}
		}()
	})
	return time.Duration(wake.ns.Load())
}

// measureWake sends bytes from one goroutine to another that waits for them.
func measureWake() (time.Duration, error) {
	const rounds = 25
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return 0, err
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "wake")
		ends[i], err = net.FileConn(f)
		f.Close()
		if err != nil {
			return 0, err
		}
		defer ends[i].Close()
	}
	var took []time.Duration
	arrived := make(chan time.Time)
	go func() {
		defer close(arrived)
		b := make([]byte, 1)
		for {
			if _, err := ends[1].Read(b); err != nil {
				return
			}
			arrived <- time.Now()
		}
	}()
	for range rounds {
		waitPrecisely(time.Now().Add(300*time.Microsecond), nil, nil) // the reader is asleep by then
		sent := time.Now()
		if _, err := ends[0].Write([]byte{1}); err != nil {
			return 0, err
		}
		took = append(took, (<-arrived).Sub(sent))
	}
	slices.Sort(took)
	return took[rounds/2], nil
}
