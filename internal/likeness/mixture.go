package likeness

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// mixture is a distribution of numbers: values that many rows hold, and between
// quantiles at even ranks a line.
type mixture struct {
	atoms     []atom // by value
	quantiles []float64
	rest      float64 // what the quantiles describe
}

type atom struct{ at, share float64 }

// mixtureOf is the distribution of a column's values, NULL aside, of dates and
// times as seconds from when the profile was taken. It is not known where
// something is left that no quantile describes.
func mixtureOf(c *profile.DataColumn, taken time.Time) (*mixture, bool) {
	kind := kindOf(c)
	there := 1 - c.Null
	if there <= 0 {
		return nil, false
	}
	var from float64
	if kind == schema.Date || kind == schema.Timestamp {
		from = float64(taken.Unix())
	}
	m := &mixture{rest: 1}
	for _, v := range c.Values {
		at, ok := number(kind, []byte(v.Value))
		if !ok {
			return nil, false
		}
		m.atoms = append(m.atoms, atom{at - from, v.Share / there})
		m.rest -= v.Share / there
	}
	slices.SortFunc(m.atoms, func(a, b atom) int { return cmp.Compare(a.at, b.at) })
	switch {
	case c.Numbers != nil:
		m.quantiles = c.Numbers.Quantiles
	case c.Times != nil:
		for _, q := range c.Times.Quantiles {
			m.quantiles = append(m.quantiles, q.Seconds())
		}
	}
	if m.rest < unknownRest {
		m.rest, m.quantiles = 0, nil
	}
	return m, len(m.quantiles) > 0 || m.rest == 0
}

// unknownRest is what shares of four digits may leave over.
const unknownRest = 0.001

// below is the share of values below x, and up to it.
func (m *mixture) below(x float64) (less, upTo float64) {
	for _, a := range m.atoms {
		if a.at < x {
			less += a.share
		}
		if a.at <= x {
			upTo += a.share
		}
	}
	less += m.rest * ranked(m.quantiles, x, false)
	upTo += m.rest * ranked(m.quantiles, x, true)
	return less, upTo
}

// ranked is the share of a line through quantiles that lies below x, or up to it.
func ranked(q []float64, x float64, upTo bool) float64 {
	if len(q) == 0 {
		return 0
	}
	// i is the first quantile above x, or not below.
	i, _ := slices.BinarySearchFunc(q, x, func(at, x float64) int {
		if at < x || upTo && at == x {
			return -1
		}
		return 1
	})
	last := float64(len(q) - 1)
	switch {
	case i == 0:
		return 0
	case i == len(q):
		return 1
	}
	low, high := q[i-1], q[i]
	if last == 0 || low == high {
		return float64(i-1) / max(last, 1)
	}
	return (float64(i-1) + (x-low)/(high-low)) / last
}

// complement is one minus the largest distance between two distributions.
func complement(a, b *mixture) float64 {
	var d float64
	for _, m := range []*mixture{a, b} {
		at := slices.Clone(m.quantiles)
		for _, x := range m.atoms {
			at = append(at, x.at)
		}
		for _, x := range at {
			less, upTo := a.below(x)
			lessB, upToB := b.below(x)
			d = max(d, math.Abs(less-lessB), math.Abs(upTo-upToB))
		}
	}
	return 1 - min(1, settled(d))
}

// settled takes away what adding shares in another order makes.
func settled(d float64) float64 {
	if math.Abs(d) < additions {
		return 0
	}
	return d
}

// kindOf tells the kind of a column's values from what the profile has of them
// and from the name of its type.
func kindOf(c *profile.DataColumn) schema.Kind {
	name, _, _ := strings.Cut(strings.ToLower(c.Type), "(")
	name = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(name), " unsigned"))
	switch {
	case c.Array != nil || strings.HasSuffix(c.Type, "[]"):
		return schema.Array
	case c.JSON != nil || name == "json" || name == "jsonb":
		return schema.JSON
	case name == "boolean" || name == "bool" || strings.EqualFold(c.Type, "tinyint(1)"):
		return schema.Bool
	case name == "date":
		return schema.Date
	case strings.HasPrefix(name, "timestamp"), name == "datetime":
		return schema.Timestamp
	case name == "time" || strings.HasPrefix(name, "time "):
		return schema.Time
	case name == "uuid":
		return schema.UUID
	case strings.Contains(name, "int") && !strings.Contains(name, "range") && name != "interval" && name != "point",
		strings.HasSuffix(name, "serial"), c.Numbers != nil:
		return schema.Int
	case slices.Contains([]string{"numeric", "decimal", "real", "double", "double precision", "float", "money"}, name):
		return schema.Float
	case c.Times != nil:
		return schema.Timestamp
	case strings.HasPrefix(name, "enum"):
		return schema.Enum
	case slices.Contains([]string{"interval", "bytea", "inet", "cidr", "macaddr", "bit", "point", "tsvector"}, name),
		strings.HasSuffix(name, "blob"), strings.HasSuffix(name, "range"):
		return schema.Other
	}
	return schema.Text
}

// profiled is the type of a column that only a profile tells of.
func profiled(t *profile.DataTable, c *profile.DataColumn) SDType {
	for _, ref := range t.References {
		if slices.Contains(ref.Columns, c.Name) {
			return ID
		}
	}
	kind := kindOf(c)
	switch {
	case kind == schema.UUID || c.Unique && kind == schema.Int:
		return ID
	case c.Private != "":
		return PII
	case kind == schema.Bool:
		return Boolean
	case kind == schema.Int || kind == schema.Float:
		return Numerical
	case kind == schema.Date || kind == schema.Time || kind == schema.Timestamp:
		return Datetime
	case kind == schema.Enum:
		return Categorical
	case kind != schema.Text:
		return Unsupported
	}
	there := float64(t.Rows) * (1 - c.Null)
	if c.Unique || c.Distinct > maxCategories && float64(c.Distinct) > maxUnique*there || c.Distinct == 0 && len(c.Values) == 0 {
		return Text
	}
	return Categorical
}
