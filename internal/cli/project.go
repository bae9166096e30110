package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

// projectFlags say which project, and how.
type projectFlags struct{ stand.Source }

func (f *projectFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVarP(&f.Files, "file", "f", nil, "a Compose file, each overriding those before it (default: compose.yaml)")
	c.Flags().StringArrayVar(&f.Profiles, "profile", nil, "a Compose profile to activate")
	c.Flags().StringArrayVar(&f.EnvFiles, "env-file", nil, "a file of variables for the Compose file (default: .env)")
	c.Flags().StringVar(&f.Config, "config", stand.DefaultConfig, "the file that says what production is like")
	c.Flags().StringVar(&f.Driver, "driver", "", "where services run: "+strings.Join(stand.DriverNames, ", ")+" (default process; docker where a service only runs as a container and an engine answers)")
	c.Flags().Uint64Var(&f.Seed, "seed", 0, "the seed of every random choice (default: rehearse.yaml's, else 1)")
	_ = c.RegisterFlagCompletionFunc("driver", cobra.FixedCompletions(stand.DriverNames, cobra.ShellCompDirectiveNoFileComp))
	_ = c.MarkFlagFilename("file", "yaml", "yml")
}

// load reads every file of a project, and reports every problem in them.
func (a *app) load(ctx context.Context, f projectFlags, args []string) (*stand.Project, error) {
	if len(args) > 0 {
		f.Dir = args[0]
	}
	return a.Load(ctx, f.Source)
}

// legFlags say which of production's facets are in force.
type legFlags struct {
	leg  string
	only []string
}

func (f *legFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.leg, "leg", "production", "staging: every facet flat; production: all in force")
	c.Flags().StringSliceVar(&f.only, "only", nil, "only these facets in force, or parts of them: network, traffic:peak, network:app:db.rtt=41ms; see docs/explain.md")
	c.MarkFlagsMutuallyExclusive("leg", "only")
	_ = c.RegisterFlagCompletionFunc("leg", cobra.FixedCompletions([]string{"staging", "production"}, cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("only", cobra.FixedCompletions([]string{"network", "traffic", "data", "faults"}, cobra.ShellCompDirectiveNoFileComp))
}

func (f *legFlags) make() (rehearse.Leg, error) {
	if f.only != nil {
		return onlyLeg(f.only)
	}
	switch f.leg {
	case "staging":
		return rehearse.Staging(), nil
	case "production":
		return rehearse.Production(), nil
	}
	return rehearse.Leg{}, usageError("there is no leg %q; the legs are staging and production", f.leg)
}

// onlyLeg is the leg that --only asks for.
func onlyLeg(texts []string) (rehearse.Leg, error) {
	if len(texts) == 0 {
		return rehearse.Leg{}, &rehearse.Error{Kind: rehearse.Invalid, Msg: "--only names nothing", Hint: "Leave it out for all of production's facets; --leg staging has none of them in force."}
	}
	var parts []rehearse.Part
	var wrong rehearse.Problems
	for _, text := range texts {
		p, err := rehearse.ParsePart(text)
		var problem *rehearse.Error
		switch {
		case errors.As(err, &problem):
			wrong = append(wrong, problem)
		case err != nil:
			return rehearse.Leg{}, err
		}
		parts = append(parts, p)
	}
	if len(wrong) > 0 {
		return rehearse.Leg{}, wrong
	}
	return rehearse.OnlyParts(parts...), nil
}
