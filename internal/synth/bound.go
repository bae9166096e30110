package synth

import (
	"encoding/binary"
	"slices"

	"github.com/rehearse-dev/rehearse/internal/rows"
)

// bind notes columns whose values another reference decides, as in
// (tenant, user) -> users beside (tenant, project) -> projects: the second must
// lead to a project of the tenant that the first has.
func (r *reference) bind(positions []int) { r.bound = positions }

// group finds the parents for each combination of values of the bound columns.
// Those of the same table are found row by row, as they are accepted.
func (r *reference) group() {
	r.groups = map[string][]int32{}
	r.key = newKeyReader(r.to, pickInts(r.targets, r.bound))
	if !r.self {
		for i := range r.to.rows {
			r.join(i)
		}
	}
}

// join adds a parent to its group.
func (r *reference) join(parent int64) {
	k := r.key.read(parent, r.to.attempt(parent))
	if all, ok := r.groups[string(k)]; ok {
		r.groups[string(k)] = append(all, int32(parent))
		return
	}
	r.groups[string(k)] = []int32{int32(parent)}
}

// boundParent picks a parent that has the row's own values in the bound columns.
func (r *reference) boundParent(row int64, attempt int) (int64, bool) {
	key := newKeyReader(r.from, pickInts(r.columns, r.bound))
	fitting := r.groups[string(key.read(row, attempt))]
	if r.self {
		before, _ := slices.BinarySearch(fitting, int32(row))
		if fitting = fitting[:before]; before == 0 {
			return row, r.required() // the first of its kind
		}
	}
	if len(fitting) == 0 {
		return 0, false
	}
	return int64(fitting[below(mix(r.seed^mix(uint64(row)^stir(attempt))), int64(len(fitting)))]), true
}

func pickInts(from, positions []int) []int {
	out := make([]int, len(positions))
	for i, p := range positions {
		out[i] = from[p]
	}
	return out
}

// implied reports whether a reference holds because a wider one does: users of a
// tenant refer to the tenant, so who refers to a user and the user's tenant does
// too.
func implied(t *table, r *reference) bool {
	for _, wide := range t.references {
		if !subset(r.fk.Columns, wide.fk.Columns) {
			continue
		}
		mapped := make([]string, len(r.fk.Columns))
		for i, c := range r.fk.Columns {
			mapped[i] = wide.fk.To[slices.Index(wide.fk.Columns, c)]
		}
		if wide.to == r.to && slices.Equal(mapped, r.fk.To) {
			return true
		}
		for _, fk := range wide.to.schema.ForeignKeys {
			if fk.Table == r.fk.Table && slices.Equal(fk.Columns, mapped) && slices.Equal(fk.To, r.fk.To) {
				return true
			}
		}
	}
	return false
}

// addTested adds a reference whose columns are all decided elsewhere: a row finds
// its parent by chance, among the keys that there are.
func (t *table) addTested(r *reference) {
	var there hashes
	key := newKeyReader(r.to, r.targets)
	for i := range r.to.rows {
		there.add(hash(key.read(i, r.to.attempt(i))))
	}
	var buf []byte
	t.rules = append(t.rules, rule{
		what: "FOREIGN KEY " + r.fk.Name, columns: r.columns,
		holds: func(b *rows.Batch, i int, _ int64) bool {
			buf = buf[:0]
			for _, ci := range r.columns {
				if b.Columns[ci].Null[i] {
					return true
				}
				buf = appendKeyPart(buf, t.columns[ci], &b.Columns[ci], i)
			}
			return there.has(hash(buf))
		},
	})
}

// addFound adds that a reference which others bind finds a parent, where it must.
func (t *table) addFound(r *reference) {
	if !r.required() {
		return
	}
	own := -1 // a column that is the reference's own
	for k, ci := range r.columns {
		if !slices.Contains(r.bound, k) {
			own = ci
		}
	}
	t.rules = append(t.rules, rule{
		what: "FOREIGN KEY " + r.fk.Name, columns: r.columns,
		holds: func(b *rows.Batch, i int, _ int64) bool { return !b.Columns[own].Null[i] },
	})
}

// keyReader makes one text of the values that some columns of a row have.
type keyReader struct {
	columns []*column
	out     []rows.Column
	batch   rows.Batch
	buf     []byte
}

func newKeyReader(t *table, columns []int) *keyReader {
	k := &keyReader{}
	for _, c := range columns {
		k.columns = append(k.columns, t.columns[c])
		k.out = append(k.out, t.columns[c].out)
	}
	return k
}

func (k *keyReader) read(row int64, attempt int) []byte {
	k.batch.Reset(k.out, 1)
	k.buf = k.buf[:0]
	for i, c := range k.columns {
		v := &k.batch.Columns[i]
		c.put(v, 0, row, attempt)
		if isText(c.out.Kind) {
			v.End()
		}
		k.buf = appendKeyPart(k.buf, c, v, 0)
	}
	return k.buf
}

// appendKeyPart adds a value to a key; values that the server takes for equal
// give the same bytes.
func appendKeyPart(dst []byte, c *column, v *rows.Vector, i int) []byte {
	if v.Null[i] {
		return append(dst, 0, 0)
	}
	if c.out.Kind == rows.Timestamp {
		return binary.LittleEndian.AppendUint64(dst, uint64(v.Ints[i])) // which is quicker than a text
	}
	from := len(dst)
	dst = appendText(dst, c.out, v, i)
	if c.schema.CaseInsensitive {
		copy(dst[from:], lower(dst[from:]))
	}
	return append(dst, 0, 1)
}

// lower lowers ASCII, in place.
func lower(b []byte) []byte {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}
