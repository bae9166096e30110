package stand

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/compose"
	"github.com/rehearse-dev/rehearse/internal/config"
	"github.com/rehearse-dev/rehearse/internal/dataset"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/evidence"
	"github.com/rehearse-dev/rehearse/internal/plan"
	"github.com/rehearse-dev/rehearse/internal/profile"
)

// Source says which project, and how it is to be read and planned.
type Source struct {
	Dir      string   // empty: the current one
	Files    []string // Compose files, each overriding those before it; nil: compose.yaml
	Profiles []string // Compose profiles to activate
	EnvFiles []string // of variables for the Compose file; nil: .env
	Config   string   // relative to Dir; empty: rehearse.yaml, which may be missing
	Driver   string   // empty: the default
	Seed     uint64   // 0: the config's, else 1
	// Pull has images pulled that are not there, so that the ports which they expose
	// are known, and receives the progress; nil: none is pulled.
	Pull io.Writer `json:"-"`
	// Open lets traffic from outside in at every known port, and not only where the
	// files ask for it.
	Open bool
}

// DefaultConfig may be missing: a Compose file alone can be rehearsed.
const DefaultConfig = "rehearse.yaml"

// Project is a loaded project, from which plans are made.
type Project struct {
	Dir     string // absolute, without symbolic links
	Compose *compose.Project
	Config  *config.Config
	source  Source
	// noEngine says why services that only run as containers do not; nil where
	// they do, or need not.
	noEngine *rehearse.Error
	traffic  map[string]plan.TrafficFile
}

// Load reads every file of a project, and reports every problem in them.
func (h *Host) Load(ctx context.Context, s Source) (*Project, error) {
	if _, err := h.Driver(s.Driver); err != nil {
		return nil, err
	}
	s.Dir = cmp.Or(s.Dir, ".")
	if st, err := os.Stat(s.Dir); err != nil || !st.IsDir() {
		return nil, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("%s is not a directory", s.Dir), Hint: "Name the directory in which the Compose file lies.",
		}
	}
	dir, err := filepath.Abs(s.Dir)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	p := &Project{Dir: dir, source: s, traffic: map[string]plan.TrafficFile{}}
	configFile := within(dir, cmp.Or(s.Config, DefaultConfig))
	if _, err := os.Stat(configFile); errors.Is(err, os.ErrNotExist) && s.Config != "" && s.Config != DefaultConfig {
		return nil, &rehearse.Error{Kind: rehearse.Invalid, File: s.Config, Msg: "there is no such file", Hint: "Its path counts from the project's directory."}
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
	p.Config, err = config.Load(configFile)
	if err := gather(err); err != nil {
		return nil, err
	}
	options := compose.Options{Dir: dir, Files: s.Files, Profiles: s.Profiles, EnvFiles: s.EnvFiles, Env: h.Env, Driver: s.Driver}
	if p.Config != nil {
		options.Name = p.Config.Name
	}
	p.Compose, err = compose.Load(ctx, options)
	if p.source.Driver == "" {
		p.source.Driver = DefaultDriver
		if err == nil && h.wantsContainers(ctx, p) {
			p.source.Driver, options.Driver = "docker", "docker"
			p.Compose, err = compose.Load(ctx, options)
		}
	}
	if err := gather(err); err != nil {
		return nil, err
	}
	if p.Compose != nil && len(problems) == 0 {
		h.askImages(ctx, p)
	}
	if p.Config != nil {
		for _, t := range p.Config.Traffic {
			tr, err := profile.ReadTraffic(within(dir, t.Value.Profile))
			if err := gather(err); err != nil {
				return nil, err
			}
			if tr != nil {
				p.traffic[t.Name] = tr
			}
		}
	}
	relative(problems)
	return p, problems.Err()
}

// wantsContainers says that a project has services which only a container engine
// can run, and that one answers. Where none does, the project knows why.
func (h *Host) wantsContainers(ctx context.Context, p *Project) bool {
	if len(plan.OnlyContainers(p.Compose, p.Config)) == 0 {
		return false
	}
	d, err := h.Driver("docker")
	if err != nil {
		return false
	}
	c := d.Capabilities(ctx)
	if !c.Available {
		p.noEngine = &rehearse.Error{Kind: rehearse.Invalid, Msg: "they would run as containers, but " + c.Why, Hint: c.Hint}
	}
	return c.Available
}

// askImages has services listen where their images expose ports, as far as the
// images are there or may be pulled.
func (h *Host) askImages(ctx context.Context, p *Project) {
	d, err := h.Driver(p.source.Driver, p.Variables()...)
	images, ok := d.(driver.Imager)
	if err != nil || !ok || len(p.Compose.Unseen) == 0 || !d.Capabilities(ctx).Available {
		return
	}
	unseen := slices.DeleteFunc(slices.Clone(p.Compose.Services), func(s rehearse.Service) bool { return !slices.Contains(p.Compose.Unseen, s.Name) })
	answers := make([]func(), len(unseen))
	var asking sync.WaitGroup
	for i, s := range unseen {
		asking.Go(func() {
			if ports, ok := images.Exposed(ctx, s, p.source.Pull); ok {
				answers[i] = func() { p.Compose.Expose(s.Name, ports) }
			}
		})
	}
	asking.Wait()
	for _, expose := range answers {
		if expose != nil {
			expose()
		}
	}
}

// Driver names where the project's services run.
func (p *Project) Driver() string { return p.source.Driver }

// within is a file of a project.
func within(dir, file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}

// relative names files as the user would, from where they are.
func relative(problems rehearse.Problems) {
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

// Plan makes the plan of a leg.
func (p *Project) Plan(leg rehearse.Leg) (*rehearse.Plan, error) {
	return p.plan(plan.Input{Leg: leg})
}

// plan makes a plan of the project's files.
func (p *Project) plan(in plan.Input) (*rehearse.Plan, error) {
	in.Compose, in.Config, in.Traffic = p.Compose, p.Config, p.traffic
	in.Driver, in.Seed, in.Open = p.source.Driver, p.source.Seed, p.source.Open
	made, err := plan.Make(in)
	var problems rehearse.Problems
	if errors.As(err, &problems) {
		if p.noEngine != nil {
			problems = append(problems, p.noEngine)
		}
		relative(problems)
		return nil, problems
	}
	return made, err
}

// Recorded is the source as it is written down.
func (s Source) Recorded() evidence.Source {
	return evidence.Source{Files: s.Files, Profiles: s.Profiles, EnvFiles: s.EnvFiles, Config: s.Config, Driver: s.Driver, Seed: s.Seed}
}

// Source says how the project was read.
func (p *Project) Source() Source { return p.source }

// Suspects lists what a plan of the project has of production, in the smallest
// parts.
func (p *Project) Suspects(made *rehearse.Plan) []rehearse.Suspect {
	return plan.Suspects(made, dataset.Aspects)
}

// Variables are what the project's own .env files say, for secrets and configs
// that come from the environment.
func (p *Project) Variables() []string {
	var out []string
	for k, v := range p.Compose.Variables {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}
