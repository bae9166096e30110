package synth

import (
	"bytes"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// narrow takes over what CHECK constraints say of the column by itself, so that
// nearly every row satisfies them at the first attempt.
func (c *column) narrow() {
	if c.narrowed {
		return
	}
	c.narrowed = true
	engine := c.table.program.schema.Engine
	for _, ck := range slices.Concat(c.table.schema.Checks, c.table.program.o.Rules[c.table.name]) {
		if e, err := schema.ParseExpr(engine, ck.Expr); err == nil && !ck.NotValid {
			c.restrict(schema.Narrow(e), c.schema.Name)
		}
	}
	for _, ck := range c.schema.Type.Checks {
		if e, err := schema.ParseExpr(engine, ofBase(ck.Expr, c.schema.Type)); err == nil {
			c.restrict(schema.Narrow(e), "VALUE")
		}
	}
}

// ofBase is a domain's expression without the casts to the type that the domain
// is of, which the server adds in domains of domains and which change nothing.
func ofBase(expr string, t schema.Type) string {
	name, ok := map[string]string{
		"int2": "smallint", "int4": "integer", "int8": "bigint", "bool": "boolean", "float4": "real", "float8": "double precision",
		"timestamp": "timestamp without time zone", "timestamptz": "timestamp with time zone",
	}[t.Name]
	if !ok {
		name = t.Name
	}
	return strings.ReplaceAll(expr, "(VALUE)::"+name, "VALUE")
}

func (c *column) restrict(all []schema.Restriction, name string) {
	l := &c.limit
	for _, r := range all {
		if r.Column != name {
			continue
		}
		l.notNull = l.notNull || r.NotNull
		if r.Min != nil {
			if x, ok := c.bound(*r.Min); ok {
				l.min = max(l.min, x+c.grain(r.MinExclusive))
			}
		}
		if r.Max != nil {
			if x, ok := c.bound(*r.Max); ok {
				l.max = min(l.max, x-c.grain(r.MaxExclusive))
			}
		}
		for _, most := range []int{r.MaxLength, r.MaxBytes} {
			if most > 0 && (l.length == 0 || most < l.length) {
				l.length = most
			}
		}
		l.least = max(l.least, r.MinLength, r.MinBytes)
		if r.Lower {
			l.letters = bytes.ToLower
		}
		if r.Upper {
			l.letters = bytes.ToUpper
		}
		if r.Past {
			l.max = min(l.max, c.present())
		}
		if r.Future {
			l.min = max(l.min, c.present())
		}
		if c.out.Kind == rows.Bool && len(r.NotIn) > 0 {
			l.in = []string{"t"}
			if c.text(r.NotIn[0]) == "t" {
				l.in[0] = "f"
			}
		}
		if len(r.In) > 0 {
			var in []string
			for _, v := range r.In {
				in = append(in, c.text(v))
			}
			if l.in == nil {
				l.in = in
			} else {
				l.in = slices.DeleteFunc(l.in, func(v string) bool { return !slices.Contains(in, v) })
			}
		}
		for _, m := range r.Match {
			re, err := regexp.Compile(m)
			if err != nil {
				continue
			}
			l.match = append(l.match, re.Match)
			if make, err := schema.FromRegex(m); err == nil && l.pattern == nil {
				l.pattern = make
			}
		}
	}
}

// text is a restriction's value as profiles write it.
func (c *column) text(v schema.Value) string {
	if v.Kind == schema.BoolValue {
		return v.String()[:1]
	}
	return v.String()
}

// bound is a restriction's number in the unit of the column's limit.
func (c *column) bound(v schema.Value) (float64, bool) {
	switch v.Kind {
	case schema.IntValue, schema.DateValue, schema.TimeValue, schema.ClockValue:
		x := float64(v.Int)
		switch {
		case v.Kind == schema.DateValue && c.out.Kind == rows.Timestamp:
			x *= float64(24 * hourMicros)
		case v.Kind == schema.TimeValue && c.out.Kind == rows.Date:
			x = math.Floor(x / float64(24*hourMicros))
		}
		return x, true
	case schema.DecimalValue:
		return float64(v.Int) / pow10[v.Scale], true
	case schema.FloatValue:
		return v.Float, true
	}
	return 0, false
}

// present is the dataset's now in the unit of the column's limit.
func (c *column) present() float64 {
	if c.out.Kind == rows.Date {
		return float64(c.table.program.now / (24 * hourMicros))
	}
	return float64(c.table.program.now)
}

// grain is the smallest step of the column, where the end itself is not allowed.
func (c *column) grain(exclusive bool) float64 {
	switch {
	case !exclusive:
		return 0
	case c.out.Kind == rows.Decimal:
		return 1 / pow10[c.out.Scale]
	case c.out.Kind == rows.Float:
		return 1e-6
	}
	return 1
}
