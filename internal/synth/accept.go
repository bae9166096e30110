package synth

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// addRules finds what a table's rows must be tested against.
func (t *table) addRules() {
	t.generated = map[string]*schema.Expr{}
	for i := range t.schema.Columns {
		c := &t.schema.Columns[i]
		if c.Generated == "" {
			continue
		}
		if e, err := schema.ParseExpr(t.program.schema.Engine, c.Generated); err == nil {
			t.generated[c.Name] = e
		}
	}
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
	t.addBounds()
	for _, r := range t.rules {
		for k, ci := range r.columns {
			c := t.columns[ci]
			if c.ruled == 0 {
				c.ruled = k + 1
			}
			if c.ref != nil && c.ref.ruled == 0 && !c.schema.NotNull {
				c.ref.ruled = k + 1
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
	text := ck.Expr
	if domain != "" {
		text = ofBase(text, t.columnNamed(domain).schema.Type)
	}
	e, err := schema.ParseExpr(t.program.schema.Engine, text)
	if err != nil {
		t.program.note("Table %s: CHECK %s (%s) is left to the server: %v.", t.name, ck.Name, ck.Expr, err)
		return
	}
	r := rule{what: fmt.Sprintf("CHECK %s: %s", ck.Name, ck.Expr)}
	if domain == "" {
		var ok bool
		if r.columns, ok = t.reads(e); !ok {
			t.program.note("Table %s: CHECK %s (%s) is left to the server: it is on a generated column whose expression is not understood.", t.name, ck.Name, ck.Expr)
			return
		}
		t.addEquations(e)
	} else {
		r.columns = []int{t.byName[domain]}
	}
	now := t.program.time()
	r.holds = func(b *rows.Batch, i int, _ int64) bool {
		v, err := e.Eval(func(name string) schema.Value {
			if domain != "" {
				name = domain
			}
			return t.value(name, b, i)
		}, now)
		return err != nil || !v.IsFalse()
	}
	if len(r.columns) == 1 && len(e.Columns()) == 1 && t.generated[e.Columns()[0]] == nil {
		if c := t.columns[r.columns[0]]; c.ref == nil && !c.unique {
			c.tests = append(c.tests, e)
		}
	}
	for _, ci := range r.columns {
		c := t.columns[ci]
		if c.schema.Type.Kind == schema.JSON {
			c.forced = append(c.forced, documentsOf(literals(ck.Expr))...)
			continue
		}
		for _, text := range literals(ck.Expr) {
			if v, err := parseValue(c.out, text); err == nil && c.allows(&v) && c.labelled(text) {
				c.forced = append(c.forced, v)
			}
		}
	}
	t.rules = append(t.rules, r)
}

// reads are the columns that an expression reads, those that generated columns are
// computed from among them; ok is false where one cannot be computed.
func (t *table) reads(e *schema.Expr) (columns []int, ok bool) {
	for _, name := range e.Columns() {
		ci, written := t.byName[name]
		if written {
			columns = append(columns, ci)
			continue
		}
		computed := t.generated[name]
		if computed == nil {
			return nil, false
		}
		more, ok := t.reads(computed)
		if !ok {
			return nil, false
		}
		columns = append(columns, more...)
	}
	return columns, true
}

// value is a column's value in a row, as expressions take it.
func (t *table) value(name string, b *rows.Batch, i int) schema.Value {
	if ci, ok := t.byName[name]; ok {
		return exprValue(t.out[ci], &b.Columns[ci], i)
	}
	if e := t.generated[name]; e != nil {
		if v, err := e.Eval(func(name string) schema.Value { return t.value(name, b, i) }, t.program.time()); err == nil {
			return v
		}
	}
	return schema.Value{}
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

// exact: each row takes a slot of its own.
func (r *reference) exact() bool {
	return !r.self && r.bound == nil && (r.slots >= r.taken || r.any.n >= r.taken) && (r.null == nil || r.null.dealt())
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
	failures := map[*rule]int{} // of the attempts at a row
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
			if failed != nil {
				clear(failures)
			}
			for failed != nil && attempt < lastAttempt {
				if len(broken) > 0 && attempt > forcedAttempts {
					break // it is lost; do not look long for each row
				}
				attempt++
				one.Reset(t.out, 1)
				t.fill(&one, row, 1, func(int64) int { return attempt })
				failures[failed]++
				failed = t.broken(&one, 0, row)
			}
			if failed != nil {
				for k := range t.rules {
					if r := &t.rules[k]; failures[r] > failures[failed] {
						failed = r // which is the harder one
					}
				}
				broken[failed.what]++
				for _, ci := range failed.columns {
					if t.columns[ci].keyed {
						t.rigid = append(t.rigid, ci)
					}
				}
				for k := range t.rules {
					// A row that failed for a key alone shows that the key has no more values.
					if r := &t.rules[k]; r.keep != nil && (failures[r] > 0 || r == failed) {
						t.most, t.short = row, r
						return t.unsatisfied(broken)
					}
				}
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
