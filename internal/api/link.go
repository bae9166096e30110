package api

import (
	"net/http"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

// Link is what a link does now.
type Link struct {
	ID       rehearse.LinkID      `json:"id"`
	Client   rehearse.ServiceName `json:"client"`
	Upstream rehearse.ServiceName `json:"upstream"`
	Tier     rehearse.Tier        `json:"tier"`
	Shape    rehearse.Shape       `json:"shape"`
	Faults   []rehearse.Fault     `json:"faults"` // beside the plan's, and Toxiproxy's clients'
	// Planned is the shape, and PlannedFaults are the faults, that the plan gives it.
	Planned       rehearse.Shape   `json:"planned"`
	PlannedFaults []rehearse.Fault `json:"plannedFaults"`
	Addresses     []Address        `json:"addresses"` // in the client's view
}

func linkOf(l *environment.Link) Link {
	spec := l.Spec()
	return Link{
		ID: spec.ID, Client: spec.Client, Upstream: spec.Upstream, Tier: l.Tier(), Shape: l.Shape(), Faults: list(l.FaultsBy(environment.ByPerson)),
		Planned: spec.Shape, PlannedFaults: list(spec.Faults), Addresses: addresses(l),
	}
}

// list is never null in JSON.
func list(faults []rehearse.Fault) []rehearse.Fault {
	if faults == nil {
		return []rehearse.Fault{}
	}
	return faults
}

func (s *server) getLinks(*http.Request) (any, error) {
	out := []Link{}
	for _, spec := range s.env.Plan().Links {
		if l, ok := s.env.Link(spec.ID); ok {
			out = append(out, linkOf(l))
		}
	}
	return out, nil
}

// link is the link that a request is about.
func (s *server) link(r *http.Request) (*environment.Link, error) {
	id := r.PathValue("id")
	if l, ok := s.env.Link(rehearse.LinkID(id)); ok {
		return l, nil
	}
	var known []string
	for _, l := range s.env.Plan().Links {
		known = append(known, string(l.ID))
	}
	return nil, missing("link", id, known)
}

func (s *server) getLink(r *http.Request) (any, error) {
	l, err := s.link(r)
	if err != nil {
		return nil, err
	}
	return linkOf(l), nil
}

// LinkChange is what a link is to do. What is left out stays as it is.
type LinkChange struct {
	Shape  *rehearse.Shape   `json:"shape,omitempty"`
	Faults *[]rehearse.Fault `json:"faults,omitempty"` // in the place of those that were set before
}

func (s *server) putLink(r *http.Request) (any, error) {
	l, err := s.link(r)
	if err != nil {
		return nil, err
	}
	var change LinkChange
	if err := read(r, &change); err != nil {
		return nil, err
	}
	if change.Shape == nil && change.Faults == nil {
		return nil, &rehearse.Error{Kind: rehearse.Invalid, Msg: "there is nothing to set", Hint: "Give a shape, or faults, or both."}
	}
	if change.Shape != nil {
		if err := change.Shape.Validate(); err != nil {
			return nil, err
		}
		if err := l.Tier().Carries(*change.Shape); err != nil {
			return nil, err
		}
	}
	if change.Faults != nil {
		if err := l.BreakBy(environment.ByPerson, *change.Faults); err != nil {
			return nil, err
		}
	}
	if change.Shape != nil {
		l.Set(*change.Shape)
	}
	return linkOf(l), nil
}

func (s *server) deleteLink(r *http.Request) (any, error) {
	l, err := s.link(r)
	if err != nil {
		return nil, err
	}
	if err := l.Reset(); err != nil {
		return nil, err
	}
	return linkOf(l), nil
}

func (s *server) getStats(r *http.Request) (any, error) {
	l, err := s.link(r)
	if err != nil {
		return nil, err
	}
	return l.Stats(), nil
}
