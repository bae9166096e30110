package link

import (
	"io"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// spliced is the size that is asked of a kernel pipe. An ordinary user gets
	// less once his pipes hold 64 MiB, and the default of 64 KiB still does.
	spliced = 1 << 20
	// A stream is bulk for as long as its reads give so much at once; after so
	// many smaller ones in a row it is not any more, and gives the pipe back.
	bulkRead, smallReads = 32 << 10, 8
)

// kernelPipe carries bytes between two descriptors without a copy. A connection
// has one only while it is bulk: held for good, they would be six descriptors
// for each connection in place of two.
type kernelPipe struct{ r, w int }

// kernelPipes are a few that are not in use. Not a sync.Pool, which forgets
// what it holds, and descriptors cannot be forgotten.
var kernelPipes struct {
	sync.Mutex
	free []kernelPipe
}

const maxFreePipes = 32

func takePipe() (kernelPipe, error) {
	kernelPipes.Lock()
	if n := len(kernelPipes.free); n > 0 {
		p := kernelPipes.free[n-1]
		kernelPipes.free = kernelPipes.free[:n-1]
		kernelPipes.Unlock()
		return p, nil
	}
	kernelPipes.Unlock()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		return kernelPipe{}, err
	}
	// Without it the pipe is smaller, and that is all.
	_, _ = unix.FcntlInt(uintptr(fds[0]), unix.F_SETPIPE_SZ, spliced)
	return kernelPipe{fds[0], fds[1]}, nil
}

// give takes back a pipe; one that is not empty is closed.
func (p kernelPipe) give(empty bool) {
	kernelPipes.Lock()
	defer kernelPipes.Unlock()
	if empty && len(kernelPipes.free) < maxFreePipes {
		kernelPipes.free = append(kernelPipes.free, p)
		return
	}
	unix.Close(p.r)
	unix.Close(p.w)
}

// splice moves bytes from the source to the destination inside the kernel, for
// as long as the stream is bulk and the program in force leaves it alone. It
// returns errNotBulk when reading is to go on in the ordinary way, errStopped
// when the destination takes no more, and else how the source ended.
func (d *direction) splice() error {
	if d.src.fd == nil || d.dst.fd == nil {
		return errNotBulk
	}
	p, err := takePipe()
	if err != nil {
		return errNotBulk
	}
	left := 0 // in the pipe
	has := true
	defer func() {
		if has {
			p.give(left == 0)
		}
	}()
	s := d.session
	program := s.program.Load()
	for small := 0; small < smallReads; {
		waited := false
		failed := d.src.fd.Read(func(fd uintptr) bool {
			// The program may change while we wait, and then what comes is its.
			if s.program.Load() != program {
				left, err = 0, unix.EAGAIN
				return true
			}
			if !has {
				if p, err = takePipe(); err != nil {
					left, err = 0, unix.EAGAIN
					return true
				}
				has = true
			}
			left, err = move(int(fd), p.w, spliced)
			if err == unix.EAGAIN && !waited {
				// Who knows for how long there is nothing now.
				p.give(true)
				waited, has = true, false
				return false
			}
			return true
		})
		switch {
		case failed != nil:
			left = 0
			return failed
		case err == unix.EAGAIN:
			left = 0
			return errNotBulk
		case err != nil:
			left = 0
			return err
		case left == 0:
			return io.EOF
		}
		if left < bulkRead {
			small++
		} else {
			small = 0
		}
		if d.up {
			s.asked(time.Now())
		}
		d.got.Add(int64(left))
		began := d.account(left)
		for left > 0 {
			var n int
			failed := d.dst.fd.Write(func(fd uintptr) bool {
				n, err = move(p.r, int(fd), left)
				return err != unix.EAGAIN
			})
			if failed != nil || err != nil || n == 0 {
				d.fail()
				return errStopped
			}
			left -= n
		}
		d.told(began)
	}
	return errNotBulk
}

// move splices up to n bytes without waiting.
func move(from, to, n int) (int, error) {
	for {
		moved, err := unix.Splice(from, nil, to, nil, n, unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
		if err != syscall.EINTR {
			return max(0, int(moved)), err
		}
	}
}
