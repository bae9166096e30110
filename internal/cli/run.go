package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/database"
	"github.com/rehearse-dev/rehearse/internal/dataset"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/evidence"
	"github.com/rehearse-dev/rehearse/internal/ledger"
	"github.com/rehearse-dev/rehearse/internal/rehearsal"
	"github.com/rehearse-dev/rehearse/internal/report"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

func (a *app) runCommand() *cobra.Command {
	var f projectFlags
	var l legFlags
	var forward forwardFlag
	var x explainFlags
	var asJSON, explained bool
	c := &cobra.Command{
		Use:   "run [DIR]",
		Short: "Rehearse the change under production's conditions",
		Long: `Start an isolated environment, wait until it is really ready, carry every edge
over a link with production's network, run the steps of rehearse.yaml, judge,
report and tear everything down.

The exit status is 0 when the verdict is a pass, 1 when it is a fail, 2 when the
command or the files are wrong, and 3 when the rehearsal could not be run or
could not show what it should.`,
		Example: "  rehearse run\n  rehearse run --leg staging\n  rehearse run --explain\n  rehearse run --only traffic,network:docgen:db.rtt=41ms\n  rehearse run -f compose.yaml -f compose.fixed.yaml examples/docgen",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			leg, err := l.make()
			if err != nil {
				return err
			}
			if err := x.check(); err != nil {
				return err
			}
			result, err := a.rehearse(cmd.Context(), f, forward, args, "run", leg)
			if explained && err == nil && report.Overall(result.Report) == rehearse.Fail {
				_, err = a.explain(cmd.Context(), f, x, result)
			}
			return a.conclude(result, err, asJSON)
		},
	}
	f.add(c)
	l.add(c)
	forward.add(c)
	x.add(c)
	c.Flags().BoolVar(&explained, "explain", false, "where it fails, find the smallest part of production under which it does: see rehearse explain")
	c.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return c
}

func (a *app) compareCommand() *cobra.Command {
	var f projectFlags
	var forward forwardFlag
	var asJSON bool
	c := &cobra.Command{
		Use:   "compare [DIR]",
		Short: "Show what staging would have said beside the truth",
		Long: `Rehearse the change twice: once with every facet flat, which is what staging
would have said, and once under production's profile. Then show which checks
differ. The exit status is that of the worse leg.`,
		Example: "  rehearse compare\n  rehearse compare examples/docgen",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			result, err := a.rehearse(cmd.Context(), f, forward, args, "compare", rehearse.Staging(), rehearse.Production())
			return a.conclude(result, err, asJSON)
		},
	}
	f.add(c)
	forward.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return c
}

// lease is how long the environment of a rehearsal may live; it ends much sooner
// by itself.
const lease = 2 * time.Hour

// rehearse loads a project and rehearses its legs.
func (a *app) rehearse(ctx context.Context, f projectFlags, forward forwardFlag, args []string, kind string, legs ...rehearse.Leg) (*rehearsal.Result, error) {
	f.Pull = a.stderr
	p, err := a.load(ctx, f, args)
	if err != nil {
		return nil, err
	}
	var plans []*rehearse.Plan
	for _, leg := range legs {
		made, err := p.Plan(leg)
		if err != nil {
			return nil, err
		}
		plans = append(plans, made)
	}
	a.secrets = a.Secrets(p, plans...)
	d, err := a.Driver(p.Driver(), p.Variables()...)
	if err != nil {
		return nil, err
	}
	to, err := forward.make()
	if err != nil {
		return nil, err
	}
	defer a.toldAll(ctx, to)
	defer a.sweepBeside(ctx)()
	watch := a.newProgress()
	defer watch.close()
	o := a.rehearsalOptions(p, d, watch)
	o.Kind, o.Plans, o.Root = kind, plans, filepath.Join(p.Dir, ".rehearse")
	o.Run = evidence.NewRunID(time.Now(), rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	o.Resource, o.Forward, o.Observe = a.Resource(ctx, p.Dir), to, watch.observer()
	result, err := rehearsal.Run(ctx, o)
	a.enter(result, kind, cmp.Or(a.job.Change(), stand.Change(o.Resource)))
	return result, err
}

// rehearsalOptions are those that do not depend on what is rehearsed.
func (a *app) rehearsalOptions(p *stand.Project, d driver.Driver, watch *progress) rehearsal.Options {
	return rehearsal.Options{
		Driver: d, Store: a.Store(), Lease: lease, Version: version(), Env: a.Env, Label: a.Label(), Source: p.Source().Recorded(), Secrets: a.secrets, Change: a.job.Change(), Base: a.job.Slug(),
		Fill: dataset.Filler(watch.talk()), FillKey: dataset.FillKey, Migrate: database.Migrator(watch.talk()), Churn: database.Churn, ComparePlans: database.Plans,
	}
}

// enter writes down in the ledger what a rehearsal has cost, as far as it came.
func (a *app) enter(result *rehearsal.Result, purpose, change string) {
	if result == nil {
		return
	}
	r := result.Report
	if spent, prices, ok := r.Spent(); ok {
		a.account(ledger.Entry{
			Ended: time.Now(), Project: r.Project, Purpose: purpose, Run: r.Run, Outcome: report.Overall(r), Change: change, Spent: spent, Prices: prices,
		})
	}
}

// account adds to the ledger. A verdict is one all the same where that cannot be
// written.
func (a *app) account(e ledger.Entry) {
	if err := a.Ledger().Add(e); err != nil {
		a.warn("what this has cost is not written down", err)
	}
}

// sweepBeside takes away what dead environments have left, while something else
// goes on; the function that it returns waits for that. It is a courtesy: what
// it cannot remove is for gc to say.
func (a *app) sweepBeside(ctx context.Context) (wait func()) {
	done := make(chan []string, 1)
	go func() {
		removed, _ := a.Store().Collect(ctx, a.Drivers()...)
		done <- removed
	}()
	return func() {
		for _, r := range <-done {
			fmt.Fprintln(a.stderr, "swept", r)
		}
	}
}

// conclude prints the report of a rehearsal and decides the exit code.
func (a *app) conclude(result *rehearsal.Result, failed error, asJSON bool) error {
	if result == nil || len(result.Report.Legs) == 0 {
		return failed
	}
	if rehearse.KindOf(failed) == rehearse.Interrupted {
		fmt.Fprintf(a.stderr, "evidence so far: %s\n", shortPath(result.Dir))
		return failed
	}
	if err := a.printReport(result, asJSON); err != nil {
		return errors.Join(failed, err)
	}
	a.exit = outcomeCode(report.Overall(result.Report))
	return failed
}

func (a *app) printReport(result *rehearsal.Result, asJSON bool) error {
	if asJSON {
		return report.JSON(a.stdout, result.Report)
	}
	width, _ := terminal(a.stdout)
	if err := report.Terminal(a.stdout, result.Report, report.TerminalOptions{Color: a.color(a.stdout), Width: width}); err != nil {
		return err
	}
	page := filepath.Join(result.Dir, "report.html")
	if st, err := os.Stat(page); err != nil || st.Size() == 0 {
		return nil // the disk was full, or judge found a run that was cut short
	}
	_, err := fmt.Fprintf(a.stdout, "\nreport: %s\n", shortPath(page))
	return err
}

func printJSON(a *app, v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
