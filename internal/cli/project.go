package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/compose"
	"github.com/rehearse-dev/rehearse/internal/config"
	"github.com/rehearse-dev/rehearse/internal/plan"
	"github.com/rehearse-dev/rehearse/internal/profile"
)

// projectFlags say which project, and how.
type projectFlags struct {
	files    []string
	profiles []string
	envFiles []string
	config   string
	driver   string
	seed     uint64
}

// defaultConfig may be missing: a Compose file alone can be rehearsed.
const defaultConfig = "rehearse.yaml"

func (f *projectFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVarP(&f.files, "file", "f", nil, "a Compose file, each overriding those before it (default: compose.yaml)")
	c.Flags().StringArrayVar(&f.profiles, "profile", nil, "a Compose profile to activate")
	c.Flags().StringArrayVar(&f.envFiles, "env-file", nil, "a file of variables for the Compose file (default: .env)")
	c.Flags().StringVar(&f.config, "config", defaultConfig, "the file that says what production is like")
	c.Flags().StringVar(&f.driver, "driver", "process", "where services run: "+strings.Join(driverNames, ", "))
	c.Flags().Uint64Var(&f.seed, "seed", 0, "the seed of every random choice (default: rehearse.yaml's, else 1)")
	_ = c.RegisterFlagCompletionFunc("driver", cobra.FixedCompletions(driverNames, cobra.ShellCompDirectiveNoFileComp))
	_ = c.MarkFlagFilename("file", "yaml", "yml")
}

// project is a loaded project, from which plans are made.
type project struct {
	dir     string
	flags   projectFlags
	compose *compose.Project
	config  *config.Config
	traffic map[string]plan.TrafficFile
}

// load reads every file of a project, and reports every problem in them.
func (a *app) load(ctx context.Context, f projectFlags, args []string) (*project, error) {
	dir := "."
	if len(args) > 0 {
		dir = args[0]
	}
	if _, err := a.driver(f.driver); err != nil {
		return nil, err
	}
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return nil, usageError("%s is not a directory", dir)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	p := &project{dir: dir, flags: f, traffic: map[string]plan.TrafficFile{}}
	configFile := f.config
	if !filepath.IsAbs(configFile) {
		configFile = filepath.Join(dir, configFile)
	}
	if _, err := os.Stat(configFile); errors.Is(err, os.ErrNotExist) && f.config != defaultConfig {
		return nil, &rehearse.Error{Kind: rehearse.Invalid, File: f.config, Msg: "there is no such file", Hint: "Its path counts from the project's directory."}
	}
	var problems rehearse.Problems
	gather := func(err error) error {
		var many rehearse.Problems
		var one *rehearse.Error
		switch {
		case err == nil:
		case errors.As(err, &many):
			problems = append(problems, many...)
		case errors.As(err, &one) && one.Kind == rehearse.Invalid:
			problems = append(problems, one)
		default:
			return err
		}
		return nil
	}
	p.config, err = config.Load(configFile)
	if err := gather(err); err != nil {
		return nil, err
	}
	options := compose.Options{Dir: dir, Files: f.files, Profiles: f.profiles, EnvFiles: f.envFiles, Env: a.env}
	if p.config != nil {
		options.Name = p.config.Name
	}
	p.compose, err = compose.Load(ctx, options)
	if err := gather(err); err != nil {
		return nil, err
	}
	if p.config != nil {
		for _, t := range p.config.Traffic {
			file := t.Value.Profile
			if !filepath.IsAbs(file) {
				file = filepath.Join(dir, file)
			}
			tr, err := profile.ReadTraffic(file)
			if err := gather(err); err != nil {
				return nil, err
			}
			if tr != nil {
				p.traffic[t.Name] = tr
			}
		}
	}
	relative(problems, dir)
	return p, problems.Err()
}

// relative names files as the user would, from where they are.
func relative(problems rehearse.Problems, dir string) {
	cwd, err := os.Getwd()
	if err != nil {
		return
	}
	for _, p := range problems {
		if rel, err := filepath.Rel(cwd, p.File); err == nil && filepath.IsAbs(p.File) && !strings.HasPrefix(rel, "../../") {
			p.File = rel
		}
	}
}

// plan makes the plan of a leg.
func (p *project) plan(leg rehearse.Leg) (*rehearse.Plan, error) {
	made, err := plan.Make(plan.Input{
		Compose: p.compose, Config: p.config, Traffic: p.traffic, Leg: leg, Driver: p.flags.driver, Seed: p.flags.seed,
	})
	var problems rehearse.Problems
	if errors.As(err, &problems) {
		relative(problems, p.dir)
	}
	return made, err
}

// variables are what the project's own .env files say, for secrets and configs
// that come from the environment.
func (p *project) variables() []string {
	var out []string
	for k, v := range p.compose.Variables {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

// legFlags say which of production's facets are in force.
type legFlags struct {
	leg  string
	only []string
}

func (f *legFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.leg, "leg", "production", "staging: every facet flat; production: all in force")
	c.Flags().StringSliceVar(&f.only, "only", nil, "only these facets in force: network, traffic, data")
	c.MarkFlagsMutuallyExclusive("leg", "only")
	_ = c.RegisterFlagCompletionFunc("leg", cobra.FixedCompletions([]string{"staging", "production"}, cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("only", cobra.FixedCompletions([]string{"network", "traffic", "data"}, cobra.ShellCompDirectiveNoFileComp))
}

func (f *legFlags) make() (rehearse.Leg, error) {
	if len(f.only) > 0 {
		var facets []rehearse.Facet
		for _, name := range f.only {
			if !slices.Contains(rehearse.Facets(), rehearse.Facet(name)) {
				return rehearse.Leg{}, usageError("there is no facet %q; the facets are network, traffic and data", name)
			}
			facets = append(facets, rehearse.Facet(name))
		}
		return rehearse.Only(facets...), nil
	}
	switch f.leg {
	case "staging":
		return rehearse.Staging(), nil
	case "production":
		return rehearse.Production(), nil
	}
	return rehearse.Leg{}, usageError("there is no leg %q; the legs are staging and production", f.leg)
}
