package process

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/passing"
)

// jailProcess is a shim and, once started, the service in it.
type jailProcess struct {
	pid    int // of the shim, as whoever started it knows it
	shim   *client
	kill   func() error
	done   chan struct{}
	finish sync.Once

	mu     sync.Mutex
	main   int         // the service's PID inside
	exit   driver.Exit // valid once main has ended, or done is closed
	exited bool
	others map[int]chan int // PID of each executed command → its status
	early  map[int]int
	onGone func() // runs once, before done is closed
	cause  func() string
}

var _ driver.Process = (*jailProcess)(nil)

func newJailProcess(ch *passing.Channel, pid int, kill func() error) *jailProcess {
	p := &jailProcess{pid: pid, kill: kill, done: make(chan struct{}), others: map[int]chan int{}, early: map[int]int{}}
	p.shim = newClient(ch, p.event)
	return p
}

func (p *jailProcess) jail(spec jailSpec, groups []*os.File) error {
	_, _, err := p.shim.call(request{Op: "jail", Jail: &spec}, groups...)
	return err
}

// run starts a program in the jail with the given stdin, stdout and stderr.
func (p *jailProcess) run(prog program, streams [3]*os.File) (int, error) {
	r, _, err := p.shim.call(request{Op: "run", Program: &prog}, streams[:]...)
	if err != nil {
		return 0, err
	}
	if prog.Main {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.main = r.PID
		if status, ok := p.early[r.PID]; ok {
			p.setExit(status)
		}
	}
	return r.PID, nil
}

// wait waits for an executed command; the jail's end ends it too.
func (p *jailProcess) wait(pid int) <-chan int {
	status := make(chan int, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.early[pid]; ok {
		delete(p.early, pid)
		status <- s
		return status
	}
	p.others[pid] = status
	return status
}

func (p *jailProcess) event(r reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch w, ok := p.others[r.PID]; {
	case r.PID == p.main && p.main != 0:
		p.setExit(r.Status)
	case ok:
		delete(p.others, r.PID)
		w <- r.Status
	default:
		p.early[r.PID] = r.Status
	}
}

func (p *jailProcess) setExit(status int) {
	p.exited = true
	p.exit = driver.Exit{Code: status, Reason: fmt.Sprintf("exit %d", status)}
	if status > 128 {
		p.exit.Reason = "signal: " + syscall.Signal(status-128).String()
	}
}

// gone is called once the shim, and so everything in the jail, has ended.
func (p *jailProcess) gone() {
	p.finish.Do(func() {
		go func() {
			<-p.shim.done // its last words have been read
			p.mu.Lock()
			if !p.exited {
				p.setExit(128 + int(syscall.SIGKILL))
			}
			if p.cause != nil {
				if why := p.cause(); why != "" {
					p.exit.Reason, p.exit.OutOfMemory = why, true
				}
			}
			for pid, w := range p.others {
				delete(p.others, pid)
				w <- 128 + int(syscall.SIGKILL)
			}
			onGone := p.onGone
			p.mu.Unlock()
			p.shim.ch.Close()
			if onGone != nil {
				onGone()
			}
			close(p.done)
		}()
	})
}

// Done is closed when the service and everything it started has ended.
func (p *jailProcess) Done() <-chan struct{} { return p.done }

// Exit is how the service ended.
func (p *jailProcess) Exit() driver.Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit
}

// Signal sends a signal to the service's main process.
func (p *jailProcess) Signal(sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("signal %v is none of this system's", sig)
	}
	return p.signal(request{Op: "signal", Signal: int(s)})
}

// signalAll sends a signal to everything that the service runs.
func (p *jailProcess) signalAll(s syscall.Signal) error {
	return p.signal(request{Op: "signal", Signal: int(s), All: true})
}

func (p *jailProcess) signal(q request) error {
	_, _, err := p.shim.call(q)
	if errors.Is(err, errGone) || errors.Is(err, syscall.ESRCH) {
		return nil // it has ended, which is what signals are for
	}
	return err
}

// Kill ends the jail.
func (p *jailProcess) Kill() error { return p.kill() }
