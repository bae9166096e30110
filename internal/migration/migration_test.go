package migration_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse/internal/migration"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

const rows = 2_000

// production has a hundred times as many orders, and as few currencies.
var production = &profile.Data{Tables: []profile.DataTable{{Name: "orders", Rows: 100 * rows}, {Name: "currency", Rows: 3}}}

// database has orders, of which there are many, and currencies.
func database(t *testing.T) string {
	t.Helper()
	url := testdb.Postgres(t)
	fill(t, url)
	return url
}

// fill makes the tables again, and nothing else.
func fill(t *testing.T, url string) {
	t.Helper()
	testdb.SQL(t, url, `DROP SCHEMA public CASCADE; CREATE SCHEMA public;
		CREATE TABLE currency (code text PRIMARY KEY, name text); INSERT INTO currency VALUES ('EUR', 'euro'), ('USD', 'dollar');
		CREATE TABLE orders (id bigserial PRIMARY KEY, state text, currency text NOT NULL, total int);
		INSERT INTO orders (state, currency, total) SELECT 'paid', 'EUR', g FROM generate_series(1, 2000) g; ANALYZE orders, currency`)
}

// rehearse runs statements, each in a transaction of its own.
func rehearse(t *testing.T, url string, statements ...string) migration.Report {
	t.Helper()
	return watch(t, url, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		for _, s := range statements {
			if _, err := conn.Exec(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}, nil)
}

func watch(t *testing.T, url string, run func(context.Context) error, blocked func(string, migration.Access)) migration.Report {
	t.Helper()
	r, err := migration.Rehearse(t.Context(), func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, url) }, run,
		migration.Options{Profile: production, Patience: time.Hour, OnBlocked: blocked})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Notes) > 0 {
		t.Errorf("notes: %q", r.Notes)
	}
	return r
}

func TestFindings(t *testing.T) {
	url := database(t)
	for _, test := range []struct {
		name       string
		statements []string
		want       []string // kind and table
	}{
		{"plain column", []string{"ALTER TABLE orders ADD COLUMN note text"}, nil},
		{"column with a constant", []string{"ALTER TABLE orders ADD COLUMN n int NOT NULL DEFAULT 7"}, nil},
		{"column with a volatile default", []string{"ALTER TABLE orders ADD COLUMN at float DEFAULT random()"}, []string{"table_rewritten orders"}},
		{"type", []string{"ALTER TABLE orders ALTER total TYPE bigint"}, []string{"table_rewritten orders"}},
		{"type that is the same on disk", []string{"ALTER TABLE orders ALTER state TYPE varchar"}, nil},
		{"small table", []string{"ALTER TABLE currency ADD COLUMN at float DEFAULT random()", "CREATE INDEX ON currency (name)"}, nil},
		{"index", []string{"CREATE INDEX i ON orders (total)"}, []string{"index_blocks_writes orders"}},
		{"index concurrently", []string{"CREATE INDEX CONCURRENTLY i ON orders (total)"}, nil},
		{"index that fails", []string{"CREATE UNIQUE INDEX CONCURRENTLY i ON orders (state)"}, []string{"migration_failed ", "index_invalid orders"}},
		{"unique", []string{"ALTER TABLE orders ADD UNIQUE (total)"}, []string{"index_blocks_writes orders"}},
		{"check", []string{"ALTER TABLE orders ADD CONSTRAINT c CHECK (total > 0)"}, []string{"constraint_validated orders"}},
		{"check in two steps", []string{"ALTER TABLE orders ADD CONSTRAINT c CHECK (total > 0) NOT VALID", "ALTER TABLE orders VALIDATE CONSTRAINT c"}, nil},
		{"reference", []string{"ALTER TABLE orders ADD FOREIGN KEY (currency) REFERENCES currency"}, []string{"constraint_validated orders"}},
		{"reference in two steps", []string{"ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (currency) REFERENCES currency NOT VALID", "ALTER TABLE orders VALIDATE CONSTRAINT f"}, nil},
		{"not null", []string{"ALTER TABLE orders ALTER state SET NOT NULL"}, []string{"not_null_scanned orders"}},
		{"not null, proven", []string{"ALTER TABLE orders ADD CONSTRAINT c CHECK (state IS NOT NULL) NOT VALID", "ALTER TABLE orders VALIDATE CONSTRAINT c", "ALTER TABLE orders ALTER state SET NOT NULL"}, nil},
		{"new table", []string{"CREATE TABLE n AS SELECT * FROM orders", "CREATE INDEX ON n (total)", "ALTER TABLE n ADD CHECK (total > 0)"}, nil},
		{"nonsense", []string{"ALTER TABLE nothing ADD COLUMN a int"}, []string{"migration_failed "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			fill(t, url)
			var got []string
			for _, f := range rehearse(t, url, test.statements...).Findings {
				got = append(got, f.Kind+" "+f.Table)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
			testdb.SQL(t, url, "DO $$ BEGIN IF EXISTS (SELECT FROM pg_event_trigger) OR EXISTS (SELECT FROM pg_namespace WHERE nspname LIKE 'rehearse%') THEN RAISE 'something is left'; END IF; END $$")
		})
	}
}

// However short a statement is, its locks are seen.
func TestLocks(t *testing.T) {
	url := database(t)
	for _, test := range []struct{ sql, want, how string }{
		{"ALTER TABLE orders ADD COLUMN note text", "AccessExclusiveLock", "independent of size"},
		{"ALTER TABLE orders ADD COLUMN at float DEFAULT random()", "AccessExclusiveLock", "linear"},
		{"CREATE INDEX ON orders (total)", "ShareLock", "n log n"},
		{"CREATE INDEX CONCURRENTLY ON orders (total)", "ShareUpdateExclusiveLock", "n log n"},
	} {
		fill(t, url)
		r := rehearse(t, url, test.sql)
		i := slices.IndexFunc(r.Statements, func(s migration.Statement) bool { return s.SQL == test.sql })
		if i < 0 {
			t.Errorf("%s is not among the statements: %+v", test.sql, r.Statements)
			continue
		}
		if s := r.Statements[i]; len(s.Locks) == 0 || s.Locks[0].Table != "orders" || s.Locks[0].Mode != test.want {
			t.Errorf("%s holds %+v, want %s", test.sql, s.Locks, test.want)
		} else if s.Estimate.How != test.how || (s.Estimate.Times > 99) != (test.how != "independent of size") {
			t.Errorf("%s: estimate %+v, want %s", test.sql, s.Estimate, test.how)
		}
	}
}

// A migration keeps its lock until both probes have been seen to wait, or only
// the one that writes.
func TestBlocked(t *testing.T) {
	url := database(t)
	for _, test := range []struct {
		sql  string
		want []string
	}{
		{"ALTER TABLE orders ADD COLUMN note text", []string{"read", "write"}},
		{"CREATE INDEX ON orders (total)", []string{"write"}},
		{"UPDATE orders SET total = 1", []string{"write"}},
	} {
		fill(t, url)
		seen := make(chan string, 10)
		r := watch(t, url, func(ctx context.Context) error {
			conn, err := pgx.Connect(ctx, url)
			if err != nil {
				return err
			}
			defer conn.Close(context.WithoutCancel(ctx))
			return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, test.sql); err != nil {
					return err
				}
				for range test.want {
					select {
					case <-seen:
					case <-time.After(20 * time.Second):
						return errors.New("no probe was seen to wait")
					}
				}
				return nil
			})
		}, func(table string, access migration.Access) { seen <- table })
		var got []string
		for _, b := range r.Blocked {
			got = append(got, string(b.Access))
			if b.Table != "orders" || b.By != test.sql || b.Longest <= 0 {
				t.Errorf("%s: %+v", test.sql, b)
			}
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s: blocked (-want +got):\n%s", test.sql, d)
		}
		if !slices.ContainsFunc(r.Statements, func(s migration.Statement) bool { return s.SQL == test.sql && len(s.Locks) > 0 }) {
			t.Errorf("%s is not among the statements with locks: %+v", test.sql, r.Statements)
		}
	}
}

func TestRewritten(t *testing.T) {
	r := rehearse(t, database(t), "ALTER TABLE orders ALTER total TYPE bigint")
	if len(r.Rewritten) != 1 || r.Rewritten[0].Table != "orders" || r.Rewritten[0].Before < 10*8192 || r.Rewritten[0].After < 10*8192 {
		t.Errorf("rewritten: %+v", r.Rewritten)
	}
	if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].What, "by estimate") {
		t.Errorf("the finding has no estimate: %+v", r.Findings)
	}
}
