package parity

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rehearse-dev/rehearse/internal/profile"
)

// Kinds of findings.
const (
	// Regression: the statement's plan is worse on the change's schema.
	Regression = "plan_regression"
	// Broken: the server takes the statement on the schema before the change, and
	// no more on the change's.
	Broken = "statement_broken"
	// Unexplained: there is no plan on the schema before the change either, so
	// that nothing is known. Statements that were normalised by
	// pg_stat_statements are not always SQL: "interval $1" is not.
	Unexplained = "statement_unexplained"
)

// Finding is what is wrong with one statement.
type Finding struct {
	Kind  string
	SQL   string
	Calls float64 // per hour; 0: not known
	// What is what is wrong, in sentences.
	What string
	// Before and After are nil where there is no such plan.
	Before, After *Plan
}

// Check compares the plans of statements on the schema before a change (base) and
// on that of the change (head), and gives a finding for each statement that has
// one, in the statements' order. [Apply] has been called for both databases,
// after the migrations. What is not a query or a write (BEGIN, SET, VACUUM) has no
// plan and is left out.
func Check(ctx context.Context, base, head *pgx.Conn, statements []profile.DataStatement) ([]Finding, error) {
	var out []Finding
	for _, s := range statements {
		if !planned(s.SQL) {
			continue
		}
		f := Finding{SQL: s.SQL, Calls: s.Calls}
		var err error
		f.Before, err = Explain(ctx, base, s.SQL)
		if err != nil {
			if f.What = refusal(err); f.What == "" {
				return nil, fmt.Errorf("plans before the change: %w", err)
			}
			f.Kind = Unexplained
			out = append(out, f)
			continue
		}
		f.After, err = Explain(ctx, head, s.SQL)
		if err != nil {
			if f.What = refusal(err); f.What == "" {
				return nil, fmt.Errorf("plans after the change: %w", err)
			}
			f.Kind = Broken
			out = append(out, f)
			continue
		}
		if d := Compare(f.Before, f.After); len(d.Worse) > 0 {
			f.Kind, f.What = Regression, strings.Join(d.Worse, " ")
			out = append(out, f)
		}
	}
	return out, nil
}

// refusal is what the server says to a statement that it does not take, as a
// sentence; empty where the error is another one.
func refusal(err error) string {
	var pg *pgconn.PgError
	// Class 42 is syntax, names, types and rights; 0A what is not supported; 22
	// and 23 come from constants that are evaluated while planning.
	if !errors.As(err, &pg) || len(pg.Code) != 5 || !strings.Contains("42 0A 22 23", pg.Code[:2]) {
		return ""
	}
	what := fmt.Sprintf("The server does not accept it: %s (%s).", pg.Message, pg.Code)
	if pg.Hint != "" {
		what += " " + pg.Hint
	}
	return what
}

// planned says whether a statement begins as those do that have a plan.
func planned(sql string) bool {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n(")
		switch {
		case strings.HasPrefix(sql, "--"):
			_, sql, _ = strings.Cut(sql, "\n")
			continue
		case strings.HasPrefix(sql, "/*"):
			_, sql, _ = strings.Cut(sql, "*/")
			continue
		}
		break
	}
	word := strings.FieldsFunc(sql, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
	if len(word) == 0 {
		return false
	}
	switch strings.ToLower(word[0]) {
	case "select", "insert", "update", "delete", "merge", "with", "values", "table":
		return true
	}
	return false
}
