package docker

import (
	"fmt"
	"maps"
	"strings"

	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
)

// The labels by which everything of ours is known.
const (
	labelEnvironment = "dev.rehearse.environment"
	labelState       = "dev.rehearse.state" // whose environment it is, among all that use the engine
	labelService     = "dev.rehearse.service"
)

// labels are those of a thing of an environment, together with a person's own.
func (e *environment) labels(service rehearse.ServiceName, own map[string]string) map[string]string {
	all := maps.Clone(own)
	if all == nil {
		all = map[string]string{}
	}
	all[labelEnvironment], all[labelState] = string(e.spec.ID), e.o.Label
	if service != "" {
		all[labelService] = string(service)
	}
	return all
}

// ours selects what carries our label, of one environment or, where id is empty,
// of all.
func ours(state string, id rehearse.EnvironmentID) client.Filters {
	f := make(client.Filters).Add("label", labelState+"="+state)
	if id != "" {
		f.Add("label", labelEnvironment+"="+string(id))
	}
	return f
}

// name is what a thing of the environment is called. It begins with a word that
// no project of a person's begins with by chance, and holds the environment's
// name, which is unique.
func (e *environment) name(of string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, of)
	if clean == "" {
		return "rehearse-" + string(e.spec.ID)
	}
	return fmt.Sprintf("rehearse-%s-%s", e.spec.ID, clean)
}
