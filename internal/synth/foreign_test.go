package synth_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse/internal/postgres"
	"github.com/rehearse-dev/rehearse/internal/postgres/load"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/synth"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

func catalog(t *testing.T, url string) *schema.Schema {
	t.Helper()
	db, err := postgres.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := db.Catalog(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fill(t *testing.T, url string, s *schema.Schema, o synth.Options) load.Report {
	t.Helper()
	start := time.Now()
	p, err := synth.Compile(context.Background(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	compiled := time.Since(start)
	for _, n := range p.Notes() {
		t.Log(n)
	}
	r, err := load.Load(context.Background(), load.Options{Truncate: true, Connect: func(ctx context.Context) (*pgx.Conn, error) {
		return postgres.Connect(ctx, postgres.Config{URL: url})
	}}, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rows; compiled in %v, all in %v", r.Rows, compiled, time.Since(start))
	return r
}

// Every schema of the foreign packages is filled from its schema alone, and the
// server finds nothing to complain of.
func TestForeignSchemas(t *testing.T) {
	for _, f := range testdb.Schemas() {
		t.Run(f.Name, func(t *testing.T) {
			url := testdb.Postgres(t)
			f.Load(t, url)
			fill(t, url, catalog(t, url), synth.Options{Seed: 1, Rows: 200})
		})
	}
}
