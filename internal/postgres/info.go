package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse/internal/measure"
)

// readOnlyRole is the role that ReadOnlyGrants make.
const readOnlyRole = "rehearse_reader"

// fewNames is how many of the tables that a role may write are named.
const fewNames = 5

type roleRow struct {
	Role, Database                string
	Encoding, Collation, TimeZone string
	Now                           time.Time
	Superuser, CreateDB           bool
	CreateRole                    bool
}

type privilegeRow struct {
	Schema, Name  string
	Reads, Writes bool
	Filtered      bool // by row-level security
	Part          bool // of a partitioned table
}

// Info says what the server and the role are. Denied are the tables of which the
// role may not read every row and column, be it for row-level security.
func (db *DB) Info(ctx context.Context) (measure.Info, error) {
	var role roleRow
	var tables []privilegeRow
	err := db.read(ctx, func(conn *pgx.Conn) error {
		// An ICU locale takes the place of the C library's.
		locale := db.since(17, "d.datlocale", db.since(15, "d.daticulocale", "NULL"))
		found, err := collect[roleRow](ctx, conn, `
			SELECT current_user::text, current_database()::text, pg_encoding_to_char(d.encoding)::text, coalesce(`+locale+`, d.datcollate)::text,
				(SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'), clock_timestamp(), r.rolsuper, r.rolcreatedb, r.rolcreaterole
			FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user`)
		if err != nil {
			return err
		}
		role = found[0]
		tables, err = collect[privilegeRow](ctx, conn, "WITH "+userTables+`
			SELECT t.nspname::text, t.relname::text,
				has_schema_privilege(t.nspname, 'USAGE') AND has_table_privilege(t.oid, 'SELECT'),
				has_any_column_privilege(t.oid, 'INSERT, UPDATE') OR has_table_privilege(t.oid, 'DELETE, TRUNCATE'),
				row_security_active(t.oid), t.relispartition
			FROM tables t ORDER BY t.nspname <> 'public', t.nspname, t.relname`)
		return err
	})
	if err != nil {
		return measure.Info{}, fmt.Errorf("ask for the role's rights: %w", err)
	}
	info := measure.Info{
		Version: db.release, Encoding: role.Encoding, Collation: role.Collation, TimeZone: role.TimeZone, Now: role.Now.UTC(), Role: role.Role,
	}
	for _, right := range []struct {
		has  bool
		what string
	}{{role.Superuser, "everything, as a superuser"}, {role.CreateDB, "new databases"}, {role.CreateRole, "roles"}} {
		if right.has {
			info.CanWrite = append(info.CanWrite, right.what)
		}
	}
	var schemas []string
	writable := 0
	for _, t := range tables {
		if !slices.Contains(schemas, t.Schema) {
			schemas = append(schemas, t.Schema)
		}
		name := t.Name
		if s := schemaName(t.Schema); s != "" {
			name = s + "." + name
		}
		// Partitions are read and written through their parents.
		if t.Writes && !t.Part {
			if writable++; writable <= fewNames {
				info.CanWrite = append(info.CanWrite, name)
			}
		}
		if (!t.Reads || t.Filtered) && !t.Part {
			info.Denied = append(info.Denied, name)
		}
	}
	info.ReadOnlyGrants = grants(role.Database, schemas)
	return info, nil
}

// grants are the statements that make a role that may only read.
func grants(database string, schemas []string) []string {
	out := []string{
		"CREATE ROLE " + readOnlyRole + " LOGIN PASSWORD 'choose-one'",
		"ALTER ROLE " + readOnlyRole + " SET default_transaction_read_only = on",
		"GRANT CONNECT ON DATABASE " + quote(database) + " TO " + readOnlyRole,
	}
	if len(schemas) > 0 {
		quoted := make([]string, len(schemas))
		for i, s := range schemas {
			quoted[i] = quote(s)
		}
		in := strings.Join(quoted, ", ")
		out = append(out,
			"GRANT USAGE ON SCHEMA "+in+" TO "+readOnlyRole,
			"GRANT SELECT ON ALL TABLES IN SCHEMA "+in+" TO "+readOnlyRole,
			"GRANT SELECT ON ALL SEQUENCES IN SCHEMA "+in+" TO "+readOnlyRole)
	}
	return append(out, "GRANT pg_read_all_stats TO "+readOnlyRole)
}
