package measure

import (
	"fmt"
	"math"

	"github.com/rehearse-dev/rehearse/internal/profile"
)

// maxBucketValues is how many listed values have a bucket of their own.
const maxBucketValues = 24

// buckets divide a column's values: see [profile.DataDependence].
type buckets struct {
	values *column // knows how to read a value; it has none itself
	labels []string
	listed map[string]int16
	codes  map[int32]int16 // of listed values
	rest   int16           // -1: none
	q1     int16           // -1: none
	edges  [9]float64
}

// newBuckets are the buckets of a column that is finished.
func newBuckets(c *column, p *profile.DataColumn) *buckets {
	b := &buckets{values: &column{typ: c.typ, now: c.now}, labels: []string{"null"}, listed: map[string]int16{}, codes: map[int32]int16{}, rest: -1, q1: -1}
	for i, v := range p.Values {
		if i == maxBucketValues {
			break
		}
		at := int16(len(b.labels))
		b.labels = append(b.labels, "="+v.Value)
		b.listed[v.Value] = at
		if e := c.dict[v.Value]; e != nil {
			b.codes[e.code] = at
		}
	}
	var q []float64
	switch {
	case p.Numbers != nil && isNumber(c.typ.Kind):
		q = p.Numbers.Quantiles
	case p.Times != nil:
		for _, d := range p.Times.Quantiles {
			q = append(q, d.Seconds())
		}
	}
	// Three quantiles stand for a handful of rows, which have no tenths.
	if len(q) <= 3 || len(p.Values) > maxBucketValues {
		b.rest = int16(len(b.labels))
		b.labels = append(b.labels, "rest")
	}
	if len(q) > 3 {
		b.q1 = int16(len(b.labels))
		for i := range 10 {
			b.labels = append(b.labels, fmt.Sprintf("q%d", i+1))
			if i < len(b.edges) {
				b.edges[i] = quantileAt(q, float64(i+1)/10)
			}
		}
	}
	return b
}

// none is the bucket of what has none.
const none = -1

// ofCell is the bucket of a value of the column's own rows. A listed value that
// has no bucket of its own is in the rest.
func (b *buckets) ofCell(c cell, unbucketed map[int32]bool) int16 {
	if c.code == codeNull {
		return 0
	}
	if at, ok := b.codes[c.code]; ok {
		return at
	}
	if b.rest >= 0 && unbucketed[c.code] {
		return b.rest
	}
	return b.ofNumber(c.num)
}

// ofValue is the bucket of a value in the server's text form.
func (b *buckets) ofValue(v []byte) int16 {
	if v == nil {
		return 0
	}
	if at, ok := b.listed[string(v)]; ok {
		return at
	}
	return b.ofNumber(b.values.number(v))
}

func (b *buckets) ofNumber(v float64) int16 {
	if b.q1 < 0 || math.IsNaN(v) {
		return b.rest
	}
	for i, e := range b.edges {
		if v <= e {
			return b.q1 + int16(i)
		}
	}
	return b.q1 + 9
}
