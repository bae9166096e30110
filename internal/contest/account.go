package contest

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// Account is a reading of the machine's processor time and of ours in it. The zero
// value is that of a system that does not say.
type Account struct {
	all  time.Duration // of all processors, whoever used it or nobody
	busy time.Duration
	ours time.Duration // of this process and of its children that have ended
}

// ReadAccount reads it now.
func ReadAccount() Account {
	var a Account
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return a
	}
	// See proc(5). Time of guests is within that of users.
	var user, nice, system, idle, wait, irq, softirq, steal int64
	if _, err := fmt.Sscanf(string(data), "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &wait, &irq, &softirq, &steal); err != nil {
		return a
	}
	a.busy = time.Duration(user+nice+system+irq+softirq+steal) * time.Second / ticks
	a.all = a.busy + time.Duration(idle+wait)*time.Second/ticks
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			return Account{}
		}
		a.ours += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return a
}

// Others is the share of the machine's processors that others have used since an
// earlier account. It is what a benchmark's figures have to be forgiven.
func (a Account) Others(since Account) float64 {
	if a.all == since.all {
		return 0
	}
	foreign := (a.busy - since.busy) - (a.ours - since.ours)
	return max(0, float64(foreign)/float64(a.all-since.all))
}
