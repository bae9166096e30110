package synth

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// addRules finds what a table's rows must be tested against.
func (t *table) addRules() {
	checks := slices.Concat(t.schema.Checks, t.program.o.Rules[t.name])
	for _, ck := range checks {
		t.addCheck(ck, "")
	}
	for _, c := range t.columns {
		for _, ck := range c.schema.Type.Checks {
			t.addCheck(ck, c.schema.Name)
		}
	}
	for _, k := range t.schema.Keys {
		t.addKey(k)
	}
	for _, x := range t.schema.Exclusions {
		t.addExclusion(x)
	}
	for _, r := range t.tested {
		t.addTested(r)
	}
	for _, r := range t.references {
		if r.bound != nil {
			r.group()
			t.addFound(r)
		}
	}
	if t.schema.Partitioned != nil {
		t.addBounds()
	}
	for _, r := range t.rules {
		for k, ci := range r.columns {
			c := t.columns[ci]
			if c.ruled == 0 {
				c.ruled = k + 1
			}
			c.nullable = !c.schema.NotNull && !c.limit.notNull
		}
	}
}

// addCheck adds a CHECK. domain is the column that a domain's check is of, where
// the expression calls it VALUE.
func (t *table) addCheck(ck schema.Check, domain string) {
	if ck.NotValid {
		return
	}
	e, err := schema.ParseExpr(t.program.schema.Engine, ck.Expr)
	if err != nil {
		t.program.note("Table %s: CHECK %s (%s) is left to the server: %v.", t.name, ck.Name, ck.Expr, err)
		return
	}
	r := rule{what: fmt.Sprintf("CHECK %s: %s", ck.Name, ck.Expr)}
	named := map[string]int{}
	for _, name := range e.Columns() {
		own := name
		if domain != "" {
			own = domain
		}
		ci, ok := t.byName[own]
		if !ok {
			return // a generated column's; the server computes it
		}
		named[name] = ci
		r.columns = append(r.columns, ci)
	}
	now := time.UnixMicro(t.program.now).UTC()
	r.holds = func(b *rows.Batch, i int, _ int64) bool {
		v, err := e.Eval(func(name string) schema.Value {
			ci, ok := named[name]
			if !ok {
				return schema.Value{}
			}
			return exprValue(t.out[ci], &b.Columns[ci], i)
		}, now)
		return err != nil || !v.IsFalse()
	}
	for _, ci := range r.columns {
		c := t.columns[ci]
		for _, text := range literals(ck.Expr) {
			if v, err := parseValue(c.out, text); err == nil && c.allows(&v) && c.labelled(text) {
				c.forced = append(c.forced, v)
			}
		}
	}
	t.rules = append(t.rules, r)
}

// labelled: an enum's value must be one of its labels.
func (c *column) labelled(text string) bool {
	return c.schema.Type.Kind != schema.Enum || slices.Contains(c.schema.Type.Labels, text)
}

// literals are the constants of an expression.
func literals(expr string) []string {
	var out []string
	for i := 0; i < len(expr); i++ {
		switch ch := expr[i]; {
		case ch == '\'':
			end := strings.IndexByte(expr[i+1:], '\'')
			if end < 0 {
				return out
			}
			out = append(out, expr[i+1:i+1+end])
			i += end + 1
		case ch >= '0' && ch <= '9' && (i == 0 || !isWord(expr[i-1])):
			end := i
			for end < len(expr) && (expr[end] >= '0' && expr[end] <= '9' || expr[end] == '.') {
				end++
			}
			out = append(out, expr[i:end])
			i = end
		}
	}
	return out
}

func isWord(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// exprValue is a value as expressions take it.
func exprValue(c rows.Column, v *rows.Vector, i int) schema.Value {
	if v.Null[i] {
		return schema.Value{}
	}
	switch c.Kind {
	case rows.Bool:
		return schema.BoolOf(v.Ints[i] != 0)
	case rows.Int:
		return schema.IntOf(v.Ints[i])
	case rows.Float:
		return schema.FloatOf(v.Floats[i])
	case rows.Decimal:
		return schema.DecimalOf(v.Ints[i], c.Scale)
	case rows.Date:
		return schema.DateOf(v.Ints[i])
	case rows.Timestamp:
		return schema.TimeOf(v.Ints[i])
	case rows.Time:
		return schema.ClockOf(v.Ints[i])
	case rows.Bytes:
		return schema.BytesOf(string(v.Text(i)))
	case rows.Text:
		if c.Type.Kind == schema.JSON {
			return schema.JSONOf(string(v.Text(i)))
		}
		return schema.TextOf(string(v.Text(i)))
	}
	return schema.OtherOf(string(appendText(nil, c, v, i)))
}

// addKey adds a key of which construction alone does not make sure.
func (t *table) addKey(k schema.Key) {
	where := func(*rows.Batch, int, int64) bool { return true }
	if k.Where != "" {
		e, err := schema.ParseExpr(t.program.schema.Engine, k.Where)
		if err == nil {
			now := time.UnixMicro(t.program.now).UTC()
			where = func(b *rows.Batch, i int, _ int64) bool {
				v, err := e.Eval(func(name string) schema.Value {
					if ci, ok := t.byName[name]; ok {
						return exprValue(t.out[ci], &b.Columns[ci], i)
					}
					return schema.Value{}
				}, now)
				return err != nil || !v.IsNull() && !v.IsFalse()
			}
		}
	}
	r := rule{what: "UNIQUE " + k.Name}
	var parts []keyPart
	for _, p := range k.Parts {
		part := keyPart{prefix: p.Prefix}
		if p.Expr == "" {
			ci, ok := t.byName[p.Column]
			if !ok {
				return // generated: its source is another key's or nobody's
			}
			part.columns = []int{ci}
		} else if e, err := schema.ParseExpr(t.program.schema.Engine, p.Expr); err == nil {
			part.expr = e
			for _, name := range e.Columns() {
				if ci, ok := t.byName[name]; ok {
					part.columns = append(part.columns, ci)
				}
			}
		} else {
			// Values that differ where the expression is not understood are taken to
			// differ in it too; the server has the last word.
			for ci, c := range t.columns {
				if mentionsOnly(t.schema, p.Expr, c.schema.Name) {
					part.columns = []int{ci}
				}
			}
		}
		parts = append(parts, part)
		r.columns = append(r.columns, part.columns...)
	}
	for _, ci := range r.columns {
		c := t.columns[ci]
		if c.unique && len(c.artifacts) == 0 || c.ref != nil && c.ref.one && len(c.ref.columns) == 1 && c.ref.exact() {
			return
		}
	}
	seen := map[uint64]struct{}{}
	var buf []byte
	var found uint64 // of the row that was tested last
	var counts bool
	now := time.UnixMicro(t.program.now).UTC()
	r.keep = func() {
		if counts {
			seen[found] = struct{}{}
		}
	}
	r.holds = func(b *rows.Batch, i int, row int64) bool {
		if counts = where(b, i, row); !counts {
			return true
		}
		buf = buf[:0]
		for _, p := range parts {
			var null bool
			if buf, null = t.appendPart(buf, p, b, i, now); null && !k.NullsEqual {
				counts = false
				return true
			}
		}
		found = hash(buf)
		_, there := seen[found]
		return !there
	}
	t.rules = append(t.rules, r)
}

// keyPart is one part of a key: an expression, or a column.
type keyPart struct {
	expr    *schema.Expr
	columns []int
	prefix  int
}

func (t *table) appendPart(dst []byte, p keyPart, b *rows.Batch, i int, now time.Time) (out []byte, null bool) {
	if p.expr != nil {
		v, err := p.expr.Eval(func(name string) schema.Value {
			if ci, ok := t.byName[name]; ok {
				return exprValue(t.out[ci], &b.Columns[ci], i)
			}
			return schema.Value{}
		}, now)
		if err == nil {
			return append(append(dst, v.String()...), 0, 1), v.IsNull()
		}
	}
	for _, ci := range p.columns {
		v := &b.Columns[ci]
		null = null || v.Null[i]
		from := len(dst)
		dst = appendKeyPart(dst, t.columns[ci], v, i)
		if p.prefix > 0 && len(dst)-from > p.prefix+2 {
			dst = append(dst[:from+fit(dst[from:len(dst)-2], p.prefix)], 0, 1)
		}
	}
	return dst, null
}

// hash is 64 bits of a key. Two keys that share them by chance cost one row
// another attempt.
func hash(b []byte) uint64 {
	h := uint64(len(b))
	for len(b) >= 8 {
		h = mix(h ^ binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	for _, c := range b {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	return mix(h)
}

// exact: each row takes a slot of its own.
func (r *reference) exact() bool {
	return !r.self && r.bound == nil && (r.slots >= r.taken || r.any.n >= r.taken) && (r.null == nil || r.null.dealt())
}

// addExclusion adds an exclusion constraint whose operators are all equality; it
// is a key. One with ranges that are kept apart holds by construction.
func (t *table) addExclusion(x schema.Exclusion) {
	k := schema.Key{Name: x.Name, Where: x.Where}
	for _, p := range x.Parts {
		if p.Operator == "&&" && p.Column != "" {
			if c := t.columnNamed(p.Column); c != nil && c.schema.Type.Kind == schema.Range {
				return
			}
		}
		if p.Operator != "=" {
			t.program.note("Table %s: EXCLUDE %s is left to the server: nothing is known of the operator %s.", t.name, x.Name, p.Operator)
			return
		}
		k.Parts = append(k.Parts, schema.KeyPart{Column: p.Column, Expr: p.Expr})
	}
	t.addKey(k)
}

// accept tests every row where there are rules, and finds for each row that
// breaks one an attempt that does not.
func (t *table) accept(ctx context.Context) rehearse.Problems {
	var own []*reference // to the table itself, which are bound
	chunk := int64(1024)
	for _, r := range t.references {
		if r.self {
			chunk = 1 // what a row takes from those before it depends on their attempts
			if r.bound != nil {
				own = append(own, r)
			}
		}
	}
	if len(t.rules) == 0 && own == nil {
		return nil
	}
	// Keys cost more than the rest, so they are asked only when all else holds.
	slices.SortStableFunc(t.rules, func(a, b rule) int { return order(a.keep != nil) - order(b.keep != nil) })
	var b, one rows.Batch
	broken := map[string]int64{}
	for from := int64(0); from < t.rows; from += chunk {
		if from%1024 == 0 && ctx.Err() != nil {
			return rehearse.Problems{{Kind: rehearse.Interrupted, Msg: ctx.Err().Error()}}
		}
		n := int(min(chunk, t.rows-from))
		b.Reset(t.out, n)
		t.fill(&b, from, n, nil)
		for i := range n {
			row := from + int64(i)
			failed, attempt := t.broken(&b, i, row), 0
			for failed != nil && attempt < lastAttempt {
				if len(broken) > 0 && attempt > forcedAttempts {
					break // it is lost; do not look long for each row
				}
				attempt++
				one.Reset(t.out, 1)
				t.fill(&one, row, 1, func(int64) int { return attempt })
				failed = t.broken(&one, 0, row)
			}
			if failed != nil {
				broken[failed.what]++
				if broken[failed.what] > 3 {
					return t.unsatisfied(broken)
				}
				continue
			}
			for k := range t.rules {
				if keep := t.rules[k].keep; keep != nil {
					keep()
				}
			}
			if attempt > 0 {
				if t.attempts == nil {
					t.attempts = map[int64]uint16{}
				}
				t.attempts[row] = uint16(attempt)
			}
			for _, r := range own {
				r.join(row)
			}
		}
	}
	for i := range t.rules {
		t.rules[i].holds, t.rules[i].keep = nil, nil // and what they have seen
	}
	return t.unsatisfied(broken)
}

func order(last bool) int {
	if last {
		return 1
	}
	return 0
}

func (t *table) broken(b *rows.Batch, i int, row int64) *rule {
	for k := range t.rules {
		if !t.rules[k].holds(b, i, row) {
			return &t.rules[k]
		}
	}
	return nil
}

func (t *table) unsatisfied(broken map[string]int64) rehearse.Problems {
	var out rehearse.Problems
	for _, r := range t.rules {
		if n := broken[r.what]; n > 0 {
			delete(broken, r.what)
			out = append(out, &rehearse.Error{
				Kind: rehearse.Invalid, Msg: fmt.Sprintf("table %q: no rows were found that satisfy %s", t.name, r.what),
				Hint: "Say more of the columns with a rule in the plan file, make the table smaller with --scale, or leave it out and fill it with a seed of your own.",
			})
		}
	}
	return out
}
