package migration

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
)

// catalog is what is compared before and after.
type catalog struct {
	tables      map[uint32]table
	indexes     map[uint32]Index
	constraints map[uint32]Constraint
	columns     map[column]nullness
	tableOf     map[uint32]uint32
}

type table struct {
	name  string // QName
	sql   string
	file  uint32
	bytes int64
	rows  int64
	some  string // a column that may be written, as SQL writes it
}

type column struct {
	table uint32
	name  string
}

// nullness is what is known of a column's being NULL.
type nullness struct {
	not    bool // NOT NULL
	proven bool // a validated CHECK says the same, so that nobody needs to look
}

// userTables restricts n and c to tables of users.
const userTables = `c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', '` + watchSchema + `')`

// readCatalog reads it. Who created a row of the catalogue last (xmin) tells two
// things that nothing else does. CREATE INDEX CONCURRENTLY changes its row of
// pg_index in further transactions, so that it is younger than those of its
// columns. VALIDATE CONSTRAINT changes that of pg_constraint, so that it is younger
// than the constraint's dependence on its table.
func readCatalog(ctx context.Context, conn *pgx.Conn) (*catalog, error) {
	c := &catalog{tables: map[uint32]table{}, indexes: map[uint32]Index{}, constraints: map[uint32]Constraint{}, columns: map[column]nullness{}, tableOf: map[uint32]uint32{}}
	rows, err := conn.Query(ctx, `
		SELECT c.oid, CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname, format('%I.%I', n.nspname, c.relname),
		       c.relfilenode, pg_table_size(c.oid), greatest(c.reltuples, 0)::bigint,
		       coalesce((SELECT quote_ident(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		                 AND a.attgenerated = '' AND a.attidentity = '' ORDER BY a.attnum LIMIT 1), '')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE `+userTables)
	if err != nil {
		return nil, err
	}
	var oid, of uint32
	var t table
	if _, err := pgx.ForEachRow(rows, []any{&oid, &t.name, &t.sql, &t.file, &t.bytes, &t.rows, &t.some}, func() error {
		c.tables[oid] = t
		return nil
	}); err != nil {
		return nil, err
	}

	rows, err = conn.Query(ctx, `
		SELECT i.indexrelid, i.indrelid, x.relname, pg_relation_size(x.oid), i.indisvalid,
		       i.xmin::text <> (SELECT a.xmin::text FROM pg_attribute a WHERE a.attrelid = x.oid AND a.attnum = 1)
		FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE x.relkind = 'i' AND `+userTables)
	if err != nil {
		return nil, err
	}
	var i Index
	if _, err := pgx.ForEachRow(rows, []any{&oid, &of, &i.Name, &i.Bytes, &i.Valid, &i.Concurrently}, func() error {
		i.Table = c.tables[of].name
		c.indexes[oid], c.tableOf[oid] = i, of
		return nil
	}); err != nil {
		return nil, err
	}

	rows, err = conn.Query(ctx, `
		SELECT k.oid, k.conrelid, k.conname, pg_get_constraintdef(k.oid), k.convalidated AND NOT EXISTS (
		           SELECT FROM pg_depend d WHERE d.classid = 'pg_constraint'::regclass AND d.objid = k.oid AND d.xmin::text <> k.xmin::text)
		FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE k.contype IN ('c', 'f') AND k.conparentid = 0 AND `+userTables)
	if err != nil {
		return nil, err
	}
	var k Constraint
	if _, err := pgx.ForEachRow(rows, []any{&oid, &of, &k.Name, &k.Definition, &k.Scanned}, func() error {
		k.Table = c.tables[of].name
		c.constraints[oid], c.tableOf[oid] = k, of
		return nil
	}); err != nil {
		return nil, err
	}

	rows, err = conn.Query(ctx, `
		SELECT c.oid, a.attname, a.attnotnull, EXISTS (
		    SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.convalidated AND k.conkey = ARRAY[a.attnum]
		    AND pg_get_expr(k.conbin, k.conrelid) = format('(%I IS NOT NULL)', a.attname))
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE a.attnum > 0 AND NOT a.attisdropped AND `+userTables)
	if err != nil {
		return nil, err
	}
	var name string
	var null nullness
	_, err = pgx.ForEachRow(rows, []any{&of, &name, &null.not, &null.proven}, func() error {
		c.columns[column{of, name}] = null
		return nil
	})
	return c, err
}

// rewritten are the tables whose files are new.
func rewritten(before, after *catalog) []Rewrite {
	var out []Rewrite
	for oid, was := range before.tables {
		if is, ok := after.tables[oid]; ok && is.file != was.file {
			out = append(out, Rewrite{Table: was.name, Before: was.bytes, After: is.bytes})
		}
	}
	slices.SortFunc(out, func(a, b Rewrite) int { return cmp.Compare(a.Table, b.Table) })
	return out
}

// built are the new indexes of tables that were there before.
func built(before, after *catalog) []Index {
	var out []Index
	for oid, i := range after.indexes {
		_, had := before.indexes[oid]
		if t, old := before.tables[after.tableOf[oid]]; old && !had {
			i.Table = t.name
			out = append(out, i)
		}
	}
	slices.SortFunc(out, func(a, b Index) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// added are the new constraints of tables that were there before.
func added(before, after *catalog) []Constraint {
	var out []Constraint
	for oid, k := range after.constraints {
		_, had := before.constraints[oid]
		if t, old := before.tables[after.tableOf[oid]]; old && !had {
			k.Table = t.name
			out = append(out, k)
		}
	}
	for c, is := range after.columns {
		if was, had := before.columns[c]; had && is.not && !was.not {
			out = append(out, Constraint{
				Table: before.tables[c.table].name, Name: c.name, Definition: "NOT NULL",
				Scanned: !is.proven && !was.proven, NotNull: true,
			})
		}
	}
	slices.SortFunc(out, func(a, b Constraint) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Name, b.Name))
	})
	return out
}
