package load

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rehearse-dev/rehearse"
)

// codeOf is the SQLSTATE of an error of the server's, or "".
func codeOf(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func errInterrupted(err error) error {
	return &rehearse.Error{Kind: rehearse.Interrupted, Msg: "the load was interrupted", Err: err}
}

// lineIn finds the row in the context that the server gives to an error of COPY:
// "COPY orders, line 17, column amount".
var lineIn = regexp.MustCompile(`\bline (\d+)`)

// copyError says what stopped the COPY of a table, of which sent rows had been
// handed over.
func copyError(ctx context.Context, conn *pgx.Conn, t *table, sent int64, err error) error {
	where := fmt.Sprintf("load table %q, at about row %d", t.name, sent)
	var e *pgconn.PgError
	if errors.As(err, &e) {
		if m := lineIn.FindStringSubmatch(e.Where); m != nil {
			line, _ := strconv.ParseInt(m[1], 10, 64)
			where = fmt.Sprintf("load table %q, row %d", t.name, line)
		}
	}
	return failed(ctx, conn, where, err)
}

// failed is the error of a statement, explained where it is one of the server's or
// of the connection.
func failed(ctx context.Context, conn *pgx.Conn, doing string, err error) error {
	var e *pgconn.PgError
	switch {
	case errors.As(err, &e):
		return explain(ctx, conn, doing, e)
	case conn.IsClosed() && ctx.Err() == nil:
		return lost(doing+": the connection broke", err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// explain makes an error of the server's one that a person can act on.
func explain(ctx context.Context, conn *pgx.Conn, doing string, e *pgconn.PgError) error {
	switch {
	case e.Code[:2] == "23":
		return broken(ctx, conn, doing, e)
	case e.Code == "53100":
		return &rehearse.Error{Kind: rehearse.Unavailable, Msg: doing + ": the server's disk is full", Err: e,
			Hint: "Free space on the server's disk, or load at a smaller scale."}
	case e.Code[:2] == "57" || e.Code[:2] == "08":
		return lost(doing+": the server ended the connection", e)
	case e.Code == "42501":
		return denied(doing, e)
	}
	if e.Detail != "" {
		return fmt.Errorf("%s: %w (%s)", doing, e, e.Detail)
	}
	return fmt.Errorf("%s: %w", doing, e)
}

// denied is the error of a statement, with what to do where the role may not run it.
func denied(doing string, err error) error {
	if codeOf(err) != "42501" {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return &rehearse.Error{Kind: rehearse.Unavailable, Msg: doing, Err: err, Hint: "Load as the owner of the tables, or as a superuser."}
}

func lost(doing string, err error) error {
	return &rehearse.Error{Kind: rehearse.Unavailable, Msg: doing, Err: err,
		Hint: "See the server's log for why it ended, and load again."}
}

// broken is the error of rows that break a constraint, with what the constraint
// says where conn can still be asked.
func broken(ctx context.Context, conn *pgx.Conn, doing string, e *pgconn.PgError) error {
	what := ""
	if e.ConstraintName != "" {
		what = fmt.Sprintf("%q", e.ConstraintName)
		if def := definition(ctx, conn, e); def != "" {
			what += ", " + def
		}
	} else if e.ColumnName != "" {
		what = fmt.Sprintf("NOT NULL of %q", e.ColumnName)
	}
	return &rehearse.Error{Kind: rehearse.Invalid, Msg: doing + ": the rows break the constraint " + what, Err: withDetail(e),
		Hint: "Give the columns of this constraint a rule in the data plan, or drop the constraint if production does not have it."}
}

func withDetail(e *pgconn.PgError) error {
	if e.Detail == "" {
		return e
	}
	return fmt.Errorf("%w (%s)", e, e.Detail)
}

// definition asks for what a constraint, or unique index, says. An error of the
// question's is dropped, since there is a better one to report.
func definition(ctx context.Context, conn *pgx.Conn, e *pgconn.PgError) string {
	var def string
	_ = conn.QueryRow(ctx, `SELECT pg_get_constraintdef(con.oid) FROM pg_constraint con
			LEFT JOIN pg_class c ON c.oid = con.conrelid LEFT JOIN pg_type t ON t.oid = con.contypid
		WHERE con.conname = $1 AND con.connamespace = $2::text::regnamespace AND (c.relname = $3 OR t.typname = $4)
		UNION ALL SELECT pg_get_indexdef(oid) FROM pg_class WHERE relkind = 'i' AND relname = $1 AND relnamespace = $2::text::regnamespace
		LIMIT 1`, e.ConstraintName, pgx.Identifier{e.SchemaName}.Sanitize(), e.TableName, e.DataTypeName).Scan(&def)
	return def
}
