package mysql_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rehearse-dev/rehearse/internal/mysql"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

// open connects, and reads the catalogue.
func open(t testing.TB, url string) *mysql.DB {
	t.Helper()
	db, err := mysql.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if _, err := db.Catalog(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

func table(t testing.TB, s *schema.Schema, name string) *schema.Table {
	t.Helper()
	found, ok := s.Table(name)
	if !ok {
		t.Fatalf("there is no table %q", name)
	}
	return found
}

// foreign are schemas that come with Debian's packages, as scripts/ci-setup.sh has
// unpacked them.
var foreign = map[string][]string{
	"icingadb":        {"icingadb/schema/mysql/schema.sql"},
	"mediawiki":       {"mediawiki/maintenance/tables-generated.sql", "mediawiki/maintenance/tables.sql"},
	"request-tracker": {"request-tracker5/etc/schema.mysql"},
}

func loadForeign(t testing.TB, url, name string) {
	t.Helper()
	for _, file := range foreign[name] {
		b, err := os.ReadFile(filepath.Join("../../bin/schemas/usr/share", file))
		if err != nil {
			t.Fatalf("%v: run scripts/ci-setup.sh", err)
		}
		testdb.MariaDBSQL(t, url, string(b))
	}
}
