package measure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// topStatements is how many statements a profile carries.
const topStatements = 50

// Profile measures a database. It reads what [Plan] says and no more, each table
// once, parents before their children.
func Profile(ctx context.Context, src Source, o Options) (*profile.Data, error) {
	o = o.withDefaults()
	plan, err := Plan(ctx, src, o)
	if err != nil {
		return nil, err
	}
	s := src.Schema()
	out := &profile.Data{
		Description: o.Description,
		Source: profile.DataSource{
			Engine: string(s.Engine), Version: plan.Info.Version, Schema: s.Fingerprint(), Taken: o.taken(plan.Info), Sample: o.Sample,
			Encoding: plan.Info.Encoding, Collation: plan.Info.Collation, TimeZone: plan.Info.TimeZone,
		},
		Privacy: o.privacy(),
	}
	m := &making{src: src, o: o, plan: plan, now: out.Source.Taken, probes: map[string]*probe{}, tables: map[string]*profile.DataTable{}, buckets: map[string]map[string]*buckets{}}
	for _, level := range m.levels() {
		if err := m.read(ctx, level); err != nil {
			return nil, err
		}
	}
	out.Tables = m.finish()
	out.Privacy.Withheld = m.withheld
	for i := range out.Tables {
		for j := range out.Tables[i].Columns {
			out.Privacy.Listed += listedIn(&out.Tables[i].Columns[j])
		}
	}
	statements, err := src.Statements(ctx, topStatements)
	if err != nil {
		return nil, fmt.Errorf("read the top statements: %w", err)
	}
	for _, st := range statements {
		if harmless(st.SQL) {
			st.Calls = rounded(st.Calls, 3)
			out.Statements = append(out.Statements, st)
		}
	}
	return out, nil
}

// making is a profile in the making.
type making struct {
	src  Source
	o    Options
	plan *Reading
	now  time.Time

	mu       sync.Mutex
	done     int
	withheld int
	probes   map[string]*probe
	tables   map[string]*profile.DataTable
	buckets  map[string]map[string]*buckets
}

// levels are the tables in groups, each of which refers only to groups before
// it, circles apart.
func (m *making) levels() [][]TableReading {
	full := m.src.Schema()
	ordered := &schema.Schema{}
	readings := map[string]TableReading{}
	for _, r := range m.plan.Tables {
		t, _ := full.Table(r.Table)
		bare := &schema.Table{Schema: t.Schema, Name: t.Name}
		for i, p := range r.query.Parents {
			fk := p.Reference
			fk.Name = fmt.Sprint(i)
			bare.ForeignKeys = append(bare.ForeignKeys, fk)
		}
		ordered.Tables = append(ordered.Tables, bare)
		readings[r.Table] = r
	}
	tables, _ := ordered.Order()
	level := map[string]int{}
	var out [][]TableReading
	for _, t := range tables {
		at := 0
		for _, fk := range t.ForeignKeys {
			if l, ok := level[fk.Table]; ok && l >= at {
				at = l + 1
			}
		}
		level[t.QName()] = at
		if at == len(out) {
			out = append(out, nil)
		}
		out[at] = append(out[at], readings[t.QName()])
	}
	return out
}

// read reads some tables, a few at a time.
func (m *making) read(ctx context.Context, level []TableReading) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work := make(chan TableReading)
	errs := make([]error, m.o.Parallel)
	var wg sync.WaitGroup
	for i := range m.o.Parallel {
		wg.Go(func() {
			for r := range work {
				if errs[i] != nil {
					continue
				}
				if errs[i] = m.table(ctx, r); errs[i] != nil {
					cancel()
				}
			}
		})
	}
	for _, r := range level {
		work <- r
	}
	close(work)
	wg.Wait()
	return firstCause(errs)
}

// firstCause is the error that the others, mere cancellations, follow from.
func firstCause(errs []error) error {
	var found error
	for _, err := range errs {
		if err != nil && (found == nil || errors.Is(found, context.Canceled)) {
			found = err
		}
	}
	return found
}

func (m *making) table(ctx context.Context, r TableReading) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t, _ := m.src.Schema().Table(r.Table)
	p := newProbe(t, r.query, m.now, func(table, column string) *buckets {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.buckets[table][column]
	}, func(table string) *classes {
		m.mu.Lock()
		defer m.mu.Unlock()
		if p := m.probes[table]; p != nil {
			return p.classes
		}
		return nil
	})
	if err := p.read(ctx, m.src, m.o.Sample); err != nil {
		return err
	}
	stats, _ := tableStatistics(m.src.Schema(), m.plan.statistics, t)
	out, all, withheld := p.finish(stats, m.o)
	p.sample, p.columns = rowSample{}, nil // values are not kept
	if p.classes != nil {
		p.classes.codes = nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.probes[r.Table], m.tables[r.Table], m.buckets[r.Table] = p, &out, all
	m.withheld += withheld
	m.done++
	if m.o.Progress != nil {
		m.o.Progress(Progress{Table: r.Table, Rows: p.rows, Done: m.done, Tables: len(m.plan.Tables)})
	}
	return nil
}

// finish joins what was read of children with what was read of their parents.
func (m *making) finish() []profile.DataTable {
	var out []profile.DataTable
	proven := map[string]bool{} // by the name of the children's pseudo column
	for _, r := range m.plan.Tables {
		p, t := m.probes[r.Table], m.tables[r.Table]
		n := newNoise(m.o.Epsilon, p.families, m.o.Seed, uint64(len(proven)))
		for i, fk := range p.references {
			if fk.Inferred && !m.accepts(p, i) {
				continue
			}
			ref := profile.DataReference{Columns: fk.Columns, Table: fk.Table, To: fk.To, Inferred: fk.Inferred, Orphans: p.parents[i].share(n)}
			to := m.probes[fk.Table]
			at := slices.IndexFunc(to.query.Children, func(c ChildCount) bool {
				return c.Table == r.Table && c.Reference.Table == fk.Table && slices.Equal(c.Reference.Columns, fk.Columns) && slices.Equal(c.Reference.To, fk.To)
			})
			if at >= 0 {
				ref.Children = to.children[at].profile(int64(m.o.K), n)
			}
			if p.affinities != nil {
				ref.Affinity = p.affinities[i]
			}
			t.References = append(t.References, ref)
			proven[fk.Table+" "+childrenName(r.Table, fk.Columns)] = true
		}
	}
	for _, r := range m.plan.Tables {
		t := m.tables[r.Table]
		t.Depends = slices.DeleteFunc(t.Depends, func(d profile.DataDependence) bool {
			return strings.HasPrefix(d.Column, "children(") && !proven[t.Name+" "+d.Column]
		})
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b profile.DataTable) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// declares reports whether the schema declares references at all. Where it does,
// a mere word like "action" is likely to be left undeclared for a reason.
func (m *making) declares() bool {
	return slices.ContainsFunc(m.src.Schema().Tables, func(t *schema.Table) bool { return len(t.ForeignKeys) > 0 })
}

// accepts reports whether an inferred reference is taken for one: rows prove it,
// or there are none and the name leaves no doubt. Of several that hold, the
// first does.
func (m *making) accepts(p *probe, i int) bool {
	fk := p.references[i]
	same := func(o schema.ForeignKey) bool { return slices.Equal(o.Columns, fk.Columns) }
	if p.parents[i].set > 0 {
		first := slices.IndexFunc(p.references, func(o schema.ForeignKey) bool { return same(o) && p.holds(o) })
		return first == i
	}
	rivals := 0
	for _, o := range p.references {
		if same(o) {
			rivals++
		}
	}
	return p.rows == 0 && rivals == 1 && (!m.declares() || sure(p.table, fk, m.src.Schema()))
}
