package llm

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"go.yaml.in/yaml/v3"
)

// Parse checks and decodes a plan; file is its name in errors. The error is a
// [rehearse.Problems] with all that is wrong. Whether the plan fits a schema is
// [Validate]'s question.
func Parse(file string, data []byte) (*Plan, error) {
	d := &decoder{file: file}
	p := &Plan{file: file}
	if root := d.document(data); root != nil {
		d.plan(root, p)
	}
	if len(d.problems) > 0 {
		slices.SortStableFunc(d.problems, func(a, b *rehearse.Error) int { return cmp.Compare(a.Line, b.Line) })
		return nil, d.problems
	}
	slices.SortFunc(p.Tables, func(a, b Table) int { return cmp.Compare(a.Name, b.Name) })
	return p, nil
}

// decoder walks YAML nodes and collects every problem instead of stopping at
// the first. Its methods give the zero value for what they complained about.
type decoder struct {
	file     string
	problems rehearse.Problems
}

func (d *decoder) complain(n *yaml.Node, hint, format string, args ...any) {
	d.problems = append(d.problems, &rehearse.Error{
		Kind: rehearse.Invalid, File: d.file, Line: n.Line, Msg: fmt.Sprintf(format, args...), Hint: hint,
	})
}

var syntaxErrorLine = regexp.MustCompile(`^line (\d+): `)

// document parses the file's only document. It gives nil after a complaint.
func (d *decoder) document(data []byte) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, rest yaml.Node
	err := dec.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		d.complain(&yaml.Node{}, "Start with \"version: 1\".", "the file is empty")
		return nil
	case err != nil:
		d.syntax(err)
		return nil
	}
	if err := dec.Decode(&rest); err == nil {
		d.complain(&rest, "Put each plan in a file of its own.", "a second document in the file")
	} else if !errors.Is(err, io.EOF) {
		d.syntax(err)
	}
	return doc.Content[0]
}

func (d *decoder) syntax(err error) {
	at := &yaml.Node{}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := syntaxErrorLine.FindStringSubmatch(text); m != nil {
		at.Line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	d.complain(at, "", "the file is not YAML: %s", text)
}

// pairs calls do for each key of a mapping, in the order of the file, and
// complains of keys that come twice.
func (d *decoder) pairs(n *yaml.Node, what string, do func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.complain(n, "", "%s must be a mapping, not %s", what, describe(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			d.complain(key, "", "a key of %s must be a word, not %s", what, describe(key))
		case value.Kind == yaml.AliasNode:
			d.complain(value, "Write it out.", "an alias has no place in %s", what)
		case seen[key.Value]:
			d.complain(key, "", "the key %q is given twice", key.Value)
		default:
			seen[key.Value] = true
			do(key, value)
		}
	}
}

// fields decodes a mapping whose keys are known. It complains of required ones
// that are not there.
func (d *decoder) fields(n *yaml.Node, what string, known map[string]func(*yaml.Node), required ...string) {
	given := map[string]bool{}
	d.pairs(n, what, func(key, value *yaml.Node) {
		decode, ok := known[key.Value]
		if !ok {
			names := slices.Sorted(maps.Keys(known))
			hint := "The keys of " + what + " are " + strings.Join(names, ", ") + "."
			if near, ok := rehearse.Nearest(key.Value, names); ok {
				hint = fmt.Sprintf("Did you mean %q?", near)
			}
			d.complain(key, hint, "unknown key %q in %s", key.Value, what)
			return
		}
		given[key.Value] = true
		decode(value)
	})
	for _, name := range required {
		if n.Kind == yaml.MappingNode && !given[name] {
			d.complain(n, "", "%s has no %s", what, name)
		}
	}
}

func (d *decoder) items(n *yaml.Node, what string, do func(*yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		d.complain(n, "Write a list, as in [a, b].", "%s must be a list, not %s", what, describe(n))
		return
	}
	for _, item := range n.Content {
		do(item)
	}
}

func (d *decoder) text(what string, to *string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" || n.Value == "" {
			d.complain(n, "", "%s must be text, not %s", what, describe(n))
			return
		}
		*to = n.Value
	}
}

func (d *decoder) texts(what string, to *[]string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		d.items(n, what, func(item *yaml.Node) {
			var s string
			d.text("each of "+what, &s)(item)
			*to = append(*to, s)
		})
	}
}

func (d *decoder) confidence(to *float64) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.Decode(to) != nil || math.IsNaN(*to) || *to < 0 || *to > 1 {
			d.complain(n, "", "confidence must be a number from 0 to 1, not %s", describe(n))
		}
	}
}

func (d *decoder) plan(root *yaml.Node, p *Plan) {
	d.fields(root, "a plan", map[string]func(*yaml.Node){
		"version": func(n *yaml.Node) {
			if n.Value != "1" {
				d.complain(n, "Use a newer rehearse, or write \"version: 1\".", "version %s of the format is unknown; this rehearse reads version 1", describe(n))
			}
		},
		"model": d.text("model", &p.Model),
		"prompt": func(n *yaml.Node) {
			if v, err := strconv.Atoi(n.Value); err != nil || v < 1 {
				d.complain(n, "", "prompt must be a number from 1, not %s", describe(n))
			} else {
				p.Prompt = v
			}
		},
		"locales": d.texts("locales", &p.Locales),
		"tables": func(n *yaml.Node) {
			d.pairs(n, "tables", func(key, value *yaml.Node) {
				p.Tables = append(p.Tables, d.table(key, value))
			})
		},
	}, "version")
}

func (d *decoder) table(key, n *yaml.Node) Table {
	t := Table{Name: key.Value, line: key.Line}
	d.fields(n, "a table", map[string]func(*yaml.Node){
		"fingerprint": d.text("fingerprint", &t.Fingerprint),
		"columns": func(n *yaml.Node) {
			d.pairs(n, "columns", func(key, value *yaml.Node) {
				c := Column{Name: key.Value, line: key.Line}
				d.fields(value, "a column", map[string]func(*yaml.Node){
					"meaning": d.text("meaning", &c.Meaning), "why": d.text("why", &c.Why), "confidence": d.confidence(&c.Confidence),
				}, "meaning")
				t.Columns = append(t.Columns, c)
			})
		},
		"references": func(n *yaml.Node) {
			d.items(n, "references", func(n *yaml.Node) {
				r := Reference{line: n.Line}
				d.fields(n, "a reference", map[string]func(*yaml.Node){
					"columns": d.texts("columns", &r.Columns), "table": d.text("table", &r.Table), "to": d.texts("to", &r.To),
					"why": d.text("why", &r.Why), "confidence": d.confidence(&r.Confidence),
				}, "columns", "table", "to")
				t.References = append(t.References, r)
			})
		},
		"rules": func(n *yaml.Node) {
			d.items(n, "rules", func(n *yaml.Node) {
				r := Rule{line: n.Line}
				d.fields(n, "a rule", map[string]func(*yaml.Node){
					"column": d.text("column", &r.Column), "rule": d.text("rule", &r.Rule), "why": d.text("why", &r.Why), "confidence": d.confidence(&r.Confidence),
				}, "rule")
				t.Rules = append(t.Rules, r)
			})
		},
	})
	return t
}

// describe names a node in an error message.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	if n.ShortTag() == "!!null" || n.Value == "" {
		return "empty"
	}
	return strconv.Quote(n.Value)
}
