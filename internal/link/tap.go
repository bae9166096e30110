package link

import (
	"sync/atomic"
	"time"
)

// Tap observes the bytes that a link carries, as they came, before any shape or
// fault. It never slows them: what does not fit into its queue is not observed,
// and the next observation shows it.
type Tap struct {
	seen chan Observation
	lost atomic.Int64
}

// NewTap makes a tap that holds up to n observations that nobody has taken yet.
func NewTap(n int) *Tap { return &Tap{seen: make(chan Observation, n)} }

// Observation is a chunk of one direction of a connection. Whoever takes it
// reads Data and then calls Release, once.
type Observation struct {
	Connection int64 // counts from 1
	Up         bool
	At         time.Time // when it was read
	Data       []byte    // not to be changed
	// Lost is what Tap.Lost was: when it is more than before, something of this
	// or another connection is missing in front of this chunk.
	Lost int64

	buf *buffer
}

// Release gives the chunk's memory back.
func (o Observation) Release() {
	if o.buf != nil {
		o.buf.release()
	}
}

// Seen is where observations come out, those of one direction of a connection
// in their order.
func (t *Tap) Seen() <-chan Observation { return t.seen }

// Lost are the bytes that were not observed, in all.
func (t *Tap) Lost() int64 { return t.lost.Load() }

// small is a chunk that is copied, so that it does not hold a buffer of many
// times its size.
const small = 2 << 10

func (t *Tap) observe(s *session, up bool, at time.Time, buf *buffer, n int) {
	o := Observation{Connection: int64(s.number), Up: up, At: at, Data: buf.data[:n], Lost: t.lost.Load()}
	if n <= small {
		if len(t.seen) == cap(t.seen) {
			t.lost.Add(int64(n))
			return
		}
		o.Data = append([]byte(nil), o.Data...)
	} else {
		buf.retain()
		o.buf = buf
	}
	select {
	case t.seen <- o:
	default:
		o.Release()
		t.lost.Add(int64(n))
	}
}
