package load

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse/internal/rows"
)

// A table of fewer than freezeRows rows is not worth a transaction in which it is
// emptied first.
const freezeRows = 5_000

// copyAll loads all tables, each over one connection, big ones first, lest the last
// one is alone at work. Several connections to one table do not pay: only one that
// has emptied it in its own transaction may freeze its rows and write no WAL, and
// that is worth more than a second processor.
func (l *loader) copyAll(ctx context.Context, conns []*pgx.Conn) error {
	loaded := make([]TableReport, len(l.tables))
	for i, t := range l.tables {
		loaded[i].Table = t.name
	}
	order := make([]int, len(l.tables))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(l.tables[b].rows.Rows(), l.tables[a].rows.Rows()) })
	memory := make([]*rows.Buffers, len(conns))
	err := rows.Share(ctx, len(conns), len(order), func(ctx context.Context, worker, i int) error {
		if memory[worker] == nil {
			memory[worker] = rows.NewBuffers()
		}
		to := &loaded[order[i]]
		t := l.tables[order[i]]
		if t.rows.Rows() == 0 {
			return nil
		}
		var err error
		to.Rows, to.Bytes, err = l.copy(ctx, conns[worker], t, memory[worker])
		return err
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

// copy loads a table.
func (l *loader) copy(ctx context.Context, conn *pgx.Conn, t *table, memory *rows.Buffers) (loaded, bytes int64, err error) {
	statement := t.encoder.statement(t.sql, "")
	before, after := "", ""
	switch {
	case t.fire && l.replica:
		before, after = "SET session_replication_role = origin", "SET session_replication_role = replica"
	case t.plain && !t.fire && t.rows.Rows() >= freezeRows:
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
	s := all(t.rows).Stream(ctx, t.encoder.encoding(), memory, func(rows, bytes int64) { l.progress.Add(t.name, rows, bytes) })
	tag, err := conn.PgConn().CopyFrom(ctx, s, statement)
	if err := s.Close(); err != nil {
		return 0, 0, fmt.Errorf("load table %q: %w", t.name, err)
	}
	if err != nil {
		return 0, 0, copyError(ctx, conn, t, s.Rows(), err)
	}
	if after != "" {
		if _, err := conn.Exec(ctx, after); err != nil {
			return 0, 0, failed(ctx, conn, fmt.Sprintf("load table %q", t.name), err)
		}
	}
	return tag.RowsAffected(), s.Bytes(), nil
}

// parallel takes steps over all connections.
func (l *loader) parallel(ctx context.Context, conns []*pgx.Conn, steps []step) error {
	return rows.Share(ctx, len(conns), len(steps), func(ctx context.Context, worker, i int) error {
		if err := steps[i].make(ctx, conns[worker]); err != nil {
			return err
		}
		l.progress.Add(plain(steps[i].table), 1, 0)
		return nil
	})
}

func (l *loader) analyze(ctx context.Context, conns []*pgx.Conn) error {
	return rows.Share(ctx, len(conns), len(l.tables), func(ctx context.Context, worker, i int) error {
		t := l.tables[i]
		if _, err := conns[worker].Exec(ctx, "ANALYZE "+t.sql); err != nil {
			return failed(ctx, conns[worker], fmt.Sprintf("analyze table %q", t.name), err)
		}
		l.progress.Add(t.name, 1, 0)
		return nil
	})
}
