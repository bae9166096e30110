package likeness

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// table is one table on both sides.
type table struct {
	*schema.Table
	columns []*column
	// references lead from the table to others that are compared.
	references []reference
	// children are the references that lead to the table.
	children []children
	rows     [2]int64 // as far as known
	sampled  bool
}

// reference is how many of the references of each side lead somewhere.
type reference struct {
	schema.ForeignKey
	given, found [2]int
}

// children is how many rows refer to each row.
type children struct {
	measure.ChildCount
	numbers [2][]float64
}

// referenceName is "COLUMN,… -> TABLE".
func referenceName(columns []string, to string) string {
	return strings.Join(columns, ",") + " -> " + to
}

// reader reads both sides.
type reader struct {
	sources    [2]measure.Source
	statistics [2]map[string]measure.Statistics
	now        [2]time.Time
	o          Options
}

func newReader(ctx context.Context, sources [2]measure.Source, o Options) (*reader, error) {
	r := &reader{sources: sources, o: o}
	for i, s := range sources {
		statistics, err := s.Statistics(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the planner's statistics of the %s database: %w", sideNames[i], err)
		}
		r.statistics[i] = statistics
		info, err := s.Info(ctx)
		if err != nil {
			return nil, fmt.Errorf("ask the %s database's server about itself: %w", sideNames[i], err)
		}
		r.now[i] = info.Now
	}
	return r, nil
}

var sideNames = [2]string{real: "original", synthetic: "generated"}

// query asks for a whole table, or a sample of it.
func (r *reader) query(which int, name string, columns []string) (q measure.Query, whole bool) {
	q = measure.Query{Table: name, Columns: columns, Limit: r.o.Rows, Seed: 1}
	if s, ok := r.statistics[which][name]; ok && s.Rows > 0 {
		q.Rows = s.Rows
		if s.Rows <= r.o.Rows {
			q.Limit = 0
		}
	}
	return q, q.Limit == 0
}

// read reads a table's columns on both sides, which of its references lead
// somewhere, and how many rows refer to each of its own.
func (r *reader) read(ctx context.Context, t *table) error {
	for which := range r.sources {
		names := make([]string, len(t.columns))
		for i, c := range t.columns {
			names[i] = c.Name
		}
		q, whole := r.query(which, t.QName(), names)
		at := make([][]int, len(t.references)) // where a reference's columns stand in the row
		for i, ref := range t.references {
			q.Parents = append(q.Parents, measure.ParentColumns{Reference: ref.ForeignKey})
			for _, name := range ref.Columns {
				at[i] = append(at[i], slices.Index(names, name))
			}
		}
		for _, c := range t.children {
			q.Children = append(q.Children, c.ChildCount)
		}
		var n int64
		err := r.sources[which].Sample(ctx, q, func(row measure.Row) error {
			n++
			for i, c := range t.columns {
				c.add(which, row[i])
			}
			rest := row[len(t.columns):]
			for i := range t.references {
				ref := &t.references[i]
				if slices.ContainsFunc(at[i], func(j int) bool { return row[j] == nil }) {
					continue
				}
				ref.given[which]++
				if rest[i] != nil {
					ref.found[which]++
				}
			}
			for i, value := range rest[len(t.references):] {
				if value == nil {
					continue
				}
				count, err := strconv.ParseFloat(string(value), 64)
				if err != nil {
					return fmt.Errorf("read a number of children: %w", err)
				}
				t.children[i].numbers[which] = append(t.children[i].numbers[which], count)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read table %q of the %s database: %w", t.QName(), sideNames[which], err)
		}
		t.rows[which] = n
		if !whole && n >= r.o.Rows/2 {
			t.rows[which] = max(n, q.Rows)
			t.sampled = t.sampled || t.rows[which] > n
		}
	}
	for _, c := range t.columns {
		c.settle()
	}
	return nil
}

// join reads the rows of a table with the row that one of its references leads
// to, both sides; rows that lead nowhere are left out. It gives the columns asked
// for, of the parent and of the child.
func (r *reader) join(ctx context.Context, child *table, fk schema.ForeignKey, parents, children []*column) (p, c []*column, err error) {
	p, c = renewed(parents), renewed(children)
	names := func(columns []*column) []string {
		out := make([]string, len(columns))
		for i, c := range columns {
			out[i] = c.Name
		}
		return out
	}
	for which := range r.sources {
		q, _ := r.query(which, child.QName(), names(c))
		q.Parents = []measure.ParentColumns{{Reference: fk, Columns: names(p)}}
		err := r.sources[which].Sample(ctx, q, func(row measure.Row) error {
			if row[len(c)] == nil {
				return nil
			}
			for i, column := range c {
				column.add(which, row[i])
			}
			for i, column := range p {
				column.add(which, row[len(c)+1+i])
			}
			return nil
		})
		if err != nil {
			return nil, nil, fmt.Errorf("read table %q with its parents in %q of the %s database: %w", child.QName(), fk.Table, sideNames[which], err)
		}
	}
	for _, column := range append(slices.Clone(p), c...) {
		if column.sdtype.continuous() {
			column.edges = edges(column.sides[real].numbers)
		}
	}
	return p, c, nil
}

// renewed are the same columns without values.
func renewed(columns []*column) []*column {
	out := make([]*column, len(columns))
	for i, c := range columns {
		out[i] = &column{Column: c.Column, sdtype: c.sdtype, bare: true, k: c.k}
	}
	return out
}
