package link

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/rehearse-dev/rehearse/internal/shape"
)

// buffer is what a direction reads into.
type buffer [shape.MaxChunk]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// chunk is some bytes under way.
type chunk struct {
	data  []byte
	whole *buffer   // the pooled buffer that data lies in, or nil
	at    time.Time // when they entered the path
	due   time.Time // when they are to leave it
	last  bool      // no bytes but the end of the stream
}

// cost is how much of the window a chunk takes. A tiny one takes what keeping it
// takes, so that a flood of them is bounded as well.
func (c chunk) cost() int64 { return int64(max(len(c.data), 128)) }

// queue holds the chunks of one direction that wait to be due, in their order.
// One goroutine puts, another takes. The zero value is an empty queue that
// nobody takes from yet.
type queue struct {
	started bool         // of the putting goroutine
	pending atomic.Int64 // cost of what was put and not yet delivered

	mu       sync.Mutex
	chunks   []chunk
	head     int
	more     chan struct{} // something was put
	room     chan struct{} // something was delivered
	finished chan struct{} // closed when nobody takes any more
}

// start makes the queue ready and reports whether this was the first call. The
// caller then starts the goroutine that takes. A connection of a flat link never
// comes here, and so needs neither channels nor a writer.
func (q *queue) start() bool {
	if q.started {
		return false
	}
	q.started = true
	q.more, q.room, q.finished = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})
	return true
}

// idle reports whether everything that was put has been delivered. The putting
// goroutine calls it.
func (q *queue) idle() bool { return q.pending.Load() == 0 }

// put adds a chunk when the window has room for it; an empty queue has room for
// any. It reports false when nobody takes any more.
func (q *queue) put(c chunk, window int, done <-chan struct{}) bool {
	select {
	case <-q.finished:
		return false
	default:
	}
	for !c.last {
		held := q.pending.Load()
		if held == 0 || held+c.cost() <= int64(window) {
			break
		}
		select {
		case <-q.room:
		case <-q.finished:
			return false
		case <-done:
			return false
		}
	}
	q.pending.Add(c.cost())
	q.mu.Lock()
	q.chunks = append(q.chunks, c)
	q.mu.Unlock()
	notify(q.more)
	return true
}

// take removes the oldest chunk, waiting for one. It reports false when done is
// closed first.
func (q *queue) take(done <-chan struct{}) (chunk, bool) {
	for {
		if c, ok := q.pop(); ok {
			return c, true
		}
		select {
		case <-q.more:
		case <-done:
			return chunk{}, false
		}
	}
}

func (q *queue) pop() (chunk, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head == len(q.chunks) {
		return chunk{}, false
	}
	c := q.chunks[q.head]
	q.chunks[q.head] = chunk{} // lets its bytes go
	q.head++
	if q.head == len(q.chunks) {
		q.chunks, q.head = q.chunks[:0], 0
	} else if q.head >= 64 && 2*q.head >= len(q.chunks) {
		// A queue that is never empty must not grow for ever.
		n := copy(q.chunks, q.chunks[q.head:])
		clear(q.chunks[n:])
		q.chunks, q.head = q.chunks[:n], 0
	}
	return c, true
}

// delivered gives back the room of a chunk that was taken.
func (q *queue) delivered(c chunk) {
	q.pending.Add(-c.cost())
	notify(q.room)
}

// finish says that nobody takes any more. What is still queued is dropped.
func (q *queue) finish() { close(q.finished) }

// drain waits until nobody takes any more. The putting goroutine calls it after
// its last put.
func (q *queue) drain() {
	if q.started {
		<-q.finished
	}
}

// notify wakes the one goroutine that waits on c, or the next to do so.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
