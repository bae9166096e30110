package mysql

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/rehearse-dev/rehearse/internal/schema"
)

// catalogue is a schema and what the reading of its rows needs besides.
type catalogue struct {
	schema *schema.Schema
	tables map[string]*relation // by QName
}

// relation is a table with what its samples depend on.
type relation struct {
	table *schema.Table
	// leading are the columns of each index, in order, those behind a part that is
	// an expression or a prefix left out.
	leading [][]string
	rows    int64 // estimated
}

// Catalog reads the whole catalogue, in a few statements however many tables there
// are, and remembers it for the methods of [measure.Source].
func (db *DB) Catalog(ctx context.Context) (*schema.Schema, error) {
	var known catalogue
	err := db.read(ctx, func(s *session) (err error) {
		known, err = db.catalogue(ctx, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the catalogue: %w", err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.known = known
	return known.schema, nil
}

func (db *DB) catalogue(ctx context.Context, s *session) (catalogue, error) {
	r := reader{db: db, session: s, tables: map[string]*relation{}, checks: map[string][]check{}}
	for _, part := range []struct {
		what string
		read func(context.Context) error
	}{
		{"tables", r.readTables}, {"checks", r.readChecks}, {"columns", r.readColumns},
		{"indexes", r.readIndexes}, {"foreign keys", r.readForeignKeys}, {"triggers", r.readTriggers},
	} {
		if err := part.read(ctx); err != nil {
			return catalogue{}, fmt.Errorf("%s: %w", part.what, err)
		}
	}
	known := catalogue{schema: &schema.Schema{Engine: schema.MySQL, Version: db.release}, tables: r.tables}
	for _, rel := range r.tables {
		known.schema.Tables = append(known.schema.Tables, rel.table)
	}
	slices.SortFunc(known.schema.Tables, func(a, b *schema.Table) int { return cmp.Compare(a.Name, b.Name) })
	return known, nil
}

// reader puts a schema together, one kind of thing after the other.
type reader struct {
	db      *DB
	session *session
	tables  map[string]*relation
	checks  map[string][]check // by table
}

const tablesQuery = `
	SELECT TABLE_NAME, COALESCE(TABLE_COMMENT, ''), COALESCE(TABLE_ROWS, 0) FROM information_schema.TABLES
	WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')`

func (r *reader) readTables(ctx context.Context) error {
	return r.session.each(ctx, tablesQuery, func(row *sql.Rows) error {
		rel := &relation{table: &schema.Table{}}
		if err := row.Scan(&rel.table.Name, &rel.table.Comment, &rel.rows); err != nil {
			return err
		}
		// The load's own, which a load that died has left behind.
		if rel.table.Name != journal {
			r.tables[rel.table.Name] = rel
		}
		return nil
	})
}

func (r *reader) readTriggers(ctx context.Context) error {
	return r.session.each(ctx, `
		SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION FROM information_schema.TRIGGERS
		WHERE EVENT_OBJECT_SCHEMA = DATABASE() ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER`, func(row *sql.Rows) error {
		var table, name, timing, event string
		if err := row.Scan(&table, &name, &timing, &event); err != nil {
			return err
		}
		if rel := r.tables[table]; rel != nil {
			rel.table.Triggers = append(rel.table.Triggers, schema.Trigger{Name: name, Timing: timing + " " + event + " ROW", Enabled: true})
		}
		return nil
	})
}
