package parity

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// server is what one must know of a server to change its files.
type server struct {
	version int
	block   int64 // bytes in a page
	segment int64 // bytes in a file
	dir     string
}

func readServer(ctx context.Context, tx pgx.Tx, dir string) (server, error) {
	s := server{dir: dir}
	var super bool
	err := tx.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('block_size')::bigint,
		pg_size_bytes(current_setting('segment_size')), current_setting('is_superuser')::bool`).Scan(&s.version, &s.block, &s.segment, &super)
	if err != nil {
		return server{}, fmt.Errorf("ask the server for its settings: %w", err)
	}
	if !super {
		return server{}, invalid("the role may not write statistics", "Connect as the superuser of a server that the rehearsal owns.", nil)
	}
	return s, nil
}

// relation is a table, or an index, as the small database has it.
type relation struct {
	oid     uint32
	schema  string
	name    string
	sql     string // as one writes it
	kind    string // pg_class.relkind
	method  string // of an index
	partial bool
	path    string // under the data directory
	tuples  float64
	pages   int   // as the catalogue has it
	blocks  int64 // as the file has it
	columns map[string]ownColumn
	indexes []*relation // by name
}

func (r *relation) partitioned() bool { return r.kind == "p" }

// extensible says whether zero pages behind the last one are harmless in an index
// of this kind: the access method takes them for new pages, and reaches its own
// only by links. A hash index computes where its pages are. A BRIN index would
// write to each of them at the next VACUUM.
func (r *relation) extensible() bool {
	switch r.method {
	case "btree", "gin", "gist", "spgist":
		return true
	}
	return false
}

// ownColumn is a column's statistics in the small database.
type ownColumn struct {
	number     int16
	inherited  bool
	width      int
	distinct   float64
	correlated bool // there is a correlation
}

// readRelations gives the tables of the database, by QName.
func readRelations(ctx context.Context, tx pgx.Tx) (map[string]*relation, error) {
	tables := map[string]*relation{}
	byOID := map[uint32]*relation{}
	rows, err := tx.Query(ctx, `
		SELECT c.oid, n.nspname, c.relname, format('%I.%I', n.nspname, c.relname), c.relkind::text,
		       coalesce(pg_relation_filepath(c.oid), ''), c.reltuples, c.relpages,
		       CASE WHEN c.relkind = 'p' THEN 0 ELSE pg_relation_size(c.oid) / current_setting('block_size')::bigint END
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND c.relpersistence <> 't'`)
	if err != nil {
		return nil, fmt.Errorf("read tables: %w", err)
	}
	for rows.Next() {
		r := &relation{columns: map[string]ownColumn{}}
		if err := rows.Scan(&r.oid, &r.schema, &r.name, &r.sql, &r.kind, &r.path, &r.tuples, &r.pages, &r.blocks); err != nil {
			return nil, fmt.Errorf("read tables: %w", err)
		}
		name := r.name
		if r.schema != "public" {
			name = r.schema + "." + r.name
		}
		tables[name], byOID[r.oid] = r, r
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read tables: %w", err)
	}
	if err := readIndexes(ctx, tx, byOID); err != nil {
		return nil, fmt.Errorf("read indexes: %w", err)
	}
	if err := readColumns(ctx, tx, byOID); err != nil {
		return nil, fmt.Errorf("read columns: %w", err)
	}
	return tables, nil
}

func readIndexes(ctx context.Context, tx pgx.Tx, tables map[uint32]*relation) error {
	rows, err := tx.Query(ctx, `
		SELECT i.indrelid, c.oid, n.nspname, c.relname, am.amname, i.indpred IS NOT NULL,
		       pg_relation_filepath(c.oid), c.reltuples, c.relpages, pg_relation_size(c.oid) / current_setting('block_size')::bigint
		FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am am ON am.oid = c.relam
		WHERE c.relkind = 'i' ORDER BY c.relname`)
	if err != nil {
		return err
	}
	for rows.Next() {
		var table uint32
		r := &relation{kind: "i"}
		if err := rows.Scan(&table, &r.oid, &r.schema, &r.name, &r.method, &r.partial, &r.path, &r.tuples, &r.pages, &r.blocks); err != nil {
			return err
		}
		if t, ok := tables[table]; ok {
			t.indexes = append(t.indexes, r)
		}
	}
	return rows.Err()
}

// readColumns reads the columns that have statistics: those of the table itself,
// and of a partitioned table those of all its partitions.
func readColumns(ctx context.Context, tx pgx.Tx, tables map[uint32]*relation) error {
	rows, err := tx.Query(ctx, `
		SELECT s.starelid, s.staattnum, a.attname, s.stainherit, s.stawidth, s.stadistinct,
		       3 IN (stakind1, stakind2, stakind3, stakind4, stakind5)
		FROM pg_statistic s JOIN pg_class c ON c.oid = s.starelid
		JOIN pg_attribute a ON a.attrelid = s.starelid AND a.attnum = s.staattnum
		WHERE NOT a.attisdropped AND s.stainherit = (c.relkind = 'p')`)
	if err != nil {
		return err
	}
	for rows.Next() {
		var table uint32
		var name string
		var c ownColumn
		if err := rows.Scan(&table, &c.number, &name, &c.inherited, &c.width, &c.distinct, &c.correlated); err != nil {
			return err
		}
		if t, ok := tables[table]; ok {
			t.columns[name] = c
		}
	}
	return rows.Err()
}
