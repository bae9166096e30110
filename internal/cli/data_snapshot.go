package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/dataset"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/snapshot"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

func (a *app) dataSnapshotCommand() *cobra.Command {
	var f projectFlags
	var l legFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "snapshot [DIR] [SERVICE...]",
		Short: "Build the databases that environments are cloned from, ahead of time",
		Long: `Build the golden snapshots of a project's databases: each one with its schema, its
dataset and what its image's own scripts do. Environments start on clones of them.
rehearse up and rehearse run build what is missing by themselves; this does it
ahead of time, as in a nightly job, and starts nothing else.

A snapshot is built once for everything that it depends on: the engine's version,
the service's settings, files, profile, plan, scale and seed.`,
		Example: "  rehearse data snapshot\n  rehearse data snapshot examples/docgen db\n  rehearse data snapshot ls",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			leg, err := l.make()
			if err != nil {
				return err
			}
			var dir, names []string
			if names = args; len(args) > 0 && isDir(args[0]) {
				dir, names = args[:1], args[1:]
			}
			_, p, d, err := a.planOf(cmd.Context(), f, leg, dir)
			if err != nil {
				return err
			}
			only, err := withData(p, names)
			if err != nil {
				return err
			}
			return a.buildSnapshots(cmd.Context(), only, d, asJSON)
		},
	}
	f.add(c)
	l.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.AddCommand(a.dataSnapshotLsCommand(), a.dataSnapshotRmCommand(), a.dataSnapshotPruneCommand())
	return c
}

// planOf reads a project, and makes the plan of a leg of it, and its driver. From
// then on its secrets are taken out of what is said.
func (a *app) planOf(ctx context.Context, f projectFlags, leg rehearse.Leg, dir []string) (*stand.Project, *rehearse.Plan, driver.Driver, error) {
	p, err := a.load(ctx, f, dir)
	if err != nil {
		return nil, nil, nil, err
	}
	made, err := p.Plan(leg)
	if err != nil {
		return nil, nil, nil, err
	}
	a.secrets = a.Secrets(p, made)
	d, err := a.Driver(p.Driver(), p.Variables()...)
	return p, made, d, err
}

// withData is a plan of nothing but the services that have a dataset, or of
// those that are named.
func withData(p *rehearse.Plan, names []string) (*rehearse.Plan, error) {
	if len(names) == 0 {
		for _, s := range p.Services {
			if hasData(s) {
				names = append(names, string(s.Name))
			}
		}
		if len(names) == 0 {
			return nil, &rehearse.Error{
				Kind: rehearse.Invalid, Msg: "no service of the project has a dataset",
				Hint: "Give one a dataset in rehearse.yaml (services.NAME.dataset), or name a service.",
			}
		}
	}
	only := *p
	only.Services, only.Links, only.Steps, only.Checks = nil, []rehearse.LinkSpec{}, nil, nil
	for _, name := range names {
		s, err := serviceOf(p, name)
		if err != nil {
			return nil, err
		}
		s.Needs = nil
		only.Services = append(only.Services, s)
	}
	return &only, nil
}

func hasData(s rehearse.Service) bool { return s.Data != nil || len(s.SQL) > 0 }

// serviceOf finds a service of a plan.
func serviceOf(p *rehearse.Plan, name string) (rehearse.Service, error) {
	var names []string
	for _, s := range p.Services {
		if string(s.Name) == name {
			return s, nil
		}
		names = append(names, string(s.Name))
	}
	hint := "There are: " + strings.Join(names, ", ") + "."
	if near, ok := rehearse.Nearest(name, names); ok {
		hint = "Did you mean " + near + "?"
	}
	return rehearse.Service{}, &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("the project has no service %q", name), Hint: hint}
}

// builtJSON is a service whose snapshot is there now.
type builtJSON struct {
	Service  rehearse.ServiceName  `json:"service"`
	Dataset  string                `json:"dataset,omitempty"`
	Built    bool                  `json:"built"` // false: it was there
	Took     rehearse.Duration     `json:"took"`
	Snapshot []snapshot.GoldenInfo `json:"snapshots"`
}

// buildSnapshots prepares every service of a plan in an environment that nothing
// is started in.
func (a *app) buildSnapshots(ctx context.Context, p *rehearse.Plan, d driver.Driver, asJSON bool) (err error) {
	defer a.sweepBeside(ctx)()
	store, err := snapshotsOf(d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	record, err := a.Store().Create(environment.Meta{
		Project: p.Project, Dir: p.Dir, Leg: p.Leg.Name, Driver: d.Name(), Purpose: "snapshot", Expires: time.Now().Add(lease),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, record.Close()) }()
	watch := a.newProgress()
	defer watch.close()
	talk := watch.talk()
	env, err := d.Open(ctx, driver.Spec{
		ID: record.ID, Plan: p, Dir: record.Place(), Journal: record, Log: talk, Fill: dataset.Filler(talk), FillKey: dataset.FillKey,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, env.Close(context.WithoutCancel(ctx))) }()
	built := []builtJSON{}
	for _, s := range p.Services {
		before, err := store.Goldens()
		if err != nil {
			return err
		}
		began := time.Now()
		if err := env.Prepare(ctx, s.Name); err != nil {
			return err
		}
		b := builtJSON{Service: s.Name, Took: rehearse.Duration(time.Since(began)), Snapshot: []snapshot.GoldenInfo{}}
		if s.Data != nil {
			b.Dataset = s.Data.Name
		}
		after, err := store.Goldens()
		if err != nil {
			return err
		}
		for _, g := range after {
			if !slices.ContainsFunc(before, func(old snapshot.GoldenInfo) bool { return old.Key == g.Key }) {
				b.Built, b.Snapshot = true, append(b.Snapshot, g)
			}
		}
		built = append(built, b)
	}
	watch.clear()
	if asJSON {
		return printJSON(a, built)
	}
	t := table{head: []string{"SERVICE", "DATASET", "SNAPSHOT", "TOOK"}}
	for _, b := range built {
		state := "was there"
		if b.Built {
			state = "built"
		}
		t.add(string(b.Service), dash(b.Dataset), state, rehearse.Round(time.Duration(b.Took)).String())
	}
	return t.print(a)
}

// snapshotsOf opens a driver's store of snapshots.
func snapshotsOf(d driver.Driver) (*snapshot.Store, error) {
	s, ok := d.(interface {
		Snapshots() (*snapshot.Store, error)
	})
	if !ok {
		return nil, &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("driver %s keeps no snapshots", d.Name()), Hint: "Use --driver process."}
	}
	return s.Snapshots()
}

// snapshots opens the store of the default driver.
func (a *app) snapshots() (*snapshot.Store, error) {
	d, err := a.Driver(stand.DriverNames[0])
	if err != nil {
		return nil, err
	}
	return snapshotsOf(d)
}

func (a *app) dataSnapshotLsCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the snapshots in the cache",
		Long: `List the golden snapshots in this user's cache: how large each is, when it was made
and last asked for, and how it is cloned.`,
		Example: "  rehearse data snapshot ls\n  rehearse data snapshot ls --json",
		Args:    cobra.NoArgs,
		RunE: func(_ *cobra.Command, _ []string) (err error) {
			store, err := a.snapshots()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			all, err := store.Goldens()
			if err != nil {
				return err
			}
			return a.printSnapshots(all, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) printSnapshots(all []snapshot.GoldenInfo, asJSON bool) error {
	if asJSON {
		return printJSON(a, orEmpty(all))
	}
	how := a.cloneMethod()
	t := table{head: []string{"SNAPSHOT", "SIZE", "FILES", "MADE", "LAST USE", "CLONED BY"}}
	for _, g := range all {
		t.add(g.Key, size(g.Size), fmt.Sprint(g.Files), ago(g.Made), ago(g.Used), how(g))
	}
	return t.print(a)
}

// cloneMethod says how this host clones a snapshot.
func (a *app) cloneMethod() func(snapshot.GoldenInfo) string {
	best := snapshot.Copy
	if d, err := a.Driver(stand.DriverNames[0]); err == nil {
		if p, ok := d.(interface{ DataClones() []snapshot.Capability }); ok {
			for _, c := range p.DataClones() {
				if c.Available && (c.Method == snapshot.Reflink || c.Method == snapshot.Copy) {
					best = c.Method
					break
				}
			}
		}
	}
	return func(g snapshot.GoldenInfo) string {
		switch {
		case g.Volume:
			return string(snapshot.Loopback)
		case g.Size <= snapshot.Small:
			return string(snapshot.Overlay)
		}
		return string(best)
	}
}

// ago is how long a time is past.
func ago(t time.Time) string { return time.Since(t).Round(time.Second).String() }

func (a *app) dataSnapshotRmCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rm SNAPSHOT...",
		Short: "Remove snapshots from the cache",
		Long: `Remove snapshots by their names, or the beginnings of them. One that an environment
uses stays. What is missing is built again when it is next needed.`,
		Example: "  rehearse data snapshot rm postgres-3f2a",
		Args:    cobra.MinimumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return a.snapshotKeys(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			known := a.snapshotKeys()
			for _, arg := range args {
				var fit []string
				for _, k := range known {
					if strings.HasPrefix(k, arg) {
						fit = append(fit, k)
					}
				}
				switch {
				case arg == "" || len(fit) == 0:
					return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("there is no snapshot %q", arg), Hint: "List them with rehearse data snapshot ls."}
				case len(fit) > 1 && !slices.Contains(fit, arg):
					return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("several snapshots begin with %q: %s", arg, strings.Join(fit, ", ")), Hint: "Say more of the name."}
				}
			}
			return a.removeSnapshots(cmd.Context(), func(g snapshot.GoldenInfo) bool {
				return slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(g.Key, arg) })
			})
		},
	}
}

func (a *app) snapshotKeys() []string {
	store, err := a.snapshots()
	if err != nil {
		return nil
	}
	defer store.Close()
	all, err := store.Goldens()
	if err != nil {
		return nil
	}
	var out []string
	for _, g := range all {
		out = append(out, g.Key)
	}
	return out
}

func (a *app) dataSnapshotPruneCommand() *cobra.Command {
	var unused time.Duration
	var all bool
	c := &cobra.Command{
		Use:     "prune",
		Short:   "Remove snapshots that have not been used for a while",
		Long:    "Remove the snapshots that nobody has asked for since a while, or all that no environment uses.",
		Example: "  rehearse data snapshot prune --unused 168h\n  rehearse data snapshot prune --all",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if unused <= 0 {
				return usageError("--unused is %v, and should be above 0", unused)
			}
			return a.removeSnapshots(cmd.Context(), func(g snapshot.GoldenInfo) bool { return all || time.Since(g.Used) > unused })
		},
	}
	c.Flags().DurationVar(&unused, "unused", 30*24*time.Hour, "for how long")
	c.Flags().BoolVar(&all, "all", false, "also those used a moment ago")
	c.MarkFlagsMutuallyExclusive("unused", "all")
	return c
}

// removeSnapshots removes those that are unwanted and in nobody's use, and says
// which.
func (a *app) removeSnapshots(ctx context.Context, unwanted func(snapshot.GoldenInfo) bool) (err error) {
	store, err := a.snapshots()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	all, err := store.Goldens()
	if err != nil {
		return err
	}
	removed, err := store.Prune(ctx, unwanted)
	var freed int64
	for _, g := range removed {
		freed += g.Size
		if _, err := fmt.Fprintln(a.stdout, "removed", g.Key); err != nil {
			return err
		}
	}
	for _, g := range all {
		if unwanted(g) && !slices.ContainsFunc(removed, func(r snapshot.GoldenInfo) bool { return r.Key == g.Key }) {
			fmt.Fprintf(a.stderr, "%s is in use and stays\n", g.Key)
		}
	}
	fmt.Fprintf(a.stderr, "%s freed\n", size(freed))
	return err
}
