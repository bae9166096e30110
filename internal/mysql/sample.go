package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Sample reads rows of a table of the last [DB.Catalog]. Samples are of one
// snapshot, that of the first, for as long as the connection lasts, but for some
// minutes at most: an old snapshot keeps a busy server from cleaning up. When each
// returns an error, the reading ends with it.
//
// Values come in the server's text form in UTC, those of binary columns as \x and
// hexadecimal digits, of bits as digits of 0 and 1, and shapes as well-known text.
//
// Of a table the sample is random rows, repeatable by the seed as long as the table
// does not change; of one so big that reading it all would take long, it is pieces
// of the primary key's range. A number of children that could be counted only by
// reading a big table over and over is NULL.
func (db *DB) Sample(ctx context.Context, q measure.Query, each func(measure.Row) error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	statement, err := db.known.statement(q)
	if err != nil {
		return err
	}
	if err := db.sample(ctx, statement, each); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("read table %q: %w", q.Table, explain(err))
	}
	return nil
}

func (db *DB) sample(ctx context.Context, statement string, each func(measure.Row) error) error {
	if db.sampling != nil && time.Since(db.sampled) > oldestSnapshot {
		db.sampling.close()
		db.sampling = nil
	}
	if db.sampling == nil || !db.sampling.alive(ctx) {
		s, err := db.session(ctx, db.reading()...)
		if err != nil {
			return err
		}
		db.sampling, db.sampled = s, time.Now()
	}
	s := db.sampling
	defer db.killing(ctx, s)()
	if err := s.exec(ctx, "SAVEPOINT one_table"); err != nil {
		return err
	}
	err := s.rows(ctx, statement, each)
	// Back to the savepoint also after a success: it is what lets go of the lock on
	// the table, which would hold up an ALTER TABLE, and all who queue behind that,
	// until the last table is read.
	if end := s.exec(context.WithoutCancel(ctx), "ROLLBACK TO SAVEPOINT one_table"); err == nil {
		err = end
	}
	return err
}

// rows runs a query and hands on each row.
func (s *session) rows(ctx context.Context, query string, each func(measure.Row) error) error {
	found, err := s.conn.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer found.Close()
	names, err := found.Columns()
	if err != nil {
		return err
	}
	raw, to, row := make([]sql.RawBytes, len(names)), make([]any, len(names)), make(measure.Row, len(names))
	for i := range raw {
		to[i] = &raw[i]
	}
	for found.Next() {
		if err := found.Scan(to...); err != nil {
			return err
		}
		for i, v := range raw {
			row[i] = v
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return found.Err()
}

// SQL is the statement that Sample runs, word for word. It follows the sizes that
// the last [DB.Catalog] or [DB.Statistics] has seen.
func (db *DB) SQL(q measure.Query) string {
	db.mu.Lock()
	defer db.mu.Unlock()
	statement, err := db.known.statement(q)
	if err != nil {
		return "-- " + err.Error()
	}
	return statement
}

// statement is the SELECT that answers a query.
func (k *catalogue) statement(q measure.Query) (string, error) {
	rel := k.tables[q.Table]
	if rel == nil {
		return "", unknown(q.Table)
	}
	var columns, joins []string
	for _, c := range q.Columns {
		columns = append(columns, rel.value("t", c))
	}
	for i, p := range q.Parents {
		parent := k.tables[p.Reference.Table]
		if parent == nil {
			return "", unknown(p.Reference.Table)
		}
		alias := fmt.Sprintf("p%d", i+1)
		columns = append(columns, fmt.Sprintf("CASE WHEN %s.%s IS NOT NULL THEN 't' END", alias, quote(p.Reference.To[0])))
		for _, c := range p.Columns {
			columns = append(columns, parent.value(alias, c))
		}
		joins = append(joins, "LEFT JOIN "+parent.parents(p)+" AS "+alias+" ON "+equal(alias, p.Reference.To, "t", p.Reference.Columns))
	}
	whole := q.Limit == 0 || q.Rows > 0 && q.Rows <= q.Limit
	for i, c := range q.Children {
		child := k.tables[c.Table]
		if child == nil {
			return "", unknown(c.Table)
		}
		column, join := child.count(c.Reference, fmt.Sprintf("c%d", i+1), whole)
		columns = append(columns, column)
		if join != "" {
			joins = append(joins, join)
		}
	}
	if len(columns) == 0 {
		columns = []string{"1"}
	}
	var b strings.Builder
	b.WriteString("SELECT " + strings.Join(columns, ", ") + "\nFROM ")
	if ranged := rel.ranged(q); whole {
		b.WriteString(quote(rel.table.Name))
	} else if ranged != "" {
		b.WriteString(ranged)
	} else {
		b.WriteString("(SELECT * FROM " + quote(rel.table.Name) + " WHERE RAND(" + fmt.Sprint(q.Seed%(1<<31)) + ") < " + fmt.Sprintf("%.4g", rel.share(q)) + ")")
	}
	b.WriteString(" AS t")
	for _, j := range joins {
		b.WriteString("\n" + j)
	}
	if q.Limit > 0 {
		fmt.Fprintf(&b, "\nLIMIT %d", q.Limit)
	}
	return b.String(), nil
}

func unknown(table string) error {
	return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("the catalogue has no table %q", table), Hint: "Read the catalogue again if the table is new."}
}

// value is a column in the text form that a row has.
func (r *relation) value(alias, column string) string {
	v := alias + "." + quote(column)
	c, _ := r.table.Column(column)
	switch {
	case c == nil:
	case c.Type.Kind == schema.Bytes:
		return `CONCAT('\\x', LOWER(HEX(` + v + ")))"
	case c.Type.Kind == schema.Bits:
		return fmt.Sprintf("LPAD(BIN(%s + 0), %d, '0')", v, c.Type.Length)
	case spatial(c.Type):
		return "ST_AsText(" + v + ")"
	}
	return v
}

func spatial(t schema.Type) bool {
	return slices.Contains([]string{"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection"}, t.Name)
}

// share is how much of the table RAND() is to let through: two standard deviations
// below the limit, lest a LIMIT cuts off the table's end, where the newest rows are.
func (r *relation) share(q measure.Query) float64 {
	share := float64(q.Limit) / float64(max(1, r.estimate(q)))
	return min(1, share*(1-min(0.5, 2/math.Sqrt(float64(max(1, q.Limit))))))
}

func (r *relation) estimate(q measure.Query) int64 {
	if q.Rows > 0 {
		return q.Rows
	}
	return r.rows
}

const (
	// scanRows is up to where a table is read from end to end for a sample of it.
	scanRows = 2_000_000
	// pieces is how many parts of the primary key's range a sample is of otherwise.
	pieces = 50
)

// ranged is a table of pieces of the primary key's range, each the first rows of
// its fiftieth of it; empty where the table can be scanned or its primary key is
// not an integer.
func (r *relation) ranged(q measure.Query) string {
	key, ok := r.table.Primary()
	if !ok || r.estimate(q) <= scanRows {
		return ""
	}
	name := key.Parts[0].Column
	if c, _ := r.table.Column(name); c == nil || c.Type.Kind != schema.Int {
		return ""
	}
	from := quote(r.table.Name)
	id := quote(name)
	// Bounds are exact numbers: a float would blur the ends of a bigint.
	at := func(i int) string {
		return fmt.Sprintf("(SELECT MIN(%s) + (CAST(MAX(%s) AS DECIMAL(30)) - MIN(%s)) * %d / %d FROM %s)", id, id, id, i, pieces, from)
	}
	parts := make([]string, pieces)
	for i := range parts {
		below := ""
		if i < pieces-1 {
			below = " AND " + id + " < " + at(i+1)
		}
		parts[i] = fmt.Sprintf("(SELECT * FROM %s WHERE %s >= %s%s ORDER BY %s LIMIT %d)", from, id, at(i), below, id, (q.Limit+pieces-1)/pieces)
	}
	return "(\n" + strings.Join(parts, " UNION ALL\n") + "\n)"
}

// parents is what a reference is joined to: the table, or where nothing makes the
// referenced columns a key, one row for each of their values.
func (r *relation) parents(p measure.ParentColumns) string {
	to := p.Reference.To
	for _, k := range r.table.Keys {
		if sameSet(k.Columns(), to) && !slices.ContainsFunc(k.Parts, func(p schema.KeyPart) bool { return p.Prefix > 0 }) {
			return quote(r.table.Name)
		}
	}
	columns := slices.Clone(to)
	for _, c := range p.Columns {
		if !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
	}
	// Without ONLY_FULL_GROUP_BY the other columns are those of some row.
	return "(SELECT " + quoted(columns) + " FROM " + quote(r.table.Name) + " GROUP BY " + quoted(to) + ")"
}

// groupedRows is up to how many children are counted all at once for a sample of
// parents, and scannedRows for all of them. Of parents that are few, each has so many
// that an index is of no help beyond.
const (
	groupedRows = 5_000_000
	scannedRows = 50_000_000
)

// count is a column that counts the rows that a reference leads from, NULL where
// that would take too long, and the join that it needs, if any.
func (r *relation) count(ref schema.ForeignKey, alias string, whole bool) (column, join string) {
	if r.rows <= groupedRows || whole && r.rows <= scannedRows {
		keys := make([]string, len(ref.Columns))
		for i, c := range ref.Columns {
			keys[i] = quote(c) + " IS NOT NULL"
		}
		return "COALESCE(" + alias + ".rehearse_children, 0)", "LEFT JOIN (SELECT " + quoted(ref.Columns) + ", COUNT(*) AS rehearse_children FROM " + quote(r.table.Name) + " WHERE " + strings.Join(keys, " AND ") +
			" GROUP BY " + quoted(ref.Columns) + ") AS " + alias + " ON " + equal(alias, ref.Columns, "t", ref.To)
	}
	if whole {
		return "NULL", ""
	}
	for _, leading := range r.leading {
		if len(leading) >= len(ref.Columns) && sameSet(leading[:len(ref.Columns)], ref.Columns) {
			return "(SELECT COUNT(*) FROM " + quote(r.table.Name) + " AS " + alias + " WHERE " + equal(alias, ref.Columns, "t", ref.To) + ")", ""
		}
	}
	return "NULL", ""
}

func sameSet(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for _, c := range b {
		if !slices.Contains(a, c) {
			return false
		}
	}
	return true
}

// equal is the condition that columns of two tables are equal one by one.
func equal(a string, columns []string, b string, others []string) string {
	out := make([]string, len(columns))
	for i := range columns {
		out[i] = a + "." + quote(columns[i]) + " = " + b + "." + quote(others[i])
	}
	return strings.Join(out, " AND ")
}
