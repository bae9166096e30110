package llm

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/rehearse-dev/rehearse/internal/document"
	"go.yaml.in/yaml/v3"
)

// Parse checks and decodes a plan; file is its name in errors. The error is a
// [rehearse.Problems] with all that is wrong. Whether the plan fits a schema is
// [Validate]'s question.
func Parse(file string, data []byte) (*Plan, error) {
	d := &decoder{document.Decoder{File: file}}
	p := &Plan{file: file}
	if root := d.Root(data, "plan"); root != nil {
		d.plan(root, p)
	}
	if err := d.Err(); err != nil {
		return nil, err
	}
	slices.SortFunc(p.Tables, func(a, b Table) int { return cmp.Compare(a.Name, b.Name) })
	return p, nil
}

// decoder decodes a plan.
type decoder struct{ document.Decoder }

// require is Fields that complains of keys that are not there.
func (d *decoder) require(n *yaml.Node, what string, known map[string]func(*yaml.Node), required ...string) {
	given := d.Fields(n, what, known)
	for _, name := range required {
		if document.Resolve(n).Kind == yaml.MappingNode && !given[name] {
			d.Complain(n, "", "%s has no %s", what, name)
		}
	}
}

func (d *decoder) text(what string, to *string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" || n.Value == "" {
			d.Complain(n, "", "%s must be text, not %s", what, document.Describe(n))
			return
		}
		*to = n.Value
	}
}

func (d *decoder) texts(what string, to *[]string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		d.Items(n, what, func(item *yaml.Node) {
			var s string
			d.text("each of "+what, &s)(item)
			*to = append(*to, s)
		})
	}
}

func (d *decoder) confidence(to *float64) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.Decode(to) != nil || math.IsNaN(*to) || *to < 0 || *to > 1 {
			d.Complain(n, "", "confidence must be a number from 0 to 1, not %s", document.Describe(n))
		}
	}
}

func (d *decoder) plan(root *yaml.Node, p *Plan) {
	d.require(root, "a plan", map[string]func(*yaml.Node){
		"version": func(n *yaml.Node) {
			if n.Value != "1" {
				d.Complain(n, "Use a newer rehearse, or write \"version: 1\".", "version %s of the format is unknown; this rehearse reads version 1", document.Describe(n))
			}
		},
		"model": d.text("model", &p.Model),
		"prompt": func(n *yaml.Node) {
			if v, err := strconv.Atoi(n.Value); err != nil || v < 1 {
				d.Complain(n, "", "prompt must be a number from 1, not %s", document.Describe(n))
			} else {
				p.Prompt = v
			}
		},
		"locales": d.texts("locales", &p.Locales),
		"tables": func(n *yaml.Node) {
			d.Pairs(n, "tables", func(key, value *yaml.Node) {
				p.Tables = append(p.Tables, d.table(key, value))
			})
		},
	}, "version")
}

func (d *decoder) table(key, n *yaml.Node) Table {
	t := Table{Name: key.Value, line: key.Line}
	d.require(n, "a table", map[string]func(*yaml.Node){
		"fingerprint": d.text("fingerprint", &t.Fingerprint),
		"columns": func(n *yaml.Node) {
			d.Pairs(n, "columns", func(key, value *yaml.Node) {
				c := Column{Name: key.Value, line: key.Line}
				d.require(value, "a column", map[string]func(*yaml.Node){
					"meaning": d.text("meaning", &c.Meaning), "why": d.text("why", &c.Why), "confidence": d.confidence(&c.Confidence),
				}, "meaning")
				t.Columns = append(t.Columns, c)
			})
		},
		"references": func(n *yaml.Node) {
			d.Items(n, "references", func(n *yaml.Node) {
				r := Reference{line: n.Line}
				d.require(n, "a reference", map[string]func(*yaml.Node){
					"columns": d.texts("columns", &r.Columns), "table": d.text("table", &r.Table), "to": d.texts("to", &r.To),
					"why": d.text("why", &r.Why), "confidence": d.confidence(&r.Confidence),
				}, "columns", "table", "to")
				t.References = append(t.References, r)
			})
		},
		"rules": func(n *yaml.Node) {
			d.Items(n, "rules", func(n *yaml.Node) {
				r := Rule{line: n.Line}
				d.require(n, "a rule", map[string]func(*yaml.Node){
					"column": d.text("column", &r.Column), "rule": d.text("rule", &r.Rule), "why": d.text("why", &r.Why), "confidence": d.confidence(&r.Confidence),
				}, "rule")
				t.Rules = append(t.Rules, r)
			})
		},
	})
	return t
}
