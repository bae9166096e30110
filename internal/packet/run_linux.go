package packet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// early is how long before a parcel is due the wire wants to be woken. It
	// looks for packets without sleeping for the rest: how long a wake-up takes
	// exactly nobody knows.
	early = int64(60 * time.Microsecond)
	// batch is how many frames are read or written before the other is looked at.
	batch = 64
)

// Run carries packets until the context ends, and returns nil then. It returns
// an error when a device is gone. What was under way is lost. It is called once.
//
// One goroutine does everything: it reads both devices, waits for the time and
// writes, on descriptors of its own poll, because Go's poller is asked only by
// processors that have nothing else to do.
func (w *Wire) Run(ctx context.Context) error {
	return lend(w.near, "near", func(near int) error {
		return lend(w.far, "far", func(far int) error {
			return w.run(ctx, near, far)
		})
	})
}

// lend lends a file's descriptor, which stays open meanwhile.
func lend(file *os.File, name string, use func(fd int) error) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return fmt.Errorf("the %s device: %w", name, err)
	}
	var of error
	if err := conn.Control(func(fd uintptr) { of = use(int(fd)) }); err != nil {
		return fmt.Errorf("the %s device: %w", name, err)
	}
	return of
}

func (w *Wire) run(ctx context.Context, near, far int) error {
	poll, err := newPoll(near, far)
	if err != nil {
		return fmt.Errorf("wait for packets: %w", err)
	}
	defer poll.close()
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(ended); poll.wake() })
	defer func() {
		if !stop() {
			<-ended
		}
	}()

	start := time.Now()
	clock := func() int64 { return int64(time.Since(start)) }
	in := make([]byte, maxFrame)
	for {
		for range batch {
			now := clock()
			p, ok := w.give(now)
			if !ok {
				break
			}
			to := near
			if p.up {
				to = far
			}
			taken, err := write(to, p.data)
			if err != nil {
				return fmt.Errorf("write a packet: %w", err)
			}
			w.delivered(p, now, taken)
		}
		ready, err := poll.wait(w.nap(clock()))
		if err != nil {
			return fmt.Errorf("wait for packets: %w", err)
		}
		if ready.stop {
			return nil
		}
		for _, device := range []struct {
			ready, up bool
			fd        int
		}{{ready.near, true, near}, {ready.far, false, far}} {
			for range batch {
				if !device.ready {
					break
				}
				n, err := read(device.fd, in)
				if err != nil {
					return fmt.Errorf("read a packet: %w", err)
				}
				if n == 0 {
					break
				}
				w.take(in[:n], device.up, clock())
			}
		}
	}
}

// nap is how long the wire may sleep before it looks at the time again, in
// nanoseconds: negative for ever, 0 not at all.
//
// It stays awake for a parcel that is nearly due, but for at most a quarter of
// the time: at a rate parcels may be due every few microseconds, and a processor
// that only waits for them is taken from those who sent them.
func (w *Wire) nap(now int64) int64 {
	if len(w.queue) == 0 {
		return -1
	}
	due := w.queue[0].due
	switch left := due - now; {
	case left > early:
		return left - early
	case left <= 0 || w.awakeFor == due:
		return 0
	case now < w.awakeFor+3*early:
		return left
	}
	w.awakeFor = due
	return 0
}

// read is one frame; none when there is none.
func read(fd int, b []byte) (int, error) {
	for {
		n, err := unix.Read(fd, b)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return 0, nil
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.ErrUnexpectedEOF
		default:
			return n, nil
		}
	}
}

// write reports whether the device took a frame. It fails only when there is no
// device any more.
func write(fd int, b []byte) (bool, error) {
	for {
		_, err := unix.Write(fd, b)
		switch {
		case err == nil:
			return true, nil
		case err == unix.EINTR:
		case errors.Is(err, unix.EBADFD), errors.Is(err, unix.EBADF), errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET):
			return false, err
		default:
			return false, nil // down, out of buffers, or not to the kernel's liking
		}
	}
}
