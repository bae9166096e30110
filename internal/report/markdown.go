package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// Markdown writes the report as a comment on a pull request: first what a
// reviewer must know, the rest folded away.
func Markdown(w io.Writer, r rehearse.Report) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "### %s %s\n\n", outcomeSign(Overall(r)), md(headline(r.Legs)))
	fmt.Fprintf(b, "%s\n", md(summary(r)))
	mdDiagnosis(b, r)
	mdExplanation(b, r)

	all := checks(r.Legs)
	var telling []Difference
	for _, row := range all {
		if row.Outcome || anyBad(row.Cells) {
			telling = append(telling, row)
		}
	}
	if len(telling) > 0 {
		fmt.Fprintln(b)
		checkTable(b, r.Legs, telling)
	}
	legs := legsOf(r)
	for _, l := range legs {
		mdFindings(b, l)
	}
	if len(all) > len(telling) {
		fmt.Fprintf(b, "\n<details><summary>All %s</summary>\n\n", count(len(all), "check"))
		checkTable(b, r.Legs, all)
		fmt.Fprint(b, "\n</details>\n")
	}
	for _, l := range legs {
		mdExperiments(b, l)
		mdTried(b, l)
		mdDatabases(b, l)
		mdLinks(b, l)
		mdBeneath(b, l)
		mdRefused(b, l)
		mdTelemetry(b, l)
	}
	fmt.Fprintf(b, "\n<sub>rehearse %s · %s · run %s", md(r.Version), md(r.Project), md(string(r.Run)))
	if len(r.Legs) > 0 {
		fmt.Fprintf(b, " · seed %d", r.Legs[0].Verdict.Seed)
	}
	if cost := Cost(r); cost != "" {
		fmt.Fprintf(b, " · cost %s", md(cost))
	}
	fmt.Fprintln(b, "</sub>")
	return b.Flush()
}

func outcomeSign(o rehearse.Outcome) string {
	switch o {
	case rehearse.Pass:
		return "✅"
	case rehearse.Fail:
		return "❌"
	case rehearse.Unverified:
		return "❔"
	}
	return "–"
}

func anyBad(cells []Cell) bool {
	for _, c := range cells {
		if c.Outcome == rehearse.Fail || c.Outcome == rehearse.Unverified {
			return true
		}
	}
	return false
}

func checkTable(w io.Writer, legs []rehearse.LegReport, rows []Difference) {
	fmt.Fprint(w, "| check |")
	for _, l := range legs {
		fmt.Fprintf(w, " %s |", md(l.Name))
	}
	fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("---|", len(legs)))
	for _, row := range rows {
		name := md(row.Check)
		if row.Outcome && len(legs) > 1 {
			name = "**" + name + "**"
		}
		fmt.Fprintf(w, "| %s |", name)
		for _, c := range row.Cells {
			fmt.Fprintf(w, " %s |", strings.TrimSpace(outcomeSign(c.Outcome)+" "+md(c.Got)))
		}
		fmt.Fprintln(w)
	}
}

func mdFindings(w io.Writer, l leg) {
	for i, f := range notPassed(l.Verdict) {
		if i == 0 {
			fmt.Fprintf(w, "\n**What %s shows**\n\n", md(l.Name))
		}
		fmt.Fprintf(w, "- %s **%s**: %s", outcomeSign(f.Outcome), md(f.Check), md(f.Got))
		if f.Detail != "" {
			fmt.Fprintf(w, ". %s", md(f.Detail))
		}
		if f.Hint != "" {
			fmt.Fprintf(w, " *%s*", md(f.Hint))
		}
		if c := showCommand(f.Traces); c != "" {
			fmt.Fprintf(w, " <code>%s</code>", md(c))
		}
		fmt.Fprintln(w)
	}
}

// mdRows is how many places of an operation a comment shows.
const mdRows = 4

func mdDiagnosis(w io.Writer, r rehearse.Report) {
	d := r.Diagnosis
	if d == nil {
		return
	}
	fmt.Fprintf(w, "\n**%s.** %s\n\n", md(whyTitle(r)), md(d.Sentence))
	for i, f := range d.Facts {
		fmt.Fprintf(w, "%d. %s\n", i+1, md(f.Text))
	}
	if len(d.Operations) > 0 {
		t := newChangeTable(d, d.Operations[0], mdRows)
		fmt.Fprintf(w, "\n| %s: where the time goes | %s, ms | %s, ms | change | share |\n|---|--:|--:|--:|--:|\n", md(t.Operation), md(d.Passing), md(d.Failing))
		for _, row := range t.Rows {
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", md(row.where()), row.Passing, row.Failing, row.Change, row.Share)
		}
		fmt.Fprintf(w, "| **%s** | **%s** | **%s** | **%s** | |\n", t.Sum.Path, t.Sum.Passing, t.Sum.Failing, t.Sum.Change)
	}
	if d.Command != "" {
		fmt.Fprintf(w, "\n<code>%s</code>\n", md(d.Command))
	}
}

func mdTelemetry(w io.Writer, l leg) {
	lines := l.telemetryLines()
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\n<details><summary>Telemetry of %s</summary>\n\n", md(l.Name))
	for _, line := range lines {
		fmt.Fprintf(w, "- %s\n", md(line))
	}
	fmt.Fprint(w, "\n</details>\n")
}

func notPassed(v rehearse.Verdict) []rehearse.Finding {
	var out []rehearse.Finding
	for _, f := range v.Findings {
		if f.Outcome != rehearse.Pass {
			out = append(out, f)
		}
	}
	return out
}

func mdLinks(w io.Writer, l leg) {
	if len(l.links) == 0 {
		return
	}
	fmt.Fprintf(w, "\n<details><summary>Links of %s%s</summary>\n\n", md(l.Name), tiersText(l))
	fmt.Fprintf(w, "| %s |\n|---|---|%s\n", strings.Join(linkColumns, " | "), strings.Repeat("--:|", len(linkColumns)-2))
	for _, k := range l.links {
		row := linkRow(k)
		for i := range row {
			row[i] = md(row[i])
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
	fmt.Fprint(w, "\n</details>\n")
}

var mdEscaper = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "|", `\|`, "~", `\~`,
	"&", "&amp;", "<", "&lt;", ">", "&gt;",
	// Evidence must not call people, nor link to other issues.
	"@", "@\u200b", "#", "#\u200b",
)

// md escapes text for one line of Markdown on a forge.
func md(s string) string { return mdEscaper.Replace(plain(s)) }
