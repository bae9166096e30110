package memory

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse/internal/driver"
)

// patience is how long a killed program may take to return before it is
// abandoned. A program that waits on its context or on its connections returns
// at once.
const patience = time.Second

// socket is what a process holds in its network.
type socket interface {
	Close() error
	reset()
}

// process is one run of a program: one goroutine, its sockets, and the
// processes that it started.
type process struct {
	host   *Host
	strays *atomic.Int64
	stop   context.CancelFunc // ends the program's context

	returned chan struct{} // the program's function has returned
	done     chan struct{}

	mu       sync.Mutex
	dead     bool // it may not do anything any more
	exit     driver.Exit
	sockets  map[socket]struct{}
	children map[*process]struct{}
}

var _ driver.Process = (*process)(nil)

// launch starts a program. It fills in the host's processes.
func launch(f Program, h *Host, main *process, args []string, strays *atomic.Int64) *process {
	ctx, stop := context.WithCancel(context.Background())
	p := &process{
		host: h, strays: strays, stop: stop,
		returned: make(chan struct{}), done: make(chan struct{}),
		sockets: map[socket]struct{}{}, children: map[*process]struct{}{},
	}
	h.process, h.main = p, main
	if main == nil {
		h.main = p
	}
	go func() {
		code := 2 // of a program that calls runtime.Goexit, as t.FailNow does
		defer func() {
			close(p.returned)
			p.end(driver.Exit{Code: code, Reason: fmt.Sprintf("exit %d", code)}, func(s socket) { _ = s.Close() })
		}()
		code = f(ctx, h, args)
	}()
	return p
}

// spawn starts a further process of the service, which ends with it. It
// reports false when the service has ended.
func (p *process) spawn(f Program, h *Host, args []string) (*process, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return nil, false
	}
	child := launch(f, h, p, args, p.strays)
	p.children[child] = struct{}{}
	go func() {
		<-child.done
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.children, child)
	}()
	return child, true
}

// own notes a socket that ends with the process. It resets the socket and
// reports false when the process has ended already.
func (p *process) own(s socket) bool {
	if c, ok := s.(*conn); ok {
		c.onClose(func() { p.disown(c) })
	}
	p.mu.Lock()
	if !p.dead {
		p.sockets[s] = struct{}{}
		p.mu.Unlock()
		return true
	}
	p.mu.Unlock()
	s.reset()
	return false
}

func (p *process) disown(s socket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sockets, s)
}

// end ends the process, once: how says what becomes of its sockets.
func (p *process) end(exit driver.Exit, how func(socket)) {
	p.mu.Lock()
	if p.dead {
		p.mu.Unlock()
		return
	}
	p.dead, p.exit = true, exit
	var sockets []socket
	for s := range p.sockets {
		sockets = append(sockets, s)
	}
	var children []*process
	for c := range p.children {
		children = append(children, c)
	}
	p.mu.Unlock()

	p.stop()
	for _, s := range sockets {
		how(s)
	}
	for _, c := range children {
		_ = c.Kill() // never fails
	}
	go func() {
		p.await()
		for _, c := range children {
			<-c.done
		}
		p.host.stdout.end()
		p.host.stderr.end()
		close(p.done)
	}()
}

// await waits for the program to return, but not forever.
func (p *process) await() {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.returned:
	case <-timer.C:
		p.strays.Add(1)
		go func() {
			<-p.returned
			p.strays.Add(-1)
		}()
	}
}

// Done is closed when the program and all that it started have ended.
func (p *process) Done() <-chan struct{} { return p.done }

// Exit is how the program ended.
func (p *process) Exit() driver.Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit
}

// Signal ends the program's context; the program may take no notice, except of
// SIGKILL. To signal what has ended is no error.
func (p *process) Signal(sig os.Signal) error {
	if sig == syscall.SIGKILL {
		return p.Kill()
	}
	p.stop()
	return nil
}

// Kill ends the program whatever it does. Its connections are reset.
func (p *process) Kill() error {
	p.end(driver.Exit{Code: 128 + int(syscall.SIGKILL), Reason: "signal: " + syscall.SIGKILL.String()}, socket.reset)
	return nil
}

// running reports whether it has not ended altogether.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// processes counts what the service runs.
func (p *process) processes() int {
	if !p.running() {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 1
	for c := range p.children {
		if c.running() {
			n++
		}
	}
	return n
}
