package mysql

import (
	"context"
	"fmt"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// reference is a foreign key that is to be proven.
type reference struct {
	table string
	key   schema.ForeignKey
}

// references are all foreign keys from and to loaded tables.
func (l *loader) references() []reference {
	loaded := map[string]bool{}
	for _, t := range l.tables {
		loaded[t.name] = true
	}
	var out []reference
	for _, t := range l.known.schema.Tables {
		for _, k := range t.ForeignKeys {
			if loaded[t.Name] || loaded[k.Table] {
				out = append(out, reference{t.Name, k})
			}
		}
	}
	return out
}

// prove counts the rows that lead nowhere.
func (r reference) prove(ctx context.Context, s *session) error {
	some := make([]string, len(r.key.Columns))
	for i, c := range r.key.Columns {
		some[i] = "c." + quote(c) + " IS NOT NULL"
	}
	query := fmt.Sprintf("SELECT COUNT(*) FROM %s AS c WHERE %s AND NOT EXISTS (SELECT 1 FROM %s AS p WHERE %s)",
		quote(r.table), strings.Join(some, " AND "), tableName(r.key.Table), equal("p", r.key.To, "c", r.key.Columns))
	var n int64
	if err := s.conn.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return failed(fmt.Sprintf("prove foreign key %q of table %q", r.key.Name, r.table), err)
	}
	if n > 0 {
		return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("%d of the rows of %s break the foreign key %q, %s", n, r.table, r.key.Name, r.key.Definition),
			Hint: "Let the data plan make this reference, or drop the foreign key if production has such rows."}
	}
	return nil
}
