package switchboard

import "sync"

// refusalLog remembers what was refused, and tells the host of each once.
type refusalLog struct {
	mu    sync.Mutex
	seen  map[Refused]bool
	fresh chan Refused
}

// maxRefusals bounds what is remembered. A client that tries more destinations is
// looking for something, and has been named.
const maxRefusals = 4096

func newRefusals() *refusalLog {
	return &refusalLog{seen: map[Refused]bool{}, fresh: make(chan Refused, maxRefusals)}
}

func (l *refusalLog) add(r Refused) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen[r] || len(l.seen) == maxRefusals {
		return
	}
	l.seen[r] = true
	l.fresh <- r // has room for all that are remembered
}

// send tells the host, until the session ends.
func (l *refusalLog) send(t *tunnel) {
	s, err := t.OpenStream()
	if err != nil {
		return
	}
	ch := messages{s}
	var said any = opening{Events: true}
	for {
		if ch.Write(said) != nil {
			return
		}
		select {
		case said = <-l.fresh:
		case <-t.CloseChan():
			return
		}
	}
}
