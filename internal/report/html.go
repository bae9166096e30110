package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

//go:embed page
var pageFiles embed.FS

var pageTemplate = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"mark":   mark,
	"shout":  shout,
	"number": number,
	"plain":  plain,
}).ParseFS(pageFiles, "page/page.html"))

// HTML writes the report as one page that needs nothing else: no script, font or
// image from anywhere. Its links lead to files beside it in the run directory.
func HTML(w io.Writer, r rehearse.Report) error {
	return pageTemplate.Execute(w, newPage(r))
}

type page struct {
	CSS         template.CSS
	JS          template.JS
	Report      rehearse.Report
	Outcome     rehearse.Outcome
	Started     string
	Seed        uint64
	Cost        string // empty when the evidence does not say
	Summary     string
	Legs        []legView
	Why         *whyView     // nil without a diagnosis
	Explained   *explainView // nil where nobody has asked
	Checks      []Difference
	Traces      []traceView
	Telemetry   []telemetryView
	Pools       []poolView
	PoolColumns []string
	Databases   []databasesView
	// StatementColumns are the heads of the table of a migration's statements.
	StatementColumns []string
	Loads            []loadView
	Tried            []triedView
	TriedColumns     []string
	Links            []linkView
	LinkColumns      []string
	Suites           []suiteView
	Startups         []startupView
	Facts            []factView
	Notes            []rehearse.Note
	Damage           []string
	Commands         []string
}

// legView is a leg at the head of the page, and the color class by which the
// reader knows it again in every chart.
type legView struct {
	Name, Color, Facets string
	Outcome             rehearse.Outcome
	Figures             []figureView
	Findings            []findingView
}

type figureView struct{ Name, Value string }

type findingView struct {
	rehearse.Finding
	Files  []fileView
	Traces []traceLink
}

// whyView is the diagnosis.
type whyView struct {
	Title, Sentence  string
	Passing, Failing string
	Facts            []whyFact
	Tables           []changeTable
	Command          string
}

type whyFact struct {
	Text   string
	Traces []traceLink
}

// telemetryView is what is known of a leg's calls, and what is not.
type telemetryView struct {
	Leg, Color string
	Known      string
	Lacks      []string
}

type poolView struct {
	Leg, Color string
	Short      bool // it made requests wait
	Cells      []string
}

type fileView struct {
	Name string
	URL  string
}

type loadView struct {
	Name, Per string
	Target    string
	Legs      []loadLegView
	Requests  []requestView
	Latency   template.HTML
	Flows     []panel
	InFlight  []panel

	Experiments []experimentView
}

type loadLegView struct {
	Name, Color string
	Profile     string
	Asked, Sent int
	Late        string
	loadRow
}

type loadRow struct{ Requests, Failed, P50, P90, P99, Max string }

type requestView struct {
	Request, Leg, Color string
	loadRow
}

type linkView struct {
	Leg, Color string
	Shaped     bool
	Cells      []string
}

type suiteView struct {
	Leg, Color, Step, Result string
	Outcome                  rehearse.Outcome
	Elapsed                  string
	Tests                    []testView
	Tail                     string
	Files                    []fileView
}

type testView struct {
	rehearse.Test
	Time string
	Mark string
}

type startupView struct {
	Leg, Color string
	SVG        template.HTML
}

type factView struct {
	rehearse.Fact
	Legs string // which say so; empty when all do
}

func newPage(r rehearse.Report) page {
	legs := legsOf(r)
	colors := legColors(legs)
	p := page{
		CSS:         template.CSS(mustRead("page/page.css")),
		JS:          template.JS(mustRead("page/page.js")),
		Report:      r,
		Outcome:     Overall(r),
		Cost:        Cost(r),
		Summary:     summary(r),
		Checks:      checks(r.Legs),
		LinkColumns: linkColumns, TriedColumns: triedColumns,
		PoolColumns: poolColumns,

		StatementColumns: statementColumns,
		Facts:            facts(legs),
		Commands:         commands(r, legs),
	}
	x := examplesOf(r, legs)
	p.Why = newWhyView(r, legs, colors, x)
	p.Explained = newExplainView(r.Explanation)
	p.Traces = x.views(legs, colors)
	for i, l := range legs {
		if p.Started == "" && !l.started.IsZero() {
			p.Started = l.started.UTC().Format("2 January 2006, 15:04:05 UTC")
		}
		if i == 0 {
			p.Seed = l.Verdict.Seed
		}
		p.Legs = append(p.Legs, newLegView(i, l, colors[i], x))
		if v := (telemetryView{l.Name, colors[i], l.known(), l.lacks()}); v.Known != "" || v.Lacks != nil {
			p.Telemetry = append(p.Telemetry, v)
		}
		if l.telemetry != nil {
			for _, k := range l.telemetry.Pools {
				p.Pools = append(p.Pools, poolView{l.Name, colors[i], k.Size > 0, poolRow(k)})
			}
		}
		for _, k := range l.links {
			p.Links = append(p.Links, linkView{Leg: l.Name, Color: colors[i], Shaped: !k.spec.Shape.IsZero(), Cells: linkRow(k)})
		}
		for _, s := range l.suites {
			p.Suites = append(p.Suites, newSuiteView(l, colors[i], s))
		}
		if v := newTriedView(l, colors[i]); v != nil {
			p.Tried = append(p.Tried, *v)
		}
		if v := newDatabasesView(l, colors[i]); v != nil {
			p.Databases = append(p.Databases, *v)
		}
		if svg := timeline(l); svg != "" {
			p.Startups = append(p.Startups, startupView{l.Name, colors[i], svg})
		}
		for _, n := range l.plan.Notes {
			if !slices.Contains(p.Notes, n) {
				p.Notes = append(p.Notes, n)
			}
		}
		for _, d := range l.damage {
			p.Damage = append(p.Damage, l.Name+": "+d)
		}
	}
	p.Loads = loadViews(legs, colors)
	return p
}

func mustRead(name string) string {
	data, err := pageFiles.ReadFile(name)
	if err != nil {
		panic("report: internal error: " + err.Error())
	}
	return string(data)
}

// legColors gives flat legs calm colours and legs with a facet in force strong
// ones.
func legColors(legs []leg) []string {
	out := make([]string, len(legs))
	flat, real := 0, 0
	for i, l := range legs {
		if len(l.plan.Leg.Facets) == 0 && len(l.plan.Services) > 0 {
			out[i] = fmt.Sprintf("c-flat%d", flat%2)
			flat++
		} else {
			out[i] = fmt.Sprintf("c-real%d", real%3)
			real++
		}
	}
	return out
}

// maxOperations and maxParts are how much of a diagnosis a page shows; the rest
// is added up, and is in the JSON report.
const (
	maxOperations = 5
	maxParts      = 8
)

func newWhyView(r rehearse.Report, legs []leg, colors []string, x examples) *whyView {
	d := r.Diagnosis
	if d == nil {
		return nil
	}
	v := &whyView{Title: whyTitle(r), Sentence: d.Sentence, Passing: d.Passing, Failing: d.Failing, Command: d.Command}
	for _, f := range d.Facts {
		v.Facts = append(v.Facts, whyFact{f.Text, x.links(failing(r), f.Traces)})
	}
	for _, op := range d.Operations[:min(len(d.Operations), maxOperations)] {
		t := newChangeTable(d, op, maxParts)
		for i := range t.Figures {
			for k, l := range legs {
				if plain(l.Name) == t.Figures[i].Name {
					t.Figures[i].Color = colors[k]
				}
			}
		}
		v.Tables = append(v.Tables, t)
	}
	return v
}

func newLegView(i int, l leg, color string, x examples) legView {
	v := legView{Name: l.Name, Color: color, Outcome: l.Verdict.Outcome, Facets: "every facet flat"}
	if f := l.plan.Leg.Facets; len(f) > 0 {
		v.Facets = joined(f) + " as in production"
	}
	if len(l.plan.Leg.Parts) > 0 {
		v.Facets = "of production only " + strings.ReplaceAll(l.plan.Leg.String(), ",", ", ")
	}
	var all []rehearse.Sample
	for _, d := range l.loads {
		all = append(all, d.samples...)
	}
	if f := figures(all); f.Requests > 0 {
		v.Figures = append(v.Figures,
			figureView{"requests", number(int64(f.Requests))},
			figureView{"failed", percent(f.Failed, f.Requests)},
			figureView{"p50", short(f.Latency.P50, true)},
			figureView{"p99", short(f.Latency.P99, true)})
	}
	for _, f := range notPassed(l.Verdict) {
		fv := findingView{Finding: f, Traces: x.links(i, f.Traces)}
		for _, e := range f.Evidence {
			fv.Files = append(fv.Files, fileOf(l, e))
		}
		v.Findings = append(v.Findings, fv)
	}
	return v
}

func joined[S ~string](words []S) string {
	parts := make([]string, len(words))
	for i, w := range words {
		parts[i] = string(w)
	}
	return strings.Join(parts, ", ")
}

// fileOf links to a file of the leg, beside the page. Names may hold "%", which
// URLs must escape.
func fileOf(l leg, name string) fileView {
	return fileView{Name: name, URL: (&url.URL{Path: "./" + l.Dir + "/" + name}).String()}
}

func loadViews(legs []leg, colors []string) []loadView {
	var steps []string
	for _, l := range legs {
		for _, d := range l.loads {
			if !slices.Contains(steps, d.result.Step) {
				steps = append(steps, d.result.Step)
			}
		}
	}
	var out []loadView
	for _, step := range steps {
		out = append(out, newLoadView(step, legs, colors))
	}
	return out
}

func newLoadView(step string, legs []leg, colors []string) loadView {
	v := loadView{Name: step}
	var parts []loadLeg
	declared := map[rehearse.LinkID]bool{}
	for i, l := range legs {
		for _, d := range l.loads {
			if d.result.Step != step {
				continue
			}
			ll := loadLeg{name: l.Name, color: colors[i], load: d}
			for _, e := range l.experiments() {
				if e.Step == step {
					ll.broken = e.Actions
					v.Experiments = append(v.Experiments, experimentView{l.Name, colors[i], e.lines()})
				}
			}
			for _, t := range l.ticks {
				if t.Step == step {
					ll.ticks = append(ll.ticks, t)
				}
			}
			parts = append(parts, ll)
			v.Legs = append(v.Legs, newLoadLegView(ll))
			v.Target = or(v.Target, string(d.spec.Target))
		}
		for _, k := range l.plan.Links {
			declared[k.ID] = declared[k.ID] || k.Declared
		}
	}
	v.Requests = requestViews(parts)
	xMax := span(parts)
	v.Per = per(bucketOf(xMax))
	v.Latency = latencyChart(parts, xMax)
	v.Flows = flowCharts(parts, xMax)
	v.InFlight = inFlightCharts(parts, func(id rehearse.LinkID) bool { return declared[id] }, xMax)
	return v
}

func newLoadLegView(l loadLeg) loadLegView {
	t := l.spec.Traffic
	v := loadLegView{Name: l.name, Color: l.color, Asked: l.result.Asked, Sent: l.result.Sent,
		Late: short(l.result.Late.P99, l.result.Late.Count > 0), loadRow: newLoadRow(figures(l.samples))}
	if t.Duration > 0 {
		v.Profile = fmt.Sprintf("%s, %s arrivals, up to %s/s", t.Duration, t.Arrivals, figure(t.Peak()))
		var from []string
		for _, o := range t.Origins {
			if o.Region != "" {
				from = append(from, string(o.Region))
			}
		}
		if len(from) > 0 {
			v.Profile += ", from " + strings.Join(from, ", ")
		}
	}
	return v
}

func newLoadRow(f loadFigures) loadRow {
	q := f.Latency
	return loadRow{
		Requests: number(int64(f.Requests)),
		Failed:   fmt.Sprintf("%s (%s)", number(int64(f.Failed)), percent(f.Failed, f.Requests)),
		P50:      short(q.P50, q.Count > 0),
		P90:      short(q.P90, q.Count > 0),
		P99:      short(q.P99, q.Count > 0),
		Max:      short(q.Max, q.Count > 0),
	}
}

// requestViews break a load down by request; with one kind of request there is
// nothing to break down.
func requestViews(legs []loadLeg) []requestView {
	var order []string
	split := make([]map[string][]rehearse.Sample, len(legs))
	for i, l := range legs {
		var names []string
		names, split[i] = l.byRequest()
		for _, n := range names {
			if !slices.Contains(order, n) {
				order = append(order, n)
			}
		}
	}
	if len(order) < 2 {
		return nil
	}
	var out []requestView
	for _, n := range order {
		for i, l := range legs {
			out = append(out, requestView{n, l.name, l.color, newLoadRow(figures(split[i][n]))})
		}
	}
	return out
}

func newSuiteView(l leg, color string, s rehearse.SuiteResult) suiteView {
	v := suiteView{Leg: l.Name, Color: color, Step: s.Step, Elapsed: short(s.Elapsed, s.Skipped == ""), Tail: strings.Join(s.Tail, "\n")}
	for _, f := range l.Verdict.Findings {
		if f.Step == s.Step && strings.HasSuffix(f.Check, ": suite") {
			v.Outcome, v.Result = f.Outcome, f.Got
		}
	}
	for _, t := range s.Tests {
		o := map[string]rehearse.Outcome{"passed": rehearse.Pass, "failed": rehearse.Fail}[t.Outcome]
		v.Tests = append(v.Tests, testView{t, short(t.Elapsed, t.Elapsed > 0), mark(o)})
	}
	for _, name := range append([]string{s.Output}, s.Artifacts...) {
		if name != "" {
			v.Files = append(v.Files, fileOf(l, name))
		}
	}
	return v
}

// facts merges the facts of all legs.
func facts(legs []leg) []factView {
	type said struct {
		fact rehearse.Fact
		legs []string
	}
	var all []said
	for _, l := range legs {
		for _, f := range l.facts {
			i := slices.IndexFunc(all, func(s said) bool { return s.fact == f })
			if i < 0 {
				i = len(all)
				all = append(all, said{fact: f})
			}
			if !slices.Contains(all[i].legs, l.Name) {
				all[i].legs = append(all[i].legs, l.Name)
			}
		}
	}
	var out []factView
	for _, s := range all {
		v := factView{Fact: s.fact}
		if len(s.legs) < len(legs) {
			v.Legs = strings.Join(s.legs, ", ")
		}
		out = append(out, v)
	}
	return out
}

// commands are how to come to this report again: from the evidence alone, and by
// running again. The seed is the plan's, so the same files give the same run.
func commands(r rehearse.Report, legs []leg) []string {
	out := []string{"rehearse judge .rehearse/runs/" + shellWord(string(r.Run))}
	if len(legs) == 0 {
		return out
	}
	run := "rehearse run --leg " + shellWord(legs[0].Name)
	if len(legs) > 1 {
		run = "rehearse compare"
	}
	plan := legs[0].plan
	for _, f := range plan.Files {
		if rel, err := filepath.Rel(plan.Dir, f); err == nil && filepath.IsAbs(f) {
			f = rel
		}
		run += " -f " + shellWord(f)
	}
	return append(out, run)
}

// shellWord quotes a word for a shell if it must be quoted.
func shellWord(s string) string {
	s = plain(s)
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/:@%+=,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !safe(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
