package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// failing is the index of the leg that a diagnosis is of: the one that it names,
// or else the first that failed; -1 when there is none.
func failing(r rehearse.Report) int {
	if r.Diagnosis == nil {
		return -1
	}
	named := slices.IndexFunc(r.Legs, func(l rehearse.LegReport) bool { return l.Name == r.Diagnosis.Failing })
	if named >= 0 {
		return named
	}
	failed := slices.IndexFunc(r.Legs, func(l rehearse.LegReport) bool { return l.Verdict.Outcome == rehearse.Fail })
	if failed >= 0 {
		return failed
	}
	return min(len(r.Legs), 1) - 1
}

// whyTitle is "Why production fails".
func whyTitle(r rehearse.Report) string {
	if i := failing(r); i >= 0 {
		return "Why " + plain(r.Legs[i].Name) + " fails"
	}
	return "Why it fails"
}

// showCommand looks at an example trace.
func showCommand(traces []rehearse.TraceID) string {
	if len(traces) == 0 {
		return ""
	}
	return "rehearse trace show " + traces[0].String()
}

// changeTable is where the time of one operation went. The figures are
// milliseconds, rounded so that every column and every row adds up.
type changeTable struct {
	Operation string
	Figures   []operationRow
	Change    string // with its noise
	Rows      []changeRow
	Sum       changeRow
}

// operationRow sums up one population.
type operationRow struct {
	Name, Color                      string
	Count, Failed, Mean, Median, P99 string
}

type changeRow struct {
	Path, Kind                      string
	Passing, Failing, Change, Share string
	Calls                           string  // as in "1 → 48"; empty when they are as many
	Bar                             float64 // percent of the largest change
	Less                            bool    // the change is below zero
}

// newChangeTable keeps the rows that change most and adds up the others.
func newChangeTable(d *rehearse.Diagnosis, op rehearse.OperationChange, rows int) changeTable {
	t := changeTable{
		Operation: plain(op.Operation),
		Figures:   []operationRow{newOperationRow(d.Passing, op.Passing), newOperationRow(d.Failing, op.Failing)},
		Change:    signed(op.Change) + " ± " + short(max(op.Noise, -op.Noise), true),
	}
	parts := slices.Clone(op.Parts)
	slices.SortStableFunc(parts, func(a, b rehearse.Contribution) int {
		return cmp.Compare(math.Abs(float64(b.Change)), math.Abs(float64(a.Change)))
	})
	var passing, failing, shares []float64
	var sum rehearse.Contribution
	for _, p := range parts {
		passing, failing = append(passing, float64(p.Passing)), append(failing, float64(p.Failing))
		shares = append(shares, 100*p.Share)
		sum.Passing += p.Passing
		sum.Failing += p.Failing
	}
	decimals := decimalsOf(max(sum.Passing, sum.Failing))
	unit := float64(time.Millisecond) / math.Pow10(decimals)
	for i := range parts {
		passing[i] /= unit
		failing[i] /= unit
	}
	was, is, share := wholes(passing), wholes(failing), wholes(shares)
	row := func(path, kind string, was, is, share int64) changeRow {
		change := fixed(is-was, decimals)
		if is > was {
			change = "+" + change
		}
		return changeRow{Path: path, Kind: kind, Passing: fixed(was, decimals), Failing: fixed(is, decimals), Change: change,
			Share: fmt.Sprintf("%d%%", share), Less: is < was}
	}
	type figures struct{ n, was, is, share int64 }
	var rest, all figures
	for i, p := range parts {
		all.was += was[i]
		all.is += is[i]
		all.share += share[i]
		// A single row is shown rather than called another.
		if i >= rows && len(parts) > rows+1 {
			rest.n++
			rest.was += was[i]
			rest.is += is[i]
			rest.share += share[i]
			continue
		}
		r := row(plain(p.Path), kindText(p.Kind), was[i], is[i], share[i])
		if a, b := fmt.Sprintf("%.3g", p.PassingCalls), fmt.Sprintf("%.3g", p.FailingCalls); a != b {
			r.Calls = a + " → " + b
		}
		if most := math.Abs(float64(parts[0].Change)); most > 0 {
			r.Bar = math.Round(1000*math.Abs(float64(p.Change))/most) / 10
		}
		t.Rows = append(t.Rows, r)
	}
	if rest.n > 0 {
		t.Rows = append(t.Rows, row(fmt.Sprintf("%d others", rest.n), "", rest.was, rest.is, rest.share))
	}
	t.Sum = row("in all", "", all.was, all.is, all.share)
	return t
}

// decimalsOf is how many decimals of a millisecond give three figures or more.
func decimalsOf(d rehearse.Duration) int {
	switch {
	case d >= rehearse.Duration(100*time.Millisecond):
		return 0
	case d >= rehearse.Duration(10*time.Millisecond):
		return 1
	case d >= rehearse.Duration(time.Millisecond):
		return 2
	}
	return 3
}

func newOperationRow(name string, f rehearse.OperationFigures) operationRow {
	return operationRow{Name: plain(name), Count: number(int64(f.Count)), Failed: fmt.Sprintf("%s (%s)", number(int64(f.Failed)), percent(f.Failed, f.Count)),
		Mean: short(f.Mean, f.Count > 0), Median: short(f.P50, f.Count > 0), P99: short(f.P99, f.Count > 0)}
}

// signed is "+1.21s" or "-3ms".
func signed(d rehearse.Duration) string {
	text := short(d, true)
	if d > 0 {
		return "+" + text
	}
	return text
}

// where is "docgen → db: wait for a connection".
func (r changeRow) where() string {
	return strings.TrimSuffix(r.Path+": "+r.Kind, ": ")
}

// diagnosisText is the diagnosis as plain lines.
func diagnosisText(r rehearse.Report) string {
	d := r.Diagnosis
	lines := []string{whyTitle(r) + ": " + plain(d.Sentence)}
	for i, f := range d.Facts {
		lines = append(lines, fmt.Sprintf("%d. %s", i+1, plain(f.Text)))
	}
	if d.Command != "" {
		lines = append(lines, plain(d.Command))
	}
	return strings.Join(lines, "\n")
}
