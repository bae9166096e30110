package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/rehearsal"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

func newestInitdb() string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return ""
	}
	slices.Sort(found)
	return found[len(found)-1]
}

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show the case study: a bug that staging cannot see",
		Long: `Compare examples/docgen, a document service whose connection pool drains only
under production's network and traffic, and then its fixed twin: four legs, in
some two minutes. It must be run in a checkout of rehearse. The exit status is 0
when the demonstration showed what it should.`,
		Example: "  go run ./cmd/rehearse demo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := findExample("docgen")
			if err != nil {
				return err
			}
			return a.demo(cmd.Context(), dir)
		},
	}
}

// findExample looks for an example upwards from here.
func findExample(name string) (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		if path := filepath.Join(dir, "examples", name); isDir(path) {
			return path, nil
		}
		if dir == filepath.Dir(dir) {
			return "", &rehearse.Error{Kind: rehearse.Invalid, Msg: "the demonstration needs examples/" + name, Hint: "Run it in a checkout of rehearse."}
		}
	}
}

// demo compares the service as it is and as it was fixed.
func (a *app) demo(ctx context.Context, dir string) error {
	say := func(text string) { fmt.Fprint(a.stdout, text) }
	say(`A document service passed every test in staging and failed in production. Its
database is on another continent, and at the peak of the day many small documents
are made: each holds one of a few pooled connections over five round trips.

First the service as it is. The staging leg is what staging would have said: no
distance between the services, and the day's mean traffic in an even stream. The
production leg is the truth: 84 ms to the database, and the peak as it comes.

`)
	broken, err := a.demoCompare(ctx, dir)
	if err != nil {
		return err
	}
	say(`
Now the same service with a corrected data layer: one round trip, a pool that is
large enough, and every connection given back.

`)
	fixed, err := a.demoCompare(ctx, dir, "compose.yaml", "compose.fixed.yaml")
	if err != nil {
		return err
	}
	want := []struct {
		what    string
		result  *rehearsal.Result
		leg     int
		outcome rehearse.Outcome
	}{
		{"as it is, in staging", broken, 0, rehearse.Pass},
		{"as it is, in production", broken, 1, rehearse.Fail},
		{"fixed, in staging", fixed, 0, rehearse.Pass},
		{"fixed, in production", fixed, 1, rehearse.Pass},
	}
	say("\nWhat you have seen:\n")
	var missed []error
	for _, w := range want {
		got := w.result.Report.Legs[w.leg].Verdict.Outcome
		fmt.Fprintf(a.stdout, "  %-26s %s\n", w.what, got)
		if got != w.outcome {
			missed = append(missed, fmt.Errorf("the service %s should %s, but the verdict is %s", w.what, w.outcome, got))
		}
	}
	fmt.Fprintf(a.stdout, `
Nothing in the service knows which leg it runs in. The reports, with both legs in
each chart:
  %s
  %s
`, shortPath(filepath.Join(broken.Dir, "report.html")), shortPath(filepath.Join(fixed.Dir, "report.html")))
	return errors.Join(missed...)
}

func (a *app) demoCompare(ctx context.Context, dir string, files ...string) (*rehearsal.Result, error) {
	f := projectFlags{stand.Source{Driver: "process", Files: files}}
	result, err := a.rehearse(ctx, f, forwardFlag{}, []string{dir}, "compare", rehearse.Staging(), rehearse.Production())
	if err != nil {
		return nil, err
	}
	return result, a.printReport(result, false)
}
