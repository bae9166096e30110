package measure

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/profile"
)

// Bounds of dependences.
const (
	leastStrength = 0.02
	maxNodes      = 120
)

// node is a column, a number of children, or a column of a parent, as a bucket for
// each sampled row.
type node struct {
	name    string
	kind    nodeKind
	labels  []string
	codes   []int16 // none: not known
	entropy float64
	// through are the columns of the table that a parent's column is reached by.
	through []string
}

type nodeKind int

const (
	ownColumn nodeKind = iota
	childNumber
	parentColumn
	rowClass
)

// edge is a dependence between two nodes.
type edge struct {
	a, b        int
	information float64
}

// forest is the forest of the greatest mutual information over the nodes (Chow and
// Liu), each tree from its root downwards. A parent's column is the root of its
// tree, as the class of rows is, and a number of children is a leaf, as is what generators need:
// parents are there first, and children come last.
func forest(nodes []*node, k int64, n *noise) []profile.DataDependence {
	nodes = slices.DeleteFunc(nodes, func(x *node) bool {
		x.entropy = entropy(x)
		return x.entropy < 1e-3
	})
	nodes = nodes[:min(len(nodes), maxNodes)]
	var edges []edge
	for i, a := range nodes {
		for j := i + 1; j < len(nodes); j++ {
			b := nodes[j]
			if a.kind != ownColumn && b.kind != ownColumn && (a.kind == b.kind) || slices.Contains(a.through, b.name) || slices.Contains(b.through, a.name) {
				continue
			}
			if mi := information(a, b); mi >= leastStrength*min(a.entropy, b.entropy) {
				edges = append(edges, edge{i, j, mi})
			}
		}
	}
	slices.SortStableFunc(edges, func(a, b edge) int { return cmp.Compare(b.information, a.information) })
	tree := newTrees(nodes)
	for _, e := range edges {
		tree.join(e)
	}
	return tree.dependences(k, n)
}

// trees is a forest that grows.
type trees struct {
	nodes  []*node
	leader []int
	rooted []bool // by leader: a parent's column, or the class, is in the tree
	next   [][]edge
}

func newTrees(nodes []*node) *trees {
	t := &trees{nodes: nodes, leader: make([]int, len(nodes)), rooted: make([]bool, len(nodes)), next: make([][]edge, len(nodes))}
	for i, n := range nodes {
		t.leader[i] = i
		t.rooted[i] = n.kind == parentColumn || n.kind == rowClass
	}
	return t
}

func (t *trees) find(i int) int {
	for t.leader[i] != i {
		i = t.leader[i]
	}
	return i
}

// join adds an edge unless it closes a circle, gives a tree a second root, or
// makes a number of children more than a leaf.
func (t *trees) join(e edge) {
	a, b := t.find(e.a), t.find(e.b)
	if a == b || t.rooted[a] && t.rooted[b] {
		return
	}
	for _, i := range []int{e.a, e.b} {
		if t.nodes[i].kind == childNumber && len(t.next[i]) > 0 {
			return
		}
	}
	t.leader[b] = a
	t.rooted[a] = t.rooted[a] || t.rooted[b]
	t.next[e.a] = append(t.next[e.a], e)
	t.next[e.b] = append(t.next[e.b], edge{e.b, e.a, e.information})
}

// dependences walks each tree from its root, which without a parent's column is
// that with the fewest buckets: kinds of rows first, then what they hold.
func (t *trees) dependences(k int64, n *noise) []profile.DataDependence {
	order := make([]int, len(t.nodes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		rank := func(i int) int {
			switch t.nodes[i].kind {
			case parentColumn, rowClass:
				return 0
			case ownColumn:
				return 1
			}
			return 2
		}
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(len(t.nodes[a].labels), len(t.nodes[b].labels)))
	})
	seen := make([]bool, len(t.nodes))
	var out []profile.DataDependence
	var walk func(i int)
	walk = func(i int) {
		seen[i] = true
		for _, e := range t.next[i] {
			if seen[e.b] {
				continue
			}
			if d, ok := dependence(t.nodes[e.b], t.nodes[i], e.information, k, n); ok {
				out = append(out, d)
			}
			walk(e.b)
		}
	}
	for _, i := range order {
		if !seen[i] {
			walk(i)
		}
	}
	return out
}

// dependence is what one node is for each bucket of the other.
func dependence(column, on *node, information float64, k int64, n *noise) (profile.DataDependence, bool) {
	d := profile.DataDependence{Column: column.name, On: on.name, Strength: rounded(min(1, information/column.entropy), 3)}
	if d.Strength < leastStrength {
		return d, false
	}
	table, rows, total := contingency(on, column)
	for i, label := range on.labels {
		if rows[i] < k {
			continue
		}
		given := profile.DataGiven{Bucket: label, Share: n.share(rows[i], total)}
		// A combination that a handful of rows have tells of those rows.
		least := max(k/4, 1)
		kept := 0.0
		counts := make([]float64, len(column.labels))
		for j := range column.labels {
			if c := table[i*len(column.labels)+j]; c >= least {
				counts[j] = n.count(c)
				kept += counts[j]
			}
		}
		for j, label := range column.labels {
			if counts[j] > 0 {
				given.Then = append(given.Then, profile.DataShare{Name: label, Share: rounded(counts[j]/kept, 4)})
			}
		}
		if len(given.Then) > 0 {
			d.Given = append(d.Given, given)
		}
	}
	return d, len(d.Given) > 1
}

// contingency counts the pairs of buckets, and those of a alone.
func contingency(a, b *node) (table, rows []int64, total int64) {
	width := len(b.labels)
	table, rows = make([]int64, len(a.labels)*width), make([]int64, len(a.labels))
	for i, x := range a.codes {
		if y := b.codes[i]; x >= 0 && y >= 0 {
			table[int(x)*width+int(y)]++
			rows[x]++
			total++
		}
	}
	return table, rows, total
}

func entropy(x *node) float64 {
	counts := make([]int64, len(x.labels))
	var total int64
	for _, c := range x.codes {
		if c >= 0 {
			counts[c]++
			total++
		}
	}
	return entropyOf(counts, total)
}

func entropyOf(counts []int64, total int64) float64 {
	h := 0.0
	for _, c := range counts {
		if c > 0 {
			p := float64(c) / float64(total)
			h -= p * math.Log(p)
		}
	}
	return h
}

// information is the mutual information of two nodes, in nats, less what chance
// alone would give (Miller and Madow); 0 where a G-test calls it chance.
func information(a, b *node) float64 {
	table, rows, total := contingency(a, b)
	if total == 0 {
		return 0
	}
	columns := make([]int64, len(b.labels))
	for i := range rows {
		for j := range columns {
			columns[j] += table[i*len(columns)+j]
		}
	}
	mi := entropyOf(rows, total) + entropyOf(columns, total) - entropyOf(table, total)
	freedom := float64((used(rows) - 1) * (used(columns) - 1))
	if freedom <= 0 || 2*float64(total)*mi < critical(freedom) {
		return 0
	}
	return max(0, mi-freedom/(2*float64(total)))
}

func used(counts []int64) int {
	n := 0
	for _, c := range counts {
		if c > 0 {
			n++
		}
	}
	return n
}

// critical is about the value of a chi-square variable that one in 30,000 exceeds
// (Wilson and Hilferty): a table has hundreds of pairs.
func critical(freedom float64) float64 {
	const z = 4
	c := 1 - 2/(9*freedom) + z*math.Sqrt(2/(9*freedom))
	return freedom * c * c * c
}

// parentName names a column of the row that a reference leads to.
func parentName(columns []string, column string) string {
	return strings.Join(columns, ",") + " -> " + column
}
