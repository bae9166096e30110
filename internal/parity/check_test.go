package parity_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/parity"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func TestCheck(t *testing.T) {
	p := &profile.Data{Tables: []profile.DataTable{
		{Name: "customer", Rows: 100_000, Pages: 2000, Columns: []profile.DataColumn{{Name: "id", Unique: true}}},
		{Name: "invoice", Rows: 5_000_000, Pages: 60_000, Columns: []profile.DataColumn{{Name: "id", Unique: true}, {Name: "customer_id", Distinct: 90_000}}},
	}}
	open := func(change ...string) string {
		url := testdb.Postgres(t)
		testdb.SQL(t, url,
			"CREATE TABLE customer (id int PRIMARY KEY, name text)", "CREATE TABLE invoice (id int PRIMARY KEY, customer_id int, state text, total numeric)",
			"CREATE INDEX invoice_customer ON invoice (customer_id)",
			"INSERT INTO customer SELECT g, 'c'||g FROM generate_series(1, 200) g", "INSERT INTO invoice SELECT g, g%200+1, 'paid', g FROM generate_series(1, 2000) g")
		testdb.SQL(t, url, append(change, "ANALYZE")...)
		if _, err := parity.Apply(t.Context(), connect(t, url), testdb.PostgresDir(), p); err != nil {
			t.Fatal(err)
		}
		return url
	}
	base := open()
	head := open("DROP INDEX invoice_customer", "ALTER TABLE customer DROP COLUMN name")
	statements := []profile.DataStatement{
		{SQL: "SELECT * FROM invoice WHERE id = $1", Calls: 10},
		{SQL: "/* app */ SELECT total FROM invoice WHERE customer_id = $1 -- of one", Calls: 9},
		{SQL: "SELECT name FROM customer WHERE id = $1", Calls: 8},
		{SQL: "SELECT now() - interval $1", Calls: 7},
		{SQL: "SELECT 1; DROP TABLE invoice", Calls: 6},
		{SQL: "BEGIN"}, {SQL: "VACUUM invoice"},
	}
	got, err := parity.Check(t.Context(), connect(t, base), connect(t, head), statements)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, f := range got {
		kinds = append(kinds, fmt.Sprintf("%v %s", f.Calls, f.Kind))
	}
	want := []string{"9 plan_regression", "8 statement_broken", "7 statement_unexplained", "6 statement_unexplained"}
	if d := cmp.Diff(want, kinds); d != "" {
		t.Fatalf("findings (-want +got):\n%s", d)
	}
	if got[0].Before == nil || got[0].After == nil {
		t.Error("a regression lacks a plan")
	}
	if got, err := parity.Check(t.Context(), connect(t, base), connect(t, base), statements[:3]); err != nil || len(got) > 0 {
		t.Errorf("a schema against itself: %v, %v", got, err)
	}
	testdb.SQL(t, base, "SELECT 1 FROM invoice")
}

func TestCompare(t *testing.T) {
	seq := func(pages int64, cost float64) *parity.Plan {
		return &parity.Plan{Node: "Seq Scan", Relation: "t", Pages: pages, Cost: cost, Rows: 10}
	}
	index := &parity.Plan{Node: "Index Scan", Relation: "t", Index: "t_pkey", Pages: 5000, Cost: 8, Rows: 1}
	outer := func(rows float64) *parity.Plan {
		return &parity.Plan{Node: "Index Scan", Relation: "o", Index: "o_pkey", Cost: 8, Rows: rows}
	}
	loop := func(outer, inner *parity.Plan) *parity.Plan {
		return &parity.Plan{Node: "Nested Loop", Join: "Inner", Cost: 500, Plans: []*parity.Plan{outer, inner}}
	}
	hash := func(outer, inner *parity.Plan) *parity.Plan {
		return &parity.Plan{Node: "Hash Join", Join: "Inner", Cost: 500, Plans: []*parity.Plan{outer, {Node: "Hash", Cost: 400, Plans: []*parity.Plan{inner}}}}
	}
	for _, test := range []struct {
		name          string
		before, after *parity.Plan
		want          parity.Difference
	}{
		{"same", index, index, parity.Difference{Same: true, Ratio: 1}},
		{"small table read as a whole", index, seq(10, 16), parity.Difference{First: "Index Scan using t_pkey on t became Seq Scan on t.", Ratio: 2}},
		{"big table read as a whole", index, seq(5000, 16), parity.Difference{First: "Index Scan using t_pkey on t became Seq Scan on t.", Ratio: 2,
			Worse: []string{"All 5000 pages of t are read (Seq Scan) where an index was used (Index Scan using t_pkey on t)."}}},
		{"an index helps", seq(5000, 900), index, parity.Difference{First: "Seq Scan on t became Index Scan using t_pkey on t.", Ratio: 8. / 900}},
		{"costlier", seq(5000, 90), seq(5000, 270), parity.Difference{Same: true, Ratio: 3, Worse: []string{"The plan costs 3.0 times as much: 270 instead of 90."}}},
		{"costlier and cheap", seq(5, 9), seq(5, 27), parity.Difference{Same: true, Ratio: 3}},
		{"loop", hash(outer(9), seq(5000, 400)), loop(outer(9), seq(5000, 400)), parity.Difference{First: "Hash Join became Nested Loop.", Ratio: 1,
			Worse: []string{"A nested loop reads all 5000 pages of t, or what it kept of them, for each of 9 rows."}}},
		{"loop once", hash(outer(9), seq(5000, 400)), loop(outer(1), seq(5000, 400)), parity.Difference{First: "Hash Join became Nested Loop.", Ratio: 1}},
		{"part lost", hash(outer(9), index), &parity.Plan{Node: "Hash Join", Join: "Inner", Cost: 500, Plans: []*parity.Plan{outer(9)}},
			parity.Difference{First: "Hash Join lost a part, Hash.", Ratio: 1}},
	} {
		if d := cmp.Diff(test.want, parity.Compare(test.before, test.after)); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, d)
		}
	}
}
