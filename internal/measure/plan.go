package measure

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// Reading is what [Profile] is going to read: nothing but this.
type Reading struct {
	Info   Info
	Tables []TableReading
	// Notes are sentences about what is left out or is less exact.
	Notes []string

	statistics map[string]Statistics
}

// TableReading is the reading of one table.
type TableReading struct {
	Table string
	Rows  int64 // estimated; 0: not known, or none
	// Sampled is how many rows are read at most; 0: all.
	Sampled int64
	SQL     string

	query Query
}

// staleTable is the share of changed rows from which statistics are called old.
const staleTable = 0.5

// Plan says what [Profile] with the same options would read. It reads no row.
// The error is a [rehearse.Error] where the role may write and that is not
// allowed.
func Plan(ctx context.Context, src Source, o Options) (*Reading, error) {
	o = o.withDefaults()
	for _, pattern := range slices.Concat(o.Include, o.Exclude) {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, &rehearse.Error{
				Kind: rehearse.Invalid,
				Msg:  fmt.Sprintf("%q is no pattern for tables", pattern),
				Hint: "Write names with * and ?, as in \"audit.*\".",
			}
		}
	}
	info, err := src.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the server about itself: %w", err)
	}
	if len(info.CanWrite) > 0 && !o.AllowWrite {
		return nil, mayWrite(info)
	}
	statistics, err := src.Statistics(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the planner's statistics: %w", err)
	}
	r := &Reading{Info: info, statistics: statistics}
	tables := o.tables(src.Schema(), info)
	references := referencesOf(src.Schema(), tables)
	var unknown, stale []string
	for _, t := range tables {
		name := t.QName()
		s, known := tableStatistics(src.Schema(), statistics, t)
		switch {
		case !known:
			unknown = append(unknown, name)
		case s.Stale > staleTable:
			stale = append(stale, name)
		}
		tr := TableReading{Table: name, Rows: s.Rows}
		switch {
		case !known:
			tr.Sampled = 3 * o.Sample
		case s.Rows > 3*o.Sample:
			tr.Sampled = o.Sample
		}
		tr.query = Query{Table: name, Limit: tr.Sampled, Rows: s.Rows, Seed: max(o.Seed, 1)}
		for _, c := range t.Columns {
			tr.query.Columns = append(tr.query.Columns, c.Name)
		}
		for _, fk := range references[name] {
			tr.query.Parents = append(tr.query.Parents, ParentColumns{Reference: fk, Columns: parentColumns(src.Schema(), statistics, fk)})
		}
		tr.query.Children = childrenOf(tables, references, name)
		tr.SQL = src.SQL(tr.query)
		r.Tables = append(r.Tables, tr)
	}
	denied := slices.DeleteFunc(slices.Clone(info.Denied), func(name string) bool { return !o.wants(name) })
	r.note(denied, "The role %q may not read %s: left out.", info.Role)
	r.note(unknown, "There are no statistics of %[2]s: the first rows are read, and not rows from all over the table. Run ANALYZE for a better sample.", info.Role)
	r.note(stale, "The statistics of %[2]s are old: more than half of the rows have changed since. Run ANALYZE for better estimates.", info.Role)
	return r, nil
}

// note adds a note about tables, if there are any.
func (r *Reading) note(tables []string, format, role string) {
	if len(tables) == 0 {
		return
	}
	const most = 8
	list := strings.Join(tables[:min(len(tables), most)], ", ")
	if n := len(tables) - most; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	r.Notes = append(r.Notes, fmt.Sprintf(strings.Replace(strings.Replace(format, "%q", "%[1]q", 1), "%s", "%[2]s", 1), role, list))
}

func mayWrite(info Info) error {
	hint := "Profile with a role that may only read, or say that this one is meant to be used."
	if len(info.ReadOnlyGrants) > 0 {
		hint = "Make a role that may only read, or say that this one is meant to be used: " + strings.Join(info.ReadOnlyGrants, " ")
	}
	return &rehearse.Error{
		Kind: rehearse.Invalid,
		Msg:  fmt.Sprintf("the role %q may write to %s", info.Role, strings.Join(info.CanWrite, ", ")),
		Hint: hint,
	}
}

// tables are those to read: no partitions, whose rows their parents give, and
// none that may not be read.
func (o Options) tables(s *schema.Schema, info Info) []*schema.Table {
	var out []*schema.Table
	for _, t := range s.Tables {
		if t.PartitionOf == nil && o.wants(t.QName()) && !slices.Contains(info.Denied, t.QName()) {
			out = append(out, t)
		}
	}
	return out
}

// tableStatistics are the statistics of a table, or those of its partitions
// added up.
func tableStatistics(s *schema.Schema, all map[string]Statistics, t *schema.Table) (Statistics, bool) {
	own, known := all[t.QName()]
	if t.Leaf() {
		return own, known && (own.Rows > 0 || !own.Analyzed.IsZero())
	}
	sum := own
	sum.Rows, sum.Pages, sum.Bytes = 0, 0, 0
	for _, p := range s.Tables {
		if p.PartitionOf == nil || p.PartitionOf.Parent != t.QName() {
			continue
		}
		ps, ok := tableStatistics(s, all, p)
		if !ok {
			continue
		}
		known = true
		sum.Rows += ps.Rows
		sum.Pages += ps.Pages
		sum.Bytes += ps.Bytes
		sum.Churn.Inserts += ps.Churn.Inserts
		sum.Churn.Updates += ps.Churn.Updates
		sum.Churn.Deletes += ps.Churn.Deletes
		sum.Churn.Growth += ps.Churn.Growth
	}
	return sum, known
}

// Bounds of the columns that are read along with a row from the rows that it
// refers to.
const (
	maxParentColumns = 24
	maxParentValues  = 1000
)

// parentColumns are the columns of the row that a reference leads to on which
// the referring row's columns might depend: those with few values, times, and
// numbers that are no keys.
func parentColumns(s *schema.Schema, all map[string]Statistics, fk schema.ForeignKey) []string {
	to, ok := s.Table(fk.Table)
	if !ok {
		return nil
	}
	statistics := all[fk.Table]
	type candidate struct {
		name string
		rank int
	}
	var found []candidate
	for _, c := range to.Columns {
		if isKeyColumn(to, c.Name) || slices.ContainsFunc(to.ForeignKeys, func(fk schema.ForeignKey) bool { return slices.Contains(fk.Columns, c.Name) }) {
			continue
		}
		distinct := statistics.Columns[c.Name].Distinct
		few := distinct > 0 && distinct <= maxParentValues || c.Type.Kind == schema.Bool || c.Type.Kind == schema.Enum
		switch {
		case distinct == 1:
		case few && c.Type.Kind != schema.JSON && c.Type.Kind != schema.Bytes && c.Type.Kind != schema.Array:
			found = append(found, candidate{c.Name, 0})
		case isTime(c.Type.Kind) || isNumber(c.Type.Kind):
			found = append(found, candidate{c.Name, 1})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.rank - b.rank })
	var out []string
	for _, c := range found[:min(len(found), maxParentColumns)] {
		out = append(out, c.name)
	}
	return out
}

// isKeyColumn reports whether a column alone is a key.
func isKeyColumn(t *schema.Table, column string) bool {
	return slices.ContainsFunc(t.Keys, func(k schema.Key) bool {
		return len(k.Parts) == 1 && k.Parts[0].Column == column && k.Where == "" && k.Parts[0].Prefix == 0 && !k.Invalid
	})
}

func isTime(k schema.Kind) bool {
	return k == schema.Date || k == schema.Timestamp || k == schema.Instant || k == schema.Time
}

func isNumber(k schema.Kind) bool {
	return k == schema.Int || k == schema.Float || k == schema.Decimal
}
