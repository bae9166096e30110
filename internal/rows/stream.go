package rows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

const (
	// bufferSize is how much is encoded before it is handed on. Two buffers are
	// on their way: one is read while the other is filled.
	bufferSize = 256 << 10
	// A batch has at most batchRows rows, and fewer where rows are so wide that it
	// would leave the cache.
	batchRows = 1024
)

// Buffers is memory that streams, one after the other, use.
type Buffers struct {
	Batch Batch
	free  [2][]byte
}

// NewBuffers makes them.
func NewBuffers() *Buffers {
	b := &Buffers{}
	for i := range b.free {
		b.free[i] = make([]byte, 0, bufferSize+bufferSize/4)
	}
	return b
}

// Encoding writes rows as a database reads them. Each function appends to a buffer.
type Encoding struct {
	Head, Tail func([]byte) []byte // what stands around all rows; nil: nothing
	Row        func(buffer []byte, b *Batch, i int) ([]byte, error)
}

// Part is the rows of a table from From on, up to and without To.
type Part struct {
	Table    Table
	From, To int64
}

// Batches fills one batch after the other with the part's rows, and calls each for
// every row, which returns how long it is, encoded. told, if not nil, hears of the rows
// and bytes since its last call.
func (p Part) Batches(ctx context.Context, b *Batch, each func(i int) (int, error), told func(rows, bytes int64)) error {
	for from, n := p.From, min(64, batchRows); from < p.To; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n = int(min(int64(n), p.To-from))
		if err := p.Table.Fill(b, from, n); err != nil {
			return fmt.Errorf("make rows %d to %d: %w", from+1, from+int64(n), err)
		}
		encoded := 0
		for i := range n {
			size, err := each(i)
			if err != nil {
				return fmt.Errorf("row %d: %w", from+int64(i)+1, err)
			}
			encoded += size
		}
		from += int64(n)
		if told != nil {
			told(int64(n), int64(encoded))
		}
		n = max(1, min(batchRows, n*bufferSize/max(encoded, 1)))
	}
	return nil
}

// Stream is a part of a table, encoded. A goroutine fills batches and encodes them,
// ahead of whoever reads:
//
//	Table.Fill ─▶ Encoding ─▶ full ─▶ Read (the network)
//	                 ▲                  │
//	                 └────── free ──────┘
type Stream struct {
	full, free chan []byte
	done       chan struct{}
	cancel     context.CancelFunc
	err        error // of the goroutine; to be read when full is closed

	current []byte // what Read reads
	rest    []byte
	bytes   atomic.Int64
	rows    atomic.Int64
}

// Stream begins a stream of the part, which must be closed. It has the buffers until
// then. told is as in Batches, and called from the stream's goroutine.
func (p Part) Stream(ctx context.Context, e Encoding, b *Buffers, told func(rows, bytes int64)) *Stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &Stream{full: make(chan []byte, len(b.free)), free: make(chan []byte, len(b.free)), done: make(chan struct{}), cancel: cancel}
	for _, buffer := range b.free {
		s.free <- buffer[:0]
	}
	go func() {
		defer close(s.done)
		defer close(s.full)
		s.err = s.run(ctx, p, e, &b.Batch, told)
	}()
	return s
}

// Close ends the goroutine, waits for it, and returns why it failed, if it did
// before it was ended.
func (s *Stream) Close() error {
	s.cancel()
	<-s.done
	if errors.Is(s.err, context.Canceled) {
		return nil
	}
	return s.err
}

// Bytes is how many have been read, Rows how many have been encoded.
func (s *Stream) Bytes() int64 { return s.bytes.Load() }
func (s *Stream) Rows() int64  { return s.rows.Load() }

func (s *Stream) run(ctx context.Context, p Part, e Encoding, b *Batch, told func(rows, bytes int64)) error {
	buffer, err := s.next(ctx)
	if err != nil {
		return err
	}
	if e.Head != nil {
		buffer = e.Head(buffer)
	}
	err = p.Batches(ctx, b, func(i int) (int, error) {
		before := len(buffer)
		var err error
		if buffer, err = e.Row(buffer, b, i); err != nil {
			return 0, err
		}
		size := len(buffer) - before
		if len(buffer) >= bufferSize {
			s.full <- buffer
			buffer, err = s.next(ctx)
		}
		return size, err
	}, func(rows, bytes int64) {
		s.rows.Add(rows)
		if told != nil {
			told(rows, bytes)
		}
	})
	if err != nil {
		return err
	}
	if e.Tail != nil {
		buffer = e.Tail(buffer)
	}
	s.full <- buffer
	return nil
}

// next is an empty buffer. There are never more of them than s.full holds, so
// sending one never blocks.
func (s *Stream) next(ctx context.Context) ([]byte, error) {
	select {
	case buffer := <-s.free:
		return buffer, ctx.Err()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Read gives what was encoded, and the goroutine's error where it has one.
func (s *Stream) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if s.current != nil {
			s.free <- s.current[:0]
			s.current = nil
		}
		buffer, ok := <-s.full
		if !ok {
			if s.err != nil {
				return 0, s.err
			}
			return 0, io.EOF
		}
		s.current, s.rest = buffer, buffer
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	s.bytes.Add(int64(n))
	return n, nil
}
