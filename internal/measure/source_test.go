package measure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

var testNow = time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC)

// null is NULL in a test's rows.
const null = "\x00NULL"

// memory is a database in memory. It samples as servers do: every so-manieth row.
type memory struct {
	schema     schema.Schema
	info       Info
	rows       map[string][][]string
	statistics map[string]Statistics
	statements []profile.DataStatement
	fail       string // the table that cannot be read
}

func newMemory(tables ...*schema.Table) *memory {
	slices.SortFunc(tables, func(a, b *schema.Table) int { return strings.Compare(a.QName(), b.QName()) })
	return &memory{
		schema: schema.Schema{Engine: schema.Postgres, Version: "15.18", Tables: tables},
		info:   Info{Version: "15.18", Encoding: "UTF8", TimeZone: "UTC", Now: testNow, Role: "reader"},
		rows:   map[string][][]string{}, statistics: map[string]Statistics{},
	}
}

func (m *memory) insert(table string, values ...string) {
	m.rows[table] = append(m.rows[table], values)
}

// analyze gives the tables statistics.
func (m *memory) analyze() *memory {
	for _, t := range m.schema.Tables {
		rows := m.rows[t.QName()]
		s := Statistics{Rows: int64(len(rows)), Analyzed: testNow, Columns: map[string]ColumnStatistics{}}
		for i, c := range t.Columns {
			values := map[string]bool{}
			for _, r := range rows {
				values[r[i]] = true
			}
			distinct := float64(len(values))
			if len(values) == len(rows) {
				distinct = -1
			}
			s.Columns[c.Name] = ColumnStatistics{Distinct: distinct}
		}
		m.statistics[t.QName()] = s
	}
	return m
}

func (m *memory) Schema() *schema.Schema                                    { return &m.schema }
func (m *memory) Info(context.Context) (Info, error)                        { return m.info, nil }
func (m *memory) Statistics(context.Context) (map[string]Statistics, error) { return m.statistics, nil }
func (m *memory) SQL(q Query) string {
	return fmt.Sprintf("SELECT %s FROM %s", strings.Join(q.Columns, ", "), q.Table)
}
func (m *memory) Statements(context.Context, int) ([]profile.DataStatement, error) {
	return m.statements, nil
}

var errBroken = errors.New("connection lost")

func (m *memory) Sample(_ context.Context, q Query, each func(Row) error) error {
	if q.Table == m.fail {
		return errBroken
	}
	rows := m.rows[q.Table]
	step := 1.0
	if q.Limit > 0 && int64(len(rows)) > q.Limit {
		step = float64(len(rows)) / float64(q.Limit)
	}
	parents := make([]map[string][]string, len(q.Parents))
	for i, p := range q.Parents {
		parents[i] = map[string][]string{}
		for _, row := range m.rows[p.Reference.Table] {
			if k, ok := m.key(p.Reference.Table, row, p.Reference.To); ok {
				parents[i][k] = row
			}
		}
	}
	children := make([]map[string]int, len(q.Children))
	for i, c := range q.Children {
		children[i] = map[string]int{}
		for _, row := range m.rows[c.Table] {
			if k, ok := m.key(c.Table, row, c.Reference.Columns); ok {
				children[i][k]++
			}
		}
	}
	for x := 0.0; int(x) < len(rows); x += step {
		row := rows[int(x)]
		var out Row
		for _, c := range q.Columns {
			out = append(out, m.value(q.Table, row, c))
		}
		for i, p := range q.Parents {
			k, _ := m.key(q.Table, row, p.Reference.Columns)
			parent := parents[i][k]
			if parent == nil {
				out = append(out, make(Row, 1+len(p.Columns))...)
				continue
			}
			out = append(out, []byte("t"))
			for _, c := range p.Columns {
				out = append(out, m.value(p.Reference.Table, parent, c))
			}
		}
		for i, c := range q.Children {
			k, _ := m.key(q.Table, row, c.Reference.To)
			out = append(out, fmt.Append(nil, children[i][k]))
		}
		if err := each(out); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) value(table string, row []string, column string) []byte {
	t, _ := m.schema.Table(table)
	_, i := t.Column(column)
	if row[i] == null {
		return nil
	}
	return []byte(row[i])
}

func (m *memory) key(table string, row []string, columns []string) (string, bool) {
	var b strings.Builder
	for _, c := range columns {
		v := m.value(table, row, c)
		if v == nil {
			return "", false
		}
		fmt.Fprintf(&b, "%q", v)
	}
	return b.String(), true
}

// kinds are types by a short name.
var kinds = map[string]schema.Type{
	"int":   {SQL: "integer", Name: "int4", Kind: schema.Int, Size: 4},
	"num":   {SQL: "numeric(10,2)", Name: "numeric", Kind: schema.Decimal, Precision: 10, Scale: 2},
	"float": {SQL: "double precision", Name: "float8", Kind: schema.Float, Size: 8},
	"text":  {SQL: "text", Name: "text", Kind: schema.Text},
	"bytes": {SQL: "bytea", Name: "bytea", Kind: schema.Bytes},
	"bool":  {SQL: "boolean", Name: "bool", Kind: schema.Bool},
	"date":  {SQL: "date", Name: "date", Kind: schema.Date},
	"time":  {SQL: "time", Name: "time", Kind: schema.Time},
	"ts":    {SQL: "timestamp with time zone", Name: "timestamptz", Kind: schema.Instant},
	"uuid":  {SQL: "uuid", Name: "uuid", Kind: schema.UUID},
	"json":  {SQL: "jsonb", Name: "jsonb", Kind: schema.JSON},
	"inet":  {SQL: "inet", Name: "inet", Kind: schema.Inet},
	"other": {SQL: "xml", Name: "xml", Kind: schema.Other},
	"texts": {SQL: "text[]", Name: "_text", Kind: schema.Array, Elem: &schema.Type{SQL: "text", Name: "text", Kind: schema.Text}},
	"range": {SQL: "int4range", Name: "int4range", Kind: schema.Range, Elem: &schema.Type{SQL: "integer", Name: "int4", Kind: schema.Int}},
	"enum":  {SQL: "mood", Name: "mood", Kind: schema.Enum, Labels: []string{"happy", "sad"}},
}

// table makes a table of columns written as "name kind", the first being its
// primary key.
func table(name string, columns ...string) *schema.Table {
	t := &schema.Table{Name: name}
	for i, c := range columns {
		n, kind, _ := strings.Cut(c, " ")
		t.Columns = append(t.Columns, schema.Column{Name: n, Type: kinds[kind]})
		if i == 0 {
			t.Keys = []schema.Key{{Name: name + "_pkey", Primary: true, Constraint: true, Parts: []schema.KeyPart{{Column: n}}}}
		}
	}
	return t
}

// refers adds a declared reference.
func refers(t *schema.Table, column, to, key string) *schema.Table {
	t.ForeignKeys = append(t.ForeignKeys, schema.ForeignKey{Name: t.Name + "_" + column, Columns: []string{column}, Table: to, To: []string{key}})
	return t
}
