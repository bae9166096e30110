package mysql

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/rows"
)

// The journal is a table with a row for each table that is loaded, and one for
// each step that puts something back.
//
//	kind     "table", or what the step makes: "index", "trigger"
//	of       the table
//	name     of what the step makes
//	restore  the statement of the step
//	sqlmode  the sql_mode that the statement is to run with
const (
	journal       = rows.Journal
	createJournal = "CREATE TABLE " + journal + " (id int PRIMARY KEY, kind varchar(10) NOT NULL, of varchar(64) NOT NULL, name varchar(64) NOT NULL, restore longtext NOT NULL, sqlmode text NOT NULL) CHARACTER SET utf8mb4"
)

// step puts something back.
type step struct {
	kind, table, name string
	restore           string
	sqlMode           string // of a trigger
	drop              string // what took it away
}

// run takes the step.
func (s step) run(ctx context.Context, session *session) error {
	err := s.make(ctx, session)
	if err != nil {
		return failed(fmt.Sprintf("make %s %q of table %q", s.kind, s.name, s.table), err)
	}
	return nil
}

// make takes the step with the sql_mode that it wants.
func (s step) make(ctx context.Context, session *session) error {
	if s.kind != "trigger" {
		return session.exec(ctx, s.restore)
	}
	if err := session.exec(ctx, "SET @rehearse_mode = @@sql_mode, sql_mode = "+literal(s.sqlMode)); err != nil {
		return err
	}
	err := session.exec(ctx, s.restore)
	if back := session.exec(ctx, "SET sql_mode = @rehearse_mode"); err == nil {
		err = back
	}
	return err
}

// done reports whether there is nothing left to do.
func (s step) done(ctx context.Context, session *session) (bool, error) {
	query := "SELECT COUNT(*) > 0 FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND INDEX_NAME = ?"
	if s.kind == "trigger" {
		query = "SELECT COUNT(*) > 0 FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() AND EVENT_OBJECT_TABLE = ? AND TRIGGER_NAME = ?"
	}
	var done bool
	err := session.conn.QueryRowContext(ctx, query, s.table, s.name).Scan(&done)
	return done, err
}

// lock makes sure that one load at a time is at work. The lock goes with the
// session. It is waited for a while, because a session that died a moment ago may
// still hold it.
func (db *DB) lock(ctx context.Context, s *session) error {
	var got sql.NullBool
	// The name may be 64 characters long.
	if err := s.conn.QueryRowContext(ctx, "SELECT GET_LOCK(CONCAT('rehearse ', MD5(DATABASE())), 10)").Scan(&got); err != nil {
		return fmt.Errorf("lock the database for a load: %w", err)
	}
	if !got.Bool {
		return &rehearse.Error{Kind: rehearse.Unavailable, Msg: "another load of this database is at work", Hint: "Wait until it has ended, or end it."}
	}
	return nil
}

// writeJournal makes the journal, all at once.
func writeJournal(ctx context.Context, s *session, tables []*table, steps []step) error {
	if err := s.exec(ctx, createJournal); err != nil {
		return fmt.Errorf("make the journal %s: %w", journal, err)
	}
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write the journal %s: %w", journal, err)
	}
	id := 0
	add := func(kind, of, name, restore, mode string) error {
		id++
		_, err := tx.ExecContext(ctx, "INSERT INTO "+journal+" VALUES (?, ?, ?, ?, ?, ?)", id, kind, of, name, restore, mode)
		return err
	}
	for _, t := range tables {
		if err == nil {
			err = add("table", t.name, "", "", "")
		}
	}
	for _, p := range steps {
		if err == nil {
			err = add(p.kind, p.table, p.name, p.restore, p.sqlMode)
		}
	}
	if err != nil {
		_ = tx.Rollback() // what is to be told is err
	} else {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("write the journal %s: %w", journal, err)
	}
	return nil
}

// Repair undoes a load that was interrupted: it empties the tables that were
// loaded, and puts every definition back that was taken away. It reports whether
// there was anything to do. A repair that is interrupted itself can be repeated.
func (db *DB) Repair(ctx context.Context) (bool, error) {
	s, err := db.loading(ctx)
	if err != nil {
		return false, err
	}
	defer s.close()
	if err := db.lock(ctx, s); err != nil {
		return false, err
	}
	return db.repair(ctx, s)
}

// repair does what the journal says, if there is one. An empty one was not yet
// written when nothing had been changed.
func (db *DB) repair(ctx context.Context, s *session) (bool, error) {
	found, err := s.texts(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '"+journal+"'")
	if err != nil {
		return false, fmt.Errorf("look for the journal %s: %w", journal, err)
	}
	if len(found) == 0 {
		return false, nil
	}
	var steps []step
	err = s.each(ctx, "SELECT kind, of, name, restore, sqlmode FROM "+journal+" ORDER BY id", func(row *sql.Rows) error {
		var p step
		err := row.Scan(&p.kind, &p.table, &p.name, &p.restore, &p.sqlMode)
		steps = append(steps, p)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read the journal %s: %w", journal, err)
	}
	for _, p := range steps {
		if p.kind == "table" {
			if err := s.truncate(ctx, p.table); err != nil {
				return false, err
			}
			continue
		}
		done, err := p.done(ctx, s)
		if err == nil && !done {
			err = p.run(ctx, s)
		}
		if err != nil {
			return false, fmt.Errorf("put back %s %q of table %q: %w", p.kind, p.name, p.table, err)
		}
	}
	if err := s.exec(ctx, "DROP TABLE "+journal); err != nil {
		return false, fmt.Errorf("end the journal %s: %w", journal, err)
	}
	return true, nil
}
