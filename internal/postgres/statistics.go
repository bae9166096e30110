package postgres

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/profile"
)

// size is an estimate of how big a table is, partitions added up.
type size struct{ rows, pages int64 }

const pageSize = 8192

type tableStatisticsRow struct {
	Table                     int64
	Rows                      float64
	Pages                     int64
	Analyzed                  *time.Time
	Modified                  float64
	Inserts, Updates, Deletes float64 // since the statistics began
	Dead                      float64
	Hours                     float64 // since then
	Live                      float64
}

// The rows are estimated as the planner does it: the density at the last ANALYZE
// times the pages that there are now; without an ANALYZE, what the server has
// counted; without that, from the columns' widths. Where nobody has ever reset the
// database's statistics they have been kept since the cluster began, as those of
// the background writer have.
const tableStatistics = `,
	sized AS (SELECT t.*, coalesce(pg_relation_size(t.oid), 0) / current_setting('block_size')::int8 AS pages FROM tables t)
	SELECT t.oid::int8,
		CASE WHEN t.relkind = 'p' THEN 0
			WHEN t.relpages > 0 AND t.reltuples >= 0 THEN t.reltuples::float8 / t.relpages * t.pages
			WHEN pg_stat_get_live_tuples(t.oid) > 0 OR t.pages = 0 THEN pg_stat_get_live_tuples(t.oid)
			ELSE t.pages * 8168 / (28 + (SELECT sum(CASE WHEN a.attlen > 0 THEN a.attlen ELSE 32 END) FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum > 0)) END::float8,
		t.pages, greatest(pg_stat_get_last_analyze_time(t.oid), pg_stat_get_last_autoanalyze_time(t.oid)),
		coalesce(pg_stat_get_mod_since_analyze(t.oid), 0)::float8,
		coalesce(pg_stat_get_tuples_inserted(t.oid), 0)::float8, coalesce(pg_stat_get_tuples_updated(t.oid), 0)::float8,
		coalesce(pg_stat_get_tuples_deleted(t.oid), 0)::float8, coalesce(pg_stat_get_dead_tuples(t.oid), 0)::float8,
		(extract(epoch FROM now() - coalesce(pg_stat_get_db_stat_reset_time(d.oid), least(pg_stat_get_bgwriter_stat_reset_time(), pg_postmaster_start_time()))) / 3600)::float8,
		coalesce(pg_stat_get_live_tuples(t.oid), 0)::float8
	FROM sized t, pg_database d WHERE d.datname = current_database()`

type columnStatisticsRow struct {
	Table       int64
	Column      string
	Inherited   bool
	Null        float64
	Width       int32
	Distinct    float64
	Correlation float64
}

// Literal values, most_common_vals and histogram_bounds, are not asked for.
const columnStatistics = `
	SELECT t.oid::int8, s.attname::text, s.inherited, s.null_frac::float8, s.avg_width, s.n_distinct::float8, coalesce(s.correlation, 0)::float8
	FROM pg_stats s JOIN tables t ON t.nspname = s.schemaname AND t.relname = s.tablename`

type sequenceRow struct {
	Table  int64
	Column string
	Last   int64
}

const sequenceStatistics = `
	SELECT s.relid::int8, a.attname::text, coalesce(CASE WHEN has_sequence_privilege(s.seq, 'USAGE, SELECT') THEN pg_sequence_last_value(s.seq) END, 0)::int8
	FROM sequences s JOIN tables t ON t.oid = s.relid JOIN pg_attribute a ON a.attrelid = s.relid AND a.attnum = s.attnum`

type indexSizeRow struct {
	Table int64
	Name  string
	Pages int64
}

// An index of a partition counts to the index of the parent that it is part of.
const indexSizes = `,
	under(root, oid) AS (
		SELECT i.indexrelid, i.indexrelid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE NOT c.relispartition
		UNION ALL SELECT u.root, h.inhrelid FROM under u JOIN pg_inherits h ON h.inhparent = u.oid)
	SELECT i.indrelid::int8, c.relname::text, (coalesce(sum(pg_relation_size(u.oid)), 0) / current_setting('block_size')::int8)::int8
	FROM under u JOIN pg_index i ON i.indexrelid = u.root JOIN pg_class c ON c.oid = u.root JOIN tables t ON t.oid = i.indrelid
	GROUP BY 1, 2 ORDER BY 2`

// Statistics are what the server knows of every table of the last [DB.Catalog]. A
// partitioned table's are those of its partitions together.
func (db *DB) Statistics(ctx context.Context) (map[string]measure.Statistics, error) {
	var (
		tables    []tableStatisticsRow
		columns   []columnStatisticsRow
		sequenced []sequenceRow
		indexes   []indexSizeRow
	)
	err := db.read(ctx, func(conn *pgx.Conn) error {
		var err error
		if tables, err = collect[tableStatisticsRow](ctx, conn, "WITH "+userTables+tableStatistics); err != nil {
			return err
		}
		if columns, err = collect[columnStatisticsRow](ctx, conn, "WITH "+userTables+columnStatistics); err != nil {
			return err
		}
		if sequenced, err = collect[sequenceRow](ctx, conn, "WITH "+userTables+", "+sequences+sequenceStatistics); err != nil {
			return err
		}
		indexes, err = collect[indexSizeRow](ctx, conn, "WITH RECURSIVE "+userTables+indexSizes)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the statistics: %w", err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	g := gathering{tables: map[int64]*gathered{}}
	for _, t := range tables {
		g.table(t)
	}
	for _, c := range columns {
		g.column(c)
	}
	for _, s := range sequenced {
		c := g.tables[s.Table].Columns[s.Column]
		c.Sequence = s.Last
		g.tables[s.Table].Columns[s.Column] = c
	}
	for _, x := range indexes {
		t := g.tables[x.Table]
		t.Indexes = append(t.Indexes, profile.DataIndex{Name: x.Name, Pages: x.Pages})
	}
	return g.addUp(&db.known), nil
}

// gathered is a table's statistics in the making.
type gathered struct {
	measure.Statistics
	whole    bool // its columns' statistics are of all partitions
	live     float64
	dead     float64
	modified float64
}

type gathering struct{ tables map[int64]*gathered }

func (g gathering) table(r tableStatisticsRow) {
	t := &gathered{live: r.Live, dead: r.Dead, modified: r.Modified}
	t.Rows, t.Pages, t.Bytes = int64(math.Round(r.Rows)), r.Pages, r.Pages*pageSize
	if r.Analyzed != nil {
		t.Analyzed = r.Analyzed.UTC()
	}
	if r.Hours > 0 {
		t.Churn = profile.DataChurn{Inserts: r.Inserts / r.Hours, Updates: r.Updates / r.Hours, Deletes: r.Deletes / r.Hours}
	}
	t.Columns = map[string]measure.ColumnStatistics{}
	g.tables[r.Table] = t
}

// column takes a column's statistics. A table that others inherit from has them
// twice, of itself and of all; those of itself are what its own rows are like.
func (g gathering) column(r columnStatisticsRow) {
	t := g.tables[r.Table]
	if _, has := t.Columns[r.Column]; has && r.Inherited {
		return
	}
	t.whole = t.whole || r.Inherited
	t.Columns[r.Column] = measure.ColumnStatistics{Null: r.Null, Width: int(r.Width), Distinct: r.Distinct, Correlation: r.Correlation}
}

// addUp adds partitions up, from the innermost on, and works out the shares.
func (g gathering) addUp(known *catalogue) map[string]measure.Statistics {
	out := map[string]measure.Statistics{}
	if known.schema == nil {
		return out
	}
	parts := map[string][]*gathered{}
	for i := len(known.schema.Tables) - 1; i >= 0; i-- {
		table := known.schema.Tables[i]
		rel := known.tables[table.QName()]
		t := g.tables[rel.oid]
		if t == nil {
			continue // dropped since
		}
		if below := parts[table.QName()]; below != nil {
			t.join(below)
		}
		if table.PartitionOf != nil {
			parts[table.PartitionOf.Parent] = append(parts[table.PartitionOf.Parent], t)
		}
		t.Churn.Growth = t.Churn.Inserts - t.Churn.Deletes
		if t.live > 0 {
			t.Churn.Dead = t.dead / t.live
		}
		t.Stale = min(1, t.modified/max(1, t.live))
		rel.size = size{rows: t.Rows, pages: t.Pages}
		out[table.QName()] = t.Statistics
	}
	return out
}

// join makes a partitioned table's statistics of those of its partitions. Those of
// its columns are mostly not there, since autovacuum does not analyse it.
func (t *gathered) join(parts []*gathered) {
	t.Rows, t.Pages, t.Bytes = 0, 0, 0
	t.live, t.dead, t.modified, t.Churn = 0, 0, 0, profile.DataChurn{}
	t.Analyzed = parts[0].Analyzed
	for _, p := range parts {
		t.Rows += p.Rows
		t.Pages += p.Pages
		t.Bytes += p.Bytes
		t.live += p.live
		t.dead += p.dead
		t.modified += p.modified
		t.Churn.Inserts += p.Churn.Inserts
		t.Churn.Updates += p.Churn.Updates
		t.Churn.Deletes += p.Churn.Deletes
		if p.Analyzed.Before(t.Analyzed) {
			t.Analyzed = p.Analyzed
		}
	}
	if t.whole {
		return
	}
	names := map[string]bool{}
	for _, p := range parts {
		for name := range p.Columns {
			names[name] = true
		}
	}
	for name := range names {
		c := joinColumn(name, parts)
		c.Sequence = t.Columns[name].Sequence
		t.Columns[name] = c
	}
}

// joinColumn weighs each partition's statistics of a column by its rows. How many
// values the partitions have in common is not known: a share stays a share, and of
// numbers the greatest is taken.
func joinColumn(name string, parts []*gathered) measure.ColumnStatistics {
	var c measure.ColumnStatistics
	var rows, width, share, most float64
	for _, p := range parts {
		pc, ok := p.Columns[name]
		if !ok || p.Rows == 0 {
			continue
		}
		n := float64(p.Rows)
		rows += n
		c.Null += n * pc.Null
		width += n * float64(pc.Width)
		c.Correlation += n * pc.Correlation
		if pc.Distinct < 0 {
			share += n * pc.Distinct
		} else {
			most = max(most, pc.Distinct)
		}
	}
	if rows == 0 {
		return c
	}
	c.Null, c.Width, c.Correlation = c.Null/rows, int(math.Round(width/rows)), c.Correlation/rows
	switch {
	case most == 0:
		c.Distinct = share / rows
	case -share > most:
		c.Distinct = -share
	default:
		c.Distinct = most
	}
	return c
}
