package likeness

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// The bounds from which on two columns go together, as of SDMetrics.
const (
	strongCorrelation = 0.5
	strongAssociation = 0.3
)

// additions is what the order of rows may do to a coefficient.
const additions = 1e-9

// pair is two columns of the same rows.
type pair struct{ x, y *column }

// pairs scores every pair of columns of a table.
func (c *comparison) pairs(t *table) {
	var columns []*column
	for _, col := range t.columns {
		if col.sdtype.scored() {
			columns = append(columns, col)
		}
	}
	var list []pair
	for i, x := range columns {
		for _, y := range columns[i+1:] {
			list = append(list, pair{x, y})
		}
	}
	for i, item := range c.trends(list) {
		item.Table, item.Column, item.Other = t.QName(), list[i].x.Name, list[i].y.Name
		c.score(ColumnPairTrends, item, "")
	}
}

// across scores pairs of a column of the parent and one of the child, reference
// by reference. A reference within one table is one like any other.
func (c *comparison) across(ctx context.Context, child *table, tables map[string]*table) error {
	for _, ref := range child.references {
		parent := tables[ref.Table]
		if parent == nil || ref.found[real] == 0 {
			continue
		}
		var all []pair
		for _, p := range parent.columns {
			for _, ch := range child.columns {
				if p.sdtype.scored() && ch.sdtype.scored() {
					all = append(all, pair{p, ch})
				}
			}
		}
		chosen := evenly(all, c.o.PairsPerReference)
		if len(chosen) == 0 {
			continue
		}
		place := child.QName() + "." + referenceName(ref.Columns, ref.Table)
		if len(chosen) < len(all) {
			c.note("Of %d pairs of columns across %s %d were scored.", len(all), place, len(chosen))
		}
		var parents, children []*column
		for _, p := range chosen {
			if !slices.Contains(parents, p.x) {
				parents = append(parents, p.x)
			}
			if !slices.Contains(children, p.y) {
				children = append(children, p.y)
			}
		}
		ps, cs, err := c.join(ctx, child, ref.ForeignKey, parents, children)
		if err != nil {
			return err
		}
		list := make([]pair, len(chosen))
		for i, p := range chosen {
			list[i] = pair{ps[slices.Index(parents, p.x)], cs[slices.Index(children, p.y)]}
		}
		for i, item := range c.trends(list) {
			item.Table, item.Reference = child.QName(), referenceName(ref.Columns, ref.Table)
			item.Column, item.Other = ref.Table+"."+list[i].x.Name, list[i].y.Name
			c.score(IntertableTrends, item, "")
		}
	}
	return nil
}

// evenly takes n of a list at even steps.
func evenly[T any](list []T, n int) []T {
	if len(list) <= n {
		return list
	}
	out := make([]T, n)
	for i := range out {
		out[i] = list[i*len(list)/n]
	}
	return out
}

// trends scores pairs, on all processors, in the order given.
func (c *comparison) trends(list []pair) []Item {
	codes := map[*column]*[2][]int32{}
	for _, p := range list {
		if p.x.sdtype.continuous() && p.y.sdtype.continuous() {
			continue
		}
		for _, col := range []*column{p.x, p.y} {
			if codes[col] == nil {
				codes[col] = &[2][]int32{col.categories(real, c.o.OwnEdges), col.categories(synthetic, c.o.OwnEdges)}
			}
		}
	}
	out := make([]Item, len(list))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(len(list), runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(list) {
					return
				}
				if p := list[i]; p.x.sdtype.continuous() && p.y.sdtype.continuous() {
					out[i] = correlation(p)
				} else {
					out[i] = contingency(p, codes[p.x], codes[p.y])
				}
			}
		})
	}
	wg.Wait()
	return out
}

// correlation scores two columns of numbers. It is NaN where the original has no
// coefficient; where only the generated side has none, its is 0.
func correlation(p pair) Item {
	a := Pearson(p.x.sides[real].numbers, p.y.sides[real].numbers)
	b := Pearson(p.x.sides[synthetic].numbers, p.y.sides[synthetic].numbers)
	i := Item{Metric: "CorrelationSimilarity", Score: math.NaN(), Strong: math.Abs(a) > strongCorrelation}
	if math.IsNaN(a) {
		return i
	}
	if math.IsNaN(b) {
		b = 0
	}
	if math.Abs(a-b) < additions {
		b = a
	}
	if i.Score = CorrelationSimilarity(a, b); i.Score < 1 {
		i.What = fmt.Sprintf("correlation %.2f → %.2f", a, b)
	}
	return i
}

// contingency scores two columns of which at least one is discrete.
func contingency(p pair, x, y *[2][]int32) Item {
	i := Item{Metric: "ContingencySimilarity", Score: ContingencySimilarity([2][]int32{x[real], y[real]}, [2][]int32{x[synthetic], y[synthetic]})}
	if math.IsNaN(i.Score) && len(x[real]) > 0 {
		i.Score, i.What = 0, "there is no row"
		return i
	}
	i.Strong = CramersV(x[real], y[real]) > strongAssociation
	if i.Score < 1 {
		i.What = cellOf(p, x, y)
	}
	return i
}
