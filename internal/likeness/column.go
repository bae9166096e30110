package likeness

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/rehearse-dev/rehearse/internal/artifact"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// SDType is what SDMetrics calls a column's statistical data type.
type SDType string

// The types. Numerical and Datetime are continuous, Categorical and Boolean are
// discrete; the others are not scored by SDMetrics.
const (
	Numerical   SDType = "numerical"
	Datetime    SDType = "datetime"
	Categorical SDType = "categorical"
	Boolean     SDType = "boolean"
	ID          SDType = "id"   // keys and references
	PII         SDType = "pii"  // a profile says that the values are private
	Text        SDType = "text" // free text
	Unsupported SDType = "unsupported"
)

func (t SDType) continuous() bool { return t == Numerical || t == Datetime }
func (t SDType) discrete() bool   { return t == Categorical || t == Boolean }
func (t SDType) scored() bool     { return t.continuous() || t.discrete() }

// column is one column on both sides. A text is categorical until its values are
// known.
type column struct {
	schema.Column
	sdtype SDType
	sides  [2]side
	codes  map[string]int32
	names  []string // by code
	edges  []float64
	// bare columns take down no text shapes and no artifacts.
	bare bool
	// now is when each side's times are of.
	now [2]time.Time
	// k is how many rows of the original must share what is named.
	k int
}

// side is one side of a column, row by row.
type side struct {
	rows, nulls int
	numbers     []float64 // continuous ones; NaN: missing
	codes       []int32   // discrete ones and texts
	lengths     []float64 // texts and what is unsupported, in characters
	formats     []int32
	unreadable  int // values that are no number or no time
	artifacts   artifact.Set
}

// The sides.
const (
	real      = 0
	synthetic = 1
)

// maxCategories and maxUnique bound what is a category: a text with more distinct
// values than the first, and more than the second of the values, is free text.
const (
	maxCategories = 50
	maxUnique     = 0.2
)

// sdtypeOf decides by the schema; texts are decided by their values.
func sdtypeOf(t *schema.Table, c schema.Column, references []schema.ForeignKey, private bool) SDType {
	for _, k := range t.Keys {
		if names := k.Columns(); len(names) == 1 && names[0] == c.Name && k.Where == "" {
			return ID
		}
	}
	for _, fk := range references {
		for _, name := range fk.Columns {
			if name == c.Name {
				return ID
			}
		}
	}
	if private {
		return PII
	}
	switch c.Type.Kind {
	case schema.Bool:
		return Boolean
	case schema.Int, schema.Float, schema.Decimal:
		return Numerical
	case schema.Date, schema.Time, schema.Timestamp, schema.Instant:
		return Datetime
	case schema.Enum, schema.Text:
		return Categorical
	case schema.UUID:
		return ID
	}
	return Unsupported
}

// add takes a value of one side in the server's text form, nil being NULL.
func (c *column) add(which int, value []byte) {
	s := &c.sides[which]
	s.rows++
	if value == nil {
		s.nulls++
	} else if !c.bare {
		s.artifacts |= artifact.Detect(c.Type, value, c.now[which])
	}
	switch {
	case c.sdtype.continuous():
		v := math.NaN()
		if value != nil {
			var ok bool
			if v, ok = number(c.Type.Kind, value); !ok {
				s.unreadable++
			}
		}
		s.numbers = append(s.numbers, v)
	case c.sdtype.discrete():
		s.codes = append(s.codes, c.code(value))
	}
	if value != nil && c.texts() {
		s.lengths = append(s.lengths, float64(utf8.RuneCount(value)))
		s.formats = append(s.formats, int32(formatOf(value)))
	}
}

// texts says whether the column's text shape may be asked for.
func (c *column) texts() bool {
	if c.bare {
		return false
	}
	switch c.sdtype {
	case PII, Text, Unsupported:
		return true
	case Categorical:
		return c.Type.Kind == schema.Text
	}
	return false
}

func (c *column) code(value []byte) int32 {
	if value == nil {
		return missing
	}
	if code, ok := c.codes[string(value)]; ok {
		return code
	}
	if c.codes == nil {
		c.codes = map[string]int32{}
	}
	code := int32(len(c.names))
	c.codes[string(value)] = code
	c.names = append(c.names, string(value))
	return code
}

// settle decides whether a text is free text, by the real side, and finds the
// bounds of its bins, which are the real side's.
func (c *column) settle() {
	if c.sdtype == Categorical && c.Type.Kind == schema.Text {
		var n, distinct int
		for _, count := range counts(c.sides[real].codes) {
			n += count
			if count > 0 {
				distinct++
			}
		}
		if distinct > maxCategories && float64(distinct) > maxUnique*float64(n) {
			c.sdtype = Text
			c.sides[real].codes, c.sides[synthetic].codes, c.codes, c.names = nil, nil, nil, nil
		}
	}
	if c.sdtype.continuous() {
		c.edges = edges(c.sides[real].numbers)
	}
}

// present is how many values of a side can be compared.
func (c *column) present(which int) int {
	s := c.sides[which]
	return s.rows - s.nulls - s.unreadable
}

// categories are the codes of a side, bins where the column is continuous.
func (c *column) categories(which int, own bool) []int32 {
	s := c.sides[which]
	if !c.sdtype.continuous() {
		return s.codes
	}
	bounds := c.edges
	if own {
		bounds = edges(s.numbers)
	}
	return digitize(s.numbers, bounds)
}

// number reads a number, or a date or time as seconds since 1970 or midnight.
func number(kind schema.Kind, value []byte) (float64, bool) {
	text := string(value)
	switch kind {
	case schema.Date, schema.Time, schema.Timestamp, schema.Instant:
		return seconds(text)
	}
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil
}

// seconds reads a date, a time of day, or both, as PostgreSQL and MySQL write
// them: "2026-01-31", "08:30:00.5", "2026-01-31 08:30:00+02", "infinity",
// "0044-03-15 BC". MySQL's zero date is no time.
func seconds(text string) (float64, bool) {
	switch text {
	case "infinity":
		return math.Inf(1), true
	case "-infinity":
		return math.Inf(-1), true
	}
	p := clock{text: text}
	before := false
	if n := len(text); n > 3 && text[n-3:] == " BC" {
		before, p.text = true, text[:n-3]
	}
	first, ok := p.whole()
	if !ok {
		return math.NaN(), false
	}
	var days float64
	switch {
	case p.skip('-'):
		month, ok1 := p.whole()
		ok2 := p.skip('-')
		day, ok3 := p.whole()
		if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 || day > 31 {
			return math.NaN(), false
		}
		if before {
			first = 1 - first
		}
		days = float64(time.Date(first, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix()) / 86400
		if p.text == "" {
			return days * 86400, true
		}
		if !p.skip(' ') && !p.skip('T') {
			return math.NaN(), false
		}
		if first, ok = p.whole(); !ok {
			return math.NaN(), false
		}
	}
	ok1 := p.skip(':')
	minute, ok2 := p.whole()
	ok3 := p.skip(':')
	second, ok4 := p.fraction()
	offset, ok5 := p.zone()
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 {
		return math.NaN(), false
	}
	return days*86400 + float64(first)*3600 + float64(minute)*60 + second - offset, true
}

// clock reads the parts of a time off its text.
type clock struct{ text string }

func (p *clock) skip(b byte) bool {
	if p.text == "" || p.text[0] != b {
		return false
	}
	p.text = p.text[1:]
	return true
}

func (p *clock) whole() (int, bool) {
	n := 0
	for n < len(p.text) && n < 9 && p.text[n] >= '0' && p.text[n] <= '9' {
		n++
	}
	v, err := strconv.Atoi(p.text[:n])
	p.text = p.text[n:]
	return v, err == nil
}

func (p *clock) fraction() (float64, bool) {
	n := 0
	for n < len(p.text) && (p.text[n] >= '0' && p.text[n] <= '9' || p.text[n] == '.') {
		n++
	}
	v, err := strconv.ParseFloat(p.text[:n], 64)
	p.text = p.text[n:]
	return v, err == nil
}

// zone reads "+02", "-03:30", "+00:19:32", "Z" or nothing, in seconds.
func (p *clock) zone() (float64, bool) {
	if p.text == "" || p.text == "Z" {
		return 0, true
	}
	sign := 1.0
	if p.text[0] == '-' {
		sign = -1
	} else if p.text[0] != '+' {
		return 0, false
	}
	p.text = p.text[1:]
	var out float64
	for _, unit := range []float64{3600, 60, 1} {
		v, ok := p.whole()
		if !ok {
			return 0, false
		}
		out += sign * float64(v) * unit
		if !p.skip(':') {
			break
		}
	}
	return out, p.text == ""
}
