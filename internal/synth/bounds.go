package synth

import (
	"strings"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// addBounds keeps the rows of a partitioned table within its partitions. Only
// partitions by one column, by range or list, are looked at; a default partition
// takes everything.
func (t *table) addBounds() {
	p := t.schema.Partitioned
	if len(p.Parts) != 1 || p.Parts[0].Column == "" || p.Strategy == "hash" {
		return
	}
	ci, ok := t.byName[p.Parts[0].Column]
	if !ok {
		return
	}
	c := t.columns[ci]
	var bounds []span
	for _, other := range t.program.schema.Tables {
		if other.PartitionOf == nil || other.PartitionOf.Parent != t.name {
			continue
		}
		if strings.EqualFold(strings.TrimSpace(other.PartitionOf.Bound), "DEFAULT") {
			return
		}
		bounds = append(bounds, parseBound(c.out, other.PartitionOf.Bound)...)
	}
	if len(bounds) == 0 {
		return
	}
	for _, s := range bounds {
		if v, ok := s.inside(c.out); ok {
			c.forced = append(c.forced, v)
		}
	}
	c.bounds = bounds
	t.rules = append(t.rules, rule{
		what:    "the bounds of its partitions (" + c.schema.Name + ")",
		columns: []int{ci},
		holds: func(b *rows.Batch, i int, _ int64) bool {
			v := &b.Columns[ci]
			if v.Null[i] {
				return false
			}
			for _, s := range bounds {
				if s.holds(c.out, v, i) {
					return true
				}
			}
			return false
		},
	})
}

// span is the values of a partition: some texts, or a range of numbers, the
// upper end left out.
type span struct {
	low, high       float64
	lowOpen, upOpen bool // MINVALUE, MAXVALUE
	texts           []string
	list            bool
	null            bool
}

// parseBound reads FOR VALUES FROM ('…') TO ('…') and FOR VALUES IN (…).
func parseBound(c rows.Column, bound string) []span {
	rest, ok := strings.CutPrefix(strings.TrimSpace(bound), "FOR VALUES ")
	if !ok {
		return nil
	}
	if in, ok := strings.CutPrefix(rest, "IN ("); ok {
		s := span{list: true}
		for _, item := range strings.Split(strings.TrimSuffix(in, ")"), ",") {
			item = strings.TrimSpace(item)
			if item == "NULL" {
				s.null = true
				continue
			}
			text, _ := literal(schema.Postgres, item)
			s.texts = append(s.texts, text)
		}
		return []span{s}
	}
	from, to, ok := strings.Cut(strings.TrimPrefix(rest, "FROM ("), ") TO (")
	if !ok {
		return nil
	}
	to = strings.TrimSuffix(to, ")")
	s := span{lowOpen: from == "MINVALUE", upOpen: to == "MAXVALUE"}
	if isText(c.Kind) {
		return nil
	}
	for _, end := range []struct {
		text string
		open bool
		to   *float64
	}{{from, s.lowOpen, &s.low}, {to, s.upOpen, &s.high}} {
		if end.open {
			continue
		}
		text, ok := literal(schema.Postgres, end.text)
		if !ok {
			return nil
		}
		v, err := parseValue(c, text)
		if err != nil {
			return nil
		}
		*end.to = v.float
		if c.Kind != rows.Float {
			*end.to = float64(v.int)
		}
	}
	return []span{s}
}

func (s span) holds(c rows.Column, v *rows.Vector, i int) bool {
	if s.list {
		text := string(appendText(nil, c, v, i))
		for _, t := range s.texts {
			if t == text {
				return true
			}
		}
		return false
	}
	x := number(c, v, i)
	return (s.lowOpen || x >= s.low) && (s.upOpen || x < s.high)
}

func number(c rows.Column, v *rows.Vector, i int) float64 {
	if c.Kind == rows.Float {
		return v.Floats[i]
	}
	return float64(v.Ints[i])
}

// inside is a value of the partition's.
func (s span) inside(c rows.Column) (value, bool) {
	if s.list {
		if len(s.texts) == 0 {
			return value{}, false
		}
		v, err := parseValue(c, s.texts[0])
		return v, err == nil
	}
	x := s.low
	switch {
	case s.lowOpen && s.upOpen:
		x = 0
	case s.lowOpen:
		x = s.high - 1
	}
	return value{int: int64(x), float: x}, true
}

// into moves a value that lies in no partition into one of them, evenly.
func (c *column) into(v *rows.Vector, i int, r uint64) {
	if v.Null[i] || isText(c.out.Kind) {
		return
	}
	for _, s := range c.bounds {
		if s.holds(c.out, v, i) {
			return
		}
	}
	s := c.bounds[r%uint64(len(c.bounds))]
	x, ok := s.inside(c.out)
	if !ok {
		return
	}
	if !s.list && !s.lowOpen && !s.upOpen {
		u := unit(mix(r))
		x.float = s.low + u*(s.high-s.low)
		x.int = int64(x.float)
	}
	c.set(v, i, &x)
}
