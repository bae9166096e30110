package wiretest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rehearse-dev/rehearse/internal/wire"
)

// Carry makes a connection to an upstream that goes through an editor. Holds
// take no time. It returns the client's
// end.
func Carry(t testing.TB, upstream net.Conn, e wire.Editor) net.Conn {
	client, ours := net.Pipe()
	Join(t, ours, upstream, e)
	t.Cleanup(func() { client.Close() })
	return client
}

// Join carries between two connections through an editor, until the test ends.
func Join(t testing.TB, ours, upstream net.Conn, e wire.Editor) {
	c := carrier{client: newWriter(ours), server: newWriter(upstream)}
	var wg sync.WaitGroup
	wg.Go(c.client.run)
	wg.Go(c.server.run)
	wg.Go(func() { c.read(ours, e.Up, e.EndUp) })
	wg.Go(func() { c.read(upstream, e.Down, e.EndDown) })
	t.Cleanup(func() {
		ours.Close()
		upstream.Close()
		c.client.end()
		c.server.end()
		wg.Wait()
	})
}

// Listen is a port whose connections go through an editor each, until the test
// ends.
func Listen(t testing.TB, dial func() net.Conn, fresh func() wire.Editor) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			Join(t, c, dial(), fresh())
		}
	})
	t.Cleanup(func() {
		l.Close()
		accepting.Wait()
	})
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Watched is an editor that notes when nothing is understood any longer although
// neither side has ended.
type Watched struct {
	wire.Editor
	lost  *atomic.Bool
	ended bool
}

// Watch makes e set lost.
func Watch(e wire.Editor, lost *atomic.Bool) *Watched { return &Watched{Editor: e, lost: lost} }

// Up implements [wire.Editor].
func (w *Watched) Up(p []byte, out *wire.Out) {
	w.Editor.Up(p, out)
	w.note()
}

// Down implements [wire.Editor].
func (w *Watched) Down(p []byte, out *wire.Out) {
	w.Editor.Down(p, out)
	w.note()
}

// EndUp implements [wire.Editor].
func (w *Watched) EndUp(out *wire.Out) {
	w.ended = true
	w.Editor.EndUp(out)
}

// EndDown implements [wire.Editor].
func (w *Watched) EndDown(out *wire.Out) {
	w.ended = true
	w.Editor.EndDown(out)
}

func (w *Watched) note() {
	if !w.ended && w.Opaque() {
		w.lost.Store(true)
	}
}

// carrier is what a link does with an editor, without any shape.
type carrier struct {
	mu             sync.Mutex
	client, server *writer
}

func (c *carrier) read(from net.Conn, call func([]byte, *wire.Out), end func(*wire.Out)) {
	var out wire.Out
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		c.mu.Lock()
		if n > 0 {
			call(buf[:n], &out)
		}
		if err != nil {
			end(&out)
		}
		over := err != nil || out.Reset
		for _, op := range out.Server {
			over = over || op.Do == wire.Close
			c.server.put(op.Bytes)
		}
		for _, op := range out.Client {
			over = over || op.Do == wire.Close
			c.client.put(op.Bytes)
		}
		out.Clear()
		if over {
			c.client.end()
			c.server.end()
		}
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// writer writes what was put, in order, and never makes put wait.
type writer struct {
	to    io.WriteCloser
	mu    sync.Mutex
	queue []byte
	ended bool
	wake  chan struct{}
}

func newWriter(to io.WriteCloser) *writer { return &writer{to: to, wake: make(chan struct{}, 1)} }

func (w *writer) put(p []byte) {
	w.mu.Lock()
	if !w.ended {
		w.queue = append(w.queue, p...)
	}
	w.mu.Unlock()
	w.signal()
}

func (w *writer) end() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.signal()
}

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *writer) run() {
	for range w.wake {
		w.mu.Lock()
		p, ended := w.queue, w.ended
		w.queue = nil
		w.mu.Unlock()
		if len(p) > 0 {
			if _, err := w.to.Write(p); err != nil {
				ended = true
			}
		}
		if ended {
			w.to.Close()
			return
		}
	}
}
