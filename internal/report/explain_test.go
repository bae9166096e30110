package report

import (
	"encoding/json"
	"html"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// explained is a run whose cause somebody has asked for.
func explained(t testing.TB) rehearse.Report {
	t.Helper()
	part := func(text string) rehearse.Part {
		p, err := rehearse.ParsePart(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	rtt, peak := part("network:docgen:db.rtt"), part("traffic:peak.rate")
	at := part("network:docgen:db.rtt=52ms")
	second := rehearse.Duration(time.Second)
	r := oneLeg(t)
	r.Explanation = &rehearse.Explanation{
		Outcome:  rehearse.ExplainedCause,
		Sentence: "It fails when traffic peak is at its highest rate (36 requests/s) and the round trip from docgen to db is about 52ms or more.",
		Short:    "traffic at peak + RTT on docgen → db, from about 52ms",
		Leg:      "production", Checks: []string{"peak: http_req_failed rate<0.001"}, Cause: []rehearse.Part{at, peak}, Minimal: true,
		Confidence: 0.963, Seed: 1,
		Thresholds: []rehearse.PartThreshold{{Part: rtt, Fails: 0.052, Passes: 0.046, Full: 0.084, Confidence: 0.968}},
		Remarks:    []string{"The budget of 5m0s was used up: whether there is another cause was not asked. A longer --budget goes on."},
		Changed:    []string{"Changed since it failed: app/store_legacy.go."},
		Probes: []rehearse.ProbeTally{
			{Parts: []rehearse.Part{{Facet: "network"}, {Facet: "traffic"}}, Share: 0.25, Failed: 2, Got: "peak: http_req_failed rate<0.001 14.44%", Elapsed: 14 * second},
			{Parts: []rehearse.Part{}, Share: 0.25, Passed: 1, Got: "peak: http_req_failed rate<0.001 0%", Elapsed: 7 * second},
			{Parts: []rehearse.Part{at, peak}, Share: 1, Failed: 3, Passed: 1, Unverified: 1, Got: "peak: load offered 92 of 348", Elapsed: 110 * second},
		},
		Command: "rehearse run --only 'network:docgen:db.rtt=52ms,traffic:peak.rate'", Elapsed: 131 * second,
	}
	return r
}

func TestExplanation(t *testing.T) {
	r := explained(t)
	golden(t, "explanation.txt", render(t, func(w io.Writer) error { return TerminalExplanation(w, *r.Explanation, TerminalOptions{}) }))
	golden(t, "explanation-narrow.txt", render(t, func(w io.Writer) error { return TerminalExplanation(w, *r.Explanation, TerminalOptions{Width: 70}) }))
	golden(t, "explanation.md", render(t, func(w io.Writer) error { return Markdown(w, r) }))
	var v any
	if err := json.Unmarshal(render(t, func(w io.Writer) error { return JSON(w, r) }), &v); err != nil {
		t.Fatal(err)
	}
	schema := readSchema(t)
	schema.check(t, "explained", schema.root, v)
	text := string(render(t, func(w io.Writer) error { return Terminal(w, r, TerminalOptions{}) }))
	page := string(render(t, func(w io.Writer) error { return HTML(w, r) }))
	for _, want := range []string{r.Explanation.Short, r.Explanation.Sentence, r.Explanation.Command, r.Explanation.Changed[0], r.Explanation.Remarks[0], "confidence 96.3%"} {
		if !strings.Contains(text, want) {
			t.Errorf("the terminal does not say %q", want)
		}
		if !strings.Contains(html.UnescapeString(page), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}
