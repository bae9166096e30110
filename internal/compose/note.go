package compose

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// noteFields names every key of the service that is set and not honoured: first
// the service's own keys, then those below.
func (m *mapper) noteFields(s types.ServiceConfig) {
	v := reflect.ValueOf(s)
	keys := keysOf(v.Type())
	for _, k := range keys {
		m.noteKey(s.Name, "services.", k.name, v.FieldByIndex(k.index))
	}
	first := []string{"networks", "build", "deploy"}
	slices.SortStableFunc(keys, func(a, b key) int {
		place := func(k key) int {
			if i := slices.Index(first, k.name); i >= 0 {
				return i
			}
			return len(first)
		}
		return place(a) - place(b)
	})
	for _, k := range keys {
		if k.name == "deploy" {
			m.noteReplicas(s)
		}
		m.noteBelow(s.Name, "services.", k.name, elements(v.FieldByIndex(k.index)))
	}
}

// noteKey notes a key that is set, or reports it where it is refused. The key is
// relative to the prefix, as notes have it.
func (m *mapper) noteKey(service, prefix, key string, v reflect.Value) {
	if empty(v) {
		return
	}
	a := answerFor(m.driver, prefix+key)
	switch {
	case a.level == refused:
		m.refuse(service, key, "", a.text)
	case a.note && a.holds(texts(v)):
		m.note(service, key, a.sentence(m.driver, key))
	}
}

// noteBelow notes the keys of the mappings, level by level.
func (m *mapper) noteBelow(service, prefix, key string, at []reflect.Value) {
	type below struct {
		key string
		at  []reflect.Value
	}
	var next []below
	for _, v := range at {
		for _, k := range keysOf(v.Type()) {
			path := key + "." + k.name
			m.noteKey(service, prefix, path, v.FieldByIndex(k.index))
			if _, ok := mapping(k.typ); ok {
				next = append(next, below{path, elements(v.FieldByIndex(k.index))})
			}
		}
	}
	for _, n := range next {
		m.noteBelow(service, prefix, n.key, n.at)
	}
}

func (m *mapper) noteReplicas(s types.ServiceConfig) {
	// compose-go copies scale to deploy.replicas, or the other way round.
	if n := s.GetScale(); n == 0 {
		m.note(s.Name, "deploy.replicas", "The Compose file asks for no instance; one is started.")
	} else if n > 1 && !m.containers() {
		m.note(s.Name, "deploy.replicas", fmt.Sprintf("The Compose file asks for %d instances; one is started.", n))
	}
}

// projectNotes names what the project as a whole asks for in vain.
func (m *mapper) projectNotes(warnings []string) {
	for _, name := range slices.Sorted(maps.Keys(m.project.Jobs)) {
		m.note("", "jobs."+name, answerFor(m.driver, "jobs").text)
	}
	for _, name := range slices.Sorted(maps.Keys(m.project.Models)) {
		m.note("", "models."+name, answerFor(m.driver, "models").text)
	}
	noteAll(m, "networks", m.project.Networks)
	noteAll(m, "volumes", m.project.Volumes)
	noteAll(m, "configs", m.project.Configs)
	noteAll(m, "secrets", m.project.Secrets)
	seen := map[string]bool{}
	for _, w := range warnings {
		// The file format's version has meant nothing for years, and says
		// nothing about what runs.
		if seen[w] || strings.Contains(w, "attribute `version` is obsolete") {
			continue
		}
		seen[w] = true
		m.note("", "", strings.TrimSuffix(w, ".")+".")
	}
}

// noteAll names the keys of the project's networks, or of its volumes and so on.
func noteAll[T any](m *mapper, kind string, all map[string]T) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		v := reflect.ValueOf(all[name])
		for _, k := range keysOf(v.Type()) {
			a := answerFor(m.driver, kind+"."+k.name)
			if f := v.FieldByIndex(k.index); !empty(f) && a.note && a.holds(texts(f)) {
				field := kind + "." + name + "." + k.name
				m.note("", field, a.sentence(m.driver, field))
			}
		}
	}
}
