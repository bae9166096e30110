package likeness_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// memory is a source over slices: rows by table, in the order of its columns,
// "NULL" being none.
type memory struct {
	schema *schema.Schema
	rows   map[string][][]string
}

func (m *memory) Schema() *schema.Schema { return m.schema }
func (m *memory) Info(context.Context) (measure.Info, error) {
	return measure.Info{Now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}, nil
}
func (m *memory) SQL(q measure.Query) string                                       { return "" }
func (m *memory) Statements(context.Context, int) ([]profile.DataStatement, error) { return nil, nil }

func (m *memory) Statistics(context.Context) (map[string]measure.Statistics, error) {
	out := map[string]measure.Statistics{}
	for name, rows := range m.rows {
		out[name] = measure.Statistics{Rows: int64(len(rows))}
	}
	return out, nil
}

// key is the values of some columns of a row; empty where one is NULL.
func (m *memory) key(table string, row []string, columns []string) string {
	t, _ := m.schema.Table(table)
	var parts []string
	for _, name := range columns {
		_, i := t.Column(name)
		if row[i] == "NULL" {
			return ""
		}
		parts = append(parts, strconv.Quote(row[i]))
	}
	return strings.Join(parts, ",")
}

func (m *memory) Sample(ctx context.Context, q measure.Query, each func(measure.Row) error) error {
	rows := m.rows[q.Table]
	if q.Limit > 0 && int64(len(rows)) > q.Limit {
		var some [][]string
		for i := range q.Limit {
			some = append(some, rows[i*int64(len(rows))/q.Limit])
		}
		rows = some
	}
	t, ok := m.schema.Table(q.Table)
	if !ok {
		return fmt.Errorf("no table %q", q.Table)
	}
	value := func(t *schema.Table, row []string, name string) []byte {
		_, i := t.Column(name)
		if row == nil || row[i] == "NULL" {
			return nil
		}
		return []byte(row[i])
	}
	for _, row := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		var out measure.Row
		for _, name := range q.Columns {
			out = append(out, value(t, row, name))
		}
		for _, p := range q.Parents {
			parent, _ := m.schema.Table(p.Reference.Table)
			key := m.key(q.Table, row, p.Reference.Columns)
			i := slices.IndexFunc(m.rows[p.Reference.Table], func(to []string) bool {
				return key != "" && m.key(p.Reference.Table, to, p.Reference.To) == key
			})
			if i < 0 {
				out = append(out, make([][]byte, 1+len(p.Columns))...)
				continue
			}
			out = append(out, []byte("t"))
			for _, name := range p.Columns {
				out = append(out, value(parent, m.rows[p.Reference.Table][i], name))
			}
		}
		for _, c := range q.Children {
			key, n := m.key(q.Table, row, c.Reference.To), 0
			for _, child := range m.rows[c.Table] {
				if m.key(c.Table, child, c.Reference.Columns) == key {
					n++
				}
			}
			out = append(out, strconv.AppendInt(nil, int64(n), 10))
		}
		if err := each(out); err != nil {
			return err
		}
	}
	return nil
}
