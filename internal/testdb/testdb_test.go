package testdb_test

import (
	"os"
	"testing"

	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

func TestServers(t *testing.T) {
	testdb.SQL(t, testdb.Postgres(t), "CREATE TABLE a (b int)", "INSERT INTO a VALUES (1)")
	testdb.MariaDBSQL(t, testdb.MariaDB(t), "CREATE TABLE a (b int); INSERT INTO a VALUES (1);")
}

func TestSchemas(t *testing.T) {
	for _, f := range testdb.Schemas() {
		t.Run(f.Name, func(t *testing.T) { f.Load(t, testdb.Postgres(t)) })
	}
}
