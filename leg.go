package rehearse

import "slices"

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

// Leg is one run under a chosen set of facets.
type Leg struct {
	Name   string  `json:"name"`
	Facets []Facet `json:"facets"`
}

// Staging is the leg with every facet flat: what staging would have said.
func Staging() Leg { return Leg{Name: "staging", Facets: []Facet{}} }

// Production is the leg with every facet in force: the truth.
func Production() Leg { return Leg{Name: "production", Facets: Facets()} }

// Only is a leg with just the given facets in force, named after them.
func Only(facets ...Facet) Leg {
	leg := Leg{Name: "only", Facets: []Facet{}}
	for _, f := range Facets() {
		if slices.Contains(facets, f) {
			leg.Facets = append(leg.Facets, f)
			leg.Name += "-" + string(f)
		}
	}
	return leg
}

// Has reports whether the facet is in force.
func (l Leg) Has(f Facet) bool { return slices.Contains(l.Facets, f) }
