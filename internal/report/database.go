package report

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// databasesView is what was done to a leg's databases beside traffic.
type databasesView struct {
	Leg, Color string
	Migrations []migrationView
	Churn      []string // a sentence each
	Plans      []plansView
}

// migrationView is what a service's migrations did.
type migrationView struct {
	Service  string
	Summary  string
	Findings []string   // a sentence each, with its severity
	Rows     [][]string // of statements, see statementColumns
	Lines    []string   // what waited, and notes
}

// plansView is how the plans of a service's statements changed.
type plansView struct {
	Service  string
	Summary  string
	Findings []rehearse.PlanFinding
	Notes    []string
}

// newDatabasesView is nil when nothing was done.
func newDatabasesView(l leg, color string) *databasesView {
	v := &databasesView{Leg: l.Name, Color: color}
	for _, r := range l.migrations {
		v.Migrations = append(v.Migrations, newMigrationView(r))
	}
	for _, c := range l.churns {
		v.Churn = append(v.Churn, churnText(c))
	}
	for _, p := range l.plans {
		v.Plans = append(v.Plans, plansView{string(p.Service), plansText(p), p.Findings, p.Notes})
	}
	if v.Migrations == nil && v.Churn == nil && v.Plans == nil {
		return nil
	}
	return v
}

// statementColumns are the heads of a table of a migration's statements.
var statementColumns = []string{"statement", "took", "at production's size (estimate)", "locks"}

func newMigrationView(r rehearse.MigrationResult) migrationView {
	v := migrationView{Service: string(r.Service), Summary: migrationText(r)}
	for _, f := range r.Findings {
		if f.Kind == "migration_failed" && r.Failed != "" {
			continue // the summary has it
		}
		v.Findings = append(v.Findings, string(f.Severity)+": "+f.What)
	}
	for _, s := range r.Statements {
		v.Rows = append(v.Rows, statementRow(s))
	}
	for _, b := range r.Blocked {
		v.Lines = append(v.Lines, fmt.Sprintf("A %s of %s waited for %s, because of %s.", b.Access, b.Table, short(b.Longest, true), cut(oneLine(b.By), 100)))
	}
	for _, w := range r.Rewritten {
		v.Lines = append(v.Lines, fmt.Sprintf("%s was written anew: %s became %s.", w.Table, bytesText(w.Before), bytesText(w.After)))
	}
	v.Lines = append(v.Lines, r.Notes...)
	return v
}

// migrationText says in a sentence or two how a service's migrations went.
func migrationText(r rehearse.MigrationResult) string {
	names := make([]string, len(r.Files))
	for i, f := range r.Files {
		names[i] = filepath.Base(f)
	}
	text := fmt.Sprintf("%s in %s: %s.", count(len(r.Files), "file"), short(r.Elapsed, true), strings.Join(names, ", "))
	if r.Failed != "" {
		text += " It failed: " + r.Failed
	}
	if r.Unwatched != "" {
		text += " " + r.Unwatched
	}
	return text
}

func statementRow(s rehearse.MigrationStatement) []string {
	estimate := "–"
	if s.Times > 0 {
		estimate = fmt.Sprintf("%s (× %.3g, %s)", rehearse.Round(time.Duration(s.Estimate)), s.Times, s.How)
	}
	var locks []string
	for _, l := range s.Locks {
		locks = append(locks, fmt.Sprintf("%s on %s for %s", l.Mode, l.Table, short(l.Held, true)))
	}
	return []string{cut(oneLine(s.SQL), 120), short(s.Elapsed, true), estimate, or(strings.Join(locks, ", "), "–")}
}

// oneLine is a statement without its breaks.
func oneLine(sql string) string { return plain(strings.Join(strings.Fields(sql), " ")) }

// churnText tells of what was written beside a load.
func churnText(c rehearse.ChurnResult) string {
	if c.Failed != "" {
		return fmt.Sprintf("%s: nothing was written to %s beside the load: %s", c.Step, c.Service, c.Failed)
	}
	text := fmt.Sprintf("%s: %s inserted, %s updated and %s deleted in %s, in %s, in the place of production's other writers and through no link",
		c.Step, many(c.Inserts, "row"), number(c.Updates), number(c.Deletes), c.Service, many(c.Transactions, "transaction"))
	var conflicts []string
	for _, what := range slices.Sorted(maps.Keys(c.Conflicts)) {
		conflicts = append(conflicts, fmt.Sprintf("%s (%s)", what, number(c.Conflicts[what])))
	}
	if conflicts != nil {
		text += "; failed of " + strings.Join(conflicts, ", ")
	}
	text += "."
	if len(c.Errors) > 0 {
		text += " For example, " + strings.Join(c.Errors, "; ") + "."
	}
	return strings.Join(append([]string{text}, c.Notes...), " ")
}

// plansText says in a sentence what became of a service's plans.
func plansText(p rehearse.PlansResult) string {
	if p.Failed != "" {
		return "Nothing was compared: " + p.Failed
	}
	worse := "none is worse"
	if n := len(p.Findings); n > 0 {
		worse = verb(n, "statement", "has a finding", "have findings")
	}
	return fmt.Sprintf("%s compared with production's statistics, without the change's migrations and with them: %s.", many(int64(p.Statements), "statement"), worse)
}

// lines are a view as text, a paragraph each.
func (v migrationView) lines() []string {
	out := append([]string{v.Summary}, v.Findings...)
	for _, row := range v.Rows {
		line := row[1] + "  " + row[0]
		if row[2] != "–" {
			line += "; at production's size, by estimate, " + row[2]
		}
		if row[3] != "–" {
			line += "; " + row[3]
		}
		out = append(out, line)
	}
	return append(out, v.Lines...)
}

// databases prints what was done to a leg's databases.
func (t *terminal) databases(l leg) {
	v := newDatabasesView(l, "")
	if v == nil {
		return
	}
	section := func(head string, lines []string) {
		fmt.Fprintf(t, "\n%s\n", t.paint(bold, head))
		for _, text := range lines {
			for i, line := range wrap(plain(text), t.opt.Width-2) {
				if i > 0 {
					line = "  " + line
				}
				fmt.Fprintln(t, line)
			}
		}
	}
	for _, m := range v.Migrations {
		section("migrations of "+plain(m.Service)+" in "+plain(l.Name), m.lines())
	}
	if v.Churn != nil {
		section("other writers of "+plain(l.Name), v.Churn)
	}
	for _, p := range v.Plans {
		section("query plans of "+plain(p.Service)+" in "+plain(l.Name), append([]string{p.Summary}, p.Notes...))
		for _, f := range p.Findings {
			t.planFinding(f)
		}
	}
}

// planFinding prints one statement with its two trees, in which breaks matter.
func (t *terminal) planFinding(f rehearse.PlanFinding) {
	for _, line := range wrap(plain(f.What), t.opt.Width-2) {
		fmt.Fprintln(t, "  "+line)
	}
	fmt.Fprintln(t, t.paint(dim, "    "+cut(oneLine(f.SQL), t.opt.Width-4)))
	for _, tree := range []struct{ head, text string }{{"before the change", f.Before}, {"with it", f.After}} {
		if tree.text == "" {
			continue
		}
		fmt.Fprintln(t, "    "+tree.head+":")
		for line := range strings.Lines(tree.text) {
			fmt.Fprintln(t, "      "+cut(plain(strings.TrimRight(line, "\n")), t.opt.Width-6))
		}
	}
}

func mdDatabases(w io.Writer, l leg) {
	v := newDatabasesView(l, "")
	if v == nil {
		return
	}
	items := func(lines []string) {
		for _, line := range lines {
			fmt.Fprintf(w, "- %s\n", md(line))
		}
	}
	for _, m := range v.Migrations {
		fmt.Fprintf(w, "\n<details><summary>Migrations of %s in %s</summary>\n\n%s\n\n", md(m.Service), md(l.Name), md(m.Summary))
		items(m.Findings)
		if len(m.Rows) > 0 {
			fmt.Fprintf(w, "\n| %s |\n|%s\n", strings.Join(statementColumns, " | "), strings.Repeat("---|", len(statementColumns)))
			for _, row := range m.Rows {
				fmt.Fprintf(w, "| %s | %s | %s | %s |\n", md(row[0]), md(row[1]), md(row[2]), md(row[3]))
			}
			fmt.Fprintln(w)
		}
		items(m.Lines)
		fmt.Fprint(w, "\n</details>\n")
	}
	if v.Churn != nil {
		fmt.Fprintf(w, "\n<details><summary>Other writers of %s</summary>\n\n", md(l.Name))
		items(v.Churn)
		fmt.Fprint(w, "\n</details>\n")
	}
	for _, p := range v.Plans {
		fmt.Fprintf(w, "\n<details><summary>Query plans of %s in %s</summary>\n\n%s\n\n", md(p.Service), md(l.Name), md(p.Summary))
		items(p.Notes)
		for _, f := range p.Findings {
			fmt.Fprintf(w, "- %s <code>%s</code>\n", md(f.What), md(oneLine(f.SQL)))
			for _, tree := range []struct{ head, text string }{{"Before the change", f.Before}, {"With it", f.After}} {
				if tree.text != "" {
					fmt.Fprintf(w, "\n  %s:\n\n  ```\n", tree.head)
					for line := range strings.Lines(tree.text) {
						fmt.Fprintf(w, "  %s\n", plain(strings.ReplaceAll(strings.TrimRight(line, "\n"), "`", "'")))
					}
					fmt.Fprint(w, "  ```\n")
				}
			}
		}
		fmt.Fprint(w, "\n</details>\n")
	}
}
