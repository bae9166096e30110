package dockerbench_test

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/moby/moby/client"
)

// report is all that a run has shown.
type report struct {
	Machine        string    `json:"machine"`
	Engine         string    `json:"engine"`  // its version
	Compose        string    `json:"compose"` // the versions of what it is measured against
	Testcontainers string    `json:"testcontainers"`
	Rounds         int       `json:"rounds"`
	Seconds        float64   `json:"seconds"`
	Rows           []row     `json:"rows"`
	Failed         []failure `json:"failed,omitempty"`
}

// failure is a case that could not be measured.
type failure struct {
	Case string `json:"case"`
	Why  string `json:"why"`
}

// row is one line of the table.
type row struct {
	Case    string             `json:"case"`
	Unit    string             `json:"unit"`
	Figures map[string]*figure `json:"figures"`
	Checks  []check            `json:"checks,omitempty"`
}

// columns are the contestants that have one.
var columns = []string{ours, compose, testcontainers, byHand}

func newRow[T any](name, unit string, got samples[T], number func(T) float64) row {
	r := row{Case: name, Unit: unit, Figures: map[string]*figure{}}
	for _, c := range columns {
		if values := got.of(c, number); len(values) > 0 {
			r.Figures[c] = newFigure(values)
		}
	}
	return r
}

// faster adds how many times as fast as a peer we were, if that was measured.
func (r *row) faster(got samples[taken], number func(taken) float64, peer string, g goal) {
	r.compare("× as fast as "+peer, got.of(peer, number), got.of(ours, number), divide, g)
}

// compare adds what f makes of two series, round by round.
func (r *row) compare(of string, a, b []float64, f func(a, b float64) float64, g goal) {
	values := make([]float64, min(len(a), len(b)))
	for i := range values {
		values[i] = f(a[i], b[i])
	}
	if len(values) > 0 {
		r.Checks = append(r.Checks, newCheck(values, of, g))
	}
}

func divide(a, b float64) float64   { return a / b }
func subtract(a, b float64) float64 { return a - b }

// figure is a number that was measured once per round.
type figure struct {
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Rounds []float64 `json:"rounds"`
}

// newFigure is of at least one value. The median of an even number is the mean of
// the middle two.
func newFigure(values []float64) *figure {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return &figure{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Min: sorted[0], Max: sorted[n-1], Rounds: values}
}

func (f figure) String() string {
	if f.Min == f.Max {
		return digits(f.Median)
	}
	return fmt.Sprintf("%s (%s..%s)", digits(f.Median), digits(f.Min), digits(f.Max))
}

// digits prints three digits, or all that stand before the point.
func digits(v float64) string {
	after := 2
	for a := math.Abs(v); a >= 10 && after > 0; a /= 10 {
		after--
	}
	return fmt.Sprintf("%.*f", after, v)
}

// check compares us with another figure, and with a goal if there is one.
type check struct {
	Value *figure `json:"value"`
	Of    string  `json:"of"` // what the value is: "× as fast as compose"
	Goal  goal    `json:"goal,omitzero"`
	Met   *bool   `json:"met,omitempty"` // of the median; nil when there is no goal
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

func newCheck(values []float64, of string, g goal) check {
	c := check{Value: newFigure(values), Of: of, Goal: g}
	if g != noGoal {
		met := c.Value.Median <= g.Bound
		if g.Least {
			met = c.Value.Median >= g.Bound
		}
		c.Met = &met
	}
	return c
}

func newReport(ctx context.Context, b *bench) (*report, error) {
	r := &report{Rounds: b.rounds, Machine: fmt.Sprintf("%d processors, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())}
	version, err := b.engine.Client().ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return nil, err
	}
	r.Engine = version.Version
	if r.Compose, err = versionOf(filepath.Join(b.tools, "docker-compose"), "github.com/docker/compose/v5"); err != nil {
		return nil, err
	}
	r.Testcontainers, err = versionOf(filepath.Join(b.tools, "testcontainers"), "github.com/testcontainers/testcontainers-go")
	return r, err
}

// versionOf is a module's in a program that was built of it.
func versionOf(program, module string) (string, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "", fmt.Errorf("%w: make bench-docker builds it", err)
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module {
			return m.Version, nil
		}
	}
	return "", fmt.Errorf("%s is not built of %s", program, module)
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
	cells := [][]string{append(append([]string{"case"}, columns...), "compared", "goal", "met?")}
	var missed []string
	goals := 0
	for _, row := range r.Rows {
		cell := []string{row.Case + ", " + row.Unit}
		for _, c := range columns {
			cell = append(cell, show(row.Figures[c]))
		}
		cell = append(cell, "", "", "")
		for i, c := range row.Checks {
			if i > 0 {
				cell = make([]string, len(cells[0]))
			}
			last := cell[len(cell)-3:]
			last[0], last[1], last[2] = c.Value.String()+" "+c.Of, c.Goal.String(), "–"
			if c.Met != nil {
				goals++
				last[2] = "met"
				if !*c.Met {
					last[2] = "MISSED"
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
	b.WriteByte('\n') // go test has begun a line of its own
	writeTable(&b, cells)
	fmt.Fprintf(&b, "\nMedians of %d interleaved rounds; in parentheses the smallest and the largest.\n", r.Rounds)
	fmt.Fprintf(&b, "%s; Docker Engine %s; Compose %s; testcontainers-go %s without Ryuk; %.0f s.\n", r.Machine, r.Engine, r.Compose, r.Testcontainers, r.Seconds)
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
