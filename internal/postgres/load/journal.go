package load

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/rows"
)

// The journal is a table with a row for each table that is loaded, and one for
// each step that puts something back.
//
//	restore  the statement of the step; empty: the row is of a table
//	done     a query: is there nothing left to do?
//	before   a statement that must run before tables can be emptied
const (
	journal       = "public." + rows.Journal
	createJournal = "CREATE TABLE " + journal + " (id int PRIMARY KEY, object text NOT NULL, restore text NOT NULL, done text NOT NULL, before text NOT NULL)"
	dropJournal   = "DROP TABLE " + journal
	// lockKey is of the advisory lock that a load holds.
	lockKey = 0x7265_6865_6172_7365
)

// lock makes sure that one load at a time is at work. The lock goes with the
// session. It is waited for a while, because a session that died a moment ago may
// still hold it.
func lock(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, "SET lock_timeout = '10s'; SELECT pg_advisory_lock("+fmt.Sprint(int64(lockKey))+"); SET lock_timeout = 0")
	if codeOf(err) == "55P03" {
		return &rehearse.Error{Kind: rehearse.Unavailable, Msg: "another load of this database is at work", Err: err,
			Hint: "Wait until it has ended, or end it."}
	}
	if err != nil {
		return fmt.Errorf("lock the database for a load: %w", err)
	}
	return nil
}

// writeJournal makes the journal. The caller's transaction takes away what is in
// it.
func writeJournal(ctx context.Context, tx pgx.Tx, tables []*table, steps []step) error {
	if _, err := tx.Exec(ctx, createJournal); err != nil {
		return fmt.Errorf("write the journal %s: %w", journal, err)
	}
	entries := make([][]any, 0, len(tables)+len(steps))
	for _, t := range tables {
		entries = append(entries, []any{int32(len(entries)), t.sql, "", "", ""})
	}
	for _, s := range steps {
		entries = append(entries, []any{int32(len(entries)), s.object, s.sql, s.done, s.before})
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"public", rows.Journal}, []string{"id", "object", "restore", "done", "before"}, pgx.CopyFromRows(entries))
	if err != nil {
		return fmt.Errorf("write the journal %s: %w", journal, err)
	}
	return nil
}

// repair does what the journal says, if there is one, in one transaction.
func repair(ctx context.Context, c *pgx.Conn) (bool, error) {
	var found bool
	if err := c.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", journal).Scan(&found); err != nil {
		return false, fmt.Errorf("look for the journal %s: %w", journal, err)
	}
	if !found {
		return false, nil
	}
	tx, err := c.Begin(ctx)
	if err != nil {
		return false, err
	}
	defer rollback(tx)
	tables, steps, err := readJournal(ctx, tx)
	if err != nil {
		return false, fmt.Errorf("read the journal %s: %w", journal, err)
	}
	for _, s := range steps {
		if s.before == "" {
			continue
		}
		if _, err := tx.Exec(ctx, s.before); err != nil {
			return false, fmt.Errorf("make room for emptying tables: %w", err)
		}
	}
	if len(tables) > 0 {
		if _, err := tx.Exec(ctx, "TRUNCATE "+strings.Join(tables, ", ")); err != nil {
			return false, fmt.Errorf("empty the tables: %w", err)
		}
	}
	for _, s := range steps {
		if err := s.run(ctx, tx); err != nil {
			return false, err
		}
	}
	if _, err := tx.Exec(ctx, dropJournal); err != nil {
		return false, fmt.Errorf("end the journal: %w", err)
	}
	return true, tx.Commit(ctx)
}

func readJournal(ctx context.Context, tx pgx.Tx) (tables []string, steps []step, err error) {
	found, err := tx.Query(ctx, "SELECT object, restore, done, before FROM "+journal+" ORDER BY id")
	if err != nil {
		return nil, nil, err
	}
	defer found.Close()
	for found.Next() {
		var s step
		if err := found.Scan(&s.object, &s.sql, &s.done, &s.before); err != nil {
			return nil, nil, err
		}
		if s.sql == "" {
			tables = append(tables, s.object)
		} else {
			steps = append(steps, s)
		}
	}
	return tables, steps, found.Err()
}

// rollback ends a transaction that was not committed. There is nothing to be done
// about its failing: the connection is closed soon.
func rollback(tx pgx.Tx) { _ = tx.Rollback(context.Background()) }
