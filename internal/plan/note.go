package plan

import (
	"fmt"
	"slices"

	"github.com/rehearse-dev/rehearse"
)

// notes says what the reader of the plan should know beyond the Compose file's
// own notes.
func (m *maker) notes(p *rehearse.Plan) []rehearse.Note {
	var notes []rehearse.Note
	undeclared := 0
	for _, l := range p.Links {
		if !l.Declared {
			undeclared++
		}
	}
	if undeclared > 0 {
		text := "1 link is carried because the networks allow it, though nothing in the files speaks of it."
		if undeclared > 1 {
			text = fmt.Sprintf("%d links are carried because the networks allow them, though nothing in the files speaks of them.", undeclared)
		}
		notes = append(notes, rehearse.Note{Field: "networks", Text: text})
	}
	for _, name := range m.names() {
		s := m.services[name]
		if len(s.Ports) > 0 || s.Job {
			continue
		}
		var callers []string
		for _, other := range m.names() {
			client := m.services[other]
			if other != name && shareNetwork(client, s) && m.declares(client, s, m.namesOf(client, s), true) {
				callers = append(callers, string(other))
			}
		}
		if len(callers) > 0 || m.inSuite(name) {
			if m.inSuite(name) {
				callers = append(callers, "a suite")
			}
			text := "No port is known, so %s cannot reach it; if it listens, name its ports under services.%s.ports in rehearse.yaml."
			if slices.Contains(m.in.Compose.Unseen, name) {
				text += " What its image exposes is known when the image is on the engine."
			}
			notes = append(notes, rehearse.Note{Service: name, Field: "ports", Text: fmt.Sprintf(text, list(callers), name)})
		}
	}
	return notes
}

func (m *maker) inSuite(name rehearse.ServiceName) bool {
	for _, e := range m.cfg.Suites {
		if slices.Contains(references(e.Value.Env, e.Value.Command), string(name)) {
			return true
		}
	}
	return false
}
