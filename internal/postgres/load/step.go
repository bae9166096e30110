package load

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// stage is when a step's turn is. The stages follow one another; steps of
// [stageBuild] and [stageValidate] run at the same time.
type stage int

const (
	stageBuild     stage = iota // indexes, and those of keys
	stageKey                    // keys that take an index that was built
	stageParent                 // indexes and keys of partitioned tables, without their partitions
	stageAttach                 // the partitions' to those
	stageCheck                  // CHECKs that production has never proven
	stageReference              // foreign keys, without a look at rows
	stageValidate               // that look
	stageTrigger
)

// step puts something back.
type step struct {
	stage  stage
	object string // for people: `index "orders_at"`
	table  string // as SQL writes it
	sql    string
	// done is a query that gives true when there is nothing left to do.
	done string
	// before must run before tables can be emptied: a foreign key that is there
	// already goes again.
	before string
	// violation is a query that counts the rows that break it.
	violation string
	// definition is the constraint's, for messages.
	definition string
}

// querier is a connection or a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// run takes the step unless it was taken already.
func (s step) run(ctx context.Context, q querier) error {
	if s.done != "" {
		var done bool
		if err := q.QueryRow(ctx, s.done).Scan(&done); err != nil {
			return fmt.Errorf("look for %s: %w", s.object, err)
		}
		if done {
			return nil
		}
	}
	if _, err := q.Exec(ctx, s.sql); err != nil {
		return fmt.Errorf("put back %s: %w", s.object, err)
	}
	return nil
}

// make takes the step after a load, and explains why it failed where it did.
func (s step) make(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, s.sql)
	if err == nil {
		return nil
	}
	if conn.PgConn().TxStatus() == 'E' {
		// Explaining takes questions, which a failed transaction does not answer.
		if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
			return failed(ctx, conn, "make "+s.object, err)
		}
	}
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == "23503" && s.violation != "" {
		return s.violated(ctx, conn, e)
	}
	return failed(ctx, conn, "make "+s.object, err)
}
