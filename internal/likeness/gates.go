package likeness

import (
	"fmt"
	"slices"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

// constraintGate looks for every proven constraint of the original among those of
// the generated database. A server that holds a constraint as valid has checked
// every row against it.
func constraintGate(a, b *schema.Schema) Gate {
	var total int
	var broken []string
	want := func(there bool, format string, args ...any) {
		total++
		if !there {
			broken = append(broken, fmt.Sprintf(format, args...))
		}
	}
	for _, t := range a.Tables {
		other, ok := b.Table(t.QName())
		if !ok {
			want(false, "%s: the table is not there", t.QName())
			continue
		}
		for _, c := range t.Columns {
			if c.NotNull {
				is, _ := other.Column(c.Name)
				want(is != nil && is.NotNull, "%s.%s: NOT NULL is not there", t.QName(), c.Name)
			}
		}
		for _, k := range t.Keys {
			if !k.Invalid {
				want(slices.ContainsFunc(other.Keys, func(o schema.Key) bool {
					return !o.Invalid && o.Where == k.Where && o.Primary == k.Primary && slices.Equal(o.Parts, k.Parts)
				}), "%s: the key %s is not there", t.QName(), k.Name)
			}
		}
		for _, fk := range t.ForeignKeys {
			if !fk.NotValid && !fk.Inferred {
				want(slices.ContainsFunc(other.ForeignKeys, func(o schema.ForeignKey) bool {
					return !o.NotValid && o.Table == fk.Table && slices.Equal(o.Columns, fk.Columns) && slices.Equal(o.To, fk.To)
				}), "%s: the foreign key %s is not there, or not proven", t.QName(), fk.Name)
			}
		}
		for _, ch := range t.Checks {
			if !ch.NotValid {
				want(slices.ContainsFunc(other.Checks, func(o schema.Check) bool { return !o.NotValid && o.Expr == ch.Expr }),
					"%s: the check %s is not there, or not proven", t.QName(), ch.Name)
			}
		}
		for _, x := range t.Exclusions {
			want(slices.ContainsFunc(other.Exclusions, func(o schema.Exclusion) bool { return o.Definition == x.Definition }),
				"%s: the exclusion %s is not there", t.QName(), x.Name)
		}
	}
	g := Gate{Name: "constraint validity", Pass: len(broken) == 0, Score: 1, Broken: broken}
	if total > 0 {
		g.Score = 1 - float64(len(broken))/float64(total)
	}
	return g
}
