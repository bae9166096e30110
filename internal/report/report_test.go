package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

var (
	update = flag.Bool("update", false, "write the golden files anew")
	keep   = flag.String("keep", "", "a directory in which to keep the HTML pages, to look at them")
)

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Fatalf("%s differs from line %d on; -update writes it anew\ngot  %q\nwant %q", file, i+1, a, b)
		}
	}
}

func render(t testing.TB, write func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// oneLeg is a run with every outcome in it.
func oneLeg(t testing.TB) rehearse.Report {
	r := sampleReport(t)
	r.Legs = r.Legs[1:]
	v := &r.Legs[0].Verdict
	v.Findings = append(v.Findings, rehearse.Finding{Outcome: rehearse.Unverified, Check: "evidence complete", Got: "1 gap",
		Detail: "The last line of the evidence, line 12, is cut short.", Hint: "Run the rehearsal again: what is missing cannot be judged."})
	return r
}

func TestTerminal(t *testing.T) {
	for name, tt := range map[string]struct {
		r   rehearse.Report
		opt TerminalOptions
	}{
		"compare.txt":        {sampleReport(t), TerminalOptions{Width: 150}},
		"compare-narrow.txt": {sampleReport(t), TerminalOptions{Width: 72}},
		"compare-pipe.txt":   {sampleReport(t), TerminalOptions{}},
		"run-color.txt":      {oneLeg(t), TerminalOptions{Width: 150, Color: true}},
	} {
		got := render(t, func(w io.Writer) error { return Terminal(w, tt.r, tt.opt) })
		golden(t, name, got)
		if tt.opt.Width > 0 && !tt.opt.Color {
			for _, line := range strings.Split(string(got), "\n") {
				if width(line) > tt.opt.Width {
					t.Errorf("%s: the line %q is wider than %d", name, line, tt.opt.Width)
				}
			}
		}
	}
}

func TestMarkdown(t *testing.T) {
	golden(t, "compare.md", render(t, func(w io.Writer) error { return Markdown(w, sampleReport(t)) }))
	golden(t, "run.md", render(t, func(w io.Writer) error { return Markdown(w, oneLeg(t)) }))
}

func TestJUnit(t *testing.T) {
	got := render(t, func(w io.Writer) error { return JUnit(w, sampleReport(t)) })
	golden(t, "compare.junit.xml", got)
	wellFormed(t, got)
	got = render(t, func(w io.Writer) error { return JUnit(w, oneLeg(t)) })
	golden(t, "run.junit.xml", got)
	wellFormed(t, got)
}

func TestJSON(t *testing.T) {
	schema := readSchema(t)
	for name, r := range map[string]rehearse.Report{
		"compare.json": sampleReport(t),
		"run.json":     oneLeg(t),
		"empty.json":   {Legs: []rehearse.LegReport{{Name: "production"}}},
	} {
		got := render(t, func(w io.Writer) error { return JSON(w, r) })
		golden(t, name, got)
		var v any
		if err := json.Unmarshal(got, &v); err != nil {
			t.Fatal(err)
		}
		schema.check(t, name, schema.root, v)
	}
}

func TestHTML(t *testing.T) {
	for name, r := range map[string]rehearse.Report{"compare": sampleReport(t), "run": oneLeg(t), "empty": {}, "bare leg": {Legs: []rehearse.LegReport{{Name: "x"}}}, "odd times": oddTimes(t), "lost traces": lostTraces(t)} {
		t.Run(name, func(t *testing.T) {
			got := render(t, func(w io.Writer) error { return HTML(w, r) })
			if *keep != "" {
				if err := os.WriteFile(filepath.Join(*keep, name+".html"), got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			svgs := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAll(got, -1)
			if name == "compare" && len(svgs) != 10 {
				t.Errorf("got %d charts, want three waterfalls, latency, two flows, two links, two timelines", len(svgs))
			}
			for _, svg := range svgs {
				wellFormed(t, svg)
				if bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("Inf")) {
					t.Error("a chart holds a coordinate that is no number")
				}
			}
			selfContained(t, got)
		})
	}
}

// lostTraces has a record of what telemetry there was, but not the telemetry.
func lostTraces(t testing.TB) rehearse.Report {
	r := oneLeg(t)
	r.Legs[0].Evidence.Telemetry = nil
	return r
}

func TestLostTraces(t *testing.T) {
	r := lostTraces(t)
	page := render(t, func(w io.Writer) error { return HTML(w, r) })
	for _, want := range []string{"41,000 spans forwarded", "1,200 of 41,310 spans were not kept", "<code>4bf92f02</code>"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if bytes.Contains(page, []byte(`href="#trace-`)) {
		t.Error("the page links to a waterfall that it does not have")
	}
	var v any
	got := render(t, func(w io.Writer) error { return JSON(w, r) })
	if err := json.Unmarshal(got, &v); err != nil {
		t.Fatal(err)
	}
	schema := readSchema(t)
	schema.check(t, "lost traces", schema.root, v)
}

// oddTimes has samples as only damage makes them.
func oddTimes(t testing.TB) rehearse.Report {
	r := oneLeg(t)
	samples := r.Legs[0].Evidence.Samples["peak"]
	samples[0].Intended, samples[0].End = -5000*ms, -9000*ms
	samples[1].End = math.MaxInt64
	samples[2].Intended = math.MaxInt64
	samples[3].End = 0
	return r
}

func wellFormed(t *testing.T, data []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(data)); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("not well formed: %v", err)
		}
	}
}

func selfContained(t *testing.T, html []byte) {
	t.Helper()
	for _, load := range []string{`(?i)\ssrc\s*=`, `(?i)<link\b`, `(?i)@import`, `(?i)url\(`, `(?i)<(iframe|object|embed|img)\b`, `(?i)https?://`} {
		if m := regexp.MustCompile(load).Find(html); m != nil {
			t.Errorf("the page holds %q, which may load something from elsewhere", m)
		}
	}
}

// TestHostileText puts markup and control characters wherever evidence has text.
func TestHostileText(t *testing.T) {
	const bad = "<script>alert(1)</script>\"'&`|*@someone\x1b[31m\u202e\nnext"
	r := rehearse.Report{Project: bad, Run: rehearse.RunID(bad), Version: bad}
	for _, l := range sampleReport(t).Legs {
		l.Name += bad
		plan := l.Evidence.Plan()
		plan.Files = []string{bad}
		plan.Services[0].Name = rehearse.ServiceName(bad)
		plan.Links[0].ID, plan.Links[0].Client = rehearse.LinkID(bad), rehearse.ServiceName(bad)
		plan.Notes = []rehearse.Note{{Service: bad, Field: bad, Text: bad}}
		for _, rec := range l.Evidence.Records {
			switch {
			case rec.Fact != nil:
				*rec.Fact = rehearse.Fact{Name: bad, Value: bad, Note: bad}
			case rec.Service != nil:
				rec.Service.Service, rec.Service.Detail, rec.Service.State = rehearse.ServiceName(bad), bad, rehearse.ServiceState(bad)
			case rec.Suite != nil:
				*rec.Suite = rehearse.SuiteResult{Step: bad, Output: bad, Tail: []string{bad}, Artifacts: []string{bad}, Tests: []rehearse.Test{{Name: bad, Outcome: bad, Message: bad}}}
			case rec.Links != nil:
				rec.Links.Links[1].ID = rehearse.LinkID(bad)
			case rec.Tick != nil:
				rec.Tick.Links[0].ID = rehearse.LinkID(bad)
			}
		}
		for i := range l.Evidence.Samples["peak"] {
			l.Evidence.Samples["peak"][i].Request = bad
		}
		for i := range l.Verdict.Findings {
			f := &l.Verdict.Findings[i]
			f.Check += bad
			f.Got, f.Detail, f.Hint, f.Evidence = bad, bad, bad, []string{bad, "javascript:alert(1)"}
		}
		for i := range l.Evidence.Telemetry.Traces {
			hostileTrace(&l.Evidence.Telemetry.Traces[i], bad)
		}
		for i := range l.Evidence.Telemetry.Logs {
			rec := &l.Evidence.Telemetry.Logs[i]
			rec.Body, rec.Service = bad, rehearse.ServiceName(bad)
		}
		for i := range l.Evidence.Telemetry.Pools {
			l.Evidence.Telemetry.Pools[i].Link = rehearse.LinkID(bad)
		}
		l.Evidence.Telemetry.Flaws = map[string]int{bad: 1}
		l.Evidence.Telemetry.Result.Refused = map[rehearse.ServiceName]int64{rehearse.ServiceName(bad): 1}
		l.Evidence.Telemetry.Result.Undecoded = map[rehearse.LinkID]map[string]int64{rehearse.LinkID(bad): {bad: 1}}
		l.Evidence.Damage = []string{bad}
		r.Legs = append(r.Legs, l)
	}

	d := sampleDiagnosis()
	d.Sentence, d.Command, d.Facts[0].Text, d.Passing, d.Failing = bad, bad, bad, bad, bad
	d.Operations[0].Operation, d.Operations[0].Parts[0].Path, d.Operations[0].Parts[0].Kind = bad, bad, bad
	r.Diagnosis = d

	html := render(t, func(w io.Writer) error { return HTML(w, r) })
	for _, e := range examplesOf(r, legsOf(r)).shown {
		if !bytes.Contains(html, []byte(`id="`+e.anchor()+`"`)) {
			t.Errorf("the page lacks the waterfall %s", e.anchor())
		}
	}
	if bytes.Count(html, []byte("<script>")) != 1 || bytes.Contains(html, []byte("<script>alert")) {
		t.Error("a script from the evidence reached the page")
	}
	if bytes.Contains(html, []byte(`href="javascript:`)) {
		t.Error("a script from the evidence reached a link")
	}
	for _, svg := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAll(html, -1) {
		wellFormed(t, svg)
	}
	selfContained(t, html)

	text := render(t, func(w io.Writer) error { return Terminal(w, r, TerminalOptions{Width: 80}) })
	trace := &r.Legs[1].Evidence.Telemetry.Traces[0]
	logs := r.Legs[1].Evidence.Telemetry.Logs
	for i := range logs {
		logs[i].Trace = trace.ID
	}
	for _, write := range []func(io.Writer) error{
		func(w io.Writer) error { return Waterfall(w, trace, logs, TerminalOptions{}) },
		func(w io.Writer) error { return TraceTable(w, []TraceRow{NewTraceRow(trace)}, TerminalOptions{}) },
		func(w io.Writer) error { return SpanLine(w, &trace.Nodes[0].Span, TerminalOptions{}) },
		func(w io.Writer) error { return LogLine(w, &logs[0], TerminalOptions{}) },
	} {
		text = append(text, render(t, write)...)
	}
	if bytes.ContainsAny(text, "\x1b\r") || bytes.Contains(text, []byte("\u202e")) {
		t.Error("a control character from the evidence reached the terminal")
	}
	comment := render(t, func(w io.Writer) error { return Markdown(w, r) })
	if bytes.Contains(comment, []byte("<script")) || bytes.Contains(comment, []byte("@someone")) {
		t.Error("markup or a mention from the evidence reached the comment")
	}
	wellFormed(t, render(t, func(w io.Writer) error { return JUnit(w, r) }))
}

func hostileTrace(t *rehearse.Trace, bad string) {
	t.Operation = bad
	for i := range t.Nodes {
		n := &t.Nodes[i]
		n.Name, n.Service, n.Status, n.Known = bad, rehearse.ServiceName(bad), rehearse.StatusError, rehearse.Known(bad)
		n.Attributes = []rehearse.Attribute{{Key: "error.type", Value: bad}, {Key: rehearse.AttrFault, Value: bad}}
		if n.Wire != nil {
			n.Wire.Link = rehearse.LinkID(bad + ":" + bad)
		}
	}
	for i := range t.Critical {
		t.Critical[i].Path, t.Critical[i].Kind = bad, rehearse.SegmentKind(bad)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWriterErrors(t *testing.T) {
	r := sampleReport(t)
	trace := busyTrace()
	rows := []TraceRow{NewTraceRow(&trace)}
	for name, write := range map[string]func(io.Writer) error{
		"Waterfall":  func(w io.Writer) error { return Waterfall(w, &trace, nil, TerminalOptions{}) },
		"TraceTable": func(w io.Writer) error { return TraceTable(w, rows, TerminalOptions{}) },
		"TraceLines": func(w io.Writer) error { return TraceLines(w, rows) },
		"TraceJSON":  func(w io.Writer) error { return TraceJSON(w, &trace, nil) },
		"Terminal":   func(w io.Writer) error { return Terminal(w, r, TerminalOptions{}) },
		"Markdown":   func(w io.Writer) error { return Markdown(w, r) },
		"JSON":       func(w io.Writer) error { return JSON(w, r) },
		"JUnit":      func(w io.Writer) error { return JUnit(w, r) },
		"HTML":       func(w io.Writer) error { return HTML(w, r) },
	} {
		if err := write(brokenWriter{}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: got %v, want the writer's error", name, err)
		}
	}
}

func TestCompare(t *testing.T) {
	one, two := 1.0, 2.0
	f := func(check string, o rehearse.Outcome, got string, v *float64) rehearse.Finding {
		return rehearse.Finding{Check: check, Outcome: o, Got: got, Value: v}
	}
	legs := []rehearse.LegReport{
		{Name: "a", Verdict: rehearse.Verdict{Findings: []rehearse.Finding{
			f("same", rehearse.Pass, "x", nil), f("same value", rehearse.Pass, "1", &one), f("figure", rehearse.Pass, "1", &one),
			f("outcome", rehearse.Pass, "x", nil), f("text", rehearse.Pass, "x", nil),
		}}},
		{Name: "b", Verdict: rehearse.Verdict{Findings: []rehearse.Finding{
			f("same", rehearse.Pass, "x", nil), f("extra pass", rehearse.Pass, "x", nil), f("same value", rehearse.Pass, "1.0", &one),
			f("figure", rehearse.Pass, "2", &two), f("extra fail", rehearse.Fail, "x", nil), f("outcome", rehearse.Fail, "x", nil), f("text", rehearse.Pass, "y", nil),
		}}},
	}
	var got []string
	for _, d := range Compare(legs) {
		got = append(got, fmt.Sprint(d.Check, " ", d.Outcome))
	}
	if want := []string{"figure false", "extra fail true", "outcome true", "text false"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	got = nil
	for _, row := range checks(legs) {
		got = append(got, row.Check)
	}
	if want := []string{"same", "extra pass", "same value", "figure", "extra fail", "outcome", "text"}; !slices.Equal(got, want) {
		t.Errorf("got the order %q, want %q", got, want)
	}
}

func TestOverall(t *testing.T) {
	leg := func(o rehearse.Outcome) rehearse.LegReport {
		return rehearse.LegReport{Verdict: rehearse.Verdict{Outcome: o}}
	}
	for _, tt := range []struct {
		legs []rehearse.LegReport
		want rehearse.Outcome
	}{
		{nil, rehearse.Unverified},
		{[]rehearse.LegReport{leg(rehearse.Pass)}, rehearse.Pass},
		{[]rehearse.LegReport{leg(rehearse.Pass), leg(rehearse.Unverified)}, rehearse.Unverified},
		{[]rehearse.LegReport{leg(rehearse.Unverified), leg(rehearse.Fail)}, rehearse.Fail},
	} {
		if got := Overall(rehearse.Report{Legs: tt.legs}); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestTicks(t *testing.T) {
	if got, want := linearTicks(10), []float64{0, 2, 4, 6, 8, 10}; !reflect.DeepEqual(got, want) {
		t.Errorf("linear: got %v, want %v", got, want)
	}
	if got, want := fmt.Sprint(logTicks(0.01, 1)), "[0.01 0.02 0.05 0.1 0.2 0.5 1]"; got != want {
		t.Errorf("log: got %v, want %v", got, want)
	}
	if got, want := timeTicks(40), []float64{0, 5, 10, 15, 20, 25, 30, 35, 40}; !reflect.DeepEqual(got, want) {
		t.Errorf("time: got %v, want %v", got, want)
	}
	for in, want := range map[float64]string{0.2: "0.2s", 45: "45s", 120: "2:00", 95: "1:35"} {
		if got := clock(in); got != want {
			t.Errorf("clock(%v): got %q, want %q", in, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for in, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := number(in); got != want {
			t.Errorf("number(%d): got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1 kB", 1_402_331: "1.4 MB", 999_999: "1 MB"} {
		if got := bytesText(in); got != want {
			t.Errorf("bytesText(%d): got %q, want %q", in, got, want)
		}
	}
	for _, tt := range []struct {
		parts []float64
		want  []int64
	}{
		{nil, []int64{}}, {[]float64{1, 2}, []int64{1, 2}}, {[]float64{33.3, 33.3, 33.4}, []int64{33, 33, 34}},
		{[]float64{0.5, 0.5}, []int64{1, 0}}, {[]float64{-1.5, 2.5}, []int64{-1, 2}}, {[]float64{0.2, 0.2}, []int64{0, 0}},
	} {
		if got := wholes(tt.parts); !slices.Equal(got, tt.want) {
			t.Errorf("wholes(%v): got %v, want %v", tt.parts, got, tt.want)
		}
	}
	for _, tt := range []struct {
		part, whole int
		want        string
	}{{0, 0, "–"}, {0, 9, "0%"}, {9, 9, "100%"}, {1, 9999, "<0.1%"}, {9998, 9999, ">99.9%"}, {1, 8, "12.5%"}} {
		if got := share(tt.part, tt.whole); got != tt.want {
			t.Errorf("share(%d, %d): got %q, want %q", tt.part, tt.whole, got, tt.want)
		}
	}
	for in, want := range map[int64]string{0: "0.0", 9: "0.9", 10205: "1,020.5", -12: "-1.2"} {
		if got := fixed(in, 1); got != want {
			t.Errorf("fixed(%d): got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"a.yaml": "a.yaml", "a b": "'a b'", "it's": `'it'\''s'`, "": "''"} {
		if got := shellWord(in); got != want {
			t.Errorf("shellWord(%q): got %q, want %q", in, got, want)
		}
	}
}
