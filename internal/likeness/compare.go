package likeness

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Options are how databases are compared. The zero value is useful.
type Options struct {
	// Rows is how many rows of a table are read at most on each side, 100,000 unless
	// given; a sample of as many where there are more.
	Rows int64
	// PairsPerReference is how many pairs of columns are scored across one
	// reference, 100 unless given. Where there are more, they are taken at even
	// steps from all pairs, the parent's columns in order and in each the child's.
	PairsPerReference int
	// Worst is how many losses the report lists, 20 unless given.
	Worst int
	// OwnEdges cuts each side's numbers into bins by its own bounds, as SDMetrics'
	// quality report does, and not both by the original's, as its metric does.
	OwnEdges bool
	// Profile is the profile that the generated database was made from, where there
	// is one. It says which columns are private, which references no constraint
	// states, and which tables are too small for it.
	Profile *profile.Data
	// Now is when [Against] takes the generated database to be of, where it is not of
	// when the profile was taken.
	Now time.Time
	// Progress, unless nil, is called when a table has been compared.
	Progress func(table string, done, tables int)
}

func (o Options) withDefaults() Options {
	if o.Rows <= 0 {
		o.Rows = 100_000
	}
	if o.PairsPerReference <= 0 {
		o.PairsPerReference = 100
	}
	if o.Worst <= 0 {
		o.Worst = 20
	}
	return o
}

// k is how many rows must share a value that a report names.
func (o Options) k() int {
	if o.Profile != nil && o.Profile.Privacy.K > 0 {
		return o.Profile.Privacy.K
	}
	return 20
}

// Compare reads two databases table by table and scores how alike they are. Both
// are only read; a table is held in memory while it is compared, up to
// [Options.Rows] rows of either side.
func Compare(ctx context.Context, original, generated measure.Source, o Options) (*Report, error) {
	o = o.withDefaults()
	r, err := newReader(ctx, [2]measure.Source{original, generated}, o)
	if err != nil {
		return nil, err
	}
	c := &comparison{reader: r}
	c.gates = append(c.gates, constraintGate(original.Schema(), generated.Schema()))
	tables := c.match(original.Schema(), generated.Schema())
	sdtypes := map[string]*table{}
	for i, t := range tables {
		if err := r.read(ctx, t); err != nil {
			return nil, err
		}
		c.table(t)
		forget(t)
		sdtypes[t.QName()] = t
		if o.Progress != nil {
			o.Progress(t.QName(), i+1, 2*len(tables))
		}
	}
	for i, t := range tables {
		if t.rows[real] > 0 {
			if err := c.across(ctx, t, sdtypes); err != nil {
				return nil, err
			}
		}
		if o.Progress != nil {
			o.Progress(t.QName(), len(tables)+i+1, 2*len(tables))
		}
	}
	c.gates = append(c.gates, c.integrityGate())
	return c.report("rows", o.Worst, o.Profile), nil
}

// comparison is a comparison under way.
type comparison struct {
	*reader
	collector
	broken []string // references
	least  float64  // integrity of a reference
	proven bool     // some reference that must hold was looked at
}

// match makes tables of what both sides have.
func (c *comparison) match(a, b *schema.Schema) []*table {
	for _, d := range schema.Diff(a, b) {
		c.note("The generated database's schema is another: %s.", d)
	}
	var out []*table
	by := map[string]*table{}
	for _, t := range a.Tables {
		if t.PartitionOf != nil {
			continue // its rows are the parent's
		}
		other, ok := b.Table(t.QName())
		if !ok {
			c.score(ColumnShapes, Item{Table: t.QName(), Column: "*", Metric: "TableStructure", What: "the table is not there"}, "")
			continue
		}
		n := &table{Table: t}
		for _, fk := range c.references(t) {
			to, known := a.Table(fk.Table)
			toOther, there := b.Table(fk.Table)
			if known && there && hasAll(other, fk.Columns) && hasAll(toOther, fk.To) && to.PartitionOf == nil {
				n.references = append(n.references, reference{ForeignKey: fk})
			}
		}
		for _, def := range t.Columns {
			if is, _ := other.Column(def.Name); is == nil {
				c.score(ColumnShapes, Item{Table: t.QName(), Column: def.Name, Metric: "TableStructure", What: "the column is not there"}, "")
				continue
			}
			n.columns = append(n.columns, &column{Column: def, sdtype: sdtypeOf(t, def, c.references(t), c.private(t.QName(), def.Name)), k: c.o.k(), now: c.now})
		}
		out = append(out, n)
		by[t.QName()] = n
	}
	for _, t := range out {
		for _, ref := range t.references {
			if parent := by[ref.Table]; parent != nil {
				parent.children = append(parent.children, children{ChildCount: measure.ChildCount{Table: t.QName(), Reference: ref.ForeignKey}})
			}
		}
	}
	return out
}

// references are those that constraints state, and those of the profile that
// none does.
func (c *comparison) references(t *schema.Table) []schema.ForeignKey {
	out := slices.Clone(t.ForeignKeys)
	if c.o.Profile == nil {
		return out
	}
	pt, ok := c.o.Profile.Table(t.QName())
	if !ok {
		return out
	}
	for _, ref := range pt.References {
		declared := slices.ContainsFunc(out, func(fk schema.ForeignKey) bool {
			return fk.Table == ref.Table && slices.Equal(fk.Columns, ref.Columns)
		})
		if !declared && ref.Inferred && hasAll(t, ref.Columns) {
			out = append(out, schema.ForeignKey{Columns: ref.Columns, Table: ref.Table, To: ref.To, Inferred: true})
		}
	}
	return out
}

func (c *comparison) private(table, column string) bool {
	if c.o.Profile == nil {
		return false
	}
	t, ok := c.o.Profile.Table(table)
	if !ok {
		return false
	}
	col, ok := t.Column(column)
	return ok && col.Private != ""
}

func hasAll(t *schema.Table, columns []string) bool {
	return !slices.ContainsFunc(columns, func(name string) bool {
		c, _ := t.Column(name)
		return c == nil
	})
}

// table scores what lies in one table.
func (c *comparison) table(t *table) {
	name := t.QName()
	if t.rows[real] == 0 {
		c.leaveOut(name, "the table is empty in the original")
		return
	}
	c.tables = append(c.tables, Table{Name: name, Real: t.rows[real], Synthetic: t.rows[synthetic]})
	c.tooSmall(name, t.rows[real], c.o.Profile)
	if t.sampled {
		c.note("Of %s a sample of up to %d rows of each side was read.", name, c.o.Rows)
	}
	for _, col := range t.columns {
		c.column(t, col)
	}
	c.pairs(t)
	for _, ch := range t.children {
		c.cardinality(t, ch)
	}
	for _, ref := range t.references {
		c.integrity(t, ref)
	}
}

// tooSmall reports a table of which a profile cannot hold much.
func (c *collector) tooSmall(table string, rows int64, p *profile.Data) {
	if p != nil && rows < 2*int64(p.Privacy.K) {
		c.small = append(c.small, table)
	}
}

// column scores one column's shape, missing values and validity.
func (c *comparison) column(t *table, col *column) {
	item := Item{Table: t.QName(), Column: col.Name}
	a, b := &col.sides[real], &col.sides[synthetic]
	place := item.Place()
	if n := a.unreadable + b.unreadable; n > 0 {
		c.note("%d values of %s are no %s and are taken for missing.", n, place, col.Type.Kind)
	}
	if b.rows > 0 && !col.NotNull {
		x, y := float64(a.nulls)/float64(a.rows), float64(b.nulls)/float64(b.rows)
		item.Metric, item.Score, item.What = "MissingValueSimilarity", MissingValueSimilarity(x, y), changed("NULL", x, y)
		c.score(MissingValues, item, "")
	}
	if a.artifacts != 0 {
		item.Metric, item.Score, item.What = coverage(a.artifacts.Names(), b.artifacts.Names())
		c.score(ArtifactCoverage, item, "")
	}
	switch {
	case col.present(real) == 0:
		if col.sdtype.scored() {
			c.leaveOut(place, "every value is NULL in the original")
		}
		return
	case col.sdtype.continuous():
		item.Metric, item.Score = "KSComplement", KSComplement(a.numbers, b.numbers)
		item.What = quantilesOf(col)
		c.score(ColumnShapes, nothing(item, b.rows), "")
		item.Metric, item.Score = "BoundaryAdherence", BoundaryAdherence(a.numbers, b.numbers)
		c.score(DataValidity, item, "")
	case col.sdtype.discrete():
		item.Metric, item.Score = "TVComplement", TVComplement(a.codes, b.codes)
		item.What = categoriesOf(col)
		c.score(ColumnShapes, nothing(item, b.rows), "")
		item.Metric, item.Score = "CategoryAdherence", CategoryAdherence(a.codes, b.codes)
		c.score(DataValidity, item, "")
	default:
		c.text(item, col)
	}
}

// coverage is the share of artifacts that are there at all.
func coverage(want, are []string) (metric string, score float64, what string) {
	lost := slices.DeleteFunc(slices.Clone(want), func(name string) bool { return slices.Contains(are, name) })
	if len(lost) > 0 {
		what = "not there: " + strings.Join(lost, ", ")
	}
	return "ArtifactCoverage", 1 - float64(len(lost))/float64(len(want)), what
}

// nothing is a score of 0 for values of which the generated side has none, where
// SDMetrics has no score at all.
func nothing(i Item, rows int) Item {
	if math.IsNaN(i.Score) {
		i.Score, i.What = 0, "every value is NULL"
		if rows == 0 {
			i.What = "the table is empty"
		}
	}
	return i
}

// text scores the shape of texts that SDMetrics does not look at: the mean of the
// likeness of lengths and of formats.
func (c *comparison) text(item Item, col *column) {
	if col.sdtype == ID {
		return
	}
	a, b := &col.sides[real], &col.sides[synthetic]
	lengths, formats := KSComplement(a.lengths, b.lengths), TVComplement(a.formats, b.formats)
	item.Metric, item.Score = "TextShape", (lengths+formats)/2
	item.What = fmt.Sprintf("lengths %.2f alike, formats %.2f alike", lengths, formats)
	c.score(TextShapes, nothing(item, b.rows), "")
}

// cardinality scores how many rows of another table refer to each row.
func (c *comparison) cardinality(t *table, ch children) {
	item := Item{Table: ch.Table, Reference: referenceName(ch.Reference.Columns, t.QName()), Metric: "CardinalityShapeSimilarity"}
	a, b := ch.numbers[real], ch.numbers[synthetic]
	switch {
	case len(a) == 0:
		c.leaveOut(item.Place(), "the children of a row could not be counted")
		return
	case !slices.ContainsFunc(a, func(n float64) bool { return n > 0 }):
		c.leaveOut(item.Place(), "no row refers to another in the original")
		return
	}
	item.Score = KSComplement(a, b)
	if len(b) > 0 {
		item.What = fmt.Sprintf("children of a row: mean %.3g → %.3g, without any %.2f → %.2f, most %.6g → %.6g",
			mean(a), mean(b), zeros(a), zeros(b), slices.Max(a), slices.Max(b))
	}
	c.score(Cardinality, nothing(item, len(b)), "")
}

func zeros(counts []float64) float64 {
	var n int
	for _, c := range counts {
		if c == 0 {
			n++
		}
	}
	return float64(n) / float64(len(counts))
}

// integrity scores whether references lead somewhere. Those of which production
// itself has some that do not must not be held to more.
func (c *comparison) integrity(t *table, ref reference) {
	if ref.given[synthetic] == 0 {
		return
	}
	ratio := func(which int) float64 { return float64(ref.found[which]) / float64(ref.given[which]) }
	item := Item{Table: t.QName(), Reference: referenceName(ref.Columns, ref.Table), Metric: "ReferentialIntegrity", Score: ratio(synthetic)}
	item.What = fmt.Sprintf("%d of %d lead nowhere", ref.given[synthetic]-ref.found[synthetic], ref.given[synthetic])
	c.score(ReferentialIntegrity, item, "")
	orphans := ref.given[real] > 0 && ref.found[real] < ref.given[real]
	if ref.NotValid || ref.Inferred && orphans {
		return
	}
	if !c.proven {
		c.proven, c.least = true, 1
	}
	c.least = min(c.least, item.Score)
	if item.Score < 1 {
		c.broken = append(c.broken, fmt.Sprintf("%s: %s", item.Place(), item.What))
	}
}

func (c *comparison) integrityGate() Gate {
	if !c.proven {
		return Gate{Name: "referential integrity", Pass: true, Score: 1}
	}
	return Gate{Name: "referential integrity", Pass: len(c.broken) == 0, Score: c.least, Broken: c.broken}
}

// forget lets go of a table's values, and keeps the columns' types.
func forget(t *table) {
	t.columns = renewed(t.columns)
	for i := range t.children {
		t.children[i].numbers = [2][]float64{}
	}
}
