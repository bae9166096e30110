package dataset_test

import (
	"testing"

	"github.com/rehearse-dev/rehearse/internal/dataset"
	"github.com/rehearse-dev/rehearse/internal/likeness"
	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

// TestOrders: a time that is a little after another stays so, and neither their
// distributions nor the NULLs suffer from the CHECK that says it.
func TestOrders(t *testing.T) {
	const ddl = `CREATE TABLE orders (id bigserial primary key, placed timestamptz NOT NULL, shipped timestamptz, status text NOT NULL CHECK (status in ('open','paid','shipped')), CHECK (shipped IS NULL OR shipped >= placed))`
	a, b := testdb.Postgres(t), testdb.Postgres(t)
	testdb.SQL(t, a, ddl, `INSERT INTO orders (placed, shipped, status) SELECT p, CASE WHEN random() < 0.87 THEN p + random()*interval '5 days' END, (ARRAY['open','paid','shipped'])[1+floor(random()*3)] FROM (SELECT timestamptz '2026-01-01' + random()*interval '300 days' AS p FROM generate_series(1,5000)) x`, "ANALYZE")
	testdb.SQL(t, b, ddl)
	x, y := open(t, a), open(t, b)
	p := measured(t, x, measure.Options{})
	fill(t, y, &dataset.Files{Spec: dataset.Spec{Seed: 2}, Profile: p})
	r, err := likeness.Compare(t.Context(), x, y, likeness.Options{Profile: p})
	if err != nil {
		t.Fatal(err)
	}
	gates(t, r)
	for _, q := range r.Properties {
		for _, i := range q.Items {
			if i.Score < 0.9 {
				t.Errorf("%s %.3f %s %s", q.Name, i.Score, i.Place(), i.What)
			}
		}
	}
}
