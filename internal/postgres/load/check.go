package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/rows"
)

// rehearsedRows is how many rows of a table are tried before anything is loaded.
const rehearsedRows = 1000

// resolve finds the dataset's tables in the database.
func (l *loader) resolve(ctx context.Context, c *pgx.Conn, tables []rows.Table) error {
	for _, r := range tables {
		t := &table{rows: r, name: r.Schema().QName(), sql: identifier(r.Schema()), encoder: newEncoder(r.Columns())}
		t.fire = slices.Contains(l.FireTriggers, t.name)
		var oid *uint32
		err := c.QueryRow(ctx, `SELECT oid, relkind = 'r' AND NOT relhassubclass FROM pg_class WHERE oid = to_regclass($1)`, t.sql).Scan(&oid, &t.plain)
		if errors.Is(err, pgx.ErrNoRows) {
			return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("the database has no table %q", t.name),
				Hint: "Run the project's migrations before loading."}
		}
		if err != nil {
			return fmt.Errorf("look for table %q: %w", t.name, err)
		}
		t.oid = *oid
		l.tables = append(l.tables, t)
	}
	return nil
}

// mustBeEmpty is an error that names the tables that have rows.
func (l *loader) mustBeEmpty(ctx context.Context, c *pgx.Conn) error {
	var full []string
	for part := range slices.Chunk(l.tables, 100) {
		questions := make([]string, len(part))
		for i, t := range part {
			questions[i] = fmt.Sprintf("SELECT %d WHERE EXISTS (SELECT FROM %s)", i, t.sql)
		}
		found, err := c.Query(ctx, strings.Join(questions, " UNION ALL ")+" ORDER BY 1")
		if err != nil {
			return denied("look whether tables are empty", err)
		}
		indices, err := pgx.CollectRows(found, pgx.RowTo[int32])
		if err != nil {
			return denied("look whether tables are empty", err)
		}
		for _, i := range indices {
			full = append(full, part[i].name)
		}
	}
	if len(full) == 0 {
		return nil
	}
	const named = 5
	list := strings.Join(full[:min(named, len(full))], ", ")
	if more := len(full) - named; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return &rehearse.Error{Kind: rehearse.Invalid, Err: fmt.Errorf("%w, in %s", rows.ErrNotEmpty, list),
		Hint: "Load into an empty database, or let the load empty the tables first."}
}

// rehearse tries the first rows of every table that has CHECKs, domains or
// exclusions in a temporary table like it, so that a constraint that rows cannot
// satisfy is named before anything is loaded. Nothing of it stays.
func (l *loader) rehearse(ctx context.Context, c *pgx.Conn) error {
	memory := rows.NewBuffers()
	var problems rehearse.Problems
	for _, t := range l.tables {
		if t.rows.Rows() == 0 || !constrained(t.rows) {
			continue
		}
		err := l.rehearseTable(ctx, c, t, memory)
		var problem *rehearse.Error
		switch {
		case err == nil:
		case codeOf(err) == "42501":
			return nil // temporary tables are not allowed: the load itself will tell
		case errors.As(err, &problem) && problem.Kind == rehearse.Invalid:
			problems = append(problems, problem)
		default:
			return err
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// constrained reports whether more than keys and references is asked of rows.
func constrained(t rows.Table) bool {
	s := t.Schema()
	return len(s.Checks) > 0 || len(s.Exclusions) > 0 ||
		slices.ContainsFunc(t.Columns(), func(c rows.Column) bool { return c.Type.Domain != "" || len(c.Type.Checks) > 0 })
}

func (l *loader) rehearseTable(ctx context.Context, c *pgx.Conn, t *table, memory *rows.Buffers) error {
	tx, err := c.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer rollback(tx)
	const name = "pg_temp.rehearse_load_try"
	like := t.sql + " INCLUDING CONSTRAINTS INCLUDING GENERATED"
	if len(t.rows.Schema().Exclusions) > 0 {
		like += " INCLUDING INDEXES" // exclusions come with them
	}
	if _, err := tx.Exec(ctx, "CREATE TEMPORARY TABLE rehearse_load_try (LIKE "+like+") ON COMMIT DROP"); err != nil {
		return fmt.Errorf("try rows of table %q: %w", t.name, err)
	}
	// Keys and exclusions have other names there.
	named, err := tx.Query(ctx, `SELECT try.conname, con.conname FROM pg_constraint try JOIN pg_constraint con
			ON con.conrelid = $1 AND try.contype = con.contype AND pg_get_constraintdef(try.oid) = pg_get_constraintdef(con.oid)
		WHERE try.conrelid = '`+name+`'::regclass`, t.oid)
	if err != nil {
		return fmt.Errorf("try rows of table %q: %w", t.name, err)
	}
	names := map[string]string{}
	var tried, original string
	if _, err := pgx.ForEachRow(named, []any{&tried, &original}, func() error { names[tried] = original; return nil }); err != nil {
		return fmt.Errorf("try rows of table %q: %w", t.name, err)
	}
	found, err := tx.Query(ctx, `SELECT format('ALTER TABLE `+name+` DROP CONSTRAINT IF EXISTS %I', conname)
		FROM pg_constraint WHERE conrelid = $1 AND contype = 'c' AND NOT convalidated`, t.oid)
	if err != nil {
		return fmt.Errorf("try rows of table %q: %w", t.name, err)
	}
	unproven, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("try rows of table %q: %w", t.name, err)
	}
	for _, drop := range unproven {
		if _, err := tx.Exec(ctx, drop); err != nil {
			return fmt.Errorf("try rows of table %q: %w", t.name, err)
		}
	}
	s := rows.Part{Table: t.rows, To: min(rehearsedRows, t.rows.Rows())}.Stream(ctx, t.encoder.encoding(), memory, nil)
	_, err = c.PgConn().CopyFrom(ctx, s, t.encoder.statement(name, ""))
	if err := s.Close(); err != nil {
		return fmt.Errorf("try rows of table %q: %w", t.name, err)
	}
	if err == nil {
		return nil
	}
	rollback(tx) // so that the connection can be asked again
	var e *pgconn.PgError
	if errors.As(err, &e) && e.TableName == "rehearse_load_try" {
		// What is to be named is the table itself and its constraint.
		if name, ok := names[e.ConstraintName]; ok {
			e.ConstraintName = name
		}
		e.SchemaName, e.TableName = "public", t.rows.Schema().Name
		if s := t.rows.Schema().Schema; s != "" {
			e.SchemaName = s
		}
	}
	return copyError(ctx, c, t, 0, err)
}
