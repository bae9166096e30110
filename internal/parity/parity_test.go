package parity_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse/internal/parity"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

// The statements whose plans are compared. All but the lookups by key change
// their plan, or its cost by far, with the size of the tables.
var statements = []string{
	"SELECT abalance FROM pgbench_accounts WHERE aid = $1",
	"UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2",
	"SELECT a.aid FROM pgbench_accounts a JOIN pgbench_tellers t ON t.bid = a.bid WHERE t.tid = $1",
	"SELECT aid, abalance FROM pgbench_accounts WHERE bid IN ($1, $2, $3)",
	"SELECT b.bid, sum(a.abalance) FROM pgbench_accounts a JOIN pgbench_branches b ON b.bid = a.bid GROUP BY b.bid",
	"SELECT * FROM pgbench_history WHERE tid = $1",
	"SELECT * FROM pgbench_accounts ORDER BY aid LIMIT 10",
	"SELECT * FROM pgbench_history ORDER BY mtime LIMIT 10",
	"SELECT h.delta, a.abalance FROM pgbench_history h JOIN pgbench_accounts a ON a.aid = h.aid WHERE h.delta > $1",
	"SELECT count(*) FROM pgbench_accounts",
	"DELETE FROM pgbench_history WHERE aid = $1 AND delta = $2",
}

// production fills a database with pgbench's tables at scale 20 and some history,
// and gives its profile and the plans that it has.
func production(t *testing.T) (*profile.Data, []*parity.Plan) {
	t.Helper()
	url := testdb.Postgres(t)
	if out, err := exec.Command("pgbench", "-q", "-i", "-s", "20", url).CombinedOutput(); err != nil {
		t.Fatalf("pgbench: %v\n%s", err, out)
	}
	testdb.SQL(t, url, history(200000, 2000000), "CREATE INDEX accounts_bid ON pgbench_accounts (bid)", "CREATE INDEX history_tid ON pgbench_history (tid)", "CHECKPOINT", "VACUUM ANALYZE")
	conn := connect(t, url)
	var plans []*parity.Plan
	for _, s := range statements {
		plans = append(plans, explain(t, conn, s))
	}
	return measure(t, conn), plans
}

// mini is the same with 10,000 accounts and 1,000 rows of history.
func mini(t *testing.T) string {
	t.Helper()
	url := testdb.Postgres(t)
	if out, err := exec.Command("pgbench", "-q", "-i", "-I", "dt", "-s", "20", url).CombinedOutput(); err != nil {
		t.Fatalf("pgbench: %v\n%s", err, out)
	}
	testdb.SQL(t, url,
		"INSERT INTO pgbench_branches SELECT g, 0 FROM generate_series(1, 20) g",
		"INSERT INTO pgbench_tellers SELECT g, (g-1)/10+1, 0 FROM generate_series(1, 200) g",
		"INSERT INTO pgbench_accounts SELECT g*200, (g-1)/500+1, 0, '' FROM generate_series(1, 10000) g",
		"ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid)", "ALTER TABLE pgbench_branches ADD PRIMARY KEY (bid)", "ALTER TABLE pgbench_tellers ADD PRIMARY KEY (tid)",
		history(1000, 2000000), "CREATE INDEX accounts_bid ON pgbench_accounts (bid)", "CREATE INDEX history_tid ON pgbench_history (tid)", "VACUUM ANALYZE")
	return url
}

// history spreads rows over tellers, branches and accounts without chance.
func history(rows, accounts int) string {
	return fmt.Sprintf(`INSERT INTO pgbench_history (tid, bid, aid, delta, mtime)
		SELECT g::bigint*7919%%200+1, g::bigint*104729%%20+1, g::bigint*1299709%%%d+1, g::bigint*15485863%%10000-5000, timestamp '2026-01-01' + g * interval '1 s'
		FROM generate_series(1, %d) g`, accounts, rows)
}

func TestApply(t *testing.T) {
	p, want := production(t)
	for _, test := range []struct{ name, dir string }{{"by its directory", testdb.PostgresDir()}, {"by the server", ""}} {
		t.Run(test.name, func(t *testing.T) { testApply(t, test.dir, p, want) })
	}
}

func testApply(t *testing.T, dir string, p *profile.Data, want []*parity.Plan) {
	url := mini(t)
	conn := connect(t, url)

	var off []string
	for i, s := range statements {
		if unlike(want[i], explain(t, conn, s)) != "" {
			off = append(off, s)
		}
	}
	if len(off) < 6 {
		t.Errorf("only these have another plan or cost in the small database before Apply, too few for the rest to show anything:\n%s", strings.Join(off, "\n"))
	}

	report, err := parity.Apply(t.Context(), conn, dir, p)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Notes) > 0 {
		t.Errorf("notes: %q", report.Notes)
	}
	if report.Extended < 200<<20 {
		t.Errorf("files became longer by %d bytes, want some 300 MB", report.Extended)
	}
	for i, s := range statements {
		if d := unlike(want[i], explain(t, connect(t, url), s)); d != "" {
			t.Errorf("%s: %s", s, d)
		}
	}
}

// unlike says how a plan is not production's: it has another tree, or its cost is
// off by more than 1 % and by more than the 0.125 for each level by which the
// small trees of two indexes are lower.
func unlike(want, got *parity.Plan) string {
	if d := cmp.Diff(shape(want), shape(got)); d != "" {
		return "plan (-production +small):\n" + d
	}
	if off := math.Abs(got.Cost - want.Cost); off > 0.01*want.Cost && off > 0.25 {
		return fmt.Sprintf("cost %.2f, want %.2f\n%s\n%s", got.Cost, want.Cost, got, want)
	}
	return ""
}

// A database with holes in its files is one that works.
func TestUse(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url,
		"CREATE TABLE t (id bigserial PRIMARY KEY, name text UNIQUE, tags int[], place point, n int)",
		"INSERT INTO t (name, tags, place, n) SELECT 'n'||g, ARRAY[g%10], point(g, g), g FROM generate_series(1, 1000) g",
		"CREATE INDEX t_tags ON t USING gin (tags)", "CREATE INDEX t_place ON t USING gist (place)",
		"CREATE INDEX t_quad ON t USING spgist (place)", "CREATE INDEX t_hash ON t USING hash (n)", "CREATE INDEX t_brin ON t USING brin (n)",
		"CREATE INDEX t_part ON t (n) WHERE n < 100", "VACUUM ANALYZE t")
	conn := connect(t, url)
	const rows, pages = 2_000_000, 140_000 // beyond one segment of 1 GiB
	report, err := parity.Apply(t.Context(), conn, testdb.PostgresDir(), &profile.Data{Tables: []profile.DataTable{{
		Name: "t", Rows: rows, Pages: pages, Indexes: []profile.DataIndex{{Name: "t_pkey", Pages: 5_500}, {Name: "t_name_key", Pages: 6_000}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(report.Notes); got != 2 {
		t.Errorf("%d notes, want one for the hash and one for the BRIN index: %q", got, report.Notes)
	}
	if got := value[float64](t, conn, "SELECT pg_relation_size('t') / 8192.0"); got != pages {
		t.Errorf("the table has %v pages, want %d", got, pages)
	}
	if got := value[float64](t, conn, "SELECT reltuples::float8 FROM pg_class WHERE relname = 't_part'"); math.Abs(got-rows*99/1000) > 1000 {
		t.Errorf("the partial index has %v rows, want a thousandth of %d for each of its 99", got, rows)
	}

	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	lookups := []string{
		"SELECT count(*) FROM t WHERE name = 'n1777'", "SELECT count(*) FROM t WHERE id = 1777", "SELECT count(*) FROM t WHERE tags @> ARRAY[77]",
		"SELECT count(*) FROM t WHERE place <@ box '(1776.5,1776.5),(1777.5,1777.5)'", "SELECT count(*) FROM t WHERE n = 1777",
	}
	// Enough rows for pages of every index to split, so that it takes new ones.
	exec("INSERT INTO t (name, tags, place, n) SELECT 'n'||g, ARRAY[g%100], point(g, g), g FROM generate_series(1001, 60000) g")
	exec("UPDATE t SET name = name || 'x' WHERE id BETWEEN 5000 AND 9000")
	exec("DELETE FROM t WHERE id > 50000")
	exec("SET enable_seqscan = off")
	check := func(when string) {
		t.Helper()
		for i, sql := range lookups {
			want := int64(1)
			if i == 2 {
				want = 490
			}
			if got := value[int64](t, conn, sql); got != want {
				t.Errorf("%s: %s = %d, want %d", when, sql, got, want)
			}
		}
	}
	check("after writing")
	exec("VACUUM t")
	check("after VACUUM")
	exec("INSERT INTO t (name, tags, place, n) SELECT 'm'||g, ARRAY[1000], point(-g, g), -g FROM generate_series(1, 20000) g")
	check("after writing again")
	if got := value[float64](t, conn, "SELECT pg_relation_size('t') / 8192.0"); got < pages {
		t.Errorf("VACUUM has cut the table to %v pages", got)
	}
	exec("CREATE EXTENSION amcheck")
	exec("SELECT bt_index_parent_check(c.oid, true, true) FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND c.relname LIKE 't\\_%'")
}

func TestApplyRefuses(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, "CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)", "ANALYZE t")
	p := &profile.Data{Tables: []profile.DataTable{{Name: "t", Rows: 1000, Pages: 100}, {Name: "gone", Rows: 1}}}
	if _, err := parity.Apply(t.Context(), connect(t, url), t.TempDir(), p); err == nil || !strings.Contains(err.Error(), "not in") {
		t.Errorf("with another directory the error is %v", err)
	}
	if got := value[int64](t, connect(t, url), "SELECT reltuples::bigint FROM pg_class WHERE relname = 't'"); got != 1 {
		t.Errorf("after a failure the table has %d rows in the catalogue, want 1", got)
	}
	report, err := parity.Apply(t.Context(), connect(t, url), testdb.PostgresDir(), p)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := report.Notes, []string{"Table gone is in the profile and not in the database."}; !cmp.Equal(got, want) {
		t.Errorf("notes %q, want %q", got, want)
	}
}

// measure makes a profile of what a database's own statistics say.
func measure(t *testing.T, conn *pgx.Conn) *profile.Data {
	t.Helper()
	p := &profile.Data{}
	rows, _ := conn.Query(t.Context(), "SELECT relname::text, reltuples::bigint, relpages::bigint FROM pg_class WHERE relname LIKE 'pgbench\\_%' AND relkind = 'r' ORDER BY 1")
	tables, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (t profile.DataTable, err error) {
		return t, r.Scan(&t.Name, &t.Rows, &t.Pages)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		rows, _ := conn.Query(t.Context(), "SELECT c.relname::text, c.relpages FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1::text::regclass ORDER BY 1", table.Name)
		if table.Indexes, err = pgx.CollectRows(rows, pgx.RowToStructByPos[profile.DataIndex]); err != nil {
			t.Fatal(err)
		}
		rows, _ = conn.Query(t.Context(), `SELECT attname::text, null_frac::float8, n_distinct::float8, avg_width, coalesce(correlation, 0)::float8 FROM pg_stats WHERE tablename = $1 ORDER BY 1`, table.Name)
		table.Columns, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (c profile.DataColumn, err error) {
			var distinct float64
			err = r.Scan(&c.Name, &c.Null, &distinct, &c.Width, &c.Correlation)
			c.Unique, c.Distinct = distinct == -1, int64(distinct)
			if distinct < 0 {
				c.Distinct = int64(-distinct * float64(table.Rows))
			}
			return c, err
		})
		if err != nil {
			t.Fatal(err)
		}
		p.Tables = append(p.Tables, table)
	}
	return p
}

// shape is a plan's tree without costs.
func shape(p *parity.Plan) []string {
	var out []string
	for line := range strings.Lines(p.String()) {
		line, _, _ = strings.Cut(line, "  (cost")
		out = append(out, line)
	}
	return out
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func explain(t *testing.T, conn *pgx.Conn, sql string) *parity.Plan {
	t.Helper()
	p, err := parity.Explain(t.Context(), conn, sql)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func value[T any](t *testing.T, conn *pgx.Conn, sql string) T {
	t.Helper()
	var v T
	if err := conn.QueryRow(t.Context(), sql).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}
