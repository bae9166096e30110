package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/dataset"
	"github.com/rehearse-dev/rehearse/internal/likeness"
	"github.com/rehearse-dev/rehearse/internal/parity"
	"github.com/rehearse-dev/rehearse/internal/postgres"
	"github.com/rehearse-dev/rehearse/internal/profile"
)

// dataCheck is what rehearse data check is told.
type dataCheck struct {
	against, with      string
	plans, all, asJSON bool
	least              float64
	worst              int
}

func (a *app) dataCheckCommand() *cobra.Command {
	var s dataCheck
	c := &cobra.Command{
		Use:   "check [NAME|FILE]",
		Short: "Say how alike a database is to its profile, or to the original",
		Long: `Measure a generated database and say how alike it is to the profile that it was
made from: one score, the properties that it is the mean of, by the names and
definitions of SDMetrics, and where most is lost. With --with the original itself
is read as well, and rows are compared with rows. Databases are only read.

Two gates must hold whatever the score: every reference leads somewhere, and every
constraint is there and valid. The exit status is 1 when one does not hold, or when
the score is below --min.

With --plans the plans of the profile's statements are compared instead: those of
the database of --with, which has the schema before a change, and those of the
database of --against, which has the change's. Both need production's statistics,
as environments of rehearse have them. No statement is executed. The exit status is
1 when a statement has a worse plan, or none any more. With --against alone its
plans are printed.`,
		Example: `  rehearse data check shop --against postgres://postgres@localhost/shop
  rehearse data check shop --against postgres://postgres@localhost/shop --min 0.95 --all
  rehearse data check --against postgres://postgres@localhost/shop --with postgres://reader@db.example/shop
  rehearse data check shop --plans --with postgres://postgres@localhost/base --against postgres://postgres@localhost/head`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeProfiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := s.profile(cmd, args)
			if err != nil {
				return err
			}
			if s.plans {
				return a.checkPlans(cmd.Context(), p, s)
			}
			return a.checkData(cmd.Context(), p, s)
		},
	}
	f := c.Flags()
	f.StringVar(&s.against, "against", "", "the URL of the generated database")
	f.StringVar(&s.with, "with", "", "the URL of the original")
	f.BoolVar(&s.plans, "plans", false, "compare the plans of the profile's statements")
	f.Float64Var(&s.least, "min", 0, "the least score that passes, from 0 to 1 (default: every score does)")
	f.IntVar(&s.worst, "worst", 10, "how many of the places to list where most is lost")
	f.BoolVar(&s.all, "all", false, "print every single score, and those of each table")
	f.BoolVar(&s.asJSON, "json", false, "print JSON")
	return c
}

// profile checks the command line and reads the profile, if it names one.
func (s *dataCheck) profile(cmd *cobra.Command, args []string) (*profile.Data, error) {
	switch {
	case s.against == "":
		return nil, usageError("--against does not say which database is checked")
	case !(s.least >= 0 && s.least <= 1):
		return nil, usageError("--min is %g, and should be from 0 to 1", s.least)
	case s.worst < 0:
		return nil, usageError("--worst is %d, and should not be below 0", s.worst)
	case s.plans && cmd.Flags().Changed("min"):
		return nil, usageError("--min is for likeness, and --plans gives no score")
	case s.plans && len(args) == 0:
		return nil, usageError("--plans needs a profile, whose statements are explained")
	case s.with == "" && len(args) == 0:
		return nil, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: "nothing says what the database should be like",
			Hint: "Name its profile, or the original with --with URL.",
		}
	}
	if len(args) == 0 {
		return nil, nil
	}
	file, err := findProfile(args[0])
	if err != nil {
		return nil, err
	}
	return profile.ReadData(file)
}

func (a *app) checkData(ctx context.Context, p *profile.Data, s dataCheck) error {
	generated, err := dataset.Open(ctx, s.against, nil)
	if err != nil {
		return err
	}
	defer generated.Close()
	watch := a.newProgress()
	defer watch.close()
	o := likeness.Options{Worst: max(s.worst, 1), Profile: p, Progress: func(table string, done, tables int) {
		watch.tick(fmt.Sprintf("  %d of %s  %s", done, plural(int64(tables), "table"), table))
	}}
	var report *likeness.Report
	if s.with == "" {
		report, err = likeness.Against(ctx, p, generated, o)
	} else {
		var original dataset.Database
		if original, err = dataset.Open(ctx, s.with, nil); err != nil {
			return err
		}
		defer original.Close()
		report, err = likeness.Compare(ctx, original, generated, o)
	}
	watch.clear()
	if err != nil {
		return err
	}
	if !report.Passed() || report.Score < s.least {
		a.exit = exitFail
	}
	if s.asJSON {
		return printJSON(a, report)
	}
	return a.printLikeness(report, s)
}

// printLikeness prints a report: properties and tables with their scores, and
// where it is lost.
func (a *app) printLikeness(r *likeness.Report, s dataCheck) error {
	t := table{head: []string{"", "SCORE", "WHAT", "OF"}}
	t.add("score", score(r.Score), "", "")
	for _, p := range r.Properties {
		kind := "property"
		if !p.Counts {
			kind = "beside"
		}
		of := plural(int64(len(p.Items)), "score")
		if p.HeldScore != nil {
			of += fmt.Sprintf("; %s over the %d that a profile can hold", score(*p.HeldScore), p.Held)
		}
		t.add(kind, score(p.Score), p.Name, of)
	}
	for _, g := range r.Gates {
		outcome := "holds"
		if !g.Pass {
			outcome = "does not hold: " + strings.Join(g.Broken, "; ")
		}
		t.add("gate", score(g.Score), g.Name, outcome)
	}
	for _, l := range r.Lost[:min(len(r.Lost), s.worst)] {
		t.add("lost", score(l.Score), l.Place, l.Metric+spaced(l.What))
	}
	if s.all {
		for _, scored := range r.Tables {
			for _, of := range scored.Scores {
				t.add("table", score(of.Score), scored.Name, of.Property)
			}
		}
		for _, p := range r.Properties {
			for _, i := range p.Items {
				t.add("item", score(i.Score), i.Place(), i.Metric)
			}
		}
	}
	if err := t.print(a); err != nil {
		return err
	}
	a.printNotes(r.Notes)
	if r.Score < s.least {
		fmt.Fprintf(a.stderr, "the score %s is below %s\n", score(r.Score), score(s.least))
	}
	return nil
}

func spaced(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}

// score has four digits: what two samples of one table differ by is in the third.
// Rounding may have left it a trifle below 0.
func score(x float64) string { return fmt.Sprintf("%.4f", max(x, 0)) }

// planJSON is one statement with its plan.
type planJSON struct {
	SQL   string  `json:"sql"`
	Calls float64 `json:"calls,omitempty"`
	Kind  string  `json:"kind,omitempty"`
	What  string  `json:"what,omitempty"`
	Plan  string  `json:"plan,omitempty"`
	// Before is the plan on the schema before the change.
	Before string `json:"before,omitempty"`
}

func (a *app) checkPlans(ctx context.Context, p *profile.Data, s dataCheck) error {
	if len(p.Statements) == 0 {
		return &rehearse.Error{
			Kind: rehearse.Invalid, Msg: "the profile has no statements to explain",
			Hint: "Profile a database that has the extension pg_stat_statements, or write statements into the profile by hand.",
		}
	}
	head, err := postgres.Connect(ctx, postgres.Config{URL: s.against})
	if err != nil {
		return err
	}
	defer head.Close(context.WithoutCancel(ctx))
	if s.with == "" {
		return a.printPlans(explained(p.Statements, func(sql string) (*parity.Plan, error) { return parity.Explain(ctx, head, sql) }), s)
	}
	base, err := postgres.Connect(ctx, postgres.Config{URL: s.with})
	if err != nil {
		return err
	}
	defer base.Close(context.WithoutCancel(ctx))
	findings, err := parity.Check(ctx, base, head, p.Statements)
	if err != nil {
		return err
	}
	out := []planJSON{}
	for _, f := range findings {
		if f.Kind != parity.Unexplained {
			a.exit = exitFail
		}
		out = append(out, planJSON{SQL: f.SQL, Calls: f.Calls, Kind: f.Kind, What: f.What, Plan: planText(f.After), Before: planText(f.Before)})
	}
	if err := a.printPlans(out, s); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "%s compared, %s\n", plural(int64(len(p.Statements)), "statement"), plural(int64(len(findings)), "finding"))
	return nil
}

// explained are the plans of statements; what has none says why.
func explained(statements []profile.DataStatement, explain func(sql string) (*parity.Plan, error)) []planJSON {
	out := []planJSON{}
	for _, st := range statements {
		row := planJSON{SQL: st.SQL, Calls: st.Calls}
		plan, err := explain(st.SQL)
		if err != nil {
			row.Kind, row.What = parity.Unexplained, err.Error()
		}
		row.Plan = planText(plan)
		out = append(out, row)
	}
	return out
}

func planText(p *parity.Plan) string {
	if p == nil {
		return ""
	}
	return strings.TrimRight(p.String(), "\n")
}

func (a *app) printPlans(plans []planJSON, s dataCheck) error {
	if s.asJSON {
		return printJSON(a, plans)
	}
	for i, p := range plans {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		head := p.SQL
		if p.Kind != "" {
			head = p.Kind + ": " + head
		}
		fmt.Fprintln(a.stdout, head)
		if p.What != "" {
			fmt.Fprintln(a.stdout, indented(p.What))
		}
		for _, plan := range []struct{ name, text string }{{"before", p.Before}, {"after", p.Plan}} {
			switch {
			case plan.text == "":
			case p.Before == "":
				fmt.Fprintln(a.stdout, indented(plan.text))
			default:
				fmt.Fprintln(a.stdout, indented(plan.name+":\n"+indented(plan.text)))
			}
		}
	}
	return nil
}

func indented(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }
