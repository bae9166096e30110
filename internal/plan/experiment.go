package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/config"
	"github.com/rehearse-dev/rehearse/internal/wire"
)

// Stretch is how long the parts of an experiment take that does not say: before
// the method, for the recovery, and after it.
const Stretch = 5 * time.Second

// steadyState holds where an experiment does not say what it takes for steady.
const steadyState = "http_req_failed rate<1%"

// makeMethods resolves every experiment of the file, whether the rehearsal runs it
// or not: a file is right or wrong as a whole.
func (m *maker) makeMethods(links []rehearse.LinkSpec, loads []load) {
	m.asked = map[rehearse.ServiceName]bool{}
	for _, l := range loads {
		m.asked[l.target] = true
	}
	m.methods = map[string][]rehearse.Action{}
	for _, e := range m.cfg.Experiments {
		actions, problem := e.Value.Actions()
		if problem != "" {
			m.problem(e.Line, "experiments."+e.Name+": "+problem, "")
			continue
		}
		var method []rehearse.Action
		var lines []int
		next := rehearse.Duration(0)
		for _, a := range actions {
			made, ok := m.action(e.Name, a, links)
			if a.At == nil {
				made.At = next
			} else {
				made.At = *a.At
			}
			next = made.At + made.For
			if ok {
				method, lines = append(method, made), append(lines, a.Fault.Line)
			}
		}
		m.clashes(method, lines)
		slices.SortStableFunc(method, func(a, b rehearse.Action) int { return cmp.Compare(a.At, b.At) })
		m.methods[e.Name] = method
	}
}

// action finds what an action is done to, and looks whether it can be.
func (m *maker) action(experiment string, a config.Action, links []rehearse.LinkSpec) (rehearse.Action, bool) {
	key, of := a.Target.Get()
	out := rehearse.Action{Title: of.Name + ": " + a.Fault.Name, For: a.Length()}
	services, ok := m.targets(key, of)
	if !ok {
		return out, false
	}
	if a.Disrupts() {
		d, err := a.MakeDisruption()
		if err != nil {
			m.problem(a.Fault.Line, err.Error(), "")
			return out, false
		}
		out.Disruption, out.Services = &d, services
		if !m.driverCan(d.Kind, a.Fault.Line) {
			return out, false
		}
		return out, d.Kind != rehearse.DisruptDisk || m.fills(out, a.Fault.Line)
	}
	f, err := a.MakeFault()
	if err != nil {
		m.problem(a.Fault.Line, err.Error(), "")
		return out, false
	}
	if f.Name == "" {
		f.Name = experiment + "/" + string(f.Kind)
	}
	out.Fault = &f
	if key == "link" {
		out.Links, ok = m.linksNamed(of, links)
		if !ok {
			return out, false
		}
	} else {
		for _, l := range links {
			if slices.Contains(services, l.Upstream) && !(key == "region" && m.services[l.Client] != nil && slices.Contains(services, l.Client)) {
				out.Links = append(out.Links, l.ID)
			}
		}
		if len(out.Links) == 0 {
			m.problem(of.Line, fmt.Sprintf("no link leads to the %s %s", key, of.Name), "rehearse plan --all lists the links there are.")
			return out, false
		}
	}
	for _, id := range out.Links {
		i := slices.IndexFunc(links, func(l rehearse.LinkSpec) bool { return l.ID == id })
		ok = m.linkCan(f, links[i], a.Fault.Line) && ok
	}
	return out, ok
}

// targets are the services that a target stands for; none for a link.
func (m *maker) targets(key string, of config.Ref) ([]rehearse.ServiceName, bool) {
	var found []rehearse.ServiceName
	switch key {
	case "service":
		s, ok := m.serviceNamed(of.Name, of.Line)
		if !ok {
			return nil, false
		}
		return []rehearse.ServiceName{s.Name}, true
	case "region":
		regions := map[string]bool{}
		for _, name := range m.names() {
			if r := m.services[name].Region; r != "" {
				regions[string(r)] = true
			}
			if string(m.services[name].Region) == of.Name {
				found = append(found, name)
			}
		}
		if len(found) == 0 {
			m.unknown("region", of.Name, of.Line, slices.Sorted(maps.Keys(regions)), "No service is in it; say which is, with services.NAME.region.")
			return nil, false
		}
	case "label":
		name, value, exact := strings.Cut(of.Name, "=")
		labels := map[string]bool{}
		for service, all := range m.in.Compose.Labels {
			if m.services[service] == nil {
				continue
			}
			for n, v := range all {
				labels[n+"="+v] = true
				if n == name && (!exact || v == value) {
					found = append(found, service)
				}
			}
		}
		if len(found) == 0 {
			m.unknown("label", of.Name, of.Line, slices.Sorted(maps.Keys(labels)), "No service of the Compose file has it under labels.")
			return nil, false
		}
		slices.Sort(found)
	}
	return found, true
}

// linksNamed are the links of a leg that a link's name stands for. Traffic from
// outside comes over a link for each region in some legs, and over one in others.
func (m *maker) linksNamed(of config.Ref, links []rehearse.LinkSpec) ([]rehearse.LinkID, bool) {
	if !slices.Contains(m.links, of.Name) {
		m.unknown("link", of.Name, of.Line, m.links, "rehearse plan --all lists the links there are.")
		return nil, false
	}
	client, upstream, _ := strings.Cut(of.Name, ":")
	var found []rehearse.LinkID
	for _, l := range links {
		same := string(l.Client) == client || client == string(rehearse.Ingress) && rehearse.IsIngress(l.Client)
		if same && string(l.Upstream) == upstream {
			found = append(found, l.ID)
		}
	}
	if len(found) == 0 { // a region's own link, in a leg without such
		found = append(found, rehearse.MakeLinkID(rehearse.Ingress, rehearse.ServiceName(upstream)))
	}
	return found, true
}

// driverCan looks whether the driver can do something to a service.
func (m *maker) driverCan(kind rehearse.DisruptionKind, line int) bool {
	able := kind.Drivers()
	if slices.Contains(able, m.in.Driver) {
		return true
	}
	hint := "No driver can."
	if len(able) > 0 {
		hint = "These drivers can: " + list(able) + "."
	}
	m.problem(line, fmt.Sprintf("the driver %s cannot do %s to a service", m.in.Driver, kind), hint)
	return false
}

// protocols are what the recipes' servers speak, where a link can read it along.
var protocols = map[string]wire.Protocol{"postgres": wire.PostgreSQL, "redis": wire.Redis, "nginx": wire.HTTP, "nginx-unprivileged": wire.HTTP}

// speaks is the protocol of a service; empty when nobody knows, and known says
// that it is none that a link can read.
func (m *maker) speaks(name rehearse.ServiceName) (p wire.Protocol, known bool) {
	s := m.services[name]
	if p, ok := protocols[s.Recipe]; ok {
		return p, true
	}
	if s.Recipe != "" {
		return "", true
	}
	if m.asked[name] {
		return wire.HTTP, true
	}
	return "", false
}

// linkCan looks whether a fault can be one of a link.
func (m *maker) linkCan(f rehearse.Fault, l rehearse.LinkSpec, line int) bool {
	switch f.Kind {
	case rehearse.FaultDNS, rehearse.FaultDuplicate, rehearse.FaultReorder:
		m.problem(line, fmt.Sprintf("%s is a fault of datagrams, and %s carries streams", f.Kind, l.ID), "The links of environments carry no UDP; rehearse link serve does.")
		return false
	case rehearse.FaultLoss:
		if l.Tier == rehearse.TierStream {
			m.problem(line, fmt.Sprintf("%s is of the tier stream, which loses nothing", l.ID), "Give network.tier the value model.")
			return false
		}
	case rehearse.FaultTLS:
		if f.Code != "stall" && !l.EndTLS {
			m.problem(line, fmt.Sprintf("%s passes TLS on, and shows no certificate that could be wrong", l.ID),
				fmt.Sprintf("Let it end TLS, with {link: \"%s\", tls: end} under network.links, or use the code stall.", l.ID))
			return false
		}
	}
	asked := wire.ProtocolOf(f)
	if asked == "" {
		return true
	}
	passes := slices.ContainsFunc(m.cfg.Network.Links, func(o config.Link) bool { return o.Link.Name == string(l.ID) && o.TLS == "pass" })
	if passes && !l.EndTLS {
		m.problem(line, fmt.Sprintf("%s passes TLS on, in which a fault of requests finds none", l.ID),
			fmt.Sprintf("Let it end TLS, with {link: \"%s\", tls: end} under network.links.", l.ID))
		return false
	}
	if speaks, known := m.speaks(l.Upstream); known && speaks != asked {
		what := string(speaks)
		if what == "" {
			what = "a protocol that links do not read"
		}
		m.problem(line, fmt.Sprintf("%s is a fault of %s, and %s speaks %s", f.Kind, asked, l.Upstream, what), "Use a fault of connections or of the path, such as reset or delay.")
		return false
	}
	return true
}

// clashes finds actions that break one link at one time in ways that do not go
// together.
func (m *maker) clashes(method []rehearse.Action, lines []int) {
	for i, a := range method {
		for j, b := range method[:i] {
			if a.Fault == nil || b.Fault == nil || a.At >= b.At+b.For || b.At >= a.At+a.For {
				continue
			}
			shared := slices.IndexFunc(a.Links, func(id rehearse.LinkID) bool { return slices.Contains(b.Links, id) })
			if shared < 0 {
				continue
			}
			p, q := wire.ProtocolOf(*a.Fault), wire.ProtocolOf(*b.Fault)
			switch {
			case a.Fault.ID() == b.Fault.ID():
				m.problem(lines[i], fmt.Sprintf("two faults called %q are on %s at the same time; the other is in line %d", a.Fault.ID(), a.Links[shared], lines[j]),
					"Give one of them a name, as in name: second, or let it begin when the other is over.")
			case p != "" && q != "" && p != q:
				m.problem(lines[i], fmt.Sprintf("faults of %s and of %s are on %s at the same time; the other is in line %d", p, q, a.Links[shared], lines[j]),
					"A link speaks one protocol.")
			}
		}
	}
}

// experimentStep makes an experiment concrete for the leg; nil when something is
// wrong with it.
func (m *maker) experimentStep(loads []load, s config.Step) *rehearse.ExperimentStep {
	e, ok := m.cfg.Experiments.Get(s.Experiment.Name)
	if !ok {
		hint := "Experiments are defined under experiments."
		if _, library := config.Find(s.Experiment.Name); library {
			hint = fmt.Sprintf("The library has one: define it, as in %s: {use: %s, …}.", s.Experiment.Name, s.Experiment.Name)
		}
		m.unknown("experiment", s.Experiment.Name, s.Experiment.Line, m.cfg.Experiments.Names(), hint)
		return nil
	}
	l, ok := m.loadOf(loads, s)
	if !ok {
		return nil
	}
	out := &rehearse.ExperimentStep{
		Name: e.Name, Method: m.methods[e.Name], Steady: e.Value.Steady, During: e.Value.During,
		Before: orStretch(e.Value.Before), Recover: orStretch(e.Value.Recover), After: orStretch(e.Value.After),
		Checks: m.makeChecks(e.Value.Checks),
	}
	if len(out.Steady) == 0 {
		t, err := rehearse.ParseThreshold(steadyState)
		if err != nil {
			panic("plan: internal error: " + err.Error())
		}
		out.Steady = []rehearse.Threshold{t}
	}
	if total := out.Total(); s.For > 0 && total > s.For {
		m.problem(s.Experiment.Line, fmt.Sprintf("%s takes %v, and its load goes on for %v", e.Name, total, s.For),
			fmt.Sprintf("Leave for out, or make the experiment shorter: %v before, %v of method, %v for the recovery and %v after.", out.Before, out.Length(), out.Recover, out.After))
		return nil
	} else if s.For > 0 {
		out.After += s.For - total
	}
	s.For = out.Total()
	out.Load = *m.loadStep(l, s)
	out.Load.Name, out.Load.Profile = e.Name, l.name
	m.partOfMethod(out)
	return out
}

func orStretch(d *rehearse.Duration) rehearse.Duration {
	if d == nil {
		return rehearse.Duration(Stretch)
	}
	return *d
}

// loadOf is the load of an experiment: the one that it names, or the only one.
func (m *maker) loadOf(loads []load, s config.Step) (load, bool) {
	name := s.Load.Name
	if name == "" {
		if len(m.cfg.Traffic) != 1 {
			why := "there is no traffic profile"
			if len(m.cfg.Traffic) > 1 {
				why = "there are " + list(m.cfg.Traffic.Names())
			}
			m.problem(s.Experiment.Line, "the experiment "+s.Experiment.Name+" does not say which load goes on meanwhile, and "+why, "Give the step a load: the name of one under traffic.")
			return load{}, false
		}
		name = m.cfg.Traffic[0].Name
	}
	if _, ok := m.cfg.Traffic.Get(name); !ok {
		m.unknown("traffic", name, s.Load.Line, m.cfg.Traffic.Names(), "Traffic is defined under traffic.")
		return load{}, false
	}
	i := slices.IndexFunc(loads, func(l load) bool { return l.name == name })
	if i < 0 {
		return load{}, false // it has a problem of its own
	}
	return loads[i], true
}

// stepNames finds experiments that share their name with another step: samples
// and findings stand under it.
func (m *maker) stepNames(steps []config.Step) {
	seen := map[string]bool{}
	for _, s := range steps {
		name := cmp.Or(s.Experiment.Name, s.Suite.Name, s.Load.Name)
		line := cmp.Or(s.Experiment.Line, s.Suite.Line, s.Load.Line)
		experiment := s.Experiment.Name != ""
		if was, ok := seen[name]; ok && (was || experiment) {
			m.problem(line, fmt.Sprintf("two steps are called %s, and one of them is an experiment", name), "Define the experiment once more under another name.")
		}
		seen[name] = seen[name] || experiment
	}
}
