package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// probeColumns are the heads of the table of probes.
var probeColumns = []string{"in force", "loads", "failed", "passed", "unverified", "time", "what it showed"}

// probeRow is one row of that table.
func probeRow(t rehearse.ProbeTally) []string {
	in := strings.ReplaceAll(rehearse.OnlyParts(t.Parts...).String(), ",", ", ")
	if len(t.Parts) == 0 {
		in = "nothing of production's"
	}
	blank := func(n int) string {
		if n == 0 {
			return ""
		}
		return fmt.Sprint(n)
	}
	return []string{
		plain(in), fmt.Sprintf("%.3g%%", 100*t.Share), blank(t.Failed), blank(t.Passed), blank(t.Unverified),
		fmt.Sprintf("%.1fs", t.Elapsed.Seconds()), plain(t.Got),
	}
}

// explainedBy says how sure an explanation is and what it took.
func explainedBy(x rehearse.Explanation) string {
	n := 0
	for _, t := range x.Probes {
		n += t.Failed + t.Passed + t.Unverified
	}
	text := fmt.Sprintf("%s in %v", count(n, "probe"), time.Duration(x.Elapsed).Round(time.Second))
	if x.Confidence > 0 {
		text = fmt.Sprintf("confidence %.1f%%, %s", 100*x.Confidence, text)
	}
	return text
}

// thresholdLine says where along an axis a leg begins to fail.
func thresholdLine(t rehearse.PartThreshold) string {
	return fmt.Sprintf("%s: fails from between %s and %s on, of %s in production (confidence %.1f%%).",
		plain(t.Part.String()), t.Part.FormatValue(t.Passes), t.Part.FormatValue(t.Fails), t.Part.FormatValue(t.Full), 100*t.Confidence)
}

// explanationNotes are everything else that its reader must know.
func explanationNotes(x rehearse.Explanation) []string {
	var out []string
	for _, t := range x.Thresholds {
		out = append(out, thresholdLine(t))
	}
	return append(append(out, x.Changed...), x.Remarks...)
}

// TerminalExplanation writes an explanation for a person who just asked for it.
func TerminalExplanation(w io.Writer, x rehearse.Explanation, opt TerminalOptions) error {
	t := &terminal{Writer: bufio.NewWriter(w), opt: opt}
	t.explanation(x)
	return t.Flush()
}

func (t *terminal) explanation(x rehearse.Explanation) {
	fmt.Fprintln(t, t.paint(bold, plain(x.Short)))
	for _, line := range wrap(plain(x.Sentence), t.opt.Width-2) {
		fmt.Fprintln(t, "  "+t.paint(bold, line))
	}
	if len(x.Probes) == 0 {
		return
	}
	fmt.Fprintln(t, "  "+t.paint(dim, explainedBy(x)))
	for _, c := range x.Checks {
		fmt.Fprintln(t, "  what fails: "+plain(c))
	}
	for _, text := range explanationNotes(x) {
		for _, line := range wrap(text, t.opt.Width-2) {
			fmt.Fprintln(t, "  "+line)
		}
	}
	table := [][]string{probeColumns}
	for _, p := range x.Probes {
		table = append(table, probeRow(p))
	}
	widths := widthsOf(table)
	figures := func(c int) bool { return c > 0 && c < len(probeColumns)-1 }
	fmt.Fprintln(t)
	for i, row := range table {
		line := tableLine(row, widths, figures)
		if t.opt.Width > 0 {
			line = cut(line, t.opt.Width)
		}
		if i == 0 {
			line = t.paint(dim, line)
		}
		fmt.Fprintln(t, line)
	}
	if x.Command != "" {
		fmt.Fprintf(t, "\n%s\n", plain(x.Command))
	}
}

func mdExplanation(w io.Writer, r rehearse.Report) {
	x := r.Explanation
	if x == nil {
		return
	}
	fmt.Fprintf(w, "\n**Explained: %s.** %s *(%s)*\n", md(x.Short), md(x.Sentence), md(explainedBy(*x)))
	if x.Command != "" {
		fmt.Fprintf(w, "\n<code>%s</code>\n", md(x.Command))
	}
	fmt.Fprintln(w)
	for _, text := range explanationNotes(*x) {
		fmt.Fprintf(w, "- %s\n", md(text))
	}
	if len(x.Probes) == 0 {
		return
	}
	fmt.Fprintf(w, "\n<details><summary>Probes</summary>\n\n| %s |\n|---|--:|--:|--:|--:|--:|---|\n", strings.Join(probeColumns, " | "))
	for _, p := range x.Probes {
		row := probeRow(p)
		for i := range row {
			row[i] = md(row[i])
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
	fmt.Fprint(w, "\n</details>\n")
}

// explainView is an explanation on the page.
type explainView struct {
	Title, Sentence, By string
	Notes               []string
	Columns             []string
	Rows                [][]string
	Command             string
}

func newExplainView(x *rehearse.Explanation) *explainView {
	if x == nil {
		return nil
	}
	v := &explainView{
		Title: "Explained: " + plain(x.Short), Sentence: plain(x.Sentence), By: explainedBy(*x), Notes: explanationNotes(*x),
		Columns: probeColumns, Command: plain(x.Command),
	}
	for _, p := range x.Probes {
		v.Rows = append(v.Rows, probeRow(p))
	}
	return v
}
