package synth

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/words"
)

// builder makes the nodes, each after those that it follows.
type builder struct {
	p     *Program
	nodes map[string]*node
	open  map[string]bool // being made: what follows these would follow itself
}

// reference makes the nodes of a reference and counts its slots.
func (b *builder) reference(r *reference) {
	if r.starts != nil {
		return
	}
	name := r.from.name + "->" + strings.Join(r.fk.Columns, ",")
	if b.open[name] {
		return
	}
	b.open[name] = true
	defer delete(b.open, name)
	if !r.required() {
		// The columns of a reference are NULL together: MATCH SIMPLE would allow
		// one of them alone, which refers to nobody either.
		for _, ci := range r.columns {
			c := r.from.columns[ci]
			if c.ref == r && !c.schema.NotNull {
				r.null = b.node(c)
				break
			}
		}
	}
	r.children = b.children(r)
	for _, t := range []*table{r.from, r.to} {
		if t.profile.Classes != nil {
			b.class(t)
		}
	}
	r.prepare()
}

// children makes the node of the number of children of a reference's parents.
func (b *builder) children(r *reference) *node {
	counts := []profile.DataCount{{From: 0, To: 0, Share: 0.15}, {From: 1, To: 1, Share: 0.25}, {From: 2, To: 4, Share: 0.35, Mean: 2.8}, {From: 5, To: 20, Share: 0.25, Mean: 8}}
	if found, ok := r.from.profile.Reference(r.fk.Columns); ok && len(found.Children) > 0 {
		counts = found.Children
	}
	var labels []string
	var shares []float64
	for _, c := range counts {
		k := count{from: c.From, to: c.To, power: 1}
		if c.To > c.From && c.Mean > float64(c.From) && c.Mean < float64(c.To) {
			k.power = float64(c.To-c.From)/(c.Mean-float64(c.From)) - 1
		}
		r.counts = append(r.counts, k)
		labels = append(labels, countLabel(c))
		shares = append(shares, c.Share)
	}
	name := "children(" + r.from.name + "." + strings.Join(r.fk.Columns, ",") + ")"
	return b.forest(r.to, name, labels, shares, 0, permute(r.to.rows, seedOf(r.to.seed, name)))
}

// countLabel is a bucket of the number of children as profiles write it.
func countLabel(c profile.DataCount) string {
	if c.From == c.To {
		return strconv.FormatInt(c.From, 10)
	}
	return fmt.Sprintf("%d-%d", c.From, c.To)
}

// node gives the node of a column, and makes it first where need be.
func (b *builder) node(c *column) *node {
	if c.node != nil {
		return c.node
	}
	if c.ref != nil {
		null := c.profile.Null
		if c.schema.NotNull {
			null = 0
		}
		c.buckets = []bucket{{label: "null", null: true, tenth: -1}, {label: "rest", tenth: -1}}
		c.node = b.forest(c.table, c.schema.Name, []string{"null", "rest"}, []float64{null, 1 - null}, 0, permute(c.table.rows, c.seed))
		return c.node
	}
	var shares []float64
	c.buckets, shares = c.makeBuckets()
	labels := make([]string, len(c.buckets))
	for i := range c.buckets {
		labels[i] = c.buckets[i].label
	}
	order := permute(c.table.rows, c.seed)
	if c.unique || math.Abs(c.profile.Correlation) > 0.95 && len(c.profile.Values) == 0 && ordered(c.schema.Type.Kind) {
		order = inOrder(c.table.rows, c.profile.Correlation < -0.9)
	}
	if c.unique {
		c.node = deal(c.schema.Name, c.seed, c.table.rows, shares, 0, order)
		return c.node
	}
	c.node = b.forest(c.table, c.schema.Name, labels, shares, 1, order)
	return c.node
}

func ordered(k schema.Kind) bool {
	return k == schema.Int || k == schema.Float || k == schema.Decimal || k == schema.Timestamp || k == schema.Instant || k == schema.Date
}

// forest makes a node that follows what the profile says it follows.
func (b *builder) forest(t *table, name string, labels []string, shares []float64, least int64, order permutation) *node {
	key := t.name + "." + name
	if n := b.nodes[key]; n != nil {
		return n
	}
	seed := seedOf(t.seed, name)
	root := func() *node {
		n := deal(name, seed, t.rows, shares, least, order)
		b.nodes[key] = n
		return n
	}
	if n := b.ofClass(t, name, key, seed, labels, shares); n != nil {
		return n
	}
	dep := dependence(t.profile, name)
	if dep == nil || b.open[key] {
		return root()
	}
	b.open[key] = true
	defer delete(b.open, key)
	if fk, on, ok := strings.Cut(dep.On, " -> "); ok {
		via := t.referenceBy(strings.Split(fk, ","))
		if via == nil || strings.HasPrefix(name, "children(") {
			return root()
		}
		to := via.to.columnNamed(on)
		if to == nil || to.unique || b.open[via.to.name+"."+on] {
			return root()
		}
		b.reference(via)
		if via.starts == nil {
			return root()
		}
		parent := b.node(to)
		given := matrix(dep, labelsOf(to), labels, shares)
		n := followReferenced(name, seed, t.rows, via, parent, given, shares)
		b.nodes[key] = n
		return n
	}
	on := t.columnNamed(dep.On)
	var parent *node
	var onLabels []string
	switch {
	case dep.On == "class" && t.profile.Classes != nil:
		parent, onLabels = b.class(t), classLabels(t.profile.Classes)
	case on != nil && !on.unique && !b.open[t.name+"."+dep.On]:
		parent, onLabels = b.node(on), labelsOf(on)
	case strings.HasPrefix(dep.On, "children("):
		for _, other := range b.p.tables {
			for _, r := range other.references {
				if r.to == t && dep.On == "children("+other.name+"."+strings.Join(r.fk.Columns, ",")+")" {
					b.reference(r)
					if parent = r.children; parent != nil {
						onLabels = r.labels()
					}
				}
			}
		}
	}
	if parent == nil || b.nodes[key] != nil {
		if n := b.nodes[key]; n != nil {
			return n
		}
		return root()
	}
	n := follow(name, seed, parent, matrix(dep, onLabels, labels, shares))
	b.nodes[key] = n
	return n
}

func (r *reference) labels() []string {
	out := make([]string, len(r.counts))
	for i, c := range r.counts {
		out[i] = countLabel(profile.DataCount{From: c.from, To: c.to})
	}
	return out
}

func labelsOf(c *column) []string {
	out := make([]string, len(c.buckets))
	for i := range c.buckets {
		out[i] = c.buckets[i].label
	}
	return out
}

func dependence(t *profile.DataTable, name string) *profile.DataDependence {
	for i := range t.Depends {
		if t.Depends[i].Column == name {
			return &t.Depends[i]
		}
	}
	return nil
}

func (t *table) referenceBy(columns []string) *reference {
	for _, r := range t.references {
		if slices.Equal(r.fk.Columns, columns) {
			return r
		}
	}
	return nil
}

// matrix gives the shares of our buckets for each bucket of the other's, in the
// order of both. Where the profile is silent the marginal holds.
func matrix(dep *profile.DataDependence, on, own []string, marginal []float64) [][]float64 {
	index := map[string]int{}
	for i, l := range own {
		index[l] = i
	}
	var rest []int // where what has no bucket of its own goes
	for i, l := range own {
		if l == "rest" || strings.HasPrefix(l, "q") && !strings.HasPrefix(l, "=") {
			rest = append(rest, i)
		}
	}
	shares := func(given profile.DataGiven) []float64 {
		out := make([]float64, len(own))
		var sum float64
		for _, s := range given.Then {
			sum += s.Share
			if i, ok := index[s.Name]; ok {
				out[i] += s.Share
				continue
			}
			if s.Name == "null" && len(rest) == 0 {
				continue
			}
			for _, i := range rest {
				out[i] += s.Share / float64(len(rest))
			}
		}
		if sum <= 0 {
			return marginal
		}
		// What is withheld of the row is spread as the marginal is.
		if left := 1 - sum; left > 0.0005 {
			var listed float64
			for i, m := range marginal {
				if out[i] == 0 {
					listed += m
				}
			}
			for i, m := range marginal {
				if out[i] == 0 && listed > 0 {
					out[i] = left * m / listed
				}
			}
		}
		return out
	}
	out := make([][]float64, len(on))
	for p, label := range on {
		out[p] = marginal
		var merged []float64
		var weight float64
		for _, g := range dep.Given {
			switch {
			case g.Bucket == label:
				out[p] = shares(g)
				merged = nil
			case label == "rest" && g.Bucket != "null" && !slices.Contains(on, g.Bucket):
				// The other has one bucket where the profile had several.
				s := shares(g)
				if merged == nil {
					merged = make([]float64, len(own))
				}
				for i := range s {
					merged[i] += s[i] * g.Share
				}
				weight += g.Share
			default:
				continue
			}
			if g.Bucket == label {
				break
			}
		}
		if merged != nil && weight > 0 {
			for i := range merged {
				merged[i] /= weight
			}
			out[p] = merged
		}
	}
	return out
}

// makeBuckets divides a column's rows, and gives their shares.
func (c *column) makeBuckets() (buckets []bucket, shares []float64) {
	add := func(b bucket, share float64) {
		buckets = append(buckets, b)
		shares = append(shares, share)
	}
	null := c.profile.Null
	if c.schema.NotNull || c.limit.notNull || c.unique && c.nullCounts() {
		null = 0
	}
	if null > 0 {
		add(bucket{label: "null", null: true, tenth: -1}, null)
	}
	rest := 1 - null
	if !c.unique {
		for _, v := range c.values() {
			val, err := parseValue(c.out, v.Value)
			if err != nil || !c.allows(&val) {
				continue
			}
			share := min(v.Share, rest)
			rest -= share
			add(bucket{label: "=" + v.Value, value: &val, tenth: -1}, share)
		}
	}
	if rest < 1e-9 && len(buckets) > 0 {
		return buckets, shares
	}
	if q := c.tenths(); q && !c.unique {
		shape := c.curve(nil, rest)
		for k := range 10 {
			add(bucket{label: "q" + strconv.Itoa(k+1), tenth: k}, rest*(shape.tenth(k+1)-shape.tenth(k)))
		}
	} else {
		add(bucket{label: "rest", tenth: -1}, rest)
	}
	return buckets, shares
}

// curve makes the curve of the column's quantiles, which are of its rest.
func (c *column) curve(q []float64, rest float64) curve {
	p := c.table.program.o.Profile
	if p == nil {
		return newCurve(q, 0, 0)
	}
	if q == nil {
		q = make([]float64, 4) // of which only the number matters
	}
	n := float64(c.table.profile.Rows)
	if s := float64(p.Source.Sample); s > 0 && n > 3*s {
		n = s
	}
	return newCurve(q, p.Privacy.K, n*rest)
}

// rest is the share of the column's rows that neither are NULL nor have a listed
// value.
func (c *column) rest() float64 {
	left := 1 - c.profile.Null
	for _, v := range c.profile.Values {
		left -= v.Share
	}
	return max(left, 0)
}

// tenths reports whether the column's rest is divided by its quantiles.
func (c *column) tenths() bool {
	return c.profile.Numbers != nil && len(c.profile.Numbers.Quantiles) > 3 || c.profile.Times != nil && len(c.profile.Times.Quantiles) > 3
}

// values are the listed values, or what the constraints allow where they allow
// only some.
func (c *column) values() []profile.DataValue {
	if len(c.limit.in) == 0 {
		return c.profile.Values
	}
	var out []profile.DataValue
	var sum float64
	for _, v := range c.profile.Values {
		if slices.Contains(c.limit.in, v.Value) {
			out = append(out, v)
			sum += v.Share
		}
	}
	left := max(1-c.profile.Null-sum, 0)
	var missing []string
	for _, v := range c.limit.in {
		if !slices.ContainsFunc(out, func(d profile.DataValue) bool { return d.Value == v }) {
			missing = append(missing, v)
		}
	}
	for _, v := range missing {
		out = append(out, profile.DataValue{Value: v, Share: left / float64(len(missing))})
	}
	if len(missing) == 0 && len(out) > 0 && left > 0 {
		out = slices.Clone(out)
		out[0].Share += left
	}
	return out
}

// allows reports whether a listed value satisfies the type and what constraints
// say of the column alone.
func (c *column) allows(v *value) bool {
	switch {
	case c.out.Kind == rows.Text || c.out.Kind == rows.Bytes:
		return c.limit.allowsText(v.text)
	case isText(c.out.Kind):
		return true
	case c.out.Kind == rows.Float:
		return v.float >= c.limit.min && v.float <= c.limit.max
	case c.out.Kind == rows.Timestamp || c.out.Kind == rows.Date:
		return c.limit.allowsTime(v.int)
	case c.out.Kind == rows.Int || c.out.Kind == rows.Decimal:
		x := float64(v.int) / pow10[c.out.Scale]
		return v.int == rows.NaN && c.out.Kind == rows.Decimal || x >= c.limit.min && x <= c.limit.max
	}
	return true
}

// column makes a column's maker.
func (b *builder) column(c *column) *rehearse.Error {
	b.node(c)
	if c.ref != nil {
		return nil
	}
	var restRows int64
	for i := range c.buckets {
		if !c.buckets[i].null && c.buckets[i].value == nil {
			restRows += c.node.total[i]
		}
	}
	locales := b.p.o.Locales
	if len(locales) == 0 {
		locales = localesOf(c.profile.Text)
	}
	if c.unique {
		return c.makeUnique(locales, restRows)
	}
	c.deal(restRows)
	switch t := c.schema.Type; c.out.Kind {
	case rows.Bool:
		c.make = flags{}
	case rows.Int, rows.Decimal, rows.Float:
		c.make = c.numbers()
	case rows.Date, rows.Time, rows.Timestamp:
		c.make = c.times()
	case rows.UUID:
		c.make = uuids{}
	case rows.Bytes:
		m := &blobs{limit: c.limit}
		if c.profile.Text != nil {
			m.length = floats(c.profile.Text.Length)
		}
		c.make = m
	case rows.Text:
		switch {
		case t.Kind == schema.Enum && len(t.Labels) == 0:
			return b.syntax(c)
		case t.Kind == schema.Enum:
			c.make = &labels{labels: t.Labels}
		case t.Kind == schema.JSON:
			c.make = &documents{shape: c.json()}
		default:
			m := newTexts(c, c.profile.Text, restRows, locales)
			m.pattern = c.limit.pattern
			c.make = m
		}
	default:
		return b.syntax(c)
	}
	return nil
}

func localesOf(p *profile.DataText) []string {
	if p == nil {
		return words.LocalesFor(nil)
	}
	scripts := map[string]float64{}
	for _, s := range p.Scripts {
		scripts[s.Name] = s.Share
	}
	return words.LocalesFor(scripts)
}

func (c *column) json() *profile.DataJSON {
	if c.profile.JSON != nil && len(c.profile.JSON.Kinds) > 0 {
		return c.profile.JSON
	}
	return &profile.DataJSON{Kinds: []profile.DataShare{{Name: "object", Share: 1}}}
}

// syntax makes the maker of a type whose values are texts in the server's syntax.
func (b *builder) syntax(c *column) *rehearse.Error {
	t := c.schema.Type
	switch t.Kind {
	case schema.Array:
		if t.Elem == nil {
			break
		}
		item := c.item()
		m := &arrays{item: item}
		if a := c.profile.Array; a != nil {
			m.length = floats(a.Length)
		}
		c.make = m
		return b.column(item)
	case schema.Range:
		if t.Elem == nil {
			break
		}
		elem := rows.Column{Type: *t.Elem, Kind: rows.KindOf(*t.Elem)}
		if elem.Kind == rows.Decimal {
			elem.Scale = 2
		}
		c.make = &ranges{elem: elem, multi: strings.Contains(t.Name, "multirange"), apart: c.excluded(), now: b.p.now}
		return nil
	}
	if f, ok := syntaxes[t.Name]; ok {
		c.make = &syntax{t: t, make: f}
		return nil
	}
	if len(c.profile.Values) > 0 || c.profile.Null >= 1 || !c.schema.NotNull {
		// What cannot be made is left out where it may be.
		c.profile.Null = 1
		c.node = deal(c.schema.Name, c.seed, c.table.rows, []float64{1}, 0, permute(c.table.rows, c.seed))
		c.buckets = []bucket{{label: "null", null: true, tenth: -1}}
		b.p.note("Column %s.%s is NULL everywhere: no value of type %s can be made.", c.table.name, c.schema.Name, t.SQL)
		return nil
	}
	return &rehearse.Error{
		Kind: rehearse.Invalid, Msg: fmt.Sprintf("table %q: no value of type %s can be made for column %q, which may not be NULL", c.table.name, t.SQL, c.schema.Name),
		Hint: "Give the column a default, or fill the table with a seed of your own (before or after the generated rows).",
	}
}

// item is the column of an array's elements.
func (c *column) item() *column {
	elem := *c.schema.Type.Elem
	item := &column{table: c.table, schema: &schema.Column{Name: c.schema.Name + "[]", Type: elem, NotNull: true}, seed: mix(c.seed)}
	item.out = rows.Column{Name: item.schema.Name, Type: elem, Kind: rows.KindOf(elem)}
	if a := c.profile.Array; a != nil {
		item.profile = a.Item
		item.schema.NotNull = a.Item.Null == 0 || elem.Domain != ""
	} else {
		item.profile = inventColumn(c.table.schema, item.schema)
	}
	if item.out.Kind == rows.Decimal {
		item.out.Scale = decimalScale(elem, item.profile.Numbers)
	}
	item.limit = typeLimit(elem)
	item.narrow()
	return item
}

// excluded reports whether an EXCLUDE constraint keeps the column's values apart.
func (c *column) excluded() bool {
	for _, x := range c.table.schema.Exclusions {
		for _, p := range x.Parts {
			if p.Column == c.schema.Name && p.Operator == "&&" {
				return true
			}
		}
	}
	return false
}

// numbers makes the maker of numbers.
func (c *column) numbers() maker {
	m := &numbers{limit: c.limit, kind: c.out.Kind, factor: pow10[c.out.Scale]}
	if n := c.profile.Numbers; n != nil && len(n.Quantiles) > 0 {
		m.curve = c.curve(n.Quantiles, c.rest())
		if c.out.Kind == rows.Float {
			m.step = n.Step
			if n.Step == 0 && n.Scale > 0 && n.Scale <= 6 {
				m.step = 1 / pow10[n.Scale]
			} else if n.Step == 0 && n.Scale == 0 {
				m.step = 1
			}
		} else {
			m.step = n.Step * m.factor
			if n.Step == 0 && n.Scale < c.out.Scale {
				m.step = pow10[c.out.Scale-n.Scale]
			}
		}
		return m
	}
	m.q = []float64{0, 1, 10, 100, 1000}
	if !math.IsInf(c.limit.max, 0) && c.limit.max < 1000 || c.limit.min > 0 {
		m.q = []float64{max(c.limit.min, -1000), min(c.limit.max, max(c.limit.min, -1000)+1000)}
	}
	return m
}

// times makes the maker of dates and times.
func (c *column) times() maker {
	m := &times{limit: c.limit, unit: 1}
	n := c.profile.Times
	if n == nil || len(n.Quantiles) == 0 {
		n = inventTimes(c.schema.Type.Kind)
	}
	units := map[string]int64{"day": 24 * hourMicros, "hour": hourMicros, "minute": 60e6, "second": 1e6, "ms": 1000}
	now := c.table.program.now
	for _, d := range n.Quantiles {
		micros := float64(d.Microseconds())
		switch c.out.Kind {
		case rows.Date:
			m.q = append(m.q, math.Floor((float64(now)+micros)/float64(24*hourMicros)))
		case rows.Time:
			m.q = append(m.q, min(max(micros, 0), float64(24*hourMicros-1)))
		default:
			m.q = append(m.q, float64(now)+micros)
		}
	}
	m.curve = c.curve(m.q, c.rest())
	if c.out.Kind != rows.Date {
		m.unit = max(units[n.Unit], 1)
		if f := c.schema.Type.Fraction; f >= 0 && f < 6 {
			m.unit = max(m.unit, int64(pow10[6-f]))
		}
	}
	if len(n.Week) == 168 && c.out.Kind == rows.Timestamp && m.q[len(m.q)-1]-m.q[0] > 8*float64(weekMicros) {
		var sum float64
		for _, w := range n.Week {
			sum += w
			m.week = append(m.week, sum)
		}
	}
	return m
}

// deal gives the column's artifacts their rows.
func (c *column) deal(restRows int64) {
	if c.ref != nil || c.unique {
		return
	}
	var before int64
	order := permute(c.table.rows, mix(c.seed+99))
	for _, a := range c.profile.Artifacts {
		n := int64(math.Round(a.Share * float64(c.table.rows)))
		if n == 0 && a.Share > 0 && restRows > 0 {
			n = 1
		}
		// Those that most rows have are what the column's values are.
		if n == 0 || a.Share > 0.5 {
			continue
		}
		before += n
		c.artifacts = append(c.artifacts, oddity{name: a.Name, count: before, order: order})
	}
}

// mustBeUnique: a key of this column alone.
func (c *column) mustBeUnique() bool {
	if c.table.program.amends.loose[c.table.name+"."+c.schema.Name] {
		return false
	}
	if c.ref != nil || len(c.limit.match) > 0 || c.limit.pattern != nil || c.routed && c.spans() == nil {
		return false
	}
	for _, k := range c.table.schema.Keys {
		if len(k.Parts) != 1 {
			continue
		}
		if p := k.Parts[0]; p.Column == c.schema.Name || c.uniqueIn(p.Expr) {
			c.keyed = true
			return true
		}
	}
	if t := c.schema.Type; c.out.Kind == rows.Syntax && t.Kind != schema.Range && t.Kind != schema.Array && uniqueSyntaxes[t.Name] == nil {
		return false
	}
	return c.profile.Unique && len(c.profile.Values) == 0
}

// uniqueIn reports whether values that all differ are how to have those of an
// expression differ.
func (c *column) uniqueIn(expr string) bool {
	if expr == "" || !mentionsOnly(c.table.schema, expr, c.schema.Name) {
		return false
	}
	_, err := schema.ParseExpr(c.table.program.schema.Engine, expr)
	return err != nil || folds.MatchString(expr) || strings.HasPrefix(strings.ToLower(expr), "coalesce(")
}

// nullCounts reports whether a key of the column alone takes NULLs for equal, as
// with NULLS NOT DISTINCT, or a key on coalesce(column, ”).
func (c *column) nullCounts() bool {
	for _, k := range c.table.schema.Keys {
		if len(k.Parts) != 1 {
			continue
		}
		p := k.Parts[0]
		if p.Column == c.schema.Name && k.NullsEqual {
			return true
		}
		if p.Expr == "" || !mentionsOnly(c.table.schema, p.Expr, c.schema.Name) {
			continue
		}
		if e, err := schema.ParseExpr(c.table.program.schema.Engine, p.Expr); err == nil {
			v, err := e.Eval(func(string) schema.Value { return schema.Value{} }, time.UnixMicro(c.table.program.now))
			if err != nil || !v.IsNull() {
				return true
			}
		}
	}
	return false
}

// mentionsOnly reports whether an expression has the column, and no other of its
// table.
func mentionsOnly(t *schema.Table, expr, column string) bool {
	found := false
	for _, w := range strings.FieldsFunc(expr, func(r rune) bool {
		return r != '_' && r != '$' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r < 128
	}) {
		if w == column {
			found = true
		} else if c, _ := t.Column(w); c != nil {
			return false
		}
	}
	return found
}

// makeUnique makes the maker of a column whose values all differ.
func (c *column) makeUnique(locales []string, n int64) *rehearse.Error {
	t := c.schema.Type
	if len(c.limit.in) > 0 {
		l := &list{column: c}
		for _, text := range c.limit.in {
			if v, err := parseValue(c.out, text); err == nil {
				l.values = append(l.values, &v)
			}
		}
		if int64(len(l.values)) >= n {
			c.make = l
			return nil
		}
	}
	if spans := c.spans(); spans != nil {
		c.make = &within{c, spans}
		return nil
	}
	switch c.out.Kind {
	case rows.Int, rows.Decimal, rows.Float:
		var q []float64
		if d := c.profile.Numbers; d != nil {
			for _, x := range d.Quantiles {
				q = append(q, x*pow10[c.out.Scale])
			}
		}
		l := c.limit
		l.min, l.max = l.min*pow10[c.out.Scale], l.max*pow10[c.out.Scale]
		m := newIncreasing(c.curve(q, c.rest()), n, 1, l)
		m.real = c.out.Kind == rows.Float
		c.make = m
	case rows.Date, rows.Time, rows.Timestamp:
		m := c.times().(*times)
		step := int64(1)
		if c.out.Kind != rows.Date {
			step = m.unit
		}
		c.make = newIncreasing(m.curve, n, step, limit{min: math.Inf(-1), max: math.Inf(1)})
	case rows.UUID:
		c.make = &uniqueUUIDs{seed: c.seed}
	case rows.Bytes:
		m := &uniqueBlobs{limit: c.limit, seed: c.seed}
		if c.profile.Text != nil {
			m.length = floats(c.profile.Text.Length)
		}
		c.make = m
	case rows.Bool:
		c.make = &increasing{step: 1}
	case rows.Text:
		switch t.Kind {
		case schema.Enum:
			c.make = &uniqueSyntax{t: t, print: func(dst []byte, n int64, t schema.Type) []byte {
				return append(dst, t.Labels[n%int64(len(t.Labels))]...)
			}}
		case schema.JSON:
			c.make = &uniqueSyntax{t: t, print: uniqueSyntaxes["json"]}
		default:
			m := uniqueText(c, locales, n)
			for _, k := range c.table.schema.Keys {
				m.fold = m.fold || k.Parts[0].Expr != ""
			}
			c.make = m
		}
	default:
		switch {
		case t.Kind == schema.Range && t.Elem != nil:
			elem := rows.Column{Type: *t.Elem, Kind: rows.KindOf(*t.Elem)}
			c.make = &ranges{elem: elem, apart: true, multi: strings.Contains(t.Name, "multirange"), now: c.table.program.now}
		case t.Kind == schema.Array && t.Elem != nil:
			item := c.item()
			item.unique = true
			item.buckets = []bucket{{label: "rest", tenth: -1}}
			c.make = &uniqueArrays{item: item}
			return item.makeUnique(locales, n)
		case uniqueSyntaxes[t.Name] != nil:
			c.make = &uniqueSyntax{t: t, print: uniqueSyntaxes[t.Name]}
		default:
			return &rehearse.Error{
				Kind: rehearse.Invalid, Msg: fmt.Sprintf("table %q: no %d different values of type %s can be made for column %q", c.table.name, n, t.SQL, c.schema.Name),
				Hint: "Fill the table with a seed of your own (before or after the generated rows).",
			}
		}
	}
	return nil
}

// uniqueUUIDs makes UUIDs that differ from one another.
type uniqueUUIDs struct{ seed uint64 }

func (m *uniqueUUIDs) put(v *rows.Vector, _ int, at place, _ int, _ uint64) {
	v.Data = appendUUID(v.Data, mix(m.seed^uint64(at.rank)), mix(m.seed+1)<<40|uint64(at.rank))
}
