package synth

import (
	"bytes"
	"math"
	"time"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// quantile is the value at a share of the ranks, linear between the given ones.
func quantile(q []float64, u float64) float64 {
	switch len(q) {
	case 0:
		return 0
	case 1:
		return q[0]
	}
	x := u * float64(len(q)-1)
	k := min(int(x), len(q)-2)
	return q[k] + (x-float64(k))*(q[k+1]-q[k])
}

// position is which share of its bucket's rows stand before a row.
func position(at place) float64 { return (float64(at.rank) + 0.5) / float64(at.n) }

// curve is a distribution by its quantiles. A profile gives them from the K-th row
// to the K-th last, so that a share of the rows lies beyond either end: there the
// curve goes on as it was going, but no number changes its sign.
type curve struct {
	q    []float64
	tail float64
	// begins is [curve.tenth] of each tenth.
	begins [11]float64
}

// newCurve makes the curve of quantiles that were measured on n rows.
func newCurve(q []float64, k int, n float64) curve {
	c := curve{q: q}
	if k > 0 && n >= 2*float64(k) && len(q) > 3 {
		c.tail = min(float64(k)/n, 0.45)
	}
	for i := range c.begins {
		c.begins[i] = c.tenth(i)
	}
	return c
}

// tenth is the share of rows up to the i-th tenth of the quantiles.
func (c *curve) tenth(i int) float64 {
	switch i {
	case 0:
		return 0
	case 10:
		return 1
	}
	return c.tail + (1-2*c.tail)*float64(i)/10
}

// at is the value below which a share of the rows is.
func (c *curve) at(u float64) float64 {
	n := len(c.q)
	if c.tail == 0 {
		return quantile(c.q, u)
	}
	w := (u - c.tail) / (1 - 2*c.tail)
	switch {
	case w < 0:
		x := c.q[0] + w*(c.q[1]-c.q[0])*float64(n-1)
		if c.q[0] >= 0 {
			x = max(x, 0)
		}
		return x
	case w > 1:
		x := c.q[n-1] + (w-1)*(c.q[n-1]-c.q[n-2])*float64(n-1)
		if c.q[n-1] <= 0 {
			x = min(x, 0)
		}
		return x
	}
	return quantile(c.q, w)
}

// of is the value of a row of a tenth, or of all where there are no tenths.
func (c *curve) of(at place, tenth int) float64 {
	u := position(at)
	if tenth >= 0 {
		low := c.begins[tenth]
		u = low + u*(c.begins[tenth+1]-low)
	}
	return c.at(u)
}

// limit is what a type and the constraints of a column allow.
type limit struct {
	min, max float64 // of numbers; of times in µs, of dates in days
	length   int     // in characters, of bytes in bytes; 0: any
	least    int
	highest  rune // of the column's character set; 0: any
	match    []func([]byte) bool
	notNull  bool
	letters  func([]byte) []byte               // lower, upper; nil: as they are
	in       []string                          // the only values, where these are listed
	pattern  func(dst []byte, r uint64) []byte // makes what match wants
}

func (l *limit) allowsText(b []byte) bool {
	if l.highest > 0 && beyond(b, l.highest) >= 0 {
		return false
	}
	if l.length > 0 || l.least > 0 {
		n := runes(b)
		if l.length > 0 && n > l.length || n < l.least {
			return false
		}
	}
	for _, m := range l.match {
		if !m(b) {
			return false
		}
	}
	return true
}

func (l *limit) allowsTime(x int64) bool {
	if x == rows.Infinity || x == rows.NegInfinity {
		return math.IsInf(l.min, -1) && math.IsInf(l.max, 1)
	}
	return float64(x) >= l.min && float64(x) <= l.max
}

// whole is a number in units of its scale, if it is allowed.
func (l *limit) whole(x float64, scale int) (int64, bool) {
	if math.IsNaN(x) || math.IsInf(x, 0) || x < l.min || x > l.max {
		return 0, false
	}
	y := math.RoundToEven(x * pow10[scale])
	if math.Abs(y) >= 1<<63 {
		return 0, false
	}
	return int64(y), true
}

// typeLimit is what the type alone allows.
func typeLimit(t schema.Type) limit {
	l := limit{min: math.Inf(-1), max: math.Inf(1)}
	switch t.Kind {
	case schema.Int:
		bits := uint(max(t.Size, 1) * 8)
		l.min, l.max = -math.Ldexp(1, int(bits-1)), math.Ldexp(1, int(bits-1))-1
		if t.Unsigned {
			l.min, l.max = 0, math.Ldexp(1, int(min(bits, 63)))-1
		}
		if bits >= 64 {
			l.min, l.max = -9e18, 9e18
		}
	case schema.Decimal:
		l.min, l.max = -9e17, 9e17
		if t.Precision > 0 {
			l.max = min(math.Pow10(t.Precision-t.Scale)-math.Pow10(-t.Scale), 9e17/pow10[min(max(t.Scale, 0), 18)])
			l.min = -l.max
		} else {
			l.min, l.max = -9e12, 9e12
		}
	case schema.Text, schema.Bytes:
		l.length = t.Length
		l.highest = highest(t.Charset)
	}
	return l
}

// numbers makes whole numbers, decimals and floats along quantiles.
type numbers struct {
	curve
	limit  limit
	kind   rows.Kind
	factor float64 // of the column's scale
	step   float64 // in units of the column's scale
}

func (m *numbers) put(v *rows.Vector, i int, at place, tenth int, _ uint64) {
	x := m.of(at, tenth)
	x = min(max(x, m.limit.min), m.limit.max)
	if m.kind == rows.Float {
		if m.step > 0 {
			x = math.RoundToEven(x/m.step) * m.step
		}
		v.Floats[i] = x
		return
	}
	y := x * m.factor
	if m.step > 1 {
		y = math.RoundToEven(y/m.step) * m.step
	}
	v.Ints[i] = int64(math.RoundToEven(y))
}

// times makes dates, times of day and timestamps along quantiles.
type times struct {
	curve       // in the vector's unit
	unit  int64 // of which values are multiples
	limit limit
	// shift moves a value within its week, so that hours are as busy as they are.
	week []float64
}

func (m *times) put(v *rows.Vector, i int, at place, tenth int, r uint64) {
	x := int64(m.of(at, tenth))
	if m.week != nil {
		x = m.inWeek(x, r)
	}
	if m.unit > 1 {
		x = floorTo(x, m.unit)
	}
	if f := float64(x); f < m.limit.min {
		x = int64(math.Ceil(m.limit.min))
	} else if f > m.limit.max {
		x = int64(m.limit.max)
	}
	v.Ints[i] = x
}

const (
	hourMicros = int64(time.Hour / time.Microsecond)
	weekMicros = 7 * 24 * hourMicros
	// 1970-01-01 was a Thursday.
	mondayMicros = 4 * 24 * hourMicros
)

// inWeek moves a time to an hour of its week by the shares of the hours.
func (m *times) inWeek(x int64, r uint64) int64 {
	start := floorTo(x-mondayMicros, weekMicros) + mondayMicros
	u, hour := unit(r), 0
	for hour < len(m.week)-1 && u >= m.week[hour] {
		hour++
	}
	return start + int64(hour)*hourMicros + (x-start)%hourMicros
}

func floorTo(x, unit int64) int64 {
	rest := x % unit
	if rest < 0 {
		rest += unit
	}
	return x - rest
}

// highest is the last character that a character set of MySQL's surely has; 0: all.
func highest(charset string) rune {
	switch charset {
	case "":
		return 0
	case "utf8", "utf8mb3", "ucs2":
		return 0xffff
	case "latin1":
		return 0xff
	}
	return 0x7f
}

// beyond is where a text has its first character above the highest; -1: nowhere.
func beyond(b []byte, highest rune) int {
	return bytes.IndexFunc(b, func(r rune) bool { return r > highest })
}
