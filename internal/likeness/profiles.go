package likeness

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Against measures a database and compares the outcome with the profile that the
// database was made from. Nothing of the original is needed.
//
// The measure's K is the profile's in the proportion of the rows, so that a twentieth
// of the data lists the same values and has as many quantiles.
func Against(ctx context.Context, p *profile.Data, s measure.Source, o Options) (*Report, error) {
	o = o.withDefaults()
	statistics, err := s.Statistics(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the planner's statistics: %w", err)
	}
	var rows, want int64
	for _, t := range p.Tables {
		if found, ok := statistics[t.Name]; ok {
			rows += found.Rows
			want += t.Rows
		}
	}
	k := max(p.Privacy.K, 1)
	if rows > 0 && rows < want {
		k = max(1, int(math.Round(float64(k)*float64(rows)/float64(want))))
	}
	mo := measure.Options{K: k, Sample: o.Rows, AllowWrite: true, Seed: 1, Now: o.Now}
	if mo.Now.IsZero() {
		mo.Now = p.Source.Taken
	}
	if o.Progress != nil {
		mo.Progress = func(m measure.Progress) { o.Progress(m.Table, m.Done, m.Tables) }
	}
	is, err := measure.Profile(ctx, s, mo)
	if err != nil {
		return nil, fmt.Errorf("measure the generated database: %w", err)
	}
	c := compareProfiles(p, is, o)
	c.gates = append(c.gates, profiledConstraints(p, s))
	return c.report("profiles", o.Worst, p), nil
}

// profiledConstraints is the gate of constraints where the original's schema is
// known by its fingerprint alone.
func profiledConstraints(p *profile.Data, s measure.Source) Gate {
	g := Gate{Name: "constraint validity", Pass: true, Score: 1}
	if p.Source.Schema != "" && p.Source.Schema != s.Schema().Fingerprint() {
		g.Pass, g.Score = false, 0
		g.Broken = []string{"the database's schema is not the one that was profiled, so that a missing constraint would not be seen"}
	}
	return g
}

// Profiles compares two profiles, a being what is expected. Dates and times are
// compared as each lies from when its profile was taken.
func Profiles(a, b *profile.Data) *Report {
	o := Options{}.withDefaults()
	return compareProfiles(a, b, o).report("profiles", o.Worst, a)
}

// profiles is a comparison of two profiles under way.
type profiles struct {
	collector
	a, b         *profile.Data
	perReference int
	broken       []string
	least        float64
}

func compareProfiles(a, b *profile.Data, o Options) *profiles {
	c := &profiles{a: a, b: b, least: 1, perReference: o.PairsPerReference}
	for i := range a.Tables {
		t := &a.Tables[i]
		if t.Rows == 0 {
			c.leaveOut(t.Name, "the table is empty in the original")
			continue
		}
		other, ok := b.Table(t.Name)
		if !ok {
			c.score(ColumnShapes, Item{Table: t.Name, Column: "*", Metric: "TableStructure", What: "the table is not there"}, "")
			continue
		}
		c.tables = append(c.tables, Table{Name: t.Name, Real: t.Rows, Synthetic: other.Rows})
		c.tooSmall(t.Name, t.Rows, a)
		c.table(t, other)
	}
	c.gates = append(c.gates, Gate{Name: "referential integrity", Pass: len(c.broken) == 0, Score: c.least, Broken: c.broken})
	return c
}

func (c *profiles) table(t, other *profile.DataTable) {
	for i := range t.Columns {
		col := &t.Columns[i]
		is, ok := other.Column(col.Name)
		if !ok {
			c.score(ColumnShapes, Item{Table: t.Name, Column: col.Name, Metric: "TableStructure", What: "the column is not there"}, "")
			continue
		}
		c.column(t, col, other, is)
	}
	for i := range t.References {
		c.reference(t.Name, &t.References[i], other)
	}
	c.dependences(t, other, c.perReference)
}

func (c *profiles) column(t *profile.DataTable, col *profile.DataColumn, other *profile.DataTable, is *profile.DataColumn) {
	item := Item{Table: t.Name, Column: col.Name}
	if other.Rows > 0 {
		item.Metric, item.Score, item.What = "MissingValueSimilarity", 1-settled(math.Abs(col.Null-is.Null)), changed("NULL", col.Null, is.Null)
		c.score(MissingValues, item, "")
	}
	if want := artifactsOf(col); len(want) > 0 {
		item.Metric, item.Score, item.What = coverage(want, artifactsOf(is))
		c.score(ArtifactCoverage, item, "")
	}
	sdtype := profiled(t, col)
	switch {
	case sdtype == ID || col.Null >= 1:
		return
	case sdtype.scored() && (other.Rows == 0 || is.Null >= 1):
		item.Metric, item.Score = "TVComplement", math.NaN()
		if sdtype.continuous() {
			item.Metric = "KSComplement"
		}
		c.score(ColumnShapes, nothing(item, int(min(other.Rows, 1))), "")
		return
	case sdtype.continuous():
		a, ok := mixtureOf(col, c.a.Source.Taken)
		b, ok2 := mixtureOf(is, c.b.Source.Taken)
		if ok && ok2 {
			item.Metric, item.Score, item.What = "KSComplement", complement(a, b), c.quantilesChanged(sdtype, col, a, b)
			c.score(ColumnShapes, item, "")
			return
		}
		if len(col.Values) == 0 {
			c.leaveOut(item.Place(), "the profile has too few rows of it for a distribution")
			return
		}
	case !sdtype.discrete():
		c.text(item, col, is)
		return
	}
	item.Metric = "TVComplement"
	item.Score, item.What = categories(col, is)
	c.score(ColumnShapes, item, "")
}

func artifactsOf(c *profile.DataColumn) []string {
	var out []string
	for _, a := range c.Artifacts {
		if a.Share > 0 {
			out = append(out, a.Name)
		}
	}
	return out
}

// categories compares the values that the first lists, all others being one.
func categories(a, b *profile.DataColumn) (score float64, what string) {
	is := map[string]float64{}
	for _, v := range b.Values {
		is[v.Value] = v.Share / (1 - b.Null)
	}
	restA, restB, sum := 1.0, 1.0, 0.0
	var list []difference
	for _, v := range a.Values {
		d := difference{short(v.Value), v.Share / (1 - a.Null), is[v.Value]}
		restA, restB = restA-d.from, restB-d.to
		sum += math.Abs(d.from - d.to)
		list = append(list, d)
	}
	sum += math.Abs(restA - restB)
	list = append(list, difference{"all others", restA, restB})
	return 1 - settled(sum/2), worstOf(list)
}

// quantilesChanged says how the shares of the listed values and the quartiles of
// all others have changed.
func (c *profiles) quantilesChanged(sdtype SDType, col *profile.DataColumn, a, b *mixture) string {
	as := column{sdtype: sdtype}
	as.Type.Kind = kindOf(col)
	write := func(v float64, taken time.Time) string {
		if as.Type.Kind == schema.Date || as.Type.Kind == schema.Timestamp {
			v += float64(taken.Unix())
		}
		return as.write(v)
	}
	var list []difference
	for _, x := range a.atoms {
		less, upTo := b.below(x.at)
		list = append(list, difference{write(x.at, c.a.Source.Taken), x.share, upTo - less})
	}
	list = append(list, difference{"all others", a.rest, b.rest})
	var out []string
	if what := worstOf(list); what != "" {
		out = append(out, what)
	}
	if len(a.quantiles) > 0 && len(b.quantiles) > 0 {
		for i, name := range []string{"least", "25 %", "median", "75 %", "most"} {
			if x, y := quantile(a.quantiles, i), quantile(b.quantiles, i); x != y {
				out = append(out, fmt.Sprintf("%s %s → %s", name, write(x, c.a.Source.Taken), write(y, c.b.Source.Taken)))
			}
		}
	}
	return strings.Join(out, ", ")
}

// quantile is one of the five quartiles on the line through quantiles.
func quantile(q []float64, quarter int) float64 {
	at := float64(quarter) / 4 * float64(len(q)-1)
	i := int(at)
	if i+1 >= len(q) {
		return q[len(q)-1]
	}
	return q[i] + (at-float64(i))*(q[i+1]-q[i])
}

func (c *profiles) text(item Item, a, b *profile.DataColumn) {
	if a.Text == nil || b.Text == nil {
		return
	}
	lengths := complement(lengthsOf(a.Text), lengthsOf(b.Text))
	is := map[string]float64{}
	for _, f := range b.Text.Formats {
		is[f.Name] = f.Share
	}
	var sum float64
	known := map[string]bool{}
	for _, f := range a.Text.Formats {
		known[f.Name] = true
		sum += math.Abs(f.Share - is[f.Name])
	}
	for _, f := range b.Text.Formats {
		if !known[f.Name] {
			sum += f.Share
		}
	}
	formats := 1 - settled(min(1, sum/2))
	item.Metric, item.Score = "TextShape", (lengths+formats)/2
	if item.Score < 1 {
		item.What = fmt.Sprintf("lengths %.2f alike, formats %.2f alike", lengths, formats)
	}
	c.score(TextShapes, item, "")
}

func lengthsOf(t *profile.DataText) *mixture {
	m := &mixture{rest: 1}
	for _, l := range t.Length {
		m.quantiles = append(m.quantiles, float64(l))
	}
	return m
}

func (c *profiles) reference(table string, a *profile.DataReference, other *profile.DataTable) {
	item := Item{Table: table, Reference: referenceName(a.Columns, a.Table)}
	b, ok := other.Reference(a.Columns)
	if !ok {
		c.leaveOut(item.Place(), "the reference is not one of the generated database")
		return
	}
	item.Metric, item.Score, item.What = "ReferentialIntegrity", 1-b.Orphans, changed("leading nowhere", a.Orphans, b.Orphans)
	c.score(ReferentialIntegrity, item, "")
	if a.Orphans == 0 {
		c.least = min(c.least, item.Score)
		if b.Orphans > 0 {
			c.broken = append(c.broken, fmt.Sprintf("%s: %.4g lead nowhere", item.Place(), b.Orphans))
		}
	}
	if len(a.Children) == 0 || len(b.Children) == 0 {
		c.leaveOut(item.Place(), "the number of children is not in both profiles")
		return
	}
	item.Metric, item.Score = "CardinalityShapeSimilarity", childrenComplement(a.Children, b.Children)
	item.What = ""
	if item.Score < 1 {
		item.What = fmt.Sprintf("children of a row: mean %.3g → %.3g, without any %.2f → %.2f",
			childrenMean(a.Children), childrenMean(b.Children), childrenUpTo(a.Children, 0), childrenUpTo(b.Children, 0))
	}
	c.score(Cardinality, item, "")
}

// childrenComplement is KSComplement of two histograms, of which each bucket's
// share is spread evenly.
func childrenComplement(a, b []profile.DataCount) float64 {
	var d float64
	for _, list := range [][]profile.DataCount{a, b} {
		for _, x := range list {
			for _, n := range []int64{x.From - 1, x.To} {
				d = max(d, math.Abs(childrenUpTo(a, n)-childrenUpTo(b, n)))
			}
		}
	}
	return 1 - settled(min(1, d))
}

// childrenUpTo is the share of parents with up to n children.
func childrenUpTo(list []profile.DataCount, n int64) float64 {
	var sum float64
	for _, x := range list {
		switch {
		case n >= x.To:
			sum += x.Share
		case n >= x.From:
			sum += x.Share * float64(n-x.From+1) / float64(x.To-x.From+1)
		}
	}
	return sum
}

func childrenMean(list []profile.DataCount) float64 {
	var sum float64
	for _, x := range list {
		sum += x.Share * x.Mean
	}
	return sum
}
