package plan

import (
	"cmp"
	"path/filepath"
	"slices"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/compose"
	"github.com/rehearse-dev/rehearse/internal/config"
	"github.com/rehearse-dev/rehearse/internal/recipe"
)

// makeServices merges what the Compose file, rehearse.yaml and the recipes say.
func (m *maker) makeServices() {
	for _, s := range m.in.Compose.Services {
		m.services[s.Name] = &s
	}
	for _, e := range m.cfg.Services {
		m.serviceNamed(e.Name, e.Line)
	}
	for _, name := range m.names() {
		s := m.services[name]
		e, _ := m.cfg.Services.Get(string(name))
		m.mergeService(s, e.Value)
		switch {
		case m.in.Driver == "process" && s.Process == nil && s.Recipe == "":
			m.cannotRun(s)
		case m.inContainers() && s.Image == "" && s.Build == nil:
			m.noImage(s)
		}
	}
	if m.inContainers() {
		m.addJoinedPorts()
		m.addMentionedPorts()
	}
}

// inContainers reports whether services run in containers, from their images.
func (m *maker) inContainers() bool { return m.in.Driver == "docker" }

func (m *maker) mergeService(s *rehearse.Service, c config.Service) {
	s.Region = rehearse.Region(c.Region.Name)
	if !m.inContainers() {
		s.Process = m.process(s, c.Process)
	}
	known := recipeOf(*s)
	if known != nil {
		s.Recipe = known.Name
	}
	s.Ports = ports(s, c, m.trafficPorts(s.Name), known)
	s.Ready = m.ready(s, c.Ready)
	m.dataset(s, c.Dataset)
}

// recipeOf is the recipe that stands for a service's image; nil for none. An image
// that the project builds itself may be called postgres and be anything, so none
// stands for it. Nor for a job, which uses the image for its tools and starts no
// server.
func recipeOf(s rehearse.Service) *recipe.Recipe {
	if s.Process != nil || s.Build != nil || s.Image == "" || s.Job {
		return nil
	}
	r, _ := recipe.For(s.Image)
	return r
}

// OnlyContainers lists the services that nothing but a container engine can run:
// no recipe stands for their images, and no file says how to start them as
// processes.
func OnlyContainers(p *compose.Project, c *config.Config) []rehearse.ServiceName {
	var out []rehearse.ServiceName
	for _, s := range p.Services {
		said := false
		if c != nil {
			e, ok := c.Services.Get(string(s.Name))
			said = ok && e.Value.Process != nil
		}
		if !said && recipeOf(s) == nil && (s.Image != "" || s.Build != nil) {
			out = append(out, s.Name)
		}
	}
	return out
}

func (m *maker) process(s *rehearse.Service, c *config.Process) *rehearse.Process {
	if c == nil {
		return nil
	}
	dir := m.in.Compose.Dir
	if c.Dir != "" {
		dir = m.absolute(c.Dir)
	} else if s.Build != nil && filepath.IsAbs(s.Build.Context) {
		dir = s.Build.Context // a context may also be a URL
	}
	return &rehearse.Process{Build: c.Build, Command: c.Command, Dir: dir, Env: c.Env}
}

// dataset puts into a service what its dataset says: in a leg whose data is flat,
// the files that staging has.
func (m *maker) dataset(s *rehearse.Service, ref config.Ref) {
	if ref.Name == "" {
		return
	}
	e, ok := m.cfg.Data.Get(ref.Name)
	if !ok {
		m.unknown("dataset", ref.Name, ref.Line, m.cfg.Data.Names(), "Datasets are defined under data.")
		return
	}
	d := e.Value
	// What staging has is its own files, or where rows are generated for
	// production, the files without these.
	flat := !m.in.Leg.Touches(rehearse.Part{Facet: rehearse.FacetData, Subject: ref.Name}) && (len(d.Staging) > 0 || d.Generates())
	if len(d.Staging) > 0 || d.Generates() {
		s.Dataset = ref.Name
	}
	files := d.SQL
	if flat && len(d.Staging) > 0 {
		files = d.Staging
	}
	if !d.Generates() && len(d.Migrations) == 0 {
		s.SQL = m.absolutes(files)
		return
	}
	s.Data = &rehearse.DataSpec{Name: ref.Name, Before: m.absolutes(files), Migrations: m.absolutes(d.Migrations)}
	if !d.Generates() || flat {
		return
	}
	s.Data.Profile, s.Data.PlanFile = m.absoluteOr(d.Profile), m.absoluteOr(d.Plan)
	s.Data.Rows = d.Rows
	if s.Data.Rows == 0 && d.Profile == "" {
		s.Data.Rows = 1000
	}
	s.Data.Scale, s.Data.Seed, s.Data.Churn = cmp.Or(d.Scale, 1), cmp.Or(d.Seed, 1), d.Churn
	s.Data.After = m.absolutes(d.After)
	m.partOfData(s.Data)
	if s.Recipe != "" && s.Recipe != "postgres" && s.Recipe != "mariadb" {
		m.problem(ref.Line, "the recipe "+s.Recipe+" of the service "+string(s.Name)+" has no tables to generate rows for", "Datasets are for PostgreSQL and MariaDB.")
	}
}

func (m *maker) absolutes(paths []string) []string {
	var out []string
	for _, p := range paths {
		out = append(out, m.absolute(p))
	}
	return out
}

// absoluteOr leaves an empty path empty.
func (m *maker) absoluteOr(path string) string {
	if path == "" {
		return ""
	}
	return m.absolute(path)
}

// cannotRun reports a service that the process driver has no way to start.
func (m *maker) cannotRun(s *rehearse.Service) {
	why := "there is no recipe for the image " + s.Image
	switch {
	case s.Build != nil:
		why = "its image is built from a Dockerfile"
	case s.Image == "":
		why = "it has no image"
	case s.Job:
		why = "it is a one-shot job of the image " + s.Image
	}
	m.composeProblem("the process driver cannot run the service "+string(s.Name)+": "+why,
		"Add services."+string(s.Name)+".process.command to rehearse.yaml, or run it as a container, with --driver docker.")
}

// noImage reports a service that no container can be made for: what rehearse.yaml
// says under process is for another driver.
func (m *maker) noImage(s *rehearse.Service) {
	m.composeProblem("the docker driver cannot run the service "+string(s.Name)+": it has neither image nor build",
		"Give it an image or a build in the Compose file, or use --driver process.")
}

// composeProblem reports what is wrong with the Compose file, of which no line
// is known here.
func (m *maker) composeProblem(msg, hint string) {
	e := m.cfg.Problem(0, msg, hint)
	if e.File == "" && len(m.in.Compose.Files) > 0 {
		e.File = m.in.Compose.Files[0]
	}
	m.problems = append(m.problems, e)
}

func (m *maker) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(m.in.Compose.Dir, path)
}

// How a port is known that rehearse.yaml names, and that a service speaks of.
const (
	fromConfig = "rehearse.yaml"
	fromClient = "client"
)

// ports merges every source of ports; the first that knows a port is named. A
// healthcheck's URL is the last resort.
func ports(s *rehearse.Service, c config.Service, load []int, r *recipe.Recipe) []rehearse.Port {
	out := slices.Clone(s.Ports)
	add := func(n int, known string) {
		if n > 0 {
			out = withPort(out, n, known)
		}
	}
	own := append(slices.Clone(c.Ports), load...)
	if c.Ready != nil {
		own = append(own, c.Ready.Port)
		if c.Ready.HTTP != nil {
			own = append(own, c.Ready.HTTP.Port)
		}
	}
	for _, n := range own {
		add(n, fromConfig)
	}
	if r != nil {
		for _, n := range r.Ports {
			add(n, "recipe")
		}
	}
	if !slices.ContainsFunc(out, func(p rehearse.Port) bool { return !p.Exposed() }) {
		for _, p := range s.Ready.Probes {
			if get, ok := asHTTP(p); ok {
				add(get.Port, "healthcheck")
			}
		}
	}
	return out
}

// spokenOf are the ports that more than an image speaks of, or all where there are none.
func spokenOf(ports []rehearse.Port) []rehearse.Port {
	if spoken := slices.DeleteFunc(slices.Clone(ports), rehearse.Port.Exposed); len(spoken) > 0 {
		return spoken
	}
	return ports
}

// withPort adds a port that is not known yet, and sorts.
func withPort(ports []rehearse.Port, n int, known string) []rehearse.Port {
	if slices.ContainsFunc(ports, func(p rehearse.Port) bool { return p.Number == n }) {
		return ports
	}
	ports = append(ports, rehearse.Port{Number: n, Known: known})
	slices.SortFunc(ports, func(a, b rehearse.Port) int { return cmp.Compare(a.Number, b.Number) })
	return ports
}

// trafficPorts lists the ports that traffic in rehearse.yaml goes to.
func (m *maker) trafficPorts(service rehearse.ServiceName) []int {
	var out []int
	for _, t := range m.cfg.Traffic {
		if t.Value.Target.Name == string(service) {
			out = append(out, t.Value.Port)
		}
	}
	return out
}
