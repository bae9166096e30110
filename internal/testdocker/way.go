package testdocker

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Way leads to an engine, as a connection to another host does, and can be broken.
// Its methods may be called from several goroutines.
type Way struct {
	engine string // the path of its socket
	socket string

	mu      sync.Mutex
	changed *sync.Cond // one of those below has
	conns   map[net.Conn]bool
	muted   bool
	refuse  int // how many connections still find nobody
	waiting int // how much has come since it was muted
}

// Way makes one to the engine. The end of the test ends it.
func (e *Engine) Way(t testing.TB) *Way {
	t.Helper()
	path, ok := strings.CutPrefix(e.host, "unix://")
	if !ok {
		t.Skip("the tests' engine has no socket on this host")
	}
	dir, err := os.MkdirTemp("", "way") // short, as a socket's path has to be
	if err != nil {
		t.Fatal(err)
	}
	w := &Way{engine: path, socket: filepath.Join(dir, "docker.sock"), conns: map[net.Conn]bool{}}
	w.changed = sync.NewCond(&w.mu)
	l, err := net.Listen("unix", w.socket)
	if err != nil {
		t.Fatal(err)
	}
	go w.serve(l)
	t.Cleanup(func() {
		_ = l.Close()
		w.Break(0)
		_ = os.RemoveAll(dir)
	})
	return w
}

// Host is where the way begins, as DOCKER_HOST says it.
func (w *Way) Host() string { return "unix://" + w.socket }

// Mute has nothing come through any more. Connections stay, and new ones are taken.
func (w *Way) Mute() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.muted, w.waiting = true, 0
	w.changed.Broadcast()
}

// AwaitMuted returns when the way has been muted.
func (w *Way) AwaitMuted() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.muted {
		w.changed.Wait()
	}
}

// AwaitWaiting returns when something has come to a muted way.
func (w *Way) AwaitWaiting() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.muted && w.waiting == 0 {
		w.changed.Wait()
	}
}

// Break ends every connection, and as many of those that come next. After them it
// leads to the engine again.
func (w *Way) Break(next int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.muted, w.refuse = false, next
	for c := range w.conns {
		_ = c.Close()
	}
	w.changed.Broadcast()
}

// AwaitWhole returns when the next connection leads to the engine.
func (w *Way) AwaitWhole() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.muted || w.refuse > 0 {
		w.changed.Wait()
	}
}

func (w *Way) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go w.lead(c)
	}
}

// lead leads one connection, half-closes included.
func (w *Way) lead(c net.Conn) {
	defer w.drop(c)
	if !w.take(c) {
		return
	}
	w.pass()
	up, err := net.Dial("unix", w.engine)
	if err != nil {
		return
	}
	defer w.drop(up)
	w.keep(up)
	back := make(chan struct{})
	go func() {
		defer close(back)
		w.copy(c, up)
	}()
	w.copy(up, c)
	<-back
}

// take says whether a new connection is led.
func (w *Way) take(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse > 0 {
		w.refuse--
		w.changed.Broadcast()
		return false
	}
	w.conns[c] = true
	return true
}

func (w *Way) keep(c net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[c] = true
}

func (w *Way) drop(c net.Conn) {
	_ = c.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
}

// pass waits while the way is muted.
func (w *Way) pass() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting++
	w.changed.Broadcast()
	for w.muted {
		w.changed.Wait()
	}
}

func (w *Way) copy(to, from net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		w.pass()
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			_ = to.(*net.UnixConn).CloseWrite()
			return
		}
	}
}
