package testdb

import (
	"os"
	"path/filepath"
	"testing"
)

// A Foreign schema is one that comes with a Debian package.
type Foreign struct {
	Name string
	// Files are SQL files in order, plain or .gz, as scripts/ci-setup.sh has
	// unpacked them. Before are statements that they need.
	Files  []string
	Before []string
}

// Schemas are the schemas of Debian's packages that tests use.
func Schemas() []Foreign {
	return []Foreign{
		{Name: "zabbix", Before: []string{"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname='zabbix') THEN CREATE ROLE zabbix; END IF; END $$"},
			Files: []string{"zabbix-server-pgsql/schema.sql.gz", "zabbix-server-pgsql/images.sql.gz", "zabbix-server-pgsql/data.sql.gz"}},
		{Name: "icingadb", Files: []string{"icingadb/schema/pgsql/schema.sql"}, Before: []string{"CREATE EXTENSION IF NOT EXISTS citext"}},
		{Name: "mediawiki", Files: []string{"mediawiki/maintenance/postgres/tables-generated.sql", "mediawiki/maintenance/postgres/tables.sql"}},
		{Name: "request-tracker", Files: []string{"request-tracker5/etc/schema.Pg"}},
		{Name: "bacula", Files: []string{"dbconfig-common/data/bacula-director-pgsql/install/pgsql"}},
	}
}

// Load loads a foreign schema into a database of PostgreSQL's.
func (f Foreign) Load(t testing.TB, url string) {
	t.Helper()
	for _, s := range f.Before {
		SQL(t, url, s)
	}
	for _, file := range f.Files {
		path := filepath.Join(shared(t), file)
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("%s is not on this host: run scripts/ci-setup.sh", file)
		}
		if filepath.Ext(path) == ".gz" {
			path = unpack(t, path)
		}
		SQL(t, url, "@"+path)
	}
}

// shared is where scripts/ci-setup.sh has unpacked the packages.
func shared(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "scripts/ci-setup.sh")); err == nil {
			return filepath.Join(dir, "bin/schemas/usr/share")
		}
	}
	t.Fatal("this test runs outside of the repository")
	return ""
}
