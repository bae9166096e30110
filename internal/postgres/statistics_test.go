package postgres_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/postgres"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func statistics(t testing.TB, db *postgres.DB) map[string]measure.Statistics {
	t.Helper()
	s, err := db.Statistics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStatistics(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url,
		"CREATE TABLE a (id bigserial PRIMARY KEY, b text, c int, free int) WITH (autovacuum_enabled = off)",
		"INSERT INTO a (b, c) SELECT CASE WHEN i % 4 = 0 THEN NULL ELSE 'x' || i % 10 END, i FROM generate_series(1, 10000) i",
		"CREATE INDEX a_c ON a (c)",
		"CREATE TABLE never (b int, c text) WITH (autovacuum_enabled = off)", "INSERT INTO never SELECT i, 'x' FROM generate_series(1, 500) i",
		"CREATE TABLE nothing (b int)")
	// A session reports its counts when it ends, which must not be after ANALYZE.
	testdb.SQL(t, url, "ANALYZE a")
	testdb.SQL(t, url, "DELETE FROM a WHERE id > 8000", "UPDATE a SET c = 0 WHERE id <= 1000")
	all := statistics(t, open(t, url))

	a := all["a"]
	// The density at ANALYZE times the pages, which the update has added to.
	if a.Rows < 10000 || a.Rows > 11500 || a.Pages < 40 || a.Bytes != a.Pages*8192 || a.Analyzed.IsZero() {
		t.Errorf("a has %d rows, %d pages, %d bytes, analysed %v; want little more than 10000, some 60, and a time", a.Rows, a.Pages, a.Bytes, a.Analyzed)
	}
	// 3000 of the 8000 that are left have changed since: 2000 went, 1000 are new.
	if a.Stale < 0.37 || a.Stale > 0.38 {
		t.Errorf("a is stale by %v, want 3000 of 8000", a.Stale)
	}
	if a.Churn.Dead < 0.37 || a.Churn.Dead > 0.38 {
		t.Errorf("a has dead rows of %v, want 3000 of 8000", a.Churn.Dead)
	}
	if c := a.Churn; c.Inserts <= 0 || !near(c.Updates, c.Inserts/10) || !near(c.Deletes, c.Inserts/5) || !near(c.Growth, c.Inserts*4/5) {
		t.Errorf("a changes by %+v, want a tenth of the inserts as updates and a fifth as deletes", c)
	}
	b, c := a.Columns["b"], a.Columns["c"]
	if !near(b.Null, 0.25) || b.Distinct != 10 || b.Width != 3 {
		t.Errorf("a.b is %+v, want a quarter NULL, 10 values, 3 bytes", b)
	}
	if c.Distinct != -1 || c.Correlation != 1 {
		t.Errorf("a.c is %+v, want distinct and in order", c)
	}
	if got := a.Columns["id"].Sequence; got != 10000 {
		t.Errorf("the sequence of a.id stands at %d, want 10000", got)
	}
	if len(a.Indexes) != 2 || a.Indexes[0].Name != "a_c" || a.Indexes[0].Pages < 10 {
		t.Errorf("a has the indexes %v, want a_c and a_pkey with their pages", a.Indexes)
	}

	never := all["never"]
	if never.Rows != 500 || !never.Analyzed.IsZero() || len(never.Columns) != 0 {
		t.Errorf("the table that was never analysed has %+v, want 500 rows and no more", never)
	}
	if nothing, ok := all["nothing"]; !ok || nothing.Rows != 0 {
		t.Errorf("the empty table has %d rows, known %v", nothing.Rows, ok)
	}
}

func near(got, want float64) bool { return got > want*0.999 && got < want*1.001 }

func TestStatisticsOfPartitions(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url,
		"CREATE TABLE p (id int GENERATED ALWAYS AS IDENTITY, at int, b text) PARTITION BY RANGE (at)",
		"CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000) WITH (autovacuum_enabled = off)",
		"CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1000) TO (4000) PARTITION BY RANGE (at)",
		"CREATE TABLE p2a PARTITION OF p2 FOR VALUES FROM (1000) TO (4000) WITH (autovacuum_enabled = off)",
		"CREATE INDEX p_at ON p (at)",
		"INSERT INTO p (at, b) SELECT i, CASE WHEN i >= 1000 THEN 'x' END FROM generate_series(0, 3999) i")
	testdb.SQL(t, url, "ANALYZE p1, p2a")
	all := statistics(t, open(t, url))
	p := all["p"]
	if p.Rows != 4000 || p.Pages != all["p1"].Pages+all["p2a"].Pages || p.Analyzed.IsZero() {
		t.Errorf("p has %d rows on %d pages, analysed %v; want those of the partitions", p.Rows, p.Pages, p.Analyzed)
	}
	if got, want := p.Churn.Inserts, all["p1"].Churn.Inserts+all["p2"].Churn.Inserts; !near(got, want) {
		t.Errorf("p has %v inserts per hour, its partitions %v", got, want)
	}
	want := map[string]measure.ColumnStatistics{
		"id": {Width: 4, Distinct: -1, Correlation: 1, Sequence: 4000},
		"at": {Width: 4, Distinct: -1, Correlation: 1},
		"b":  {Null: 0.25, Width: 2, Distinct: 1, Correlation: 0.75},
	}
	if diff := cmp.Diff(want, p.Columns); diff != "" {
		t.Errorf("the columns of p (-want +got):\n%s", diff)
	}
	if len(p.Indexes) != 1 || p.Indexes[0].Pages < 10 {
		t.Errorf("p has the indexes %v, want p_at with the pages of all its parts", p.Indexes)
	}
}
