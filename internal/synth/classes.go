package synth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/profile"
)

// class makes the node of a table's classes of rows.
func (b *builder) class(t *table) *node {
	if t.class == nil {
		shares := make([]float64, len(t.profile.Classes.List))
		for i, c := range t.profile.Classes.List {
			shares[i] = c.Share
		}
		seed := seedOf(t.seed, "class")
		t.class = deal("class", seed, t.rows, shares, 1, permute(t.rows, seed))
	}
	return t.class
}

func classLabels(c *profile.DataClasses) []string {
	out := make([]string, len(c.List))
	for i := range out {
		out[i] = fmt.Sprintf("c%d", i+1)
	}
	return out
}

// ofClass makes the node of a column that classes tell apart; nil where they do
// not. In classes that say nothing of the column its buckets are as common as
// what the others leave of them.
func (b *builder) ofClass(t *table, name, key string, seed uint64, labels []string, shares []float64) *node {
	c := t.profile.Classes
	if c == nil || !slices.Contains(c.Columns, name) {
		if c != nil && t.isReference(name) {
			// So that it is known how many rows of each class refer to somebody.
			given := make([][]float64, len(c.List))
			for i := range given {
				given[i] = shares
			}
			n := follow(name, seed, b.class(t), given)
			b.nodes[key] = n
			return n
		}
		return nil
	}
	index := map[string]int{}
	rest := -1
	var tenths []int
	for i, l := range labels {
		index[l] = i
		if l == "rest" {
			rest = i
		}
		if strings.HasPrefix(l, "q") {
			tenths = append(tenths, i)
		}
	}
	of := make([][]int, len(c.List)) // the buckets of each class
	left := slices.Clone(shares)
	for k := range c.List {
		label, known := c.Bucket(k, name)
		if !known {
			continue
		}
		switch i, ok := index[label]; {
		case ok:
			of[k] = []int{i}
		case rest >= 0 && label != "null":
			of[k] = []int{rest}
		case len(tenths) > 0 && label != "null":
			of[k] = tenths
		}
		for _, i := range of[k] {
			left[i] -= c.List[k].Share / float64(len(of[k]))
		}
	}
	var sum float64
	for i := range left {
		left[i] = max(left[i], 0)
		sum += left[i]
	}
	if sum < 1e-9 {
		left = shares
	}
	given := make([][]float64, len(c.List))
	for k := range given {
		given[k] = left
		if of[k] != nil {
			given[k] = make([]float64, len(labels))
			for _, i := range of[k] {
				given[k][i] = 1 / float64(len(of[k]))
			}
		}
	}
	n := follow(name, seed, b.class(t), given)
	b.nodes[key] = n
	return n
}

// isReference: the column decides whether its reference leads anywhere.
func (t *table) isReference(name string) bool {
	c := t.columnNamed(name)
	return c != nil && c.ref != nil
}
