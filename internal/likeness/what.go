package likeness

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

// changed is what a share was and is; empty where it is the same.
func changed(name string, from, to float64) string {
	if from == to {
		return ""
	}
	return fmt.Sprintf("%s %.2f → %.2f", name, from, to)
}

// difference is a category's share on both sides.
type difference struct {
	name     string
	from, to float64
}

// worstOf names the three categories whose shares differ most.
func worstOf(list []difference) string {
	list = slices.DeleteFunc(list, func(d difference) bool { return d.from == d.to })
	slices.SortStableFunc(list, func(a, b difference) int {
		return cmp.Or(cmp.Compare(math.Abs(b.from-b.to), math.Abs(a.from-a.to)), cmp.Compare(a.name, b.name))
	})
	var out []string
	for _, d := range list[:min(3, len(list))] {
		out = append(out, changed(d.name, d.from, d.to))
	}
	return strings.Join(out, ", ")
}

// categoriesOf names the categories of a column whose shares differ most. Those of
// the original that fewer than k rows hold are one without a name, and so are those
// of the other side alone that fewer than k of its rows hold.
func categoriesOf(c *column) string {
	a, b := counts(c.sides[real].codes), counts(c.sides[synthetic].codes)
	n, m := c.present(real), c.present(synthetic)
	if n == 0 || m == 0 {
		return ""
	}
	var list []difference
	rare, foreign := difference{name: rareName}, difference{name: "values that the original has not"}
	for i, name := range c.names {
		from, to := share(a, i, n), share(b, i, m)
		switch {
		case from == 0 && b[i] < c.k:
			foreign.to += to
		case from > 0 && a[i] < c.k:
			rare.from, rare.to = rare.from+from, rare.to+to
		default:
			list = append(list, difference{short(name), from, to})
		}
	}
	return worstOf(append(list, rare, foreign))
}

// rareName stands for values that must not be named.
const rareName = "rare values"

// short is a value that fits into a line.
func short(value string) string {
	const most = 24
	if r := []rune(value); len(r) > most {
		value = string(r[:most]) + "…"
	}
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' }) {
		return fmt.Sprintf("%q", value)
	}
	return value
}

// quantilesOf are quantiles of both sides. At least k rows of the original lie
// at and beyond each; with fewer than two times k rows there is none.
func quantilesOf(c *column) string {
	a, b := sorted(c.sides[real].numbers), sorted(c.sides[synthetic].numbers)
	if len(a) < 2*c.k || len(b) == 0 {
		return ""
	}
	var out []string
	for _, q := range []struct {
		name string
		at   float64
	}{{"5 %", 0.05}, {"25 %", 0.25}, {"median", 0.5}, {"75 %", 0.75}, {"95 %", 0.95}} {
		i := int(q.at * float64(len(a)-1))
		if i+1 < c.k || len(a)-i < c.k {
			continue
		}
		if x, y := a[i], b[int(q.at*float64(len(b)-1))]; x != y {
			out = append(out, fmt.Sprintf("%s %s → %s", q.name, c.write(x), c.write(y)))
		}
	}
	return strings.Join(out, ", ")
}

// write writes a value of a continuous column.
func (c *column) write(v float64) string {
	if c.sdtype != Datetime || math.IsInf(v, 0) {
		return fmt.Sprintf("%.6g", v)
	}
	t := time.Unix(int64(math.Floor(v)), 0).UTC()
	if c.Type.Kind == schema.Time {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// cellOf names the pairs of categories whose shares differ most. Those of the
// original that fewer than k rows hold are one without a name.
func cellOf(p pair, x, y *[2][]int32) string {
	type cell struct{ x, y int32 }
	var cells [2]map[cell]int
	for which := range cells {
		cells[which] = map[cell]int{}
		for i, c := range x[which] {
			cells[which][cell{c, y[which][i]}]++
		}
	}
	n, m := float64(len(x[real])), float64(len(x[synthetic]))
	name := func(at cell) string { return p.x.category(at.x) + " & " + p.y.category(at.y) }
	var list []difference
	var rare [2]int
	for at, count := range cells[real] {
		if count < p.x.k {
			rare[real] += count
			rare[synthetic] += cells[synthetic][at]
			continue
		}
		list = append(list, difference{name(at), float64(count) / n, float64(cells[synthetic][at]) / m})
	}
	var others int
	for at, count := range cells[synthetic] {
		if cells[real][at] == 0 {
			others += count
		}
	}
	return worstOf(append(list,
		difference{"rare pairs", float64(rare[real]) / n, float64(rare[synthetic]) / m},
		difference{"pairs that the original has not", 0, float64(others) / m}))
}

// category names a code, or a bin.
func (c *column) category(code int32) string {
	switch {
	case code == missing:
		return "NULL"
	case !c.sdtype.continuous():
		return short(c.names[code])
	case code == 0:
		return c.Name + " below all bins"
	case code > bins:
		return c.Name + " at the end"
	}
	return fmt.Sprintf("%s in bin %d of %d", c.Name, code, bins)
}
