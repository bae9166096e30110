package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/rows"
)

// Options are how to load.
type Options struct {
	// Connections is how many load at the same time, each a table; 0: 2. There is
	// one more that does the rest.
	Connections int
	// Truncate empties the tables first. Otherwise it is an error when one of them
	// has rows.
	Truncate bool
	// FireTriggers are the tables whose triggers fire for each row, by QName.
	// Those of other tables are dropped and made again.
	FireTriggers []string
	// IndexRows is how many rows make a table big: its indexes that are no keys,
	// and that no foreign key needs, are made after its rows are there.
	// 0: 500,000; below 0: every table is big.
	IndexRows int64
	// Progress is called, if it is not nil, at most ten times a second and at the
	// start and the end of each phase, from one goroutine at a time. It must not
	// block.
	Progress func(Progress)
}

// What loaders of all engines say alike.
type (
	Phase       = rows.Phase
	Progress    = rows.Progress
	Report      = rows.Report
	PhaseReport = rows.PhaseReport
	TableReport = rows.TableReport
)

// The phases, in order.
const (
	PhaseCheck      = rows.PhaseCheck
	PhaseLoad       = rows.PhaseLoad
	PhaseIndexes    = rows.PhaseIndexes
	PhaseReferences = rows.PhaseReferences
	PhaseAnalyze    = rows.PhaseAnalyze
)

const (
	defaultConnections = 2
	// With three indexes, 400,000 rows took 5.4 s with them in place and 8.2 s with
	// them made afterwards; 1,500,000 rows, which leave a buffer pool of 128 MB,
	// took 281 s and 37 s.
	defaultIndexRows = 500_000
	// undoTime is how long a failed load has to put things back.
	undoTime = time.Minute
)

// loader is one load.
type loader struct {
	Options
	db       *DB
	known    catalogue
	tables   []*table
	infile   bool // LOAD DATA LOCAL is allowed
	packet   int  // max_allowed_packet
	progress *rows.Meter
	report   Report
}

// table is one table of the dataset.
type table struct {
	rows    rows.Table
	name    string
	encoder *encoder
	fire    bool
	// onlyPrimary: no key but the primary one, so that unique_checks, which are
	// of others, may be off.
	onlyPrimary bool
}

// Load fills the tables of a dataset, which must exist, over connections of its
// own. When it fails, tables are empty and definitions as before, or the error says
// that they are not; a load whose process died is undone by the next, or by
// [DB.Repair]. Errors that a person can act on are [rehearse.Error]s.
//
// Servers of this family do not prove foreign keys that were not checked while rows
// came, so the load counts what leads nowhere itself. A foreign key from another
// database is not looked at.
//
// Definitions are dropped and made by statements that no transaction holds, which
// is why they are journalled in the table rehearse_load of the database first. An
// index that was made again stands behind the others, and a trigger has the time
// at which it was made again.
func (db *DB) Load(ctx context.Context, o Options, d rows.Dataset) (Report, error) {
	if o.Connections <= 0 {
		o.Connections = defaultConnections
	}
	if o.IndexRows == 0 {
		o.IndexRows = defaultIndexRows
	}
	l := &loader{Options: o, db: db, progress: rows.NewMeter(o.Progress)}
	control, err := db.loading(ctx)
	if err != nil {
		return Report{}, interrupted(ctx, err)
	}
	defer control.close()
	if err := db.lock(ctx, control); err != nil {
		return Report{}, interrupted(ctx, err)
	}
	if _, err := db.repair(ctx, control); err != nil {
		return Report{}, interrupted(ctx, fmt.Errorf("undo an earlier load: %w", err))
	}
	var p plan
	err = l.phase(PhaseCheck, 0, func() (err error) {
		p, err = l.check(ctx, control, d)
		return err
	})
	if err != nil {
		return Report{}, interrupted(ctx, err)
	}
	if err := l.run(ctx, control, p, d.Sequences()); err != nil {
		return Report{}, l.undo(ctx, control, err)
	}
	return l.report, nil
}

// loading opens a session that is set for loading. Text is stored as it is, zero
// dates and an AUTO_INCREMENT of 0 included.
func (db *DB) loading(ctx context.Context) (*session, error) {
	settings := []string{
		"SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION', foreign_key_checks = 0",
		"SET SESSION max_error_count = 64, sql_notes = 0, lock_wait_timeout = 3600, innodb_lock_wait_timeout = 3600, wait_timeout = 28800, net_write_timeout = 600, net_read_timeout = 600",
	}
	if db.maria {
		settings = append(settings, "SET SESSION max_statement_time = 0, check_constraint_checks = 1")
	}
	return db.session(ctx, settings...)
}

// check resolves the tables and looks whether the load can succeed.
func (l *loader) check(ctx context.Context, control *session, d rows.Dataset) (plan, error) {
	known, err := l.db.catalogue(ctx, control)
	if err != nil {
		return plan{}, fmt.Errorf("read the catalogue: %w", err)
	}
	l.known = known
	if err := control.conn.QueryRowContext(ctx, "SELECT @@GLOBAL.local_infile, @@max_allowed_packet").Scan(&l.infile, &l.packet); err != nil {
		return plan{}, fmt.Errorf("ask for local_infile: %w", err)
	}
	if !l.infile {
		l.report.Notes = append(l.report.Notes, "The server does not allow LOAD DATA LOCAL (local_infile is off), so rows came by INSERT, which takes longer.")
	}
	if err := l.resolve(d.Tables()); err != nil {
		return plan{}, err
	}
	if !l.Truncate {
		if err := l.mustBeEmpty(ctx, control); err != nil {
			return plan{}, err
		}
	}
	return l.plan(ctx, control)
}

// resolve finds the dataset's tables in the database.
func (l *loader) resolve(tables []rows.Table) error {
	for _, r := range tables {
		name := r.Schema().QName()
		rel := l.known.tables[name]
		if rel == nil {
			return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("the database has no table %q", name), Hint: "Run the project's migrations before loading."}
		}
		t := &table{rows: r, name: name, encoder: newEncoder(rel.table, r.Columns()), fire: slices.Contains(l.FireTriggers, name)}
		_, primary := rel.table.Primary()
		t.onlyPrimary = primary && len(rel.table.Keys) == 1
		l.tables = append(l.tables, t)
	}
	return nil
}

// mustBeEmpty is an error that names the tables that have rows.
func (l *loader) mustBeEmpty(ctx context.Context, s *session) error {
	var full []string
	for _, t := range l.tables {
		empty, err := s.empty(ctx, t.name)
		if err != nil {
			return err
		}
		if !empty {
			full = append(full, t.name)
		}
	}
	if len(full) == 0 {
		return nil
	}
	list := full[0]
	for _, name := range full[1:min(fewNames, len(full))] {
		list += ", " + name
	}
	if more := len(full) - fewNames; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return &rehearse.Error{Kind: rehearse.Invalid, Err: fmt.Errorf("%w, in %s", rows.ErrNotEmpty, list), Hint: "Load into an empty database, or let the load empty the tables first."}
}

// empty reports whether a table has no rows.
func (s *session) empty(ctx context.Context, table string) (bool, error) {
	found, err := s.texts(ctx, "SELECT '' FROM "+quote(table)+" LIMIT 1")
	if err != nil {
		return false, fmt.Errorf("look whether table %q is empty: %w", table, err)
	}
	return len(found) == 0, nil
}

// truncate empties a table. An empty one is left alone, since a TRUNCATE makes the
// table's file anew, which takes longer than loading a small one.
func (s *session) truncate(ctx context.Context, table string) error {
	empty, err := s.empty(ctx, table)
	if err != nil || empty {
		return err
	}
	if err := s.exec(ctx, "TRUNCATE TABLE "+quote(table)); err != nil {
		return failed(fmt.Sprintf("empty table %q", table), err)
	}
	return nil
}

// run is the load from the first change on.
func (l *loader) run(ctx context.Context, control *session, p plan, sequences []rows.Sequence) error {
	if err := p.begin(ctx, control, l); err != nil {
		return err
	}
	var sessions []*session
	defer func() {
		for _, s := range sessions {
			s.close()
		}
	}()
	for range l.Connections {
		s, err := l.db.loading(ctx)
		if err != nil {
			return err
		}
		defer l.db.killing(ctx, s)()
		sessions = append(sessions, s)
	}
	var total int64
	for _, t := range l.tables {
		total += t.rows.Rows()
	}
	if err := l.phase(PhaseLoad, total, func() error { return l.loadAll(ctx, sessions) }); err != nil {
		return err
	}
	err := l.phase(PhaseIndexes, int64(len(p.indexes)), func() error { return l.parallel(ctx, sessions, p.indexes) })
	if err != nil {
		return err
	}
	references := l.references()
	err = l.phase(PhaseReferences, int64(len(references)), func() error {
		return rows.Share(ctx, len(sessions), len(references), func(ctx context.Context, worker, i int) error {
			if err := references[i].prove(ctx, sessions[worker]); err != nil {
				return err
			}
			l.progress.Add(references[i].table, 1, 0)
			return nil
		})
	})
	if err != nil {
		return err
	}
	if err := l.setSequences(ctx, control, sequences); err != nil {
		return err
	}
	if err := l.phase(PhaseAnalyze, int64(len(l.tables)), func() error { return l.analyze(ctx, sessions) }); err != nil {
		return err
	}
	return p.finish(ctx, control)
}

func (l *loader) phase(name Phase, total int64, f func() error) error {
	return l.progress.Phase(&l.report, name, total, f)
}

// parallel takes steps over all sessions.
func (l *loader) parallel(ctx context.Context, sessions []*session, steps []step) error {
	return rows.Share(ctx, len(sessions), len(steps), func(ctx context.Context, worker, i int) error {
		if err := steps[i].run(ctx, sessions[worker]); err != nil {
			return err
		}
		l.progress.Add(steps[i].table, 1, 0)
		return nil
	})
}

// setSequences lets AUTO_INCREMENT go on behind the last values. Servers raise a
// value that is too low to the greatest there is.
func (l *loader) setSequences(ctx context.Context, s *session, sequences []rows.Sequence) error {
	for _, q := range sequences {
		rel := l.known.tables[q.Table]
		if rel == nil {
			continue
		}
		if c, _ := rel.table.Column(q.Column); c == nil || c.Identity == "" {
			continue
		}
		if err := s.exec(ctx, fmt.Sprintf("ALTER TABLE %s AUTO_INCREMENT = %d", quote(q.Table), max(0, q.Last)+1)); err != nil {
			return fmt.Errorf("set AUTO_INCREMENT of table %q to %d: %w", q.Table, q.Last+1, err)
		}
	}
	return nil
}

func (l *loader) analyze(ctx context.Context, sessions []*session) error {
	return rows.Share(ctx, len(sessions), len(l.tables), func(ctx context.Context, worker, i int) error {
		t := l.tables[i]
		// The answer is a table, which says that the table is analysed.
		if err := sessions[worker].exec(ctx, "ANALYZE TABLE "+quote(t.name)); err != nil {
			return failed(fmt.Sprintf("analyze table %q", t.name), err)
		}
		l.progress.Add(t.name, 1, 0)
		return nil
	})
}

// undo puts the database back as it was, after err, and says so.
func (l *loader) undo(ctx context.Context, control *session, err error) error {
	err = interrupted(ctx, err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	// The session may be in the middle of something, or gone, and it has the lock.
	control.close()
	if _, undo := l.db.Repair(ctx); undo != nil {
		return fmt.Errorf("%w (tables are half loaded and definitions are missing, until the next load or repair: %w)", err, undo)
	}
	return fmt.Errorf("%w (the tables are empty again and all definitions are back)", err)
}

// interrupted makes the error of a load that ctx ended one of that kind.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return &rehearse.Error{Kind: rehearse.Interrupted, Msg: "the load was interrupted", Err: errors.Join(context.Cause(ctx), err)}
}
