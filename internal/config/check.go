package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/rehearse-dev/rehearse"
)

// problem is one thing that is wrong with the file.
type problem struct {
	line      int
	msg, hint string
}

// document parses the YAML. It returns the top-level mapping, with aliases and
// merges written out; nil when the file is empty.
func document(data []byte) (*yaml.Node, []problem) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, []problem{syntaxProblem(err)}
	}
	var second yaml.Node
	if err := d.Decode(&second); err == nil {
		return nil, []problem{{line: second.Line, msg: "a second document starts here; rehearse.yaml holds one"}}
	} else if !errors.Is(err, io.EOF) {
		return nil, []problem{syntaxProblem(err)}
	}
	if len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null" {
		return nil, nil
	}
	w := writer{budget: 100_000, open: map[*yaml.Node]bool{}}
	root := w.out(doc.Content[0])
	return root, w.problems
}

var syntaxLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)

func syntaxProblem(err error) problem {
	p := problem{msg: "not valid YAML: " + err.Error()}
	if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
		p.msg = "not valid YAML: " + m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			p.line = n
		}
	}
	return p
}

// writer writes aliases and merge keys out. A small file can ask for a tree of
// any size, so there is a budget of nodes.
type writer struct {
	budget   int
	open     map[*yaml.Node]bool // aliases being written out
	problems []problem
}

func (w *writer) out(n *yaml.Node) *yaml.Node {
	if w.budget--; w.budget < 0 {
		if w.budget == -1 {
			w.problems = append(w.problems, problem{line: n.Line, msg: "aliases make the file too large"})
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line}
	}
	if n.Kind == yaml.AliasNode {
		if w.open[n.Alias] {
			w.problems = append(w.problems, problem{line: n.Line, msg: "the alias " + n.Value + " contains itself"})
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line}
		}
		w.open[n.Alias] = true
		defer delete(w.open, n.Alias)
		return w.out(n.Alias)
	}
	c := *n
	c.Anchor, c.Content = "", nil
	if n.Kind != yaml.MappingNode {
		for _, e := range n.Content {
			c.Content = append(c.Content, w.out(e))
		}
		return &c
	}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], w.out(n.Content[i+1])
		if k.ShortTag() != "!!merge" {
			c.Content = append(c.Content, w.out(k), v)
		} else if v.Kind == yaml.SequenceNode {
			merged = append(merged, v.Content...)
		} else {
			merged = append(merged, v)
		}
	}
	for _, m := range merged {
		if m.Kind != yaml.MappingNode {
			w.problems = append(w.problems, problem{line: m.Line, msg: "<< takes a mapping"})
			continue
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			if !has(&c, m.Content[i].Value) {
				c.Content = append(c.Content, m.Content[i], m.Content[i+1])
			}
		}
	}
	return &c
}

func has(n *yaml.Node, name string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return true
		}
	}
	return false
}

// check holds the tree against the table of keys. What it accepts decodes.
func check(root *yaml.Node) []problem {
	if root.Kind != yaml.MappingNode {
		return []problem{{line: root.Line, msg: "the file is " + describe(root) + ", not a mapping"}}
	}
	c := &checker{}
	c.object("", root, format)
	slices.SortStableFunc(c.problems, func(a, b problem) int { return a.line - b.line })
	return c.problems
}

type checker struct{ problems []problem }

func (c *checker) add(n *yaml.Node, path, msg, hint string) {
	if path != "" {
		msg = path + ": " + msg
	}
	c.problems = append(c.problems, problem{line: n.Line, msg: msg, hint: hint})
}

// value checks one value against its kind.
func (c *checker) value(path string, n *yaml.Node, k kind) {
	if k.or != nil && n.Kind != yaml.ScalarNode {
		k = *k.or
	}
	before := len(c.problems)
	switch {
	case k.scalar():
		c.scalar(path, n, k)
	case k.keys != nil:
		if n.Kind != yaml.MappingNode {
			c.add(n, path, "is "+describe(n)+", not a mapping", k.hint)
			return
		}
		c.object(path, n, k)
	case k.entry != "":
		if n.Kind != yaml.MappingNode {
			c.add(n, path, "is "+describe(n)+", not a "+k.name, k.hint)
			return
		}
		c.entries(path, n, k)
	default:
		if n.Kind != yaml.SequenceNode {
			c.add(n, path, "is "+describe(n)+", not a list", k.hint)
			return
		}
		for i, e := range n.Content {
			c.value(fmt.Sprintf("%s[%d]", path, i), e, *k.elem)
		}
	}
	if k.check != nil && len(c.problems) == before {
		if msg := k.check(n); msg != "" {
			c.add(n, path, msg, k.hint)
		}
	}
}

func (c *checker) scalar(path string, n *yaml.Node, k kind) {
	switch {
	case n.Kind != yaml.ScalarNode:
		c.add(n, path, "is "+describe(n)+", not a "+k.name, k.hint)
	case n.ShortTag() == "!!null":
		c.add(n, path, "has no value", k.hint)
	case k.parse != nil:
		if err := k.parse(n.Value); err != nil {
			c.add(n, path, err.Error(), k.hint)
		} else if k.schema["type"] == "boolean" || k.schema["type"] == "integer" || k.schema["type"] == "number" {
			n.Tag, n.Style = "", 0 // in quotes it is as good
		}
	}
}

// object checks a mapping with known keys. A key with no value is as good as
// absent.
func (c *checker) object(path string, n *yaml.Node, k kind) {
	c.duplicates(path, n)
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, v := n.Content[i], n.Content[i+1]
		at := slices.IndexFunc(k.keys, func(known key) bool { return known.name == name.Value })
		switch {
		case at < 0 && path == "" && strings.HasPrefix(name.Value, "x-"):
		case at < 0:
			c.unknown(path, name, k)
		case v.ShortTag() != "!!null":
			c.value(join(path, name.Value), v, k.keys[at].kind)
		}
	}
	for _, known := range k.keys {
		if known.required && child(n, known.name) == nil {
			c.add(n, path, "needs "+known.name, "For example: "+known.name+": "+known.example)
		}
	}
}

func (c *checker) entries(path string, n *yaml.Node, k kind) {
	c.duplicates(path, n)
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, v := n.Content[i], n.Content[i+1]
		if problem := wrongEntry(k.entry, name.Value); problem != "" {
			c.add(name, path, problem, "")
		}
		if v.ShortTag() == "!!null" && k.elem.keys != nil {
			// "db:" alone is an empty mapping, which may still lack a key.
			v = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: name.Line}
		}
		c.value(join(path, name.Value), v, *k.elem)
	}
}

// wrongEntry says what is wrong with a name that is given in the file; the names of
// services and variables are given elsewhere.
func wrongEntry(entry, name string) string {
	switch entry {
	case "traffic", "suite", "dataset", "experiment":
	default:
		return ""
	}
	apart := ",=" // what --only tells parts apart by
	if entry == "experiment" {
		apart += "/"
	}
	switch {
	case strings.TrimSpace(name) == "":
		return "a name is empty"
	case strings.ContainsAny(name, apart):
		return fmt.Sprintf("%q cannot be a name: --only tells parts apart by %s", name, strings.Join(strings.Split(apart, ""), " and "))
	}
	return ""
}

func (c *checker) duplicates(path string, n *yaml.Node) {
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if line, ok := first[k.Value]; ok {
			c.add(k, path, fmt.Sprintf("the key %q is already in line %d", k.Value, line), "")
			continue
		}
		first[k.Value] = k.Line
	}
}

// unknown reports a key that the table lacks, with the nearest that it has: here,
// or else the place where it belongs.
func (c *checker) unknown(path string, name *yaml.Node, k kind) {
	var known []string
	for _, have := range k.keys {
		known = append(known, have.name)
	}
	msg := fmt.Sprintf("there is no key %q", name.Value)
	hint := "The keys here are " + strings.Join(known, ", ") + "."
	if near, ok := rehearse.Nearest(name.Value, known); ok {
		msg += "; did you mean " + near + "?"
		hint = ""
	} else if place := places(format, "", name.Value); len(place) == 1 {
		msg += "; it belongs under " + place[0]
	}
	c.add(name, path, msg, hint)
}

// places lists the mappings that have a key of this name.
func places(k kind, path, name string) []string {
	var found []string
	if k.elem != nil {
		if k.entry != "" {
			path = join(path, "NAME")
		}
		found = places(*k.elem, path, name)
	}
	for _, known := range k.keys {
		if known.name == name && path != "" {
			found = append(found, path)
		}
		found = append(found, places(known.kind, join(path, known.name), name)...)
	}
	return found
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.ShortTag() == "!!null" {
		return "empty"
	}
	return fmt.Sprintf("the text %q", n.Value)
}
