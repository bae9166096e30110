package synth

import (
	"slices"
	"strconv"

	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/rows"
)

// makeBuckets divides a column's rows, and gives their shares.
func (c *column) makeBuckets() (buckets []bucket, shares []float64) {
	add := func(b bucket, share float64) {
		buckets = append(buckets, b)
		shares = append(shares, share)
	}
	null := c.profile.Null
	if c.schema.NotNull || c.limit.notNull || c.unique && c.nullCounts() {
		null = 0
	}
	if null > 0 {
		add(bucket{label: "null", null: true, tenth: -1}, null)
	}
	rest := 1 - null
	if !c.unique {
		for _, v := range c.values() {
			val, err := parseValue(c.out, v.Value)
			if err != nil || !c.allows(&val) {
				continue
			}
			share := min(v.Share, rest)
			rest -= share
			add(bucket{label: "=" + v.Value, value: &val, tenth: -1}, share)
		}
	}
	if rest < 1e-9 && len(buckets) > 0 {
		return buckets, shares
	}
	if q := c.tenths(); q && !c.unique {
		shape := c.curve(nil, rest)
		for k := range 10 {
			add(bucket{label: "q" + strconv.Itoa(k+1), tenth: k}, rest*(shape.tenth(k+1)-shape.tenth(k)))
		}
	} else {
		add(bucket{label: "rest", tenth: -1}, rest)
	}
	return buckets, shares
}

// curve makes the curve of the column's quantiles, which are of its rest.
func (c *column) curve(q []float64, rest float64) curve {
	p := c.table.program.o.Profile
	if p == nil {
		return newCurve(q, 0, 0)
	}
	if q == nil {
		q = make([]float64, 4) // of which only the number matters
	}
	n := float64(c.table.profile.Rows)
	if s := float64(p.Source.Sample); s > 0 && n > 3*s {
		n = s
	}
	return newCurve(q, p.Privacy.K, n*rest)
}

// rest is the share of the column's rows that neither are NULL nor have a listed
// value.
func (c *column) rest() float64 {
	left := 1 - c.profile.Null
	for _, v := range c.profile.Values {
		left -= v.Share
	}
	return max(left, 0)
}

// tenths reports whether the column's rest is divided by its quantiles.
func (c *column) tenths() bool {
	return c.profile.Numbers != nil && len(c.profile.Numbers.Quantiles) > 3 || c.profile.Times != nil && len(c.profile.Times.Quantiles) > 3
}

// values are the listed values, or what the constraints allow where they allow
// only some.
func (c *column) values() []profile.DataValue {
	if len(c.limit.in) == 0 {
		return c.profile.Values
	}
	var out []profile.DataValue
	var sum float64
	for _, v := range c.profile.Values {
		if slices.Contains(c.limit.in, v.Value) {
			out = append(out, v)
			sum += v.Share
		}
	}
	left := max(1-c.profile.Null-sum, 0)
	var missing []string
	for _, v := range c.limit.in {
		if !slices.ContainsFunc(out, func(d profile.DataValue) bool { return d.Value == v }) {
			missing = append(missing, v)
		}
	}
	for _, v := range missing {
		out = append(out, profile.DataValue{Value: v, Share: left / float64(len(missing))})
	}
	if len(missing) == 0 && len(out) > 0 && left > 0 {
		out = slices.Clone(out)
		out[0].Share += left
	}
	return out
}

// allows reports whether a listed value satisfies the type and what constraints
// say of the column alone.
func (c *column) allows(v *value) bool {
	switch {
	case c.out.Kind == rows.Text || c.out.Kind == rows.Bytes:
		return c.limit.allowsText(v.text)
	case isText(c.out.Kind):
		return true
	case c.out.Kind == rows.Float:
		return v.float >= c.limit.min && v.float <= c.limit.max
	case c.out.Kind == rows.Timestamp || c.out.Kind == rows.Date:
		return c.limit.allowsTime(v.int)
	case c.out.Kind == rows.Int || c.out.Kind == rows.Decimal:
		x := float64(v.int) / pow10[c.out.Scale]
		return v.int == rows.NaN && c.out.Kind == rows.Decimal || x >= c.limit.min && x <= c.limit.max
	}
	return true
}
