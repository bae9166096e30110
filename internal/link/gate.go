package link

import (
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// opening is how a listener treats those who connect.
type opening int

const (
	opened  opening = iota
	refused         // connects are refused, as if nobody listened
	silent          // connects get no answer at all
)

// listener accepts a link's connections, or refuses them, or lets them hang, as
// the faults in force say, without being closed.
//
// The kernel completes a connect before anybody accepts it, so a program that
// only stops accepting lets clients connect. Two tricks of Linux reach below
// that. A listening socket that is shut down refuses connects and keeps its
// port until it listens again. And one whose backlog is full drops further SYNs,
// so that clients hang and try again, exactly as on a dead network; it is made
// full by taking its length to 0 and connecting to ourselves.
type listener struct {
	net.Listener
	fd syscall.RawConn // nil where there is none

	mu      sync.Mutex
	state   opening
	changed chan struct{}   // closed at the next change of state
	fillers map[string]bool // addresses of our own connects
	filled  []net.Conn
}

func newListener(ln net.Listener) *listener {
	l := &listener{Listener: ln, changed: make(chan struct{}), fillers: map[string]bool{}}
	if c, ok := ln.(syscall.Conn); ok {
		l.fd, _ = c.SyscallConn()
	}
	return l
}

// openingOf is how connects are to be treated under some faults. Those that are
// for some connections only are done to each when it has been accepted.
func openingOf(faults []*fault) opening {
	state := opened
	for _, f := range faults {
		if p := f.spec.Probability; p != 0 && p != 1 {
			continue
		}
		switch f.spec.Kind {
		case rehearse.FaultPartition, rehearse.FaultBlackhole:
			return silent // nothing is heard, a refusal neither
		case rehearse.FaultRefuse:
			state = refused
		}
	}
	return state
}

// set changes how connects are treated. It does not wait for the accepting
// goroutine.
func (l *listener) set(state opening) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if state == l.state {
		return
	}
	if l.state != opened {
		l.reopen()
	}
	l.state = state
	switch state {
	case refused:
		l.shut()
	case silent:
		l.fill()
	}
	close(l.changed)
	l.changed = make(chan struct{})
	if d, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		deadline := time.Time{}
		if state != opened {
			deadline = time.Unix(1, 0) // wakes the one who accepts
		}
		_ = d.SetDeadline(deadline)
	}
}

// current is the state, and what is closed when it changes.
func (l *listener) current() (opening, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state, l.changed
}

// ours reports whether a connection that was accepted is one of our own making.
func (l *listener) ours(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	addr := c.RemoteAddr().String()
	return l.fillers[addr]
}

// reopen undoes refused and silent.
func (l *listener) reopen() {
	for _, c := range l.filled {
		reset(c)
	}
	l.filled = nil
	l.listen(maxBacklog)
}

// maxBacklog is cut by the kernel to what net.core.somaxconn allows, which is
// also what Go asks for.
const maxBacklog = 1 << 16

// fill makes the backlog full.
func (l *listener) fill() {
	if l.fd == nil || !l.listen(0) {
		return
	}
	addr := l.Addr()
	if tcp, ok := addr.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() && !tcp.IP.IsUnspecified() {
		// The listener may be in another network namespace than we are, where
		// its address is somebody else's. There the first connect is answered
		// by the kernel and fills the place, and those after it hang.
		return
	}
	// The one who accepts may take the first of them.
	for range 2 {
		c, err := net.DialTimeout("tcp", addr.String(), fillTimeout)
		if err != nil {
			return
		}
		l.fillers[c.LocalAddr().String()] = true
		l.filled = append(l.filled, c)
	}
}

// fillTimeout is how long a connect to ourselves may hang, which is what it does
// when the backlog is full already.
const fillTimeout = 20 * time.Millisecond
