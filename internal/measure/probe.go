package measure

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/words"
)

// maxSampleRows is how many rows are kept, in buckets and numbers, for what holds
// between columns.
const maxSampleRows = 20_000

// probe is the reading of one table.
type probe struct {
	table      *schema.Table
	query      Query
	references []schema.ForeignKey // in the order of query.Parents

	rows     int64
	whole    bool
	families int // of counts that a row is counted in
	columns  []*column
	parents  []*parent
	children []*childCounter // in the order of query.Children
	sample   rowSample
	classes  *classes
	// affinities of the references, in their order.
	affinities [][]profile.DataGiven
	finished   func(table string) *classes
}

// parent is what a reference of the table leads to.
type parent struct {
	containment
	// buckets of the columns that are read of it; nil for those not known yet.
	buckets []*buckets
	column  []int // of the table, by which the reference leads there
}

// rowSample is an even sample of rows, column by column.
type rowSample struct {
	rng      uint64
	rows     []int64 // the number of the row
	own      [][]cell
	parents  [][][]int16 // by parent and its column
	children [][]int64   // -1: not known
}

// at is where the next row of the sample is to be kept; false: nowhere.
func (s *rowSample) at(row int64) (int, bool) {
	if len(s.rows) < maxSampleRows {
		return len(s.rows), true
	}
	s.rng = s.rng*6364136223846793005 + 1442695040888963407
	i := int((s.rng >> 11) % uint64(row+1))
	return i, i < maxSampleRows
}

func put[T any](to *[]T, at int, v T) {
	if at == len(*to) {
		*to = append(*to, v)
		return
	}
	(*to)[at] = v
}

// newProbe prepares a reading. finished gives the buckets of a table that was
// read before.
func newProbe(t *schema.Table, q Query, now time.Time, finished func(table, column string) *buckets, classes func(table string) *classes) *probe {
	p := &probe{table: t, query: q, finished: classes}
	for i := range t.Columns {
		def := &t.Columns[i]
		c := newColumn(def.Name, def.Type, now)
		c.meaning = words.Guess(t.Name, def.Name, def.Type, def.Comment)
		c.public, c.notNull = publicValues(t, def), def.NotNull
		if c.item != nil {
			c.item.meaning = c.meaning
		}
		p.columns = append(p.columns, c)
	}
	for _, pc := range q.Parents {
		p.references = append(p.references, pc.Reference)
		one := &parent{}
		for _, name := range pc.Columns {
			one.buckets = append(one.buckets, finished(pc.Reference.Table, name))
		}
		for _, name := range pc.Reference.Columns {
			_, i := t.Column(name)
			one.column = append(one.column, i)
		}
		p.parents = append(p.parents, one)
		p.sample.parents = append(p.sample.parents, make([][]int16, len(pc.Columns)))
	}
	for range q.Children {
		p.children = append(p.children, &childCounter{})
	}
	p.families = p.countFamilies()
	p.sample.own = make([][]cell, len(p.columns))
	p.sample.children = make([][]int64, len(p.children))
	return p
}

var errEnough = errors.New("enough rows")

// read reads the table. A table that turns out to be much larger than its
// statistics say is not read to its end.
func (p *probe) read(ctx context.Context, src Source, sample int64) error {
	limit := 6 * sample
	err := src.Sample(ctx, p.query, func(r Row) error {
		if p.rows >= limit {
			return errEnough
		}
		return p.add(r)
	})
	if err != nil && !errors.Is(err, errEnough) {
		return fmt.Errorf("profile table %q: %w", p.table.QName(), err)
	}
	p.whole = err == nil && (p.query.Limit == 0 || p.query.Rows == 0 && p.rows < p.query.Limit)
	return nil
}

func (p *probe) add(r Row) error {
	at, kept := p.sample.at(p.rows)
	i := 0
	next := func() []byte {
		i++
		return r[i-1]
	}
	for n, c := range p.columns {
		cell := c.add(next(), p.rows)
		if kept {
			put(&p.sample.own[n], at, cell)
		}
	}
	for n, one := range p.parents {
		set := !slices.ContainsFunc(one.column, func(c int) bool { return r[c] == nil })
		found := next() != nil
		if set {
			one.set++
			if found {
				one.found(r[one.column[0]])
			} else {
				one.orphans++
				if v := r[one.column[0]]; len(v) == 0 || string(v) == "0" {
					one.none++
				}
			}
		}
		for m, b := range one.buckets {
			v := next()
			if !kept {
				continue
			}
			code := int16(none)
			if found && b != nil {
				code = b.ofValue(v)
			}
			put(&p.sample.parents[n][m], at, code)
		}
	}
	for n, c := range p.children {
		v := next()
		count, ok := parseWhole(v)
		if !ok {
			count = -1
		} else {
			c.add(count)
		}
		if kept {
			put(&p.sample.children[n], at, count)
		}
	}
	if kept {
		put(&p.sample.rows, at, p.rows)
	}
	p.rows++
	return nil
}

// holds reports whether rows say that an inferred reference is one.
func (p *probe) holds(fk schema.ForeignKey) bool {
	i := p.reference(fk)
	return i >= 0 && p.parents[i].holds()
}

func (p *probe) reference(fk schema.ForeignKey) int {
	return slices.IndexFunc(p.references, func(o schema.ForeignKey) bool {
		return o.Table == fk.Table && slices.Equal(o.Columns, fk.Columns) && slices.Equal(o.To, fk.To)
	})
}

// finish makes the table's profile from what was read, all but its references,
// and the buckets of its columns.
func (p *probe) finish(stats Statistics, o Options) (profile.DataTable, map[string]*buckets, int) {
	k := int64(o.K)
	h := fnv.New64a()
	h.Write([]byte(p.table.QName()))
	n := newNoise(o.Epsilon, p.families, o.Seed, h.Sum64())
	out := profile.DataTable{Name: p.table.QName(), Rows: stats.Rows, Pages: stats.Pages, Indexes: stats.Indexes, Churn: churn(stats.Churn)}
	if p.whole || out.Rows < p.rows {
		out.Rows = p.rows
	}
	out.Rows = n.rows(out.Rows)
	all := map[string]*buckets{}
	withheld := 0
	for i, c := range p.columns {
		// The identifiers of a large table are nobody's business and mean nothing in
		// other data: how many children parents have says what there is to say.
		values, once := c.hashes.values()
		const fewParents = 100
		c.short = isReference(p.confirmed(), c.name) && values > fewParents
		col, _ := c.finish(k, n)
		withheld += c.withheld + gate(&col, c, k)
		p.complete(&col, c, stats, out.Rows, values, once)
		all[c.name] = newBuckets(c, &col)
		if p.rows <= maxSampleRows && p.whole && col.Correlation == 0 && isComparable(c.typ.Kind) {
			col.Correlation = rounded(correlation(p.sample.own[i]), 2)
		}
		out.Columns = append(out.Columns, col)
	}
	nodes := p.nodes(out.Columns, all, k)
	if p.classes = classesOf(nodes, p.referring(), k, n); p.classes != nil {
		out.Classes = p.classes.out
		p.affinities = p.attract(k, n)
		// What classes have is theirs; what they do not have may follow the class.
		nodes = slices.DeleteFunc(nodes, func(x *node) bool { return x.kind == ownColumn && slices.Contains(p.classes.columns, x.name) })
		nodes = append([]*node{p.classes.node()}, nodes...)
	}
	out.Depends = forest(nodes, k, n)
	out.Orders = p.orders(k)
	out.Keys = p.keys(&out, k)
	return out, all, withheld
}

// referring are the columns of references.
func (p *probe) referring() map[string]bool {
	out := map[string]bool{}
	for _, fk := range p.confirmed() {
		for _, c := range fk.Columns {
			out[c] = true
		}
	}
	return out
}

// attract finds which classes of parents the rows of each class refer to, where
// the parents' classes are known from the columns that were read of them.
func (p *probe) attract(k int64, n *noise) [][]profile.DataGiven {
	own := p.classes.node()
	own.entropy = entropy(own)
	out := make([][]profile.DataGiven, len(p.parents))
	for i, q := range p.query.Parents {
		to := p.finished(q.Reference.Table)
		if to == nil || q.Reference.Inferred && !p.parents[i].holds() {
			continue
		}
		at := make([]int, len(to.columns)) // of the parent's columns that were read
		for j, name := range to.columns {
			at[j] = slices.Index(q.Columns, name)
		}
		codes := make([]int16, len(p.sample.rows))
		row := make([]int16, len(at))
		for r := range codes {
			codes[r] = none
			known := false
			for j, c := range at {
				row[j] = none
				if c >= 0 {
					row[j] = p.sample.parents[i][c][r]
					known = known || row[j] != none
				}
			}
			if known {
				codes[r] = to.of(row)
			}
		}
		out[i] = affinity(own, codes, to, k, n)
	}
	return out
}

func isComparable(k schema.Kind) bool { return isNumber(k) || isTime(k) }

func (p *probe) countFamilies() int {
	// Orphans, and the two counts of an affinity; the numbers of children; the classes.
	n := 3*len(p.parents) + len(p.children) + 1
	for _, c := range p.columns {
		switch c.typ.Kind {
		case schema.JSON:
			n += 30
		case schema.Text, schema.Other, schema.Array:
			n += 7 // values, artifacts, formats, shapes, scripts, and two of a dependence
		default:
			n += 5 // values, artifacts, week, and two of a dependence
		}
	}
	return n
}

func churn(c profile.DataChurn) profile.DataChurn {
	return profile.DataChurn{
		Inserts: rounded(c.Inserts, 3), Updates: rounded(c.Updates, 3), Deletes: rounded(c.Deletes, 3), Dead: rounded(c.Dead, 3), Growth: rounded(c.Growth, 3),
	}
}

// confirmed are the references that the catalogue or the rows assure.
func (p *probe) confirmed() []schema.ForeignKey {
	var out []schema.ForeignKey
	for i, fk := range p.references {
		if !fk.Inferred || p.parents[i].holds() {
			out = append(out, fk)
		}
	}
	return out
}

// complete adds to a column what the planner knows, and how many values it has.
func (p *probe) complete(col *profile.DataColumn, c *column, stats Statistics, rows, values, once int64) {
	s := stats.Columns[c.name]
	set := c.n - c.nulls
	total := int64(float64(rows) * (1 - col.Null))
	switch {
	case p.whole:
		col.Distinct = values
	default:
		col.Distinct = estimateDistinct(set, values, once, total, s.Distinct)
	}
	const enough = 1000 // rows of a sample
	switch {
	case isKeyColumn(p.table, c.name):
		col.Unique = true
	case p.whole && c.hashes.exact():
		col.Unique = values == set && set > 1
	default:
		col.Unique = set >= enough && values == once && values == set && s.Distinct == -1
	}
	col.Correlation, col.Width, col.Sequence = rounded(s.Correlation, 2), s.Width, s.Sequence
}

// nodes are what may depend on one another in the table.
func (p *probe) nodes(columns []profile.DataColumn, all map[string]*buckets, k int64) []*node {
	var out []*node
	for i, c := range p.columns {
		if columns[i].Unique {
			continue
		}
		b := all[c.name]
		x := &node{name: c.name, labels: b.labels, codes: make([]int16, len(p.sample.rows))}
		beyond := map[int32]bool{}
		for _, v := range columns[i].Values {
			if _, ok := b.listed[v.Value]; !ok {
				beyond[c.dict[v.Value].code] = true
			}
		}
		for r, v := range p.sample.own[i] {
			x.codes[r] = b.ofCell(v, beyond)
		}
		out = append(out, x)
	}
	for i, q := range p.query.Children {
		found := p.children[i].buckets(k)
		if len(found) < 2 {
			continue
		}
		x := &node{name: childrenName(q.Table, q.Reference.Columns), kind: childNumber, codes: make([]int16, len(p.sample.rows))}
		for _, b := range found {
			x.labels = append(x.labels, b.label())
		}
		for r, count := range p.sample.children[i] {
			x.codes[r] = int16(slices.IndexFunc(found, func(b *childBucket) bool { return b.from <= count && count <= b.to }))
		}
		out = append(out, x)
	}
	for i, q := range p.query.Parents {
		if q.Reference.Inferred && !p.parents[i].holds() {
			continue
		}
		for j, name := range q.Columns {
			if b := p.parents[i].buckets[j]; b != nil {
				out = append(out, &node{
					name: parentName(q.Reference.Columns, name), kind: parentColumn, labels: b.labels, codes: p.sample.parents[i][j], through: q.Reference.Columns,
				})
			}
		}
	}
	return out
}
