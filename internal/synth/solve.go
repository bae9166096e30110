package synth

import (
	"math"
	"slices"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// equation is a term of a CHECK that wants two sides to be equal, such as
// total = price * quantity: one of its columns is computed from the others.
type equation struct {
	left, right *schema.Expr
	// columns may be computed; the first is, unless that breaks another rule.
	columns []int
}

// addEquations finds the equations of a CHECK. Only columns on which nothing else
// depends are computed: a value that others refer to must follow from its row
// alone.
func (t *table) addEquations(e *schema.Expr) {
	for _, q := range schema.Equations(e) {
		out := equation{left: q.Left, right: q.Right}
		for _, name := range slices.Concat(q.Right.Columns(), q.Left.Columns()) {
			if c := t.columnNamed(name); c != nil && !slices.Contains(out.columns, t.byName[name]) && c.computable() {
				out.columns = append(out.columns, t.byName[name])
			}
		}
		slices.Reverse(out.columns)
		if name, ok := q.Right.Only(); ok && t.columnNamed(name) != nil {
			if i := slices.Index(out.columns, t.byName[name]); i > 0 {
				out.columns = slices.Insert(slices.Delete(out.columns, i, i+1), 0, t.byName[name])
			}
		}
		if len(out.columns) > 0 {
			t.equations = append(t.equations, out)
		}
	}
}

func (c *column) computable() bool {
	if c.ref != nil || c.unique || c.routed || isText(c.out.Kind) || c.out.Kind == rows.Bool {
		return false
	}
	for _, other := range c.table.program.tables {
		for _, r := range other.references {
			if r.to == c.table && slices.Contains(r.fk.To, c.schema.Name) {
				return false
			}
		}
	}
	return true
}

// solve makes the equations of a row hold, as far as that goes: where a column
// stands in them linearly, and the result is one that it may have.
func (t *table) solve(b *rows.Batch, i int, row int64, attempt int) {
	for k, q := range t.equations {
		ci := q.columns[0]
		if attempt > 0 {
			ci = q.columns[mix(t.seed^uint64(row)^stir(attempt)^uint64(k))%uint64(len(q.columns))]
		}
		c, v := t.columns[ci], &b.Columns[ci]
		if v.Null[i] {
			continue
		}
		one := pow10[c.out.Scale]
		var before value
		if c.out.Kind == rows.Float {
			before.float = v.Floats[i]
		} else {
			before.int = v.Ints[i]
		}
		set := func(x float64) {
			if c.out.Kind == rows.Float {
				v.Floats[i] = x
			} else {
				v.Ints[i] = int64(math.RoundToEven(x))
			}
		}
		difference := func(x float64) (float64, bool) {
			set(x)
			left, err1 := q.left.Eval(func(name string) schema.Value { return t.value(name, b, i) }, t.program.time())
			right, err2 := q.right.Eval(func(name string) schema.Value { return t.value(name, b, i) }, t.program.time())
			l, ok1 := asFloat(left)
			r, ok2 := asFloat(right)
			return l - r, err1 == nil && err2 == nil && ok1 && ok2
		}
		at0, ok0 := difference(0)
		at1, ok1 := difference(one)
		x := -at0 * one / (at1 - at0)
		if ok0 && ok1 && at1 != at0 && math.Abs(x) < 9e15 && x/one >= c.limit.min && x/one <= c.limit.max {
			set(x)
			continue
		}
		c.set(v, i, &before)
	}
}

func asFloat(v schema.Value) (float64, bool) {
	switch v.Kind {
	case schema.IntValue, schema.DateValue, schema.TimeValue, schema.ClockValue:
		return float64(v.Int), true
	case schema.DecimalValue:
		return float64(v.Int) / pow10[v.Scale], v.Int != math.MinInt64
	case schema.FloatValue:
		return v.Float, true
	}
	return 0, false
}
