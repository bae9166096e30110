package likeness

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/rehearse-dev/rehearse/internal/profile"
)

// Report is how alike a generated database is to what it was made from.
type Report struct {
	// Score is the mean of the scores of the properties that count, as of
	// SDMetrics' quality report; 0 where nothing could be scored.
	Score float64 `json:"score"`
	// Basis is "rows" where both sides were read, "profiles" where two profiles
	// were compared.
	Basis      string     `json:"basis"`
	Properties []Property `json:"properties"`
	Tables     []Table    `json:"tables"`
	// Lost are the scores that cost most, the costliest first.
	Lost  []Loss `json:"lost,omitempty"`
	Gates []Gate `json:"gates"`
	// Small are tables with fewer than twice K rows, of which a profile can hold
	// little. They are scored like all others.
	Small []string `json:"small,omitempty"`
	// LeftOut is what could not be scored, and why.
	LeftOut []LeftOut `json:"leftOut,omitempty"`
	// Notes are sentences about how the report came to be, as about sampled tables.
	Notes []string `json:"notes,omitempty"`
}

// The names of properties. The first four are SDMetrics' and count.
const (
	ColumnShapes     = "Column Shapes"
	ColumnPairTrends = "Column Pair Trends"
	Cardinality      = "Cardinality"
	IntertableTrends = "Intertable Trends"

	TextShapes           = "Text Shapes"
	MissingValues        = "Missing Values"
	DataValidity         = "Data Validity"
	ReferentialIntegrity = "Referential Integrity"
	ArtifactCoverage     = "Artifact Coverage"
)

// propertyNames are in the order of reports.
var propertyNames = []string{ColumnShapes, ColumnPairTrends, Cardinality, IntertableTrends,
	TextShapes, MissingValues, DataValidity, ReferentialIntegrity, ArtifactCoverage}

// counting is how many of them count.
const counting = 4

// Property is one side of the likeness: many scores and their mean.
type Property struct {
	Name  string  `json:"name"`
	Score float64 `json:"score"`
	// Counts: the score is part of the report's.
	Counts bool `json:"counts"`
	// Strong is, of trends, the mean over those pairs alone that go together in the
	// real data, |r| > 0.5 or Cramér's V > 0.3, which is what SDMetrics' report
	// averages by default in its later versions. It is nil where there is no such pair.
	Strong *float64 `json:"strong,omitempty"`
	// HeldScore is the mean over those items alone that a profile under its K can
	// know, where there is a profile, and Held how many these are.
	HeldScore *float64 `json:"heldScore,omitempty"`
	Held      int      `json:"held,omitempty"`
	Items     []Item   `json:"items"`
}

// Item is one score.
type Item struct {
	Table string `json:"table"`
	// Column, and Other where it is a pair: "COLUMN", or "PARENT.COLUMN" across a
	// reference.
	Column string `json:"column,omitempty"`
	Other  string `json:"other,omitempty"`
	// Reference is "COLUMN,… -> TABLE".
	Reference string  `json:"reference,omitempty"`
	Metric    string  `json:"metric"`
	Score     float64 `json:"score"`
	// Strong: the two columns go together in the real data.
	Strong bool `json:"strong,omitempty"`
	// Beyond: the profile's K keeps it from knowing what is scored here.
	Beyond bool `json:"beyond,omitempty"`
	// What says what was expected and what is there, where the score is below 1.
	What string `json:"what,omitempty"`
}

// Place names what was scored: "orders.status", "orders.status × total",
// "orders.customer_id -> customers: country × status".
func (i Item) Place() string {
	switch {
	case i.Reference != "" && i.Column != "":
		return fmt.Sprintf("%s.%s: %s × %s", i.Table, i.Reference, i.Column, i.Other)
	case i.Reference != "":
		return i.Table + "." + i.Reference
	case i.Other != "":
		return fmt.Sprintf("%s.%s × %s", i.Table, i.Column, i.Other)
	}
	return i.Table + "." + i.Column
}

// Table is the scores of one table by property; those across a reference belong
// to the table that refers.
type Table struct {
	Name string `json:"name"`
	// Rows on both sides, as far as known.
	Real      int64 `json:"real"`
	Synthetic int64 `json:"synthetic"`
	// Scores are in the order of the report's properties; a property without a
	// score of the table is not among them.
	Scores []TableScore `json:"scores,omitempty"`
}

// TableScore is a table's mean of one property.
type TableScore struct {
	Property string  `json:"property"`
	Score    float64 `json:"score"`
}

// Loss is a score below 1 and what it costs.
type Loss struct {
	Property string  `json:"property"`
	Place    string  `json:"place"`
	Metric   string  `json:"metric"`
	Score    float64 `json:"score"`
	// Cost is how much higher the report's score would be without it.
	Cost float64 `json:"cost"`
	What string  `json:"what,omitempty"`
}

// Gate is something that must hold whatever the score.
type Gate struct {
	Name  string  `json:"name"`
	Pass  bool    `json:"pass"`
	Score float64 `json:"score"`
	// Broken is what does not hold, as in "orders.customer_id -> customers: 0.98".
	Broken []string `json:"broken,omitempty"`
}

// LeftOut is something that was not scored.
type LeftOut struct {
	Place string `json:"place"`
	Why   string `json:"why"`
}

// Property finds a property by its name.
func (r *Report) Property(name string) (*Property, bool) {
	for i := range r.Properties {
		if r.Properties[i].Name == name {
			return &r.Properties[i], true
		}
	}
	return nil, false
}

// Passed reports whether every gate holds.
func (r *Report) Passed() bool {
	return !slices.ContainsFunc(r.Gates, func(g Gate) bool { return !g.Pass })
}

// collector gathers scores.
type collector struct {
	items   map[string][]Item
	leftOut []LeftOut
	notes   []string
	small   []string
	tables  []Table
	gates   []Gate
}

// score adds a score; NaN is left out for the reason given, or silently where
// there is none.
func (c *collector) score(property string, i Item, undefined string) {
	if math.IsNaN(i.Score) {
		if undefined != "" {
			c.leaveOut(i.Place(), undefined)
		}
		return
	}
	if c.items == nil {
		c.items = map[string][]Item{}
	}
	c.items[property] = append(c.items[property], i)
}

func (c *collector) leaveOut(place, why string) {
	c.leftOut = append(c.leftOut, LeftOut{Place: place, Why: why})
}

func (c *collector) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// report makes the means and finds the worst.
func (c *collector) report(basis string, worst int, p *profile.Data) *Report {
	r := &Report{Basis: basis, Tables: c.tables, Gates: c.gates, Small: c.small, LeftOut: c.leftOut, Notes: c.notes}
	var scores []float64
	for n, name := range propertyNames {
		items := c.items[name]
		if len(items) == 0 {
			continue
		}
		p := Property{Name: name, Score: meanOf(items), Counts: n < counting, Items: items}
		if name == ColumnPairTrends || name == IntertableTrends {
			strong := slices.DeleteFunc(slices.Clone(items), func(i Item) bool { return !i.Strong })
			if len(strong) > 0 {
				m := meanOf(strong)
				p.Strong = &m
			}
		}
		if p.Counts {
			scores = append(scores, p.Score)
		}
		r.Properties = append(r.Properties, p)
	}
	if len(scores) > 0 {
		r.Score = mean(scores)
	}
	r.hold(p)
	r.scoreTables()
	r.findLost(len(scores), worst)
	return r
}

func meanOf(items []Item) float64 {
	values := make([]float64, len(items))
	for i, item := range items {
		values[i] = item.Score
	}
	return mean(values)
}

func (r *Report) scoreTables() {
	for i := range r.Tables {
		t := &r.Tables[i]
		for _, p := range r.Properties {
			own := slices.DeleteFunc(slices.Clone(p.Items), func(i Item) bool { return i.Table != t.Name })
			if len(own) > 0 {
				t.Scores = append(t.Scores, TableScore{Property: p.Name, Score: meanOf(own)})
			}
		}
	}
}

func (r *Report) findLost(properties, worst int) {
	for _, p := range r.Properties {
		if !p.Counts {
			continue
		}
		for _, i := range p.Items {
			if i.Score < 1 {
				cost := (1 - i.Score) / float64(len(p.Items)) / float64(properties)
				r.Lost = append(r.Lost, Loss{Property: p.Name, Place: i.Place(), Metric: i.Metric, Score: i.Score, Cost: cost, What: i.What})
			}
		}
	}
	slices.SortStableFunc(r.Lost, func(a, b Loss) int { return cmp.Compare(b.Cost, a.Cost) })
	r.Lost = r.Lost[:min(len(r.Lost), worst)]
}
