// Package load fills an existing schema of a PostgreSQL with the rows of a
// [rows.Dataset], about as fast as the server can read them, and proves that every
// constraint holds.
//
// Most people call [Load]. It takes away foreign keys, and the indexes and keys of
// big tables, streams the tables by COPY, several at a time, puts
// everything back, in parallel, and validates each foreign key, so that what was
// loaded is as the schema wants it. [Encode] writes COPY files instead.
//
// Guarantees: what was taken away is journalled in the table
// public.rehearse_load of the database in the same transaction that takes it
// away. A load that fails empties the tables and puts everything back before it
// returns. One whose process died, or whose server did, is undone by [Repair], or
// by the next [Load]. The schema's own definitions are the same afterwards, but
// for comments on what was put back.
//
// Caveats: a load wants the database for itself. It is fastest as a superuser,
// who may keep triggers from firing for a session.
package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse/internal/rows"
)

// Options are how to load.
type Options struct {
	// Connect opens a connection to the database.
	Connect func(context.Context) (*pgx.Conn, error)
	// Connections is how many tables are loaded at the same time; 0: 2. There is one more that
	// does the rest.
	Connections int
	// Truncate empties the tables first. Otherwise it is an error when one of them
	// has rows.
	Truncate bool
	// FireTriggers are the tables whose triggers fire for each row, by QName.
	FireTriggers []string
	// IndexRows is how many rows make a table big: its indexes and keys are made
	// after its rows are there. 0: 10,000; below 0: every table is big.
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
	defaultIndexRows   = 10_000
	// undoTime is how long a failed load has to put things back.
	undoTime = time.Minute
)

// loader is one load.
type loader struct {
	Options
	tables   []*table
	progress *rows.Meter
	report   Report
	// replica: the server lets us keep triggers from firing.
	replica bool
}

// table is one table of the dataset.
type table struct {
	rows    rows.Table
	name    string // QName
	sql     string // as SQL writes it
	oid     uint32
	encoder *encoder
	fire    bool
	// plain: rows lie in the table itself, and nothing inherits from it.
	plain bool
}

// Load fills the tables of a dataset, which must exist. When it fails, tables are
// empty and all constraints are back, or the error says that they are not.
// Errors that a person can act on, a constraint that rows break, tables that
// are not empty, a lost connection, a full disk, are [rehearse.Error]s.
func Load(ctx context.Context, o Options, d rows.Dataset) (Report, error) {
	if o.Connections <= 0 {
		o.Connections = defaultConnections
	}
	if o.IndexRows == 0 {
		o.IndexRows = defaultIndexRows
	}
	l := &loader{Options: o, progress: rows.NewMeter(o.Progress)}
	control, err := l.session(ctx)
	if err != nil {
		return Report{}, err
	}
	defer closeConn(control)
	if err := lock(ctx, control); err != nil {
		return Report{}, err
	}
	if _, err := repair(ctx, control); err != nil {
		return Report{}, fmt.Errorf("undo an earlier load: %w", err)
	}
	var p *plan
	err = l.phase(PhaseCheck, 0, func() (err error) {
		p, err = l.check(ctx, control, d)
		return err
	})
	if err != nil {
		return Report{}, interrupted(ctx, err)
	}
	if err := p.begin(ctx, control, l); err != nil {
		return Report{}, interrupted(ctx, err)
	}
	if err := l.run(ctx, control, p, d.Sequences()); err != nil {
		return Report{}, l.undo(ctx, control, err)
	}
	return l.report, nil
}

// check resolves the tables and looks whether the load can succeed.
func (l *loader) check(ctx context.Context, conn *pgx.Conn, d rows.Dataset) (*plan, error) {
	if err := l.resolve(ctx, conn, d.Tables()); err != nil {
		return nil, err
	}
	if !l.Truncate {
		if err := l.mustBeEmpty(ctx, conn); err != nil {
			return nil, err
		}
	}
	if err := l.rehearse(ctx, conn); err != nil {
		return nil, err
	}
	return l.plan(ctx, conn)
}

// run is the load from the first row on.
func (l *loader) run(ctx context.Context, control *pgx.Conn, p *plan, sequences []rows.Sequence) error {
	conns := []*pgx.Conn{}
	defer func() {
		for _, c := range conns {
			closeConn(c)
		}
	}()
	for range l.Connections {
		c, err := l.session(ctx)
		if err != nil {
			return err
		}
		conns = append(conns, c)
	}
	var total int64
	for _, t := range l.tables {
		total += t.rows.Rows()
	}
	if err := l.phase(PhaseLoad, total, func() error { return l.copyAll(ctx, conns) }); err != nil {
		return err
	}
	builds := p.of(stageBuild)
	err := l.phase(PhaseIndexes, int64(len(builds)), func() error {
		if err := l.parallel(ctx, conns, builds); err != nil {
			return err
		}
		return inOrder(ctx, control, p.of(stageKey, stageParent, stageAttach, stageCheck))
	})
	if err != nil {
		return err
	}
	validations := p.of(stageValidate)
	err = l.phase(PhaseReferences, int64(len(validations)), func() error {
		if err := inOrder(ctx, control, p.of(stageReference)); err != nil {
			return err
		}
		return l.parallel(ctx, conns, validations)
	})
	if err != nil {
		return err
	}
	if err := l.phase(PhaseAnalyze, int64(len(l.tables)), func() error { return l.analyze(ctx, conns) }); err != nil {
		return err
	}
	return p.finish(ctx, control, sequences)
}

func (l *loader) phase(name Phase, total int64, f func() error) error {
	return l.progress.Phase(&l.report, name, total, f)
}

// undo puts the database back as it was, after err, and says so.
func (l *loader) undo(ctx context.Context, control *pgx.Conn, err error) error {
	err = interrupted(ctx, err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	// The session may be in the middle of something, or gone.
	closeConn(control)
	if _, undo := Repair(ctx, l.Connect); undo != nil {
		return fmt.Errorf("%w (tables are half loaded and constraints are missing, until the next load or repair: %w)", err, undo)
	}
	return fmt.Errorf("%w (the tables are empty again and all constraints are back)", err)
}

// closeConn closes a connection without waiting for a server that does not
// answer.
func closeConn(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	// What a server says to a goodbye changes nothing.
	_ = c.Close(ctx)
}

// session opens a connection that is set for loading. Settings of the database or
// the role that would disturb it are overruled for the session.
func (l *loader) session(ctx context.Context) (*pgx.Conn, error) {
	c, err := connect(ctx, l.Connect)
	if err != nil {
		return nil, err
	}
	_, err = c.Exec(ctx, `SET synchronous_commit = off; SET maintenance_work_mem = '256MB'`)
	if err == nil {
		l.replica, err = setReplica(ctx, c)
	}
	if err != nil {
		closeConn(c)
		return nil, fmt.Errorf("set up a session: %w", err)
	}
	return c, nil
}

// setReplica keeps triggers from firing in the session, if the server allows it.
func setReplica(ctx context.Context, c *pgx.Conn) (bool, error) {
	_, err := c.Exec(ctx, "SET session_replication_role = replica")
	if codeOf(err) == "42501" {
		return false, nil
	}
	return err == nil, err
}

func connect(ctx context.Context, open func(context.Context) (*pgx.Conn, error)) (*pgx.Conn, error) {
	c, err := open(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	_, err = c.Exec(ctx, `SET client_encoding = 'UTF8'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = postgres; SET TimeZone = 'UTC';
		SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0`)
	if err != nil {
		closeConn(c)
		return nil, fmt.Errorf("set up a session: %w", err)
	}
	return c, nil
}

// Repair undoes a load that was interrupted: it empties the tables that were
// loaded, and puts every constraint and index back that was taken away, in one
// transaction. It reports whether there was anything to do.
func Repair(ctx context.Context, open func(context.Context) (*pgx.Conn, error)) (bool, error) {
	conn, err := connect(ctx, open)
	if err != nil {
		return false, err
	}
	defer closeConn(conn)
	if err := lock(ctx, conn); err != nil {
		return false, err
	}
	return repair(ctx, conn)
}

// interrupted makes the error of a load that ctx ended one of that kind.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return errInterrupted(errors.Join(context.Cause(ctx), err))
}
