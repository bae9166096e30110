package load

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// index is an index of a big table, or the one of a key or an exclusion.
type index struct {
	oid, parent uint32
	name        string
	sql         string // its name as SQL writes it
	table       string
	definition  string // CREATE INDEX …
	partitioned bool
	movable     bool

	constraint           string // its name; empty: there is none
	constraintKind       string // p, u, x
	constraintDefinition string
	deferrable, deferred bool
	method               string
}

// indexes are those of big tables. An index stays where its definition does not
// say everything about it (a table space, targets of statistics, being the
// replica identity, having failed), since it could not be put back as it was.
func (l *loader) indexes(ctx context.Context, tx pgx.Tx) ([]removal, error) {
	var found []index
	err := l.query(ctx, tx, "WITH "+family+`
		SELECT i.indexrelid, coalesce(h.inhparent, 0), c.relname, c.oid::regclass::text, i.indrelid::regclass::text, pg_get_indexdef(i.indexrelid), c.relkind = 'I',
			(i.indisvalid OR c.relkind = 'I') AND NOT i.indisreplident AND NOT i.indisclustered AND c.reltablespace = 0
				AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND coalesce(attstattarget, -1) >= 0)
				AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e'),
			coalesce(con.conname, ''), coalesce(con.contype::text, ''), coalesce(pg_get_constraintdef(con.oid), ''),
			coalesce(con.condeferrable, false), coalesce(con.condeferred, false), am.amname
		FROM pg_index i JOIN family f ON f.oid = i.indrelid JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
			LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid AND con.contype IN ('p', 'u', 'x')
			LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid
		WHERE f.rows >= `+fmt.Sprint(l.IndexRows)+`
		ORDER BY f.rows DESC, 5, pg_relation_size(i.indrelid) DESC, c.relname`,
		func(row pgx.CollectableRow) error {
			var x index
			err := row.Scan(&x.oid, &x.parent, &x.name, &x.sql, &x.table, &x.definition, &x.partitioned, &x.movable,
				&x.constraint, &x.constraintKind, &x.constraintDefinition, &x.deferrable, &x.deferred, &x.method)
			found = append(found, x)
			return err
		})
	if err != nil {
		return nil, err
	}
	children := map[uint32][]index{}
	for _, x := range found {
		children[x.parent] = append(children[x.parent], x)
	}
	var out []removal
	for _, x := range children[0] {
		if steps, ok := x.steps(children, nil); ok {
			out = append(out, removal{"index " + x.sql, x.drop(), steps})
		}
	}
	return out, nil
}

// steps put the index and those of its partitions back. ok is false where one of
// them must stay, and so all.
func (x index) steps(children map[uint32][]index, parent *index) (steps []step, ok bool) {
	if !x.movable {
		return nil, false
	}
	steps = x.make()
	for _, child := range children[x.oid] {
		more, ok := child.steps(children, &x)
		if !ok {
			return nil, false
		}
		steps = append(steps, more...)
	}
	// Behind the steps of its children: an index is valid once all those below are
	// attached and valid.
	if parent != nil {
		steps = append(steps, step{stage: stageAttach, object: "index " + x.sql, table: x.table,
			sql: fmt.Sprintf("ALTER INDEX %s ATTACH PARTITION %s", parent.sql, x.sql),
			done: fmt.Sprintf("SELECT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(%s) AND inhparent = to_regclass(%s))",
				literal(x.sql), literal(parent.sql))})
	}
	return steps, true
}

func (x index) drop() string {
	if x.constraint != "" {
		return fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", x.table, pgx.Identifier{x.constraint}.Sanitize())
	}
	return "DROP INDEX " + x.sql
}

func (x index) make() []step {
	there := fmt.Sprintf("SELECT to_regclass(%s) IS NOT NULL", literal(x.sql))
	id := pgx.Identifier{x.constraint}.Sanitize()
	whole := step{stage: stageBuild, object: fmt.Sprintf("index %q of %s", x.name, plain(x.table)), table: x.table, sql: x.definition, done: there, definition: x.definition}
	if x.constraint == "" {
		if x.partitioned {
			whole.stage = stageParent
		}
		return []step{whole}
	}
	object := fmt.Sprintf("constraint %q of %s", x.constraint, plain(x.table))
	if x.partitioned || x.constraintKind == "x" || x.method != "btree" {
		whole.object, whole.definition = object, x.constraintDefinition
		whole.sql = fmt.Sprintf("ALTER TABLE ONLY %s ADD CONSTRAINT %s %s", x.table, id, x.constraintDefinition)
		if x.partitioned {
			whole.stage = stageParent
		}
		return []step{whole}
	}
	kind := "UNIQUE"
	if x.constraintKind == "p" {
		kind = "PRIMARY KEY"
	}
	key := fmt.Sprintf("ALTER TABLE ONLY %s ADD CONSTRAINT %s %s USING INDEX %s", x.table, id, kind, id)
	if x.deferrable {
		key += " DEFERRABLE"
	}
	if x.deferred {
		key += " INITIALLY DEFERRED"
	}
	return []step{whole, {stage: stageKey, object: object, table: x.table, sql: key, done: hasConstraint(x.table, x.constraint), definition: x.constraintDefinition}}
}
