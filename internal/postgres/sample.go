package postgres

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Sample reads rows of a table of the last [DB.Catalog]. Samples are of one
// snapshot, that of the first, for as long as the connection lasts, but for some
// minutes at most: an old snapshot keeps a busy server from cleaning up. When each
// returns an error, the reading ends with it.
//
// The sample is TABLESAMPLE's, repeatable by the seed as long as the table does not
// change. It aims somewhat below the limit: rows that a LIMIT cuts off are all from
// the table's end, where the newest are. A number of children that could be counted
// only by reading a big table over and over is NULL.
func (db *DB) Sample(ctx context.Context, q measure.Query, each func(measure.Row) error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	sql, err := db.known.statement(q)
	if err != nil {
		return err
	}
	if err := db.sample(ctx, sql, &copyText{columns: width(q), each: each}); err != nil {
		return fmt.Errorf("read table %q: %w", q.Table, explain(err))
	}
	return nil
}

func (db *DB) sample(ctx context.Context, sql string, rows *copyText) error {
	if db.sampling != nil && time.Since(db.sampled) > oldestSnapshot {
		_ = db.sampling.Close(ctx)
		db.sampling = nil
	}
	if db.sampling == nil || db.sampling.IsClosed() {
		conn, err := db.snapshot(ctx)
		if err != nil {
			return err
		}
		db.sampling, db.sampled = conn, time.Now()
	}
	conn := db.sampling.PgConn()
	if _, err := conn.Exec(ctx, "SAVEPOINT one_table").ReadAll(); err != nil {
		return err
	}
	_, err := conn.CopyTo(ctx, rows, sql)
	if conn.IsClosed() {
		return err
	}
	// Back to the savepoint also after a success: it is what lets go of the lock on
	// the table, which would hold up an ALTER TABLE, and all who queue behind that,
	// until the last table is read.
	if _, end := conn.Exec(context.WithoutCancel(ctx), "ROLLBACK TO SAVEPOINT one_table; RELEASE SAVEPOINT one_table").ReadAll(); err == nil {
		err = end
	}
	return err
}

// snapshot opens a connection, and on it the transaction that samples are taken
// in.
func (db *DB) snapshot(ctx context.Context) (*pgx.Conn, error) {
	conn, err := Connect(ctx, db.config)
	if err != nil {
		return nil, err
	}
	err = db.begin(ctx, conn)
	if err == nil && conn.PgConn().ParameterStatus("server_encoding") == "SQL_ASCII" {
		// Such a database holds bytes of any encoding, and asked for UTF-8 the server
		// refuses those that are none.
		_, err = conn.PgConn().Exec(ctx, "SET LOCAL client_encoding = SQL_ASCII").ReadAll()
	}
	if err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return conn, nil
}

// width is how many values a row has.
func width(q measure.Query) int {
	n := len(q.Columns) + len(q.Children)
	for _, p := range q.Parents {
		n += 1 + len(p.Columns)
	}
	return n
}

// SQL is the statement that Sample runs, word for word. It follows the sizes that
// the last [DB.Catalog] or [DB.Statistics] has seen.
func (db *DB) SQL(q measure.Query) string {
	db.mu.Lock()
	defer db.mu.Unlock()
	sql, err := db.known.statement(q)
	if err != nil {
		return "-- " + err.Error()
	}
	return sql
}

// statement is the COPY that answers a query.
func (k *catalogue) statement(q measure.Query) (string, error) {
	rel := k.tables[q.Table]
	if rel == nil {
		return "", unknown(q.Table)
	}
	var columns []string
	for _, c := range q.Columns {
		columns = append(columns, "t."+quote(c))
	}
	var joins []string
	for i, p := range q.Parents {
		parent := k.tables[p.Reference.Table]
		if parent == nil {
			return "", unknown(p.Reference.Table)
		}
		alias := fmt.Sprintf("p%d", i+1)
		columns = append(columns, fmt.Sprintf("CASE WHEN %s.%s IS NOT NULL THEN 't' END", alias, quote(p.Reference.To[0])))
		for _, c := range p.Columns {
			columns = append(columns, alias+"."+quote(c))
		}
		joins = append(joins, "LEFT JOIN "+parent.parents(p)+" AS "+alias+" ON "+equal(alias, p.Reference.To, "t", p.Reference.Columns))
	}
	whole := q.Limit == 0 || q.Rows > 0 && q.Rows <= q.Limit
	for i, c := range q.Children {
		child := k.tables[c.Table]
		if child == nil {
			return "", unknown(c.Table)
		}
		alias := fmt.Sprintf("c%d", i+1)
		join := child.count(c.Reference, alias, whole)
		if join == "" {
			columns = append(columns, "NULL")
			continue
		}
		joins = append(joins, join)
		columns = append(columns, "coalesce("+alias+".rehearse_children, 0)")
	}
	var b strings.Builder
	b.WriteString("COPY (\n  SELECT " + strings.Join(columns, ", ") + "\n  FROM " + rel.from() + " AS t")
	if !whole {
		b.WriteString(" " + rel.tablesample(q))
	}
	for _, j := range joins {
		b.WriteString("\n  " + j)
	}
	if q.Limit > 0 {
		fmt.Fprintf(&b, "\n  LIMIT %d", q.Limit)
	}
	b.WriteString("\n) TO STDOUT")
	return b.String(), nil
}

func unknown(table string) error {
	return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("the catalogue has no table %q", table), Hint: "Read the catalogue again if the table is new."}
}

// from is the table as FROM has it, without rows of tables that inherit from it.
func (r *relation) from() string {
	name := quote(r.table.Name)
	if s := r.table.Schema; s != "" {
		name = quote(s) + "." + name
	} else {
		name = "public." + name
	}
	if r.inherited {
		return "ONLY " + name
	}
	return name
}

// smallPages is up to where the whole table is read for a sample row by row, and
// fewPages how few sampled pages are too few to stand for a table.
const (
	smallPages = 4096
	fewPages   = 256
	hugePages  = 1 << 20
)

// tablesample is the clause that leaves about q.Limit rows.
func (r *relation) tablesample(q measure.Query) string {
	rows, pages := float64(q.Rows), float64(max(1, r.size.pages))
	if q.Rows <= 0 {
		rows = float64(r.size.rows)
	}
	rows = max(rows, 1)
	share := float64(q.Limit) / rows
	method, drawn := "SYSTEM", share*pages
	if pages <= smallPages || drawn < fewPages && pages <= hugePages {
		method, drawn = "BERNOULLI", float64(q.Limit)
	}
	// Two standard deviations below the limit.
	percent := 100 * min(1, share*(1-min(0.5, 2/math.Sqrt(max(1, drawn)))))
	return fmt.Sprintf("TABLESAMPLE %s (%s) REPEATABLE (%d)", method, formatPercent(percent), q.Seed%(1<<31))
}

// formatPercent keeps four digits.
func formatPercent(p float64) string {
	digits := 3 - int(math.Floor(math.Log10(p)))
	return fmt.Sprintf("%.*f", max(0, digits), p)
}

// parents is what a reference is joined to: the table, or where nothing makes the
// referenced columns a key, one row for each of their values.
func (r *relation) parents(p measure.ParentColumns) string {
	to := p.Reference.To
	for _, k := range r.table.Keys {
		if k.Where == "" && !k.Invalid && sameSet(k.Columns(), to) {
			return r.from()
		}
	}
	columns := slices.Clone(to)
	for _, c := range p.Columns {
		if !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
	}
	return "(SELECT DISTINCT ON (" + quoted(to) + ") " + quoted(columns) + " FROM " + r.from() + " ORDER BY " + quoted(to) + ")"
}

// groupedRows is up to how many children are counted all at once for a sample of
// parents, and scannedRows for all of them. Of parents that are few, each has so many
// that an index is of no help beyond.
const (
	groupedRows = 5_000_000
	scannedRows = 50_000_000
)

// count is a join that counts the rows that a reference leads from; empty where
// that would take too long.
func (r *relation) count(ref schema.ForeignKey, alias string, whole bool) string {
	if r.size.rows <= groupedRows || whole && r.size.rows <= scannedRows {
		keys := make([]string, len(ref.Columns))
		for i, c := range ref.Columns {
			keys[i] = quote(c) + " IS NOT NULL"
		}
		return "LEFT JOIN (SELECT " + quoted(ref.Columns) + ", count(*) AS rehearse_children FROM " + r.from() + " WHERE " + strings.Join(keys, " AND ") +
			" GROUP BY " + quoted(ref.Columns) + ") AS " + alias + " ON " + equal(alias, ref.Columns, "t", ref.To)
	}
	if whole {
		return ""
	}
	for _, leading := range r.leading {
		if len(leading) >= len(ref.Columns) && sameSet(leading[:len(ref.Columns)], ref.Columns) {
			return "CROSS JOIN LATERAL (SELECT count(*) AS rehearse_children FROM " + r.from() + " AS r WHERE " + equal("r", ref.Columns, "t", ref.To) + ") AS " + alias
		}
	}
	return ""
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

func quoted(columns []string) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = quote(c)
	}
	return strings.Join(out, ", ")
}
