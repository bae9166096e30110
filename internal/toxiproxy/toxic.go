package toxiproxy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// Toxic is a toxic as the API shows it.
type Toxic struct {
	Attributes map[string]any `json:"attributes"`
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Stream     string         `json:"stream"`
	Toxicity   float64        `json:"toxicity"`
}

// toxic is one toxic of a proxy. It is not changed once it is made: an update
// makes another.
type toxic struct {
	name, kind, stream string
	toxicity           float64
	attributes         map[string]any
	fault              rehearse.Fault
	acts               bool // false: the link is not given the fault
}

func (t *toxic) show() Toxic {
	return Toxic{Attributes: t.attributes, Name: t.name, Type: t.kind, Stream: t.stream, Toxicity: t.toxicity}
}

// rank orders toxics as Toxiproxy lists them.
func (t *toxic) rank() int {
	return slices.Index([]string{"upstream", "downstream", "both"}, t.stream)
}

// newToxic reads a toxic that is to be made.
func newToxic(in toxicInput) (*toxic, *failure) {
	t := &toxic{name: in.Name, kind: in.Type, stream: in.Stream, toxicity: 1, attributes: map[string]any{}}
	if t.stream == "" {
		t.stream = "downstream"
	}
	if t.rank() < 0 {
		return nil, errStream
	}
	if t.name == "" {
		t.name = t.kind + "_" + t.stream
	}
	sp, ok := speciesOf(t.kind)
	if !ok {
		f := errToxicType
		if near, ok := rehearse.Nearest(t.kind, speciesNames()); ok {
			f = f.hinting(fmt.Sprintf("Did you mean %s?", near))
		}
		return nil, f
	}
	for _, a := range sp.attributes {
		if !a.extra {
			t.attributes[a.name] = a.zero()
		}
	}
	return t.with(in, sp)
}

// updated is the toxic with what an update gives. Name, type and stream stay:
// clients send them along.
func (t *toxic) updated(in toxicInput) (*toxic, *failure) {
	sp, _ := speciesOf(t.kind)
	next := *t
	next.attributes = maps.Clone(t.attributes)
	return next.with(in, sp)
}

// with reads the toxicity and attributes of a body into t, and makes the fault.
func (t *toxic) with(in toxicInput, sp species) (*toxic, *failure) {
	if in.Toxicity != nil {
		if !(*in.Toxicity >= 0 && *in.Toxicity <= 1) {
			return nil, errBadBody.with(fmt.Sprintf("toxicity %v is not between 0 and 1", *in.Toxicity))
		}
		t.toxicity = *in.Toxicity
	}
	for _, name := range slices.Sorted(maps.Keys(in.Attributes)) {
		a, ok := sp.attribute(name)
		if !ok {
			return nil, errBadBody.with(fmt.Sprintf("toxic %s has no attribute %q", t.kind, name)).hinting(sp.hint(name))
		}
		raw := in.Attributes[name]
		if string(raw) == "null" {
			continue
		}
		value, err := a.read(raw)
		if err != nil {
			return nil, errBadBody.with(fmt.Sprintf("attribute %s: %v", name, err))
		}
		t.attributes[name] = value
	}
	t.fault = rehearse.Fault{Name: t.name, Kind: sp.kind, Probability: t.toxicity, Direction: direction(t.stream)}
	if sp.undirected {
		t.fault.Direction = ""
	}
	if t.toxicity == 1 {
		t.fault.Probability = 0
	}
	for _, a := range sp.attributes {
		if v, ok := t.attributes[a.name]; ok {
			a.set(&t.fault, v)
		}
	}
	t.acts = sp.kind != "" && t.toxicity > 0
	if t.acts && sp.finish != nil {
		acts, err := sp.finish(&t.fault)
		if err != nil {
			return nil, errBadBody.with(err.Error())
		}
		t.acts = acts
	}
	if t.acts {
		if err := t.fault.Validate(); err != nil {
			return nil, refused(err)
		}
	}
	return t, nil
}

func direction(stream string) rehearse.Direction {
	switch stream {
	case "upstream":
		return rehearse.Up
	case "downstream":
		return rehearse.Down
	}
	return ""
}

// hint tells which attributes there are, for one that there is not.
func (sp species) hint(wrong string) string {
	var names []string
	for _, a := range sp.attributes {
		names = append(names, a.name)
	}
	if near, ok := rehearse.Nearest(wrong, names); ok {
		return fmt.Sprintf("Did you mean %s?", near)
	}
	if len(names) == 0 {
		return "It has none."
	}
	return "It has " + strings.Join(names, ", ") + "."
}
