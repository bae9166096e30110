package database_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/database"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

const (
	schema = `CREATE TABLE orders (id bigserial PRIMARY KEY, total int NOT NULL); CREATE INDEX orders_total ON orders (total);
		INSERT INTO orders (total) SELECT g FROM generate_series(1, 2000) g; ANALYZE orders`
	profile = `version: 1
source: {engine: postgres, version: "15.18", taken: "2026-11-22T14:00:00Z", sample: 30000, encoding: UTF8, timezone: UTC}
privacy: {k: 20, listed: 2}
tables:
  orders:
    rows: 1000000
    pages: 9000
    churn: {inserts: 3600000, updates: 3600000}
    indexes: {orders_pkey: 2745, orders_total: 2745}
    columns:
      id: {type: bigint, unique: true}
      total: {type: integer, distinct: 500000}
`
	statements = `statements:
  - {sql: "SELECT * FROM orders WHERE total = $1", calls: 3600}
  - {sql: "SELECT total FROM orders WHERE id = $1", calls: 36000}
`
)

// stocked is a database with orders, as a driver hands it out.
func stocked(t *testing.T) driver.Filling {
	t.Helper()
	text := testdb.Postgres(t)
	testdb.SQL(t, text, schema)
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	return driver.Filling{
		Engine: "postgres", User: u.User.Username(), Password: password, Database: strings.TrimPrefix(u.Path, "/"),
		Dial: func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", u.Host) },
	}
}

// service has a dataset with a profile and one migration after the other.
func service(t *testing.T, profile string, migrations ...string) rehearse.Service {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	d := &rehearse.DataSpec{Name: "customers", Churn: 1}
	if profile != "" {
		d.Profile = write("customers.data.yaml", profile)
	}
	for i, m := range migrations {
		d.Migrations = append(d.Migrations, write(string(rune('a'+i))+".sql", m))
	}
	return rehearse.Service{Name: "db", Data: d}
}

func TestMigrator(t *testing.T) {
	for _, test := range []struct {
		name       string
		migrations []string
		kinds      []string // of findings
		files      int
		failed     string
	}{
		{"rewrite", []string{"ALTER TABLE orders ADD COLUMN at float DEFAULT random()"}, []string{"table_rewritten"}, 1, ""},
		{"two indexes in one file", []string{"CREATE INDEX CONCURRENTLY a ON orders (id, total); CREATE INDEX CONCURRENTLY b ON orders (total, id);"}, nil, 1, ""},
		{"the second fails", []string{"SELECT 1", "ALTER TABLE nothing ADD COLUMN a int", "SELECT 3"}, []string{"migration_failed"}, 2,
			`b.sql: relation "nothing" does not exist (42P01), in: ALTER TABLE nothing ADD COLUMN a int.`},
		{"a session each", []string{"SET search_path = nowhere", "ALTER TABLE orders ADD COLUMN a int"}, nil, 2, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			at := stocked(t)
			s := service(t, profile, test.migrations...)
			r, err := database.Migrator(io.Discard)(t.Context(), s, at)
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, f := range r.Findings {
				if f.Kind == "statements_blocked" {
					continue // by estimate, and so by how fast this machine is
				}
				kinds = append(kinds, f.Kind)
			}
			if diff := cmp.Diff(test.kinds, kinds); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(s.Data.Migrations[:test.files], r.Files); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if r.Failed != test.failed {
				t.Errorf("failed: got %q, want %q", r.Failed, test.failed)
			}
		})
	}
}

func TestMigratorRefuses(t *testing.T) {
	at := stocked(t)
	missing := service(t, "")
	missing.Data.Migrations = []string{filepath.Join(t.TempDir(), "nothing.sql")}
	for name, s := range map[string]rehearse.Service{"no file": missing, "psql": service(t, "", `\i other.sql`)} {
		if _, err := database.Migrator(io.Discard)(t.Context(), s, at); rehearse.KindOf(err) != rehearse.Invalid {
			t.Errorf("%s: %v, want an error of kind Invalid", name, err)
		}
	}
}

func TestChurn(t *testing.T) {
	at := stocked(t)
	var r rehearse.ChurnResult
	for length := time.Second; r.Writes() == 0 && length < time.Minute; length *= 2 { // a busy machine begins later
		ctx, cancel := context.WithTimeout(t.Context(), length)
		r = database.Churn(ctx, service(t, profile), at, 7)
		cancel()
	}
	if r.Failed != "" || r.Writes() == 0 || r.Seed != 7 || r.Wanted != 7_200_000 {
		t.Errorf("got %+v, want writes", r)
	}
	if r := database.Churn(t.Context(), service(t, ""), at, 7); !strings.Contains(r.Failed, "has no profile") {
		t.Errorf("without a profile: %+v", r)
	}
	at.Engine = "mariadb"
	if r := database.Churn(t.Context(), service(t, profile), at, 7); r.Failed == "" {
		t.Errorf("for MariaDB: %+v", r)
	}
}

func TestPlans(t *testing.T) {
	base, head := stocked(t), stocked(t)
	s := service(t, profile+statements, "DROP INDEX orders_total")
	if _, err := database.Migrator(io.Discard)(t.Context(), s, head); err != nil {
		t.Fatal(err)
	}
	r := database.Plans(t.Context(), s, base, head)
	if r.Failed != "" || r.Statements != 2 || len(r.Findings) != 1 {
		t.Fatalf("got %+v, want one finding of two statements", r)
	}
	f := r.Findings[0]
	if f.Kind != "plan_regression" || !strings.Contains(f.SQL, "total = $1") || !strings.Contains(f.Before, "Index Scan using orders_total") || !strings.Contains(f.After, "Seq Scan on orders") {
		t.Errorf("got %+v", f)
	}
	if r := database.Plans(t.Context(), s, base, base); r.Failed != "" || len(r.Findings) > 0 {
		t.Errorf("a database beside itself: %+v", r)
	}
	if r := database.Plans(t.Context(), service(t, profile), base, head); r.Hint == "" || !strings.Contains(r.Failed, "no statements") {
		t.Errorf("without statements: %+v", r)
	}
}
