package dockerbench_test

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse/internal/contest"
	"github.com/rehearse-dev/rehearse/internal/figures"
)

// report is all that a run has shown.
type report struct {
	Machine        string            `json:"machine"`
	Engine         string            `json:"engine"`  // its version
	Compose        string            `json:"compose"` // the versions of what it is measured against
	Testcontainers string            `json:"testcontainers"`
	Rounds         int               `json:"rounds"`
	Seconds        float64           `json:"seconds"`
	Rows           []row             `json:"rows"`
	Failed         []figures.Failure `json:"failed,omitempty"`
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
func (r *row) faster(got samples[taken], number func(taken) float64, peer string, g figures.Goal) {
	r.compare("× as fast as "+peer, got.of(peer, number), got.of(ours, number), divide, g)
}

// compare adds what f makes of two series, round by round.
func (r *row) compare(of string, a, b []float64, f func(a, b float64) float64, g figures.Goal) {
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
		return figures.Digits(f.Median)
	}
	return fmt.Sprintf("%s (%s..%s)", figures.Digits(f.Median), figures.Digits(f.Min), figures.Digits(f.Max))
}

// check compares us with another figure, and with a goal if there is one.
type check struct {
	Value *figure      `json:"value"`
	Of    string       `json:"of"` // what the value is: "× as fast as compose"
	Goal  figures.Goal `json:"goal,omitzero"`
	Met   *bool        `json:"met,omitempty"` // of the median; nil when there is no goal
}

func newCheck(values []float64, of string, g figures.Goal) check {
	f := newFigure(values)
	return check{Value: f, Of: of, Goal: g, Met: g.Met(f.Median)}
}

func newReport(ctx context.Context, b *bench) (*report, error) {
	r := &report{Rounds: b.rounds, Machine: contest.Machine()}
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

// print writes a Markdown table that can be read as it is. A row with several
// checks goes over several lines.
func (r *report) print(w io.Writer) error {
	cells := [][]string{append(append([]string{"case"}, columns...), "compared", "goal", "met?")}
	var tally figures.Tally
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
			last[0], last[1] = c.Value.String()+" "+c.Of, c.Goal.String()
			last[2] = tally.Judge(c.Met, fmt.Sprintf("%s: %s %s, goal %s", row.Case, figures.Digits(c.Value.Median), c.Of, c.Goal))
			cells = append(cells, cell)
		}
		if len(row.Checks) == 0 {
			cells = append(cells, cell)
		}
	}
	var b strings.Builder
	b.WriteByte('\n') // go test has begun a line of its own
	b.WriteString(figures.Table(cells))
	fmt.Fprintf(&b, "\nMedians of %d interleaved rounds; in parentheses the smallest and the largest.\n", r.Rounds)
	fmt.Fprintf(&b, "%s; Docker Engine %s; Compose %s; testcontainers-go %s without Ryuk; %.0f s.\n", r.Machine, r.Engine, r.Compose, r.Testcontainers, r.Seconds)
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
