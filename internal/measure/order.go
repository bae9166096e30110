package measure

import (
	"math"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Bounds of orders and keys.
const (
	leastHolds    = 0.95
	maxComparable = 20 // columns of a table
	leastUnique   = 0.98
	leastNumbers  = 20 // that a column must have: fewer are codes, whose order means nothing
)

// orders are the pairs of columns of which one is mostly not above the other,
// although their values are in the same range.
func (p *probe) orders(k int64) []profile.DataOrder {
	var comparable []int
	for i, c := range p.columns {
		values, _ := c.hashes.values()
		if (isTime(c.typ.Kind) || isNumber(c.typ.Kind) && values >= leastNumbers) && !isReference(p.references, c.name) && !isKeyColumn(p.table, c.name) {
			comparable = append(comparable, i)
		}
	}
	comparable = comparable[:min(len(comparable), maxComparable)]
	var out []profile.DataOrder
	for x, i := range comparable {
		for _, j := range comparable[x+1:] {
			a, b := p.columns[i], p.columns[j]
			if isTime(a.typ.Kind) != isTime(b.typ.Kind) || (a.typ.Kind == schema.Time) != (b.typ.Kind == schema.Time) ||
				isNumber(a.typ.Kind) && a.typ.Kind != b.typ.Kind {
				continue
			}
			if o, ok := p.order(i, j, k); ok {
				out = append(out, o)
			}
		}
	}
	return out
}

func (p *probe) order(i, j int, k int64) (profile.DataOrder, bool) {
	var low, high, gap []float64
	below, above := int64(0), int64(0)
	for r, a := range p.sample.own[i] {
		b := p.sample.own[j][r]
		if math.IsNaN(a.num) || math.IsNaN(b.num) {
			continue
		}
		low, high, gap = append(low, a.num), append(high, b.num), append(gap, b.num-a.num)
		if a.num <= b.num {
			below++
		}
		if b.num <= a.num {
			above++
		}
	}
	total := int64(len(gap))
	if total < 2*k {
		return profile.DataOrder{}, false
	}
	if above > below {
		i, j, below = j, i, above
		low, high = high, low
		for r := range gap {
			gap[r] = -gap[r]
		}
	}
	slices.Sort(low)
	slices.Sort(high)
	at := func(v []float64, p float64) float64 { return v[int(p*float64(len(v)-1))] }
	apart := at(low, 0.9) <= at(high, 0.1)
	constant := at(low, 0.05) == at(low, 0.95) || at(high, 0.05) == at(high, 0.95)
	if float64(below) < leastHolds*float64(total) || apart || constant {
		return profile.DataOrder{}, false
	}
	// Numbers that merely happen to be small are in no order: they must be of
	// about the same size.
	if isNumber(p.columns[i].typ.Kind) && at(high, 0.5) > 20*max(math.Abs(at(low, 0.5)), 1) {
		return profile.DataOrder{}, false
	}
	whole := p.columns[i].typ.Kind == schema.Int || isTime(p.columns[i].typ.Kind)
	return profile.DataOrder{
		Low: p.columns[i].name, High: p.columns[j].name,
		Holds: shareOf(float64(below), total), Gap: quantiles(gap, lengthQuantiles, k, whole),
	}, true
}

// keys are columns, and pairs of a reference and a name, that are unique in
// nearly all rows although no key says so. They are told only of tables that were
// read whole: a sample of few rows has few duplicates.
func (p *probe) keys(out *profile.DataTable, k int64) []profile.DataKey {
	if !p.whole || int64(len(p.sample.rows)) < 5*k || int64(len(p.sample.rows)) < p.rows {
		return nil
	}
	var keys []profile.DataKey
	for i, c := range p.columns {
		kind := c.typ.Kind
		if kind != schema.Int && kind != schema.Text && kind != schema.UUID || isKeyColumn(p.table, c.name) {
			continue
		}
		set := c.n - c.nulls
		values, _ := c.hashes.values()
		if !c.hashes.exact() || set < 5*k || values == set || float64(values) < leastUnique*float64(set) || out.Columns[i].Text != nil && c.meaning.Free() {
			continue
		}
		keys = append(keys, profile.DataKey{Columns: []string{c.name}, Duplicates: rounded(float64(set-values)/float64(set), 4)})
	}
	for _, fk := range p.references {
		if len(fk.Columns) != 1 || fk.Inferred && !p.holds(fk) {
			continue
		}
		_, i := p.table.Column(fk.Columns[0])
		for j, c := range p.columns {
			if i == j || !naming(c.name) || p.isKey(fk.Columns[0], c.name) || p.columns[i].spilt || c.spilt || out.Columns[i].Unique || out.Columns[j].Unique {
				continue
			}
			if d, ok := p.duplicates(i, j, k); ok {
				keys = append(keys, profile.DataKey{Columns: []string{fk.Columns[0], c.name}, Duplicates: d})
			}
		}
	}
	return keys
}

// naming reports whether a column's name says that it tells rows apart.
func naming(column string) bool {
	words := nameWords(column)
	switch words[len(words)-1] {
	case "name", "slug", "code", "number", "no", "key", "position", "rank", "ordinal", "title", "handle", "seq":
		return true
	}
	return false
}

// isKey reports whether columns have a key already.
func (p *probe) isKey(columns ...string) bool {
	return slices.ContainsFunc(p.table.Keys, func(key schema.Key) bool {
		own := key.Columns()
		return own != nil && !slices.ContainsFunc(own, func(c string) bool { return !slices.Contains(columns, c) })
	})
}

func (p *probe) duplicates(i, j int, k int64) (share float64, ok bool) {
	type pair struct{ a, b int32 }
	seen := map[pair]bool{}
	total := int64(0)
	for r, a := range p.sample.own[i] {
		b := p.sample.own[j][r]
		if a.code < 0 || b.code < 0 {
			continue
		}
		total++
		seen[pair{a.code, b.code}] = true
	}
	unique := float64(len(seen)) / float64(max(total, 1))
	return rounded(1-unique, 4), total >= 5*k && unique >= leastUnique
}

// correlation is Spearman's, of a column's values and the order in which the rows
// were read.
func correlation(cells []cell) float64 {
	type at struct {
		num float64
		row int
	}
	var all []at
	for i, c := range cells {
		if !math.IsNaN(c.num) {
			all = append(all, at{c.num, i})
		}
	}
	if len(all) < 10 {
		return 0
	}
	rows := make([]float64, len(cells))
	for i, a := range all {
		rows[a.row] = float64(i)
	}
	slices.SortStableFunc(all, func(a, b at) int {
		switch {
		case a.num < b.num:
			return -1
		case a.num > b.num:
			return 1
		}
		return 0
	})
	n := float64(len(all))
	mean := (n - 1) / 2
	var xy, xx, yy float64
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].num == all[i].num {
			j++
		}
		rank := float64(i+j-1) / 2
		for ; i < j; i++ {
			x, y := rank-mean, rows[all[i].row]-mean
			xy, xx, yy = xy+x*y, xx+x*x, yy+y*y
		}
	}
	if xx == 0 || yy == 0 {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

// harmless reports whether a statement says nothing but what the schema says. A
// server leaves literals in statements that it does not normalise.
func harmless(sql string) bool {
	verb, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
	switch strings.ToUpper(verb) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "MERGE", "REPLACE":
	default:
		return false
	}
	return !strings.ContainsAny(sql, "'") && !strings.Contains(sql, "--") && !strings.Contains(sql, "/*") && !strings.Contains(sql, "@")
}
