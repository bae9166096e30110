package link

import (
	"sync"
	"sync/atomic"
)

// The sizes of buffers: most chunks fit into the small ones, and bulk that has
// to be seen goes through the large ones, which halve its cost.
const (
	smallBuffer = 64 << 10
	largeBuffer = 256 << 10
)

// buffer is a pooled piece of memory that several may read at once: the
// direction that carries it and whoever observes. It goes back to its pool when
// the last of them has released it.
type buffer struct {
	data []byte
	refs atomic.Int32
}

var smallBuffers = sync.Pool{New: func() any { return &buffer{data: make([]byte, smallBuffer)} }}
var largeBuffers = sync.Pool{New: func() any { return &buffer{data: make([]byte, largeBuffer)} }}

// newBuffer gives a buffer to its only reader.
func newBuffer(large bool) *buffer {
	pool := &smallBuffers
	if large {
		pool = &largeBuffers
	}
	b := pool.Get().(*buffer)
	b.refs.Store(1)
	return b
}

// retain adds a reader, who will release the buffer in turn.
func (b *buffer) retain() { b.refs.Add(1) }

// release takes a reader away. The buffer's bytes are no longer his.
func (b *buffer) release() {
	switch left := b.refs.Add(-1); {
	case left > 0:
	case left < 0:
		panic("link: internal error: a buffer was released twice")
	case len(b.data) == largeBuffer:
		largeBuffers.Put(b)
	default:
		smallBuffers.Put(b)
	}
}
