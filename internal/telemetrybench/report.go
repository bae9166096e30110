package main

import (
	"debug/buildinfo"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/contest"
	"github.com/rehearse-dev/rehearse/internal/figures"
)

// report is all that a run has shown.
type report struct {
	Machine   string  `json:"machine"`
	Collector string  `json:"collector"`        // its version
	Jaeger    string  `json:"jaeger,omitempty"` // its version; empty: it was not measured
	SpanBytes int     `json:"span_bytes"`
	Seconds   float64 `json:"seconds"`
	Others    float64 `json:"others"` // the share of the machine that others used meanwhile
	Rows      []row   `json:"rows"`
}

// kinds are what was measured.
func (r *report) kinds() []kind {
	kinds := []kind{ours, forget, nop, debug}
	if r.Jaeger != "" {
		kinds = append(kinds, jaeger)
	}
	return kinds
}

// comparison is of one of ours and a peer.
type comparison struct {
	name       string
	ours, peer kind
}

var comparisons = [...]comparison{
	{"ours to nop", ours, nop},
	{"nop to nop", forget, nop},
	{"ours to Jaeger", ours, jaeger},
}

// row is one line of the table.
type row struct {
	Case    string           `json:"case"`
	Unit    string           `json:"unit"`
	Figures map[kind]*figure `json:"figures"`
	Ratios  ratios           `json:"ratios"`
	Goal    figures.Goal     `json:"goal,omitzero"` // of every ratio
}

// ratios are of comparisons; nil where one of the two was not measured.
type ratios [len(comparisons)]*figure

// figure is a number that was measured once per round.
type figure struct {
	Median float64   `json:"median"`
	Rounds []float64 `json:"rounds"`
}

func newFigure(values []float64) *figure {
	sorted := slices.Sorted(slices.Values(values))
	return &figure{(sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2, values}
}

// String is the median and, where they differ, the least and the most.
func (f *figure) String() string {
	if f == nil {
		return figures.None
	}
	least, most := slices.Min(f.Rounds), slices.Max(f.Rounds)
	if least == most {
		return figures.Digits(f.Median)
	}
	return fmt.Sprintf("%s (%s to %s)", figures.Digits(f.Median), figures.Digits(least), figures.Digits(most))
}

// rows are what the samples of a protocol come to.
func rows(protocol string, got samples) []row {
	const mib = 1 << 20
	// of makes a row of all contestants for which the number is none of NaN.
	of := func(name, unit string, number func(sample) float64) row {
		r := row{Case: protocol + ": " + name, Unit: unit, Figures: map[kind]*figure{}}
		values := map[kind][]float64{}
		for k, series := range got {
			for _, s := range series {
				if v := number(s); !math.IsNaN(v) {
					values[k] = append(values[k], v)
				}
			}
			if len(values[k]) > 0 {
				r.Figures[k] = newFigure(values[k])
			}
		}
		for i, c := range comparisons {
			r.Ratios[i] = ratio(values[c.ours], values[c.peer])
		}
		return r
	}
	least := func(r row, goal float64) row { r.Goal = figures.AtLeast(goal); return r }
	most := func(r row, goal float64) row { r.Goal = figures.AtMost(goal); return r }
	// some leaves out those who have none.
	some := func(of, number float64) float64 {
		if of == 0 {
			return math.NaN()
		}
		return number
	}
	return []row{
		least(of("spans accepted per second of processor time", "k/s", func(s sample) float64 { return 1e6 / float64(s.cpu.Nanoseconds()) }), 3),
		of("processor time of a span", "µs", func(s sample) float64 { return float64(s.cpu.Nanoseconds()) / 1e3 }),
		of("spans accepted, the generator beside it", "k/s", func(s sample) float64 { return s.rate / 1e3 }),
		of("export at half load, p99", "ms", func(s sample) float64 { return s.p99.Seconds() * 1e3 }),
		most(of("memory after all spans", "MiB", func(s sample) float64 { return s.loaded / mib }), 0.25),
		of("growth of memory", "MiB", func(s sample) float64 { return (s.loaded - s.idle) / mib }),
		of("memory, idle", "MiB", func(s sample) float64 { return s.idle / mib }),
		of("start until the first answer", "ms", func(s sample) float64 { return s.start.Seconds() * 1e3 }),
		of("spans held, all of which can be found", "k", func(s sample) float64 { return some(float64(s.held.Queryable), float64(s.held.Queryable)/1e3) }),
		of("growth of memory for a span held", "B", func(s sample) float64 { return some(float64(s.held.Spans), (s.loaded-s.idle)/float64(s.held.Spans)) }),
		of("search through all of them for a slow one", "ms", func(s sample) float64 { return some(float64(s.held.Queryable), s.held.Slow.Seconds()*1e3) }),
	}
}

// ratio is of two series, round by round; nil when there is none of one.
func ratio(a, b []float64) *figure {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return newFigure(ratios)
}

// newReport is an empty one. Jaeger, where there is a file of it, is to be measured.
func newReport(otelcol, jaeger string) (*report, error) {
	info, err := buildinfo.ReadFile(otelcol)
	if err != nil {
		return nil, fmt.Errorf("find OpenTelemetry's Collector: %w", err)
	}
	r := &report{Machine: contest.Machine()}
	for _, m := range info.Deps {
		if m.Path == "go.opentelemetry.io/collector/otelcol" {
			r.Collector = m.Version
		}
	}
	if jaeger == "" {
		return r, nil
	}
	if info, err = buildinfo.ReadFile(jaeger); err != nil {
		return nil, fmt.Errorf("find Jaeger: %w", err)
	}
	r.Jaeger = info.Main.Version
	return r, nil
}

// print writes a Markdown table that can be read as it is.
func (r *report) print(w io.Writer) error {
	kinds, shown := r.kinds(), comparisons[:]
	if r.Jaeger == "" {
		shown = shown[:len(shown)-1]
	}
	head := []string{"figure"}
	for _, k := range kinds {
		head = append(head, string(k))
	}
	for _, c := range shown {
		head = append(head, c.name)
	}
	cells := [][]string{append(head, "goal", "met?")}
	var tally figures.Tally
	for _, row := range r.Rows {
		line := []string{row.Case + ", " + row.Unit}
		for _, k := range kinds {
			line = append(line, row.Figures[k].String())
		}
		var met []string
		for i, c := range shown {
			ratio := row.Ratios[i]
			line = append(line, ratio.String())
			if row.Goal != figures.NoGoal {
				met = append(met, tally.Judge(row.Goal.Met(ratio.Median), fmt.Sprintf("%s, %s: %s, goal %s", row.Case, c.name, figures.Digits(ratio.Median), row.Goal)))
			}
		}
		if met == nil {
			met = []string{figures.None}
		}
		cells = append(cells, append(line, row.Goal.String(), strings.Join(met, ", ")))
	}
	var b strings.Builder
	b.WriteString(figures.Table(cells))
	fmt.Fprintf(&b, "\nMedians of interleaved rounds; the least and the most stand in parentheses. Ours decodes, indexes,\n")
	fmt.Fprintf(&b, "compresses and stores what it is sent, within its budget of 64 MiB; what is called nop decodes and forgets it.\n")
	versions := "Collector " + r.Collector
	if r.Jaeger != "" {
		versions += ", Jaeger " + r.Jaeger
		fmt.Fprintf(&b, "Jaeger decodes, batches and stores all that it is sent, in memory, with no budget.\n")
	}
	fmt.Fprintf(&b, "%s; %s; %d bytes a span; %.0f s, in which others used %.0f%% of the machine.\n", r.Machine, versions, r.SpanBytes, r.Seconds, 100*r.Others)
	b.WriteString(tally.Lines(nil))
	_, err := io.WriteString(w, b.String())
	return err
}
