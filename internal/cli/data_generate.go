package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/dataset"
	"github.com/rehearse-dev/rehearse/internal/export"
	"github.com/rehearse-dev/rehearse/internal/postgres/load"
	"github.com/rehearse-dev/rehearse/internal/redact"
	"github.com/rehearse-dev/rehearse/internal/synth"
)

// dataGenerate is what rehearse data generate is told.
type dataGenerate struct {
	to, schemaFrom, format, now string
	spec                        dataset.Spec
	truncate                    bool
	connections                 int
	asJSON                      bool
}

// formats are what --format takes.
var formats = []string{string(export.CSV), string(export.SQL), string(export.Parquet)}

func (a *app) dataGenerateCommand() *cobra.Command {
	var s dataGenerate
	c := &cobra.Command{
		Use:   "generate [NAME|FILE]",
		Short: "Make rows of a profile's shape",
		Long: `Make rows of the shape that a profile says, for the schema of a database, and load
them into it, or write them to files. NAME is profiles/NAME.data.yaml; a plan of
the same name beside it is used as well. Without a profile, rows follow from the
schema alone.

The same files, schema, scale and seed give the same rows. Every constraint of the
schema is satisfied: those for which no rows can be found are named, and nothing is
loaded. Where the schema is not the one that was profiled, differences are listed:
columns that only the schema has are made from it, tables that only the schema has
stay as they are, and what only the profile has is left out.

--to postgres://… fills a database that has its schema and no rows. Indexes and
foreign keys are taken away while it is loaded, put back and validated. When that
fails, or is interrupted, the tables are empty and everything is back as before;
after a crash, rehearse data repair does that.

--to DIR writes one file per table into a directory that is empty or not there,
for the schema of the database that --schema-from names, which is only read.`,
		Example: `  rehearse data generate shop --to postgres://postgres@localhost/shop --scale 0.05 --seed 7
  rehearse data generate shop --to rows --schema-from postgres://postgres@localhost/shop --format parquet
  rehearse data generate --to postgres://postgres@localhost/shop --rows 1000`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeProfiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := s.files(cmd, args)
			if err != nil {
				return err
			}
			return a.generateData(cmd.Context(), files, s)
		},
	}
	f := c.Flags()
	f.StringVar(&s.to, "to", "", "the database's URL, or a directory")
	f.StringVar(&s.schemaFrom, "schema-from", "", "for a directory: the URL of a database that has the schema")
	f.Float64Var(&s.spec.Scale, "scale", 1, "how many of the profile's rows to make; small lookup tables keep their size")
	f.Uint64Var(&s.spec.Seed, "seed", 1, "which of all possible rows are made")
	f.Int64Var(&s.spec.Rows, "rows", 0, "how many rows an ordinary table has that no profile describes (default 1000)")
	f.StringVar(&s.spec.PlanFile, "plan", "", "the file that says what columns mean (default: NAME.plan.yaml beside the profile, if it is there)")
	f.StringVar(&s.format, "format", string(export.CSV), "for a directory: csv, sql or parquet")
	f.BoolVar(&s.truncate, "truncate", false, "empty the tables first; in a directory, replace files of the same names")
	f.IntVar(&s.connections, "connections", 2, "how many connections load at the same time")
	f.StringVar(&s.now, "now", "", "what dates and times are relative to: now, a date or a time (default: when the profile was taken)")
	f.BoolVar(&s.asJSON, "json", false, "print what was made as JSON")
	_ = c.MarkFlagFilename("plan", "yaml", "yml")
	_ = c.MarkFlagDirname("to")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// files checks the command line and reads the files that it names.
func (s *dataGenerate) files(cmd *cobra.Command, args []string) (*dataset.Files, error) {
	changed := cmd.Flags().Changed
	switch {
	case s.to == "":
		return nil, usageError("--to does not say where the rows go: the URL of a database, or a directory")
	case !(s.spec.Scale > 0) || math.IsInf(s.spec.Scale, 0):
		return nil, usageError("--scale is %g, and should be a number above 0", s.spec.Scale)
	case s.spec.Rows < 0 || changed("rows") && s.spec.Rows == 0:
		return nil, usageError("--rows is %d, and should be above 0", s.spec.Rows)
	case s.connections < 1:
		return nil, usageError("--connections is %d, and should be at least 1", s.connections)
	case isURL(s.to) && changed("schema-from"):
		return nil, usageError("--schema-from is for a directory; a database has its own schema")
	case isURL(s.to) && changed("format"):
		return nil, usageError("--format is for a directory")
	case !isURL(s.to) && s.schemaFrom == "":
		return nil, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("nothing says for which schema rows are written to %s", s.to),
			Hint: "Name a database that has it with --schema-from URL. It is only read.",
		}
	case !isURL(s.to) && changed("connections"):
		return nil, usageError("--connections is for a database")
	}
	if err := oneOf("--format", s.format, formats); err != nil {
		return nil, err
	}
	var err error
	if s.spec.Now, err = nowOf(s.now); err != nil {
		return nil, err
	}
	if len(args) > 0 {
		if s.spec.Profile, err = findProfile(args[0]); err != nil {
			return nil, err
		}
		if plan := planFileOf(s.spec.Profile); s.spec.PlanFile == "" && isFile(plan) {
			s.spec.PlanFile = plan
		}
	}
	return dataset.Read(s.spec)
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// nowOf reads --now.
func nowOf(s string) (time.Time, error) {
	switch s {
	case "":
		return time.Time{}, nil
	case "now":
		return time.Now(), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError("--now is %q, and should be now, a date as 2026-03-01, or a time as 2026-03-01T12:00:00Z", s)
}

// generateJSON is what was made.
type generateJSON struct {
	To      string              `json:"to"`
	Profile string              `json:"profile,omitempty"`
	Plan    string              `json:"plan,omitempty"`
	Scale   float64             `json:"scale"`
	Seed    uint64              `json:"seed"`
	Rows    int64               `json:"rows"`
	Bytes   int64               `json:"bytes"`
	Took    rehearse.Duration   `json:"took"`
	Phases  []phaseJSON         `json:"phases"`
	Tables  []generateTableJSON `json:"tables"`
	Lost    int64               `json:"lost,omitempty"`
	Notes   []string            `json:"notes"`
}

type phaseJSON struct {
	Phase string            `json:"phase"`
	Took  rehearse.Duration `json:"took"`
}

type generateTableJSON struct {
	Table string `json:"table"`
	File  string `json:"file,omitempty"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

func (a *app) generateData(ctx context.Context, files *dataset.Files, s dataGenerate) error {
	from := s.to
	if !isURL(s.to) {
		from = s.schemaFrom
	}
	db, err := dataset.Open(ctx, from, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	if len(db.Schema().Tables) == 0 {
		return &rehearse.Error{Kind: rehearse.Invalid, Msg: "the database has no tables to make rows for", Hint: "Create its schema first, as with your migrations."}
	}
	out := generateJSON{To: redacted(s.to), Profile: s.spec.Profile, Plan: s.spec.PlanFile, Scale: s.spec.Scale, Seed: s.spec.Seed}
	began := time.Now()
	compile := func() (*synth.Program, []string, error) { return dataset.Compile(ctx, db.Schema(), files) }
	if isURL(s.to) {
		compile = func() (*synth.Program, []string, error) { return dataset.CompileFor(ctx, db, files) }
	}
	program, err := a.compileData(ctx, compile, &out)
	if err != nil {
		return err
	}
	if isURL(s.to) {
		err = a.loadData(ctx, db, program, s, &out)
	} else {
		err = a.writeData(ctx, program, s, &out)
	}
	if err != nil {
		return err
	}
	out.Took = rehearse.Duration(time.Since(began))
	return a.printGenerated(out, s)
}

// redacted is where rows went, without a password.
func redacted(to string) string {
	if !isURL(to) {
		return to
	}
	return redact.URL(to)
}

// compileData makes the program, and lists where files and schema differ.
func (a *app) compileData(ctx context.Context, compile func() (*synth.Program, []string, error), out *generateJSON) (*synth.Program, error) {
	began := time.Now()
	watch := a.newProgress()
	watch.mu.Lock()
	watch.show("  plan rows that satisfy every constraint")
	watch.mu.Unlock()
	program, notes, err := compile()
	watch.close()
	a.printNotes(notes)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	out.Notes = orEmpty(notes)
	out.Phases = append(out.Phases, phaseJSON{Phase: "plan", Took: rehearse.Duration(time.Since(began))})
	return program, err
}

// loadData fills a database.
func (a *app) loadData(ctx context.Context, db dataset.Database, program *synth.Program, s dataGenerate, out *generateJSON) error {
	watch := a.newProgress()
	shown := filling{watch: watch}
	report, err := db.Load(ctx, load.Options{Connections: s.connections, Truncate: s.truncate, Progress: shown.show}, program)
	watch.close()
	if err != nil {
		return withTruncate(err)
	}
	out.Rows, out.Bytes = report.Rows, report.Bytes
	for _, p := range report.Phases {
		out.Phases = append(out.Phases, phaseJSON{Phase: string(p.Phase), Took: rehearse.Duration(p.Took)})
	}
	for _, t := range report.Tables {
		out.Tables = append(out.Tables, generateTableJSON{Table: t.Table, Rows: t.Rows, Bytes: t.Bytes})
	}
	return nil
}

// withTruncate names the flag for a target that holds something already.
func withTruncate(err error) error {
	hint := ""
	switch {
	case errors.Is(err, dataset.ErrNotEmpty):
		hint = "--truncate empties the tables first."
	case errors.Is(err, export.ErrNotEmpty):
		hint = "--truncate replaces files of the same names."
	default:
		return err
	}
	if inner, ok := err.(*rehearse.Error); ok {
		err = inner.Err // the flag is what its hint comes to
	}
	return &rehearse.Error{Kind: rehearse.Invalid, Err: err, Hint: hint}
}

// writeData writes files.
func (a *app) writeData(ctx context.Context, program *synth.Program, s dataGenerate, out *generateJSON) error {
	var total int64
	for _, t := range program.Tables() {
		total += t.Rows()
	}
	began := time.Now()
	watch := a.newProgress()
	report, err := export.Write(ctx, s.to, export.Format(s.format), program, export.Options{
		Overwrite: s.truncate,
		Progress: func(done int64) {
			watch.tick(fmt.Sprintf("  %s  %s of %s%s", bar(time.Duration(done), time.Duration(total)), count(done), rowsText(total), estimate(done, total, time.Since(began))))
		},
	})
	watch.close()
	if ctx.Err() != nil && err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		return withTruncate(err)
	}
	out.Rows, out.Bytes, out.Lost = report.Rows, report.Bytes, report.Lost
	out.Phases = append(out.Phases, phaseJSON{Phase: "write", Took: rehearse.Duration(time.Since(began))})
	for _, f := range report.Files {
		out.Tables = append(out.Tables, generateTableJSON{Table: f.Table, File: f.Name, Rows: f.Rows, Bytes: f.Bytes})
	}
	return nil
}

func (a *app) printGenerated(g generateJSON, s dataGenerate) error {
	if s.asJSON {
		return printJSON(a, g)
	}
	t := table{head: []string{"TABLE", "ROWS", "BYTES"}}
	if !isURL(s.to) {
		t.head = append(t.head, "FILE")
	}
	for _, r := range g.Tables {
		cells := []string{dash(r.Table), fmt.Sprint(r.Rows), fmt.Sprint(r.Bytes)}
		if !isURL(s.to) {
			cells = append(cells, r.File)
		}
		t.add(cells...)
	}
	if err := t.print(a); err != nil {
		return err
	}
	var parts []string
	for _, p := range g.Phases {
		parts = append(parts, fmt.Sprintf("%s %v", p.Phase, rehearse.Round(time.Duration(p.Took))))
	}
	fmt.Fprintf(a.stderr, "%s, %s in %v (%s), seed %d\n", rowsText(g.Rows), size(g.Bytes), rehearse.Round(time.Duration(g.Took)), strings.Join(parts, ", "), g.Seed)
	if g.Lost > 0 {
		fmt.Fprintf(a.stderr, "%s that %s has no form for are NULL\n", plural(g.Lost, "value"), s.format)
	}
	if isURL(s.to) {
		fmt.Fprintln(a.stderr, "Every constraint is in force, and the server has validated it.")
	}
	return nil
}

func (a *app) dataRepairCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "repair URL",
		Short: "Undo a load that was cut short",
		Long: `Undo a load of rehearse data generate whose process was killed, or whose server
crashed: empty the tables that were being loaded, and put back every index and
constraint that was taken away for it, in one transaction. The next load of the
same database does that by itself.`,
		Example: "  rehearse data repair postgres://postgres@localhost/shop",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			db, err := dataset.Open(cmd.Context(), args[0], nil)
			if err != nil {
				return err
			}
			defer db.Close()
			done, err := db.Repair(cmd.Context())
			if err != nil {
				return err
			}
			what := "there was nothing to repair"
			if done {
				what = "repaired: the tables are empty, and every constraint and index is back"
			}
			_, err = fmt.Fprintln(a.stderr, what)
			return err
		},
	}
}
