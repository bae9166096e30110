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
// only stops accepting lets clients connect. Linux reaches below that. A
// listening socket that is shut down refuses connects and keeps its port until it
// listens again. And one with a filter that takes no packet never hears of a SYN,
// so that clients hang and try again, exactly as on a dead network; it needs no
// privilege, and works from outside the socket's network namespace. A socket of
// MPTCP, which Go asks for unless told otherwise, takes no filter. Its backlog is
// made full instead, by taking its length to 0 and connecting to ourselves.
type listener struct {
	net.Listener
	fd syscall.RawConn // nil where there is none

	mu      sync.Mutex
	state   opening
	changed chan struct{} // closed at the next change of state
	deaf    bool          // a filter keeps the socket from hearing anything
	filled  []filler
	fillers map[string]time.Time // addresses of our own connects, and until when they may be accepted
}

func newListener(ln net.Listener) *listener {
	l := &listener{Listener: ln, changed: make(chan struct{}), fillers: map[string]time.Time{}}
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
			if f.spec.Direction.Has(true) {
				return silent // nothing is heard, a refusal neither
			}
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
	accepting := true
	switch state {
	case refused:
		accepting = !l.shut()
	case silent:
		accepting = false
	}
	close(l.changed)
	l.changed = make(chan struct{})
	if d, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		deadline := time.Time{}
		if !accepting {
			deadline = time.Unix(1, 0) // wakes the one who accepts
		}
		_ = d.SetDeadline(deadline)
	}
	if state == silent {
		l.silence() // now that nobody takes from the backlog
	}
}

// current is the state, and what is closed when it changes.
func (l *listener) current() (opening, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state, l.changed
}

// ours reports whether a connection that was accepted is one of our own making.
// It is asked once about each: the address may be somebody else's later.
func (l *listener) ours(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.fillers) == 0 {
		return false
	}
	addr := c.RemoteAddr().String()
	until, is := l.fillers[addr]
	delete(l.fillers, addr)
	return is && (until.IsZero() || time.Now().Before(until))
}

// reopen undoes refused and silent.
func (l *listener) reopen() {
	if l.deaf {
		l.deaf = !l.hear()
	}
	for _, c := range l.filled {
		c.Close()
	}
	l.filled = nil
	for addr, until := range l.fillers {
		// Those in the backlog are accepted first of all. One that never got
		// there must not be taken for whoever has its address later.
		if until.IsZero() {
			l.fillers[addr] = time.Now().Add(10 * time.Second)
		} else if until.Before(time.Now()) {
			delete(l.fillers, addr)
		}
	}
	l.listen(maxBacklog)
}

// filler is a connect of ours that takes a place in the backlog.
type filler interface{ Close() error }

// maxBacklog is cut by the kernel to what net.core.somaxconn allows, which is
// also what Go asks for.
const maxBacklog = 1 << 16

// silence has connects meet no answer.
func (l *listener) silence() {
	if l.deaf = l.deafen(); l.deaf || !l.listen(0) {
		return
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsLoopback() && !addr.IP.IsUnspecified() || !l.here() {
		// Its address is somebody else's here. There the first connect is
		// answered by the kernel and fills the place, and those after it hang.
		return
	}
	// The one who accepts may have been taking a last one, so that a backlog that
	// is full once need not stay so.
	for hung := 0; hung < 2 && len(l.filled) < maxFilled; {
		if !l.fill(addr) {
			hung++
		}
	}
}

// maxFilled bounds the connects to ourselves, should a backlog never be full.
const maxFilled = 4

// fillTimeout is how long a connect to ourselves may hang, which is what it does
// when the backlog is full already.
const fillTimeout = 20 * time.Millisecond
