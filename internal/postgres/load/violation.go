package load

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rehearse-dev/rehearse"
)

// countViolations is a query for how many rows break a foreign key.
func countViolations(table string, columns []string, to string, toColumns []string, full bool) string {
	equal, some, all := make([]string, len(columns)), make([]string, len(columns)), make([]string, len(columns))
	for i := range columns {
		equal[i] = fmt.Sprintf("c.%s = p.%s", columns[i], toColumns[i])
		all[i] = fmt.Sprintf("c.%s IS NOT NULL", columns[i])
		some[i] = fmt.Sprintf("c.%s IS NULL", columns[i])
	}
	dangling := fmt.Sprintf("%s AND NOT EXISTS (SELECT FROM %s p WHERE %s)", strings.Join(all, " AND "), to, strings.Join(equal, " AND "))
	if full {
		dangling += fmt.Sprintf(" OR (%s) AND (%s)", strings.Join(some, " OR "), strings.Join(all, " OR "))
	}
	return fmt.Sprintf("SELECT count(*) FROM %s c WHERE %s", table, dangling)
}

// violated says how many rows break the foreign key.
func (s step) violated(ctx context.Context, conn *pgx.Conn, e *pgconn.PgError) error {
	rowsOf := "rows of " + plain(s.table)
	var n int64
	if err := conn.QueryRow(ctx, s.violation).Scan(&n); err == nil {
		rowsOf = fmt.Sprintf("%d of the rows of %s", n, plain(s.table))
	}
	return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("%s break the %s, %s", rowsOf, s.object, s.definition), Err: withDetail(e),
		Hint: "Let the data plan make this reference, or mark the constraint NOT VALID if production has such rows."}
}
