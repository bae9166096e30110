package migration

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse/internal/profile"
)

// Options are how a migration is rehearsed. The zero value is useful.
type Options struct {
	// Profile has production's number of rows; nil: there are no estimates, and
	// tables count as as big as they are here.
	Profile *profile.Data
	// Big is from how many rows in production on a table is one whose locks and
	// rewrites are findings; 0: 10,000.
	Big int64
	// Probes is how many of the biggest tables have probes, two sessions each; 0: 8.
	Probes int
	// Patience is how long a statement of the application may wait for a lock, at
	// production's size, before that is a finding; 0: one second.
	Patience time.Duration
	// OnBlocked is told when a probe is first seen to wait for the migrations. It
	// is called by one goroutine.
	OnBlocked func(table string, access Access)
}

const every = 20 * time.Millisecond

func (o Options) withDefaults() Options {
	if o.Big == 0 {
		o.Big = 10_000
	}
	if o.Probes == 0 {
		o.Probes = 8
	}
	if o.Patience == 0 {
		o.Patience = time.Second
	}
	return o
}

// Report is what was seen of the migrations.
type Report struct {
	Duration   time.Duration
	Statements []Statement // in the order in which they began
	Blocked    []Blocked   // by table, reads first
	Rewritten  []Rewrite   // by table
	Indexes    []Index     // new ones of tables that were there before, by table and name
	// Constraints are new ones of tables that were there before, and columns that
	// may be NULL no more, by table and name.
	Constraints []Constraint
	Findings    []Finding
	// Notes are sentences on what could not be watched.
	Notes []string
}

// Statement is one statement of the migrations.
type Statement struct {
	SQL      string
	Duration time.Duration
	Locks    []Lock // on tables that were there before, by table, the strongest first
	Estimate Estimate
}

// Lock is a lock that a statement has taken on a table.
type Lock struct {
	Table string
	Mode  string // as in "AccessExclusiveLock"
	// Held is how long at least, until the end of the transaction.
	Held time.Duration
}

// Estimate is how long a statement would take at production's size. It is the
// duration that was measured times the ratio of the rows (Times), as the server
// reads or writes each row once; for an index n log n. It knows nothing of
// production's disks, memory and load, and a small duration is mostly not the
// rows': so it is a bound to think with, and no prediction.
type Estimate struct {
	Duration time.Duration
	Times    float64 // what the duration was multiplied by; 0: there is no estimate
	How      string  // "linear", "n log n", "independent of size"
}

// Access is a way in which an application uses a table.
type Access string

// The accesses that probes make.
const (
	Read  Access = "read"
	Write Access = "write"
)

// Blocked is a probe that had to wait for the migrations.
type Blocked struct {
	Table   string
	Access  Access
	Longest time.Duration
	By      string // the statement that was running, or the last one of the transaction
}

// Rewrite is a table that lies in new files.
type Rewrite struct {
	Table         string
	Before, After int64 // bytes, indexes not counted
}

// Index is an index that was built.
type Index struct {
	Table, Name  string
	Concurrently bool
	Valid        bool
	Bytes        int64
}

// Constraint is a constraint that was added.
type Constraint struct {
	Table, Name string
	Definition  string
	// Scanned: all rows were read under the lock that adds a constraint. It is
	// false for one that is NOT VALID, or was when it was added.
	Scanned bool
	NotNull bool // Name is a column's
}

// Rehearse watches while run applies the migrations, by whatever command, to the
// database that connect connects to. Nobody else may use the database meanwhile:
// each session that is not Rehearse's counts as the migrations'. That run fails is
// a finding; the error says only that nothing could be watched.
func Rehearse(ctx context.Context, connect func(context.Context) (*pgx.Conn, error), run func(context.Context) error, o Options) (r Report, err error) {
	o = o.withDefaults()
	conn, err := connect(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("connect to watch the migrations: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	before, err := readCatalog(ctx, conn)
	if err != nil {
		return Report{}, fmt.Errorf("read the catalogue before the migrations: %w", err)
	}
	events, err := installEvents(ctx, conn)
	if err != nil {
		r.Notes = append(r.Notes, fmt.Sprintf("DDL statements are only sampled: %v.", err))
	}
	defer func() {
		if e := events.remove(context.WithoutCancel(ctx), conn); err == nil {
			err = e
		}
	}()
	w := newWatcher(conn, before, o)
	if err := w.start(ctx, connect); err != nil {
		return Report{}, errors.Join(fmt.Errorf("start the probes: %w", err), w.stop())
	}

	began := time.Now()
	failure := run(ctx)
	r.Duration = time.Since(began)
	if err := w.stop(); err != nil {
		return Report{}, fmt.Errorf("watch the migrations: %w", err)
	}
	if ctx.Err() != nil {
		return Report{}, ctx.Err()
	}

	after, err := readCatalog(ctx, conn)
	if err != nil {
		return Report{}, fmt.Errorf("read the catalogue after the migrations: %w", err)
	}
	logged, err := events.read(ctx, conn, before, after)
	if err != nil {
		return Report{}, fmt.Errorf("read the statements of the migrations: %w", err)
	}
	r.Rewritten, r.Indexes, r.Constraints = rewritten(before, after), built(before, after), added(before, after)
	r.Statements = merge(logged, w.statements)
	r.Blocked = w.blocked()
	a := assessor{Options: o, before: before, report: &r}
	a.estimate()
	a.find(failure)
	return r, nil
}
