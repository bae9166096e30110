package postgres

import (
	"context"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

type columnRow struct {
	Table              int64
	Name               string
	Type               int64
	Modifier           int32
	SQL                string
	NotNull            bool
	Default            string
	Generated          bool
	Identity, Sequence string
	Comment            string
	CaseInsensitive    bool
}

// sequences are which sequence a column owns, or takes its default from, which
// counts more.
const sequences = `sequences AS MATERIALIZED (
	SELECT DISTINCT ON (relid, attnum) relid, attnum, seq FROM (
		SELECT d.refobjid AS relid, d.refobjsubid AS attnum, d.objid AS seq, 2 AS rank
		FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
		WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
		UNION ALL
		SELECT a.adrelid, a.adnum, d.refobjid, 1
		FROM pg_depend d JOIN pg_attrdef a ON a.oid = d.objid JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
		WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass) owned
	ORDER BY relid, attnum, rank, seq)
`

func (r *reader) readColumns(ctx context.Context) error {
	// ICU's strengths 1 and 2 leave case out of account.
	locale := r.db.since(17, "co.colllocale", r.db.since(15, "co.colliculocale", "co.collcollate::text"))
	found, err := collect[columnRow](ctx, r.conn, "WITH "+userTables+", "+sequences+`
		SELECT a.attrelid::int8, a.attname::text, a.atttypid::int8, a.atttypmod, format_type(a.atttypid, a.atttypmod), a.attnotnull,
			coalesce(pg_get_expr(d.adbin, d.adrelid), ''), a.attgenerated <> '',
			CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' ELSE '' END,
			coalesce(s.seq::regclass::text, ''), coalesce(c.description, ''),
			coalesce(NOT co.collisdeterministic AND `+locale+` ~ 'ks-level[12]', false)
		FROM pg_attribute a JOIN tables t ON t.oid = a.attrelid
		LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		LEFT JOIN sequences s ON s.relid = a.attrelid AND s.attnum = a.attnum
		LEFT JOIN pg_description c ON c.classoid = 'pg_class'::regclass AND c.objoid = a.attrelid AND c.objsubid = a.attnum
		LEFT JOIN pg_collation co ON co.oid = a.attcollation
		WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum`)
	if err != nil {
		return err
	}
	for _, f := range found {
		typ, notNull := r.typeOf(f.Type, f.Modifier, f.SQL)
		c := schema.Column{
			Name: f.Name, Type: typ, NotNull: f.NotNull || notNull, Identity: f.Identity, Sequence: f.Sequence,
			Comment: f.Comment, CaseInsensitive: f.CaseInsensitive || typ.Name == "citext",
		}
		if f.Generated {
			c.Generated = f.Default
		} else {
			c.Default = f.Default
		}
		t := r.byOID[f.Table].table
		t.Columns = append(t.Columns, c)
	}
	return nil
}

type typeRow struct {
	OID          int64
	Name         string
	Class        string // typtype: b, c, d, e, m, p, r
	SQL          string
	NotNull      bool
	Base         int64 // of a domain
	BaseModifier int32
	BaseSQL      string
	Elem         int64 // of an array or range
	Array        bool
	Labels       []string
	CheckNames   []string
	CheckExprs   []string
	CheckValid   []bool
}

// readTypes reads the types of columns, and those that they are made of.
func (r *reader) readTypes(ctx context.Context) error {
	ranges := "r.rngtypid = t.oid" + r.db.since(14, " OR r.rngmultitypid = t.oid", "")
	found, err := collect[typeRow](ctx, r.conn, "WITH RECURSIVE "+userTables+`,
		used(oid) AS (
			SELECT a.atttypid FROM pg_attribute a JOIN tables t ON t.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped
			UNION
			SELECT e.oid FROM used u JOIN pg_type t ON t.oid = u.oid LEFT JOIN pg_range r ON `+ranges+`
			CROSS JOIN LATERAL (VALUES (CASE WHEN t.typcategory = 'A' THEN t.typelem END), (t.typbasetype), (r.rngsubtype)) e(oid)
			WHERE e.oid <> 0)
		SELECT t.oid::int8, t.typname::text, t.typtype::text, format_type(t.oid, NULL), t.typnotnull,
			t.typbasetype::int8, t.typtypmod, coalesce(format_type(nullif(t.typbasetype, 0), t.typtypmod), ''),
			coalesce(CASE WHEN t.typcategory = 'A' THEN t.typelem END, r.rngsubtype, 0)::int8, t.typcategory = 'A' AND t.typtype = 'b',
			ARRAY(SELECT enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY enumsortorder),
			ARRAY(SELECT conname::text FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c' ORDER BY conname),
			ARRAY(SELECT pg_get_expr(conbin, 0) FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c' ORDER BY conname),
			ARRAY(SELECT convalidated FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c' ORDER BY conname)
		FROM used u JOIN pg_type t ON t.oid = u.oid LEFT JOIN pg_range r ON `+ranges)
	if err != nil {
		return err
	}
	r.types = map[int64]*typeRow{}
	for i := range found {
		r.types[found[i].OID] = &found[i]
	}
	return nil
}

// typeOf makes a type with its modifier, and reports whether a domain forbids
// NULL.
func (r *reader) typeOf(oid int64, modifier int32, sql string) (t schema.Type, notNull bool) {
	row := r.types[oid]
	if row == nil {
		return schema.Type{SQL: sql, Kind: schema.Other}, false
	}
	switch {
	case row.Class == "d":
		t, notNull = r.typeOf(row.Base, row.BaseModifier, row.BaseSQL)
		t.SQL, t.Domain = sql, row.SQL
		for i, name := range row.CheckNames {
			t.Checks = append(t.Checks, schema.Check{Name: name, Expr: row.CheckExprs[i], NotValid: !row.CheckValid[i]})
		}
		return t, notNull || row.NotNull
	case row.Class == "e":
		return schema.Type{SQL: sql, Name: row.Name, Kind: schema.Enum, Labels: row.Labels}, false
	case row.Array:
		elem, _ := r.typeOf(row.Elem, modifier, strings.TrimSuffix(sql, "[]"))
		return schema.Type{SQL: sql, Name: row.Name, Kind: schema.Array, Elem: &elem}, false
	case row.Class == "r", row.Class == "m":
		elem, _ := r.typeOf(row.Elem, -1, r.sqlOf(row.Elem))
		return schema.Type{SQL: sql, Name: row.Name, Kind: schema.Range, Elem: &elem}, false
	}
	t = schema.Type{SQL: sql, Name: row.Name, Kind: schema.Other}
	describe(&t, modifier)
	return t, false
}

func (r *reader) sqlOf(oid int64) string {
	if row := r.types[oid]; row != nil {
		return row.SQL
	}
	return ""
}

// header is what is added to the length in a type's modifier.
const header = 4

// describe fills in what a base type's name and modifier say. Domains, enums and
// what is made of other types have been dealt with.
func describe(t *schema.Type, modifier int32) {
	bounded := 0
	if modifier >= header {
		bounded = int(modifier - header)
	}
	switch t.Name {
	case "bool":
		t.Kind = schema.Bool
	case "int2", "int4", "int8":
		t.Kind, t.Size = schema.Int, int(t.Name[3]-'0')
	case "float4", "float8":
		t.Kind, t.Size = schema.Float, int(t.Name[5]-'0')
	case "numeric":
		t.Kind = schema.Decimal
		if modifier >= header {
			// 16 bits of precision; 11 of scale, with a sign since PostgreSQL 15.
			t.Precision = bounded >> 16
			t.Scale = (bounded&0x7ff ^ 1024) - 1024
		}
	case "text", "citext":
		t.Kind = schema.Text
	case "varchar", "bpchar":
		t.Kind, t.Length, t.Fixed = schema.Text, bounded, t.Name == "bpchar" && bounded > 0
	case "name":
		t.Kind, t.Length = schema.Text, 63
	case "bytea":
		t.Kind = schema.Bytes
	case "date":
		t.Kind = schema.Date
	case "time":
		t.Kind, t.Fraction = schema.Time, fraction(modifier)
	case "timestamp":
		t.Kind, t.Fraction = schema.Timestamp, fraction(modifier)
	case "timestamptz":
		t.Kind, t.Fraction = schema.Instant, fraction(modifier)
	case "interval":
		t.Kind, t.Fraction = schema.Interval, -1
		if modifier >= 0 && modifier&0xffff != 0xffff {
			t.Fraction = int(modifier & 0xffff)
		}
	case "uuid":
		t.Kind = schema.UUID
	case "json", "jsonb":
		t.Kind = schema.JSON
	case "inet", "cidr", "macaddr", "macaddr8":
		t.Kind = schema.Inet
	case "bit", "varbit":
		t.Kind = schema.Bits
		if modifier > 0 {
			t.Length = int(modifier)
		}
		t.Fixed = t.Name == "bit"
	}
}

func fraction(modifier int32) int {
	if modifier < 0 {
		return -1
	}
	return int(modifier)
}
