package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/evidence"
	"github.com/rehearse-dev/rehearse/internal/explain"
	"github.com/rehearse-dev/rehearse/internal/ledger"
	"github.com/rehearse-dev/rehearse/internal/rehearsal"
	"github.com/rehearse-dev/rehearse/internal/report"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

// explainFlags say how far a search for the cause goes.
type explainFlags struct {
	budget     time.Duration
	confidence float64
}

func (f *explainFlags) add(c *cobra.Command) {
	c.Flags().DurationVar(&f.budget, "budget", 15*time.Minute, "how long the search for the cause may take")
	c.Flags().Float64Var(&f.confidence, "confidence", 0.95, "how sure the explanation must be")
}

func (f *explainFlags) check() error {
	switch {
	case f.budget <= 0:
		return usageError("--budget must be above 0, not %v", f.budget)
	case !(f.confidence >= 0.5 && f.confidence < 1):
		return usageError("--confidence is from 0.5 to below 1, not %v", f.confidence)
	}
	return nil
}

// resolution is how exactly a threshold is measured, as a share of the way from
// flat to production.
const resolution = 0.1

func (a *app) explainCommand() *cobra.Command {
	var f projectFlags
	var x explainFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain [RUN]",
		Short: "Find the smallest part of production under which it fails",
		Long: `Shrink production's conditions to the smallest set under which a run still
fails, by rehearsing short legs: facets, then single links, traffic profiles,
datasets and experiments, then what they are made of. Then measure from which
value on the guilty one makes it fail, and print the command that reproduces it.

RUN is a run's directory, or its name below .rehearse/runs; without it, the latest
run here that failed. Where there is none yet, production is rehearsed first.`,
		Example: "  rehearse explain\n  rehearse explain --budget 5m 20261122-161207-4f9k\n  rehearse run --explain",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := x.check(); err != nil {
				return err
			}
			result, err := a.failedRun(cmd.Context(), f, args)
			if err != nil {
				return err
			}
			if result == nil {
				_, err := fmt.Fprintln(a.stdout, "nothing to explain: no run here has failed")
				return err
			}
			explanation, failed := a.explain(cmd.Context(), f, x, result)
			if explanation == nil {
				return failed
			}
			if rehearse.KindOf(failed) == rehearse.Interrupted {
				return failed
			}
			if asJSON {
				err = printJSON(a, explanation)
			} else {
				width, _ := terminal(a.stdout)
				err = report.TerminalExplanation(a.stdout, *explanation, report.TerminalOptions{Color: a.color(a.stdout), Width: width})
			}
			if explanation.Outcome == rehearse.ExplainedOpen || explanation.Outcome == rehearse.ExplainedUnsteady {
				a.exit = exitCannot
			}
			return errors.Join(failed, err)
		},
	}
	f.add(c)
	x.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the explanation as JSON")
	return c
}

// failedRun finds the run to explain: the one that is named, the latest rehearsal that
// failed, or where there is no run yet, a new one. It is nil where runs are there
// and none has failed.
func (a *app) failedRun(ctx context.Context, f projectFlags, args []string) (*rehearsal.Result, error) {
	if len(args) > 0 {
		dir, err := findRun(args)
		if err != nil {
			return nil, err
		}
		return rehearsal.Judge(dir)
	}
	if _, err := evidence.Latest(".rehearse"); err != nil {
		fmt.Fprintln(a.stderr, "there is no run yet, so production is rehearsed first")
		return a.rehearse(ctx, f, forwardFlag{}, nil, evidence.KindRun, rehearse.Production())
	}
	runs, err := os.ReadDir(filepath.Join(".rehearse", "runs"))
	if err != nil {
		return nil, err
	}
	for _, e := range slices.Backward(runs) { // names begin with the time
		dir := filepath.Join(".rehearse", "runs", e.Name())
		result, err := rehearsal.Judge(dir)
		if err != nil || report.Overall(result.Report) != rehearse.Fail {
			continue
		}
		archive, err := evidence.Open(dir)
		if err == nil && archive.Meta.Kind != evidence.KindExperiment {
			return result, nil
		}
	}
	return nil, nil
}

// failedLeg is the leg of a run to explain: of those that failed, the one with most
// in force; where none did, the last.
func failedLeg(r *rehearse.Report) *rehearse.LegReport {
	var best *rehearse.LegReport
	for i := range r.Legs {
		l := &r.Legs[i]
		if p := l.Evidence.Plan(); l.Verdict.Outcome == rehearse.Fail && p != nil && (best == nil || len(p.Leg.Facets) >= len(best.Evidence.Plan().Leg.Facets)) {
			best = l
		}
	}
	return best
}

// explain explains a run, writes the explanation into it, and its reports anew.
func (a *app) explain(ctx context.Context, f projectFlags, x explainFlags, result *rehearsal.Result) (*rehearse.Explanation, error) {
	if len(result.Report.Legs) == 0 {
		return nil, &rehearse.Error{Kind: rehearse.Invalid, File: result.Dir, Msg: "the run has no leg that could be explained", Hint: "Rehearse once more."}
	}
	switch overall := report.Overall(result.Report); overall {
	case rehearse.Pass:
		return explain.Search(ctx, rehearse.ExplainBegin{Leg: rehearse.Leg{Name: result.Report.Legs[len(result.Report.Legs)-1].Name}}, nil)
	case rehearse.Unverified:
		return nil, &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: "the run is unverified, so nothing is known to fail in it",
			Hint: "See what is missing with rehearse judge, and rehearse once more.",
		}
	}
	leg := failedLeg(&result.Report)
	if leg == nil || len(explain.Failures(leg.Verdict)) == 0 {
		return nil, &rehearse.Error{Kind: rehearse.Invalid, File: result.Dir, Msg: "nothing failed in this run that production's conditions could be to blame for", Hint: "See rehearse judge."}
	}
	was := leg.Evidence.Plan()
	archive, err := evidence.Open(result.Dir)
	if err != nil {
		return nil, err
	}
	if archive.Meta.Kind == evidence.KindExperiment {
		return nil, &rehearse.Error{
			Kind: rehearse.Invalid, File: result.Dir, Msg: "the run is of an experiment at an environment that stood, which probes in fresh environments do not repeat",
			Hint: "Put the experiment under rehearsal in rehearse.yaml, and explain what rehearse run finds.",
		}
	}
	f.Pull = a.stderr
	p, err := a.Load(ctx, sourceOf(f, archive.Meta.Source, was))
	if err != nil {
		return nil, err
	}
	now, err := p.Plan(was.Leg)
	if err != nil {
		return nil, err
	}
	a.secrets = a.Secrets(p, now)
	d, err := a.Driver(p.Driver(), p.Variables()...)
	if err != nil {
		return nil, err
	}
	b := rehearse.ExplainBegin{
		Version: version(), Time: time.Now().UTC(), Leg: was.Leg, Seed: now.Seed, Checks: []string{},
		Suspects: p.Suspects(now), Confidence: x.confidence, Resolution: resolution, Budget: rehearse.Duration(x.budget),
		Command: commandOf(p.Source(), was.Dir), Changed: changed(archive.Meta.Started, p, was, now),
	}
	for _, c := range explain.Failures(leg.Verdict) {
		b.Checks = append(b.Checks, c.Check)
	}
	b.Shares, b.Long = explain.Shares(explain.Shorten(now, explain.Failures(leg.Verdict), 1))
	defer a.sweepBeside(ctx)()
	watch := a.newProgress()
	defer watch.close()
	watch.say("explain %s: what fails is %s", shortPath(result.Dir), strings.Join(b.Checks, "; "))
	for _, text := range b.Changed {
		watch.say("  %s", text)
	}
	o := a.rehearsalOptions(p, d, watch)
	o.Kind, o.Observe = evidence.KindRun, rehearsal.Observer{}
	var spent rehearse.Spent
	asked := explain.Ask{}
	explanation, failed := rehearsal.Explain(ctx, rehearsal.Explanation{
		Probe: o, Dir: result.Dir, Leg: leg, Begin: b, Plan: p.Plan,
		OnSpent: func(s rehearse.Spent) { spent = spent.Then(s) },
		OnAsk: func(a explain.Ask, left time.Duration) {
			asked = a
			watch.mu.Lock()
			watch.show(fmt.Sprintf("  probe %d of about %d, %v left: %s", a.Number, a.About, left.Round(time.Second), conditions(a.Parts)))
			watch.mu.Unlock()
		},
		OnProbe: func(p rehearse.ExplainProbe) {
			watch.clear()
			watch.say("  probe %d of about %d: %s %s  %s (%.1fs)", asked.Number, asked.About, watch.paint(outcomeColor[p.Outcome], string(p.Outcome)),
				conditions(p.Parts), explain.Showed(p), p.Elapsed.Seconds())
		},
	})
	if spent.Elapsed > 0 {
		a.account(ledger.Entry{
			Ended: time.Now(), Project: now.Project, Purpose: "explain", Run: result.Report.Run, Change: cmp.Or(a.job.Change(), stand.Change(a.Resource(context.WithoutCancel(ctx), p.Dir))),
			Spent: spent, Prices: now.Prices,
		})
	}
	if explanation == nil {
		return nil, failed
	}
	result.Report.Explanation = explanation
	return explanation, errors.Join(failed, rehearsal.WriteReports(result))
}

// outcomeColor is how an outcome is painted.
var outcomeColor = map[rehearse.Outcome]string{rehearse.Pass: "32", rehearse.Fail: "31", rehearse.Unverified: "33"}

// conditions are the parts that are in force in a probe.
func conditions(parts []rehearse.Part) string {
	if len(parts) == 0 {
		return "nothing of production's"
	}
	return strings.ReplaceAll(rehearse.OnlyParts(parts...).String(), ",", ", ")
}

// sourceOf is how the project of a run is to be read: as it was then, but for what
// the command line says now.
func sourceOf(f projectFlags, was evidence.Source, plan *rehearse.Plan) stand.Source {
	s := readAs(f.Source, was)
	s.Dir = plan.Dir
	if s.Driver == "" {
		s.Driver = plan.Driver
	}
	if s.Seed == 0 {
		s.Seed = plan.Seed
	}
	return s
}

// readAs has a project read from the files from which it was read before, where the
// command line names none.
func readAs(s stand.Source, was evidence.Source) stand.Source {
	if len(s.Files) == 0 {
		s.Files = was.Files
	}
	if len(s.Profiles) == 0 {
		s.Profiles = was.Profiles
	}
	if len(s.EnvFiles) == 0 {
		s.EnvFiles = was.EnvFiles
	}
	if (s.Config == "" || s.Config == stand.DefaultConfig) && was.Config != "" {
		s.Config = was.Config
	}
	return s
}

// commandOf is the command that rehearses a project again, up to what is in force.
func commandOf(s stand.Source, dir string) string {
	words := []string{"rehearse", "run"}
	for _, f := range s.Files {
		words = append(words, "-f", f)
	}
	for _, p := range s.Profiles {
		words = append(words, "--profile", p)
	}
	for _, e := range s.EnvFiles {
		words = append(words, "--env-file", e)
	}
	if s.Config != "" && s.Config != stand.DefaultConfig {
		words = append(words, "--config", s.Config)
	}
	if s.Driver != "" && s.Driver != stand.DefaultDriver {
		words = append(words, "--driver", s.Driver)
	}
	if cwd, err := os.Getwd(); err == nil {
		if real, err := filepath.EvalSymlinks(cwd); err == nil && real != dir {
			words = append(words, shortPath(dir))
		}
	}
	return strings.Join(words, " ")
}

// changedFiles is how many files that have changed are named.
const changedFiles = 4

// changed says what of a project is not as it was when it was rehearsed.
func changed(started time.Time, p *stand.Project, was, now *rehearse.Plan) []string {
	var out []string
	then, _ := json.Marshal(was)
	today, _ := json.Marshal(evidence.Redact(*now))
	if string(then) != string(today) {
		out = append(out, "The files make another plan now than when it failed.")
	}
	files := newer(started, p, now)
	if n := len(files); n > changedFiles {
		files = append(files[:changedFiles], fmt.Sprintf("%d others", n-changedFiles))
	}
	if len(files) > 0 {
		out = append(out, "Changed since it failed: "+strings.Join(files, ", ")+".")
	}
	return out
}

// newer lists the files of a project that are younger than a moment: those that are
// read for its plan, and what services are built from.
func newer(than time.Time, p *stand.Project, plan *rehearse.Plan) []string {
	places := append([]string{cmp.Or(p.Source().Config, stand.DefaultConfig)}, plan.Files...)
	if p.Config != nil {
		for _, t := range p.Config.Traffic {
			places = append(places, t.Value.Profile)
		}
	}
	for i, f := range places {
		if !filepath.IsAbs(f) {
			places[i] = filepath.Join(p.Dir, f)
		}
	}
	for _, s := range plan.Services {
		places = append(places, s.SQL...)
		if d := s.Data; d != nil {
			places = append(append(append(places, d.Profile, d.PlanFile), d.Before...), append(d.After, d.Migrations...)...)
		}
		if s.Process != nil && len(s.Process.Build) > 0 {
			places = append(places, s.Process.Dir)
		}
		if s.Build != nil {
			places = append(places, s.Build.Context)
		}
	}
	var out []string
	for _, place := range places {
		_ = filepath.WalkDir(place, func(path string, e fs.DirEntry, err error) error {
			if err != nil { // it is gone, which the plan shows
				return nil
			}
			if name := e.Name(); e.IsDir() && (name == ".git" || name == ".rehearse" || name == "node_modules") {
				return fs.SkipDir
			}
			st, err := e.Info()
			if err != nil || !st.Mode().IsRegular() || !st.ModTime().After(than) {
				return nil
			}
			if rel, err := filepath.Rel(p.Dir, path); err == nil {
				path = rel
			}
			if !slices.Contains(out, path) {
				out = append(out, path)
			}
			return nil
		})
	}
	slices.Sort(out)
	return out
}
