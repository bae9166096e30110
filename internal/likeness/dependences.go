package likeness

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/profile"
)

// dependence scores one recorded dependence: ContingencySimilarity over the pairs
// of buckets. Where no dependences of the other profile lead from the one column to
// the other, the two are independent there.
func (c *profiles) dependence(t, other *profile.DataTable, d *profile.DataDependence) {
	item := Item{Table: t.Name, Column: d.On, Other: d.Column, Metric: "ContingencySimilarity", Strong: true}
	property := ColumnPairTrends
	if strings.HasPrefix(d.Column, "children(") {
		property = IntertableTrends
	}
	if via, column, ok := strings.Cut(d.On, " -> "); ok {
		property = IntertableTrends
		if ref, ok := t.Reference(strings.Split(via, ",")); ok {
			item.Reference, item.Column = referenceName(ref.Columns, ref.Table), ref.Table+"."+column
		}
	}
	known := c.known(t, other)
	a := joint(d, known)
	b, ok := through(other.Depends, d.On, d.Column, known)
	if !ok {
		b = c.independent(a, other, d, known)
	}
	var sum float64
	var list []difference
	for _, pair := range sortedPairs(a, b) {
		sum += math.Abs(a[pair] - b[pair])
		list = append(list, difference{bucketName(pair[0]) + " & " + bucketName(pair[1]), a[pair], b[pair]})
	}
	item.Score = 1 - settled(min(1, sum/2))
	if item.Score < 1 {
		item.What = worstOf(list)
	}
	c.score(property, item, "")
}

// pairShares is a distribution over pairs of buckets.
type pairShares map[[2]string]float64

func sortedPairs(lists ...pairShares) [][2]string {
	var out [][2]string
	for _, l := range lists {
		for pair := range l {
			out = append(out, pair)
		}
	}
	slices.SortFunc(out, func(x, y [2]string) int { return slices.Compare(x[:], y[:]) })
	return slices.Compact(out)
}

// known makes the buckets of a table's columns, and of those of its parents,
// comparable between the two profiles.
func (c *profiles) known(t, other *profile.DataTable) func(column string) *buckets {
	made := map[string]*buckets{}
	return func(name string) *buckets {
		if b, ok := made[name]; ok {
			return b
		}
		x, y, column := t, other, name
		if via, of, ok := strings.Cut(name, " -> "); ok {
			column = of
			if ref, ok := t.Reference(strings.Split(via, ",")); ok {
				x, _ = c.a.Table(ref.Table)
				y, _ = c.b.Table(ref.Table)
			}
		}
		var a, b *profile.DataColumn
		if x != nil && y != nil {
			a, _ = x.Column(column)
			b, _ = y.Column(column)
		}
		made[name] = newBuckets(a, b)
		return made[name]
	}
}

func bucketName(bucket string) string {
	if value, ok := strings.CutPrefix(bucket, "="); ok {
		return short(value)
	}
	return bucket
}

// joint is the distribution over pairs of buckets of a dependence.
func joint(d *profile.DataDependence, known func(string) *buckets) pairShares {
	on, column := known(d.On), known(d.Column)
	out := pairShares{}
	for _, g := range d.Given {
		for _, then := range g.Then {
			out[[2]string{on.name(g.Bucket), column.name(then.Name)}] += g.Share * then.Share
		}
	}
	return out
}

// through is the distribution over pairs of buckets of two columns as a forest
// of dependences has it: along the only path from the one to the other.
func through(forest []profile.DataDependence, from, to string, known func(string) *buckets) (pairShares, bool) {
	type step struct {
		column string
		shares pairShares
	}
	seen := map[string]bool{from: true}
	open := []step{{column: from}}
	for len(open) > 0 {
		at := open[0]
		open = open[1:]
		if at.column == to {
			return at.shares, true
		}
		for i := range forest {
			d := &forest[i]
			next, edge := d.Column, joint(d, known)
			switch at.column {
			case d.On:
			case d.Column:
				next, edge = d.On, edge.turned()
			default:
				continue
			}
			if seen[next] {
				continue
			}
			seen[next] = true
			if at.shares != nil {
				edge = at.shares.followed(edge)
			}
			open = append(open, step{next, edge})
		}
	}
	return nil, false
}

func (p pairShares) turned() pairShares {
	out := pairShares{}
	for pair, share := range p {
		out[[2]string{pair[1], pair[0]}] = share
	}
	return out
}

// margin are the shares of the first or the second column's buckets.
func (p pairShares) margin(which int) map[string]float64 {
	out := map[string]float64{}
	for _, pair := range sortedPairs(p) {
		out[pair[which]] += p[pair]
	}
	return out
}

// followed is the distribution over the first column of p and the second of next,
// whose first is p's second.
func (p pairShares) followed(next pairShares) pairShares {
	of := next.margin(0)
	out := pairShares{}
	second := sortedPairs(next)
	for _, a := range sortedPairs(p) {
		for _, b := range second {
			if a[1] == b[0] && of[b[0]] > 0 {
				out[[2]string{a[0], b[1]}] += p[a] * next[b] / of[b[0]]
			}
		}
	}
	return out
}

// independent is the distribution of two columns of which neither tells of the
// other: with the other profile's shares where it has the column.
func (c *profiles) independent(a pairShares, other *profile.DataTable, d *profile.DataDependence, known func(string) *buckets) pairShares {
	shares := a.margin(1)
	if col, ok := other.Column(d.Column); ok {
		shares = known(d.Column).shares(col)
	}
	out := pairShares{}
	for x, p := range a.margin(0) {
		for y, q := range shares {
			out[[2]string{x, y}] = p * q
		}
	}
	return out
}

// buckets makes two profiles' buckets of a column comparable: a value that both
// list keeps its own; one that either alone lists falls among the tenths of the
// first profile's quantiles, or in the rest.
type buckets struct {
	a      *profile.DataColumn
	common map[string]bool
}

func newBuckets(a, b *profile.DataColumn) *buckets {
	out := &buckets{a: a, common: map[string]bool{}}
	if a == nil || b == nil {
		return out
	}
	for _, v := range a.Values {
		out.common[v.Value] = slices.ContainsFunc(b.Values, func(o profile.DataValue) bool { return o.Value == v.Value })
	}
	return out
}

func (b *buckets) name(bucket string) string {
	value, ok := strings.CutPrefix(bucket, "=")
	if !ok || b.a == nil || b.common[value] {
		return bucket
	}
	if b.a.Numbers == nil || len(b.a.Numbers.Quantiles) < 2 {
		return "rest"
	}
	x, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return "rest"
	}
	rank := ranked(b.a.Numbers.Quantiles, x, false)
	return "q" + strconv.Itoa(1+min(9, int(rank*10)))
}

// shares are those of a column's buckets as its own distribution has them.
func (b *buckets) shares(c *profile.DataColumn) map[string]float64 {
	out := map[string]float64{"null": c.Null}
	rest := 1 - c.Null
	for _, v := range c.Values {
		out[b.name("="+v.Value)] += v.Share
		rest -= v.Share
	}
	if rest < unknownRest {
		return out
	}
	if c.Numbers != nil && len(c.Numbers.Quantiles) >= 2 || c.Times != nil && len(c.Times.Quantiles) >= 2 {
		for i := range 10 {
			out["q"+strconv.Itoa(i+1)] += rest / 10
		}
		return out
	}
	out["rest"] += rest
	return out
}
