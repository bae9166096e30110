// Package compose reads Compose files into the project's own nouns.
//
// [Load] is the whole of it: it finds the files, merges and interpolates them
// as docker compose does, and maps every service to a [rehearse.Service]. What
// a service asks for and the driver does not do is named in the notes, field by
// field, so that no difference from production is silent. One table says of each
// key of the specification what becomes of it: docs/compose-support.md.
//
// It is the only importer of compose-go. The package reads no environment
// variable of its own process: the caller passes them in.
package compose

import (
	"cmp"
	"context"
	"maps"
	"path/filepath"
	"slices"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/rehearse-dev/rehearse"
)

// Options says which files to load and how.
type Options struct {
	// Dir is the project directory. Empty: that of the first file.
	Dir string
	// Files are the Compose files, each overriding those before it; relative
	// ones start in Dir. With none, COMPOSE_FILE is used if it is set, else the
	// first of the default names in Dir, with its override file.
	Files []string
	// Profiles are the active profiles. With none, those of COMPOSE_PROFILES.
	Profiles []string
	// EnvFiles are read for interpolation; relative ones start in Dir. With
	// none, Dir's .env is read if there is one.
	EnvFiles []string
	// Name is the project's name. Empty: as docker compose chooses it.
	Name string
	// Env is the environment for interpolation, in the form of os.Environ. It
	// wins over the files.
	Env []string
	// Driver is what services will run on: "process" when empty. Only for
	// "docker" have services a Container.
	Driver string
}

// Project is what the Compose files say.
type Project struct {
	Name  string
	Dir   string   // absolute
	Files []string // relative to Dir where they are inside of it
	// Services are sorted by name. Region, Process, Recipe and SQL are empty,
	// and Ports holds only what ports and expose say.
	Services []rehearse.Service
	// Names are what services are known by, beyond their own names.
	Names   []Name
	Volumes []string
	Notes   []rehearse.Note
	// Unseen are the services whose images may expose ports that nobody knows:
	// [Project.Expose] has not been called for them.
	Unseen []rehearse.ServiceName `json:",omitempty"`
	// Labels are those of services that have any.
	Labels map[rehearse.ServiceName]map[string]string `json:",omitempty"`
	// Variables holds the values of the environment variables that mounts name
	// in Env. They may be secret, so they are no part of a plan.
	Variables map[string]string
}

// Name is a further name by which an upstream is known to some of the others.
type Name struct {
	Upstream rehearse.ServiceName
	Name     string
	Network  string               // only on this network; empty: on all that they share
	Client   rehearse.ServiceName // only to this client, by its links; empty: to all
}

// Load reads a project. An error that a person can act on is a [rehearse.Error]
// of kind Invalid, with the file and line where they are known, or several, a
// [rehearse.Problems].
func Load(ctx context.Context, o Options) (*Project, error) {
	src, err := locate(o)
	if err != nil {
		return nil, err
	}
	loaded, warnings, err := load(ctx, o, src)
	if err != nil {
		return nil, explain(err, src)
	}
	m := mapper{
		driver:  cmp.Or(o.Driver, "process"),
		src:     src,
		project: loaded,
		out: &Project{
			Name:      loaded.Name,
			Dir:       src.dir,
			Files:     src.relative(),
			Variables: map[string]string{},
			Labels:    map[rehearse.ServiceName]map[string]string{},
		},
	}
	m.run(warnings)
	if err := m.problems.Err(); err != nil {
		return nil, err
	}
	return m.out, nil
}

// load calls compose-go. Its warnings come back as text, one each.
func load(ctx context.Context, o Options, src sources) (*types.Project, []string, error) {
	options := []cli.ProjectOptionsFn{
		cli.WithWorkingDirectory(src.dir),
		cli.WithEnv(src.env),
		cli.WithResolvedPaths(true),
		cli.WithDiscardEnvFile,
	}
	if len(src.envFiles) > 0 {
		// Without files, WithEnvFiles would look at our own process's
		// environment; locate has already found the default one.
		options = append(options, cli.WithEnvFiles(src.envFiles...))
	}
	options = append(options, cli.WithDotEnv, cli.WithDefaultProfiles(o.Profiles...), cli.WithName(o.Name))
	var p *types.Project
	warnings, err := quietly(func() error {
		po, err := cli.NewProjectOptions(src.files, options...)
		if err != nil {
			return err
		}
		p, err = po.LoadProject(ctx)
		return err
	})
	return p, warnings, err
}

// mapper turns compose-go's project into ours.
type mapper struct {
	driver   string
	src      sources
	project  *types.Project
	out      *Project
	problems rehearse.Problems
}

func (m *mapper) run(warnings []string) {
	for _, name := range slices.Sorted(maps.Keys(m.project.Services)) {
		s := m.project.Services[name]
		if !m.leavesOut(s) {
			m.out.Services = append(m.out.Services, m.service(s))
			if m.containers() && s.Build == nil && s.Image != "" {
				m.out.Unseen = append(m.out.Unseen, rehearse.ServiceName(name))
			}
			if len(s.Labels) > 0 {
				m.out.Labels[rehearse.ServiceName(name)] = s.Labels
			}
		}
		m.noteFields(s)
	}
	m.markJobs()
	m.projectNotes(warnings)
	volumes := map[string]bool{}
	for _, s := range m.out.Services {
		for _, mount := range s.Mounts {
			if mount.Type == "volume" {
				volumes[mount.Source] = true
			}
		}
	}
	m.out.Volumes = slices.Sorted(maps.Keys(volumes))
	slices.SortStableFunc(m.out.Names, func(a, b Name) int {
		return cmp.Or(cmp.Compare(a.Upstream, b.Upstream), cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.Network, b.Network), cmp.Compare(a.Client, b.Client))
	})
	m.out.Names = slices.Compact(m.out.Names)
}

// leavesOut reports whether a service is one that there is no container for.
func (m *mapper) leavesOut(s types.ServiceConfig) bool { return m.containers() && s.Provider != nil }

// note adds a note once.
func (m *mapper) note(service, field, text string) {
	n := rehearse.Note{Service: rehearse.ServiceName(service), Field: field, Text: text}
	if !slices.Contains(m.out.Notes, n) {
		m.out.Notes = append(m.out.Notes, n)
	}
}

// relativeTo gives a path as seen from dir when it is inside, else as it is.
func relativeTo(dir, path string) string {
	rel, err := filepath.Rel(dir, path)
	if err != nil || !filepath.IsLocal(rel) {
		return path
	}
	return rel
}
