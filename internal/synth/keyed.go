package synth

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// mustBeUnique: a key of this column alone.
func (c *column) mustBeUnique() bool {
	if c.table.program.amends.loose[c.table.name+"."+c.schema.Name] {
		return false
	}
	if c.ref != nil || len(c.limit.match) > 0 || c.limit.pattern != nil || c.routed && c.spans() == nil {
		return false
	}
	for _, k := range c.table.schema.Keys {
		if len(k.Parts) != 1 {
			continue
		}
		if p := k.Parts[0]; p.Column == c.schema.Name || c.uniqueIn(p.Expr) {
			c.keyed = true
			return true
		}
	}
	if t := c.schema.Type; c.out.Kind == rows.Syntax && t.Kind != schema.Range && t.Kind != schema.Array && uniqueSyntaxes[t.Name] == nil {
		return false
	}
	switch c.out.Kind {
	case rows.Date, rows.Time, rows.Timestamp, rows.Float, rows.Decimal:
		return false // measured values differ nearly always, and no two need to
	}
	return c.profile.Unique && len(c.profile.Values) == 0
}

// uniqueIn reports whether values that all differ are how to have those of an
// expression differ.
func (c *column) uniqueIn(expr string) bool {
	if expr == "" || !mentionsOnly(c.table.schema, expr, c.schema.Name) {
		return false
	}
	_, err := schema.ParseExpr(c.table.program.schema.Engine, expr)
	return err != nil || folds.MatchString(expr) || strings.HasPrefix(strings.ToLower(expr), "coalesce(")
}

// nullCounts reports whether a key of the column alone takes NULLs for equal, as
// with NULLS NOT DISTINCT, or a key on coalesce(column, ”).
func (c *column) nullCounts() bool {
	for _, k := range c.table.schema.Keys {
		if len(k.Parts) != 1 {
			continue
		}
		p := k.Parts[0]
		if p.Column == c.schema.Name && k.NullsEqual {
			return true
		}
		if p.Expr == "" || !mentionsOnly(c.table.schema, p.Expr, c.schema.Name) {
			continue
		}
		if e, err := schema.ParseExpr(c.table.program.schema.Engine, p.Expr); err == nil {
			v, err := e.Eval(func(string) schema.Value { return schema.Value{} }, time.UnixMicro(c.table.program.now))
			if err != nil || !v.IsNull() {
				return true
			}
		}
	}
	return false
}

// mentionsOnly reports whether an expression has the column, and no other of its
// table.
func mentionsOnly(t *schema.Table, expr, column string) bool {
	found := false
	for _, w := range strings.FieldsFunc(expr, func(r rune) bool {
		return r != '_' && r != '$' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r < 128
	}) {
		if w == column {
			found = true
		} else if c, _ := t.Column(w); c != nil {
			return false
		}
	}
	return found
}

// makeUnique makes the maker of a column whose values all differ.
func (c *column) makeUnique(locales []string, n int64) *rehearse.Error {
	t := c.schema.Type
	if len(c.limit.in) > 0 {
		l := &list{column: c}
		for _, text := range c.limit.in {
			if v, err := parseValue(c.out, text); err == nil {
				l.values = append(l.values, &v)
			}
		}
		if int64(len(l.values)) >= n {
			c.make = l
			return nil
		}
	}
	if spans := c.spans(); spans != nil {
		c.make = &within{c, spans}
		return nil
	}
	switch c.out.Kind {
	case rows.Int, rows.Decimal, rows.Float:
		var q []float64
		if d := c.profile.Numbers; d != nil {
			for _, x := range d.Quantiles {
				q = append(q, x*pow10[c.out.Scale])
			}
		}
		l := c.limit
		l.min, l.max = l.min*pow10[c.out.Scale], l.max*pow10[c.out.Scale]
		m := newIncreasing(c.curve(q, c.rest()), n, 1, l)
		m.real = c.out.Kind == rows.Float
		c.make = m
	case rows.Date, rows.Time, rows.Timestamp:
		m := c.times().(*times)
		step := int64(1)
		if c.out.Kind != rows.Date {
			step = m.unit
		}
		c.make = newIncreasing(m.curve, n, step, limit{min: math.Inf(-1), max: math.Inf(1)})
	case rows.UUID:
		c.make = &uniqueUUIDs{seed: c.seed}
	case rows.Bytes:
		m := &uniqueBlobs{limit: c.limit, seed: c.seed}
		if c.profile.Text != nil {
			m.length = floats(c.profile.Text.Length)
		}
		c.make = m
	case rows.Bool:
		c.make = &increasing{step: 1}
	case rows.Text:
		switch t.Kind {
		case schema.Enum:
			c.make = &uniqueSyntax{t: t, print: func(dst []byte, n int64, t schema.Type) []byte {
				return append(dst, t.Labels[n%int64(len(t.Labels))]...)
			}}
		case schema.JSON:
			c.make = &uniqueSyntax{t: t, print: uniqueSyntaxes["json"]}
		default:
			m := uniqueText(c, locales, n)
			for _, k := range c.table.schema.Keys {
				m.fold = m.fold || k.Parts[0].Expr != ""
			}
			c.make = m
		}
	default:
		switch {
		case t.Kind == schema.Range && t.Elem != nil:
			elem := rows.Column{Type: *t.Elem, Kind: rows.KindOf(*t.Elem)}
			c.make = &ranges{elem: elem, apart: true, multi: strings.Contains(t.Name, "multirange"), now: c.table.program.now}
		case t.Kind == schema.Array && t.Elem != nil:
			item := c.item()
			item.unique = true
			item.buckets = []bucket{{label: "rest", tenth: -1}}
			c.make = &uniqueArrays{item: item}
			return item.makeUnique(locales, n)
		case uniqueSyntaxes[t.Name] != nil:
			c.make = &uniqueSyntax{t: t, print: uniqueSyntaxes[t.Name]}
		default:
			return &rehearse.Error{
				Kind: rehearse.Invalid, Msg: fmt.Sprintf("table %q: no %d different values of type %s can be made for column %q", c.table.name, n, t.SQL, c.schema.Name),
				Hint: "Fill the table with a seed of your own (before or after the generated rows).",
			}
		}
	}
	return nil
}

// uniqueUUIDs makes UUIDs that differ from one another.
type uniqueUUIDs struct{ seed uint64 }

func (m *uniqueUUIDs) put(v *rows.Vector, _ int, at place, _ int, _ uint64) {
	v.Data = appendUUID(v.Data, mix(m.seed^uint64(at.rank)), mix(m.seed+1)<<40|uint64(at.rank))
}
