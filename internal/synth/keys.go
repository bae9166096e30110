package synth

import (
	"encoding/binary"
	"regexp"

	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// key reads what a key makes of a row.
type key struct {
	table      *table
	parts      []keyPart
	columns    []int // of all parts
	where      *schema.Expr
	nullsEqual bool
	buf        []byte
}

// keyPart is one part of a key: an expression, or a column.
type keyPart struct {
	expr    *schema.Expr
	columns []int
	prefix  int
	// apart: the column's values differ in this part whenever they differ.
	apart bool
}

// newKey reads a key; ok is false where it is left to the server.
func (t *table) newKey(k schema.Key) (*key, bool) {
	out := &key{table: t, nullsEqual: k.NullsEqual}
	if k.Where != "" {
		if e, err := schema.ParseExpr(t.program.schema.Engine, k.Where); err == nil {
			out.where = e
		} // otherwise the key is taken to hold for all rows, which is more than is asked
	}
	for _, p := range k.Parts {
		part := keyPart{prefix: p.Prefix}
		if p.Expr == "" {
			if e := t.generated[p.Column]; e != nil {
				part.expr = e
				part.columns, _ = t.reads(e)
			} else if ci, ok := t.byName[p.Column]; ok {
				part.columns, part.apart = []int{ci}, p.Prefix == 0
			} else {
				t.program.note("Table %s: the key %s is left to the server: %s is a generated column whose expression is not understood.", t.name, k.Name, p.Column)
				return nil, false
			}
		} else if e, err := schema.ParseExpr(t.program.schema.Engine, p.Expr); err == nil {
			part.expr = e
			part.columns, _ = t.reads(e)
			part.apart = folds.MatchString(p.Expr)
		} else {
			// Values that differ where the expression is not understood are taken to
			// differ in it too; the server has the last word.
			for ci, c := range t.columns {
				if mentionsOnly(t.schema, p.Expr, c.schema.Name) {
					part.columns, part.apart = []int{ci}, true
				}
			}
		}
		out.parts = append(out.parts, part)
		out.columns = append(out.columns, part.columns...)
	}
	return out, true
}

// folds are expressions of a text in which texts that are made to be unique
// differ.
var folds = regexp.MustCompile(`^\(?(lower|upper)\(\(?"?\w+"?\)?(::text)?\)\)?$`)

// built reports whether values that are made to be unique, or references that
// never lead to the same row twice, keep the key by construction.
func (k *key) built() bool {
	for _, p := range k.parts {
		for _, ci := range p.columns {
			c := k.table.columns[ci]
			if c.unique && p.apart && (!k.nullsEqual || c.schema.NotNull || len(k.parts) == 1) {
				return true
			}
			if c.ref != nil && c.ref.one && len(c.ref.columns) == 1 && c.ref.exact() {
				return true
			}
		}
	}
	return false
}

// of is a hash of what a row has in the key; counts is false for rows that the key
// does not concern. Two keys that share a hash by chance cost one row another
// attempt.
func (k *key) of(b *rows.Batch, i int) (h uint64, counts bool) {
	if k.where != nil {
		v, err := k.where.Eval(func(name string) schema.Value { return k.table.value(name, b, i) }, k.table.program.time())
		if err == nil && (v.IsNull() || v.IsFalse()) {
			return 0, false
		}
	}
	k.buf = k.buf[:0]
	for _, p := range k.parts {
		if null := k.append(p, b, i); null && !k.nullsEqual {
			return 0, false
		}
	}
	return hash(k.buf), true
}

func (k *key) append(p keyPart, b *rows.Batch, i int) (null bool) {
	if p.expr != nil {
		v, err := p.expr.Eval(func(name string) schema.Value { return k.table.value(name, b, i) }, k.table.program.time())
		if err == nil {
			k.buf = append(append(k.buf, v.String()...), 0, 1)
			return v.IsNull()
		}
	}
	for _, ci := range p.columns {
		v := &b.Columns[ci]
		null = null || v.Null[i]
		from := len(k.buf)
		k.buf = appendKeyPart(k.buf, k.table.columns[ci], v, i)
		if p.prefix > 0 && len(k.buf)-from > p.prefix+2 {
			k.buf = append(k.buf[:from+fit(k.buf[from:len(k.buf)-2], p.prefix)], 0, 1)
		}
	}
	return null
}

// addKey adds a key of which construction alone does not make sure. While rows are
// tested it keeps 16 to 32 bytes for each.
func (t *table) addKey(k schema.Key) {
	key, ok := t.newKey(k)
	if !ok || key.built() {
		return
	}
	var seen hashes
	var found uint64 // of the row that was tested last
	var counts bool
	t.rules = append(t.rules, rule{
		what: "UNIQUE " + k.Name, columns: key.columns,
		holds: func(b *rows.Batch, i int, _ int64) bool {
			if found, counts = key.of(b, i); !counts {
				return true
			}
			return !seen.has(found)
		},
		keep: func() {
			if counts {
				seen.add(found)
			}
		},
	})
}

// hash is 64 bits of some bytes.
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
