package link

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse/internal/shape"
)

// chunk is some bytes under way. The end of a stream is a chunk too, of one
// byte that nobody is given.
type chunk struct {
	data  []byte
	whole *buffer   // the pooled buffer that data lies in, or nil
	at    time.Time // when they entered the path
	due   time.Time // when they left it; known once they have
	mark  int64     // how far into what was read they reach; 0: unknown
	alone bool      // to be written by itself
	last  bool
	end   func() // with last: how the session ends then
}

// size is how much of a flow a chunk takes.
func (c chunk) size() int {
	if c.last {
		return 1
	}
	return len(c.data)
}

// transit is what is under way in one direction: the bytes, in their order, and
// the flow that says when they arrive. Several goroutines may put, one takes.
// The zero value is empty and has nobody who takes.
type transit struct {
	pending atomic.Int64 // bytes that were put and not yet delivered

	mu       sync.Mutex
	flow     shape.Flow // nil until started
	chunks   []chunk    // from head on
	head     int
	sent     int           // chunks from head on that the flow knows of
	more     chan struct{} // there is something new to wait for
	room     chan struct{} // something was delivered, or acknowledged
	ended    bool          // the last chunk was put
	finished chan struct{} // closed when nobody takes any more
}

// idle reports whether everything that was put has been delivered.
func (t *transit) idle() bool { return t.pending.Load() == 0 }

// started reports whether anything was ever put.
func (t *transit) started() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.flow != nil
}

// start makes the transit ready, with a flow for it, and reports whether this
// was the first call. The caller then starts the goroutine that takes. A
// connection of a flat link never comes here.
func (t *transit) start(flow func() shape.Flow) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.flow != nil {
		return false
	}
	t.flow = flow()
	t.more, t.room, t.finished = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})
	return true
}

// put sends a chunk on its way, or keeps it until its time has come to be sent.
// It never waits. What comes behind the last chunk is dropped: an editor may end a
// stream whose source goes on.
func (t *transit) put(c chunk) {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.finished:
		t.ended = true
	default:
	}
	if t.ended {
		if c.whole != nil {
			c.whole.release()
		}
		return
	}
	t.ended = c.last
	next := t.next()
	t.chunks = append(t.chunks, c)
	t.pending.Add(int64(c.size()))
	t.send(time.Now())
	if n := t.next(); !n.Equal(next) {
		notify(t.more)
	}
}

// send tells the flow of the chunks whose time has come.
func (t *transit) send(now time.Time) {
	for ; t.head+t.sent < len(t.chunks); t.sent++ {
		c := t.chunks[t.head+t.sent]
		if c.at.After(now) {
			return
		}
		t.flow.Send(c.at, c.size())
	}
}

// next is when there is something to do; the zero time is never.
func (t *transit) next() time.Time {
	next := t.flow.Next()
	if t.head+t.sent < len(t.chunks) {
		if at := t.chunks[t.head+t.sent].at; next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

// reshape tells the flow of another path.
func (t *transit) reshape(c course, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.flow == nil {
		return
	}
	t.flow.Set(now, c.path, c.back)
	notify(t.more)
	notify(t.room)
}

// await waits until the flow has room for more, and reports whether it has:
// false when nobody takes any more, or when done is closed.
func (t *transit) await(done <-chan struct{}) bool {
	for {
		t.mu.Lock()
		if t.flow == nil {
			t.mu.Unlock()
			return true
		}
		room := t.flow.Room()
		t.mu.Unlock()
		select {
		case <-t.finished:
			return false
		default:
		}
		if room > 0 {
			return true
		}
		select {
		case <-t.room:
		case <-t.finished:
			return false
		case <-done:
			return false
		}
	}
}

// batch is how many chunks are written at once.
const batch = 16

// take appends to out the chunks, or parts of chunks, that have arrived by now
// and may be written together. When there are none, it says when to ask again;
// the zero time is when more is notified.
func (t *transit) take(out []chunk, now time.Time) (_ []chunk, next time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.send(now)
	for len(out) < batch {
		if t.head < len(t.chunks) && len(out) > 0 && (t.chunks[t.head].alone || out[len(out)-1].alone) {
			break
		}
		n, due := t.flow.Deliver(now)
		if n == 0 {
			break
		}
		for n > 0 {
			c := t.pop(n)
			c.due = due
			n -= c.size()
			out = append(out, c)
		}
	}
	notify(t.room)
	if len(out) > 0 {
		return out, time.Time{}
	}
	return out, t.next()
}

// pop removes up to n bytes from the front, all of one chunk.
func (t *transit) pop(n int) chunk {
	c := t.chunks[t.head]
	if c.size() > n {
		t.chunks[t.head].data = c.data[n:]
		c.mark = max(0, c.mark-int64(len(c.data)-n))
		c.data = c.data[:n]
		if c.whole != nil {
			c.whole.retain()
		}
		return c
	}
	t.chunks[t.head] = chunk{} // lets its bytes go
	t.head++
	t.sent--
	if t.head == len(t.chunks) {
		t.chunks, t.head = t.chunks[:0], 0
	} else if t.head >= 64 && 2*t.head >= len(t.chunks) {
		// One that is never empty must not grow for ever.
		n := copy(t.chunks, t.chunks[t.head:])
		clear(t.chunks[n:])
		t.chunks, t.head = t.chunks[:n], 0
	}
	return c
}

// delivered notes that a chunk was handed over.
func (t *transit) delivered(c chunk) {
	t.pending.Add(-int64(c.size()))
	if c.whole != nil {
		c.whole.release()
	}
}

// finish says that nobody takes any more. What is still under way is dropped.
func (t *transit) finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.chunks[t.head:] {
		if c.whole != nil {
			c.whole.release()
		}
	}
	t.chunks, t.head, t.sent = nil, 0, 0
	close(t.finished)
}

// drain waits until nobody takes any more. It is called after the last put.
func (t *transit) drain() {
	if t.started() {
		<-t.finished
	}
}

// notify wakes the one goroutine that waits on c, or the next to do so.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
