package load

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// plan reads from the catalogue what has to go while rows come.
func (l *loader) plan(ctx context.Context, c *pgx.Conn) (*plan, error) {
	tx, err := c.Begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	defer rollback(tx)
	// Without a search path, definitions name every object with its schema.
	if _, err := tx.Exec(ctx, "SET LOCAL search_path = ''"); err != nil {
		return nil, err
	}
	p := &plan{}
	for _, read := range []struct {
		what string
		from func(context.Context, pgx.Tx) ([]removal, error)
	}{
		{"foreign keys", l.references},
		{"unproven checks", l.unprovenChecks},
		{"triggers", l.triggers},
		{"indexes", l.indexes},
	} {
		found, err := read.from(ctx, tx)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", read.what, err)
		}
		p.removals = append(p.removals, found...)
	}
	return p, nil
}

// family is a common table expression of all loaded tables and their partitions,
// with how many rows come into each family and whether its triggers fire.
const family = `RECURSIVE below AS (
	SELECT oid, rows, fire FROM unnest($1::oid[], $2::int8[], $3::bool[]) AS t(oid, rows, fire)
	UNION ALL
	SELECT i.inhrelid, b.rows, b.fire FROM below b JOIN pg_inherits i ON i.inhparent = b.oid JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
), family AS (SELECT oid, max(rows) AS rows, bool_or(fire) AS fire FROM below GROUP BY oid)`

// query asks about the family, and calls each for every row.
func (l *loader) query(ctx context.Context, tx pgx.Tx, sql string, each func(pgx.CollectableRow) error) error {
	var oids []uint32
	var counts []int64
	var fires []bool
	for _, t := range l.tables {
		oids, counts, fires = append(oids, t.oid), append(counts, t.rows.Rows()), append(fires, t.fire)
	}
	found, err := tx.Query(ctx, sql, oids, counts, fires)
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		if err := each(found); err != nil {
			return err
		}
	}
	return found.Err()
}

// references are all foreign keys from and to loaded tables. Those of partitions
// that their parent's imply go with the parent's.
func (l *loader) references(ctx context.Context, tx pgx.Tx) ([]removal, error) {
	var out []removal
	err := l.query(ctx, tx, "WITH "+family+`
		SELECT con.oid, con.conname, con.conrelid::regclass::text, con.confrelid::regclass::text, pg_get_constraintdef(con.oid),
			con.convalidated, rel.relkind = 'p', con.confmatchtype = 'f', a.names, b.names
		FROM pg_constraint con JOIN pg_class rel ON rel.oid = con.conrelid,
			LATERAL (SELECT array_agg(quote_ident(attname) ORDER BY k.i) AS names FROM unnest(con.conkey) WITH ORDINALITY k(n, i) JOIN pg_attribute ON attrelid = con.conrelid AND attnum = n) a,
			LATERAL (SELECT array_agg(quote_ident(attname) ORDER BY k.i) AS names FROM unnest(con.confkey) WITH ORDINALITY k(n, i) JOIN pg_attribute ON attrelid = con.confrelid AND attnum = n) b
		WHERE con.contype = 'f' AND con.conparentid = 0 AND (con.conrelid IN (SELECT oid FROM family) OR con.confrelid IN (SELECT oid FROM family))
		ORDER BY 3, 2`,
		func(row pgx.CollectableRow) error {
			var oid uint32
			var name, table, to, def string
			var valid, partitioned, full bool
			var columns, toColumns []string
			if err := row.Scan(&oid, &name, &table, &to, &def, &valid, &partitioned, &full, &columns, &toColumns); err != nil {
				return err
			}
			id := pgx.Identifier{name}.Sanitize()
			object := fmt.Sprintf("foreign key %q of %s", name, plain(table))
			add := fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", table, id, def)
			if valid && !partitioned { // partitioned tables take no NOT VALID before PostgreSQL 18
				add += " NOT VALID"
			}
			count := countViolations(table, columns, to, toColumns, full)
			steps := []step{{stage: stageReference, object: object, table: table, sql: add, definition: def, violation: count,
				done: hasConstraint(table, name), before: fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", table, id)}}
			if valid && !partitioned {
				steps = append(steps, step{stage: stageValidate, object: object, table: table, definition: def, violation: count,
					sql: fmt.Sprintf("ALTER TABLE %s VALIDATE CONSTRAINT %s", table, id)})
			}
			out = append(out, removal{object, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", table, id), steps})
			return nil
		})
	return out, err
}

// plain is a table's name as messages write it, from SQL's.
func plain(table string) string { return strings.TrimPrefix(table, "public.") }

func hasConstraint(table, name string) string {
	return fmt.Sprintf("SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = %s::regclass AND conname = %s)", literal(table), literal(name))
}

func literal(s string) string {
	quoted := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return " E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

// unprovenChecks are CHECKs that are NOT VALID: new rows would have to satisfy
// them, and those that look like production's do not.
func (l *loader) unprovenChecks(ctx context.Context, tx pgx.Tx) ([]removal, error) {
	var out []removal
	err := l.query(ctx, tx, "WITH "+family+`
		SELECT conname, conrelid::regclass::text, pg_get_constraintdef(oid)
		FROM pg_constraint WHERE contype = 'c' AND NOT convalidated AND conislocal AND coninhcount = 0 AND conrelid IN (SELECT oid FROM family)
		ORDER BY 2, 1`,
		func(row pgx.CollectableRow) error {
			var name, table, def string
			if err := row.Scan(&name, &table, &def); err != nil {
				return err
			}
			id := pgx.Identifier{name}.Sanitize()
			object := fmt.Sprintf("check %q of %s", name, plain(table))
			out = append(out, removal{object, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", table, id), []step{{
				stage: stageCheck, object: object, table: table, definition: def,
				sql:  fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", table, id, def),
				done: hasConstraint(table, name),
			}}})
			return nil
		})
	return out, err
}

// triggers are those of users that would fire in a session of ours, and must
// not. A replica's session fires those that are ENABLE ALWAYS and ENABLE REPLICA.
func (l *loader) triggers(ctx context.Context, tx pgx.Tx) ([]removal, error) {
	enable := map[string]string{"O": "ENABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA"}
	var out []removal
	err := l.query(ctx, tx, "WITH "+family+`
		SELECT tgname, tgrelid::regclass::text, tgenabled::text
		FROM pg_trigger JOIN family ON family.oid = tgrelid WHERE NOT tgisinternal AND tgenabled <> 'D' AND NOT fire
		ORDER BY 2, 1`,
		func(row pgx.CollectableRow) error {
			var name, table, enabled string
			if err := row.Scan(&name, &table, &enabled); err != nil {
				return err
			}
			fires := enabled == "A" || (enabled == "R") == l.replica
			if !fires {
				return nil
			}
			id := pgx.Identifier{name}.Sanitize()
			object := fmt.Sprintf("trigger %q of %s", name, plain(table))
			out = append(out, removal{object, fmt.Sprintf("ALTER TABLE ONLY %s DISABLE TRIGGER %s", table, id), []step{{
				stage: stageTrigger, object: object, table: table,
				sql: fmt.Sprintf("ALTER TABLE ONLY %s %s TRIGGER %s", table, enable[enabled], id),
			}}})
			return nil
		})
	return out, err
}
