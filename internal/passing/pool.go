//go:build unix

package passing

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Pool keeps unconnected sockets of another namespace at hand, so that a dial
// rarely has to ask for one.
type Pool struct {
	// Fill asks for n stream sockets for IPv4 that do not block.
	Fill func(n int) ([]*os.File, error)

	mu     sync.Mutex
	free   []*os.File
	closed bool
}

const poolBatch = 16

// Get takes a socket out of the pool, which is filled when it is empty. It fails
// with [net.ErrClosed] after Close.
func (p *Pool) Get() (*os.File, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, net.ErrClosed
	}
	if len(p.free) == 0 {
		files, err := p.Fill(poolBatch)
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, errors.New("no sockets came")
		}
		p.free = files
	}
	f := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	return f, nil
}

// Close closes the sockets that nobody has taken.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	CloseAll(p.free)
	p.free = nil
}

// Connect connects an unconnected socket of another namespace to an IPv4 address
// in the view of that namespace. It takes over the file.
func Connect(ctx context.Context, f *os.File, to netip.AddrPort) (net.Conn, error) {
	defer f.Close() // FileConn duplicates it
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	// The connection is begun inside the callback: the netpoller forgets what
	// was writable before the callback's first call, and reports only changes.
	stop := context.AfterFunc(ctx, func() { _ = f.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	addr := &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().Unmap().As4()}
	var connectErr error
	begun := false
	err = raw.Write(func(fd uintptr) bool {
		if !begun {
			begun = true
			connectErr = unix.Connect(int(fd), addr)
			return connectErr != unix.EINPROGRESS
		}
		n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		connectErr = err
		if n != 0 {
			connectErr = unix.Errno(n)
		}
		if connectErr != nil {
			return true
		}
		// The netpoller may have told of the time before: golang.org/issue/14548.
		_, err = unix.Getpeername(int(fd))
		return err == nil
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err := errors.Join(err, connectErr); err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: os.NewSyscallError("connect", err)}
	}
	return net.FileConn(f)
}
