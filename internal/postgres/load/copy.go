package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

const (
	// A table of more than splitRows rows is loaded over several connections, in
	// chunks of chunkRows, each a COPY of its own.
	splitRows = 200_000
	chunkRows = 100_000
	// A table of fewer than freezeRows rows is not worth a transaction in which it
	// is emptied first.
	freezeRows = 5_000
)

// chunk is a part of a table that one COPY loads.
type chunk struct {
	table    int // index into loader.tables
	from, to int64
}

// chunks divides all tables among n connections. Big tables come first, lest the
// last one is alone at work.
func (l *loader) chunks(n int) []chunk {
	var big, rest []chunk
	for i, t := range l.tables {
		total := t.rows.Rows()
		switch {
		case total == 0:
		case n == 1 || total <= splitRows || t.fire:
			rest = append(rest, chunk{i, 0, total})
		default:
			for from := int64(0); from < total; from += chunkRows {
				big = append(big, chunk{i, from, min(from+chunkRows, total)})
			}
		}
	}
	return append(big, rest...)
}

// copyAll loads all tables.
func (l *loader) copyAll(ctx context.Context, conns []*pgx.Conn) error {
	loaded := make([]TableReport, len(l.tables))
	for i, t := range l.tables {
		loaded[i].Table = t.name
	}
	chunks := l.chunks(len(conns))
	var mu sync.Mutex
	memory := make([]*buffers, len(conns))
	err := share(ctx, len(conns), len(chunks), func(ctx context.Context, worker, i int) error {
		if memory[worker] == nil {
			memory[worker] = newBuffers()
		}
		c := chunks[i]
		rows, bytes, err := l.copy(ctx, conns[worker], c, memory[worker])
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		loaded[c.table].Rows += rows
		loaded[c.table].Bytes += bytes
		return nil
	})
	if err != nil {
		return err
	}
	l.report.Tables = loaded
	for _, t := range loaded {
		l.report.Rows += t.Rows
		l.report.Bytes += t.Bytes
	}
	return nil
}

// copy loads a chunk.
func (l *loader) copy(ctx context.Context, conn *pgx.Conn, c chunk, memory *buffers) (rows, bytes int64, err error) {
	t := l.tables[c.table]
	statement := t.encoder.statement(t.sql, "")
	before, after := "", ""
	switch {
	case t.fire && l.replica:
		before, after = "SET session_replication_role = origin", "SET session_replication_role = replica"
	case t.plain && !t.fire && c.from == 0 && c.to == t.rows.Rows() && c.to >= freezeRows:
		// The server writes no WAL where wal_level allows it, and no hint bits when
		// rows are read first, in a table that was emptied in the same transaction.
		before, after = "BEGIN; TRUNCATE "+t.sql, "COMMIT"
		statement = t.encoder.statement(t.sql, "FREEZE")
	}
	if before != "" {
		if _, err := conn.Exec(ctx, before); err != nil {
			return 0, 0, failed(ctx, conn, fmt.Sprintf("load table %q", t.name), err)
		}
	}
	s := startStream(ctx, t.encoder, t.rows, c.from, c.to, memory, func(rows, bytes int64) { l.progress.add(t.name, rows, bytes) })
	tag, err := conn.PgConn().CopyFrom(ctx, s, statement)
	if err := s.close(); err != nil {
		return 0, 0, fmt.Errorf("load table %q: %w", t.name, err)
	}
	if err != nil {
		return 0, 0, copyError(ctx, conn, t, c.from, s.rows.Load(), err)
	}
	if after != "" {
		if _, err := conn.Exec(ctx, after); err != nil {
			return 0, 0, failed(ctx, conn, fmt.Sprintf("load table %q", t.name), err)
		}
	}
	return tag.RowsAffected(), s.bytes.Load(), nil
}

// parallel takes steps over all connections.
func (l *loader) parallel(ctx context.Context, conns []*pgx.Conn, steps []step) error {
	return share(ctx, len(conns), len(steps), func(ctx context.Context, worker, i int) error {
		if err := steps[i].make(ctx, conns[worker]); err != nil {
			return err
		}
		l.progress.add(plain(steps[i].table), 1, 0)
		return nil
	})
}

func (l *loader) analyze(ctx context.Context, conns []*pgx.Conn) error {
	return share(ctx, len(conns), len(l.tables), func(ctx context.Context, worker, i int) error {
		t := l.tables[i]
		if _, err := conns[worker].Exec(ctx, "ANALYZE "+t.sql); err != nil {
			return failed(ctx, conns[worker], fmt.Sprintf("analyze table %q", t.name), err)
		}
		l.progress.add(t.name, 1, 0)
		return nil
	})
}

// share lets workers do jobs 0 to jobs-1, each worker the next that nobody has
// taken yet. The first error ends all of them, and is returned when they have
// ended.
func share(ctx context.Context, workers, jobs int, do func(ctx context.Context, worker, job int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range min(workers, jobs) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= jobs {
					return
				}
				if err := do(ctx, w, i); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
