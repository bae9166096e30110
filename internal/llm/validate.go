package llm

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Validate takes from a plan what a schema bears out, and says of everything else
// what is wrong with it: tables and columns that are not there, meanings that are
// none of those given or that a column's type cannot hold, references between
// columns of unlike types or to what is no key, and rules that cannot be read or
// that speak of other columns. Fits may be nil. The plan is left as it is.
func Validate(p *Plan, s *schema.Schema, meanings []string, fits func(meaning string, t schema.Type) bool) (ok *Plan, problems rehearse.Problems) {
	v := &validation{file: p.file, schema: s, meanings: meanings, fits: fits}
	ok = &Plan{Model: p.Model, Prompt: p.Prompt, file: p.file}
	for _, l := range p.Locales {
		if !localePattern.MatchString(l) {
			v.complain(0, "Write a language and a country, as in de-DE.", "%q is no locale", l)
		} else if !slices.Contains(ok.Locales, l) {
			ok.Locales = append(ok.Locales, l)
		}
	}
	var names []string
	for _, t := range s.Tables {
		names = append(names, t.QName())
	}
	for _, t := range p.Tables {
		st, there := s.Table(t.Name)
		if !there {
			v.complain(t.line, nearest(t.Name, names), "the schema has no table %q", t.Name)
			continue
		}
		ok.Tables = append(ok.Tables, v.table(t, st))
	}
	return ok, v.problems
}

var localePattern = regexp.MustCompile(`^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$`)

type validation struct {
	file     string
	schema   *schema.Schema
	meanings []string
	fits     func(string, schema.Type) bool
	problems rehearse.Problems
}

func (v *validation) complain(line int, hint, format string, args ...any) {
	v.problems = append(v.problems, &rehearse.Error{Kind: rehearse.Invalid, File: v.file, Line: line, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

func nearest(word string, known []string) string {
	if near, ok := rehearse.Nearest(word, known); ok {
		return fmt.Sprintf("Did you mean %q?", near)
	}
	return ""
}

func (v *validation) table(t Table, st *schema.Table) Table {
	out := Table{Name: t.Name, Fingerprint: t.Fingerprint, line: t.line}
	for _, c := range t.Columns {
		if c.Why = tidy(c.Why); v.column(c, st) && !slices.ContainsFunc(out.Columns, func(o Column) bool { return o.Name == c.Name }) {
			out.Columns = append(out.Columns, c)
		}
	}
	for _, r := range t.References {
		if r.Why = tidy(r.Why); v.reference(r, st) {
			out.References = append(out.References, r)
		}
	}
	for _, r := range t.Rules {
		if r.Why = tidy(r.Why); v.rule(r, st) {
			out.Rules = append(out.Rules, r)
		}
	}
	return out
}

// maxWhy bounds a reason, in characters.
const maxWhy = 200

// tidy makes one line of a reason, without control characters, for people to read.
func tidy(why string) string {
	why = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, why)), " ")
	if r := []rune(why); len(r) > maxWhy {
		why = string(r[:maxWhy-1]) + "…"
	}
	return why
}

func (v *validation) sure(confidence float64, line int, place string) bool {
	if confidence >= 0 && confidence <= 1 {
		return true
	}
	v.complain(line, "", "the confidence of %s is %v, which is not from 0 to 1", place, confidence)
	return false
}

// find finds a column of a table, or complains.
func (v *validation) find(st *schema.Table, column string, line int) (*schema.Column, bool) {
	c, _ := st.Column(column)
	if c == nil {
		var names []string
		for _, c := range st.Columns {
			names = append(names, c.Name)
		}
		v.complain(line, nearest(column, names), "table %q has no column %q", st.QName(), column)
	}
	return c, c != nil
}

func (v *validation) column(c Column, st *schema.Table) bool {
	sc, ok := v.find(st, c.Name, c.line)
	place := st.QName() + "." + c.Name
	switch {
	case !ok || !v.sure(c.Confidence, c.line, place):
		return false
	case !slices.Contains(v.meanings, c.Meaning):
		v.complain(c.line, nearest(c.Meaning, v.meanings), "%s: there is no meaning %q", place, c.Meaning)
		return false
	case v.fits != nil && !v.fits(c.Meaning, sc.Type):
		v.complain(c.line, "", "%s is %s, which cannot hold a %s", place, sc.Type.SQL, c.Meaning)
		return false
	}
	return true
}

func (v *validation) reference(r Reference, st *schema.Table) bool {
	place := st.QName() + "." + strings.Join(r.Columns, ",") + " -> " + r.Table
	to, ok := v.schema.Table(r.Table)
	switch {
	case !ok:
		v.complain(r.line, "", "%s: the schema has no table %q", place, r.Table)
		return false
	case len(r.Columns) == 0 || len(r.Columns) != len(r.To):
		v.complain(r.line, "", "%s: %d columns refer to %d", place, len(r.Columns), len(r.To))
		return false
	case !v.sure(r.Confidence, r.line, place):
		return false
	}
	for i, name := range r.Columns {
		from, ok := v.find(st, name, r.line)
		if !ok {
			return false
		}
		target, ok := v.find(to, r.To[i], r.line)
		if !ok {
			return false
		}
		if !alike(from.Type, target.Type) {
			v.complain(r.line, "", "%s: %s is %s and %s is %s", place, name, from.Type.SQL, r.To[i], target.Type.SQL)
			return false
		}
	}
	if !slices.ContainsFunc(to.Keys, func(k schema.Key) bool {
		columns := k.Columns()
		return k.Where == "" && len(columns) == len(r.To) && !slices.ContainsFunc(r.To, func(c string) bool { return !slices.Contains(columns, c) })
	}) {
		v.complain(r.line, "", "%s: nothing makes %s of %s a key", place, strings.Join(r.To, ","), r.Table)
		return false
	}
	// A constraint that says the same makes it needless, not wrong.
	return !slices.ContainsFunc(st.ForeignKeys, func(fk schema.ForeignKey) bool {
		return !fk.Inferred && fk.Table == r.Table && slices.Equal(fk.Columns, r.Columns)
	})
}

// alike reports whether one type's values may refer to the other's.
func alike(a, b schema.Type) bool {
	switch {
	case a.Kind == schema.Other || a.Kind == schema.Array || a.Kind == schema.Range:
		return a.SQL == b.SQL
	case a.Kind == schema.Int && b.Kind == schema.Decimal || a.Kind == schema.Decimal && b.Kind == schema.Int:
		return a.Scale == 0 && b.Scale == 0
	}
	return a.Kind == b.Kind
}

// maxRule bounds a rule, in bytes.
const maxRule = 500

func (v *validation) rule(r Rule, st *schema.Table) bool {
	place := st.QName() + ": rule " + fmt.Sprintf("%.60q", r.Rule)
	if !v.sure(r.Confidence, r.line, place) {
		return false
	}
	if len(r.Rule) > maxRule {
		v.complain(r.line, "", "%s: longer than %d bytes", place, maxRule)
		return false
	}
	if r.Column != "" {
		if _, ok := v.find(st, r.Column, r.line); !ok {
			return false
		}
	}
	e, err := schema.ParseExpr(v.schema.Engine, r.Rule)
	if err != nil {
		v.problems = append(v.problems, &rehearse.Error{Kind: rehearse.Invalid, File: v.file, Line: r.line, Msg: place, Err: err,
			Hint: "Write comparisons, arithmetic, AND, OR, IS NULL and functions of one row."})
		return false
	}
	for _, name := range e.Columns() {
		if _, ok := v.find(st, name, r.line); !ok {
			return false
		}
	}
	if len(e.Columns()) == 0 || slices.Contains(e.Columns(), r.Column) {
		v.complain(r.line, "", "%s: it does not speak of other columns", place)
		return false
	}
	return true
}
