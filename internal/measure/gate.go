package measure

import (
	"slices"

	"github.com/rehearse-dev/rehearse/internal/profile"
)

// gate is the last look at what a column lists: it takes away every value that
// fewer than k of the rows that were read hold, or that looks private, unless the
// schema names it, and says how many it took. Nothing is listed but through it.
func gate(p *profile.DataColumn, c *column, k int64) int {
	before := len(p.Values)
	p.Values = slices.DeleteFunc(p.Values, func(v profile.DataValue) bool { return !c.mayList(v.Value, k) })
	removed := before - len(p.Values)
	if p.Array != nil {
		removed += gate(&p.Array.Item, c.item, k)
	}
	if p.JSON != nil {
		removed += gateDocument(p.JSON, c.json, k)
	}
	return removed
}

func (c *column) mayList(v string, k int64) bool {
	e := c.dict[v]
	return e != nil && (c.public[v] || e.rows >= k && private(v) == "")
}

func gateDocument(p *profile.DataJSON, d *document, k int64) int {
	before := len(p.Values) + len(p.Keys)
	p.Values = slices.DeleteFunc(p.Values, func(v profile.DataValue) bool {
		return !slices.ContainsFunc([]*column{d.texts, d.numbers, d.bools}, func(c *column) bool { return c != nil && c.mayList(v.Value, k) })
	})
	p.Keys = slices.DeleteFunc(p.Keys, func(f profile.DataJSONKey) bool {
		return d.keys[f.Name] == nil || d.keys[f.Name].rows < k || private(f.Name) != ""
	})
	removed := before - len(p.Values) - len(p.Keys)
	if p.Items != nil {
		removed += gateDocument(p.Items, d.items, k)
	}
	for i := range p.Keys {
		removed += gateDocument(&p.Keys[i].Value, d.keys[p.Keys[i].Name].value, k)
	}
	return removed
}

// listedIn counts the values that a column lists.
func listedIn(c *profile.DataColumn) int {
	n := len(c.Values)
	if c.Array != nil {
		n += listedIn(&c.Array.Item)
	}
	if c.JSON != nil {
		n += listedInDocument(c.JSON)
	}
	return n
}

func listedInDocument(j *profile.DataJSON) int {
	n := len(j.Values)
	if j.Items != nil {
		n += listedInDocument(j.Items)
	}
	for i := range j.Keys {
		n += listedInDocument(&j.Keys[i].Value)
	}
	return n
}
