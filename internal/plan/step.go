package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/config"
)

// suiteTimeout is how long a suite may take that says nothing.
const suiteTimeout = 10 * time.Minute

// load is a traffic profile with its target found.
type load struct {
	name   string
	file   TrafficFile
	target rehearse.ServiceName
	port   int
}

// makeLoads finds the target of every traffic profile, in the order of the file,
// whether the rehearsal uses it or not.
func (m *maker) makeLoads() []load {
	var loads []load
	for _, e := range m.cfg.Traffic {
		file := m.in.Traffic[e.Name]
		if file == nil {
			m.problem(e.Line, "the profile of the traffic "+e.Name+" was not loaded", "")
			continue
		}
		target, ok := m.target(e)
		if !ok {
			continue
		}
		port, ok := m.targetPort(e, target)
		if !ok {
			continue
		}
		loads = append(loads, load{name: e.Name, file: file, target: target.Name, port: port})
	}
	return loads
}

func (m *maker) target(e config.Entry[config.Traffic]) (*rehearse.Service, bool) {
	if ref := e.Value.Target; ref.Name != "" {
		return m.serviceNamed(ref.Name, ref.Line)
	}
	var published []*rehearse.Service
	for _, name := range m.names() {
		s := m.services[name]
		if slices.ContainsFunc(s.Ports, isPublished) {
			published = append(published, s)
		}
	}
	if len(published) == 1 {
		return published[0], true
	}
	var names []string
	for _, s := range published {
		names = append(names, string(s.Name))
	}
	why := "no service has a published port"
	if len(names) > 0 {
		why = "there are published ports on " + list(names)
	}
	m.problem(e.Line, "traffic."+e.Name+" does not say where it goes, and "+why, "Add traffic."+e.Name+".target.")
	return nil, false
}

// isPublished is true for a port in the Compose file's ports, with a fixed host
// port or without.
func isPublished(p rehearse.Port) bool { return p.Published != "" || p.Known == "ports" }

func (m *maker) targetPort(e config.Entry[config.Traffic], s *rehearse.Service) (int, bool) {
	if n := e.Value.Port; n > 0 {
		if !slices.Contains(numbers(s.Ports), n) {
			s.Ports = append(s.Ports, rehearse.Port{Number: n, Known: fromConfig})
			slices.SortFunc(s.Ports, func(a, b rehearse.Port) int { return cmp.Compare(a.Number, b.Number) })
		}
		return n, true
	}
	candidates := slices.DeleteFunc(slices.Clone(s.Ports), func(p rehearse.Port) bool { return !isPublished(p) })
	if len(candidates) == 0 {
		candidates = spokenOf(s.Ports)
	}
	if len(candidates) != 1 {
		m.problem(e.Line, "traffic."+e.Name+" does not say which port of "+string(s.Name)+" it goes to", "Add traffic."+e.Name+".port.")
		return 0, false
	}
	return candidates[0].Number, true
}

// makeSteps makes the rehearsal concrete for the leg.
func (m *maker) makeSteps(loads []load) []rehearse.Step {
	steps := []rehearse.Step{}
	rehearsal := m.in.Rehearsal
	if rehearsal == nil {
		rehearsal = m.cfg.Rehearsal
	}
	m.stepNames(rehearsal)
	for _, s := range rehearsal {
		if s.Experiment.Name != "" {
			if e := m.experimentStep(loads, s); e != nil {
				steps = append(steps, rehearse.Step{Experiment: e})
			}
			continue
		}
		if s.Suite.Name != "" {
			if e, ok := m.cfg.Suites.Get(s.Suite.Name); ok {
				steps = append(steps, rehearse.Step{Suite: m.suiteStep(e)})
			} else {
				m.unknown("suite", s.Suite.Name, s.Suite.Line, m.cfg.Suites.Names(), "Suites are defined under suites.")
			}
			continue
		}
		if _, ok := m.cfg.Traffic.Get(s.Load.Name); !ok {
			m.unknown("traffic", s.Load.Name, s.Load.Line, m.cfg.Traffic.Names(), "Traffic is defined under traffic.")
			continue
		}
		// A load that is missing here has its own problem already.
		for _, l := range loads {
			if l.name == s.Load.Name {
				steps = append(steps, rehearse.Step{Load: m.loadStep(l, s)})
			}
		}
	}
	return steps
}

func (m *maker) suiteStep(e config.Entry[config.Suite]) *rehearse.SuiteStep {
	s := e.Value
	return &rehearse.SuiteStep{
		Name:      e.Name,
		Command:   s.Command,
		Dir:       m.absolute(s.Dir),
		Env:       s.Env,
		Results:   s.Results,
		Artifacts: s.Artifacts,
		Needs:     s.Needs,
		Optional:  s.Optional,
		Timeout:   cmp.Or(s.Timeout, rehearse.Duration(suiteTimeout)),
	}
}

// mostRequests is how many requests one load may have: each is planned before the
// first is sent, and its sample kept.
const mostRequests = 20_000_000

func (m *maker) loadStep(l load, s config.Step) *rehearse.LoadStep {
	t := l.file.Over(time.Duration(s.For))
	t = m.partOfTraffic(l.name, t)
	if n := t.Total(); n > mostRequests {
		m.problem(cmp.Or(s.Load.Line, s.Experiment.Line), fmt.Sprintf("in %v the load %s has %.0f requests, and may have %d", t.Duration, l.name, n, mostRequests), "Let it go on for less time, or at a lower rate.")
	}
	if len(t.Origins) == 0 {
		t.Origins = []rehearse.Origin{{Weight: 1}}
	}
	t.Origins = slices.Clone(t.Origins) // the file's own stay as they are
	for i := range t.Origins {
		o := &t.Origins[i]
		client := rehearse.Ingress
		if m.regional(l) {
			client = rehearse.IngressFrom(o.Region)
		}
		o.Link = rehearse.MakeLinkID(client, l.target)
	}
	return &rehearse.LoadStep{
		Name:       l.name,
		Target:     l.target,
		Port:       l.port,
		Traffic:    t,
		Thresholds: append([]rehearse.Threshold{}, s.Thresholds...),
	}
}
