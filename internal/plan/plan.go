// Package plan makes a [rehearse.Plan] from what the files say.
//
// [Make] is pure: it opens no file, starts no goroutine and reads no clock. The
// same input gives the same plan, byte for byte, and every problem is found at
// once. What a leg changes in a plan is only this: the network facet gives links
// their shapes and requests their origins, the traffic facet gives load its
// profile instead of an even stream, the data facet gives databases the
// production dataset instead of staging's, and without the faults facet experiments
// break nothing. A leg that has only parts of a facet in force changes only
// these; [Suspects] lists the smallest.
package plan

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/compose"
	"github.com/rehearse-dev/rehearse/internal/config"
)

// Input is all that a plan depends on.
type Input struct {
	Compose *compose.Project
	Config  *config.Config // nil: the zero Config
	// Traffic holds the loaded profiles, by their names in Config.Traffic.
	Traffic map[string]TrafficFile
	Leg     rehearse.Leg
	Driver  string // as --driver takes it
	Seed    uint64 // 0: Config's, else 1
	// Rehearsal are steps in the place of Config's; nil: Config's.
	Rehearsal []config.Step
	// Open gives every known port of every service a link from outside, and not
	// only those that the files speak of.
	Open bool
}

// TrafficFile is a loaded traffic profile.
type TrafficFile interface {
	// Over is the profile made concrete for a duration; 0 is the profile's own.
	// Its origins have no links yet.
	Over(d time.Duration) rehearse.Traffic
}

// Make makes the plan. Its error is a [rehearse.Problems].
func Make(in Input) (*rehearse.Plan, error) {
	if in.Config == nil {
		in.Config = &config.Config{}
	}
	m := &maker{
		in:       in,
		cfg:      in.Config,
		services: map[rehearse.ServiceName]*rehearse.Service{},
	}
	p := &rehearse.Plan{
		Project: cmp.Or(in.Config.Name, in.Compose.Name),
		Dir:     in.Compose.Dir,
		Files:   append([]string{}, in.Compose.Files...),
		Leg:     in.Leg,
		Seed:    cmp.Or(in.Seed, in.Config.Seed, 1),
		Driver:  in.Driver,
		Volumes: slices.Clone(in.Compose.Volumes),
		Notes:   slices.Clone(in.Compose.Notes),
	}
	if p.Leg.Facets == nil {
		p.Leg.Facets = []rehearse.Facet{}
	}
	m.makeServices()
	m.checkReferences()
	loads := m.makeLoads()
	p.Links = m.makeLinks(loads)
	m.makeMethods(p.Links, loads)
	p.Steps = m.makeSteps(loads)
	p.Checks = m.makeChecks(m.cfg.Checks)
	p.Telemetry = m.telemetry()
	p.Prices = rehearse.Prices(m.cfg.Cost)
	m.checkParts(p)
	if len(m.problems) > 0 {
		slices.SortStableFunc(m.problems, func(a, b *rehearse.Error) int { return a.Line - b.Line })
		return nil, m.problems
	}
	order, err := inOrder(m.services)
	if err != nil {
		return nil, rehearse.Problems{err}
	}
	for _, s := range order {
		p.Services = append(p.Services, *s)
	}
	p.Leg.Facets = m.inForce(p)
	p.Notes = append(p.Notes, m.notes(p)...)
	return p, nil
}

// inForce are the facets of the leg of which the files say something. A facet
// without a profile is not in force, whatever the leg asks for.
func (m *maker) inForce(p *rehearse.Plan) []rehearse.Facet {
	says := map[rehearse.Facet]bool{
		rehearse.FacetNetwork: slices.ContainsFunc(p.Links, func(l rehearse.LinkSpec) bool { return !l.Shape.IsZero() }),
		rehearse.FacetTraffic: slices.ContainsFunc(p.Steps, func(s rehearse.Step) bool { return s.Driven() != nil }),
		rehearse.FacetData:    slices.ContainsFunc(p.Services, func(s rehearse.Service) bool { return len(s.SQL) > 0 || s.Data != nil }),
		rehearse.FacetFaults:  slices.ContainsFunc(p.Steps, func(s rehearse.Step) bool { return s.Experiment != nil }),
	}
	out := []rehearse.Facet{}
	for _, f := range rehearse.Facets() {
		if p.Leg.Has(f) && says[f] {
			out = append(out, f)
		}
	}
	return out
}

// maker collects a plan and what is wrong with it.
type maker struct {
	in       Input
	cfg      *config.Config
	services map[rehearse.ServiceName]*rehearse.Service
	links    []string                      // the names of all there are, whatever the leg
	asked    map[rehearse.ServiceName]bool // by loads, over HTTP
	methods  map[string][]rehearse.Action  // of experiments, by their names
	problems rehearse.Problems
}

// names lists the services, sorted.
func (m *maker) names() []rehearse.ServiceName {
	return slices.Sorted(maps.Keys(m.services))
}

func (m *maker) problem(line int, msg, hint string) {
	m.problems = append(m.problems, m.cfg.Problem(line, msg, hint))
}

// unknown reports a name that stands for nothing, with the nearest that does.
func (m *maker) unknown(what, name string, line int, known []string, hint string) {
	msg := "unknown " + what + " " + name
	if near, ok := rehearse.Nearest(name, known); ok {
		msg += "; did you mean " + near + "?"
		hint = ""
	}
	m.problem(line, msg, hint)
}

// serviceNamed reports an unknown service and returns a known one.
func (m *maker) serviceNamed(name string, line int) (*rehearse.Service, bool) {
	s, ok := m.services[rehearse.ServiceName(name)]
	if !ok {
		m.unknown("service", name, line, words(m.names()), "The Compose file's services are "+list(words(m.names()))+".")
	}
	return s, ok
}

// checkReferences looks at the names in rehearse.yaml that nothing else follows.
func (m *maker) checkReferences() {
	used := map[string]bool{}
	for _, s := range m.services {
		used[string(s.Region)] = true
	}
	for _, f := range m.in.Traffic {
		for _, o := range f.Over(0).Origins {
			used[string(o.Region)] = true
		}
	}
	delete(used, "")
	for _, e := range m.cfg.Services {
		if p := e.Value.Process; p != nil {
			for _, name := range references(p.Env, p.Command) {
				if name != "listen" {
					m.serviceNamed(name, e.Line)
				}
			}
		}
	}
	known := slices.Sorted(maps.Keys(used))
	pairs := map[pair]bool{}
	for _, b := range m.cfg.Network.Between {
		for _, r := range b.Regions {
			if !used[r.Name] {
				m.unknown("region", r.Name, r.Line, known, "No service and no origin of traffic is in it; say which is, with services.NAME.region.")
			}
		}
		p := pairOf(rehearse.Region(b.Regions[0].Name), rehearse.Region(b.Regions[1].Name))
		if pairs[p] {
			m.problem(b.Regions[0].Line, "the distance between "+string(p.a)+" and "+string(p.b)+" is given twice", "")
		}
		pairs[p] = true
	}
}

func words[T ~string](names []T) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = string(n)
	}
	return out
}
