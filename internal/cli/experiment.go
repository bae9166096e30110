package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/config"
	"github.com/rehearse-dev/rehearse/internal/evidence"
	"github.com/rehearse-dev/rehearse/internal/plan"
	"github.com/rehearse-dev/rehearse/internal/rehearsal"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

func (a *app) experimentCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "experiment",
		Short: "Break an environment on purpose, and see whether it recovers",
		Long: `An experiment drives a load, looks whether the steady state holds, breaks links
or services by a method, mends them, and looks whether the steady state holds
again in time.`,
		Example: "  rehearse experiment suggest\n  rehearse experiment run outage",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(a.experimentLsCommand(), a.experimentRunCommand(), a.experimentSuggestCommand())
	return c
}

func (a *app) experimentLsCommand() *cobra.Command {
	var f projectFlags
	var asJSON bool
	c := &cobra.Command{
		Use:     "ls [DIR]",
		Short:   "List the project's experiments, and those of the library",
		Long:    "List the experiments of rehearse.yaml, and the library's, which need a target.",
		Example: "  rehearse experiment ls\n  rehearse experiment ls --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.load(cmd.Context(), f, args)
			if err != nil {
				return err
			}
			type row struct {
				Name   string `json:"name"`
				From   string `json:"from"` // "rehearse.yaml" or "library"
				Target string `json:"target"`
				What   string `json:"what"`
			}
			var rows []row
			for _, e := range p.Config.Experiments {
				actions, _ := e.Value.Actions() // what is wrong with it has been said
				var what, targets []string
				for _, action := range actions {
					_, of := action.Target.Get()
					what = append(what, action.Fault.Name)
					if !slices.Contains(targets, of.Name) {
						targets = append(targets, of.Name)
					}
				}
				rows = append(rows, row{e.Name, filepath.Base(p.Config.File), strings.Join(targets, ", "), strings.Join(what, ", ")})
			}
			for _, n := range config.Library {
				rows = append(rows, row{n.Name, "library", "a " + n.Target, n.Doc})
			}
			if asJSON {
				return printJSON(a, rows)
			}
			t := table{head: []string{"EXPERIMENT", "FROM", "TARGET", "WHAT HAPPENS"}}
			for _, r := range rows {
				t.add(r.Name, r.From, r.Target, r.What)
			}
			return t.print(a)
		},
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) experimentSuggestCommand() *cobra.Command {
	var f projectFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "suggest [DIR]",
		Short: "Propose experiments of the library that fit the project",
		Long: `Propose those experiments of the library that fit the plan's graph, as YAML to
paste into rehearse.yaml. Nothing is started.`,
		Example: "  rehearse experiment suggest",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.load(cmd.Context(), f, args)
			if err != nil {
				return err
			}
			made, err := p.Plan(rehearse.Production())
			if err != nil {
				return err
			}
			fitting := plan.Suggest(made)
			if asJSON {
				return printJSON(a, fitting)
			}
			if len(fitting) == 0 {
				fmt.Fprintln(a.stderr, "no service calls another, and none is asked from outside: there is nothing to break")
				return nil
			}
			fmt.Fprint(a.stdout, suggestions(fitting, ""))
			return nil
		},
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// suggestions are proposals as YAML, each line behind a prefix.
func suggestions(all []plan.Suggestion, prefix string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, prefix+format+"\n", args...) }
	line("experiments:")
	for _, s := range all {
		line("  # %s", s.Why)
		line("  %s", s.YAML())
	}
	line("rehearsal:")
	for _, s := range all {
		line("  - {experiment: %s}", s.Name)
	}
	return b.String()
}

// experimentRun is what rehearse experiment run is told.
type experimentRun struct {
	env    envFlag
	source projectFlags
	load   string
	target config.Target
	asJSON bool
}

func (a *app) experimentRunCommand() *cobra.Command {
	var o experimentRun
	c := &cobra.Command{
		Use:   "run NAME",
		Short: "Run an experiment at a standing environment",
		Long: `Run an experiment of rehearse.yaml at an environment that rehearse up has
started, or one of the library's with a target. The environment's own process
drives the load and does the method, and mends everything when it is over, when
Ctrl-C ends this command, and when this command is killed.

The evidence and the reports are in a run directory, as after rehearse run, and
so are the exit codes: 0 pass, 1 fail, 2 a wrong command or file, 3 it could not
be run or could not show what it should.`,
		Example: `  rehearse up -d
  rehearse experiment run outage
  rehearse experiment run dependency-slow --link docgen:db
  rehearse experiment run region-outage --region us-east-1 --load peak`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return config.LibraryNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runExperiment(cmd.Context(), args[0], o)
		},
	}
	o.env.add(a, c)
	f := c.Flags()
	f.StringArrayVarP(&o.source.Files, "file", "f", nil, "a Compose file (default: those of rehearse up)")
	f.StringVar(&o.source.Config, "config", "", "the file that says what production is like (default: that of rehearse up)")
	f.StringVar(&o.load, "load", "", "the traffic profile that goes on meanwhile (default: the only one)")
	f.StringVar(&o.target.Link.Name, "link", "", "break this link, with an experiment of the library")
	f.StringVar(&o.target.Service.Name, "service", "", "break this service, with an experiment of the library")
	f.StringVar(&o.target.Region.Name, "region", "", "break this region, with an experiment of the library")
	c.MarkFlagsMutuallyExclusive("link", "service", "region")
	f.BoolVar(&o.asJSON, "json", false, "print the report as JSON")
	return c
}

func (a *app) runExperiment(ctx context.Context, name string, o experimentRun) error {
	entry, now, err := o.env.ask(ctx, a)
	if err != nil {
		return err
	}
	p, made, err := a.experimentPlan(ctx, name, now, o)
	if err != nil {
		return err
	}
	a.secrets = a.Secrets(p, made)
	if broken := brokenLinks(now.Links); len(broken) > 0 {
		fmt.Fprintf(a.stderr, "rehearse: warning: something is broken before the experiment begins: %s\n  hint: rehearse link reset takes away what was set by hand.\n", strings.Join(broken, "; "))
	}
	watch := a.newProgress()
	observe := watch.observer()
	step := *made.Steps[0].Experiment
	x := stand.Experiment{
		Plan: made, Root: filepath.Join(p.Dir, ".rehearse"), Version: version(),
		Run: evidence.NewRunID(time.Now(), rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))),
	}
	dir, failed := x.At(ctx, entry, func(g stand.Progress) {
		switch {
		case g.Step != nil:
			observe.Step(*g.Step)
		case g.Load != nil:
			observe.Load(name, *g.Load)
		case g.Action != nil:
			observe.Action(step, *g.Action)
		}
	})
	watch.close()
	if ctx.Err() != nil {
		fmt.Fprintf(a.stderr, "everything is mended; evidence so far: %s\n", shortPath(filepath.Join(x.Root, "runs", string(x.Run))))
		return &rehearse.Error{Kind: rehearse.Interrupted, Msg: "interrupted", Err: context.Cause(ctx)}
	}
	if dir == "" {
		if at := filepath.Join(x.Root, "runs", string(x.Run)); isDir(at) {
			fmt.Fprintf(a.stderr, "evidence so far: %s\n", shortPath(at))
		}
		return failed
	}
	result, err := rehearsal.Judge(dir)
	if err != nil {
		return errors.Join(failed, err)
	}
	return a.conclude(result, errors.Join(failed, rehearsal.WriteReports(result)), o.asJSON)
}

// brokenLinks are the links that have faults now, with these.
func brokenLinks(links []rehearse.LinkStats) []string {
	var out []string
	for _, l := range links {
		for _, d := range l.Doses {
			if !d.Gone {
				out = append(out, string(l.ID)+": "+d.Fault.ID())
			}
		}
	}
	return out
}

// experimentPlan plans an experiment for an environment: in its leg, with faults in
// force.
func (a *app) experimentPlan(ctx context.Context, name string, now stand.Standing, o experimentRun) (*stand.Project, *rehearse.Plan, error) {
	leg, err := legNamed(now.Leg)
	if err != nil {
		return nil, nil, err
	}
	o.source.Source = readAs(o.source.Source, now.Source)
	o.source.Driver = now.Driver
	p, err := a.load(ctx, o.source, []string{now.Dir})
	if err != nil {
		return nil, nil, err
	}
	_, given := o.target.Get()
	_, own := p.Config.Experiments.Get(name)
	_, library := config.Find(name)
	switch {
	case given.Name != "" && (own || !library):
		return nil, nil, usageError("a target is for an experiment of the library that rehearse.yaml does not define, and %s is none", name)
	case given.Name != "":
		e := config.Entry[config.Experiment]{Name: name, Value: config.Experiment{Use: config.Ref{Name: name}, Target: o.target}}
		p.Config.Experiments = append(p.Config.Experiments, e)
	case !own && library:
		named, _ := config.Find(name)
		return nil, nil, &rehearse.Error{Kind: rehearse.Invalid, Msg: name + " needs a target", Hint: fmt.Sprintf("Give it one with --%s, or define it under experiments in rehearse.yaml.", named.Target)}
	case !own:
		hint := "rehearse experiment ls lists those there are."
		if near, ok := rehearse.Nearest(name, append(p.Config.Experiments.Names(), config.LibraryNames()...)); ok {
			hint = "Did you mean " + near + "?"
		}
		return nil, nil, &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("there is no experiment %q", name), Hint: hint}
	}
	made, err := p.PlanSteps(leg, []config.Step{{Experiment: config.Ref{Name: name}, Load: config.Ref{Name: o.load}}})
	return p, made, err
}

// legNamed is the leg of an environment that stands, with faults in force.
func legNamed(name string) (rehearse.Leg, error) {
	for _, leg := range []rehearse.Leg{rehearse.Production(), rehearse.Staging()} {
		if leg.Name == name {
			leg.Facets = append(slices.DeleteFunc(slices.Clone(leg.Facets), func(f rehearse.Facet) bool { return f == rehearse.FacetFaults }), rehearse.FacetFaults)
			return leg, nil
		}
	}
	list, ok := strings.CutPrefix(name, "only-")
	if !ok {
		return rehearse.Leg{}, fmt.Errorf("the environment's leg %q is none that this version of rehearse knows", name)
	}
	facets := []rehearse.Facet{rehearse.FacetFaults}
	for f := range strings.SplitSeq(list, "-") {
		facets = append(facets, rehearse.Facet(f))
	}
	return rehearse.Leg{Name: name, Facets: facets}, nil
}
