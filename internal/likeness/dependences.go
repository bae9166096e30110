package likeness

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/profile"
)

// trend is a pair of columns that a profile tells of.
type trend struct {
	on, column string
	reference  *profile.DataReference // that the first is reached by; nil: none
}

// trends are the pairs that a table's profile tells of: its dependences, its
// classes' columns among each other and with what follows the class, and those
// that references between classes tell of, of which there are at most some.
func (c *profiles) trends(t *profile.DataTable, perReference int) []trend {
	var out []trend
	add := func(on, column string) {
		x := trend{on: on, column: column}
		if via, of, ok := strings.Cut(on, " -> "); ok && of != classNode {
			x.reference, _ = t.Reference(strings.Split(via, ","))
		}
		if !strings.HasSuffix(on, classNode) && !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	var columns []string
	if t.Classes != nil {
		columns = t.Classes.Columns
	}
	for i, x := range columns {
		for _, y := range columns[i+1:] {
			add(x, y)
		}
	}
	for _, d := range t.Depends {
		switch {
		case d.On == classNode:
			for _, x := range columns {
				add(x, d.Column)
			}
		case d.Column == classNode:
			for _, y := range columns {
				add(d.On, y)
			}
		default:
			add(d.On, d.Column)
		}
	}
	for _, ref := range t.References {
		parent, ok := c.a.Table(ref.Table)
		if !ok || parent.Classes == nil || len(ref.Affinity) == 0 {
			continue
		}
		var all [][2]string
		for _, x := range parent.Classes.Columns {
			for _, y := range columns {
				all = append(all, [2]string{strings.Join(ref.Columns, ",") + " -> " + x, y})
			}
		}
		for _, pair := range evenly(all, perReference) {
			add(pair[0], pair[1])
		}
	}
	return out
}

// classNode stands for a row's class among columns.
const classNode = "class"

// dependences scores the pairs that a table's profile tells of:
// ContingencySimilarity over the pairs of buckets. Where nothing in the other
// profile leads from the one column to the other, they are independent there.
func (c *profiles) dependences(t, other *profile.DataTable, perReference int) {
	known := c.known(t, other)
	a, b := ties(c.a, t, known), ties(c.b, other, known)
	for _, x := range c.trends(t, perReference) {
		item := Item{Table: t.Name, Column: x.on, Other: x.column, Metric: "ContingencySimilarity"}
		property := ColumnPairTrends
		if x.reference != nil {
			_, column, _ := strings.Cut(x.on, " -> ")
			item.Reference, item.Column = referenceName(x.reference.Columns, x.reference.Table), x.reference.Table+"."+column
		}
		if x.reference != nil || strings.HasPrefix(x.column, "children(") {
			property = IntertableTrends
		}
		want, ok := through(a, x.on, x.column)
		if !ok || len(want) == 0 {
			continue
		}
		want.whole()
		is, ok := through(b, x.on, x.column)
		if ok && len(is) > 0 {
			is.whole()
		} else {
			is = independent(want, other, x.column, known)
		}
		var sum float64
		var list []difference
		for _, pair := range sortedPairs(want, is) {
			sum += math.Abs(want[pair] - is[pair])
			list = append(list, difference{bucketName(pair[0]) + " & " + bucketName(pair[1]), want[pair], is[pair]})
		}
		item.Score = 1 - settled(min(1, sum/2))
		item.Strong = want.association() > strongAssociation
		if item.Score < 1 {
			item.What = worstOf(list)
		}
		c.score(property, item, "")
	}
}

// tie is what a profile tells of two columns at once.
type tie struct {
	from, to string
	shares   pairShares
}

// ties are all that a profile tells of a table's columns at once. A class is tied
// to its columns, and by its affinities to the classes of parents.
func ties(d *profile.Data, t *profile.DataTable, known func(string) *buckets) []tie {
	var out []tie
	for i := range t.Depends {
		dep := &t.Depends[i]
		out = append(out, tie{dep.On, dep.Column, joint(dep.Given, known(dep.On), known(dep.Column))})
	}
	class := func(prefix string, k *profile.DataClasses) {
		if k == nil {
			return
		}
		for _, column := range k.Columns {
			shares := pairShares{}
			for i := range k.List {
				if bucket, ok := k.Bucket(i, column); ok {
					shares[[2]string{className(i), known(prefix + column).name(bucket)}] += k.List[i].Share
				}
			}
			out = append(out, tie{prefix + classNode, prefix + column, shares})
		}
	}
	class("", t.Classes)
	for _, ref := range t.References {
		if parent, ok := d.Table(ref.Table); ok && len(ref.Affinity) > 0 {
			via := strings.Join(ref.Columns, ",") + " -> "
			out = append(out, tie{classNode, via + classNode, joint(ref.Affinity, &buckets{}, &buckets{})})
			class(via, parent.Classes)
		}
	}
	return out
}

func className(i int) string { return "c" + strconv.Itoa(i+1) }

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

// joint is the distribution over pairs of buckets.
func joint(given []profile.DataGiven, on, column *buckets) pairShares {
	out := pairShares{}
	for _, g := range given {
		for _, then := range g.Then {
			out[[2]string{on.name(g.Bucket), column.name(then.Name)}] += g.Share * then.Share
		}
	}
	return out
}

// through is the distribution over pairs of buckets of two columns along the
// shortest way of ties from the one to the other.
func through(ties []tie, from, to string) (pairShares, bool) {
	type step struct {
		tie
		back bool // from the tie's second column to its first
	}
	came := map[string]step{from: {}} // the step that each column was reached by
	open := []string{from}
	for len(open) > 0 && came[to].shares == nil {
		at := open[0]
		open = open[1:]
		for _, t := range ties {
			s := step{tie: t}
			switch at {
			case t.from:
			case t.to:
				s.from, s.to, s.back = t.to, t.from, true
			default:
				continue
			}
			if _, seen := came[s.to]; !seen {
				came[s.to] = s
				open = append(open, s.to)
			}
		}
	}
	if came[to].shares == nil {
		return nil, false
	}
	var way []step
	for at := to; at != from; at = came[at].from {
		way = append(way, came[at])
	}
	var out pairShares
	for _, s := range slices.Backward(way) {
		shares := s.shares
		if s.back {
			shares = shares.turned()
		}
		if out != nil {
			shares = out.followed(shares)
		}
		out = shares
	}
	return maps.Clone(out), true
}

// whole makes the shares add up to one: rows of which a profile does not tell are
// left out.
func (p pairShares) whole() {
	var sum float64
	pairs := sortedPairs(p)
	for _, pair := range pairs {
		sum += p[pair]
	}
	if sum == 0 {
		return
	}
	for _, pair := range pairs {
		p[pair] /= sum
	}
}

// association is Cramér's V.
func (p pairShares) association() float64 {
	x, y := p.margin(0), p.margin(1)
	least := min(len(x), len(y))
	if least < 2 {
		return 0
	}
	sum := -1.0
	for _, pair := range sortedPairs(p) {
		if p[pair] > 0 {
			sum += p[pair] * p[pair] / (x[pair[0]] * y[pair[1]])
		}
	}
	return math.Sqrt(max(0, sum) / float64(least-1))
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
	by := map[string][][2]string{}
	for _, b := range sortedPairs(next) {
		by[b[0]] = append(by[b[0]], b)
	}
	out := pairShares{}
	for _, a := range sortedPairs(p) {
		for _, b := range by[a[1]] {
			if of[b[0]] > 0 {
				out[[2]string{a[0], b[1]}] += p[a] * next[b] / of[b[0]]
			}
		}
	}
	return out
}

// independent is the distribution of two columns of which neither tells of the
// other: with the other profile's shares where it has the column.
func independent(a pairShares, other *profile.DataTable, column string, known func(string) *buckets) pairShares {
	shares := a.margin(1)
	if col, ok := other.Column(column); ok {
		shares = known(column).shares(col)
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
