package measure

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rehearse-dev/rehearse/internal/artifact"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/words"
)

// Bounds of what one column keeps.
const (
	maxValues    = 5000 // that are counted each on its own
	maxValueSize = 256  // bytes of a value that is counted on its own
	maxTop       = 100  // values that are listed
	leastShare   = 0.001
	maxReservoir = 1 << 15 // numbers that quantiles are taken of
	maxFolded    = 1 << 15 // texts of which it is known whether others differ in case alone
)

// Codes of cells that stand for no value of the dictionary.
const (
	codeNull  = -1
	codeOther = -2
)

// column gathers one column's values, or those of a place in documents or
// arrays, as they stream by.
type column struct {
	name    string
	typ     schema.Type
	meaning words.Meaning
	public  map[string]bool
	now     time.Time
	// short: list no values, not even common ones.
	short   bool
	notNull bool

	n, nulls int64 // values, and NULLs among them
	dict     map[string]*entry
	codes    int32
	spilt    bool // the dictionary was full once
	hashes   distinct

	artifacts map[string]int64
	folded    map[uint64]uint64 // hashes of texts in lower case, to that of the first such text
	rest      restShape
	reasons   map[string]int64 // that speak against listing
	withheld  int

	json    *document
	length  map[int]int64 // of arrays
	item    *column
	week    [168]int64
	numbers reservoir
}

// entry is a value that is counted.
type entry struct {
	code    int32
	n, rows int64
	lastRow int64
}

// restShape is what is gathered of the values that are not listed.
type restShape struct {
	n     int64
	text  textShape
	scale map[int]int64
	units [len(timeUnits)]int64
	whole int64 // the greatest common divisor, in units of the last digit
	days  int64 // values that count in the week
}

// reservoir is an even sample of numbers with the codes of their values.
type reservoir struct {
	seen  int64
	cells []cell
	rng   uint64
}

// cell is a value in brief: its code, and as a number where it is one.
type cell struct {
	code int32
	num  float64 // NaN: none
}

// add keeps the cell, or not.
func (r *reservoir) add(c cell) {
	r.seen++
	if len(r.cells) < maxReservoir {
		r.cells = append(r.cells, c)
		return
	}
	r.rng = r.rng*6364136223846793005 + 1442695040888963407
	if i := (r.rng >> 11) % uint64(r.seen); i < maxReservoir {
		r.cells[i] = c
	}
}

func newColumn(name string, t schema.Type, now time.Time) *column {
	c := &column{name: name, typ: t, now: now, dict: map[string]*entry{}, artifacts: map[string]int64{}, reasons: map[string]int64{}}
	c.rest.scale = map[int]int64{}
	switch t.Kind {
	case schema.JSON:
		c.json = newDocument(name, now, 0, new(int))
	case schema.Array:
		elem := schema.Type{Kind: schema.Text, SQL: "text", Name: "text"}
		if t.Elem != nil {
			elem = *t.Elem
		}
		c.length = map[int]int64{}
		c.item = newColumn(name, elem, now)
		c.item.meaning = c.meaning
	}
	return c
}

// add takes the value of a row, nil for NULL, and gives it in brief.
func (c *column) add(value []byte, row int64) cell { return c.addMany(value, 1, row) }

// addMany takes a value that stands in n rows, of which row is one.
func (c *column) addMany(value []byte, n, row int64) cell {
	c.n += n
	if value == nil {
		c.nulls += n
		return cell{codeNull, math.NaN()}
	}
	c.hashes.add(value)
	out := cell{codeOther, c.number(value)}
	if c.typ.Kind == schema.Array {
		c.elements(value, row)
	}
	if len(value) > maxValueSize {
		c.observe(string(value), n, row, false)
	} else {
		e := c.dict[string(value)]
		if e == nil {
			if len(c.dict) >= maxValues {
				c.spill()
			}
			e = &entry{code: c.codes, lastRow: -1}
			c.codes++
			c.dict[string(value)] = e
		}
		e.n += n
		if e.lastRow != row {
			e.rows, e.lastRow = e.rows+n, row
		}
		out.code = e.code
	}
	if !math.IsNaN(out.num) {
		c.numbers.add(out)
	}
	return out
}

// number is a value as one, NaN where it is none: times as seconds from now, or
// from midnight, ranges as their width.
func (c *column) number(value []byte) float64 {
	switch {
	case isNumber(c.typ.Kind):
		if v, ok := parseNumber(value); ok {
			return v
		}
	case c.typ.Kind == schema.Bool:
		if len(value) > 0 && (value[0] == 't' || value[0] == '1') {
			return 1
		}
		return 0
	case isTime(c.typ.Kind):
		if v, ok := parseTime(value, c.typ.Kind); ok {
			return c.seconds(v)
		}
	case c.typ.Kind == schema.Range && c.typ.Elem != nil:
		if w, ok := c.width(value); ok {
			return w
		}
	}
	return math.NaN()
}

// seconds are microseconds of the clock as seconds from now.
func (c *column) seconds(micros int64) float64 {
	if c.typ.Kind != schema.Time {
		micros -= c.now.UnixMicro()
	}
	return float64(micros) / 1e6
}

// width is how wide a range is: in days for dates, in seconds for times.
func (c *column) width(value []byte) (float64, bool) {
	low, high, ok := parseRange(value)
	if !ok || low == nil || high == nil {
		return 0, false
	}
	if isTime(c.typ.Elem.Kind) {
		l, okL := parseTime(low, c.typ.Elem.Kind)
		h, okH := parseTime(high, c.typ.Elem.Kind)
		w := float64(h-l) / 1e6
		if c.typ.Elem.Kind == schema.Date {
			w /= 86400
		}
		return w, okL && okH
	}
	l, okL := parseNumber(low)
	h, okH := parseNumber(high)
	return h - l, okL && okH
}

func (c *column) elements(value []byte, row int64) {
	n := 0
	if parseArray(value, func(item []byte) {
		n++
		c.item.add(item, row)
	}) {
		c.length[coarse(n)]++
	}
}

// spill makes room in a full dictionary: the rarer half goes, and is counted
// among the rest. A value that comes back is counted from then on, so that
// counts are too low rather than too high.
func (c *column) spill() {
	c.spilt = true
	counts := make([]int64, 0, len(c.dict))
	for _, e := range c.dict {
		counts = append(counts, e.n)
	}
	slices.Sort(counts)
	limit := counts[len(counts)/2]
	for _, v := range slices.Sorted(maps.Keys(c.dict)) {
		if e := c.dict[v]; e.n <= limit {
			c.observe(v, e.n, e.lastRow, false)
			delete(c.dict, v)
		}
	}
}

var timeUnits = [...]struct {
	name string
	size int64 // µs
}{{"day", 86400e6}, {"hour", 3600e6}, {"minute", 60e6}, {"second", 1e6}, {"ms", 1000}, {"us", 1}}

// observe looks at a value that stands in so many rows. Listed values are no
// part of the rest.
func (c *column) observe(value string, n, row int64, listed bool) {
	for _, name := range artifact.Detect(c.typ, []byte(value), c.now).Names() {
		c.artifacts[name] += n
	}
	if c.typ.Kind == schema.Text && c.foldsAlike(value) {
		c.artifacts[artifact.CaseDuplicates] += n
	}
	if !utf8.ValidString(value) {
		value = strings.ToValidUTF8(value, "\uFFFD")
	}
	if c.typ.Kind == schema.Text || c.typ.Kind == schema.Other {
		if why := private(value); why != "" {
			c.reasons[why] += n
		}
	}
	if listed {
		return
	}
	c.rest.n += n
	switch k := c.typ.Kind; {
	case isNumber(k):
		c.rest.scale[decimals(value)] += n
		c.divisor(value)
	case isTime(k):
		c.units(value, n)
	case k == schema.JSON:
		c.json.addText(value, n, row)
	case k == schema.Array:
	case k == schema.Bytes:
		c.rest.text.addBytes(len(value), n)
	default:
		c.rest.text.add(value, n)
	}
}

// foldsAlike reports whether another value was there that differs in case alone.
// Only so many are remembered.
func (c *column) foldsAlike(value string) bool {
	folded := hash([]byte(strings.ToLower(value)))
	own := hash([]byte(value))
	first, ok := c.folded[folded]
	if !ok && len(c.folded) < maxFolded {
		if c.folded == nil {
			c.folded = map[uint64]uint64{}
		}
		c.folded[folded] = own
	}
	return ok && first != own
}

// divisor keeps the greatest common divisor of the digits of all numbers. It is
// right only as long as all have as many decimals, which is checked at the end.
func (c *column) divisor(value string) {
	if c.rest.whole == 1 {
		return
	}
	digits := strings.Replace(value, ".", "", 1)
	n, ok := parseWhole([]byte(digits))
	if !ok {
		c.rest.whole = 1
		return
	}
	a, b := c.rest.whole, max(n, -n)
	for b != 0 {
		a, b = b, a%b
	}
	c.rest.whole = a
}

func (c *column) units(value string, n int64) {
	micros, ok := parseTime([]byte(value), c.typ.Kind)
	if !ok {
		return
	}
	for i, u := range timeUnits {
		if micros%u.size == 0 {
			c.rest.units[i] += n
		}
	}
	if c.typ.Kind != schema.Time {
		const monday = 4 * 24 // 1970-01-05, in hours
		hour := (micros/3600e6 - monday) % 168
		c.week[(hour+168)%168] += n
		c.rest.days += n
	}
}

// top are the values that may be listed, the most common first.
func (c *column) top(k int64, n *noise) []*listed {
	var out []*listed
	few := !c.spilt && len(c.dict) <= maxTop
	nonnull := c.n - c.nulls
	values, _ := c.hashes.values()
	nearUnique := float64(values) > 0.5*float64(nonnull)
	for _, v := range slices.Sorted(maps.Keys(c.dict)) {
		e := c.dict[v]
		if c.public[v] {
			if count := n.count(e.n); count >= 1 {
				out = append(out, &listed{v, e, count})
			}
			continue
		}
		count := n.count(e.rows)
		if e.rows < k || count < n.threshold(k) || !few && float64(e.n) < leastShare*float64(c.n) {
			continue
		}
		if v != "" && c.short || !listable(c.typ.Kind, v) || nearUnique && !isNumber(c.typ.Kind) && !isTime(c.typ.Kind) ||
			private(v) != "" || !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			c.withheld++
			continue
		}
		if e.n != e.rows { // an element of arrays or documents, that one row may hold often
			count = n.count(e.n)
		}
		out = append(out, &listed{v, e, count})
	}
	slices.SortFunc(out, func(a, b *listed) int { return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.value, b.value)) })
	return out[:min(len(out), maxTop)]
}

// listed is a value that the profile lists.
type listed struct {
	value string
	entry *entry
	count float64
}

// listable reports whether values of a kind are listed at all. Documents are not,
// as what stands in them is not looked at, nor identifiers that stand for
// somebody.
func listable(k schema.Kind, v string) bool {
	switch k {
	case schema.JSON:
		return v == "{}" || v == "[]" || v == "null"
	case schema.Array:
		return v == "{}"
	case schema.Bytes:
		return v == `\x` || v == ""
	case schema.UUID, schema.Inet, schema.Range:
		return false
	}
	return true
}

// privacy says why nothing is listed; empty: there is no reason.
func (c *column) privacy() string {
	switch {
	case c.meaning.Secret():
		return "secret: " + string(c.meaning)
	case c.meaning.Personal():
		return "personal: " + string(c.meaning)
	}
	// What booleans and enums can hold stands in the schema.
	if why := words.Private(c.name); why != "" && c.typ.Kind != schema.Bool && c.typ.Kind != schema.Enum {
		return why
	}
	var most string
	for why, n := range c.reasons {
		if why != "free text" && (most == "" || n > c.reasons[most] || n == c.reasons[most] && why < most) {
			most = why
		}
	}
	// A few such values are dealt with one by one. Public addresses of hosts are
	// found among version numbers too, so more of them are needed.
	least := 0.02
	if most != "" && float64(c.reasons[most]) >= least*float64(c.n-c.nulls) {
		return most
	}
	return ""
}

// finish makes the column's profile. It is called once.
func (c *column) finish(k int64, n *noise) (profile.DataColumn, []*listed) {
	for v, e := range c.dict {
		if c.typ.Kind == schema.Text || c.typ.Kind == schema.Other {
			if why := private(v); why != "" {
				c.reasons[why] += e.n
			}
		}
	}
	out := profile.DataColumn{Name: c.name, Type: c.typ.SQL, Meaning: string(c.meaning), Private: c.privacy()}
	if !c.notNull || c.nulls > 0 {
		out.Null = n.share(c.nulls, c.n)
	}
	c.short = c.short || c.meaning.Free() || out.Private != ""
	c.reasons = map[string]int64{} // they are counted again below
	top := c.top(k, n)
	isListed := map[string]bool{}
	skip := make(map[int32]bool, len(top))
	for _, l := range top {
		isListed[l.value], skip[l.entry.code] = true, true
		out.Values = append(out.Values, profile.DataValue{Value: l.value, Share: rounded(min(1, l.count/float64(c.n)), 4)})
	}
	for _, v := range slices.Sorted(maps.Keys(c.dict)) {
		e := c.dict[v]
		c.observe(v, e.n, e.lastRow, isListed[v])
	}
	if long := c.rest.text.overLong(); c.typ.Kind == schema.Text && long > 0 {
		c.artifacts[artifact.OverLong] = long
	}
	for _, s := range shares(c.artifacts, c.n, n, 1) {
		if s.Share > 0 {
			out.Artifacts = append(out.Artifacts, s)
		}
	}
	c.describe(&out, skip, k, n)
	return out, top
}

// describe describes the rest.
func (c *column) describe(out *profile.DataColumn, skip map[int32]bool, k int64, n *noise) {
	if c.typ.Kind == schema.Array {
		item, _ := c.item.finish(k, n)
		item.Name = ""
		out.Array = &profile.DataArray{Length: wholeQuantiles(c.length, k), Item: item}
		return
	}
	if c.rest.n == 0 {
		return
	}
	var numbers []float64
	for _, v := range c.numbers.cells {
		if !skip[v.code] {
			numbers = append(numbers, v.num)
		}
	}
	if c.short && int64(len(numbers)) < 2*k {
		numbers = nil // not even to one digit
	}
	switch kind := c.typ.Kind; {
	case isNumber(kind):
		out.Numbers = &profile.DataNumbers{Scale: c.scale()}
		if kind == schema.Int {
			out.Numbers.Scale = 0
		}
		out.Numbers.Quantiles = quantiles(numbers, numberQuantiles, k, kind == schema.Int)
		out.Numbers.Step = c.step(out.Numbers.Scale, k)
	case isTime(kind):
		out.Times = &profile.DataTimes{Unit: c.unit()}
		out.Times.Quantiles = timeQuantiles(numbers, k, unitSize(out.Times.Unit))
		out.Times.Week = c.hours(n)
	case kind == schema.JSON:
		out.JSON = c.json.profile(k, n)
	case kind == schema.Range:
		out.Text = c.rest.text.profile(k, n)
		if len(numbers) > 0 {
			out.Numbers = &profile.DataNumbers{Quantiles: quantiles(numbers, numberQuantiles, k, c.typ.Elem.Kind == schema.Int || c.typ.Elem.Kind == schema.Date)}
		}
	case kind == schema.Bool, kind == schema.Enum:
	default:
		out.Text = c.rest.text.profile(k, n)
	}
}

// scale is how many decimals nine tenths of the rest do with.
func (c *column) scale() int {
	var seen int64
	for s := range 20 {
		if seen += c.rest.scale[s]; float64(seen) >= 0.9*float64(c.rest.n) {
			return s
		}
	}
	return 0
}

// step is the greatest common divisor of the rest; 0 where it is one unit, or
// there are too few rows to tell.
func (c *column) step(scale int, k int64) float64 {
	if c.rest.whole <= 1 || c.rest.n < 2*k || c.rest.scale[scale] != c.rest.n {
		return 0
	}
	return roundTo(float64(c.rest.whole)/math.Pow(10, float64(scale)), math.Pow(10, -float64(scale)))
}

// unit is the largest that 99 % of the rest are whole multiples of.
func (c *column) unit() string {
	all := c.rest.units[len(timeUnits)-1]
	for i, u := range timeUnits {
		if float64(c.rest.units[i]) >= 0.99*float64(all) {
			return u.name
		}
	}
	return "us"
}

func unitSize(name string) time.Duration {
	for _, u := range timeUnits {
		if u.name == name {
			return time.Duration(u.size) * time.Microsecond
		}
	}
	return time.Microsecond
}

// hours are the shares of the hours of the week, unless they are even as far as
// these rows tell, or whole days.
func (c *column) hours(n *noise) []float64 {
	const least = 1000
	if c.rest.days < least || c.unit() == "day" {
		return nil
	}
	expected := float64(c.rest.days) / 168
	chi := 0.0
	for _, h := range c.week {
		chi += (float64(h) - expected) * (float64(h) - expected) / expected
	}
	if chi < 168+4*math.Sqrt(2*168) {
		return nil
	}
	out := make([]float64, 168)
	for i, h := range c.week {
		out[i] = rounded(n.share(h, c.rest.days), 3)
	}
	return out
}
