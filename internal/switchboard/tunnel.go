//go:build unix

package switchboard

import (
	"io"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// tunnel is one side of the session over the container's standard streams.
type tunnel struct {
	*yamux.Session

	mu     sync.Mutex
	closed bool
	work   sync.WaitGroup // what goes on beside, and ends with the session
}

// settings are the session's. A stream that nobody reads holds up itself alone:
// what it may hold is sent ahead, and not more.
func settings() *yamux.Config {
	return &yamux.Config{
		AcceptBacklog:       1024,
		MaxStreamWindowSize: 1 << 20,
		EnableKeepAlive:     true, // a remote engine may go without a word
		KeepAliveInterval:   30 * time.Second,
		// A machine may stand still for a while, and an engine be slow.
		ConnectionWriteTimeout: time.Minute,
		StreamOpenTimeout:      time.Minute,
		LogOutput:              io.Discard,
	}
}

func hostTunnel(stdio io.ReadWriteCloser) (*tunnel, error) {
	s, err := yamux.Client(stdio, settings())
	return &tunnel{Session: s}, err
}

func containerTunnel(stdio io.ReadWriteCloser) (*tunnel, error) {
	s, err := yamux.Server(stdio, settings())
	return &tunnel{Session: s}, err
}

// beside runs f in a goroutine that end waits for; at once, when that was too
// late, which is when the session has ended and f cannot wait for anything.
func (t *tunnel) beside(f func()) {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		f()
		return
	}
	t.work.Add(1)
	t.mu.Unlock()
	go func() {
		defer t.work.Done()
		f()
	}()
}

// end ends the session and waits for what goes on beside it.
func (t *tunnel) end() error {
	err := t.Session.Close()
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.work.Wait()
	return err
}
