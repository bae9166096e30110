package parity

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// size is what pg_class is to say of a relation.
type size struct {
	relation *relation
	rows     float64
	pages    int64
	visible  int64
}

// column is what pg_statistic is to say of a column.
type column struct {
	table       *relation
	number      int16
	name        string
	inherited   bool
	null        float64
	width       int
	distinct    float64
	correlation float64
	correlated  bool // the small database has a correlation to be replaced
}

// restore writes statistics with the functions that PostgreSQL 18 has for it.
// What they are not given they leave as it is.
func (a *applier) restore(ctx context.Context, sizes []size, columns []column) error {
	batch := &pgx.Batch{}
	for _, s := range sizes {
		batch.Queue(`SELECT pg_restore_relation_stats('schemaname', $1::text, 'relname', $2::text,
			'relpages', $3::int, 'reltuples', $4::real, 'relallvisible', $5::int)`,
			s.relation.schema, s.relation.name, s.pages, s.rows, s.visible)
	}
	for _, c := range columns {
		sql := `SELECT pg_restore_attribute_stats('schemaname', $1::text, 'relname', $2::text, 'attname', $3::text, 'inherited', $4::bool,
			'null_frac', $5::real, 'avg_width', $6::int, 'n_distinct', $7::real`
		args := []any{c.table.schema, c.table.name, c.name, c.inherited, c.null, c.width, c.distinct}
		if c.correlated {
			sql += `, 'correlation', $8::real`
			args = append(args, c.correlation)
		}
		batch.Queue(sql+")", args...)
	}
	return a.tx.SendBatch(ctx, batch).Close()
}

// update writes statistics into the catalogue itself, as a superuser may. Values
// of pg_statistic cannot be written in SQL, but stay as they are.
func (a *applier) update(ctx context.Context, sizes []size, columns []column) error {
	var (
		oids           []uint32
		rows           []float32
		pages, visible []int64
	)
	for _, s := range sizes {
		oids, rows = append(oids, s.relation.oid), append(rows, float32(s.rows))
		pages, visible = append(pages, s.pages), append(visible, s.visible)
	}
	_, err := a.tx.Exec(ctx, `
		UPDATE pg_class c SET reltuples = n.rows, relpages = n.pages, relallvisible = n.visible
		FROM unnest($1::oid[], $2::real[], $3::bigint[], $4::bigint[]) n (oid, rows, pages, visible) WHERE c.oid = n.oid`,
		oids, rows, pages, visible)
	if err != nil {
		return fmt.Errorf("write pg_class: %w", err)
	}

	var (
		tables                       []uint32
		numbers                      []int16
		inherited                    []bool
		nulls, distinct, correlation []float32
		widths                       []int32
	)
	for _, c := range columns {
		tables, numbers, inherited = append(tables, c.table.oid), append(numbers, c.number), append(inherited, c.inherited)
		nulls, distinct, correlation = append(nulls, float32(c.null)), append(distinct, float32(c.distinct)), append(correlation, float32(c.correlation))
		widths = append(widths, int32(c.width))
	}
	_, err = a.tx.Exec(ctx, `
		UPDATE pg_statistic s SET stanullfrac = n.nulls, stawidth = n.width, stadistinct = n.distinct_,
			stanumbers1 = CASE WHEN stakind1 = 3 THEN ARRAY[n.correlation] ELSE stanumbers1 END,
			stanumbers2 = CASE WHEN stakind2 = 3 THEN ARRAY[n.correlation] ELSE stanumbers2 END,
			stanumbers3 = CASE WHEN stakind3 = 3 THEN ARRAY[n.correlation] ELSE stanumbers3 END,
			stanumbers4 = CASE WHEN stakind4 = 3 THEN ARRAY[n.correlation] ELSE stanumbers4 END,
			stanumbers5 = CASE WHEN stakind5 = 3 THEN ARRAY[n.correlation] ELSE stanumbers5 END
		FROM unnest($1::oid[], $2::smallint[], $3::bool[], $4::real[], $5::int[], $6::real[], $7::real[])
			n (tab, number, inherited, nulls, width, distinct_, correlation)
		WHERE s.starelid = n.tab AND s.staattnum = n.number AND s.stainherit = n.inherited`,
		tables, numbers, inherited, nulls, widths, distinct, correlation)
	if err != nil {
		return fmt.Errorf("write pg_statistic: %w", err)
	}
	return nil
}
