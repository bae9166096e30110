package report

import (
	"slices"

	"github.com/rehearse-dev/rehearse"
)

// Difference is one check, with what each leg showed.
type Difference struct {
	Check string `json:"check"`
	Step  string `json:"step,omitempty"`
	// Outcome is true when the outcomes differ, and false when only the figures do.
	Outcome bool   `json:"outcomeDiffers"`
	Cells   []Cell `json:"cells"` // one a leg, in the order of the legs
}

// Cell is what one leg showed of a check. Its Outcome is empty when the leg did
// not ask.
type Cell struct {
	Leg     string           `json:"leg"`
	Outcome rehearse.Outcome `json:"outcome,omitempty"`
	Got     string           `json:"got,omitempty"`
	Value   *float64         `json:"value,omitempty"`
}

// Compare finds the checks whose outcome or figure differs between legs, in the
// order of the checks. A check that passes in one leg and that another does not
// ask, as those of a network that is flat, is no difference.
func Compare(legs []rehearse.LegReport) []Difference {
	out := []Difference{}
	for _, row := range checks(legs) {
		if row.Outcome || figuresDiffer(row.Cells) {
			out = append(out, row)
		}
	}
	return out
}

// Overall is the worst outcome of all legs; unverified when there is none.
func Overall(r rehearse.Report) rehearse.Outcome {
	findings := make([]rehearse.Finding, len(r.Legs))
	for i, l := range r.Legs {
		findings[i].Outcome = l.Verdict.Outcome
	}
	return rehearse.Conclude(findings)
}

// checks is the table of all checks: a row for each, a cell for each leg.
func checks(legs []rehearse.LegReport) []Difference {
	var rows []Difference
	for i, leg := range legs {
		// A check that only later legs ask stands behind the one before it there.
		after := 0
		for _, f := range leg.Verdict.Findings {
			at := slices.IndexFunc(rows, func(d Difference) bool { return d.Check == f.Check })
			if at < 0 {
				row := Difference{Check: f.Check, Step: f.Step, Cells: make([]Cell, len(legs))}
				for j := range legs {
					row.Cells[j].Leg = legs[j].Name
				}
				at = after
				rows = slices.Insert(rows, at, row)
			}
			c := &rows[at].Cells[i]
			c.Outcome, c.Got, c.Value = f.Outcome, f.Got, f.Value
			after = at + 1
		}
	}
	for i := range rows {
		rows[i].Outcome = outcomesDiffer(rows[i].Cells)
	}
	return rows
}

func outcomesDiffer(cells []Cell) bool {
	var first rehearse.Outcome
	absent, bad := false, false
	for _, c := range cells {
		switch {
		case c.Outcome == "":
			absent = true
			continue
		case first == "":
			first = c.Outcome
		case c.Outcome != first:
			return true
		}
		bad = bad || c.Outcome != rehearse.Pass
	}
	return absent && bad
}

func figuresDiffer(cells []Cell) bool {
	var first *Cell
	for i := range cells {
		c := &cells[i]
		if c.Outcome == "" {
			continue
		}
		if first == nil {
			first = c
			continue
		}
		if first.Value != nil && c.Value != nil {
			if *first.Value != *c.Value {
				return true
			}
		} else if first.Got != c.Got {
			return true
		}
	}
	return false
}
