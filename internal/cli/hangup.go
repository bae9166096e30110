package cli

import (
	"context"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// hungUp says that nobody can read any more what is written to a stream: it is a pipe
// whose reader has gone, or a terminal that was closed. Who follows something asks it
// while there is nothing to write, which would tell.
func hungUp(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	fds := []unix.PollFd{{Fd: int32(f.Fd())}} // POLLERR and POLLHUP are always told
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
}

// lookTime is how often who follows something looks whether anybody reads it.
const lookTime = 200 * time.Millisecond

// whileRead ends when nobody can read the stream any more.
func whileRead(ctx context.Context, w io.Writer) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for !hungUp(w) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(lookTime):
			}
		}
		cancel()
	}()
	return ctx, cancel
}
