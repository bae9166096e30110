package synth

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// builder makes the nodes, each after those that it follows.
type builder struct {
	p     *Program
	nodes map[string]*node
	open  map[string]bool // being made: what follows these would follow itself
}

// reference makes the nodes of a reference and counts its slots.
func (b *builder) reference(r *reference) {
	if r.starts != nil {
		return
	}
	name := r.from.name + "->" + strings.Join(r.fk.Columns, ",")
	if b.open[name] {
		return
	}
	b.open[name] = true
	defer delete(b.open, name)
	if !r.required() {
		// The columns of a reference are NULL together: MATCH SIMPLE would allow
		// one of them alone, which refers to nobody either.
		for _, ci := range r.columns {
			c := r.from.columns[ci]
			if c.ref == r && !c.schema.NotNull {
				r.null = b.node(c)
				break
			}
		}
	}
	r.children = b.children(r)
	for _, t := range []*table{r.from, r.to} {
		if t.profile.Classes != nil {
			b.class(t)
		}
	}
	r.prepare()
}

// children makes the node of the number of children of a reference's parents.
func (b *builder) children(r *reference) *node {
	counts := []profile.DataCount{{From: 0, To: 0, Share: 0.15}, {From: 1, To: 1, Share: 0.25}, {From: 2, To: 4, Share: 0.35, Mean: 2.8}, {From: 5, To: 20, Share: 0.25, Mean: 8}}
	if found, ok := r.from.profile.Reference(r.fk.Columns); ok && len(found.Children) > 0 {
		counts = found.Children
	}
	var labels []string
	var shares []float64
	for _, c := range counts {
		k := count{from: c.From, to: c.To, power: 1}
		if c.To > c.From && c.Mean > float64(c.From) && c.Mean < float64(c.To) {
			k.power = float64(c.To-c.From)/(c.Mean-float64(c.From)) - 1
		}
		r.counts = append(r.counts, k)
		labels = append(labels, countLabel(c))
		shares = append(shares, c.Share)
	}
	name := "children(" + r.from.name + "." + strings.Join(r.fk.Columns, ",") + ")"
	return b.forest(r.to, name, labels, shares, 0, permute(r.to.rows, seedOf(r.to.seed, name)))
}

// countLabel is a bucket of the number of children as profiles write it.
func countLabel(c profile.DataCount) string {
	if c.From == c.To {
		return strconv.FormatInt(c.From, 10)
	}
	return fmt.Sprintf("%d-%d", c.From, c.To)
}

// node gives the node of a column, and makes it first where need be.
func (b *builder) node(c *column) *node {
	if c.node != nil {
		return c.node
	}
	if c.ref != nil {
		null := c.profile.Null
		if c.schema.NotNull {
			null = 0
		}
		c.buckets = []bucket{{label: "null", null: true, tenth: -1}, {label: "rest", tenth: -1}}
		c.node = b.forest(c.table, c.schema.Name, []string{"null", "rest"}, []float64{null, 1 - null}, 0, permute(c.table.rows, c.seed))
		return c.node
	}
	var shares []float64
	c.buckets, shares = c.makeBuckets()
	labels := make([]string, len(c.buckets))
	for i := range c.buckets {
		labels[i] = c.buckets[i].label
	}
	order := permute(c.table.rows, c.seed)
	if c.unique || math.Abs(c.profile.Correlation) > 0.95 && len(c.profile.Values) == 0 && ordered(c.schema.Type.Kind) {
		order = inOrder(c.table.rows, c.profile.Correlation < -0.9)
	}
	if c.unique {
		c.node = deal(c.schema.Name, c.seed, c.table.rows, shares, 0, order)
		return c.node
	}
	c.node = b.forest(c.table, c.schema.Name, labels, shares, 1, order)
	return c.node
}

func ordered(k schema.Kind) bool {
	return k == schema.Int || k == schema.Float || k == schema.Decimal || k == schema.Timestamp || k == schema.Instant || k == schema.Date
}

// forest makes a node that follows what the profile says it follows.
func (b *builder) forest(t *table, name string, labels []string, shares []float64, least int64, order permutation) *node {
	key := t.name + "." + name
	if n := b.nodes[key]; n != nil {
		return n
	}
	seed := seedOf(t.seed, name)
	root := func() *node {
		n := deal(name, seed, t.rows, shares, least, order)
		b.nodes[key] = n
		return n
	}
	if n := b.ofClass(t, name, key, seed, labels, shares); n != nil {
		return n
	}
	dep := dependence(t.profile, name)
	if dep == nil || b.open[key] {
		return root()
	}
	b.open[key] = true
	defer delete(b.open, key)
	if fk, on, ok := strings.Cut(dep.On, " -> "); ok {
		via := t.referenceBy(strings.Split(fk, ","))
		if via == nil || strings.HasPrefix(name, "children(") {
			return root()
		}
		to := via.to.columnNamed(on)
		if to == nil || to.unique || b.open[via.to.name+"."+on] {
			return root()
		}
		b.reference(via)
		if via.starts == nil {
			return root()
		}
		parent := b.node(to)
		given := matrix(dep, labelsOf(to), labels, shares)
		n := followReferenced(name, seed, t.rows, via, parent, given, shares)
		b.nodes[key] = n
		return n
	}
	on := t.columnNamed(dep.On)
	var parent *node
	var onLabels []string
	switch {
	case dep.On == "class" && t.profile.Classes != nil:
		parent, onLabels = b.class(t), classLabels(t.profile.Classes)
	case on != nil && !on.unique && !b.open[t.name+"."+dep.On]:
		parent, onLabels = b.node(on), labelsOf(on)
	case strings.HasPrefix(dep.On, "children("):
		for _, other := range b.p.tables {
			for _, r := range other.references {
				if r.to == t && dep.On == "children("+other.name+"."+strings.Join(r.fk.Columns, ",")+")" {
					b.reference(r)
					if parent = r.children; parent != nil {
						onLabels = r.labels()
					}
				}
			}
		}
	}
	if parent == nil || b.nodes[key] != nil {
		if n := b.nodes[key]; n != nil {
			return n
		}
		return root()
	}
	n := follow(name, seed, parent, matrix(dep, onLabels, labels, shares))
	b.nodes[key] = n
	return n
}

func (r *reference) labels() []string {
	out := make([]string, len(r.counts))
	for i, c := range r.counts {
		out[i] = countLabel(profile.DataCount{From: c.from, To: c.to})
	}
	return out
}

func labelsOf(c *column) []string {
	out := make([]string, len(c.buckets))
	for i := range c.buckets {
		out[i] = c.buckets[i].label
	}
	return out
}

func dependence(t *profile.DataTable, name string) *profile.DataDependence {
	for i := range t.Depends {
		if t.Depends[i].Column == name {
			return &t.Depends[i]
		}
	}
	return nil
}

func (t *table) referenceBy(columns []string) *reference {
	for _, r := range t.references {
		if slices.Equal(r.fk.Columns, columns) {
			return r
		}
	}
	return nil
}

// matrix gives the shares of our buckets for each bucket of the other's, in the
// order of both. Where the profile is silent the marginal holds.
func matrix(dep *profile.DataDependence, on, own []string, marginal []float64) [][]float64 {
	index := map[string]int{}
	for i, l := range own {
		index[l] = i
	}
	var rest []int // where what has no bucket of its own goes
	for i, l := range own {
		if l == "rest" || strings.HasPrefix(l, "q") && !strings.HasPrefix(l, "=") {
			rest = append(rest, i)
		}
	}
	shares := func(given profile.DataGiven) []float64 {
		out := make([]float64, len(own))
		var sum float64
		for _, s := range given.Then {
			sum += s.Share
			if i, ok := index[s.Name]; ok {
				out[i] += s.Share
				continue
			}
			if s.Name == "null" && len(rest) == 0 {
				continue
			}
			for _, i := range rest {
				out[i] += s.Share / float64(len(rest))
			}
		}
		if sum <= 0 {
			return marginal
		}
		// What is withheld of the row is spread as the marginal is.
		if left := 1 - sum; left > 0.0005 {
			var listed float64
			for i, m := range marginal {
				if out[i] == 0 {
					listed += m
				}
			}
			for i, m := range marginal {
				if out[i] == 0 && listed > 0 {
					out[i] = left * m / listed
				}
			}
		}
		return out
	}
	out := make([][]float64, len(on))
	for p, label := range on {
		out[p] = marginal
		var merged []float64
		var weight float64
		for _, g := range dep.Given {
			switch {
			case g.Bucket == label:
				out[p] = shares(g)
				merged = nil
			case label == "rest" && g.Bucket != "null" && !slices.Contains(on, g.Bucket):
				// The other has one bucket where the profile had several.
				s := shares(g)
				if merged == nil {
					merged = make([]float64, len(own))
				}
				for i := range s {
					merged[i] += s[i] * g.Share
				}
				weight += g.Share
			default:
				continue
			}
			if g.Bucket == label {
				break
			}
		}
		if merged != nil && weight > 0 {
			for i := range merged {
				merged[i] /= weight
			}
			out[p] = merged
		}
	}
	return out
}
