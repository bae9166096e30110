package link

import (
	"container/heap"
	"sync"
	"time"
)

// datagram is one under way.
type datagram struct {
	way     *way
	data    []byte
	answer  *burden
	at, due time.Time
	number  uint64 // those that are due at once arrive in the order of their numbers
}

// maxHeld is how many bytes a courier carries. What comes on top of that is
// lost: nothing else bounds what is under way on a long path without a rate.
const maxHeld = 64 << 20

// keptDatagram is the largest buffer that is kept for the next datagram.
const keptDatagram = 2 << 10

var datagramPool = sync.Pool{New: func() any { return new(datagram) }}

// courier delivers the datagrams of all flows in one direction when they are
// due. It has one goroutine, however many flows there are.
type courier struct {
	mu    sync.Mutex
	queue datagrams
	count uint64
	held  int
	more  chan struct{} // there is another first one
}

// take keeps a copy of data until it is due, and reports false when it has no
// room.
func (c *courier) take(w *way, data []byte, answer *burden, at, due time.Time) bool {
	d := datagramPool.Get().(*datagram)
	d.way, d.answer, d.at, d.due = w, answer, at, due
	d.data = append(d.data[:0], data...)
	c.mu.Lock()
	if c.held+cost(len(d.data)) > maxHeld {
		c.mu.Unlock()
		d.recycle()
		return false
	}
	c.held += cost(len(d.data))
	c.count++
	d.number = c.count
	heap.Push(&c.queue, d)
	first := c.queue[0] == d
	c.mu.Unlock()
	if first {
		notify(c.more)
	}
	return true
}

// cost is the memory that a datagram of n bytes takes, roughly.
func cost(n int) int { return 256 + n }

func (d *datagram) recycle() {
	d.way, d.answer = nil, nil
	if cap(d.data) <= keptDatagram {
		datagramPool.Put(d)
	}
}

// run delivers until done is closed.
func (c *courier) run(l *Link, done <-chan struct{}) {
	for {
		d, next := c.first(time.Now())
		switch {
		case d != nil:
			d.way.deliver(d.data, d.answer)
			l.meter.delayed(d.due.Sub(d.at), time.Since(d.at))
			d.way.pending.Add(-1)
			d.recycle()
		case !next.IsZero():
			l.wait(next, done, c.more)
		default:
			select {
			case <-c.more:
			case <-done:
			}
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// first takes out the first datagram that is due by now. When there is none, it
// says when there will be; the zero time is when more is notified.
func (c *courier) first(now time.Time) (d *datagram, next time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return nil, time.Time{}
	}
	if due := c.queue[0].due; due.After(now) {
		return nil, due
	}
	d = heap.Pop(&c.queue).(*datagram)
	c.held -= cost(len(d.data))
	return d, time.Time{}
}

// datagrams is a heap for container/heap, the first to be delivered on top.
type datagrams []*datagram

func (h datagrams) Len() int { return len(h) }

func (h datagrams) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].number < h[j].number
}

func (h datagrams) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h *datagrams) Push(x any) { *h = append(*h, x.(*datagram)) }

func (h *datagrams) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}
