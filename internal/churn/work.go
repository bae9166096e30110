package churn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

// kind is what is done to a row.
type kind int

const (
	update kind = iota
	insert
	remove
)

// choice is one way to write, with how often it happens in an hour.
type choice struct {
	kind   kind
	target *target
	upTo   float64 // the sum of the rates so far
}

// run is one Run.
type run struct {
	Options
	connect func(context.Context) (*pgx.Conn, error)
	choices []choice
	rate    float64 // operations in an hour
	hot     *target // the one that is updated most

	budget atomic.Int64
	mu     sync.Mutex
	report Report
	failed map[string]string // the first error of each table
}

func (r *run) note(format string, args ...any) {
	r.report.Notes = append(r.report.Notes, fmt.Sprintf(format, args...))
}

func (r *run) choose(k kind, t *target, rate float64) {
	if rate <= 0 {
		return
	}
	r.rate += rate * r.Speed
	r.choices = append(r.choices, choice{k, t, r.rate})
}

// chooseHot chooses the table that is updated most.
func (r *run) chooseHot() {
	most, before := 0.0, 0.0
	for _, c := range r.choices {
		if c.kind == update && c.upTo-before > most && len(c.target.keys) > 1 {
			r.hot, most = c.target, c.upTo-before
		}
		before = c.upTo
	}
}

func (r *run) result(began time.Time) Report {
	out := r.report
	out.Duration, out.Wanted = time.Since(began), r.rate
	for table, err := range r.failed {
		out.Errors = append(out.Errors, table+": "+err)
	}
	slices.Sort(out.Errors)
	return out
}

// Of a transaction.
const (
	most      = 3    // operations
	hotShare  = 0.05 // of transactions update the two hot rows
	strict    = 0.1  // run at REPEATABLE READ
	mean      = (1.0 + most) / 2
	retry     = 200 * time.Millisecond
	lockLimit = 2 * time.Second
)

// work is one connection. It makes transactions at its share of the rate, at
// moments that do not depend on one another, and at once where it is late.
func (r *run) work(ctx context.Context, rng *rand.Rand) {
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), retry)
			defer cancel()
			_ = conn.Close(closing)
		}
	}()
	between := float64(time.Hour) * mean * float64(r.Connections) / r.rate
	next := time.Now()
	for {
		next = next.Add(time.Duration(rng.ExpFloat64() * between))
		if !pause(ctx, time.Until(next)) {
			return
		}
		operations := r.plan(rng)
		if operations = operations[:r.take(len(operations))]; len(operations) == 0 {
			return
		}
		if conn == nil || conn.IsClosed() {
			var err error
			if conn, err = r.dial(ctx); err != nil {
				if ctx.Err() == nil {
					r.count(func(p *Report) { p.Disconnects++ })
				}
				if !pause(ctx, retry) {
					return
				}
				continue
			}
		}
		r.transaction(ctx, conn, rng, operations)
	}
}

// take takes so many operations from the budget, and says how many there were.
func (r *run) take(n int) int {
	if r.Operations == 0 {
		return n
	}
	left := r.budget.Add(-int64(n)) + int64(n)
	return int(max(0, min(int64(n), left)))
}

func (r *run) dial(ctx context.Context) (*pgx.Conn, error) {
	conn, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d", lockLimit.Milliseconds())); err != nil {
		return nil, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
	}
	return conn, nil
}

// pause waits, and says whether to go on.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// operation is one write, chosen.
type operation struct {
	kind   kind
	target *target
	sql    string
	args   []any
}

// plan chooses the operations of a transaction.
func (r *run) plan(rng *rand.Rand) []operation {
	if r.hot != nil && rng.Float64() < hotShare {
		first := rng.IntN(2)
		return []operation{r.hot.updating(rng, first), r.hot.updating(rng, 1-first)}
	}
	out := make([]operation, 0, most)
	for range 1 + rng.IntN(most) {
		at := rng.Float64() * r.rate
		i, _ := slices.BinarySearchFunc(r.choices, at, func(c choice, at float64) int {
			if c.upTo <= at {
				return -1
			}
			return 1
		})
		c := r.choices[min(i, len(r.choices)-1)]
		switch row := rng.IntN(len(c.target.keys)); c.kind {
		case update:
			out = append(out, c.target.updating(rng, row))
		case insert:
			out = append(out, c.target.inserting(rng, row))
		case remove:
			out = append(out, operation{kind: remove, target: c.target, sql: c.target.remove})
		}
	}
	return out
}

func arguments(keys ...[]string) []any {
	var out []any
	for _, key := range keys {
		for _, v := range key {
			out = append(out, v)
		}
	}
	return out
}

func (t *target) updating(rng *rand.Rand, row int) operation {
	a := t.update[rng.IntN(len(t.update))]
	out := operation{kind: update, target: t, sql: a.sql, args: arguments(t.keys[row])}
	if a.another {
		out.args = arguments(t.keys[row], t.keys[rng.IntN(len(t.keys))])
	}
	return out
}

func (t *target) inserting(rng *rand.Rand, row int) operation {
	out := operation{kind: insert, target: t, sql: t.insert, args: arguments(t.keys[row])}
	for _, f := range t.fresh {
		out.args = append(out.args, f.next(rng))
	}
	return out
}

// next is a value that no row has: the next number, or one of so many that it
// does not come twice.
func (f *fresh) next(rng *rand.Rand) string {
	switch f.column.Type.Kind {
	case schema.UUID:
		return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", rng.Uint32(), rng.Uint32()>>16, rng.Uint32()>>20, rng.Uint32()>>20, rng.Uint64()>>16)
	case schema.Text:
		text := strings.Repeat("0", digits) + strconv.FormatUint(rng.Uint64(), 36)
		return text[len(text)-digits:]
	}
	return strconv.FormatInt(f.last.Add(1), 10)
}

// transaction runs operations, and counts them once they are committed.
func (r *run) transaction(ctx context.Context, conn *pgx.Conn, rng *rand.Rand, operations []operation) {
	level := pgx.ReadCommitted
	if rng.Float64() < strict {
		level = pgx.RepeatableRead
	}
	var done Report
	var made, removed, unseen []row
	at := ""
	err := pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: level}, func(tx pgx.Tx) error {
		for _, o := range operations {
			at = o.target.name
			switch o.kind {
			case update:
				if _, err := tx.Exec(ctx, o.sql, o.args...); err != nil {
					return err
				}
				done.Updates++
			case insert:
				var key []string
				err := tx.QueryRow(ctx, o.sql, o.args...).Scan(&key)
				if errors.Is(err, pgx.ErrNoRows) {
					done.Idle++
					continue
				}
				if err != nil {
					return err
				}
				made = append(made, row{o.target, key})
				done.Inserts++
			case remove:
				key := o.target.pop()
				if key == nil {
					done.Idle++
					continue
				}
				removed = append(removed, row{o.target, key})
				tag, err := tx.Exec(ctx, o.sql, arguments(key)...)
				if err != nil {
					return err
				}
				done.Deletes += tag.RowsAffected()
				if tag.RowsAffected() == 0 {
					done.Idle++
					if level == pgx.RepeatableRead { // it was inserted after this transaction's snapshot
						unseen = append(unseen, row{o.target, key})
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		for _, d := range removed {
			d.target.push(d.key)
		}
		if ctx.Err() == nil {
			r.fail(conn, at, err)
		}
		return
	}
	for _, m := range slices.Concat(made, unseen) {
		m.target.push(m.key)
	}
	r.count(func(p *Report) {
		p.Transactions++
		p.Inserts += done.Inserts
		p.Updates += done.Updates
		p.Deletes += done.Deletes
		p.Idle += done.Idle
	})
}

// row is one that was inserted here.
type row struct {
	target *target
	key    []string
}

func (t *target) push(key []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ours = append(t.ours, key)
}

func (t *target) pop() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.ours)
	if n == 0 {
		return nil
	}
	key := t.ours[n-1]
	t.ours = t.ours[:n-1]
	return key
}

func (r *run) count(change func(*Report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.report)
}

// fail counts a transaction that failed.
func (r *run) fail(conn *pgx.Conn, table string, err error) {
	var pg *pgconn.PgError
	code := ""
	if errors.As(err, &pg) {
		code = pg.Code
	}
	r.count(func(p *Report) {
		c := &p.Conflicts
		switch {
		case code == "40001":
			c.Serialization++
		case code == "40P01":
			c.Deadlock++
		case code == "55P03":
			c.LockTimeout++
		case code == "23505":
			c.Unique++
		case conn.IsClosed():
			p.Disconnects++
		case strings.HasPrefix(code, "23"):
			c.Constraint++
			r.first(table, err)
		default:
			c.Other++
			r.first(table, err)
		}
	})
}

func (r *run) first(table string, err error) {
	if r.failed[table] == "" {
		r.failed[table] = err.Error()
	}
}
