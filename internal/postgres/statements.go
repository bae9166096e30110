package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rehearse-dev/rehearse/internal/profile"
)

type statementRow struct {
	SQL   string
	Calls float64
	Hours float64 // since the counting began; 0: not known
}

// Statements are the n statements of this database that took the most time
// altogether, as pg_stat_statements has them, with every literal and comment taken
// out. Only those that read or write rows are in there, and none that mention the
// catalogue or a function whose name begins with pg_, or that have a backslash.
// Where the extension is not there, or not loaded, there are none.
func (db *DB) Statements(ctx context.Context, n int) ([]profile.DataStatement, error) {
	var found []statementRow
	err := db.read(ctx, func(conn *pgx.Conn) error {
		var name, version string
		err := conn.QueryRow(ctx, `SELECT quote_ident(n.nspname), e.extversion FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
			WHERE e.extname = 'pg_stat_statements'`).Scan(&name, &version)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		var view bool // says since when, from 1.9 on
		if err := conn.QueryRow(ctx, "SELECT pg_catalog.to_regclass($1) IS NOT NULL", name+".pg_stat_statements_info").Scan(&view); err != nil {
			return err
		}
		hours := "0"
		if view {
			hours = "(SELECT extract(epoch FROM now() - stats_reset) / 3600 FROM " + name + ".pg_stat_statements_info)"
		}
		// total_exec_time was total_time before 1.8. More are asked for than wanted,
		// since some turn out to be the same.
		found, err = collect[statementRow](ctx, conn, `
			SELECT query, sum(calls)::float8, coalesce(`+hours+`, 0)::float8
			FROM (SELECT s.query, s.calls, coalesce(to_jsonb(s) ->> 'total_exec_time', to_jsonb(s) ->> 'total_time')::float8 AS time
				FROM `+name+`.pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database()) s
			WHERE query ~* '^(\s|/\*.*?\*/|--[^\n]*\n)*(select|insert|update|delete|with)\M'
				AND query !~* '\m(pg_|information_schema)'
			GROUP BY query ORDER BY sum(time) DESC, query LIMIT $1`, 2*n)
		return err
	})
	var server *pgconn.PgError
	if errors.As(err, &server) && server.Code == "55000" {
		return nil, nil // not in shared_preload_libraries
	}
	if err != nil {
		return nil, fmt.Errorf("read pg_stat_statements: %w", err)
	}
	return merge(found, n), nil
}

// merge normalises statements and adds up those that are the same then.
func merge(found []statementRow, n int) []profile.DataStatement {
	var out []profile.DataStatement
	at := map[string]int{}
	for _, f := range found {
		// Where such a text ends depends on how the session that ran it was set.
		if strings.Contains(f.SQL, `\`) {
			continue
		}
		sql, calls := normalise(f.SQL), 0.0
		if f.Hours > 0 {
			calls = f.Calls / f.Hours
		}
		if i, seen := at[sql]; seen {
			out[i].Calls += calls
			continue
		}
		if len(out) < n {
			at[sql] = len(out)
			out = append(out, profile.DataStatement{SQL: sql, Calls: calls})
		}
	}
	return out
}
