package mysql

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync/atomic"

	driver "github.com/go-sql-driver/mysql"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/rows"
)

const (
	// A table of more than chunkRows rows is loaded by several statements, each a
	// transaction of its own, lest one that fails takes as long to be undone. They
	// follow one another: several at a time wait for each other's AUTO_INCREMENT
	// and pages, and took half as long again when it was measured.
	chunkRows = 500_000
	// insertBytes is about how long an INSERT of many rows is.
	insertBytes = 512 << 10
)

// chunk is a part of a table that one statement loads.
type chunk struct {
	table    *table
	from, to int64
}

func (c chunk) part() rows.Part { return rows.Part{Table: c.table.rows, From: c.from, To: c.to} }

// bySize are the tables that have rows, the biggest first, lest the last one is
// alone at work.
func (l *loader) bySize() []int {
	var out []int
	for i, t := range l.tables {
		if t.rows.Rows() > 0 {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Compare(l.tables[b].rows.Rows(), l.tables[a].rows.Rows()) })
	return out
}

// loadAll loads all tables.
func (l *loader) loadAll(ctx context.Context, sessions []*session) error {
	loaded := make([]TableReport, len(l.tables))
	for i, t := range l.tables {
		loaded[i].Table = t.name
	}
	order := l.bySize()
	memory := make([]*rows.Buffers, len(sessions))
	err := rows.Share(ctx, len(sessions), len(order), func(ctx context.Context, worker, i int) error {
		if memory[worker] == nil {
			memory[worker] = rows.NewBuffers()
		}
		t := l.tables[order[i]]
		total := t.rows.Rows()
		for from := int64(0); from < total; from += chunkRows {
			c := chunk{t, from, min(from+chunkRows, total)}
			bytes, err := l.loadChunk(ctx, sessions[worker], c, memory[worker])
			if err != nil {
				return err
			}
			loaded[order[i]].Rows += c.to - c.from
			loaded[order[i]].Bytes += bytes
		}
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

// readers counts the names under which the driver knows what it is to send.
var readers atomic.Int64

// loadChunk loads a chunk, and makes sure that every row of it is there.
func (l *loader) loadChunk(ctx context.Context, s *session, c chunk, memory *rows.Buffers) (bytes int64, err error) {
	t := c.table
	doing := fmt.Sprintf("load table %q", t.name)
	told := func(rows, bytes int64) { l.progress.Add(t.name, rows, bytes) }
	// Off, they let a server take rows of a unique index unseen. The primary key is
	// checked in any case.
	checks := "SET unique_checks = 1"
	if t.onlyPrimary {
		checks = "SET unique_checks = 0"
	}
	if err := s.exec(ctx, checks); err != nil {
		return 0, failed(doing, err)
	}
	if !l.infile {
		return l.insertChunk(ctx, s, c, memory, told)
	}
	lines := c.part().Stream(ctx, rows.Encoding{Row: t.encoder.line}, memory, told)
	name := "rehearse-load-" + strconv.FormatInt(readers.Add(1), 10)
	driver.RegisterReaderHandler(name, func() io.Reader { return lines })
	result, err := s.conn.ExecContext(ctx, t.encoder.loadData(name, t.name))
	driver.DeregisterReaderHandler(name)
	if err := lines.Close(); err != nil {
		return 0, fmt.Errorf("%s: %w", doing, err)
	}
	if err != nil {
		return 0, failed(doing, err)
	}
	if err := s.warned(ctx, doing); err != nil {
		return 0, err
	}
	if n, err := result.RowsAffected(); err != nil || n != c.to-c.from {
		return 0, fmt.Errorf("%s: the server took %d of %d rows and does not say why", doing, n, c.to-c.from)
	}
	return lines.Bytes(), nil
}

// warned is the error that the last LOAD DATA LOCAL has made a warning of.
func (s *session) warned(ctx context.Context, doing string) error {
	var first error
	n := 0
	err := s.each(ctx, "SHOW WARNINGS", func(row *sql.Rows) error {
		var level string
		e := &driver.MySQLError{}
		if err := row.Scan(&level, &e.Number, &e.Message); err != nil {
			return err
		}
		if n++; first == nil {
			first = e
		}
		return nil
	})
	if err != nil {
		return failed(doing, err)
	}
	if n > 1 {
		first = fmt.Errorf("%w (and %d more, or as many as the server tells)", first, n-1)
	}
	if first != nil {
		return failed(doing, first)
	}
	return nil
}

// insertChunk loads a chunk where LOAD DATA LOCAL is not allowed.
func (l *loader) insertChunk(ctx context.Context, s *session, c chunk, memory *rows.Buffers, told func(rows, bytes int64)) (bytes int64, err error) {
	t := c.table
	head := t.encoder.insert(t.name)
	statement := []byte(head)
	limit := min(insertBytes, l.packet/2)
	flush := func() error {
		if len(statement) == len(head) {
			return nil
		}
		bytes += int64(len(statement))
		err := s.exec(ctx, string(statement))
		statement = append(statement[:0], head...)
		return err
	}
	err = c.part().Batches(ctx, &memory.Batch, func(i int) (int, error) {
		before := len(statement)
		if before > len(head) {
			statement = append(statement, ',')
		}
		var err error
		if statement, err = t.encoder.tuple(statement, &memory.Batch, i); err != nil {
			return 0, err
		}
		size := len(statement) - before
		if len(statement) >= limit {
			err = flush()
		}
		return size, err
	}, told)
	if err == nil {
		err = flush()
	}
	if err != nil {
		return 0, failed(fmt.Sprintf("load table %q", t.name), err)
	}
	return bytes, nil
}

// failed is the error of a statement of a load, with a hint where a person can do
// something about it.
func failed(doing string, err error) error {
	e := &rehearse.Error{Kind: rehearse.Invalid, Msg: doing, Err: err}
	switch numberOf(err) {
	case 0:
		return fmt.Errorf("%s: %w", doing, err)
	case 1062, 1586:
		e.Msg += ": the rows break a unique key"
		e.Hint = "Give the columns of this key a rule in the data plan, or drop it if production does not have it."
	case 3819, 4025:
		e.Msg += ": the rows break a CHECK"
		e.Hint = "Give the columns of this constraint a rule in the data plan, or drop it if production does not have it."
	case 1048, 1263, 1264, 1265, 1292, 1366, 1406, 3140, 1416:
		e.Msg += ": a value does not fit its column"
		e.Hint = "Give the column a rule in the data plan."
	case 1021, 1114:
		e.Kind, e.Msg, e.Hint = rehearse.Unavailable, doing+": the server's disk is full", "Free space on the server's disk, or load at a smaller scale."
	case 1044, 1142, 1143, 1227, 1419:
		e.Kind, e.Hint = rehearse.Unavailable, "Load as a user who owns the database: GRANT ALL on it."
	case 1053, 1927, 1317:
		e.Kind, e.Hint = rehearse.Unavailable, "See the server's log for why it ended the connection, and load again."
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
	return e
}
