package postgres_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/postgres"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func info(t testing.TB, db *postgres.DB) measure.Info {
	t.Helper()
	i, err := db.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestInfo(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, "CREATE TABLE a (b int)", "ALTER ROLE postgres SET timezone = 'Asia/Tokyo'")
	t.Cleanup(func() { testdb.SQL(t, url, "ALTER ROLE postgres RESET ALL") })
	db := open(t, url)
	got := info(t, db)
	if got.Now.IsZero() || got.Now.Location().String() != "UTC" {
		t.Errorf("the server's time is %v, want one in UTC", got.Now)
	}
	want := measure.Info{
		Version: db.Schema().Version, Encoding: "UTF8", Collation: "C.UTF-8", TimeZone: "Asia/Tokyo", Role: "postgres",
		CanWrite: []string{"everything, as a superuser", "new databases", "roles", "a"},
		Now:      got.Now, ReadOnlyGrants: got.ReadOnlyGrants,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the server (-want +got):\n%s", diff)
	}
}

// TestReadOnlyRole makes the role as Info says, and asks again as that role.
func TestReadOnlyRole(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, "CREATE SCHEMA audit", "CREATE TABLE audit.log (id serial)", "INSERT INTO audit.log DEFAULT VALUES", "CREATE TABLE p (a int) PARTITION BY LIST (a)", "CREATE TABLE p1 PARTITION OF p DEFAULT")
	grants := info(t, open(t, url)).ReadOnlyGrants
	t.Cleanup(func() { testdb.SQL(t, url, "DROP OWNED BY rehearse_reader", "DROP ROLE rehearse_reader") })
	testdb.SQL(t, url, grants...)
	// What is made later is not among them.
	testdb.SQL(t, url, "CREATE TABLE later (a int)", "CREATE TABLE ours (a int)", "GRANT SELECT ON ours TO rehearse_reader",
		"ALTER TABLE ours ENABLE ROW LEVEL SECURITY", "CREATE TABLE writable (a int, b int)", "GRANT SELECT, UPDATE (b) ON writable TO rehearse_reader")
	db := open(t, strings.Replace(url, "postgres@", "rehearse_reader:choose-one@", 1))
	got := info(t, db)
	if got.Role != "rehearse_reader" {
		t.Errorf("the role is %q", got.Role)
	}
	if diff := cmp.Diff([]string{"writable"}, got.CanWrite); diff != "" {
		t.Errorf("what may be written (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"later", "ours"}, got.Denied); diff != "" {
		t.Errorf("what may not be read (-want +got):\n%s", diff)
	}
	if got := statistics(t, db)["audit.log"].Columns["id"].Sequence; got != 1 {
		t.Errorf("the role sees the sequence at %d, want 1", got)
	}
	if !slices.Equal(grants, got.ReadOnlyGrants) {
		t.Errorf("the statements are %q for the one role and %q for the other", grants, got.ReadOnlyGrants)
	}
}

func TestStatementsWithoutTheExtension(t *testing.T) {
	url := testdb.Postgres(t)
	db := open(t, url)
	for _, step := range []string{"SELECT", "CREATE EXTENSION pg_stat_statements"} {
		testdb.SQL(t, url, step)
		// Made, it still counts nothing as long as the server has not loaded it.
		if got, err := db.Statements(t.Context(), 10); err != nil || got != nil {
			t.Errorf("after %q: got %v, %v, want neither statements nor an error", step, got, err)
		}
	}
}
