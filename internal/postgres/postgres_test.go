package postgres_test

import (
	"context"
	"os"
	"testing"

	"github.com/rehearse-dev/rehearse/internal/postgres"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

// open connects, and reads the catalogue.
func open(t testing.TB, url string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	catalog(t, db)
	return db
}

func catalog(t testing.TB, db *postgres.DB) *schema.Schema {
	t.Helper()
	s, err := db.Catalog(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}
