package parity

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/profile"
)

// Report is what [Apply] has done.
type Report struct {
	Tables []Table // in the profile's order
	// Notes are sentences on what could not be made like production.
	Notes []string
	// Extended is by how many bytes files have become longer. They are holes.
	Extended int64
}

// Table is one table with production's size.
type Table struct {
	Name    string
	Rows    int64
	Pages   int64
	Indexes []profile.DataIndex // by name
}

// Apply gives the database of conn the statistics and sizes of a profile.
//
// The connection is a superuser's, and is in no transaction. The database was
// filled and analysed before. dataDir is the data directory of its server as this
// process sees it; its files must be writable. Where it is empty, the server's own
// host makes them longer, which takes a shell and dd. Tables and columns that only
// one side knows stay as they are and are in the notes. Indexes that the profile
// does not know get the size that they would have at production's number of rows.
//
// Tables are locked while Apply runs. When it fails, statistics are as they were;
// files may have become longer, which harms nothing.
func Apply(ctx context.Context, conn *pgx.Conn, dataDir string, p *profile.Data) (Report, error) {
	if _, err := conn.Exec(ctx, "CHECKPOINT"); err != nil {
		return Report{}, fmt.Errorf("write the database to its files: %w", err)
	}
	var report Report
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		s, err := readServer(ctx, tx, dataDir)
		if err != nil {
			return err
		}
		found, err := readRelations(ctx, tx)
		if err != nil {
			return err
		}
		a := applier{tx: tx, server: s, profile: p, relations: found}
		if err := a.run(ctx); err != nil {
			return err
		}
		report = a.report
		return nil
	})
	if err != nil {
		return Report{}, fmt.Errorf("give the database production's statistics: %w", err)
	}
	return report, nil
}

// applier is one run of Apply.
type applier struct {
	tx        pgx.Tx
	server    server
	profile   *profile.Data
	relations map[string]*relation // tables by QName
	report    Report
}

func (a *applier) note(format string, args ...any) {
	a.report.Notes = append(a.report.Notes, fmt.Sprintf(format, args...))
}

func (a *applier) run(ctx context.Context) error {
	var sizes []size
	var columns []column
	for i := range a.profile.Tables {
		t := &a.profile.Tables[i]
		r, ok := a.relations[t.Name]
		if !ok {
			a.note("Table %s is in the profile and not in the database.", t.Name)
			continue
		}
		if t.Rows <= 0 {
			a.note("Table %s has no rows in the profile and keeps its own statistics.", t.Name)
			continue
		}
		if err := a.prepare(ctx, r); err != nil {
			return fmt.Errorf("prepare table %q: %w", t.Name, err)
		}
		table, its, err := a.table(ctx, t, r)
		if err != nil {
			return fmt.Errorf("size of table %q: %w", t.Name, err)
		}
		a.report.Tables = append(a.report.Tables, table)
		sizes = append(sizes, its...)
		columns = append(columns, a.columns(t, r)...)
	}
	if a.server.version >= 180000 {
		return a.restore(ctx, sizes, columns)
	}
	return a.update(ctx, sizes, columns)
}

// prepare locks a table and keeps the server from tidying it. A partitioned
// table has nothing to tidy.
func (a *applier) prepare(ctx context.Context, r *relation) error {
	if _, err := a.tx.Exec(ctx, "LOCK TABLE ONLY "+r.sql+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		return err
	}
	if r.partitioned() {
		return nil
	}
	_, err := a.tx.Exec(ctx, "ALTER TABLE "+r.sql+" SET (autovacuum_enabled = off, vacuum_truncate = off)")
	return err
}

// table makes the files of a table and its indexes as long as production's, and
// says which sizes the catalogue is to have.
func (a *applier) table(ctx context.Context, t *profile.DataTable, r *relation) (Table, []size, error) {
	grows := 1.0
	if r.tuples > 0 {
		grows = float64(t.Rows) / r.tuples
	}
	out := Table{Name: t.Name, Rows: t.Rows}
	if r.partitioned() {
		return out, []size{{relation: r, rows: float64(t.Rows), pages: int64(r.pages)}}, nil
	}
	blocks, err := a.lengthen(ctx, r, wanted(t.Pages, r, grows))
	if err != nil {
		return Table{}, nil, err
	}
	if t.Pages > 0 && blocks > t.Pages {
		a.note("Table %s has %d pages, more than production's %d.", t.Name, blocks, t.Pages)
	}
	out.Pages = blocks
	sizes := []size{{relation: r, rows: float64(t.Rows), pages: blocks, visible: visible(t, blocks)}}

	known := map[string]int64{}
	for _, i := range t.Indexes {
		known[i.Name] = i.Pages
	}
	for _, i := range r.indexes {
		pages := wanted(known[i.name], i, grows)
		if !i.extensible() {
			a.note("Index %s is of a kind (%s) whose files must not be extended: its size is in the catalogue alone.", i.name, i.method)
		} else if pages, err = a.lengthen(ctx, i, pages); err != nil {
			return Table{}, nil, err
		}
		rows := float64(t.Rows)
		if i.partial && r.tuples > 0 {
			rows = i.tuples * grows
		}
		out.Indexes = append(out.Indexes, profile.DataIndex{Name: i.name, Pages: pages})
		sizes = append(sizes, size{relation: i, rows: rows, pages: pages})
	}
	return out, sizes, nil
}

// visible is an estimate of the pages that hold no row that has changed since the
// last VACUUM: the dead rows are such, and lie anywhere.
func visible(t *profile.DataTable, pages int64) int64 {
	perPage := float64(t.Rows) / float64(pages)
	return int64(float64(pages) * math.Exp(-t.Churn.Dead*perPage))
}

// wanted is how many pages a relation should have: production's, or where they
// are not known its own ones grown with the rows.
func wanted(production int64, r *relation, grows float64) int64 {
	if production > 0 {
		return production
	}
	return max(r.blocks, int64(float64(r.blocks)*grows))
}

// lengthen makes a relation's files hold so many pages, and says how many they
// hold: more, where they had more.
func (a *applier) lengthen(ctx context.Context, r *relation, pages int64) (int64, error) {
	if pages <= r.blocks {
		return r.blocks, nil
	}
	if a.server.dir == "" {
		if err := a.ask(ctx, r, pages); err != nil {
			return 0, err
		}
	} else if err := a.server.extend(r, pages); err != nil {
		return 0, err
	}
	a.report.Extended += (pages - r.blocks) * a.server.block
	return pages, nil
}

// columns are the statistics of the columns that both sides know.
func (a *applier) columns(t *profile.DataTable, r *relation) []column {
	var out []column
	for _, c := range t.Columns {
		own, ok := r.columns[c.Name]
		if !ok {
			a.note("Column %s.%s is in the profile and not in the database, or has no statistics there.", t.Name, c.Name)
			continue
		}
		out = append(out, column{
			table: r, number: own.number, name: c.Name, inherited: own.inherited,
			null: c.Null, width: width(c, own), distinct: distinct(c, t.Rows, own),
			correlation: c.Correlation, correlated: own.correlated,
		})
	}
	return out
}

func width(c profile.DataColumn, own ownColumn) int {
	if c.Width > 0 {
		return c.Width
	}
	return own.width
}

// distinct is a number of values as pg_statistic holds it: negative, as a share
// of the rows, where it is more than a tenth of them.
func distinct(c profile.DataColumn, rows int64, own ownColumn) float64 {
	switch d := float64(c.Distinct); {
	case c.Unique:
		return c.Null - 1
	case c.Distinct <= 0:
		return own.distinct
	case d > 0.1*float64(rows):
		return -min(1, d/float64(rows))
	default:
		return d
	}
}

// invalid is an error about the connection or the directory.
func invalid(msg, hint string, cause error) error {
	return &rehearse.Error{Kind: rehearse.Invalid, Msg: msg, Hint: hint, Err: cause}
}

var errNotIts = errors.New("the file is not as long as the server says")
