package rehearsal

import (
	"context"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// spent writes down what the leg's environment has taken of the host, and what we
// have taken since our own processor's time was what it is said to have been.
func (l *leg) spent(ctx context.Context, own time.Duration) error {
	s := l.env.Spent(ctx)
	s.Own = rehearse.Duration(processorTime() - own)
	return l.out.Append(rehearse.Record{Spent: &s})
}

// processorTime is what this process has taken of the processor.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
