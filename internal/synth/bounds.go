package synth

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// partitions are the partitions of a table, and of each its own.
type partitions struct {
	strategy string
	parts    []partitionKey
	list     []partition
	whole    *partitions // of the default partition's rows
	rest     bool        // there is a default partition
}

// partitionKey is one part of what rows are divided by.
type partitionKey struct {
	expr   *schema.Expr
	column int // that decides it; -1: not known
}

// partition is one partition. Numbers, and times in µs, are in num.
type partition struct {
	low, high []end // range: of each part
	in        []end // list
	null      bool  // list: NULL too
	below     *partitions
}

// end is one value of a bound. open is MINVALUE (-1) or MAXVALUE (1).
type end struct {
	num  float64
	text string
	open int
}

func (e end) compare(other end) int {
	switch {
	case e.open != other.open:
		return e.open - other.open
	case e.open != 0:
		return 0
	case e.num < other.num:
		return -1
	case e.num > other.num:
		return 1
	}
	return strings.Compare(e.text, other.text)
}

// span is the values of one column in a partition: some, or those from low up to
// and without high.
type span struct {
	low, high end
	in        []end
}

// route is what a row's columns must be for one of the partitions.
type route map[int]span

// addRoutes finds the ways into the partitions of a table.
func (t *table) addRoutes() {
	if t.schema.Partitioned == nil {
		return
	}
	t.partitions = t.partitionsOf(t.schema)
	t.routes = t.partitions.routes(route{})
	for _, r := range t.routes {
		for ci := range r {
			t.columns[ci].routed = true
		}
	}
}

func (t *table) partitionsOf(s *schema.Table) *partitions {
	out := &partitions{strategy: s.Partitioned.Strategy}
	for _, p := range s.Partitioned.Parts {
		text := p.Expr
		if text == "" {
			text = `"` + strings.ReplaceAll(p.Column, `"`, `""`) + `"`
		}
		key := partitionKey{column: -1}
		if e, err := schema.ParseExpr(t.program.schema.Engine, text); err == nil {
			key.expr = e
			// date_trunc() of a bound is the bound, as people write them.
			if names := e.Columns(); len(names) == 1 && (p.Expr == "" || strings.Contains(strings.ToLower(p.Expr), "date_trunc")) {
				if ci, ok := t.byName[names[0]]; ok {
					key.column = ci
				}
			}
		}
		out.parts = append(out.parts, key)
	}
	for _, child := range t.program.schema.Tables {
		if child.PartitionOf == nil || child.PartitionOf.Parent != s.QName() {
			continue
		}
		var below *partitions
		if child.Partitioned != nil {
			below = t.partitionsOf(child)
		}
		if strings.EqualFold(strings.TrimSpace(child.PartitionOf.Bound), "DEFAULT") {
			out.rest, out.whole = true, below
			continue
		}
		p := t.parseBound(out.parts, child.PartitionOf.Bound)
		p.below = below
		out.list = append(out.list, p)
	}
	return out
}

// parseBound reads FOR VALUES FROM ('…') TO ('…') and FOR VALUES IN (…).
func (t *table) parseBound(parts []partitionKey, bound string) (p partition) {
	rest := strings.TrimPrefix(strings.TrimSpace(bound), "FOR VALUES ")
	if in, ok := strings.CutPrefix(rest, "IN ("); ok {
		for _, item := range splitBound(strings.TrimSuffix(in, ")")) {
			if item == "NULL" {
				p.null = true
			} else {
				p.in = append(p.in, t.endOf(parts[0], item))
			}
		}
		return p
	}
	if from, to, ok := strings.Cut(strings.TrimPrefix(rest, "FROM ("), ") TO ("); ok {
		for i, item := range splitBound(from) {
			p.low = append(p.low, t.endOf(parts[min(i, len(parts)-1)], item))
		}
		for i, item := range splitBound(strings.TrimSuffix(to, ")")) {
			p.high = append(p.high, t.endOf(parts[min(i, len(parts)-1)], item))
		}
	}
	return p
}

// splitBound splits at the commas that stand outside of quotes.
func splitBound(list string) []string {
	var out []string
	quoted, from := false, 0
	for i := range len(list) {
		switch {
		case list[i] == '\'':
			quoted = !quoted
		case list[i] == ',' && !quoted:
			out = append(out, strings.TrimSpace(list[from:i]))
			from = i + 1
		}
	}
	return append(out, strings.TrimSpace(list[from:]))
}

func (t *table) endOf(part partitionKey, item string) end {
	switch item {
	case "MINVALUE":
		return end{open: -1}
	case "MAXVALUE":
		return end{open: 1}
	}
	text, ok := literal(schema.Postgres, item)
	if !ok {
		text = item
	}
	if part.column >= 0 && isText(t.out[part.column].Kind) {
		return end{text: text}
	}
	if x, err := strconv.ParseFloat(text, 64); err == nil {
		return end{num: x}
	}
	if at, infinite, err := parseTime(text); err == nil && infinite == 0 {
		return end{num: float64(at.UnixMicro())}
	}
	switch text {
	case "t", "true":
		return end{num: 1}
	case "f", "false":
		return end{}
	}
	return end{text: text}
}

// endOfValue is a value as bounds are compared with.
func endOfValue(v schema.Value) end {
	if v.Kind == schema.DateValue {
		return end{num: float64(v.Int) * float64(24*hourMicros)}
	}
	if v.Kind == schema.BoolValue {
		return end{num: float64(v.Int)}
	}
	if x, ok := asFloat(v); ok {
		return end{num: x}
	}
	return end{text: v.String()}
}

// take reports whether a row falls into one of the partitions.
func (p *partitions) take(t *table, b *rows.Batch, i int) bool {
	values := make([]end, len(p.parts))
	null := false
	for k, part := range p.parts {
		if part.expr == nil {
			return true // the server has to say
		}
		v, err := part.expr.Eval(func(name string) schema.Value { return t.value(name, b, i) }, t.program.time())
		if err != nil {
			return true
		}
		null = null || v.IsNull()
		values[k] = endOfValue(v)
	}
	if p.strategy == "hash" {
		return true
	}
	for _, child := range p.list {
		if child.takes(values, null) {
			return child.below == nil || child.below.take(t, b, i)
		}
	}
	return p.rest && (p.whole == nil || p.whole.take(t, b, i))
}

func (p *partition) takes(values []end, null bool) bool {
	switch {
	case p.low == nil && null:
		return p.null
	case p.low == nil:
		return slices.ContainsFunc(p.in, func(e end) bool { return e.compare(values[0]) == 0 })
	case null:
		return false
	}
	return slices.CompareFunc(values, p.low, end.compare) >= 0 && slices.CompareFunc(values, p.high, end.compare) < 0
}

// routes are the ways into the partitions that begin with what is given.
func (p *partitions) routes(given route) []route {
	var out []route
	further := func(r route, below *partitions) {
		if below != nil {
			out = append(out, below.routes(r)...)
		} else {
			out = append(out, r)
		}
	}
	if p.strategy == "hash" {
		for _, child := range p.list {
			further(given, child.below)
		}
		return out
	}
	for _, child := range p.list {
		r := route{}
		for ci, s := range given {
			r[ci] = s
		}
		if child.low == nil {
			if ci := p.parts[0].column; ci >= 0 && len(child.in) > 0 {
				r[ci] = span{in: child.in}
			}
			further(r, child.below)
			continue
		}
		for k, part := range p.parts {
			if part.column < 0 {
				break
			}
			if k < len(child.high) && child.low[k].compare(child.high[k]) == 0 {
				r[part.column] = span{in: []end{child.low[k]}}
				continue
			}
			// From here on a row that begins as the lower bound does is below the upper.
			r[part.column] = span{low: child.low[k], high: child.high[k]}
			for k++; k < len(p.parts); k++ {
				if ci := p.parts[k].column; ci >= 0 {
					r[ci] = span{low: child.low[k], high: end{open: 1}}
				}
			}
			break
		}
		further(r, child.below)
	}
	if p.rest {
		further(given, p.whole)
	}
	return out
}

// addBounds adds that a row must fall into a partition.
func (t *table) addBounds() {
	if t.partitions == nil {
		return
	}
	var columns []int
	for ci, c := range t.columns {
		if c.routed {
			columns = append(columns, ci)
		}
	}
	t.rules = append(t.rules, rule{
		what: "the bounds of its partitions", columns: columns,
		holds: func(b *rows.Batch, i int, _ int64) bool { return t.partitions.take(t, b, i) },
	})
}

// into moves a value into a partition: at the first attempt one that lies in none,
// at later ones every value, with the others of its row.
func (c *column) into(v *rows.Vector, i, from int, row int64, attempt int) {
	if v.Null[i] {
		if !slices.ContainsFunc(c.table.routes, func(r route) bool { return len(r) > 0 }) || attempt < 2 {
			return
		}
		v.Null[i] = false
	}
	now := c.endOf(v, i, from)
	r := mix(c.table.seed ^ uint64(row)*9 ^ stir(attempt))
	way := c.table.routes[r%uint64(len(c.table.routes))]
	ci := c.table.byName[c.schema.Name]
	if attempt == 0 {
		for _, other := range c.table.routes {
			if s, ok := other[ci]; !ok || s.holds(now) {
				return
			}
		}
	}
	s, ok := way[ci]
	if !ok || s.holds(now) {
		return
	}
	c.setEnd(v, i, from, s.pick(mix(r+uint64(ci)), c.out.Kind == rows.Date))
}

func (s *span) holds(e end) bool {
	if s.in != nil {
		return slices.ContainsFunc(s.in, func(x end) bool { return x.compare(e) == 0 })
	}
	return e.compare(s.low) >= 0 && e.compare(s.high) < 0
}

// pick is a value of the span, evenly where it has two ends.
func (s *span) pick(r uint64, days bool) end {
	const far = 1000
	step := 1.0
	if days {
		step = float64(24 * hourMicros)
	}
	u := math.Floor(unit(r) * far)
	switch {
	case s.in != nil:
		return s.in[r%uint64(len(s.in))]
	case s.low.open == 0 && s.low.text != "":
		longer := end{text: s.low.text + strconv.FormatUint(r%(1<<40), 36)}
		if longer.compare(s.high) < 0 {
			return longer
		}
		return s.low
	case s.low.open != 0 && s.high.open != 0:
		return end{num: u * step}
	case s.low.open != 0:
		return end{num: s.high.num - (1+u)*step}
	case s.high.open != 0:
		return end{num: s.low.num + u*step}
	}
	return end{num: s.low.num + math.Floor(unit(r)*(s.high.num-s.low.num)/step)*step}
}

// endOf is a value of the column's as bounds have it. from is where its text
// begins.
func (c *column) endOf(v *rows.Vector, i, from int) end {
	switch {
	case isText(c.out.Kind):
		one := rows.Vector{Data: v.Data[from:], Ends: []int32{int32(len(v.Data) - from)}, Null: []bool{false}}
		return end{text: string(appendText(nil, c.out, &one, 0))}
	case c.out.Kind == rows.Float:
		return end{num: v.Floats[i]}
	case c.out.Kind == rows.Date:
		return end{num: float64(v.Ints[i]) * float64(24*hourMicros)}
	case c.out.Kind == rows.Decimal:
		return end{num: float64(v.Ints[i]) / pow10[c.out.Scale]}
	}
	return end{num: float64(v.Ints[i])}
}

func (c *column) setEnd(v *rows.Vector, i, from int, e end) {
	val := value{int: int64(e.num), float: e.num}
	switch {
	case isText(c.out.Kind):
		parsed, err := parseValue(c.out, e.text)
		if err != nil {
			return
		}
		val, v.Data = parsed, v.Data[:from]
	case c.out.Kind == rows.Date:
		val.int = int64(math.Ceil(e.num / float64(24*hourMicros)))
	case c.out.Kind == rows.Decimal:
		val.int = int64(math.RoundToEven(e.num * pow10[c.out.Scale]))
	}
	c.set(v, i, &val)
}

// within makes different values in the partitions of a table that is divided by
// this column alone, as many in each.
type within struct {
	column *column
	spans  []span
}

func (m *within) put(v *rows.Vector, i int, at place, _ int, _ uint64) {
	k := int(at.rank * int64(len(m.spans)) / max(at.n, 1))
	s := m.spans[k]
	first := (int64(k)*at.n + int64(len(m.spans)) - 1) / int64(len(m.spans))
	step := 1.0
	if m.column.out.Kind == rows.Date {
		step = float64(24 * hourMicros)
	}
	rank := float64(at.rank - first)
	var e end
	switch {
	case s.in != nil:
		e = s.in[min(int(rank), len(s.in)-1)]
	case s.low.open != 0 && s.high.open != 0:
		e.num = rank * step
	case s.low.open != 0:
		e.num = s.high.num - (rank+1)*step
	case s.high.open != 0:
		e.num = s.low.num + rank*step
	default:
		share := float64(at.n/int64(len(m.spans)) + 1)
		e.num = s.low.num + rank*step*max(1, math.Floor((s.high.num-s.low.num)/step/share))
	}
	m.column.setEnd(v, i, len(v.Data), e)
}

// spans are those of the column where it alone says which partition a row is in,
// and its values are numbers or times; nil otherwise.
func (c *column) spans() []span {
	if !c.routed || isText(c.out.Kind) {
		return nil
	}
	ci := c.table.byName[c.schema.Name]
	var out []span
	for _, r := range c.table.routes {
		s, ok := r[ci]
		if !ok || len(r) > 1 {
			return nil
		}
		out = append(out, s)
	}
	return out
}
