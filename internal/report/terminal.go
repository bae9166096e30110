package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// TerminalOptions say what the terminal is like.
type TerminalOptions struct {
	Color bool
	Width int // in columns; 0 when unknown, as in a pipe: nothing is shortened
}

// Terminal writes the report for a person who just ran the rehearsal.
func Terminal(w io.Writer, r rehearse.Report, opt TerminalOptions) error {
	t := &terminal{Writer: bufio.NewWriter(w), opt: opt}
	legs := legsOf(r)

	t.head(r)
	t.checks(r.Legs)
	t.differences(r.Legs)
	t.why(r)
	if x := r.Explanation; x != nil {
		fmt.Fprintln(t)
		t.explanation(*x)
	}
	for _, l := range legs {
		t.findings(l)
	}
	for _, l := range legs {
		t.experiments(l)
		t.tried(l)
		t.databases(l)
		t.links(l)
		t.beneath(l)
		t.refused(l)
		t.telemetry(l)
	}
	return t.Flush()
}

type terminal struct {
	*bufio.Writer
	opt TerminalOptions
}

// The colours, as SGR parameters.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (t *terminal) paint(sgr, s string) string {
	if !t.opt.Color || s == "" || sgr == "" {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}

func outcomeColor(o rehearse.Outcome) string {
	switch o {
	case rehearse.Pass:
		return green
	case rehearse.Fail:
		return red
	case rehearse.Unverified:
		return yellow
	}
	return dim
}

func (t *terminal) head(r rehearse.Report) {
	parts := make([]string, len(r.Legs))
	for i, l := range r.Legs {
		parts[i] = plain(l.Name) + ": " + t.paint(bold+";"+outcomeColor(l.Verdict.Outcome), shout(l.Verdict.Outcome))
	}
	fmt.Fprintln(t, strings.Join(parts, " · "))
	about := []string{plain(r.Project), "run " + plain(string(r.Run))}
	if len(r.Legs) > 0 {
		about = append(about, fmt.Sprintf("seed %d", r.Legs[0].Verdict.Seed))
	}
	fmt.Fprintln(t, t.paint(dim, strings.Join(about, " · ")))
	if cost := Cost(r); cost != "" {
		fmt.Fprintln(t, t.paint(dim, "cost "+cost))
	}
}

// checks prints the table of checks and legs.
func (t *terminal) checks(legs []rehearse.LegReport) {
	rows := checks(legs)
	if len(rows) == 0 {
		return
	}
	widths := make([]int, len(legs)+1)
	widths[0] = len("check")
	for i, l := range legs {
		widths[i+1] = width(plain(l.Name))
	}
	for _, row := range rows {
		widths[0] = max(widths[0], width(plain(row.Check)))
		for i, c := range row.Cells {
			widths[i+1] = max(widths[i+1], 2+width(plain(c.Got)))
		}
	}
	t.fit(widths)

	fmt.Fprintln(t)
	line := pad("check", widths[0])
	for i, l := range legs {
		line += "  " + pad(cut(plain(l.Name), widths[i+1]), widths[i+1])
	}
	fmt.Fprintln(t, t.paint(dim, strings.TrimRight(line, " ")))
	for _, row := range rows {
		name := pad(cut(plain(row.Check), widths[0]), widths[0])
		if row.Outcome && len(legs) > 1 {
			name = t.paint(bold, name)
		}
		fmt.Fprint(t, name)
		for i, c := range row.Cells {
			got := cut(plain(c.Got), widths[i+1]-2)
			if i < len(row.Cells)-1 {
				got = pad(got, widths[i+1]-2)
			} else if got == "" && c.Outcome == "" {
				fmt.Fprint(t, "  ", t.paint(dim, mark(c.Outcome)))
				continue
			}
			fmt.Fprint(t, "  ", t.paint(outcomeColor(c.Outcome), mark(c.Outcome)), " ", got)
		}
		fmt.Fprintln(t)
	}
}

// fit narrows the widest columns until the table fits, but none below 14.
func (t *terminal) fit(widths []int) {
	if t.opt.Width < 1 {
		return
	}
	for {
		total, widest := 2*(len(widths)-1), 0
		for i, w := range widths {
			total += w
			if w > widths[widest] {
				widest = i
			}
		}
		if total <= t.opt.Width || widths[widest] <= 14 {
			return
		}
		widths[widest]--
	}
}

// differences lists the checks whose outcome depends on the leg.
func (t *terminal) differences(legs []rehearse.LegReport) {
	var names []string
	for _, row := range checks(legs) {
		if row.Outcome {
			names = append(names, plain(row.Check))
		}
	}
	if len(legs) < 2 {
		return
	}
	fmt.Fprintln(t)
	if len(names) == 0 {
		fmt.Fprintln(t, "The legs agree on every check.")
		return
	}
	fmt.Fprintln(t, t.paint(bold, verb(len(names), "check", "differs", "differ")+" from leg to leg:"))
	for _, n := range names {
		fmt.Fprintln(t, "  "+n)
	}
}

// why prints the diagnosis.
func (t *terminal) why(r rehearse.Report) {
	d := r.Diagnosis
	if d == nil {
		return
	}
	fmt.Fprintf(t, "\n%s\n", t.paint(bold, whyTitle(r)))
	for _, line := range wrap(plain(d.Sentence), t.opt.Width-2) {
		fmt.Fprintln(t, "  "+t.paint(bold, line))
	}
	for i, f := range d.Facts {
		for j, line := range wrap(plain(f.Text), t.opt.Width-5) {
			lead := fmt.Sprintf("  %d. ", i+1)
			if j > 0 {
				lead = "     "
			}
			fmt.Fprintln(t, lead+line)
		}
	}
	if d.Command != "" {
		fmt.Fprintln(t, t.paint(dim, "  "+plain(d.Command)))
	}
}

// findings tells the story of everything that did not pass.
func (t *terminal) findings(l leg) {
	for _, f := range l.Verdict.Findings {
		if f.Outcome == rehearse.Pass {
			continue
		}
		fmt.Fprintf(t, "\n%s %s\n", t.paint(bold+";"+outcomeColor(f.Outcome), mark(f.Outcome)+" "+plain(l.Name)+" · "+plain(f.Check)), plain(f.Got))
		for _, line := range wrap(plain(f.Detail), t.opt.Width-2) {
			fmt.Fprintln(t, "  "+line)
		}
		if f.Hint != "" {
			for _, line := range wrap(plain(f.Hint), t.opt.Width-2) {
				fmt.Fprintln(t, t.paint(dim, "  "+line))
			}
		}
		if c := showCommand(f.Traces); c != "" {
			fmt.Fprintln(t, t.paint(dim, "  "+c))
		}
	}
}

// links prints what each link did, as a table if there is room.
func (t *terminal) links(l leg) {
	if len(l.links) == 0 {
		return
	}
	fmt.Fprintf(t, "\n%s\n", t.paint(bold, "links of "+plain(l.Name)+tiersText(l)))
	table := [][]string{linkColumns}
	for _, k := range l.links {
		table = append(table, linkRow(k))
	}
	widths := widthsOf(table)
	total := -2
	for _, w := range widths {
		total += w + 2
	}
	if t.opt.Width > 0 && total > t.opt.Width {
		t.linkStories(l)
		return
	}
	for i, row := range table {
		line := tableLine(row, widths, func(c int) bool { return c > 1 })
		if i == 0 {
			line = t.paint(dim, line)
		}
		fmt.Fprintln(t, line)
	}
}

// linkStories is the table of links for a narrow terminal.
func (t *terminal) linkStories(l leg) {
	for _, k := range l.links {
		c := linkRow(k)
		fmt.Fprintf(t, "%s  %s\n", c[0], t.paint(dim, c[1]))
		text := fmt.Sprintf("connections %s, in flight at most %s, round trips %s, %s up, %s down", c[2], c[3], c[4], c[5], c[6])
		if k.stats.DelayAsked.Count > 0 {
			text += fmt.Sprintf("; delay asked p50 %s, gave %s, error p99 %s", c[7], c[8], c[9])
		}
		if k.stats.Refused+k.stats.Resets > 0 {
			text += fmt.Sprintf("; %s refused, %s reset", c[10], c[11])
		}
		for _, line := range wrap(text, t.opt.Width-2) {
			fmt.Fprintln(t, "  "+line)
		}
	}
}

// telemetry prints what is known of a leg's calls, and what is not.
func (t *terminal) telemetry(l leg) {
	lines := l.telemetryLines()
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(t, "\n%s\n", t.paint(bold, "telemetry of "+plain(l.Name)))
	for _, text := range lines {
		for i, line := range wrap(text, t.opt.Width-2) {
			if i > 0 {
				line = "  " + line
			}
			fmt.Fprintln(t, line)
		}
	}
}
