package profile

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// dataHeader opens every data profile.
const dataHeader = `# A data profile: the shape of what a production database holds. It is made by
# "rehearse data profile" and is meant to be read, reviewed and committed.
# It holds counts, shares and quantiles, and of values only those that at least
# privacy.k rows share and that are neither personal nor secret, and those that
# the schema itself names. It holds no row, no free text, and no rare value.
`

// Write writes the profile as YAML: tables by name, each column on one line,
// shares with four significant digits. Profiles that differ little give files
// that differ in few lines, and what [ParseData] reads from the file is written
// as the same bytes again.
func (d *Data) Write(w io.Writer) error {
	if _, err := io.WriteString(w, dataHeader); err != nil {
		return fmt.Errorf("write data profile: %w", err)
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(d.node()); err != nil {
		return fmt.Errorf("write data profile: %w", err)
	}
	if err := enc.Close(); err != nil {
		return fmt.Errorf("write data profile: %w", err)
	}
	return nil
}

func (d *Data) node() *yaml.Node {
	root := block()
	root.set("version", word("1"))
	root.text("description", d.Description)
	source := flow()
	source.text("engine", d.Source.Engine)
	source.text("version", d.Source.Version)
	source.text("schema", d.Source.Schema)
	if !d.Source.Taken.IsZero() {
		source.set("taken", word(d.Source.Taken.UTC().Format(time.RFC3339)))
	}
	source.whole("sample", d.Source.Sample)
	source.text("encoding", d.Source.Encoding)
	source.text("collation", d.Source.Collation)
	source.text("timezone", d.Source.TimeZone)
	root.set("source", source.node())
	privacy := flow()
	privacy.set("k", word(strconv.Itoa(d.Privacy.K)))
	privacy.number("epsilon", d.Privacy.Epsilon)
	privacy.whole("listed", int64(d.Privacy.Listed))
	privacy.whole("withheld", int64(d.Privacy.Withheld))
	root.set("privacy", privacy.node())
	if len(d.Tables) > 0 {
		tables := block()
		for i := range d.Tables {
			tables.add(d.Tables[i].Name, d.Tables[i].node())
		}
		root.set("tables", tables.node())
	}
	if len(d.Statements) > 0 {
		statements := blockList()
		for _, s := range d.Statements {
			m := flow()
			m.set("sql", text(s.SQL))
			m.share("calls", s.Calls)
			statements.Content = append(statements.Content, m.node())
		}
		root.set("statements", statements)
	}
	return root.node()
}

func (t *DataTable) node() *yaml.Node {
	m := block()
	m.set("rows", word(strconv.FormatInt(t.Rows, 10)))
	m.whole("pages", t.Pages)
	if t.Churn != (DataChurn{}) {
		churn := flow()
		churn.share("inserts", t.Churn.Inserts)
		churn.share("updates", t.Churn.Updates)
		churn.share("deletes", t.Churn.Deletes)
		churn.share("dead", t.Churn.Dead)
		churn.share("growth", t.Churn.Growth)
		m.set("churn", churn.node())
	}
	if len(t.Indexes) > 0 {
		indexes := flow()
		for _, x := range t.Indexes {
			indexes.add(x.Name, word(strconv.FormatInt(x.Pages, 10)))
		}
		m.set("indexes", indexes.node())
	}
	if len(t.Columns) > 0 {
		columns := block()
		for i := range t.Columns {
			columns.add(t.Columns[i].Name, t.Columns[i].node())
		}
		m.set("columns", columns.node())
	}
	if len(t.References) > 0 {
		list := blockList()
		for _, r := range t.References {
			list.Content = append(list.Content, r.node())
		}
		m.set("references", list)
	}
	if t.Classes != nil {
		m.set("classes", t.Classes.node())
	}
	if len(t.Depends) > 0 {
		list := blockList()
		for _, p := range t.Depends {
			list.Content = append(list.Content, p.node())
		}
		m.set("depends", list)
	}
	if len(t.Orders) > 0 {
		list := blockList()
		for _, o := range t.Orders {
			f := flow()
			f.set("low", text(o.Low))
			f.set("high", text(o.High))
			f.share("holds", o.Holds)
			f.numbers("gap", o.Gap)
			list.Content = append(list.Content, f.node())
		}
		m.set("orders", list)
	}
	if len(t.Keys) > 0 {
		list := blockList()
		for _, k := range t.Keys {
			f := flow()
			f.set("columns", texts(k.Columns))
			f.share("duplicates", k.Duplicates)
			list.Content = append(list.Content, f.node())
		}
		m.set("keys", list)
	}
	return m.node()
}

func (c *DataColumn) node() *yaml.Node {
	m := flow()
	m.text("type", c.Type)
	m.share("null", c.Null)
	m.whole("distinct", c.Distinct)
	m.flag("unique", c.Unique)
	m.text("private", c.Private)
	m.text("meaning", c.Meaning)
	m.values("values", c.Values)
	if c.Numbers != nil {
		m.set("numbers", c.Numbers.node())
	}
	if c.Times != nil {
		m.set("times", c.Times.node())
	}
	if c.Text != nil {
		m.set("text", c.Text.node())
	}
	if c.JSON != nil {
		m.set("json", c.JSON.node(flow()))
	}
	if c.Array != nil {
		a := flow()
		a.wholes("length", c.Array.Length)
		a.set("item", c.Array.Item.node())
		m.set("array", a.node())
	}
	m.shares("artifacts", c.Artifacts)
	m.share("correlation", c.Correlation)
	m.whole("width", int64(c.Width))
	m.whole("sequence", c.Sequence)
	return m.node()
}

func (n *DataNumbers) node() *yaml.Node {
	m := flow()
	m.numbers("quantiles", n.Quantiles)
	m.whole("scale", int64(n.Scale))
	m.number("step", n.Step)
	return m.node()
}

func (t *DataTimes) node() *yaml.Node {
	m := flow()
	if len(t.Quantiles) > 0 {
		list := flowList()
		for _, q := range t.Quantiles {
			list.Content = append(list.Content, word(formatSpan(q)))
		}
		m.set("quantiles", list)
	}
	m.text("unit", t.Unit)
	if len(t.Week) > 0 {
		list := flowList()
		for _, s := range t.Week {
			list.Content = append(list.Content, word(formatShare(s)))
		}
		m.set("week", list)
	}
	return m.node()
}

func (t *DataText) node() *yaml.Node {
	m := flow()
	m.wholes("length", t.Length)
	m.shares("formats", t.Formats)
	m.values("shapes", t.Shapes)
	m.shares("scripts", t.Scripts)
	m.wholes("words", t.Words)
	return m.node()
}

// node adds the document's keys to what the mapping already has.
func (j *DataJSON) node(m *mapping) *yaml.Node {
	m.shares("kinds", j.Kinds)
	if len(j.Keys) > 0 {
		keys := flow()
		for i := range j.Keys {
			k := flow()
			k.share("share", j.Keys[i].Share)
			keys.add(j.Keys[i].Name, j.Keys[i].Value.node(k))
		}
		m.set("keys", keys.node())
	}
	m.flag("open", j.Open)
	if j.Items != nil {
		m.set("items", j.Items.node(flow()))
	}
	m.wholes("length", j.Length)
	m.values("values", j.Values)
	if j.Numbers != nil {
		m.set("numbers", j.Numbers.node())
	}
	if j.Text != nil {
		m.set("text", j.Text.node())
	}
	return m.node()
}

func (r *DataReference) node() *yaml.Node {
	m := flow()
	if len(r.Affinity) > 0 {
		m = block()
	}
	m.set("columns", texts(r.Columns))
	m.set("table", text(r.Table))
	m.set("to", texts(r.To))
	m.flag("inferred", r.Inferred)
	m.share("orphans", r.Orphans)
	if len(r.Children) > 0 {
		children := flow()
		for _, c := range r.Children {
			share := word(formatShare(c.Share))
			if c.From == c.To {
				children.set(strconv.FormatInt(c.From, 10), share)
				continue
			}
			pair := flowList()
			pair.Content = []*yaml.Node{share, word(formatShare(c.Mean))}
			children.set(fmt.Sprintf("%d-%d", c.From, c.To), pair)
		}
		m.set("children", children.node())
	}
	if len(r.Affinity) > 0 {
		m.set("affinity", givenNode(r.Affinity))
	}
	return m.node()
}

func (c *DataClasses) node() *yaml.Node {
	m := block()
	m.set("of", texts(c.Columns))
	m.set("usual", bucketsNode(c.Usual))
	list := blockList()
	for _, k := range c.List {
		f := flow()
		f.share("share", k.Share)
		if len(k.Is) > 0 {
			f.set("is", bucketsNode(k.Is))
		}
		if len(k.Open) > 0 {
			f.set("open", texts(k.Open))
		}
		list.Content = append(list.Content, f.node())
	}
	m.set("list", list)
	return m.node()
}

func bucketsNode(buckets []DataBucket) *yaml.Node {
	f := flow()
	for _, b := range buckets {
		f.add(b.Column, text(b.Bucket))
	}
	return f.node()
}

func givenNode(given []DataGiven) *yaml.Node {
	m := block()
	for _, g := range given {
		f := flow()
		f.share("share", g.Share)
		f.shares("then", g.Then)
		m.add(g.Bucket, f.node())
	}
	return m.node()
}

func (p *DataDependence) node() *yaml.Node {
	m := block()
	m.set("column", text(p.Column))
	m.set("on", text(p.On))
	m.share("strength", p.Strength)
	if len(p.Given) > 0 {
		m.set("given", givenNode(p.Given))
	}
	return m.node()
}

// mapping builds a YAML mapping. Its methods for a kind of value leave out what
// is zero.
type mapping struct{ n yaml.Node }

func block() *mapping { return &mapping{yaml.Node{Kind: yaml.MappingNode}} }
func flow() *mapping  { return &mapping{yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}} }

func blockList() *yaml.Node { return &yaml.Node{Kind: yaml.SequenceNode} }
func flowList() *yaml.Node  { return &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle} }

func (m *mapping) node() *yaml.Node {
	if len(m.n.Content) == 0 {
		m.n.Style = yaml.FlowStyle // an empty block has no other form
	}
	return &m.n
}

// set adds one of the format's own keys.
func (m *mapping) set(key string, value *yaml.Node) {
	m.n.Content = append(m.n.Content, word(key), value)
}

// add adds a key that is a name or a value from the database.
func (m *mapping) add(key string, value *yaml.Node) {
	m.n.Content = append(m.n.Content, text(key), value)
}

func (m *mapping) text(key, value string) {
	if value != "" {
		m.set(key, text(value))
	}
}

func (m *mapping) flag(key string, value bool) {
	if value {
		m.set(key, word("true"))
	}
}

func (m *mapping) whole(key string, value int64) {
	if value != 0 {
		m.set(key, word(strconv.FormatInt(value, 10)))
	}
}

func (m *mapping) number(key string, value float64) {
	if value != 0 {
		m.set(key, word(formatNumber(value)))
	}
}

func (m *mapping) share(key string, value float64) {
	if value != 0 {
		m.set(key, word(formatShare(value)))
	}
}

func (m *mapping) shares(key string, shares []DataShare) {
	if len(shares) == 0 {
		return
	}
	f := flow()
	for _, s := range shares {
		f.add(s.Name, word(formatShare(s.Share)))
	}
	m.set(key, f.node())
}

func (m *mapping) values(key string, values []DataValue) {
	if len(values) == 0 {
		return
	}
	f := flow()
	for _, v := range values {
		f.add(v.Value, word(formatShare(v.Share)))
	}
	m.set(key, f.node())
}

func (m *mapping) numbers(key string, numbers []float64) {
	if len(numbers) == 0 {
		return
	}
	list := flowList()
	for _, n := range numbers {
		list.Content = append(list.Content, word(formatNumber(n)))
	}
	m.set(key, list)
}

func (m *mapping) wholes(key string, numbers []int) {
	if len(numbers) == 0 {
		return
	}
	list := flowList()
	for _, n := range numbers {
		list.Content = append(list.Content, word(strconv.Itoa(n)))
	}
	m.set(key, list)
}

// word is a scalar that stands as it is.
func word(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

// plain are texts that need no quotes unless YAML takes them for something else.
var plain = regexp.MustCompile(`^=?[\pL\pN_][\pL\pN_ ./+>-]*$`)

// text is a scalar that YAML must read as a text.
func text(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.ToValidUTF8(s, "\uFFFD")}
	if !plain.MatchString(s) || strings.HasSuffix(s, " ") {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

func texts(list []string) *yaml.Node {
	n := flowList()
	for _, s := range list {
		n.Content = append(n.Content, text(s))
	}
	return n
}

// formatShare has four significant digits.
func formatShare(v float64) string {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	if err != nil {
		panic("profile: internal error: " + err.Error())
	}
	return formatNumber(r)
}

// formatNumber is the shortest text that reads as the number again.
func formatNumber(v float64) string {
	if a := math.Abs(v); a != 0 && (a < 1e-9 || a >= 1e15) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	if v == 0 {
		return "0" // not -0
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// formatSpan writes a duration with days, as in "-90d4h" and "1.5s".
func formatSpan(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	rest := uint64(d)
	if d < 0 {
		b.WriteByte('-')
		rest = -rest
	}
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if n := rest / uint64(u.size); n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			rest %= uint64(u.size)
		}
	}
	if rest > 0 {
		fraction := strings.TrimRight(fmt.Sprintf("%09d", rest%uint64(time.Second)), "0")
		fmt.Fprintf(&b, "%d", rest/uint64(time.Second))
		if fraction != "" {
			b.WriteString("." + fraction)
		}
		b.WriteByte('s')
	}
	return b.String()
}
