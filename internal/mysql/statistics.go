package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/profile"
)

// pageSize is that of a profile's pages.
const pageSize = 8192

// Statistics are what the server knows of every table of the last [DB.Catalog],
// most of which needs a user who may read the database mysql: without, only sizes,
// estimated rows and AUTO_INCREMENT are known.
func (db *DB) Statistics(ctx context.Context) (map[string]measure.Statistics, error) {
	db.mu.Lock()
	known := db.known
	db.mu.Unlock()
	g := gathering{known: known, out: map[string]measure.Statistics{}}
	err := db.read(ctx, func(s *session) error {
		if err := g.tables(ctx, s); err != nil {
			return err
		}
		for _, optional := range []func(context.Context, *session) error{g.indexes, g.columns, g.churn} {
			// Not readable, or not on this server.
			if err := optional(ctx, s); err != nil && !unreadable(err) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the statistics: %w", err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	for name, t := range g.out {
		if rel := db.known.tables[name]; rel != nil {
			rel.rows = t.Rows
		}
	}
	return g.out, nil
}

// unreadable reports whether a table of the server's own is not there or not ours
// to read.
func unreadable(err error) bool {
	switch numberOf(err) {
	case 1044, 1049, 1054, 1109, 1142, 1143, 1146, 1227, 1932:
		return true
	}
	return false
}

// gathering is statistics in the making.
type gathering struct {
	known catalogue
	out   map[string]measure.Statistics
}

func (g gathering) tables(ctx context.Context, s *session) error {
	return s.each(ctx, `
		SELECT TABLE_NAME, COALESCE(TABLE_ROWS, 0), COALESCE(DATA_LENGTH, 0), COALESCE(AUTO_INCREMENT, 0) FROM information_schema.TABLES
		WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')`, func(row *sql.Rows) error {
		var name string
		var count, size int64
		var next uint64
		if err := row.Scan(&name, &count, &size, &next); err != nil {
			return err
		}
		rel := g.known.tables[name]
		if rel == nil {
			return nil
		}
		t := measure.Statistics{Rows: count, Bytes: size, Pages: (size + pageSize - 1) / pageSize, Columns: map[string]measure.ColumnStatistics{}}
		for _, c := range rel.table.Columns {
			if c.Identity != "" && next > 1 {
				t.Columns[c.Name] = measure.ColumnStatistics{Sequence: int64(min(next-1, 1<<63-1))}
			}
		}
		g.out[name] = t
		return nil
	})
}

// Of a partitioned table each partition is in there, as table#P#partition, and is
// left out: what is known of an index then is of a part of it.
const indexStatistics = `
	SELECT i.table_name, i.index_name, MAX(IF(i.stat_name = 'size', i.stat_value, 0)) * @@innodb_page_size,
		MAX(IF(i.stat_name = 'n_diff_pfx01', i.stat_value, 0)), DATE_FORMAT(MAX(i.last_update), '%Y-%m-%d %T')
	FROM mysql.innodb_index_stats i WHERE i.database_name = DATABASE() GROUP BY i.table_name, i.index_name ORDER BY i.table_name, i.index_name`

func (g gathering) indexes(ctx context.Context, s *session) error {
	return s.each(ctx, indexStatistics, func(row *sql.Rows) error {
		var table, index, updated string
		var size, distinct int64
		if err := row.Scan(&table, &index, &size, &distinct, &updated); err != nil {
			return err
		}
		t, ok := g.out[table]
		if !ok {
			return nil
		}
		t.Indexes = append(t.Indexes, profile.DataIndex{Name: index, Pages: (size + pageSize - 1) / pageSize})
		if at, err := time.Parse(time.DateTime, updated); err == nil && at.After(t.Analyzed) {
			t.Analyzed = at
		}
		if column := g.firstColumn(table, index); column != "" {
			c := t.Columns[column]
			c.Distinct = float64(distinct)
			t.Columns[column] = c
		}
		g.out[table] = t
		return nil
	})
}

// firstColumn is the column that an index begins with, if it is a whole one.
func (g gathering) firstColumn(table, index string) string {
	t := g.known.tables[table].table
	for _, k := range t.Keys {
		if k.Name == index && k.Parts[0].Prefix == 0 {
			return k.Parts[0].Column
		}
	}
	return ""
}

// columns are MariaDB's engine-independent statistics. The least and the greatest
// value and the histogram, which are values, are not asked for.
func (g gathering) columns(ctx context.Context, s *session) error {
	return s.each(ctx, `
		SELECT table_name, column_name, COALESCE(nulls_ratio, 0), COALESCE(avg_length, 0), COALESCE(avg_frequency, 0) FROM mysql.column_stats
		WHERE db_name = DATABASE()`, func(row *sql.Rows) error {
		var table, column string
		var null, width, frequency float64
		if err := row.Scan(&table, &column, &null, &width, &frequency); err != nil {
			return err
		}
		t, ok := g.out[table]
		if !ok {
			return nil
		}
		c := t.Columns[column]
		c.Null, c.Width = null, int(width+0.5)
		if frequency > 0 {
			c.Distinct = float64(t.Rows) * (1 - null) / frequency
		}
		t.Columns[column] = c
		return nil
	})
}

// churn is what performance_schema has counted since the server began, where it
// is on.
func (g gathering) churn(ctx context.Context, s *session) error {
	var name string
	var seconds float64
	if err := s.conn.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Uptime'").Scan(&name, &seconds); err != nil || seconds == 0 {
		return err
	}
	hours := seconds / 3600
	return s.each(ctx, `
		SELECT OBJECT_NAME, COUNT_INSERT, COUNT_UPDATE, COUNT_DELETE FROM performance_schema.table_io_waits_summary_by_table
		WHERE OBJECT_SCHEMA = DATABASE() AND OBJECT_TYPE = 'TABLE'`, func(row *sql.Rows) error {
		var table string
		var inserts, updates, deletes float64
		if err := row.Scan(&table, &inserts, &updates, &deletes); err != nil {
			return err
		}
		if t, ok := g.out[table]; ok {
			t.Churn = profile.DataChurn{Inserts: inserts / hours, Updates: updates / hours, Deletes: deletes / hours, Growth: (inserts - deletes) / hours}
			g.out[table] = t
		}
		return nil
	})
}
