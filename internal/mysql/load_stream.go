package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/rehearse-dev/rehearse/internal/rows"
)

const (
	// bufferSize is how much is encoded before it is handed on. Two buffers are
	// on their way: one is read while the other is filled.
	bufferSize = 256 << 10
	// A batch has at most batchRows rows, and fewer where rows are so wide that it
	// would leave the cache.
	batchRows = 1024
)

// buffers is memory that streams, one after the other, use.
type buffers struct {
	batch rows.Batch
	free  [2][]byte
}

func newBuffers() *buffers {
	b := &buffers{}
	for i := range b.free {
		b.free[i] = make([]byte, 0, bufferSize+bufferSize/4)
	}
	return b
}

// batches fills one batch after the other with the rows of a chunk, and calls each
// for every row; it returns how long the row is, encoded.
func (c chunk) batches(ctx context.Context, b *rows.Batch, each func(i int) (int, error), told func(rows, bytes int64)) error {
	for from, n := c.from, min(64, batchRows); from < c.to; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n = int(min(int64(n), c.to-from))
		if err := c.table.rows.Fill(b, from, n); err != nil {
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
		told(int64(n), int64(encoded))
		n = max(1, min(batchRows, n*bufferSize/max(encoded, 1)))
	}
	return nil
}

// stream is a chunk of a table as lines. A goroutine fills batches and encodes
// them, ahead of whoever reads:
//
//	Table.Fill ─▶ encoder ─▶ full ─▶ Read (the network)
//	                ▲                  │
//	                └────── free ──────┘
type stream struct {
	full, free chan []byte
	done       chan struct{}
	cancel     context.CancelFunc
	err        error // of the goroutine; to be read when full is closed

	current []byte // what Read reads
	rest    []byte
	bytes   atomic.Int64
}

func startStream(ctx context.Context, c chunk, b *buffers, told func(rows, bytes int64)) *stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{cancel: cancel, full: make(chan []byte, len(b.free)), free: make(chan []byte, len(b.free)), done: make(chan struct{})}
	for _, buffer := range b.free {
		s.free <- buffer[:0]
	}
	go func() {
		defer close(s.done)
		defer close(s.full)
		s.err = s.run(ctx, c, b, told)
	}()
	return s
}

// close ends the goroutine, waits for it, and returns why it failed, if it did
// before it was ended.
func (s *stream) close() error {
	s.cancel()
	<-s.done
	if errors.Is(s.err, context.Canceled) {
		return nil
	}
	return s.err
}

func (s *stream) run(ctx context.Context, c chunk, b *buffers, told func(rows, bytes int64)) error {
	buffer, err := s.next(ctx)
	if err != nil {
		return err
	}
	err = c.batches(ctx, &b.batch, func(i int) (int, error) {
		before := len(buffer)
		var err error
		if buffer, err = c.table.encoder.line(buffer, &b.batch, i); err != nil {
			return 0, err
		}
		size := len(buffer) - before
		if len(buffer) >= bufferSize {
			s.full <- buffer
			buffer, err = s.next(ctx)
		}
		return size, err
	}, told)
	if err == nil {
		s.full <- buffer
	}
	return err
}

// next is an empty buffer. There are never more of them than s.full holds, so
// sending one never blocks.
func (s *stream) next(ctx context.Context) ([]byte, error) {
	select {
	case buffer := <-s.free:
		return buffer, ctx.Err()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Read gives the lines, and the goroutine's error where it has one.
func (s *stream) Read(p []byte) (int, error) {
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
