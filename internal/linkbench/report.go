package main

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"unicode/utf8"
)

// report is all that a run has shown.
type report struct {
	Machine   string    `json:"machine"`
	Toxiproxy string    `json:"toxiproxy"` // its version
	Seconds   float64   `json:"seconds"`
	Others    float64   `json:"others"` // the share of the machine that others used meanwhile
	Rows      []row     `json:"rows"`
	Failed    []failure `json:"failed,omitempty"`
}

// row is one line of the table.
type row struct {
	Case      string  `json:"case"`
	Unit      string  `json:"unit"`
	Direct    *figure `json:"direct,omitempty"`
	Link      *figure `json:"link,omitempty"`
	Toxiproxy *figure `json:"toxiproxy,omitempty"`
	Checks    []check `json:"checks,omitempty"`
}

// check compares the link with another figure, and with a goal if there is one.
type check struct {
	Value figure `json:"value"`
	Of    string `json:"of"` // what the value is: "of direct", "× Toxiproxy"
	Goal  goal   `json:"goal,omitzero"`
	Met   *bool  `json:"met,omitempty"` // of the median; nil when there is no goal
}

// goal bounds a value.
type goal struct {
	Bound float64 `json:"bound"`
	Least bool    `json:"least"` // it is a lower bound
}

func atLeast(bound float64) goal { return goal{bound, true} }
func atMost(bound float64) goal  { return goal{bound, false} }

var noGoal goal

func (g goal) String() string {
	switch {
	case g == noGoal:
		return "–"
	case g.Least:
		return "≥ " + digits(g.Bound)
	}
	return "≤ " + digits(g.Bound)
}

// newCheck judges the median of some values.
func newCheck(values []float64, of string, g goal) check {
	c := check{Value: *newFigure(values), Of: of, Goal: g}
	if g != noGoal {
		met := c.Value.Median <= g.Bound
		if g.Least {
			met = c.Value.Median >= g.Bound
		}
		c.Met = &met
	}
	return c
}

// failure is a case that could not be measured.
type failure struct {
	Case string `json:"case"`
	Why  string `json:"why"`
}

func newReport(toxiproxy string) (*report, error) {
	info, err := buildinfo.ReadFile(toxiproxy)
	if err != nil {
		return nil, fmt.Errorf("find Toxiproxy's server: %w", err)
	}
	return &report{
		Machine:   fmt.Sprintf("%d processors, %s/%s, kernel %s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, line("/proc/sys/kernel/osrelease"), runtime.Version()),
		Toxiproxy: info.Main.Version,
	}, nil
}

// write saves the report as JSON.
func (r *report) write(file string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// print writes a Markdown table that can be read as it is. A row with several
// checks goes over several lines.
func (r *report) print(w io.Writer) error {
	cells := [][]string{{"case", "direct", "link", "Toxiproxy", "ratio", "goal", "met?"}}
	var missed []string
	goals := 0
	for _, row := range r.Rows {
		cell := []string{row.Case + ", " + row.Unit, show(row.Direct), show(row.Link), show(row.Toxiproxy), "", "", ""}
		for i, c := range row.Checks {
			if i > 0 {
				cell = make([]string, 7)
			}
			cell[4] = digits(c.Value.Median) + " " + c.Of
			if c.Value.Low != c.Value.High {
				cell[4] += fmt.Sprintf(" (%s to %s)", digits(c.Value.Low), digits(c.Value.High))
			}
			cell[5], cell[6] = c.Goal.String(), "–"
			if c.Met != nil {
				goals++
				cell[6] = "met"
				if !*c.Met {
					cell[6] = "MISSED"
					missed = append(missed, fmt.Sprintf("%s: %s %s, goal %s", row.Case, digits(c.Value.Median), c.Of, c.Goal))
				}
			}
			cells = append(cells, cell)
		}
		if len(row.Checks) == 0 {
			cells = append(cells, cell)
		}
	}
	var b strings.Builder
	writeTable(&b, cells)
	fmt.Fprintf(&b, "\nMedians of interleaved rounds; ± and what stands in parentheses are of the quartiles.\n")
	fmt.Fprintf(&b, "%s; Toxiproxy %s; %.0f s, in which others used %.0f%% of the machine.\n", r.Machine, r.Toxiproxy, r.Seconds, r.Others*100)
	fmt.Fprintf(&b, "%d of %d goals met.\n", goals-len(missed), goals)
	for _, m := range missed {
		fmt.Fprintf(&b, "MISSED %s\n", m)
	}
	for _, f := range r.Failed {
		fmt.Fprintf(&b, "NOT MEASURED %s: %s\n", f.Case, f.Why)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func show(f *figure) string {
	if f == nil {
		return "–"
	}
	return f.String()
}

// writeTable aligns cells; the first line is the head.
func writeTable(b *strings.Builder, lines [][]string) {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
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
}
