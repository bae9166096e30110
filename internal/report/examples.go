package report

import (
	"fmt"
	"html/template"
	"slices"

	"github.com/rehearse-dev/rehearse"
)

// maxExamples is how many traces a page shows.
const maxExamples = 12

// example names a trace of a leg.
type example struct {
	leg int
	id  rehearse.TraceID
}

func (e example) anchor() string { return fmt.Sprintf("trace-%d-%s", e.leg, e.id) }

// examples are the traces that the diagnosis and the findings name, as far as the
// evidence has them.
type examples struct {
	legs   int
	traces map[example]*rehearse.Trace // all of the evidence
	shown  []example                   // on the page, in its order
}

// examplesOf takes from each source in turn, the diagnosis first, so that none
// goes without.
func examplesOf(r rehearse.Report, legs []leg) examples {
	x := examples{legs: len(legs), traces: map[example]*rehearse.Trace{}}
	for i, l := range legs {
		if l.telemetry == nil {
			continue
		}
		for j := range l.telemetry.Traces {
			t := &l.telemetry.Traces[j]
			x.traces[example{i, t.ID}] = t
		}
	}
	var sources [][]example
	if d := r.Diagnosis; d != nil {
		for _, f := range d.Facts {
			sources = append(sources, x.find(failing(r), f.Traces))
		}
		for _, op := range d.Operations[:min(len(d.Operations), maxOperations)] {
			for _, p := range op.Parts[:min(len(op.Parts), maxParts)] {
				sources = append(sources, x.find(failing(r), p.Examples))
			}
		}
	}
	for i, l := range legs {
		for _, f := range notPassed(l.Verdict) {
			sources = append(sources, x.find(i, f.Traces))
		}
	}
	seen := map[example]bool{}
	for round, more := 0, true; more; round++ {
		more = false
		for _, s := range sources {
			if round >= len(s) {
				continue
			}
			more = true
			if !seen[s[round]] && len(x.shown) < maxExamples {
				seen[s[round]] = true
				x.shown = append(x.shown, s[round])
			}
		}
	}
	return x
}

// find looks for traces in a leg, and then in the others; those that no leg has
// are left out.
func (x examples) find(leg int, ids []rehearse.TraceID) []example {
	var out []example
	for _, id := range ids {
		e := example{leg, id}
		for other := 0; x.traces[e] == nil && other < x.legs; other++ {
			e.leg = other
		}
		if x.traces[e] != nil {
			out = append(out, e)
		}
	}
	return out
}

// traceLink leads to a waterfall on the page; the URL is empty when it has none.
type traceLink struct{ Text, URL string }

// links are for every trace that something names.
func (x examples) links(leg int, ids []rehearse.TraceID) []traceLink {
	var out []traceLink
	for _, id := range ids {
		link := traceLink{Text: id.String()[:8]}
		for _, e := range x.find(leg, []rehearse.TraceID{id}) {
			link.Text = fmt.Sprintf("%s (%s)", link.Text, short(x.traces[e].Duration, true))
			if slices.Contains(x.shown, e) {
				link.URL = "#" + e.anchor()
			}
		}
		out = append(out, link)
	}
	return out
}

// traceView is one waterfall.
type traceView struct {
	Anchor, Leg, Color        string
	Operation, Took, ID, Time string
	Trouble                   string
	Failed                    bool
	Picture                   template.HTML
	Hidden                    int // lines that the picture leaves out
	Path                      []criticalRow
	Rows                      []traceRowView
	Command                   string
}

// traceRowView is a line of a waterfall, for those who read tables.
type traceRowView struct {
	Indent                         template.CSS
	Name, Place, Start, Took       string
	Queue, Shape, Server, Transfer string
	Known                          string
	Log                            string // the record, when it is one
}

func (x examples) views(legs []leg, colors []string) []traceView {
	var out []traceView
	for _, e := range x.shown {
		l := legs[e.leg]
		out = append(out, newTraceView(e, x.traces[e], l, colors[e.leg]))
	}
	return out
}

func newTraceView(e example, t *rehearse.Trace, l leg, color string) traceView {
	w := newWaterfall(t, l.telemetry.Logs)
	v := traceView{
		Anchor: e.anchor(), Leg: l.Name, Color: color,
		Operation: t.Operation, Took: short(t.Duration, true), ID: t.ID.String(), Time: t.Start.UTC().Format("15:04:05.000 UTC"),
		Failed: t.Failed, Picture: w.draw(), Hidden: max(0, len(w.lines)-maxPicture), Path: w.critical(),
		Command: showCommand([]rehearse.TraceID{t.ID}),
	}
	if t.Failed && len(t.Nodes) > 0 {
		v.Trouble = trouble(&t.Nodes[0])
	}
	for _, line := range w.lines[:min(len(w.lines), maxPicture)] {
		v.Rows = append(v.Rows, w.row(line))
	}
	return v
}

func (w *waterfall) row(l line) traceRowView {
	v := traceRowView{Indent: template.CSS(fmt.Sprintf("padding-left: %dpx", 14+12*min(l.depth, 12))), Start: short(w.begin(l), true)}
	if l.log != nil {
		v.Log = logText(l.log)
		return v
	}
	n := w.first(l)
	v.Name, v.Place, v.Took, v.Known = w.name(l)+marks(n), w.place(l), short(w.took(l), true), knownText(n.Known)
	sum, ok := w.split(l)
	v.Queue, v.Shape, v.Server, v.Transfer = short(sum.Queue, ok), short(sum.Shape, ok), short(sum.Server, ok), short(sum.Transfer, ok)
	return v
}
