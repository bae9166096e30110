package churn

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

// target is a table that is written to.
type target struct {
	name   string // QName
	sql    string
	key    []schema.Column // that find a row
	touch  string          // a column that may be set to itself, as SQL writes it
	update []assignment
	insert string
	fresh  []*fresh
	remove string

	keys [][]string // of rows that were there before, as text

	mu   sync.Mutex
	ours [][]string // of rows that were inserted here
}

// assignment is one way to update a row. Where it takes the value of another row,
// that row's key follows the row's own.
type assignment struct {
	sql     string
	another bool
}

// fresh gives a column values that no row has.
type fresh struct {
	column schema.Column
	last   atomic.Int64 // integers and decimals go on from the greatest
}

// newTarget says how a table's rows are written, or why they are not. With a
// target, why is why there are no inserts.
func newTarget(s *schema.Schema, t *schema.Table) (target *target, why string) {
	key := rowKey(t)
	if key == nil {
		return nil, "it has no key that finds a row"
	}
	target = newTargetWith(t, key)
	target.updates(t)
	return target, target.inserts(s, t)
}

func newTargetWith(t *schema.Table, key []schema.Column) *target {
	sql := pgx.Identifier{t.Name}.Sanitize()
	if t.Schema != "" {
		sql = pgx.Identifier{t.Schema, t.Name}.Sanitize()
	}
	return &target{name: t.QName(), sql: sql, key: key}
}

// rowKey is the primary key, or a unique one without NULL.
func rowKey(t *schema.Table) []schema.Column {
	for _, primary := range []bool{true, false} {
	keys:
		for _, k := range t.Keys {
			if k.Primary != primary || k.Where != "" || k.Invalid || k.Columns() == nil {
				continue
			}
			var out []schema.Column
			for _, name := range k.Columns() {
				c, _ := t.Column(name)
				if c == nil || !c.NotNull && !primary {
					continue keys
				}
				out = append(out, *c)
			}
			return out
		}
	}
	return nil
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

// where finds a row by its key, whose values are the parameters from first on.
func (t *target) where(alias string, first int) string {
	var out []string
	for i, c := range t.key {
		out = append(out, fmt.Sprintf("%s%s = $%d::text::%s", alias, quoted(c.Name), first+i, c.Type.SQL))
	}
	return strings.Join(out, " AND ")
}

// updates are the table's columns, each set to another row's value where nothing
// speaks of it. A table with no such column has one set to itself.
func (t *target) updates(of *schema.Table) {
	for _, c := range of.Columns {
		if c.Generated != "" || c.Identity == "always" {
			continue
		}
		name := quoted(c.Name)
		if t.touch == "" {
			t.touch = name
		}
		if bound(of, c.Name) {
			continue
		}
		t.update = append(t.update, assignment{another: true, sql: fmt.Sprintf(
			"UPDATE %[1]s SET %[2]s = coalesce((SELECT o.%[2]s FROM %[1]s o WHERE %[3]s), %[2]s) WHERE %[4]s",
			t.sql, name, t.where("o.", len(t.key)+1), t.where("", 1))})
	}
	if len(t.update) == 0 && t.touch != "" {
		t.update = []assignment{{sql: fmt.Sprintf("UPDATE %s SET %[2]s = %[2]s WHERE %[3]s", t.sql, t.touch, t.where("", 1))}}
	}
}

// bound says whether a column's value depends on other rows or columns, as far as
// the schema says.
func bound(t *schema.Table, column string) bool {
	for _, k := range t.Keys {
		if mentions(k.Where, column) || slices.ContainsFunc(k.Parts, func(p schema.KeyPart) bool {
			return p.Column == column || mentions(p.Expr, column)
		}) {
			return true
		}
	}
	for _, fk := range t.ForeignKeys {
		if slices.Contains(fk.Columns, column) {
			return true
		}
	}
	for _, e := range t.Exclusions {
		if mentions(e.Definition, column) {
			return true
		}
	}
	if p := t.Partitioned; p != nil && slices.ContainsFunc(p.Parts, func(p schema.KeyPart) bool {
		return p.Column == column || mentions(p.Expr, column)
	}) {
		return true
	}
	return t.PartitionOf != nil || checked(t, column)
}

func checked(t *schema.Table, column string) bool {
	return slices.ContainsFunc(t.Checks, func(c schema.Check) bool { return mentions(c.Expr, column) })
}

func mentions(expr, column string) bool {
	return expr != "" && regexp.MustCompile(`\b`+regexp.QuoteMeta(column)+`\b`).MatchString(expr)
}

// inserts makes the statement that copies a row, or says why there is none.
func (t *target) inserts(s *schema.Schema, of *schema.Table) (why string) {
	values := map[string]string{} // of columns that are not copied; empty: the default
	for _, k := range of.Keys {
		if varied(k, values) {
			continue
		}
		if !t.vary(s, of, k, values) {
			return "there is no fresh value for its key " + k.Name
		}
	}
	if len(of.Exclusions) > 0 {
		return "it has an EXCLUDE constraint"
	}
	var columns, from []string
	for _, c := range of.Columns {
		value, fresh := values[c.Name]
		switch {
		case c.Generated != "" || c.Identity == "always" || fresh && value == "":
			continue
		case !fresh:
			value = "o." + quoted(c.Name)
		}
		columns, from = append(columns, quoted(c.Name)), append(from, value)
	}
	if len(columns) == 0 {
		return "it has no column that may be written"
	}
	var back []string
	for _, c := range t.key {
		back = append(back, "n."+quoted(c.Name)+"::text")
	}
	t.insert = fmt.Sprintf("INSERT INTO %s AS n (%s) SELECT %s FROM %s o WHERE %s RETURNING ARRAY[%s]",
		t.sql, strings.Join(columns, ", "), strings.Join(from, ", "), t.sql, t.where("o.", 1), strings.Join(back, ", "))
	t.remove = fmt.Sprintf("DELETE FROM %s WHERE %s", t.sql, t.where("", 1))
	return ""
}

// varied says whether a key has a fresh value in one of its parts.
func varied(k schema.Key, values map[string]string) bool {
	for _, p := range k.Parts {
		for column := range values {
			if p.Column == column || mentions(p.Expr, column) {
				return true
			}
		}
	}
	return false
}

// vary finds a column of a key to give a fresh value.
func (t *target) vary(s *schema.Schema, of *schema.Table, k schema.Key, values map[string]string) bool {
	for _, p := range k.Parts {
		c, _ := of.Column(p.Column)
		if c == nil || checked(of, c.Name) || len(c.Type.Checks) > 0 || refers(of, c.Name) || divides(s, of, c.Name) {
			continue
		}
		switch parameter := fmt.Sprintf("$%d", len(t.key)+len(t.fresh)+1); {
		case c.Sequence != "" || c.Identity != "":
			values[c.Name] = ""
			return true
		case !c.NotNull && !k.Primary && !k.NullsEqual:
			values[c.Name] = "NULL"
			return true
		case c.Type.Kind == schema.Text && (c.Type.Length == 0 || c.Type.Length > 2*digits):
			value := "o." + quoted(c.Name)
			if c.Type.Length > 0 {
				value = fmt.Sprintf("left(%s, %d)", value, c.Type.Length-digits)
			}
			values[c.Name] = value + " || " + parameter + "::text"
		case c.Type.Kind == schema.Text && c.Type.Length >= digits:
			values[c.Name] = parameter + "::text"
		case c.Type.Kind == schema.Int || c.Type.Kind == schema.UUID || c.Type.Kind == schema.Decimal && c.Type.Precision == 0:
			values[c.Name] = parameter + "::text::" + c.Type.SQL
		default:
			continue
		}
		t.fresh = append(t.fresh, &fresh{column: *c})
		return true
	}
	return false
}

func refers(t *schema.Table, column string) bool {
	return slices.ContainsFunc(t.ForeignKeys, func(fk schema.ForeignKey) bool { return slices.Contains(fk.Columns, column) })
}

// divides says whether the partitions of a table, or of the one that it is a
// partition of, depend on a column.
func divides(s *schema.Schema, t *schema.Table, column string) bool {
	for t != nil {
		if p := t.Partitioned; p != nil && slices.ContainsFunc(p.Parts, func(p schema.KeyPart) bool {
			return p.Column == column || mentions(p.Expr, column)
		}) {
			return true
		}
		if t.PartitionOf == nil {
			return false
		}
		t, _ = s.Table(t.PartitionOf.Parent)
	}
	return false
}

// digits is how many characters a fresh text has.
const digits = 12

// keysKept is of how many rows the keys are kept.
const keysKept = 2000

// load reads keys from all over the table, and where fresh numbers begin.
func (t *target) load(ctx context.Context, conn *pgx.Conn, seed uint64) error {
	var names []string
	for _, c := range t.key {
		names = append(names, quoted(c.Name)+"::text")
	}
	var estimate float64
	if err := conn.QueryRow(ctx, "SELECT reltuples::float8 FROM pg_class WHERE oid = $1::text::regclass", t.sql).Scan(&estimate); err != nil {
		return err
	}
	sample := ""
	if estimate > 10*keysKept {
		sample = fmt.Sprintf(" TABLESAMPLE SYSTEM (%f) REPEATABLE (%d)", min(100, 100*5*keysKept/estimate), seed%math.MaxInt32)
	}
	read := func(sample string) error {
		rows, err := conn.Query(ctx, fmt.Sprintf("SELECT ARRAY[%s] FROM %s%s LIMIT %d", strings.Join(names, ", "), t.sql, sample, keysKept))
		if err != nil {
			return err
		}
		t.keys, err = pgx.CollectRows(rows, pgx.RowTo[[]string])
		return err
	}
	if err := read(sample); err != nil {
		return err
	}
	if len(t.keys) == 0 && sample != "" {
		if err := read(""); err != nil {
			return err
		}
	}
	for _, f := range t.fresh {
		if f.column.Type.Kind != schema.Int && f.column.Type.Kind != schema.Decimal {
			continue
		}
		var greatest *int64
		if err := conn.QueryRow(ctx, fmt.Sprintf("SELECT max(%s)::bigint FROM %s", quoted(f.column.Name), t.sql)).Scan(&greatest); err != nil {
			return err
		}
		if greatest != nil {
			f.last.Store(*greatest)
		}
	}
	return nil
}

// kill makes a share of the rows dead once, by updating the first ones to what
// they are.
func (t *target) kill(ctx context.Context, conn *pgx.Conn, share float64) (int64, error) {
	if t.touch == "" {
		return 0, nil
	}
	if _, err := conn.Exec(ctx, "ALTER TABLE "+t.sql+" SET (autovacuum_enabled = off)"); err != nil {
		return 0, err
	}
	tag, err := conn.Exec(ctx, fmt.Sprintf(
		"UPDATE %[1]s SET %[2]s = %[2]s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %[1]s LIMIT (SELECT ceil($1::float8 * count(*)) FROM %[1]s)))", t.sql, t.touch), share)
	return tag.RowsAffected(), err
}
