package postgres

import (
	"context"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

type constraintRow struct {
	Table, Index     int64
	Name, Type       string // contype: c, f, p, u, x
	Columns          []string
	Referenced       int64
	ReferencedName   string
	To               []string
	MatchFull        bool
	Deferrable       bool
	OnDelete         string
	NotValid         bool
	Definition, Expr string
	Operators        []string // of an exclusion
}

type indexRow struct {
	Table, Index    int64
	Name, Method    string
	Primary, Unique bool
	Valid           bool
	NullsEqual      bool
	Definition      string
	Where           string
	Columns, Exprs  []string // of each part one is empty
}

// readKeys reads constraints and indexes, which have much to do with one another:
// an index stands for a key, a constraint stands on an index.
func (r *reader) readKeys(ctx context.Context) error {
	constraints, err := collect[constraintRow](ctx, r.conn, "WITH "+userTables+`
		SELECT k.conrelid::int8, k.conindid::int8, k.conname::text, k.contype::text,
			ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(n, i) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.i),
			k.confrelid::int8, CASE WHEN k.confrelid = 0 THEN '' ELSE k.confrelid::regclass::text END,
			ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(n, i) JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.i),
			k.confmatchtype = 'f', k.condeferrable,
			CASE k.confdeltype WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' ELSE '' END,
			NOT k.convalidated`+r.db.since(18, " OR NOT k.conenforced", "")+`, pg_get_constraintdef(k.oid), coalesce(pg_get_expr(k.conbin, k.conrelid), ''),
			ARRAY(SELECT o.oprname::text FROM unnest(k.conexclop) WITH ORDINALITY u(op, i) JOIN pg_operator o ON o.oid = u.op ORDER BY u.i)
		FROM pg_constraint k JOIN tables t ON t.oid = k.conrelid
		WHERE k.contype = 'c' OR k.contype IN ('p', 'u', 'f', 'x') AND k.conparentid = 0
		ORDER BY k.conname`)
	if err != nil {
		return err
	}
	indexes, err := collect[indexRow](ctx, r.conn, "WITH "+userTables+`
		SELECT i.indrelid::int8, i.indexrelid::int8, c.relname::text, m.amname::text, i.indisprimary, i.indisunique, i.indisvalid AND i.indisready,
			`+r.db.since(15, "i.indnullsnotdistinct", "false")+`, pg_get_indexdef(i.indexrelid), coalesce(pg_get_expr(i.indpred, i.indrelid), ''),
			ARRAY(SELECT coalesce(a.attname, '')::text FROM generate_series(1, i.indnkeyatts) n
				LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n - 1] ORDER BY n),
			ARRAY(SELECT CASE WHEN i.indkey[n - 1] = 0 THEN pg_get_indexdef(i.indexrelid, n, false) ELSE '' END FROM generate_series(1, i.indnkeyatts) n ORDER BY n)
		FROM pg_index i JOIN tables t ON t.oid = i.indrelid JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
		WHERE NOT c.relispartition
		ORDER BY NOT i.indisprimary, c.relname`)
	if err != nil {
		return err
	}
	byIndex := map[int64]*constraintRow{}
	for i, c := range constraints {
		if c.Index != 0 && c.Type != "f" {
			byIndex[c.Index] = &constraints[i]
		}
		r.addConstraint(c)
	}
	for _, x := range indexes {
		r.addIndex(x, byIndex[x.Index])
	}
	return nil
}

// addConstraint adds those that no index stands for.
func (r *reader) addConstraint(c constraintRow) {
	t := r.byOID[c.Table].table
	switch c.Type {
	case "c":
		t.Checks = append(t.Checks, schema.Check{Name: c.Name, Expr: c.Expr, NotValid: c.NotValid})
	case "f":
		to := c.ReferencedName
		if rel := r.byOID[c.Referenced]; rel != nil {
			to = rel.table.QName()
		}
		t.ForeignKeys = append(t.ForeignKeys, schema.ForeignKey{
			Name: c.Name, Columns: c.Columns, Table: to, To: c.To, MatchFull: c.MatchFull, Deferrable: c.Deferrable,
			OnDelete: c.OnDelete, NotValid: c.NotValid, Definition: c.Definition,
		})
	}
}

// addIndex adds an index as the key, the exclusion or the mere index that it is.
func (r *reader) addIndex(x indexRow, c *constraintRow) {
	rel := r.byOID[x.Table]
	t := rel.table
	parts := make([]schema.KeyPart, len(x.Columns))
	var columns, leading []string
	for i, column := range x.Columns {
		parts[i] = schema.KeyPart{Column: column, Expr: x.Exprs[i]}
		if column != "" {
			columns = append(columns, column)
		}
		if column != "" && len(leading) == i {
			leading = append(leading, column)
		}
	}
	if x.Where == "" && x.Valid && len(leading) > 0 {
		rel.leading = append(rel.leading, leading)
	}
	switch {
	case c != nil && len(c.Operators) > 0: // a key WITHOUT OVERLAPS is one too
		e := schema.Exclusion{Name: c.Name, Method: x.Method, Where: x.Where, Definition: c.Definition}
		for i, p := range parts {
			e.Parts = append(e.Parts, schema.ExclusionPart{Column: p.Column, Expr: p.Expr, Operator: c.Operators[i]})
		}
		t.Exclusions = append(t.Exclusions, e)
	case x.Unique:
		k := schema.Key{
			Name: x.Name, Primary: x.Primary, Parts: parts, Where: x.Where, NullsEqual: x.NullsEqual, Definition: x.Definition, Invalid: !x.Valid,
		}
		if c != nil {
			k.Constraint, k.Deferrable, k.Definition = true, c.Deferrable, c.Definition
		}
		t.Keys = append(t.Keys, k)
	default:
		t.Indexes = append(t.Indexes, schema.Index{Name: x.Name, Definition: x.Definition, Invalid: !x.Valid, Columns: columns})
	}
}
