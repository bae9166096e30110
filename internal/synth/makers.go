package synth

import (
	"fmt"
	"math"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/words"
)

// column makes a column's maker.
func (b *builder) column(c *column) *rehearse.Error {
	b.node(c)
	if c.ref != nil {
		return nil
	}
	var restRows int64
	for i := range c.buckets {
		if !c.buckets[i].null && c.buckets[i].value == nil {
			restRows += c.node.total[i]
		}
	}
	locales := b.p.o.Locales
	if len(locales) == 0 {
		locales = localesOf(c.profile.Text)
	}
	if c.unique {
		return c.makeUnique(locales, restRows)
	}
	c.deal(restRows)
	switch t := c.schema.Type; c.out.Kind {
	case rows.Bool:
		c.make = flags{}
	case rows.Int, rows.Decimal, rows.Float:
		c.make = c.numbers()
	case rows.Date, rows.Time, rows.Timestamp:
		c.make = c.times()
	case rows.UUID:
		c.make = uuids{}
	case rows.Bytes:
		m := &blobs{limit: c.limit}
		if c.profile.Text != nil {
			m.length = floats(c.profile.Text.Length)
		}
		c.make = m
	case rows.Text:
		switch {
		case t.Kind == schema.Enum && len(t.Labels) == 0:
			return b.syntax(c)
		case t.Kind == schema.Enum:
			c.make = &labels{labels: t.Labels}
		case t.Kind == schema.JSON:
			c.make = &documents{shape: c.json()}
		default:
			m := newTexts(c, c.profile.Text, restRows, locales)
			m.pattern = c.limit.pattern
			c.make = m
		}
	default:
		return b.syntax(c)
	}
	return nil
}

func localesOf(p *profile.DataText) []string {
	if p == nil {
		return words.LocalesFor(nil)
	}
	scripts := map[string]float64{}
	for _, s := range p.Scripts {
		scripts[s.Name] = s.Share
	}
	return words.LocalesFor(scripts)
}

func (c *column) json() *profile.DataJSON {
	if c.profile.JSON != nil && len(c.profile.JSON.Kinds) > 0 {
		return c.profile.JSON
	}
	return &profile.DataJSON{Kinds: []profile.DataShare{{Name: "object", Share: 1}}}
}

// syntax makes the maker of a type whose values are texts in the server's syntax.
func (b *builder) syntax(c *column) *rehearse.Error {
	t := c.schema.Type
	switch t.Kind {
	case schema.Array:
		if t.Elem == nil {
			break
		}
		item := c.item()
		m := &arrays{item: item}
		if a := c.profile.Array; a != nil {
			m.length = floats(a.Length)
		}
		c.make = m
		return b.column(item)
	case schema.Range:
		if t.Elem == nil {
			break
		}
		elem := rows.Column{Type: *t.Elem, Kind: rows.KindOf(*t.Elem)}
		if elem.Kind == rows.Decimal {
			elem.Scale = 2
		}
		c.make = &ranges{elem: elem, multi: strings.Contains(t.Name, "multirange"), apart: c.excluded(), now: b.p.now}
		return nil
	}
	if f, ok := syntaxes[t.Name]; ok {
		c.make = &syntax{t: t, make: f}
		return nil
	}
	if len(c.profile.Values) > 0 || c.profile.Null >= 1 || !c.schema.NotNull {
		// What cannot be made is left out where it may be.
		c.profile.Null = 1
		c.node = deal(c.schema.Name, c.seed, c.table.rows, []float64{1}, 0, permute(c.table.rows, c.seed))
		c.buckets = []bucket{{label: "null", null: true, tenth: -1}}
		b.p.note("Column %s.%s is NULL everywhere: no value of type %s can be made.", c.table.name, c.schema.Name, t.SQL)
		return nil
	}
	return &rehearse.Error{
		Kind: rehearse.Invalid, Msg: fmt.Sprintf("table %q: no value of type %s can be made for column %q, which may not be NULL", c.table.name, t.SQL, c.schema.Name),
		Hint: "Give the column a default, or fill the table with a seed of your own (before or after the generated rows).",
	}
}

// item is the column of an array's elements.
func (c *column) item() *column {
	elem := *c.schema.Type.Elem
	item := &column{table: c.table, schema: &schema.Column{Name: c.schema.Name + "[]", Type: elem, NotNull: true}, seed: mix(c.seed)}
	item.out = rows.Column{Name: item.schema.Name, Type: elem, Kind: rows.KindOf(elem)}
	if a := c.profile.Array; a != nil {
		item.profile = a.Item
		item.schema.NotNull = a.Item.Null == 0 || elem.Domain != ""
	} else {
		item.profile = inventColumn(c.table.schema, item.schema)
	}
	if item.out.Kind == rows.Decimal {
		item.out.Scale = decimalScale(elem, item.profile.Numbers)
	}
	item.limit = typeLimit(elem)
	item.narrow()
	return item
}

// excluded reports whether an EXCLUDE constraint keeps the column's values apart.
func (c *column) excluded() bool {
	for _, x := range c.table.schema.Exclusions {
		for _, p := range x.Parts {
			if p.Column == c.schema.Name && p.Operator == "&&" {
				return true
			}
		}
	}
	return false
}

// numbers makes the maker of numbers.
func (c *column) numbers() maker {
	m := &numbers{limit: c.limit, kind: c.out.Kind, factor: pow10[c.out.Scale]}
	if n := c.profile.Numbers; n != nil && len(n.Quantiles) > 0 {
		m.curve = c.curve(n.Quantiles, c.rest())
		if c.out.Kind == rows.Float {
			m.step = n.Step
			if n.Step == 0 && n.Scale > 0 && n.Scale <= 6 {
				m.step = 1 / pow10[n.Scale]
			} else if n.Step == 0 && n.Scale == 0 {
				m.step = 1
			}
		} else {
			m.step = n.Step * m.factor
			if n.Step == 0 && n.Scale < c.out.Scale {
				m.step = pow10[c.out.Scale-n.Scale]
			}
		}
		return m
	}
	m.q = []float64{0, 1, 10, 100, 1000}
	if !math.IsInf(c.limit.max, 0) && c.limit.max < 1000 || c.limit.min > 0 {
		m.q = []float64{max(c.limit.min, -1000), min(c.limit.max, max(c.limit.min, -1000)+1000)}
	}
	return m
}

// times makes the maker of dates and times.
func (c *column) times() maker {
	m := &times{limit: c.limit, unit: 1}
	n := c.profile.Times
	if n == nil || len(n.Quantiles) == 0 {
		n = inventTimes(c.schema.Type.Kind)
	}
	units := map[string]int64{"day": 24 * hourMicros, "hour": hourMicros, "minute": 60e6, "second": 1e6, "ms": 1000}
	now := c.table.program.now
	for _, d := range n.Quantiles {
		micros := float64(d.Microseconds())
		switch c.out.Kind {
		case rows.Date:
			m.q = append(m.q, math.Floor((float64(now)+micros)/float64(24*hourMicros)))
		case rows.Time:
			m.q = append(m.q, min(max(micros, 0), float64(24*hourMicros-1)))
		default:
			m.q = append(m.q, float64(now)+micros)
		}
	}
	m.curve = c.curve(m.q, c.rest())
	if c.out.Kind != rows.Date {
		m.unit = max(units[n.Unit], 1)
		if f := c.schema.Type.Fraction; f >= 0 && f < 6 {
			m.unit = max(m.unit, int64(pow10[6-f]))
		}
	}
	if len(n.Week) == 168 && c.out.Kind == rows.Timestamp && m.q[len(m.q)-1]-m.q[0] > 8*float64(weekMicros) {
		var sum float64
		for _, w := range n.Week {
			sum += w
			m.week = append(m.week, sum)
		}
	}
	return m
}

// deal gives the column's artifacts their rows.
func (c *column) deal(restRows int64) {
	if c.ref != nil || c.unique {
		return
	}
	var before int64
	order := permute(c.table.rows, mix(c.seed+99))
	for _, a := range c.profile.Artifacts {
		n := int64(math.Round(a.Share * float64(c.table.rows)))
		if n == 0 && a.Share > 0 && restRows > 0 {
			n = 1
		}
		// Those that most rows have are what the column's values are.
		if n == 0 || a.Share > 0.5 {
			continue
		}
		before += n
		c.artifacts = append(c.artifacts, oddity{name: a.Name, count: before, order: order})
	}
}
