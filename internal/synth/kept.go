package synth

import (
	"fmt"

	"github.com/rehearse-dev/rehearse/internal/rows"
)

// keep makes a table of rows that are there already: others refer to them.
func (t *table) keep(k Kept) error {
	t.kept, t.rows = true, k.Rows
	for i := range t.schema.Columns {
		sc := &t.schema.Columns[i]
		texts, ok := k.Values[sc.Name]
		if !ok {
			continue
		}
		if int64(len(texts)) != k.Rows {
			return fmt.Errorf("table %q has %d rows, and its column %q %d values", t.name, k.Rows, sc.Name, len(texts))
		}
		c := &column{table: t, schema: sc, out: rows.Column{Name: sc.Name, Type: sc.Type, Kind: rows.KindOf(sc.Type)}}
		if c.out.Kind == rows.Decimal {
			c.out.Scale = decimalScale(sc.Type, nil)
		}
		l := &list{column: c}
		for _, text := range texts {
			if text == nil {
				l.values = append(l.values, nil)
				continue
			}
			v, err := parseValue(c.out, string(text))
			if err != nil {
				return fmt.Errorf("table %q, column %q: %w", t.name, sc.Name, err)
			}
			l.values = append(l.values, &v)
		}
		c.make, c.unique = l, true
		c.buckets = []bucket{{label: "rest", tenth: -1}}
		c.node = deal(sc.Name, 0, t.rows, []float64{1}, 0, inOrder(t.rows, false))
		t.byName[sc.Name] = len(t.columns)
		t.columns = append(t.columns, c)
		t.out = append(t.out, c.out)
	}
	return nil
}

// list is the values that the rows of a kept table have.
type list struct {
	column *column
	values []*value
}

func (m *list) put(v *rows.Vector, i int, at place, _ int, _ uint64) {
	if val := m.values[at.rank]; val != nil {
		m.column.set(v, i, val)
	} else {
		v.Null[i] = true
	}
}
