package dataset_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/dataset"
	"github.com/rehearse-dev/rehearse/internal/likeness"
	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/postgres/load"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

func open(t *testing.T, url string) dataset.Database {
	t.Helper()
	db, err := dataset.Open(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if _, err := db.Catalog(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

func fill(t *testing.T, db dataset.Database, f *dataset.Files) load.Report {
	t.Helper()
	r, err := dataset.Fill(t.Context(), db, f, load.Options{Truncate: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// measured profiles a database as the file would have it.
func measured(t *testing.T, db dataset.Database, o measure.Options) *profile.Data {
	t.Helper()
	o.AllowWrite = true
	p, err := measure.Profile(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := p.Write(&buf); err != nil {
		t.Fatal(err)
	}
	if p, err = profile.ParseData("test.data.yaml", buf.Bytes()); err != nil {
		t.Fatal(err)
	}
	return p
}

func gates(t *testing.T, r *likeness.Report) {
	t.Helper()
	for _, g := range r.Gates {
		if !g.Pass {
			t.Errorf("%s: %.4f: %s", g.Name, g.Score, strings.Join(g.Broken, "; "))
		}
	}
}

// TestForeignSchemas fills schemas that nobody here wrote from themselves alone,
// profiles what came of it, and fills them again from the profile. The server
// validates every constraint twice.
func TestForeignSchemas(t *testing.T) {
	for _, f := range testdb.Schemas() {
		t.Run(f.Name, func(t *testing.T) {
			a, b := testdb.Postgres(t), testdb.Postgres(t)
			if f.Name == "zabbix" {
				f.Files = f.Files[:1] // without its data
			}
			f.Load(t, a)
			f.Load(t, b)
			first, second := open(t, a), open(t, b)
			made := fill(t, first, &dataset.Files{Spec: dataset.Spec{Seed: 1, Rows: 300}})
			if made.Rows < 500 {
				t.Errorf("%d rows were generated", made.Rows)
			}
			testdb.SQL(t, a, "ANALYZE")
			p := measured(t, first, measure.Options{})
			fill(t, second, &dataset.Files{Spec: dataset.Spec{Seed: 2}, Profile: p})
			r, err := likeness.Compare(t.Context(), first, second, likeness.Options{Profile: p})
			if err != nil {
				t.Fatal(err)
			}
			gates(t, r)
			for _, q := range r.Properties {
				if q.Counts && q.HeldScore != nil {
					t.Logf("%-20s %.4f of all, %.4f of the %d that the profile can know", q.Name, q.Score, *q.HeldScore, q.Held)
				}
			}
		})
	}
}

// TestFidelity profiles the real data of Zabbix and generates data from the
// profile. The goals are for what a profile under K can know; see package
// likeness. A second profile, of the generated data, says the same as the first.
func TestFidelity(t *testing.T) {
	var zabbix testdb.Foreign
	for _, f := range testdb.Schemas() {
		if f.Name == "zabbix" {
			zabbix = f
		}
	}
	real, copied := testdb.Postgres(t), testdb.Postgres(t)
	zabbix.Load(t, real)
	zabbix.Files = zabbix.Files[:1]
	zabbix.Load(t, copied)
	testdb.SQL(t, real, "ANALYZE")
	original, generated := open(t, real), open(t, copied)
	p := measured(t, original, measure.Options{})
	made := fill(t, generated, &dataset.Files{Spec: dataset.Spec{Seed: 1}, Profile: p})
	if made.Rows < 100_000 {
		t.Errorf("%d rows were generated", made.Rows)
	}
	r, err := likeness.Compare(t.Context(), original, generated, likeness.Options{Profile: p})
	if err != nil {
		t.Fatal(err)
	}
	gates(t, r)
	goals := map[string]float64{
		likeness.ColumnShapes: 0.95, likeness.ColumnPairTrends: 0.95, likeness.Cardinality: 0.97, likeness.IntertableTrends: 0.90,
		likeness.ReferentialIntegrity: 1,
	}
	for _, q := range r.Properties {
		if q.HeldScore == nil {
			continue
		}
		t.Logf("%-22s %.4f of all %d, %.4f of the %d that the profile can know", q.Name, q.Score, len(q.Items), *q.HeldScore, q.Held)
		if goal := goals[q.Name]; *q.HeldScore < goal {
			t.Errorf("%s: got %.4f, want %.2f", q.Name, *q.HeldScore, goal)
		}
		delete(goals, q.Name)
	}
	for name := range goals {
		t.Errorf("%s was not scored", name)
	}
	testdb.SQL(t, copied, "ANALYZE")
	again := likeness.Profiles(p, measured(t, generated, measure.Options{Now: p.Source.Taken}))
	for _, q := range again.Properties {
		if q.Counts {
			t.Logf("again: %-15s %.4f", q.Name, q.Score)
		}
	}
	if shapes, _ := again.Property(likeness.ColumnShapes); shapes.Score < 0.95 {
		t.Errorf("the profile of generated data has shapes %.4f like the first's, want 0.95", shapes.Score)
	}
	if c, _ := again.Property(likeness.Cardinality); c.Score < 0.95 {
		t.Errorf("the profile of generated data has references %.4f like the first's, want 0.95", c.Score)
	}
}

// TestSame: the same files and seed give the same rows, however they are loaded,
// and another seed gives others.
func TestSame(t *testing.T) {
	const ddl = `CREATE TABLE a (id bigserial PRIMARY KEY, email text UNIQUE NOT NULL, n numeric(9,2), at timestamptz NOT NULL);
		CREATE TABLE b (id bigserial PRIMARY KEY, a bigint NOT NULL REFERENCES a, tags text[], doc jsonb, at date)`
	sum := func(seed uint64, connections int) string {
		url := testdb.Postgres(t)
		testdb.SQL(t, url, ddl)
		db := open(t, url)
		if _, err := dataset.Fill(t.Context(), db, &dataset.Files{Spec: dataset.Spec{Seed: seed, Rows: 3000}}, load.Options{Connections: connections}); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for _, table := range []string{"a", "b"} {
			err := db.Sample(t.Context(), measure.Query{Table: table, Columns: []string{"id", "at"}}, func(r measure.Row) error {
				out.Write(bytes.Join(r, []byte{'|'}))
				out.WriteByte('\n')
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return out.String()
	}
	one := sum(5, 1)
	if two := sum(5, 3); one != two {
		t.Error("three connections give other rows than one")
	}
	if len(one) < 1000 {
		t.Errorf("got %q", one)
	}
	if one == sum(6, 1) {
		t.Error("another seed gives the same rows")
	}
}

// TestSeedsStay: without a profile, tables that have rows stay as they are in a
// database of ours, and make a load into another's an error.
func TestSeedsStay(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, `CREATE TABLE kinds (id int PRIMARY KEY, name text NOT NULL)`, `CREATE TABLE things (id bigserial PRIMARY KEY, kind int NOT NULL REFERENCES kinds)`,
		`INSERT INTO kinds SELECT i, 'kind ' || i FROM generate_series(1, 400) i`, "ANALYZE")
	db := open(t, url)
	files := &dataset.Files{Spec: dataset.Spec{Seed: 1, Rows: 300}}
	program, _, err := dataset.CompileFor(t.Context(), db, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Load(t.Context(), load.Options{}, program); !errors.Is(err, rows.ErrNotEmpty) {
		t.Errorf("got %v, want that the database has rows", err)
	}
	report := fill(t, db, files)
	if len(report.Tables) != 1 || report.Tables[0].Table != "things" || report.Rows == 0 {
		t.Errorf("got %+v, want rows in things alone", report.Tables)
	}
	testdb.SQL(t, url, `DO $do$ BEGIN IF (SELECT count(*) FROM kinds WHERE name = 'kind ' || id) <> 400 THEN RAISE 'the seeds have changed'; END IF; END $do$`)
}

// TestAfterACutLoad fills a database whose last load was killed: the primary key is
// away, rows are there, and the journal says so.
func TestAfterACutLoad(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url,
		`CREATE TABLE kinds (id int, name text NOT NULL)`,
		`INSERT INTO kinds SELECT 1, 'left by the load' FROM generate_series(1, 3)`,
		`CREATE TABLE rehearse_load (id int PRIMARY KEY, object text NOT NULL, restore text NOT NULL, done text NOT NULL, before text NOT NULL)`,
		`INSERT INTO rehearse_load VALUES (0, 'public.kinds', '', '', ''),
			(1, 'primary key', 'ALTER TABLE kinds ADD CONSTRAINT kinds_pkey PRIMARY KEY (id)', 'SELECT false', '')`)
	db := open(t, url)
	report, err := dataset.Fill(t.Context(), db, &dataset.Files{Spec: dataset.Spec{Seed: 1, Rows: 300}}, load.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var tables []string
	for _, table := range report.Tables {
		tables = append(tables, table.Table)
	}
	if diff := cmp.Diff([]string{"kinds"}, tables); diff != "" {
		t.Errorf("tables filled (-want +got):\n%s", diff)
	}
	if _, err := db.Catalog(t.Context()); err != nil {
		t.Fatal(err)
	}
	if table, ok := db.Schema().Table("kinds"); !ok || len(table.Keys) != 1 {
		t.Errorf("got keys %v, want the primary key", table.Keys)
	}
}

// TestOtherDatabase refuses a profile of which nothing would be made.
func TestOtherDatabase(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, `CREATE TABLE kinds (id int PRIMARY KEY)`)
	p := &profile.Data{Tables: []profile.DataTable{{Name: "shops", Rows: 3}}}
	_, err := dataset.Fill(t.Context(), open(t, url), &dataset.Files{Profile: p, Spec: dataset.Spec{Scale: 1, Seed: 1}}, load.Options{})
	if got := rehearse.KindOf(err); err == nil || got != rehearse.Invalid {
		t.Errorf("got %v of kind %v, want an error of kind %v", err, got, rehearse.Invalid)
	}
}

func TestReadProblems(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.data.yaml")
	if err := os.WriteFile(file, []byte("version: 1\ntabels: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		spec dataset.Spec
		want string
	}{
		{dataset.Spec{Profile: file}, "tabels"},
		{dataset.Spec{Profile: file + ".missing"}, "missing"},
		{dataset.Spec{PlanFile: file}, "bad.data.yaml"},
	} {
		if _, err := dataset.Read(c.spec); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Read(%+v): got %v, want an error about %q", c.spec, err, c.want)
		}
	}
	if _, err := dataset.Open(t.Context(), "http://localhost/x", nil); err == nil || !strings.Contains(err.Error(), "no URL of a database") {
		t.Errorf("Open of another URL: got %v", err)
	}
}
