package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/dataset"
	"github.com/rehearse-dev/rehearse/internal/llm"
	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// dataProfile is what rehearse data profile is told.
type dataProfile struct {
	name, file    string
	measure       measure.Options
	printSQL, dry bool
	model         modelFlags
	asJSON        bool
}

func (a *app) dataProfileCommand() *cobra.Command {
	var s dataProfile
	c := &cobra.Command{
		Use:   "profile URL",
		Short: "Measure a database's shape into a file without its values",
		Long: `Read a database and write profiles/NAME.data.yaml: the shape of what it holds, for
people to review and to commit. NAME is the database's unless --name says another.

Each table is read once, in a transaction that can only read: whole where it is
small, else a sample of it. What is going to be read is said first; --dry-run says
only that, and --print-sql prints the statements, and both read no row.

Values get into the file only where at least --k rows hold them, and never from
columns that by name or content look personal, secret or like free text. Numbers
and times are told as rounded quantiles, texts by their shapes. With --epsilon
counts get noise as well. docs/data.md says what that covers and what it does not.

A role that may write is refused, and the statements that make one that may only
read are printed. Tables that the role may not read are left out, and named.

With --plan-with a language model is asked once what the columns mean, and its
answer is written to profiles/NAME.plan.yaml, for review as well. It is sent names,
types, comments and constraints, and never what is in a row. Only tables that have
changed are asked about again. A model that fails is a warning; the profile is
written all the same.`,
		Example: `  rehearse data profile postgres://reader@db.example/shop
  rehearse data profile postgres://reader@db.example/shop --dry-run
  rehearse data profile postgres://reader@db.example/shop --name customers --exclude 'audit.*' --k 50
  rehearse data profile postgres://reader@db.example/shop --plan-with anthropic`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.measure.K < 1 {
				return usageError("--k is %d, and should be at least 1", s.measure.K)
			}
			if s.measure.Sample < 1 {
				return usageError("--sample is %d, and should be at least 1", s.measure.Sample)
			}
			if !(s.measure.Epsilon >= 0) || math.IsInf(s.measure.Epsilon, 0) {
				return usageError("--epsilon is %g, and should be a number above 0", s.measure.Epsilon)
			}
			if s.file == "-" && (s.asJSON || s.model.with != "") {
				return usageError("-o - prints the profile alone; --json and --plan-with go with a file")
			}
			if err := s.model.check(); err != nil {
				return err
			}
			if err := s.place(args[0]); err != nil {
				return err
			}
			return a.profileData(cmd.Context(), args[0], s)
		},
	}
	f := c.Flags()
	f.StringVar(&s.name, "name", "", "the profile's name (default: the database's)")
	f.StringVarP(&s.file, "output", "o", "", "the file to write, instead of profiles/NAME.data.yaml; - is stdout")
	f.IntVar(&s.measure.K, "k", 20, "how many rows must hold a value before it is listed")
	f.Float64Var(&s.measure.Epsilon, "epsilon", 0, "add noise to counts, with this budget of differential privacy (default: none)")
	f.Int64Var(&s.measure.Sample, "sample", 30_000, "how many rows of a table to read; tables up to three times as large are read whole")
	f.StringArrayVar(&s.measure.Include, "table", nil, "a pattern of tables to read, as 'shop.*'; may be repeated (default: all)")
	f.StringArrayVar(&s.measure.Exclude, "exclude", nil, "a pattern of tables to leave out; may be repeated")
	f.StringVar(&s.measure.Description, "description", "", "a sentence for the head of the file")
	f.BoolVar(&s.measure.AllowWrite, "allow-write", false, "use a role that may write")
	f.BoolVar(&s.printSQL, "print-sql", false, "print the statements that would be run, and read no row")
	f.BoolVar(&s.dry, "dry-run", false, "say what would be read, and read no row")
	f.BoolVar(&s.asJSON, "json", false, "print the summary as JSON")
	s.model.add(c)
	c.MarkFlagsMutuallyExclusive("name", "output")
	_ = c.MarkFlagFilename("output", "yaml")
	return c
}

// place decides which file is written.
func (s *dataProfile) place(databaseURL string) error {
	if s.file != "" || s.dry || s.printSQL || !isURL(databaseURL) {
		return nil // or whoever opens the database says what is wrong with the URL
	}
	name := s.name
	if name == "" {
		name = databaseName(databaseURL)
	}
	if name == "" {
		return usageError("the URL names no database to call the profile after: say --name")
	}
	if strings.ContainsRune(name, filepath.Separator) || strings.HasPrefix(name, ".") {
		return usageError("--name is %q, and should be a name and no path; -o takes a path", name)
	}
	s.file = filepath.Join(profilesDir, name+profileSuffix)
	return nil
}

// readingJSON is what is going to be read.
type readingJSON struct {
	Tables []tableReadingJSON `json:"tables"`
	Notes  []string           `json:"notes"`
}

type tableReadingJSON struct {
	Table   string `json:"table"`
	Rows    int64  `json:"rows"`
	Sampled int64  `json:"sampled"` // 0: all
	SQL     string `json:"sql"`
}

// profileJSON is what a profile has in it.
type profileJSON struct {
	File    string             `json:"file"`
	Plan    string             `json:"plan,omitempty"`
	Privacy profilePrivacyJSON `json:"privacy"`
	Tables  []profileTableJSON `json:"tables"`
	Notes   []string           `json:"notes"`
	Model   *modelUsageJSON    `json:"model,omitempty"`
	Took    rehearse.Duration  `json:"took"`
}

type profilePrivacyJSON struct {
	K        int     `json:"k"`
	Epsilon  float64 `json:"epsilon"`
	Listed   int     `json:"listed"`
	Withheld int     `json:"withheld"`
}

type profileTableJSON struct {
	Table      string   `json:"table"`
	Rows       int64    `json:"rows"`
	Columns    int      `json:"columns"`
	Listed     int      `json:"listed"`  // values
	Private    int      `json:"private"` // columns
	References int      `json:"references"`
	Artifacts  []string `json:"artifacts"`
}

func (a *app) profileData(ctx context.Context, databaseURL string, s dataProfile) error {
	db, err := dataset.Open(ctx, databaseURL, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	reading, err := measure.Plan(ctx, db, s.measure)
	if err != nil {
		return mayUse(ctx, db, err)
	}
	if len(reading.Tables) == 0 {
		return &rehearse.Error{
			Kind: rehearse.Invalid, Msg: "there is no table to read" + spaced(strings.Join(reading.Notes, " ")),
			Hint: "Look at the database's name, what the role may read, and the patterns of --table and --exclude.",
		}
	}
	if s.printSQL || s.dry {
		return a.printReading(reading, s)
	}
	if err := writable(s.file); err != nil {
		return err
	}
	a.tellReading("reading", reading)
	began := time.Now()
	watch := a.newProgress()
	s.measure.Progress = func(p measure.Progress) {
		watch.tick(fmt.Sprintf("  %s  %d of %s  %s", bar(time.Duration(p.Done), time.Duration(p.Tables)), p.Done, plural(int64(p.Tables), "table"), p.Table))
	}
	made, err := measure.Profile(ctx, db, s.measure)
	watch.close()
	if err != nil {
		return err
	}
	if s.file == "-" {
		return made.Write(a.stdout)
	}
	if err := writeFile(s.file, made.Write); err != nil {
		return err
	}
	out := summaryOf(made)
	out.File, out.Notes, out.Took = s.file, orEmpty(reading.Notes), rehearse.Duration(time.Since(began))
	if s.model.with != "" {
		out.Plan, out.Model = a.planWith(ctx, db.Schema(), planFileOf(s.file), s.model)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return a.printProfile(out, s.asJSON)
}

// mayUse gives the refusal of a role that may write what a person can do about
// it.
func mayUse(ctx context.Context, db dataset.Database, refused error) error {
	if rehearse.KindOf(refused) != rehearse.Invalid {
		return refused
	}
	info, err := db.Info(ctx)
	if err != nil || len(info.CanWrite) == 0 {
		return refused
	}
	hint := "Use a role that may only read."
	if len(info.ReadOnlyGrants) > 0 {
		hint = "Make a role that may only read, and use that:\n      " + strings.Join(info.ReadOnlyGrants, ";\n      ") + ";"
	}
	return &rehearse.Error{
		Kind: rehearse.Invalid, Hint: hint,
		Err: &rehearse.Error{Kind: rehearse.Invalid, Msg: refused.Error(), Hint: "Or use this role all the same, in transactions that can only read: --allow-write."},
	}
}

// tellReading says what is going to be read.
func (a *app) tellReading(verb string, r *measure.Reading) {
	var all, sampled, least int64
	for _, t := range r.Tables {
		all += t.Rows
		if t.Sampled > 0 {
			sampled++
			least += min(t.Sampled, t.Rows)
			continue
		}
		least += t.Rows
	}
	fmt.Fprintf(a.stderr, "%s %s of about %s: about %s", verb, plural(int64(len(r.Tables)), "table"), rowsText(all), rowsText(least))
	if sampled > 0 {
		fmt.Fprintf(a.stderr, ", %s as a sample", plural(sampled, "table"))
	}
	fmt.Fprintln(a.stderr)
	a.printNotes(r.Notes)
}

func rowsText(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return count(n) + " rows"
}

// printReading prints what would be read.
func (a *app) printReading(r *measure.Reading, s dataProfile) error {
	if s.asJSON {
		out := readingJSON{Tables: []tableReadingJSON{}, Notes: orEmpty(r.Notes)}
		for _, t := range r.Tables {
			out.Tables = append(out.Tables, tableReadingJSON{Table: t.Table, Rows: t.Rows, Sampled: t.Sampled, SQL: t.SQL})
		}
		return printJSON(a, out)
	}
	a.tellReading("would read", r)
	if s.printSQL {
		for _, t := range r.Tables {
			if _, err := fmt.Fprintf(a.stdout, "%s;\n", strings.TrimRight(t.SQL, "; \n")); err != nil {
				return err
			}
		}
		return nil
	}
	t := table{head: []string{"TABLE", "ROWS", "READ"}}
	for _, r := range r.Tables {
		read := "all"
		if r.Sampled > 0 {
			read = count(r.Sampled)
		}
		t.add(r.Table, count(r.Rows), read)
	}
	return t.print(a)
}

// summaryOf counts what is in a profile.
func summaryOf(d *profile.Data) profileJSON {
	out := profileJSON{
		Tables:  []profileTableJSON{},
		Privacy: profilePrivacyJSON{K: d.Privacy.K, Epsilon: d.Privacy.Epsilon, Listed: d.Privacy.Listed, Withheld: d.Privacy.Withheld},
	}
	for _, t := range d.Tables {
		row := profileTableJSON{Table: t.Name, Rows: t.Rows, Columns: len(t.Columns), References: len(t.References), Artifacts: []string{}}
		for _, c := range t.Columns {
			row.Listed += len(c.Values)
			if c.Private != "" {
				row.Private++
			}
			for _, artifact := range c.Artifacts {
				row.Artifacts = append(row.Artifacts, artifact.Name)
			}
		}
		slices.Sort(row.Artifacts)
		row.Artifacts = slices.Compact(row.Artifacts)
		out.Tables = append(out.Tables, row)
	}
	return out
}

func (a *app) printProfile(p profileJSON, asJSON bool) error {
	if asJSON {
		return printJSON(a, p)
	}
	t := table{head: []string{"TABLE", "ROWS", "COLUMNS", "LISTED", "WITHHELD", "REFERENCES", "ARTIFACTS"}}
	for _, r := range p.Tables {
		t.add(r.Table, fmt.Sprint(r.Rows), fmt.Sprint(r.Columns), fmt.Sprint(r.Listed), fmt.Sprint(r.Private), fmt.Sprint(r.References), dash(strings.Join(r.Artifacts, ",")))
	}
	if err := t.print(a); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "%s: %s, %d values listed that at least %d rows hold, %d columns withheld; in %v\n",
		p.File, plural(int64(len(p.Tables)), "table"), p.Privacy.Listed, p.Privacy.K, withheld(p), rehearse.Round(time.Duration(p.Took)))
	fmt.Fprintln(a.stderr, "Review it before you commit it: what looks personal is found by patterns and names.")
	return nil
}

func withheld(p profileJSON) (n int) {
	for _, t := range p.Tables {
		n += t.Private
	}
	return n
}

// modelFlags say which language model plans, if any.
type modelFlags struct{ with, model, keyEnv, url string }

// planners are what --plan-with takes.
var planners = []string{"anthropic"}

func (f *modelFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.with, "plan-with", "", "ask a language model what columns mean: anthropic (default: none is asked)")
	c.Flags().StringVar(&f.model, "plan-model", llm.DefaultModel, "the model")
	c.Flags().StringVar(&f.keyEnv, "plan-key-env", "ANTHROPIC_API_KEY", "the environment variable that holds the key")
	c.Flags().StringVar(&f.url, "plan-url", "", "the API's address (default: Anthropic's own)")
	_ = c.RegisterFlagCompletionFunc("plan-with", cobra.FixedCompletions(planners, cobra.ShellCompDirectiveNoFileComp))
}

func (f *modelFlags) check() error {
	if f.with == "" || slices.Contains(planners, f.with) {
		return nil
	}
	return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("--plan-with is %q", f.with), Hint: "This version asks anthropic; --plan-url names another address of that API."}
}

// modelUsageJSON is what asking a model took, and what came of it.
type modelUsageJSON struct {
	Calls        int      `json:"calls"`
	InputTokens  int64    `json:"inputTokens"`
	OutputTokens int64    `json:"outputTokens"`
	Asked        int      `json:"asked"`
	Known        int      `json:"known"`
	Problems     []string `json:"problems"`
}

// planWith asks a model, writes its plan and says how it went. Without a plan
// the file is empty: nothing depends on it.
func (a *app) planWith(ctx context.Context, s *schema.Schema, file string, f modelFlags) (string, *modelUsageJSON) {
	before, err := llm.Read(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		a.warn("the plan that is there is left as it is", err)
		return "", nil
	}
	watch := a.newProgress()
	plan, usage, err := dataset.Ask(ctx, s, before, llm.Options{
		APIKey: a.Getenv(f.keyEnv), KeyName: f.keyEnv, Model: f.model, BaseURL: f.url,
		Progress: func(done, tables int) {
			watch.tick(fmt.Sprintf("  %s  %d of %s asked about", bar(time.Duration(done), time.Duration(tables)), done, plural(int64(tables), "table")))
		},
	})
	watch.close()
	out := &modelUsageJSON{
		Calls: usage.Calls, InputTokens: usage.InputTokens, OutputTokens: usage.OutputTokens, Asked: usage.Asked, Known: usage.Known,
		Problems: []string{},
	}
	for _, p := range usage.Problems {
		out.Problems = append(out.Problems, p.Error())
	}
	if ctx.Err() != nil {
		return "", out
	}
	if err == nil {
		err = writeFile(file, plan.Write)
	}
	if err != nil {
		a.warn("no plan was made", err)
		return "", out
	}
	a.printNotes(out.Problems)
	fmt.Fprintf(a.stderr, "%s: %s asked %d times about %s, %d known before; %s tokens in, %s out\n",
		file, cmp.Or(f.model, llm.DefaultModel), usage.Calls, plural(int64(usage.Asked), "table"), usage.Known, count(usage.InputTokens), count(usage.OutputTokens))
	return file, out
}

// warn prints an error that does not end the command.
func (a *app) warn(what string, err error) {
	fmt.Fprintf(a.stderr, "rehearse: warning: %s: %s\n", what, a.secrets.String(err.Error()))
	for _, h := range rehearse.Hints(err) {
		fmt.Fprintf(a.stderr, "  hint: %s\n", h)
	}
}
