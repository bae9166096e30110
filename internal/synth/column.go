package synth

import (
	"strconv"

	"github.com/rehearse-dev/rehearse/internal/artifact"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// column is one column's program.
type column struct {
	table   *table
	schema  *schema.Column
	profile profile.DataColumn
	out     rows.Column
	seed    uint64
	limit   limit

	// A column of a reference takes its value from the row referred to.
	ref    *reference
	target int // of ref.to.columns

	node    *node
	buckets []bucket
	make    maker
	// unique columns never make the same value twice, whatever the attempt.
	unique bool
	keyed  bool // unique because of a key, and not as the profile found it
	// artifacts are dealt out over the rows that are not NULL.
	artifacts []oddity
	// forced are values that later attempts try, from the expressions of CHECKs.
	forced []value
	// nullable columns of a rule may be NULL in later attempts.
	nullable bool
	narrowed bool
	tests    []*schema.Expr // CHECKs of this column alone
	ruled    int            // which of the columns of rules this is, from 1; 0: none
	// routed: which partition a row is in hangs on the column.
	routed bool
	// low is a column that this one is not below.
	low   *column
	holds float64
	close bool // it is a gap above it, wherever that is
	gap   []float64
}

// bucket is one bucket of a column, see [profile.DataDependence].
type bucket struct {
	label string
	null  bool
	value *value
	tenth int // from 0; -1: not a tenth
}

// value is one value in the forms that a vector holds.
type value struct {
	int   int64
	float float64
	text  []byte
}

// maker makes the values of a column's rest.
type maker interface {
	// put writes the value of the rank-th of n rows. tenth is which tenth of the
	// quantiles it is from, -1 where there are none. r is random, and the row's own.
	put(v *rows.Vector, i int, at place, tenth int, r uint64)
}

// oddity is an artifact that some rows have.
type oddity struct {
	name  string
	count int64
	order permutation
}

// put writes the value of one row. Texts are appended; the caller ends them.
//
// Later attempts look for a value that satisfies what the column's rules say of it
// alone, so that a row with several such columns need not find all at once.
func (c *column) put(v *rows.Vector, i int, row int64, attempt int) {
	from := len(v.Data)
	c.putOnce(v, i, row, attempt)
	if attempt == 0 {
		return
	}
	for try := 1; try < tries && !c.passes(v, i, from); try++ {
		v.Data, v.Null[i] = v.Data[:from], false
		c.putOnce(v, i, row, attempt+try*anotherTry)
	}
}

// An attempt's number holds, above the attempt itself, which try of a column it is.
const (
	tries      = 300
	plainTries = 32 // before those of values that stand in the rules
	anotherTry = 1 << 16
)

// passes reports whether a value satisfies what is said of it alone.
func (c *column) passes(v *rows.Vector, i, from int) bool {
	if c.tests == nil {
		return true
	}
	var one rows.Vector
	if isText(c.out.Kind) {
		one = rows.Vector{Data: v.Data[from:], Ends: []int32{int32(len(v.Data) - from)}, Null: v.Null[i : i+1]}
	} else if c.out.Kind == rows.Float {
		one = rows.Vector{Floats: v.Floats[i : i+1], Null: v.Null[i : i+1]}
	} else {
		one = rows.Vector{Ints: v.Ints[i : i+1], Null: v.Null[i : i+1]}
	}
	val := exprValue(c.out, &one, 0)
	for _, e := range c.tests {
		if got, err := e.Eval(func(string) schema.Value { return val }, c.table.program.time()); err == nil && got.IsFalse() {
			return false
		}
	}
	return true
}

func (c *column) putOnce(v *rows.Vector, i int, row int64, attempt int) {
	if c.ref != nil {
		parent, ok := c.ref.parent(row, attempt)
		if !ok {
			v.Null[i] = true
			return
		}
		if c.ref.orphans > 0 && unit(mix(c.seed^uint64(row)*3)) < c.ref.orphans {
			c.orphan(v, i, row)
			return
		}
		c.refer(v, i, parent)
		return
	}
	if attempt > 0 {
		switch {
		case !c.unique:
			if c.force(v, i, row, attempt) {
				return
			}
		case c.forcedNull(row, attempt):
			v.Null[i] = true
			return
		case !c.keyed:
			// No key asks for it, so another row's value will do.
			row = below(mix(c.seed^mix(uint64(row)^stir(attempt))), c.table.rows)
			fallthrough
		default:
			attempt = 0
		}
	}
	at, from := c.node.at(row, attempt), len(v.Data)
	b := &c.buckets[at.bucket]
	switch {
	case b.null:
		if v.Null[i] = true; !c.routed {
			return
		}
	case b.value != nil:
		c.set(v, i, b.value)
	default:
		c.make.put(v, i, at, b.tenth, random(c.seed, row, attempt))
	}
	if c.low != nil && !v.Null[i] {
		c.notBelow(v, i, row, attempt)
	}
	if c.routed && !c.unique {
		c.into(v, i, from, row, attempt)
	}
	if v.Null[i] {
		return
	}
	if c.artifacts != nil && attempt == 0 {
		c.oddly(v, i, row)
	}
}

// plain reports whether nothing but the column's own node and maker decides its
// values.
func (c *column) plain() bool {
	return c.ref == nil && c.low == nil && !c.routed && c.artifacts == nil && c.node.on == nil && c.node.dealt()
}

// putPlain is put for the first attempts at rows of a plain column.
func (c *column) putPlain(v *rows.Vector, from int64, n int) {
	d := c.node
	perm, cum, total := &d.perms[0], d.cum[0], d.total
	texts := isText(c.out.Kind)
	for i := range n {
		row := from + int64(i)
		q := perm.at(row)
		k := search(cum, q)
		switch b := &c.buckets[k]; {
		case b.null:
			v.Null[i] = true
		case b.value != nil:
			c.set(v, i, b.value)
		default:
			c.make.put(v, i, place{bucket: k, rank: q - cum[k], n: total[k]}, b.tenth, random(c.seed, row, 0))
		}
		if texts {
			v.End()
		}
	}
}

// refer writes the value of the referenced column.
func (c *column) refer(v *rows.Vector, i int, parent int64) {
	to := c.ref.to.columns[c.target]
	if to.out.Kind == c.out.Kind && to.out.Scale == c.out.Scale {
		to.put(v, i, parent, to.table.attempt(parent))
		return
	}
	// An inferred reference may lead from a text to a number.
	var one rows.Batch
	one.Reset([]rows.Column{to.out}, 1)
	to.put(&one.Columns[0], 0, parent, to.table.attempt(parent))
	if isText(to.out.Kind) {
		one.Columns[0].End()
	}
	if one.Columns[0].Null[0] {
		v.Null[i] = true
		return
	}
	text := appendText(nil, to.out, &one.Columns[0], 0)
	if val, err := parseValue(c.out, string(text)); err == nil {
		c.set(v, i, &val)
	} else {
		v.Null[i] = true
	}
}

// orphan writes a value that leads nowhere.
func (c *column) orphan(v *rows.Vector, i int, row int64) {
	far := int64(1)<<30 + c.ref.to.rows + row
	if c.out.Type.Size > 0 && c.out.Type.Size < 4 {
		far = 30000
	}
	switch c.out.Kind {
	case rows.Text:
		v.Data = strconv.AppendInt(append(v.Data, "gone-"...), far, 36)
	case rows.Int:
		v.Ints[i] = far
	default:
		c.refer(v, i, 0)
	}
}

// set writes a listed value.
func (c *column) set(v *rows.Vector, i int, val *value) {
	switch {
	case isText(c.out.Kind):
		v.Data = append(v.Data, val.text...)
	case c.out.Kind == rows.Float:
		v.Floats[i] = val.float
	default:
		v.Ints[i] = val.int
	}
}

// The attempts at a row that breaks a rule: first other values, then each
// pattern of NULLs, then values that stand in the rules themselves.
const (
	plainAttempts  = 16
	nullAttempts   = 64
	forcedAttempts = 200
	lastAttempt    = 5000
)

// force writes what a later attempt wants to try, if it wants something.
func (c *column) force(v *rows.Vector, i int, row int64, attempt int) bool {
	if try := attempt / anotherTry; try >= plainTries && try%2 == 0 && len(c.forced) > 0 {
		c.set(v, i, &c.forced[mix(c.seed^uint64(row)^stir(attempt))%uint64(len(c.forced))])
		return true
	}
	phase := attempt % anotherTry
	if c.ruled == 0 || phase < plainAttempts {
		return false
	}
	if c.forcedNull(row, attempt) {
		v.Null[i] = true
		return true
	}
	r := mix(c.seed ^ uint64(row) ^ stir(attempt))
	if phase >= nullAttempts && phase < forcedAttempts && len(c.forced) > 0 && r>>8&3 != 0 {
		c.set(v, i, &c.forced[r>>16%uint64(len(c.forced))])
		return true
	}
	return phase >= forcedAttempts && c.anything(v, i, r)
}

// forcedNull reports whether a later attempt wants to try NULL.
func (c *column) forcedNull(row int64, attempt int) bool {
	phase := attempt % anotherTry
	switch {
	case c.ruled == 0 || !c.nullable || phase < plainAttempts || phase >= forcedAttempts || c.unique && c.keyed && c.nullCounts():
		return false
	case phase < nullAttempts:
		return phase>>(uint(c.ruled-1)%5)&1 == 1
	}
	return mix(c.seed^uint64(row)^stir(attempt))&7 == 0
}

// anything writes a value of which nothing is asked but that the type and the
// column's own constraints allow it: the last resort for keys of few values.
func (c *column) anything(v *rows.Vector, i int, r uint64) bool {
	if len(c.limit.in) > 0 || len(c.limit.match) > 0 || c.routed {
		return false
	}
	switch c.out.Kind {
	case rows.Int:
		low, high := max(c.limit.min, 0), min(c.limit.max, 1<<31-1)
		if high <= low {
			return false
		}
		v.Ints[i] = int64(low) + below(r, int64(high-low)+1)
	case rows.Text:
		if c.schema.Type.Kind != schema.Text {
			return false
		}
		text := strconv.AppendUint(nil, r, 36)
		v.Data = append(v.Data, text[:fit(text, max(c.limit.size(len(text)), 1))]...)
	default:
		return false
	}
	return true
}

// oddly gives a value the artifact that its row was dealt, if any.
func (c *column) oddly(v *rows.Vector, i int, row int64) {
	for k := range c.artifacts {
		o := &c.artifacts[k]
		if o.order.at(row) >= o.count {
			continue
		}
		r := mix(c.seed ^ uint64(row) ^ uint64(k)<<56)
		switch c.out.Kind {
		case rows.Text:
			from := 0
			if i > 0 {
				from = int(v.Ends[i-1])
			}
			if out, ok := artifact.Text(o.name, nil, v.Data[from:], c.limit.length, r); ok && c.limit.allowsText(out) {
				v.Data = append(v.Data[:from], out...)
			}
		case rows.Int, rows.Decimal:
			if x, ok := artifact.Number(o.name, c.number(v, i), r); ok {
				if n, fits := c.limit.whole(x, c.out.Scale); fits {
					v.Ints[i] = n
				}
			}
		case rows.Float:
			if x, ok := artifact.Number(o.name, v.Floats[i], r); ok && x >= c.limit.min && x <= c.limit.max {
				v.Floats[i] = x
			}
		case rows.Timestamp:
			if c.zeroDate(o.name) {
				v.Ints[i] = rows.NegInfinity
			} else if x, ok := artifact.Time(o.name, v.Ints[i], c.table.program.now, r); ok && c.limit.allowsTime(x) {
				v.Ints[i] = x
			}
		case rows.Date:
			const day = 24 * 3600 * 1e6
			if c.zeroDate(o.name) {
				v.Ints[i] = rows.NegInfinity
			} else if x, ok := artifact.Date(o.name, v.Ints[i], c.table.program.now/day, r); ok && c.limit.allowsTime(x) {
				v.Ints[i] = x
			}
		}
		return
	}
}

func (c *column) number(v *rows.Vector, i int) float64 {
	if c.out.Kind == rows.Float {
		return v.Floats[i]
	}
	return float64(v.Ints[i]) / pow10[c.out.Scale]
}

// zeroDate reports whether an artifact is MySQL's 0000-00-00, which is held as the
// infinity that MySQL does not have.
func (c *column) zeroDate(name string) bool {
	return name == artifact.ZeroDate && c.table.program.schema.Engine == schema.MySQL
}

// notBelow lifts a value that is below that of the column that it should not be
// below, by a gap as the profile has it. Where the columns go closely together the
// value is always that gap above the other.
func (c *column) notBelow(v *rows.Vector, i int, row int64, attempt int) {
	if unit(mix(c.seed^uint64(row)*5)) >= c.holds {
		return
	}
	var one rows.Batch
	one.Reset([]rows.Column{c.low.out}, 1)
	w := &one.Columns[0]
	c.low.put(w, 0, row, attempt%anotherTry)
	if w.Null[0] {
		return
	}
	gap := quantile(c.gap, unit(mix(c.seed^uint64(row)*7)))
	switch c.out.Kind {
	case rows.Float:
		if v.Floats[i] < w.Floats[0] || c.close {
			v.Floats[i] = min(w.Floats[0]+gap, c.limit.max)
		}
		return
	case rows.Timestamp:
		gap *= 1e6
	case rows.Date:
		gap /= 24 * 3600
	case rows.Decimal:
		gap *= pow10[c.out.Scale]
	}
	low := w.Ints[0]
	if low == rows.NegInfinity || low > rows.Infinity-int64(gap)-1 || v.Ints[i] >= low && !c.close {
		return
	}
	if to := low + int64(gap); to >= low && (c.limit.max >= float64(to)/pow10[c.out.Scale] || c.out.Kind == rows.Timestamp && c.limit.max >= float64(to)) {
		v.Ints[i] = to
	}
}
