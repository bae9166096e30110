package rehearse

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Facet is one kind of realism: one way in which staging differs from
// production. A facet that is not in force is flat.
type Facet string

// The facets. A flat network has no distance, flat traffic is the profile's
// mean rate in an even stream, flat data is the dataset that staging has, and with
// flat faults nothing breaks: experiments run and break nothing.
const (
	FacetNetwork Facet = "network"
	FacetTraffic Facet = "traffic"
	FacetData    Facet = "data"
	FacetFaults  Facet = "faults"
)

// Facets lists every facet, in the order reports use.
func Facets() []Facet { return []Facet{FacetNetwork, FacetTraffic, FacetData, FacetFaults} }

// Leg is one run under a chosen set of facets, or of parts of them.
type Leg struct {
	Name   string  `json:"name"`
	Facets []Facet `json:"facets"` // those of which something is in force
	// Parts are what of the facets is in force; empty: all.
	Parts []Part `json:"parts,omitempty"`
}

// Staging is the leg with every facet flat: what staging would have said.
func Staging() Leg { return Leg{Name: "staging", Facets: []Facet{}} }

// Production is the leg with every facet in force: the truth.
func Production() Leg { return Leg{Name: "production", Facets: Facets()} }

// longestName is how long the name of a leg may be that is made of its parts.
const longestName = 100

// Only is a leg with just the given facets in force, named after them.
func Only(facets ...Facet) Leg {
	var parts []Part
	for _, f := range facets {
		parts = append(parts, Part{Facet: f})
	}
	return OnlyParts(parts...)
}

// OnlyParts is a leg with just the given parts in force, named after them.
func OnlyParts(parts ...Part) Leg {
	parts = NormalParts(parts)
	leg := Leg{Name: "only", Facets: []Facet{}}
	whole := true
	for _, p := range parts {
		if !leg.Has(p.Facet) {
			leg.Facets = append(leg.Facets, p.Facet)
		}
		whole = whole && p == Part{Facet: p.Facet}
		leg.Name += "-" + strings.Map(inName, p.String())
	}
	if len(leg.Name) > longestName {
		leg.Name = fmt.Sprintf("only-%d-parts", len(parts))
	}
	if !whole {
		leg.Parts = parts
	}
	return leg
}

// inName keeps what may stand in the name of a directory.
func inName(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-', r == '.':
		return r
	}
	return '-'
}

// NormalParts sorts parts and leaves out those that another one contains. A part with
// a value stays: it says how far that goes which contains it.
func NormalParts(parts []Part) []Part {
	var out []Part
	for i, p := range parts {
		redundant := false
		for j, q := range parts {
			// Of two that are the same, the first stays.
			redundant = redundant || i != j && q.Value == p.Value && q.Contains(p) && (q != p || j < i)
		}
		if !redundant {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Part) int {
		aspects := Aspects(a.Facet)
		return cmp.Or(
			cmp.Compare(slices.Index(Facets(), a.Facet), slices.Index(Facets(), b.Facet)),
			cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Action, b.Action),
			cmp.Compare(slices.Index(aspects, a.Aspect), slices.Index(aspects, b.Aspect)), cmp.Compare(a.Value, b.Value),
		)
	})
	return out
}

// Has reports whether the facet is in force, or some of it.
func (l Leg) Has(f Facet) bool { return slices.Contains(l.Facets, f) }

// InForce reports whether all of a part is in force, and how far: the value is 0
// where it is as in production.
func (l Leg) InForce(p Part) (value float64, in bool) {
	if len(l.Parts) == 0 {
		return 0, l.Has(p.Facet)
	}
	for _, q := range l.Parts {
		if !q.Whole().Contains(p) {
			continue
		}
		in = true
		if q.Value > 0 {
			value = q.Value
		}
	}
	return value, in
}

// Touches reports whether a part is in force, or some of it.
func (l Leg) Touches(p Part) bool {
	if len(l.Parts) == 0 {
		return l.Has(p.Facet)
	}
	return slices.ContainsFunc(l.Parts, func(q Part) bool { return q.Whole().Contains(p) || p.Contains(q) })
}

// String is what of production is in force, as --only takes it; empty for none.
func (l Leg) String() string {
	if len(l.Parts) == 0 {
		return strings.Join(words(l.Facets), ",")
	}
	out := make([]string, len(l.Parts))
	for i, p := range l.Parts {
		out[i] = p.String()
	}
	return strings.Join(out, ",")
}
