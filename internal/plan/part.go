package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Aspects says which oddities a generated dataset has, as far as they can be left
// out one by one.
type Aspects func(d rehearse.DataSpec) []rehearse.Aspect

// Suspects lists what the plan of a leg has of production, in the smallest
// parts, each with how far it goes. datasets may be nil: then of a dataset whose
// rows are generated every aspect is listed.
func Suspects(p *rehearse.Plan, datasets Aspects) []rehearse.Suspect {
	var out []rehearse.Suspect
	add := func(s rehearse.Suspect, there bool) {
		if there && p.Leg.Touches(s.Part) {
			out = append(out, s)
		}
	}
	for _, l := range p.Links {
		of := func(a rehearse.Aspect, full float64) rehearse.Suspect {
			return rehearse.Suspect{Part: rehearse.Part{Facet: rehearse.FacetNetwork, Subject: string(l.ID), Aspect: a}, Full: full}
		}
		up := l.Shape.Up
		add(of(rehearse.AspectRTT, l.Shape.RTT().Seconds()), l.Shape.RTT() > 0)
		add(of(rehearse.AspectJitter, jitterOf(up).Seconds()), up.Jitter > 0)
		add(of(rehearse.AspectLoss, up.Loss), up.Loss > 0)
		add(of(rehearse.AspectRate, float64(up.Rate)), up.Rate > 0 || up.ConnectionRate > 0)
	}
	seen := map[string]bool{}
	for _, s := range p.Steps {
		l := s.Driven()
		if l == nil || seen[cmp.Or(l.Profile, l.Name)] {
			continue
		}
		name := cmp.Or(l.Profile, l.Name)
		seen[name] = true
		of := func(a rehearse.Aspect) rehearse.Suspect {
			return rehearse.Suspect{Part: rehearse.Part{Facet: rehearse.FacetTraffic, Subject: name, Aspect: a}}
		}
		flat, curve := l.Traffic.Flat(), of(rehearse.AspectRate)
		curve.Full, curve.Flat = l.Traffic.Peak(), flat.Peak()
		add(curve, curve.Full > curve.Flat)
		add(of(rehearse.AspectArrivals), l.Traffic.Arrivals != flat.Arrivals)
		add(of(rehearse.AspectOrigins), slices.ContainsFunc(l.Traffic.Origins, func(o rehearse.Origin) bool { return o.Region != "" }))
	}
	seen = map[string]bool{}
	for _, s := range p.Services {
		name := s.Dataset
		if name == "" || seen[name] || s.Data == nil && len(s.SQL) == 0 {
			continue
		}
		seen[name] = true
		whole := rehearse.Part{Facet: rehearse.FacetData, Subject: name}
		if s.Data == nil || !s.Data.Generates() {
			add(rehearse.Suspect{Part: whole}, true)
			continue
		}
		for _, a := range aspectsOf(s.Data, datasets) {
			whole.Aspect = a
			add(rehearse.Suspect{Part: whole}, true)
		}
	}
	for _, s := range p.Steps {
		if s.Experiment == nil {
			continue
		}
		for i, a := range s.Experiment.Method {
			action := rehearse.Part{Facet: rehearse.FacetFaults, Subject: s.Experiment.Name, Action: cmp.Or(a.Place, i+1)}
			axis, full := axisOf(a)
			add(rehearse.Suspect{Part: action, Axis: axis, Full: full, Title: a.Title}, true)
		}
	}
	return out
}

func aspectsOf(d *rehearse.DataSpec, datasets Aspects) []rehearse.Aspect {
	all := rehearse.Aspects(rehearse.FacetData)
	if datasets != nil {
		all = datasets(*d)
	}
	return slices.DeleteFunc(slices.Clone(all), func(a rehearse.Aspect) bool {
		return a == rehearse.AspectWrites && d.Churn == 0
	})
}

// checkParts looks whether the parts of the leg are parts of this project, and
// whether none is asked for twice.
func (m *maker) checkParts(p *rehearse.Plan) {
	known := m.subjects(p)
	values := map[rehearse.Part]float64{}
	for _, part := range m.in.Leg.Parts {
		names := known[part.Facet]
		if part.Subject != "" && !slices.Contains(names, part.Subject) {
			hint := fmt.Sprintf("Of %s there are %s.", part.Facet, list(names))
			msg := fmt.Sprintf("%s: there is no %s %q", part, noun[part.Facet], part.Subject)
			if near, ok := rehearse.Nearest(part.Subject, names); ok {
				msg += "; did you mean " + near + "?"
			}
			m.problems = append(m.problems, &rehearse.Error{Kind: rehearse.Invalid, Msg: msg, Hint: hint})
			continue
		}
		if had, twice := values[part.Whole()]; twice && part.Value > 0 && had != part.Value {
			m.problems = append(m.problems, &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("%s is asked for with two values", part.Whole()), Hint: "Give it one."})
		}
		if part.Value > 0 {
			values[part.Whole()] = part.Value
		}
		switch n := len(m.methods[part.Subject]); {
		case part.Action == 0:
		case part.Action > n:
			m.problems = append(m.problems, &rehearse.Error{
				Kind: rehearse.Invalid, Msg: fmt.Sprintf("%s: the method of %s has no action %d", part, part.Subject, part.Action),
				Hint: fmt.Sprintf("Its actions count from 1 to %d.", n),
			})
		case part.Aspect != "":
			if a := m.methods[part.Subject][part.Action-1]; !takes(a, part.Aspect) {
				m.problems = append(m.problems, &rehearse.Error{
					Kind: rehearse.Invalid, Msg: fmt.Sprintf("%s: %q has no %s", part, a.Title, part.Aspect), Hint: aspectsHint(a),
				})
			}
		}
	}
}

var noun = map[rehearse.Facet]string{
	rehearse.FacetNetwork: "link", rehearse.FacetTraffic: "traffic profile", rehearse.FacetData: "dataset", rehearse.FacetFaults: "experiment",
}

// subjects are the names that parts may have.
func (m *maker) subjects(p *rehearse.Plan) map[rehearse.Facet][]string {
	var experiments []string
	for _, s := range p.Steps {
		if s.Experiment != nil {
			experiments = append(experiments, s.Experiment.Name)
		}
	}
	return map[rehearse.Facet][]string{
		rehearse.FacetNetwork: m.links, rehearse.FacetTraffic: m.cfg.Traffic.Names(),
		rehearse.FacetData: m.cfg.Data.Names(), rehearse.FacetFaults: experiments,
	}
}

// partOfShape leaves of a link's shape what is in force in the leg.
func (m *maker) partOfShape(id rehearse.LinkID, s rehearse.Shape) rehearse.Shape {
	in := func(a rehearse.Aspect) (value float64, in bool) {
		return m.in.Leg.InForce(rehearse.Part{Facet: rehearse.FacetNetwork, Subject: string(id), Aspect: a})
	}
	rtt, hasRTT := in(rehearse.AspectRTT)
	jitter, hasJitter := in(rehearse.AspectJitter)
	loss, hasLoss := in(rehearse.AspectLoss)
	rate, hasRate := in(rehearse.AspectRate)
	for _, p := range []*rehearse.Path{&s.Up, &s.Down} {
		switch {
		case !hasRTT:
			p.Delay = 0
		case rtt > 0:
			p.Delay = rehearse.Duration(rtt / 2 * float64(time.Second))
		}
		switch {
		case !hasJitter:
			p.Jitter, p.Distribution = 0, ""
		case jitter > 0 && p.Jitter > 0:
			p.Jitter = rehearse.Duration(float64(p.Jitter) * jitter / jitterOf(*p).Seconds())
		case jitter > 0:
			p.Jitter = rehearse.Symmetric(0, seconds(jitter), 0).Up.Jitter
		}
		switch {
		case !hasLoss:
			p.Loss, p.Burst = 0, 0
		case loss > 0:
			p.Loss = loss
		}
		switch {
		case !hasRate:
			p.Rate, p.ConnectionRate, p.Limit = 0, 0, 0
		case rate > 0:
			p.Rate = rehearse.Rate(rate)
		}
		if p.Jitter == 0 && p.Loss == 0 {
			p.Correlation = 0
		}
	}
	return s
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// jitterOf is the jitter of a round trip whose way there has this path, as
// rehearse.yaml has it: see symmetric.
func jitterOf(p rehearse.Path) time.Duration {
	if p.Distribution == rehearse.Uniform {
		return 2 * time.Duration(p.Jitter)
	}
	const sqrt2 = 1.4142135623730951
	return time.Duration(float64(p.Jitter) * sqrt2)
}

// partOfTraffic leaves of a traffic profile what is in force in the leg.
func (m *maker) partOfTraffic(name string, t rehearse.Traffic) rehearse.Traffic {
	in := func(a rehearse.Aspect) (value float64, in bool) {
		return m.in.Leg.InForce(rehearse.Part{Facet: rehearse.FacetTraffic, Subject: name, Aspect: a})
	}
	flat := t.Flat()
	peak, hasRate := in(rehearse.AspectRate)
	switch {
	case !hasRate:
		t.Rate = flat.Rate
	case peak > 0:
		t = t.WithPeak(peak)
	}
	if _, ok := in(rehearse.AspectArrivals); !ok {
		t.Arrivals = flat.Arrivals
	}
	if _, ok := in(rehearse.AspectOrigins); !ok {
		t.Origins = flat.Origins
	}
	return t
}

// regional reports whether a load's requests come over links of their own regions.
func (m *maker) regional(l load) bool {
	_, in := m.in.Leg.InForce(rehearse.Part{Facet: rehearse.FacetTraffic, Subject: l.name, Aspect: rehearse.AspectOrigins})
	return in && m.in.Leg.Has(rehearse.FacetNetwork)
}

// partOfData leaves of a generated dataset what is in force in the leg.
func (m *maker) partOfData(d *rehearse.DataSpec) {
	for _, a := range rehearse.Aspects(rehearse.FacetData) {
		part := rehearse.Part{Facet: rehearse.FacetData, Subject: d.Name, Aspect: a}
		_, in := m.in.Leg.InForce(part)
		switch {
		case in, a == rehearse.AspectRows:
		case a == rehearse.AspectWrites:
			d.Churn = 0
		default:
			d.Without = append(d.Without, a)
		}
	}
}

// partOfMethod leaves of an experiment's method what is in force in the leg, on the
// same time line.
func (m *maker) partOfMethod(s *rehearse.ExperimentStep) {
	var method []rehearse.Action
	partly := false
	for i, a := range s.Method {
		part := rehearse.Part{Facet: rehearse.FacetFaults, Subject: s.Name, Action: i + 1}
		if !m.in.Leg.Touches(part) {
			partly = true
			continue
		}
		a.Place = i + 1
		for _, part.Aspect = range rehearse.Aspects(rehearse.FacetFaults) {
			if v, _ := m.in.Leg.InForce(part); v > 0 && takes(a, part.Aspect) {
				a, partly = asFarAs(a, part.Aspect, v), true
			}
		}
		method = append(method, a)
	}
	switch {
	case len(method) == 0:
		s.Calm = true
	case partly:
		s.Span = s.Length()
		s.Method = method
	}
}
