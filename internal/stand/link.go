package stand

import (
	"fmt"
	"slices"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

// LinkChange is what is asked of an environment's links.
type LinkChange struct {
	Links  []rehearse.LinkID `json:"links"` // empty: all
	Reset  bool              `json:"reset,omitempty"`
	Shape  *rehearse.Shape   `json:"shape,omitempty"`  // nil: as it is
	Faults []rehearse.Fault  `json:"faults,omitempty"` // beside those there are
}

// apply changes the links of an environment, or none of them.
func (c LinkChange) apply(env *environment.Environment) ([]rehearse.LinkStats, error) {
	ids := c.Links
	if len(ids) == 0 {
		for _, l := range env.Plan().Links {
			ids = append(ids, l.ID)
		}
	}
	var links []*environment.Link
	for _, id := range ids {
		l, ok := env.Link(id)
		if !ok {
			return nil, fmt.Errorf("environment %s has no link %q", env.ID(), id)
		}
		if c.Shape != nil {
			if err := l.Tier().Carries(*c.Shape); err != nil {
				return nil, err
			}
		}
		links = append(links, l)
	}
	var changed []rehearse.LinkStats
	for _, l := range links {
		if c.Reset {
			if err := l.Reset(); err != nil {
				return changed, err
			}
		}
		if len(c.Faults) > 0 {
			if err := l.BreakBy(environment.ByPerson, merge(l.FaultsBy(environment.ByPerson), c.Faults)); err != nil {
				return changed, err
			}
		}
		if c.Shape != nil {
			l.Set(*c.Shape)
		}
		changed = append(changed, l.Stats())
	}
	return changed, nil
}

// merge replaces faults by those of the same name, and appends the others.
func merge(old, more []rehearse.Fault) []rehearse.Fault {
	all := slices.Clone(old)
	for _, f := range more {
		same := func(o rehearse.Fault) bool { return o.ID() == f.ID() }
		if i := slices.IndexFunc(all, same); i >= 0 {
			all[i] = f
		} else {
			all = append(all, f)
		}
	}
	return all
}
