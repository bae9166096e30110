package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/rehearse-dev/rehearse/internal/profile"
)

// Statements are the n statements of this database that took the most time
// altogether, as performance_schema has digested them: every literal is gone. Only
// those that read or write rows are in there. Where it is off, or not the user's to
// read, there are none.
func (db *DB) Statements(ctx context.Context, n int) ([]profile.DataStatement, error) {
	var out []profile.DataStatement
	err := db.read(ctx, func(s *session) error {
		return s.each(ctx, `
			SELECT DIGEST_TEXT, COUNT_STAR / GREATEST(1, TIMESTAMPDIFF(SECOND, FIRST_SEEN, LAST_SEEN)) * 3600
			FROM performance_schema.events_statements_summary_by_digest
			WHERE SCHEMA_NAME = DATABASE() AND DIGEST_TEXT REGEXP '^(SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH) '
				AND DIGEST_TEXT NOT REGEXP 'information_schema|performance_schema|rehearse_|RAND \\(|@@|DATABASE \\(|VERSION \\(|CONNECTION_ID \\('
				AND DIGEST_TEXT NOT LIKE '%...'
			ORDER BY SUM_TIMER_WAIT DESC, DIGEST_TEXT LIMIT ?`, func(row *sql.Rows) error {
			var statement string
			var calls float64
			if err := row.Scan(&statement, &calls); err != nil {
				return err
			}
			out = append(out, profile.DataStatement{SQL: numbered(statement), Calls: calls})
			return nil
		}, n)
	})
	if unreadable(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the digests of statements: %w", err)
	}
	return out, nil
}

// numbered writes each ? of a digest as $1, $2 and so on. A list of literals is one
// of them: "(...)" is what stands for it.
func numbered(digest string) string {
	var b strings.Builder
	n, quoted := 0, false
	for i := 0; i < len(digest); i++ {
		switch c := digest[i]; {
		case c == '`':
			quoted = !quoted
			b.WriteByte(c)
		case c == '?' && !quoted, strings.HasPrefix(digest[i:], "...") && !quoted:
			if c == '.' {
				i += 2
			}
			n++
			b.WriteString("$" + strconv.Itoa(n))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
