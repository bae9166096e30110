package measure

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/rehearse-dev/rehearse/internal/profile"
)

// Bounds of classes.
const (
	maxClassColumns = 24
	maxClassLabels  = 64
	maxClasses      = 300
)

// classes are the kinds of rows of a table: a tree that divides rows by the bucket
// of one column after the other, and never into fewer than k.
type classes struct {
	columns []string
	root    *classNode
	out     *profile.DataClasses
	codes   []int16 // the class of each sampled row
}

// classNode divides rows by the bucket of a column.
type classNode struct {
	next  map[int16]*classNode
	other *classNode // of buckets that have too few rows; nil: they go with the largest
	most  *classNode
	class int16 // of a leaf
	is    []int16
	rows  int64
}

const open = -2 // in is: the class says nothing of the column

// classesOf finds the classes of a table's sampled rows. Columns that tell nothing
// of any other are left out; where none tells anything there are no classes.
// Which row a reference leads to is no kind of row, but whether it leads anywhere
// is.
func classesOf(nodes []*node, references map[string]bool, k int64, n *noise) *classes {
	type candidate struct {
		*node
		told float64
	}
	var all []candidate
	for _, x := range nodes {
		if references[x.name] {
			x = x.present()
		}
		if x.entropy = entropy(x); x.kind == ownColumn && x.entropy > 1e-3 && len(x.labels) <= maxClassLabels {
			all = append(all, candidate{node: x})
		}
	}
	all = all[:min(len(all), maxNodes)]
	for i := range all {
		for j := i + 1; j < len(all); j++ {
			if mi, least := information(all[i].node, all[j].node), min(all[i].entropy, all[j].entropy); mi >= leastStrength*least {
				all[i].told += mi / least
				all[j].told += mi / least
			}
		}
	}
	all = slices.DeleteFunc(all, func(c candidate) bool { return c.told == 0 })
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.told, a.told) })
	all = all[:min(len(all), maxClassColumns)]
	if len(all) < 2 {
		return nil
	}
	c := &classes{out: &profile.DataClasses{}}
	b := &classBuilder{k: k}
	rows := len(all[0].codes)
	b.k = max(k, int64(rows/maxClasses))
	for _, x := range all {
		c.columns = append(c.columns, x.name)
		b.columns = append(b.columns, x.node)
	}
	every := make([]int32, rows)
	for i := range every {
		every[i] = int32(i)
	}
	c.root = b.divide(every, 0, nil)
	if len(b.leaves) < 2 {
		return nil
	}
	slices.SortStableFunc(b.leaves, func(a, b *classNode) int { return cmp.Compare(b.rows, a.rows) })
	for i, l := range b.leaves {
		l.class = int16(i)
	}
	c.codes = make([]int16, rows)
	at := make([]int16, len(all))
	for r := range rows {
		for i, x := range all {
			at[i] = x.codes[r]
		}
		c.codes[r] = c.of(at)
	}
	c.write(b, n, int64(rows))
	return c
}

// present is whether a column has a value.
func (x *node) present() *node {
	out := &node{name: x.name, kind: x.kind, labels: []string{"null", "rest"}, codes: slices.Clone(x.codes)}
	for i, c := range out.codes {
		if c > 0 {
			out.codes[i] = 1
		}
	}
	return out
}

// classBuilder divides rows.
type classBuilder struct {
	k       int64
	columns []*node
	leaves  []*classNode
}

func (b *classBuilder) divide(rows []int32, depth int, is []int16) *classNode {
	if depth == len(b.columns) {
		leaf := &classNode{is: slices.Clone(is), rows: int64(len(rows))}
		b.leaves = append(b.leaves, leaf)
		return leaf
	}
	groups := map[int16][]int32{}
	for _, r := range rows {
		code := b.columns[depth].codes[r]
		groups[code] = append(groups[code], r)
	}
	codes := make([]int16, 0, len(groups))
	for code := range groups {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	var few []int32
	var large []int16
	most := int16(none)
	for _, code := range codes {
		if int64(len(groups[code])) < b.k || code == none {
			few = append(few, groups[code]...)
			continue
		}
		large = append(large, code)
		if most == none || len(groups[code]) > len(groups[most]) {
			most = code
		}
	}
	x := &classNode{next: map[int16]*classNode{}}
	if len(large) == 0 {
		x.other = b.divide(rows, depth+1, append(is, open))
		return x
	}
	if int64(len(few)) < b.k {
		// Too few for a class of their own: they count as the most common.
		groups[most] = append(slices.Clone(groups[most]), few...)
		few = nil
	}
	for _, code := range large {
		x.next[code] = b.divide(groups[code], depth+1, append(slices.Clone(is), code))
	}
	x.most = x.next[most]
	if few != nil {
		x.other = b.divide(few, depth+1, append(slices.Clone(is), open))
	}
	return x
}

// of is the class of a row by the buckets of the classes' columns.
func (c *classes) of(codes []int16) int16 {
	x := c.root
	for _, code := range codes {
		switch {
		case x.next == nil:
			return x.class
		case x.next[code] != nil:
			x = x.next[code]
		case x.other != nil:
			x = x.other
		default:
			x = x.most
		}
	}
	return x.class
}

func (c *classes) write(b *classBuilder, n *noise, rows int64) {
	usual := make([]int16, len(b.columns))
	for i, x := range b.columns {
		counts := make([]int64, len(x.labels))
		for _, l := range b.leaves {
			if l.is[i] >= 0 {
				counts[l.is[i]] += l.rows
			}
		}
		for code := range counts {
			if counts[code] > counts[usual[i]] {
				usual[i] = int16(code)
			}
		}
		c.out.Usual = append(c.out.Usual, profile.DataBucket{Column: x.name, Bucket: x.labels[usual[i]]})
	}
	c.out.Columns = c.columns
	for _, l := range b.leaves {
		k := profile.DataClass{Share: n.share(l.rows, rows)}
		for i, code := range l.is {
			switch code {
			case open:
				k.Open = append(k.Open, c.columns[i])
			case usual[i]:
			default:
				k.Is = append(k.Is, profile.DataBucket{Column: c.columns[i], Bucket: b.columns[i].labels[code]})
			}
		}
		c.out.List = append(c.out.List, k)
	}
}

// node is the class of each sampled row, for what depends on it.
func (c *classes) node() *node {
	x := &node{name: "class", kind: rowClass, codes: c.codes}
	for i := range c.out.List {
		x.labels = append(x.labels, className(i))
	}
	return x
}

func className(i int) string { return fmt.Sprintf("c%d", i+1) }

// affinity is which classes of parents the rows of each class refer to: parents
// has the class of each sampled row's parent.
func affinity(own *node, parents []int16, to *classes, k int64, n *noise) []profile.DataGiven {
	x := &node{name: "parent's class", codes: parents, labels: to.node().labels}
	if x.entropy = entropy(x); x.entropy < 1e-3 {
		return nil
	}
	mi := information(own, x)
	if mi < leastStrength*min(own.entropy, x.entropy) {
		return nil
	}
	d, ok := dependence(x, own, mi, k, n)
	if !ok {
		return nil
	}
	return d.Given
}
