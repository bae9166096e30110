package plan

import (
	"maps"
	"slices"

	"github.com/rehearse-dev/rehearse"
)

// inOrder sorts services so that each comes after all it needs: level by level,
// and by name within a level. The Compose loader has refused circles, so that
// one here is a broken invariant of whoever built the input.
func inOrder(services map[rehearse.ServiceName]*rehearse.Service) ([]*rehearse.Service, *rehearse.Error) {
	placed := map[rehearse.ServiceName]bool{}
	var order []*rehearse.Service
	for len(order) < len(services) {
		var level []*rehearse.Service
		for _, name := range slices.Sorted(maps.Keys(services)) {
			s := services[name]
			waits := slices.ContainsFunc(s.Needs, func(n rehearse.Need) bool {
				_, exists := services[n.Service]
				return exists && !placed[n.Service]
			})
			if !placed[name] && !waits {
				level = append(level, s)
			}
		}
		if len(level) == 0 {
			return nil, &rehearse.Error{Kind: rehearse.Invalid, Msg: "services need each other in a circle"}
		}
		for _, s := range level {
			placed[s.Name] = true
		}
		order = append(order, level...)
	}
	return order, nil
}
