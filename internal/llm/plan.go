package llm

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/rehearse-dev/rehearse"
	"go.yaml.in/yaml/v3"
)

// Plan is what a language model makes of a schema.
type Plan struct {
	Model   string
	Prompt  int // version of the question; 0: not asked by this program
	Locales []string
	Tables  []Table // by name

	file string // that it is from, for problems
}

// Table is what is known of one table.
type Table struct {
	Name string
	// Fingerprint is of what was sent: see [Fingerprint].
	Fingerprint string
	Columns     []Column
	References  []Reference
	Rules       []Rule

	line int
}

// Column is what one column holds.
type Column struct {
	Name       string
	Meaning    string
	Why        string
	Confidence float64

	line int
}

// Reference is one that no constraint states.
type Reference struct {
	Columns    []string
	Table      string
	To         []string
	Why        string
	Confidence float64

	line int
}

// Rule is an expression that is true of every row, or where a column is named,
// that the column is equal to.
type Rule struct {
	Column     string
	Rule       string
	Why        string
	Confidence float64

	line int
}

// Table finds a table.
func (p *Plan) Table(name string) (*Table, bool) {
	for i := range p.Tables {
		if p.Tables[i].Name == name {
			return &p.Tables[i], true
		}
	}
	return nil, false
}

// Known are the plan's tables, for [Options.Known]. It is nil for a nil plan, and
// for one of another version of the question.
func (p *Plan) Known() map[string]Table {
	if p == nil || p.Prompt != promptVersion {
		return nil
	}
	out := map[string]Table{}
	for _, t := range p.Tables {
		out[t.Name] = t
	}
	return out
}

// Read reads a plan's file. The error is a [rehearse.Problems] where the file is
// wrong, and a [rehearse.Error] where it cannot be read.
func Read(file string) (*Plan, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &rehearse.Error{Kind: rehearse.Invalid, File: file, Msg: "read plan", Err: err}
	}
	return Parse(file, data)
}

const header = `# What a language model makes of the schema, from names, types and comments alone.
# It is meant to be reviewed, corrected and committed: tables that have not changed
# are not asked about again.
`

// Write writes the plan as YAML, tables in the order in which they are, each
// column and rule on one line. What [Parse] reads from it is written as the same
// bytes again.
func (p *Plan) Write(w io.Writer) error {
	root := mapping{node: yaml.Node{Kind: yaml.MappingNode}}
	root.set("version", scalar("1"))
	root.text("model", p.Model)
	if p.Prompt > 0 {
		root.set("prompt", scalar(strconv.Itoa(p.Prompt)))
	}
	root.list("locales", p.Locales)
	tables := mapping{node: yaml.Node{Kind: yaml.MappingNode}}
	for _, t := range p.Tables {
		tables.set(t.Name, t.node())
	}
	if len(p.Tables) > 0 {
		root.set("tables", &tables.node)
	}
	if _, err := io.WriteString(w, header); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(&root.node); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	if err := enc.Close(); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

func (t Table) node() *yaml.Node {
	out := mapping{node: yaml.Node{Kind: yaml.MappingNode}}
	out.text("fingerprint", t.Fingerprint)
	if len(t.Columns) > 0 {
		columns := mapping{node: yaml.Node{Kind: yaml.MappingNode}}
		for _, c := range t.Columns {
			line := flow()
			line.text("meaning", c.Meaning)
			line.reasons(c.Why, c.Confidence)
			columns.set(c.Name, &line.node)
		}
		out.set("columns", &columns.node)
	}
	references := &yaml.Node{Kind: yaml.SequenceNode}
	for _, r := range t.References {
		line := flow()
		line.list("columns", r.Columns)
		line.text("table", r.Table)
		line.list("to", r.To)
		line.reasons(r.Why, r.Confidence)
		references.Content = append(references.Content, &line.node)
	}
	if len(t.References) > 0 {
		out.set("references", references)
	}
	rules := &yaml.Node{Kind: yaml.SequenceNode}
	for _, r := range t.Rules {
		line := flow()
		line.text("column", r.Column)
		line.text("rule", r.Rule)
		line.reasons(r.Why, r.Confidence)
		rules.Content = append(rules.Content, &line.node)
	}
	if len(t.Rules) > 0 {
		out.set("rules", rules)
	}
	if len(out.node.Content) == 0 {
		out.node.Style = yaml.FlowStyle
	}
	return &out.node
}

// mapping is a YAML mapping in the making.
type mapping struct{ node yaml.Node }

func flow() *mapping {
	return &mapping{node: yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}}
}

func scalar(v string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: v} }

// quoted is a text that no reader takes for a number or null.
func quoted(v string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(v)
	n.Style &^= yaml.LiteralStyle
	return n
}

func (m *mapping) set(key string, value *yaml.Node) {
	m.node.Content = append(m.node.Content, quoted(key), value)
}

func (m *mapping) text(key, value string) {
	if value != "" {
		m.set(key, quoted(value))
	}
}

func (m *mapping) list(key string, values []string) {
	if len(values) == 0 {
		return
	}
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, v := range values {
		n.Content = append(n.Content, quoted(v))
	}
	m.set(key, n)
}

func (m *mapping) reasons(why string, confidence float64) {
	m.text("why", why)
	if confidence > 0 {
		m.set("confidence", scalar(strconv.FormatFloat(confidence, 'g', 3, 64)))
	}
}
