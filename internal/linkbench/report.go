package main

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/contest"
	"github.com/rehearse-dev/rehearse/internal/figures"
)

// report is all that a run has shown.
type report struct {
	Machine   string            `json:"machine"`
	Toxiproxy string            `json:"toxiproxy"` // its version
	Seconds   float64           `json:"seconds"`
	Others    float64           `json:"others"` // the share of the machine that others used meanwhile
	Rows      []row             `json:"rows"`
	Failed    []figures.Failure `json:"failed,omitempty"`
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
	Value figure       `json:"value"`
	Of    string       `json:"of"` // what the value is: "of direct", "× Toxiproxy"
	Goal  figures.Goal `json:"goal,omitzero"`
	Met   *bool        `json:"met,omitempty"` // of the median; nil when there is no goal
}

// newCheck judges the median of some values.
func newCheck(values []float64, of string, g figures.Goal) check {
	f := newFigure(values)
	return check{Value: *f, Of: of, Goal: g, Met: g.Met(f.Median)}
}

func newReport(toxiproxy string) (*report, error) {
	info, err := buildinfo.ReadFile(toxiproxy)
	if err != nil {
		return nil, fmt.Errorf("find Toxiproxy's server: %w", err)
	}
	return &report{
		Machine:   contest.Machine(),
		Toxiproxy: info.Main.Version,
	}, nil
}

// print writes a Markdown table that can be read as it is. A row with several
// checks goes over several lines.
func (r *report) print(w io.Writer) error {
	cells := [][]string{{"case", "direct", "link", "Toxiproxy", "ratio", "goal", "met?"}}
	var tally figures.Tally
	for _, row := range r.Rows {
		cell := []string{row.Case + ", " + row.Unit, show(row.Direct), show(row.Link), show(row.Toxiproxy), "", "", ""}
		for i, c := range row.Checks {
			if i > 0 {
				cell = make([]string, 7)
			}
			cell[4] = figures.Digits(c.Value.Median) + " " + c.Of
			if c.Value.Low != c.Value.High {
				cell[4] += fmt.Sprintf(" (%s to %s)", figures.Digits(c.Value.Low), figures.Digits(c.Value.High))
			}
			cell[5] = c.Goal.String()
			cell[6] = tally.Judge(c.Met, fmt.Sprintf("%s: %s %s, goal %s", row.Case, figures.Digits(c.Value.Median), c.Of, c.Goal))
			cells = append(cells, cell)
		}
		if len(row.Checks) == 0 {
			cells = append(cells, cell)
		}
	}
	var b strings.Builder
	b.WriteString(figures.Table(cells))
	fmt.Fprintf(&b, "\nMedians of interleaved rounds; ± and what stands in parentheses are of the quartiles.\n")
	fmt.Fprintf(&b, "%s; Toxiproxy %s; %.0f s, in which others used %.0f%% of the machine.\n", r.Machine, r.Toxiproxy, r.Seconds, r.Others*100)
	b.WriteString(tally.Lines(r.Failed))
	_, err := io.WriteString(w, b.String())
	return err
}

func show(f *figure) string {
	if f == nil {
		return figures.None
	}
	return f.String()
}
