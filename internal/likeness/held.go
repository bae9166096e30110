package likeness

import (
	"math"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/profile"
)

// hold marks the scores that a profile cannot be blamed for: K rows must share
// what it knows. Beyond it are columns of which values that fewer rows share make
// up more than a tenth, tables with fewer than 2 K rows, and references that fewer
// than 2 K rows make.
func (r *Report) hold(p *profile.Data) {
	if p == nil {
		return
	}
	h := holder{p, 2 * int64(p.Privacy.K)}
	for i := range r.Properties {
		q := &r.Properties[i]
		var sum float64
		for j := range q.Items {
			q.Items[j].Beyond = !h.holds(q.Items[j])
			if !q.Items[j].Beyond {
				sum += q.Items[j].Score
				q.Held++
			}
		}
		if q.Held > 0 {
			m := sum / float64(q.Held)
			q.HeldScore = &m
		}
	}
}

type holder struct {
	*profile.Data
	least int64 // rows
}

// holds reports whether a profile under K can know what an item scores.
func (h holder) holds(i Item) bool {
	if i.Reference == "" {
		return h.column(i.Table, i.Column) && (i.Other == "" || h.column(i.Table, i.Other))
	}
	columns, to, _ := strings.Cut(i.Reference, " -> ")
	t, ok := h.Table(i.Table)
	parent, ok2 := h.Table(to)
	if !ok || !ok2 || parent.Rows < h.least {
		return false
	}
	given := float64(t.Rows)
	for _, name := range strings.Split(columns, ",") {
		if c, ok := t.Column(name); ok {
			given = min(given, float64(t.Rows)*(1-c.Null))
		}
	}
	if int64(math.Round(given)) < h.least {
		return false
	}
	if i.Column == "" {
		return true
	}
	_, name, _ := strings.Cut(i.Column, to+".")
	return h.column(to, name) && h.column(i.Table, i.Other)
}

func (h holder) column(table, name string) bool {
	t, ok := h.Table(table)
	if !ok || t.Rows < h.least {
		return false
	}
	c, ok := t.Column(name)
	if !ok {
		return false
	}
	left := 1 - c.Null
	for _, v := range c.Values {
		left -= v.Share
	}
	return left < 0.1 || c.Numbers != nil && len(c.Numbers.Quantiles) > 3 || c.Times != nil && len(c.Times.Quantiles) > 3
}
