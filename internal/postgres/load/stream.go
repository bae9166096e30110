package load

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

// stream is the COPY of some rows of a table. A goroutine fills batches and
// encodes them, ahead of whoever reads:
//
//	Table.Fill ─▶ encoder ─▶ full ─▶ Read (the network)
//	                ▲                  │
//	                └────── free ──────┘
type stream struct {
	table   rows.Table
	encoder *encoder
	buffers *buffers
	total   int64

	full, free chan []byte
	done       chan struct{}
	cancel     context.CancelFunc
	err        error // of the goroutine; to be read when full is closed

	current []byte // what Read reads
	rest    []byte
	bytes   atomic.Int64
	rows    atomic.Int64 // encoded
	// told, if not nil, hears of rows and bytes that were encoded since the last
	// call, from the goroutine.
	told func(rows, bytes int64)
}

// startStream streams the first rows of a table, total of them.
func startStream(ctx context.Context, e *encoder, t rows.Table, total int64, b *buffers, told func(rows, bytes int64)) *stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{table: t, encoder: e, buffers: b, total: total, cancel: cancel, told: told,
		full: make(chan []byte, len(b.free)), free: make(chan []byte, len(b.free)), done: make(chan struct{})}
	for _, buffer := range b.free {
		s.free <- buffer[:0]
	}
	go func() {
		defer close(s.done)
		defer close(s.full)
		s.err = s.run(ctx)
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

func (s *stream) run(ctx context.Context) error {
	buffer, err := s.next(ctx)
	if err != nil {
		return err
	}
	buffer = s.encoder.head(buffer)
	batch := &s.buffers.batch
	for from, n := int64(0), min(64, batchRows); from < s.total; {
		n = int(min(int64(n), s.total-from))
		if err := s.table.Fill(batch, from, n); err != nil {
			return fmt.Errorf("make rows %d to %d: %w", from+1, from+int64(n), err)
		}
		encoded := 0
		for i := range n {
			before := len(buffer)
			if buffer, err = s.encoder.row(buffer, batch, i); err != nil {
				return fmt.Errorf("row %d: %w", from+int64(i)+1, err)
			}
			encoded += len(buffer) - before
			if len(buffer) < bufferSize {
				continue
			}
			s.full <- buffer
			if buffer, err = s.next(ctx); err != nil {
				return err
			}
		}
		from += int64(n)
		s.rows.Add(int64(n))
		if s.told != nil {
			s.told(int64(n), int64(encoded))
		}
		n = max(1, min(batchRows, n*bufferSize/max(encoded, 1)))
	}
	s.full <- s.encoder.tail(buffer)
	return nil
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

// Read gives the COPY's bytes, and the goroutine's error where it has one.
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
