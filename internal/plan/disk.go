package plan

import (
	"fmt"
	"slices"

	"github.com/rehearse-dev/rehearse"
)

// fills marks the volumes that an action fills, whoever mounts them, and looks
// whether each of its services has one. Natives have file systems of their own
// besides volumes, of which their driver knows.
func (m *maker) fills(a rehearse.Action, line int) bool {
	ok := true
	for _, name := range a.Services {
		sources, there := filled(m.services[name], a.Disruption.Path)
		if len(sources) == 0 && m.in.Driver == "docker" {
			ok = false
			m.problem(line, fmt.Sprintf("%s has no volume%s to fill", name, at(a.Disruption.Path)), hintOfVolumes(there))
		}
		if len(sources) > 1 && m.in.Driver == "docker" {
			ok = false
			m.problem(line, fmt.Sprintf("%s has %d volumes, and the experiment does not say which to fill", name, len(sources)), hintOfVolumes(there))
		}
		m.ownDisks(sources)
	}
	return ok
}

// filled are the sources of the volumes that filling a path befalls, every one where
// there is none, and where volumes are mounted.
func filled(s *rehearse.Service, path string) (sources, there []string) {
	at, _ := s.VolumeAt(path)
	for _, w := range s.Mounts {
		if w.Type != "volume" {
			continue
		}
		there = append(there, w.Target)
		if path == "" || w.Target == at.Target {
			sources = append(sources, w.Source)
		}
	}
	return sources, there
}

// ownDisks gives volumes file systems of their own.
func (m *maker) ownDisks(sources []string) {
	for _, s := range m.services {
		s.Mounts = slices.Clone(s.Mounts)
		for i, w := range s.Mounts {
			if w.Type == "volume" && slices.Contains(sources, w.Source) {
				s.Mounts[i].OwnDisk = true
			}
		}
	}
}

func at(path string) string {
	if path == "" {
		return ""
	}
	return " at " + path
}

func hintOfVolumes(there []string) string {
	if len(there) == 0 {
		return "Give the service a volume in the Compose file: a container's own files lie on the host's disk, which is everybody's."
	}
	return "It has volumes at " + list(there) + "; say as path which is to be full."
}
