// Package figures is what the project's benchmarks print alike: numbers with three
// digits, goals that are met or missed, and a table that can be read as it is.
//
// How a figure sums up its rounds is each benchmark's own.
package figures

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"unicode/utf8"
)

// None stands in a cell in which there is no figure, or no goal.
const None = "–"

// Digits prints three digits, or all that stand before the point.
func Digits(v float64) string {
	after := 3
	for a := math.Abs(v); a >= 1 && after > 0; a /= 10 {
		after--
	}
	return fmt.Sprintf("%.*f", after, v)
}

// Goal bounds a value. The zero value is none.
type Goal struct {
	Bound float64 `json:"bound"`
	Least bool    `json:"least"` // it is a lower bound
}

// AtLeast and AtMost are goals that a value reaches from above and from below.
func AtLeast(bound float64) Goal { return Goal{bound, true} }
func AtMost(bound float64) Goal  { return Goal{bound, false} }

// NoGoal is of a value that is shown and not judged.
var NoGoal Goal

func (g Goal) String() string {
	switch {
	case g == NoGoal:
		return None
	case g.Least:
		return "≥ " + Digits(g.Bound)
	}
	return "≤ " + Digits(g.Bound)
}

// Met reports whether a value reaches the goal; nil when there is none.
func (g Goal) Met(value float64) *bool {
	if g == NoGoal {
		return nil
	}
	met := value <= g.Bound
	if g.Least {
		met = value >= g.Bound
	}
	return &met
}

// Failure is a case that could not be measured.
type Failure struct {
	Case string `json:"case"`
	Why  string `json:"why"`
}

// Tally counts goals.
type Tally struct {
	goals  int
	missed []string
}

// Judge counts a goal and says how it went, for a cell. missed is the line that is
// printed where it was missed.
func (t *Tally) Judge(met *bool, missed string) string {
	if met == nil {
		return None
	}
	t.goals++
	if *met {
		return "met"
	}
	t.missed = append(t.missed, missed)
	return "MISSED"
}

// Lines say which goals were missed, and which cases could not be measured.
func (t *Tally) Lines(failed []Failure) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d goals met.\n", t.goals-len(t.missed), t.goals)
	for _, m := range t.missed {
		fmt.Fprintf(&b, "MISSED %s\n", m)
	}
	for _, f := range failed {
		fmt.Fprintf(&b, "NOT MEASURED %s: %s\n", f.Case, f.Why)
	}
	return b.String()
}

// Table is a Markdown table with aligned cells; the first line is the head.
func Table(lines [][]string) string {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for n, line := range lines {
		for i, cell := range line {
			b.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+1))
		}
		b.WriteString("|\n")
		if n == 0 {
			for _, w := range widths {
				b.WriteString("|" + strings.Repeat("-", w+2))
			}
			b.WriteString("|\n")
		}
	}
	return b.String()
}

// Write saves a report as JSON.
func Write(file string, report any) error {
	data, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}
