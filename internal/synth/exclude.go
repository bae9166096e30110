package synth

import (
	"regexp"
	"slices"
	"sort"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// addExclusion adds an exclusion constraint. One whose operators are all equality
// is a key; one with ranges of a column, which are kept apart, holds by
// construction; one with ranges that are made of two columns is tested.
func (t *table) addExclusion(x schema.Exclusion) {
	k := schema.Key{Name: x.Name, Where: x.Where}
	var ends []int
	for _, p := range x.Parts {
		switch {
		case p.Operator == "=":
			k.Parts = append(k.Parts, schema.KeyPart{Column: p.Column, Expr: p.Expr})
			continue
		case p.Operator == "&&" && p.Column != "":
			if c := t.columnNamed(p.Column); c != nil && c.schema.Type.Kind == schema.Range {
				return
			}
		case p.Operator == "&&" && ends == nil:
			if ends = t.rangeOf(p.Expr); ends != nil {
				continue
			}
		}
		t.program.note("Table %s: EXCLUDE %s is left to the server: nothing is known of the operator %s for its type.", t.name, x.Name, p.Operator)
		return
	}
	if ends == nil {
		t.addKey(k)
		return
	}
	t.addApart(x, k, ends)
}

var rangeCall = regexp.MustCompile(`^\(?\w+range\("?(\w+)"?, "?(\w+)"?(?:, '[\[(][\])]'(?:::text)?)?\)\)?$`)

// rangeOf are the two columns of an expression such as tstzrange(starts, ends);
// nil where it is another.
func (t *table) rangeOf(expr string) []int {
	m := rangeCall.FindStringSubmatch(expr)
	if m == nil {
		return nil
	}
	low, ok1 := t.byName[m[1]]
	high, ok2 := t.byName[m[2]]
	if !ok1 || !ok2 || isText(t.out[low].Kind) || t.out[low].Kind != t.out[high].Kind || t.out[low].Scale != t.out[high].Scale {
		return nil
	}
	return []int{low, high}
}

// stretch is a range with its ends, which counts as closed.
type stretch struct{ low, high float64 }

// addApart adds that ranges made of two columns do not overlap in rows that have
// the same key.
func (t *table) addApart(x schema.Exclusion, k schema.Key, ends []int) {
	key, ok := t.newKey(k)
	if !ok {
		return
	}
	taken := map[uint64][]stretch{} // by key, in order
	var hash uint64
	var own stretch
	var counts bool
	t.rules = append(t.rules, rule{
		what:    "EXCLUDE " + x.Name,
		columns: append(slices.Clone(key.columns), ends...),
		holds: func(b *rows.Batch, i int, _ int64) bool {
			if hash, counts = key.of(b, i); !counts {
				return true
			}
			own = stretch{-1e300, 1e300}
			if v := &b.Columns[ends[0]]; !v.Null[i] {
				own.low = number(t.out[ends[0]], v, i)
			}
			if v := &b.Columns[ends[1]]; !v.Null[i] {
				own.high = number(t.out[ends[1]], v, i)
			}
			if own.low > own.high {
				return false // the server makes no such range
			}
			all := taken[hash]
			at := sort.Search(len(all), func(j int) bool { return all[j].high >= own.low })
			return at == len(all) || all[at].low > own.high
		},
		keep: func() {
			if counts {
				all := taken[hash]
				at := sort.Search(len(all), func(j int) bool { return all[j].high >= own.low })
				taken[hash] = slices.Insert(all, at, own)
			}
		},
	})
}

// number is a value that is a number in its vector.
func number(c rows.Column, v *rows.Vector, i int) float64 {
	if c.Kind == rows.Float {
		return v.Floats[i]
	}
	return float64(v.Ints[i])
}
