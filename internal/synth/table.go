package synth

import (
	"fmt"
	"math"

	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// table is one table's program.
type table struct {
	program        *Program
	schema         *schema.Table
	profile        *profile.DataTable
	name           string
	seed           uint64
	rows           int64
	kept           bool // its rows are there already
	decided, small bool // whether it is a lookup table
	sized          bool // rows is known

	columns    []*column // all that are written
	out        []rows.Column
	byName     map[string]int // of columns
	references []*reference
	tested     []*reference // whose columns others decide, all of them
	class      *node        // nil: the profile has no classes
	// driving is the reference whose children stand together, in the order of
	// their parents.
	driving *reference

	partitions *partitions // nil: none
	routes     []route
	rules      []rule // that rows are tested against
	equations  []equation
	generated  map[string]*schema.Expr // columns that the server computes, as far as they are understood
	// short is the key of which there were no more values after most rows.
	short *rule
	most  int64
	// rigid are the unique columns of a rule for which no row was found.
	rigid []int
	// attempts has the rows whose first attempt broke a rule.
	attempts map[int64]uint16
}

var _ rows.Table = (*table)(nil)

func (t *table) Schema() *schema.Table  { return t.schema }
func (t *table) Columns() []rows.Column { return t.out }
func (t *table) Rows() int64            { return t.rows }

// attempt is which attempt at a row counts.
func (t *table) attempt(row int64) int {
	if t.attempts == nil {
		return 0
	}
	return int(t.attempts[row])
}

// Fill fills the batch with rows.
func (t *table) Fill(b *rows.Batch, from int64, n int) error {
	if from < 0 || from+int64(n) > t.rows {
		return fmt.Errorf("table %q has %d rows, and %d to %d were asked for", t.name, t.rows, from, from+int64(n))
	}
	b.Reset(t.out, n)
	if len(t.attempts) == 0 {
		t.fill(b, from, n, nil)
	} else {
		t.fill(b, from, n, t.attempt)
	}
	return nil
}

func (t *table) fill(b *rows.Batch, from int64, n int, attempt func(row int64) int) {
	for ci, c := range t.columns {
		v := &b.Columns[ci]
		if attempt == nil && c.plain() {
			c.putPlain(v, from, n)
			continue
		}
		texts := isText(c.out.Kind)
		for i := range n {
			row, which := from+int64(i), 0
			if attempt != nil {
				which = attempt(row)
			}
			c.put(v, i, row, which)
			if texts {
				v.End()
			}
		}
	}
	if t.equations == nil {
		return
	}
	for i := range n {
		which := 0
		if attempt != nil {
			which = attempt(from + int64(i))
		}
		t.solve(b, i, from+int64(i), which)
	}
}

func isText(k rows.Kind) bool {
	return k == rows.Text || k == rows.Bytes || k == rows.UUID || k == rows.Syntax
}

// rule is something that rows are tested against.
type rule struct {
	what    string // for people: the constraint and its expression
	columns []int  // of table.columns, that may be changed to satisfy it
	// holds tests row i of a batch, which has the given number in its table.
	holds func(b *rows.Batch, i int, row int64) bool
	// keep remembers the row that holds was asked for last, which all rules let
	// pass; nil: nothing is to be remembered.
	keep func()
}

func pow(u, power float64) float64 {
	if power == 1 {
		return u
	}
	return math.Pow(u, power)
}
