package churn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Options are how a database is churned. The zero value is useful.
type Options struct {
	Seed uint64
	// Speed is what the profile's rates are multiplied by; 0: 1.
	Speed float64
	// Connections is how many there are; 0: 4.
	Connections int
	// Operations is after how many inserts, updates and deletes to stop; 0: go on
	// until the context ends.
	Operations int64
	// Debt makes as many dead rows first as the profile has, in the first rows of
	// each table, and turns autovacuum off for them.
	Debt bool
}

func (o Options) withDefaults() Options {
	if o.Speed == 0 {
		o.Speed = 1
	}
	if o.Connections == 0 {
		o.Connections = 4
	}
	return o
}

// Report is what was written.
type Report struct {
	Seed     uint64
	Duration time.Duration
	// Wanted is how many operations the profile asks for in an hour at this speed.
	Wanted       float64
	Transactions int64 // that were committed
	Inserts      int64 // in these
	Updates      int64
	Deletes      int64
	// Idle are deletes for which there was no row that was inserted here, or none
	// that their transaction could see, and inserts whose row to copy is gone.
	Idle      int64
	Dead      int64 // rows, of Options.Debt
	Conflicts Conflicts
	// Disconnects is how often a connection broke or could not be made.
	Disconnects int64
	// Errors has one error for each table, by table, of those that are in
	// Conflicts.Constraint and Conflicts.Other.
	Errors []string
	// Notes are sentences on what of the profile is left out.
	Notes []string
}

// Operations are the writes that were tried. A transaction that fails counts as
// one.
func (r Report) Operations() int64 {
	return r.Inserts + r.Updates + r.Deletes + r.Conflicts.total()
}

// Conflicts are the transactions that failed, by what they failed of.
type Conflicts struct {
	Serialization int64
	Deadlock      int64
	LockTimeout   int64
	Unique        int64
	Constraint    int64 // any other constraint
	Other         int64
}

func (c Conflicts) total() int64 {
	return c.Serialization + c.Deadlock + c.LockTimeout + c.Unique + c.Constraint + c.Other
}

// Run writes to a database until the context ends, or Options.Operations are done,
// and returns within a second of it. That the context ends is no error.
//
// The database has rows already, and the schema is its own.
func Run(ctx context.Context, connect func(context.Context) (*pgx.Conn, error), s *schema.Schema, p *profile.Data, o Options) (Report, error) {
	o = o.withDefaults()
	began := time.Now()
	r := &run{Options: o, connect: connect, report: Report{Seed: o.Seed}, failed: map[string]string{}}
	conn, err := connect(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("connect to write: %w", err)
	}
	err = r.prepare(ctx, conn, s, p)
	closing := conn.Close(context.WithoutCancel(ctx))
	if ctx.Err() != nil {
		return r.result(began), nil
	}
	if err := errors.Join(err, closing); err != nil {
		return Report{}, err
	}
	r.budget.Store(o.Operations)
	var group sync.WaitGroup
	for i := range o.Connections {
		group.Go(func() { r.work(ctx, rand.New(rand.NewPCG(o.Seed, uint64(i)+1))) })
	}
	group.Wait()
	return r.result(began), nil
}

// prepare chooses what can be written and makes the debt.
func (r *run) prepare(ctx context.Context, conn *pgx.Conn, s *schema.Schema, p *profile.Data) error {
	for i := range p.Tables {
		c := p.Tables[i].Churn
		if c.Inserts+c.Updates+c.Deletes <= 0 && (!r.Debt || c.Dead <= 0) {
			continue
		}
		t, ok := s.Table(p.Tables[i].Name)
		if !ok {
			r.note("Table %s is in the profile and not in the schema.", p.Tables[i].Name)
			continue
		}
		if err := r.add(ctx, conn, s, t, c); err != nil {
			return fmt.Errorf("prepare to write to table %q: %w", t.QName(), err)
		}
	}
	if len(r.choices) == 0 {
		return &rehearse.Error{
			Kind: rehearse.Invalid, Msg: "the profile has no writes that can be made",
			Hint: "Profile a database that has been written to since its statistics were reset, or leave the churn out.",
		}
	}
	r.chooseHot()
	return nil
}

// add adds what the profile says of one table.
func (r *run) add(ctx context.Context, conn *pgx.Conn, s *schema.Schema, t *schema.Table, c profile.DataChurn) error {
	target, why := newTarget(s, t)
	if target == nil {
		r.note("Nothing is written to %s: %s.", t.QName(), why)
		return nil
	}
	if err := target.load(ctx, conn, r.Seed); err != nil {
		return err
	}
	if len(target.keys) == 0 {
		r.note("Nothing is written to %s: it has no rows.", t.QName())
		return nil
	}
	if r.Debt && c.Dead > 0 {
		n, err := target.kill(ctx, conn, c.Dead)
		if err != nil {
			return fmt.Errorf("make dead rows: %w", err)
		}
		r.report.Dead += n
	}
	if len(target.update) > 0 {
		r.choose(update, target, c.Updates)
	}
	if why != "" && c.Inserts+c.Deletes > 0 {
		r.note("Nothing is inserted into %s: %s.", t.QName(), why)
		return nil
	}
	r.choose(insert, target, c.Inserts)
	r.choose(remove, target, c.Deletes)
	return nil
}
