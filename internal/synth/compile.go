package synth

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/words"
)

// Options say how a dataset is made.
type Options struct {
	// Profile is production's shape; nil: the schema's own, see [Invent].
	Profile *profile.Data
	// Scale of the number of rows; 0: 1. Small lookup tables keep their size.
	Scale float64
	Seed  uint64
	// Now is what times are relative to; zero: when the profile was taken.
	Now time.Time
	// Meanings overrules what columns are guessed to mean, by "table.column".
	Meanings map[string]words.Meaning
	// References that no constraint states, by the table's name.
	References map[string][]schema.ForeignKey
	// Rules are further conditions on rows, by the table's name.
	Rules map[string][]schema.Check
	// Locales of names and addresses; empty: by the scripts that the profile saw.
	Locales []string
	// Kept are tables that hold rows already, which stay as they are: of each, the
	// columns that other tables refer to. They are not among the program's tables.
	Kept map[string]Kept
	// Rows of a table for which the profile says nothing; 0: 1000 before scaling.
	Rows int64
}

// Kept is what is known of a table that is left alone.
type Kept struct {
	Rows int64
	// Values of columns by name, in the server's text form; nil is NULL. All have
	// the same order of rows.
	Values map[string][][]byte
}

// Program is a compiled dataset.
type Program struct {
	schema *schema.Schema
	tables []*table
	byName map[string]*table
	o      Options
	now    int64 // µs since 1970
	notes  []string
	amends amends
}

var _ rows.Dataset = (*Program)(nil)

// Schema is the schema that the rows are for.
func (p *Program) Schema() *schema.Schema { return p.schema }

// Tables gives the tables, each behind those that it refers to.
func (p *Program) Tables() []rows.Table {
	var out []rows.Table
	for _, t := range p.tables {
		if !t.kept {
			out = append(out, t)
		}
	}
	return out
}

// Notes say, one sentence each, where the dataset is not what was asked for.
func (p *Program) Notes() []string { return p.notes }

// time is the dataset's now.
func (p *Program) time() time.Time { return time.UnixMicro(p.now).UTC() }

func (p *Program) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// Compile makes the program of a dataset. Its error, a [rehearse.Problems], names
// every constraint for which no rows could be found. Compiling tests rows where
// constraints ask for it, so it may take as long as making them; ctx stops it.
func Compile(ctx context.Context, s *schema.Schema, o Options) (*Program, error) {
	a := amends{most: map[string]shortage{}, loose: map[string]bool{}}
	for range maxAmends {
		p, err := compile(ctx, s, o, a)
		if err == nil {
			return p, nil
		}
		if !p.amend(&a) || ctx.Err() != nil {
			return nil, err
		}
	}
	_, err := compile(ctx, s, o, a)
	return nil, err
}

// maxAmends is how often compiling begins anew.
const maxAmends = 20

// amends are what was learnt by compiling in vain.
type amends struct {
	// most are the tables that a key allows no more rows.
	most map[string]shortage
	// loose are columns, by "table.column", whose values a key wants to differ but a
	// CHECK wants to choose: their rows are tested instead.
	loose map[string]bool
}

// shortage is how many rows a table has at most, and because of what.
type shortage struct {
	rows int64
	what string
}

// amend adds what the program has taught, and reports whether that is something
// new.
func (p *Program) amend(a *amends) bool {
	again := false
	for _, t := range p.tables {
		for _, ci := range t.rigid {
			if name := t.name + "." + t.columns[ci].schema.Name; !a.loose[name] {
				a.loose[name], again = true, true
			}
		}
		if t.short != nil && t.most > 0 {
			a.most[t.name], again = shortage{t.most, t.short.what}, true
		}
	}
	return again
}

func compile(ctx context.Context, s *schema.Schema, o Options, a amends) (*Program, error) {
	if o.Scale == 0 {
		o.Scale = 1
	}
	if o.Rows == 0 {
		o.Rows = 1000
	}
	p := &Program{schema: s, o: o, byName: map[string]*table{}, amends: a}
	taken := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if o.Profile != nil && !o.Profile.Source.Taken.IsZero() {
		taken = o.Profile.Source.Taken
	}
	if !o.Now.IsZero() {
		taken = o.Now
	}
	p.now = taken.UnixMicro()
	ordered, _ := s.Order()
	for _, st := range ordered {
		if st.PartitionOf != nil {
			continue
		}
		t := &table{program: p, schema: st, name: st.QName(), byName: map[string]int{}}
		t.seed = seedOf(o.Seed, t.name)
		p.tables = append(p.tables, t)
		p.byName[t.name] = t
	}
	for _, t := range p.tables {
		t.profile = p.profileOf(t)
	}
	for _, t := range p.tables {
		if k, ok := o.Kept[t.name]; ok {
			if err := t.keep(k); err != nil {
				return p, err
			}
			continue
		}
		t.addColumns()
	}
	for _, t := range p.tables {
		if !t.kept {
			t.addReferences()
		}
	}
	for _, t := range p.tables {
		if !t.kept {
			t.addRoutes()
		}
		for _, c := range t.columns {
			if !t.kept {
				c.narrow()
				c.unique = c.mustBeUnique()
			}
		}
	}
	for _, t := range p.tables {
		if !t.kept {
			t.size()
		}
		t.sized = true
	}
	p.leaveEmpty()
	b := &builder{p: p, nodes: map[string]*node{}, open: map[string]bool{}}
	for _, t := range p.tables {
		for _, r := range t.references {
			b.reference(r)
		}
	}
	var problems rehearse.Problems
	for _, t := range p.tables {
		for _, c := range t.columns {
			if t.kept {
				continue
			}
			if err := b.column(c); err != nil {
				problems = append(problems, err)
			}
		}
	}
	if err := problems.Err(); err != nil {
		return p, err
	}
	for _, t := range p.tables {
		if t.kept {
			continue
		}
		t.addOrders()
		t.addRules()
		if err := t.accept(ctx); err != nil {
			if ctx.Err() != nil {
				return p, ctx.Err()
			}
			problems = append(problems, err...)
		}
	}
	return p, problems.Err()
}

// profileOf is what the profile says of a table, or what its schema suggests. The
// result is the program's own.
func (p *Program) profileOf(t *table) *profile.DataTable {
	if k, ok := p.o.Kept[t.name]; ok {
		return &profile.DataTable{Name: t.name, Rows: k.Rows}
	}
	if p.o.Profile != nil {
		if found, ok := p.o.Profile.Table(t.name); ok {
			out := *found
			return &out
		}
		p.note("The profile says nothing of table %s; its rows follow from the schema alone.", t.name)
	}
	return invent(t.schema, p.o.Rows)
}

// addColumns makes the columns that are written.
func (t *table) addColumns() {
	for i := range t.schema.Columns {
		sc := &t.schema.Columns[i]
		if sc.Generated != "" {
			continue
		}
		c := &column{table: t, schema: sc, seed: seedOf(t.seed, sc.Name)}
		c.out = rows.Column{Name: sc.Name, Type: sc.Type, Kind: rows.KindOf(sc.Type)}
		if found, ok := t.profile.Column(sc.Name); ok {
			c.profile = *found
		} else {
			c.profile = inventColumn(t.schema, sc)
		}
		if c.out.Kind == rows.Decimal {
			c.out.Scale = decimalScale(sc.Type, c.profile.Numbers)
		}
		if m, ok := t.program.o.Meanings[t.name+"."+sc.Name]; ok {
			c.profile.Meaning = string(m)
		} else if c.profile.Meaning == "" {
			c.profile.Meaning = string(words.Guess(t.name, sc.Name, sc.Type, sc.Comment))
		}
		c.limit = typeLimit(sc.Type)
		if c.profile.Meaning == string(words.Country) && (c.limit.length == 2 || c.limit.length == 3) {
			c.profile.Meaning = string(words.CountryCode)
		}
		t.byName[sc.Name] = len(t.columns)
		t.columns = append(t.columns, c)
		t.out = append(t.out, c.out)
	}
}

func decimalScale(t schema.Type, n *profile.DataNumbers) int {
	switch {
	case t.Precision > 0:
		return min(max(t.Scale, 0), 18)
	case n != nil:
		return min(n.Scale, 9)
	}
	return 2
}

// addReferences makes the references, the widest first, so that a column that
// several share takes its value from the one that says most.
func (t *table) addReferences() {
	fks := slices.Clone(t.schema.ForeignKeys)
	for _, r := range t.profile.References {
		if r.Inferred {
			fks = append(fks, schema.ForeignKey{Columns: r.Columns, Table: r.Table, To: r.To, Inferred: true})
		}
	}
	fks = append(fks, t.program.o.References[t.name]...)
	slices.SortStableFunc(fks, func(a, b schema.ForeignKey) int { return cmp.Compare(len(b.Columns), len(a.Columns)) })
	for _, fk := range fks {
		to, ok := t.program.byName[fk.Table]
		if !ok || len(fk.To) != len(fk.Columns) {
			continue
		}
		r := &reference{fk: fk, from: t, to: to, self: to == t, seed: seedOf(t.seed, "->", strings.Join(fk.Columns, ","))}
		free := true
		for i, name := range fk.Columns {
			own, ok1 := t.byName[name]
			target, ok2 := to.byName[fk.To[i]]
			if !ok1 || !ok2 {
				free = false
				break
			}
			r.columns, r.targets = append(r.columns, own), append(r.targets, target)
		}
		if !free {
			continue
		}
		var taken, open []int
		for k, c := range r.columns {
			if t.columns[c].ref != nil || leadsTo(to.columns[r.targets[k]], t.columns[c]) {
				taken = append(taken, k)
			} else {
				open = append(open, k)
			}
		}
		switch {
		case len(open) == 0:
			if !implied(t, r) && !fk.Inferred {
				t.tested = append(t.tested, r)
			}
			continue
		case len(taken) > 0:
			r.bind(taken)
		}
		for _, k := range open {
			t.columns[r.columns[k]].ref, t.columns[r.columns[k]].target = r, r.targets[k]
		}
		for _, k := range t.schema.Keys {
			if cols := k.Columns(); cols != nil && k.Where == "" && subset(cols, fk.Columns) {
				r.one = true
			}
		}
		if found, ok := t.profile.Reference(fk.Columns); ok && fk.Inferred {
			r.orphans = found.Orphans
		}
		t.references = append(t.references, r)
	}
	t.driving = t.drives()
}

// leadsTo reports whether a column is another, or takes its value from it in the
// end.
func leadsTo(c, other *column) bool {
	for c != other {
		if c.ref == nil {
			return false
		}
		c = c.ref.to.columns[c.target]
	}
	return true
}

// drives picks the reference whose children stand together: the one whose column
// stands first in the primary key, so that the rest of the key is told apart
// within it.
func (t *table) drives() *reference {
	pk, ok := t.schema.Primary()
	if !ok || len(pk.Parts) < 2 {
		return nil
	}
	for _, r := range t.references {
		if !r.self && slices.Contains(r.fk.Columns, pk.Parts[0].Column) {
			return r
		}
	}
	return nil
}

func subset(small, large []string) bool {
	for _, s := range small {
		if !slices.Contains(large, s) {
			return false
		}
	}
	return true
}

// size decides how many rows there are.
func (t *table) size() {
	rowsWanted := t.profile.Rows
	n := int64(math.Round(float64(rowsWanted) * t.program.o.Scale))
	if t.lookup() {
		n = rowsWanted
	}
	if rowsWanted > 0 {
		odd := int64(0)
		for _, c := range t.columns {
			odd = max(odd, int64(len(c.profile.Artifacts)))
		}
		n = max(n, min(rowsWanted, max(2*odd, 1)))
	}
	if len(t.columns) == 0 {
		n = 0 // there is nothing to write
	}
	t.rows = n
	if m, ok := t.program.amends.most[t.name]; ok && t.rows > m.rows {
		t.program.note("Table %s has %d rows and not %d: no more were found that satisfy %s.", t.name, m.rows, t.rows, m.what)
		t.rows = m.rows
	}
	for _, k := range t.schema.Keys {
		cols := k.Columns()
		if len(cols) == 0 || k.Where != "" {
			continue
		}
		most := int64(1)
		counted := map[*reference]bool{}
		for _, name := range cols {
			c := t.columnNamed(name)
			if c == nil || c.schema.Type.Kind == "" {
				most = math.MaxInt64
				break
			}
			if !c.schema.NotNull && !k.NullsEqual && c.profile.Null > 0 {
				most = math.MaxInt64
				break
			}
			each := capacity(c.schema.Type, c.limit)
			if c.ref != nil && c.ref.to.sized {
				if counted[c.ref] {
					continue // what a reference leads to has been counted
				}
				counted[c.ref] = true
				each = c.ref.to.rows
			}
			if each > 0 && most > math.MaxInt64/each {
				most = math.MaxInt64
				break
			}
			most *= each
		}
		if t.rows > most {
			t.program.note("Table %s has %d rows and not %d: its key %s has no more values.", t.name, most, t.rows, k.Name)
			t.rows = most
		}
	}
}

// leaveEmpty empties the tables whose rows would have to refer to a table that is
// empty.
func (p *Program) leaveEmpty() {
	for again := true; again; {
		again = false
		for _, t := range p.tables {
			for _, r := range t.references {
				if r.to.rows == 0 && r.to != t && r.required() && t.rows > 0 {
					p.note("Table %s is empty: every row would have to refer to one of %s, which is.", t.name, r.to.name)
					t.rows, again = 0, true
				}
			}
		}
	}
}

// required: no row may refer to nobody.
func (r *reference) required() bool {
	for _, c := range r.columns {
		if !r.from.columns[c].schema.NotNull {
			return false
		}
	}
	return true
}

func (t *table) columnNamed(name string) *column {
	if i, ok := t.byName[name]; ok {
		return t.columns[i]
	}
	return nil
}

// lookup tables are small, are referred to by larger ones and refer to none that
// grow: countries, kinds, roles. Their size is not a matter of scale.
func (t *table) lookup() bool {
	if t.decided {
		return t.small
	}
	t.decided = true // tables that refer to one another in a circle grow
	if t.profile.Rows > 300 {
		return false
	}
	for _, r := range t.references {
		if r.to != t && !r.to.lookup() {
			return false
		}
	}
	for _, other := range t.program.tables {
		for _, r := range other.references {
			if r.to == t && other != t && other.profile.Rows >= 4*t.profile.Rows {
				t.small = true
			}
		}
	}
	return t.small
}

// Sequences are where the sequences of columns go on: behind the highest value,
// or where production's stands.
func (p *Program) Sequences() []rows.Sequence {
	var out []rows.Sequence
	for _, t := range p.tables {
		if t.kept {
			continue
		}
		for _, c := range t.columns {
			if c.schema.Sequence == "" && c.schema.Identity == "" || c.out.Kind != rows.Int || c.ref != nil {
				continue
			}
			seq := rows.Sequence{Table: t.name, Column: c.schema.Name, Name: c.schema.Sequence, Last: c.profile.Sequence}
			if m, ok := c.make.(*increasing); ok && t.rows > 0 {
				n := c.node.total[len(c.node.total)-1]
				if n > 0 {
					seq.Last = max(seq.Last, m.value(place{rank: n - 1, n: n}))
				}
			}
			if float64(seq.Last) > c.limit.max {
				seq.Last = int64(c.limit.max)
			}
			if seq.Last > 0 {
				out = append(out, seq)
			}
		}
	}
	return out
}
