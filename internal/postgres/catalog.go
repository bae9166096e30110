package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

// catalogue is a schema and what the reading of its rows needs besides.
type catalogue struct {
	schema *schema.Schema
	tables map[string]*relation // by QName
}

// relation is a table as pg_class has it.
type relation struct {
	oid       int64
	table     *schema.Table
	inherited bool // others inherit from it in the old way
	// leading are, for each index that covers all rows, its first parts as far as
	// they are columns.
	leading [][]string
	size    size
}

// userTables are the tables that a schema is made of: no view, no foreign or
// temporary table, nothing that an extension owns.
const userTables = `tables AS MATERIALIZED (
	SELECT c.oid, c.relname, n.nspname, c.relkind, c.relispartition, c.relhassubclass, c.relpartbound, c.reltuples, c.relpages
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
`

// Catalog reads the whole catalogue, in a few statements however many tables there
// are, and remembers it for the methods of [measure.Source].
func (db *DB) Catalog(ctx context.Context) (*schema.Schema, error) {
	var known catalogue
	err := db.read(ctx, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "SET LOCAL search_path = public"); err != nil {
			return err
		}
		r := reader{db: db, conn: conn, byOID: map[int64]*relation{}}
		var err error
		known, err = r.read(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the catalogue: %w", err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.known = known
	return known.schema, nil
}

// reader puts a schema together, one kind of thing after the other.
type reader struct {
	db    *DB
	conn  *pgx.Conn
	byOID map[int64]*relation
	order []*relation
	types map[int64]*typeRow
}

func (r *reader) read(ctx context.Context) (catalogue, error) {
	for _, part := range []struct {
		what string
		read func(context.Context) error
	}{
		{"tables", r.readTables}, {"types", r.readTypes}, {"columns", r.readColumns},
		{"constraints and indexes", r.readKeys}, {"triggers", r.readTriggers}, {"partitioning", r.readPartitioning},
	} {
		if err := part.read(ctx); err != nil {
			return catalogue{}, fmt.Errorf("%s: %w", part.what, err)
		}
	}
	known := catalogue{schema: &schema.Schema{Engine: schema.Postgres, Version: r.db.release}, tables: map[string]*relation{}}
	for _, rel := range r.order {
		known.schema.Tables = append(known.schema.Tables, rel.table)
		known.tables[rel.table.QName()] = rel
	}
	return known, nil
}

type tableRow struct {
	OID            int64
	Schema, Name   string
	Comment, Bound string
	Parent         int64
	Inherited      bool
	Rows           float64
	Pages          int64
}

func (r *reader) readTables(ctx context.Context) error {
	found, err := collect[tableRow](ctx, r.conn, "WITH "+userTables+`
		SELECT t.oid::int8, t.nspname::text, t.relname::text, coalesce(d.description, ''), coalesce(pg_get_expr(t.relpartbound, t.oid), ''),
			coalesce(CASE WHEN t.relispartition THEN i.inhparent END, 0)::int8, t.relhassubclass AND t.relkind = 'r',
			CASE WHEN t.reltuples > 0 THEN t.reltuples ELSE pg_stat_get_live_tuples(t.oid) END::float8, t.relpages::int8
		FROM tables t
		LEFT JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = t.oid AND d.objsubid = 0
		LEFT JOIN pg_inherits i ON t.relispartition AND i.inhrelid = t.oid`)
	if err != nil {
		return err
	}
	children := map[int64][]*relation{} // partitions, and under 0 what is none
	for _, f := range found {
		t := &schema.Table{Schema: schemaName(f.Schema), Name: f.Name, Comment: f.Comment}
		rel := &relation{oid: f.OID, table: t, inherited: f.Inherited, size: size{rows: int64(f.Rows), pages: f.Pages}}
		if f.Parent != 0 {
			t.PartitionOf = &schema.Partition{Bound: f.Bound}
		}
		r.byOID[f.OID] = rel
		children[f.Parent] = append(children[f.Parent], rel)
	}
	r.place(children, 0)
	return nil
}

// place orders tables by name, each followed by its partitions, and adds the sizes
// of those up.
func (r *reader) place(children map[int64][]*relation, parent int64) {
	slices.SortFunc(children[parent], func(a, b *relation) int { return cmp.Compare(a.table.QName(), b.table.QName()) })
	for _, rel := range children[parent] {
		r.order = append(r.order, rel)
		below := children[rel.oid]
		if below == nil {
			continue
		}
		for _, child := range below {
			child.table.PartitionOf.Parent = rel.table.QName()
		}
		r.place(children, rel.oid)
		rel.size = size{}
		for _, child := range below {
			rel.size.rows += child.size.rows
			rel.size.pages += child.size.pages
		}
	}
}

// schemaName is a schema's name as schema.Table has it.
func schemaName(name string) string {
	if name == "public" {
		return ""
	}
	return name
}

type triggerRow struct {
	Table   int64
	Name    string
	Bits    int32
	Enabled bool
}

func (r *reader) readTriggers(ctx context.Context) error {
	found, err := collect[triggerRow](ctx, r.conn, "WITH "+userTables+`
		SELECT g.tgrelid::int8, g.tgname::text, g.tgtype::int4, g.tgenabled <> 'D'
		FROM pg_trigger g JOIN tables t ON t.oid = g.tgrelid
		WHERE NOT g.tgisinternal`+r.db.since(13, " AND g.tgparentid = 0", "")+" ORDER BY g.tgname")
	if err != nil {
		return err
	}
	for _, f := range found {
		t := r.byOID[f.Table].table
		t.Triggers = append(t.Triggers, schema.Trigger{Name: f.Name, Timing: timing(f.Bits), Enabled: f.Enabled})
	}
	return nil
}

// timing reads tgtype, whose bits are in PostgreSQL's catalog/pg_trigger.h.
func timing(bits int32) string {
	const row, before, insert, del, update, truncate, instead = 1, 2, 4, 8, 16, 32, 64
	when := "AFTER"
	switch {
	case bits&before != 0:
		when = "BEFORE"
	case bits&instead != 0:
		when = "INSTEAD OF"
	}
	var events []string
	for _, e := range []struct {
		bit  int32
		name string
	}{{insert, "INSERT"}, {update, "UPDATE"}, {del, "DELETE"}, {truncate, "TRUNCATE"}} {
		if bits&e.bit != 0 {
			events = append(events, e.name)
		}
	}
	each := "STATEMENT"
	if bits&row != 0 {
		each = "ROW"
	}
	return when + " " + strings.Join(events, " OR ") + " " + each
}

type partitionedRow struct {
	Table           int64
	Strategy, Exprs string
	Columns         []string // empty for an expression
}

func (r *reader) readPartitioning(ctx context.Context) error {
	found, err := collect[partitionedRow](ctx, r.conn, "WITH "+userTables+`
		SELECT p.partrelid::int8, CASE p.partstrat WHEN 'r' THEN 'range' WHEN 'l' THEN 'list' ELSE 'hash' END,
			coalesce(pg_get_expr(p.partexprs, p.partrelid), ''),
			ARRAY(SELECT coalesce(a.attname, '')::text FROM unnest(p.partattrs::int2[]) WITH ORDINALITY k(n, i)
				LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.n AND k.n > 0 ORDER BY k.i)
		FROM pg_partitioned_table p JOIN tables t ON t.oid = p.partrelid`)
	if err != nil {
		return err
	}
	for _, f := range found {
		p := &schema.Partitioning{Strategy: f.Strategy}
		exprs := splitList(f.Exprs)
		for _, column := range f.Columns {
			part := schema.KeyPart{Column: column}
			if column == "" && len(exprs) > 0 {
				part.Expr, exprs = exprs[0], exprs[1:]
			}
			p.Parts = append(p.Parts, part)
		}
		r.byOID[f.Table].table.Partitioned = p
	}
	return nil
}

// splitList splits a list of expressions, as pg_get_expr prints it, at the commas
// that are in no parentheses and no quotes.
func splitList(s string) []string {
	if s == "" {
		return nil
	}
	var out []string
	var quoted byte
	depth, from := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case quoted != 0:
			if c == quoted {
				quoted = 0
			}
		case c == '\'' || c == '"':
			quoted = c
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case c == ',' && depth == 0:
			out = append(out, strings.TrimSpace(s[from:i]))
			from = i + 1
		}
	}
	return append(out, strings.TrimSpace(s[from:]))
}
