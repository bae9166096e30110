package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/postgres"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

// sample reads rows as text, with "NULL" in angle brackets for what is NULL.
func sample(t testing.TB, db *postgres.DB, q measure.Query) [][]string {
	t.Helper()
	var out [][]string
	err := db.Sample(t.Context(), q, func(r measure.Row) error {
		row := make([]string, len(r))
		for i, v := range r {
			if row[i] = string(v); v == nil {
				row[i] = "<NULL>"
			}
		}
		out = append(out, row)
		return nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, db.SQL(q))
	}
	return out
}

func TestSampleValues(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, `CREATE TABLE "Odd ""name" (id int PRIMARY KEY, "a b" text, f float8, ts timestamptz, iv interval, raw bytea, n numeric)`,
		`INSERT INTO "Odd ""name" VALUES
		(1, NULL, 0.1, '2026-07-01 12:00+02', '1 day 02:00', '\x00ff', 'NaN'),
		(2, '', 'infinity', 'infinity', '-3 months', '', 1.10),
		(3, E'tab\t line\n cr\r back\\ b\b f\f v\x0b', 1e-300, '0001-01-01 BC', '0', NULL, 0),
		(4, E'\\N', 1e22, NULL, NULL, NULL, NULL),
		(5, 'žluťoučký 🐎', NULL, NULL, NULL, NULL, NULL)`,
		"ALTER ROLE postgres SET timezone = 'Asia/Tokyo'", "ALTER ROLE postgres SET intervalstyle = 'iso_8601'", "ALTER ROLE postgres SET bytea_output = 'escape'",
		"ALTER ROLE postgres SET datestyle = 'German'", "ALTER ROLE postgres SET extra_float_digits = -5")
	t.Cleanup(func() { testdb.SQL(t, url, "ALTER ROLE postgres RESET ALL") })
	got := sample(t, open(t, url), measure.Query{Table: `Odd "name`, Columns: []string{"id", "a b", "f", "ts", "iv", "raw", "n"}})
	want := [][]string{
		{"1", "<NULL>", "0.1", "2026-07-01 10:00:00+00", "1 day 02:00:00", `\x00ff`, "NaN"},
		{"2", "", "Infinity", "infinity", "-3 mons", `\x`, "1.10"},
		{"3", "tab\t line\n cr\r back\\ b\b f\f v\v", "1e-300", "0001-01-01 00:00:00+00 BC", "00:00:00", "<NULL>", "0"},
		{"4", `\N`, "1e+22", "<NULL>", "<NULL>", "<NULL>", "<NULL>"},
		{"5", "žluťoučký 🐎", "<NULL>", "<NULL>", "<NULL>", "<NULL>", "<NULL>"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestSampleOfBytesInNoEncoding(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, "CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
	at := strings.LastIndexByte(url, '/')
	bytes := url[:at] + "/bytes?sslmode=disable"
	testdb.SQL(t, bytes, `CREATE TABLE mixed (a text)`, `INSERT INTO mixed VALUES (E'caf\xe9'), (E'caf\xc3\xa9')`)
	db := open(t, bytes)
	got := sample(t, db, measure.Query{Table: "mixed", Columns: []string{"a"}})
	db.Close()
	testdb.SQL(t, url, "DROP DATABASE bytes")
	if diff := cmp.Diff([][]string{{"caf\xe9"}, {"caf\xc3\xa9"}}, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// shop has customers with 0 to 4 orders, some without a customer.
func shop(t testing.TB) string {
	t.Helper()
	url := testdb.Postgres(t)
	testdb.SQL(t, url,
		"CREATE TABLE customers (id int PRIMARY KEY, name text, region int, code text)",
		"CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers, region int, total numeric)",
		"INSERT INTO customers SELECT i, 'c' || i, i % 3, 'code' || i / 2 FROM generate_series(1, 5) i",
		"INSERT INTO orders SELECT i, CASE WHEN i <= 10 THEN ceil(sqrt(2 * i)) END, i % 3, i FROM generate_series(1, 12) i",
		"ANALYZE")
	return url
}

func sortRows(rows [][]string) {
	slices.SortFunc(rows, slices.Compare[[]string])
}

var (
	customerOf = schema.ForeignKey{Columns: []string{"customer"}, Table: "customers", To: []string{"id"}}
	codeOf     = schema.ForeignKey{Columns: []string{"total"}, Table: "customers", To: []string{"region"}, Inferred: true}
)

func TestSampleParentsAndChildren(t *testing.T) {
	db := open(t, shop(t))
	got := sample(t, db, measure.Query{Table: "orders", Columns: []string{"id"}, Parents: []measure.ParentColumns{{Reference: customerOf, Columns: []string{"name", "region"}}}})
	want := [][]string{}
	for i := 1; i <= 10; i++ {
		c := 1
		for c*c < 2*i {
			c++
		}
		want = append(want, []string{fmt.Sprint(i), "t", fmt.Sprint("c", c), fmt.Sprint(c % 3)})
	}
	want = append(want, []string{"11", "<NULL>", "<NULL>", "<NULL>"}, []string{"12", "<NULL>", "<NULL>", "<NULL>"})
	sortRows(got)
	sortRows(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("orders with their customers (-want +got):\n%s", diff)
	}

	got = sample(t, db, measure.Query{Table: "customers", Columns: []string{"id"}, Children: []measure.ChildCount{{Table: "orders", Reference: customerOf}}})
	sortRows(got)
	if diff := cmp.Diff([][]string{{"1", "0"}, {"2", "2"}, {"3", "2"}, {"4", "4"}, {"5", "2"}}, got); diff != "" {
		t.Errorf("customers with their orders (-want +got):\n%s", diff)
	}
}

func TestSampleOfAReferenceToNoKey(t *testing.T) {
	// Several customers share a region; a row must not come more than once for it.
	got := sample(t, open(t, shop(t)), measure.Query{Table: "orders", Columns: []string{"id"}, Parents: []measure.ParentColumns{{Reference: codeOf, Columns: []string{"region"}}}})
	if len(got) != 12 {
		t.Errorf("got %d rows, want each of the 12 once", len(got))
	}
}

func TestSampleSize(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url,
		"CREATE TABLE big (id int PRIMARY KEY, pad text) WITH (autovacuum_enabled = off)", "INSERT INTO big SELECT i, repeat('x', 300) FROM generate_series(1, 200000) i",
		"CREATE TABLE small (id int PRIMARY KEY) WITH (autovacuum_enabled = off)", "INSERT INTO small SELECT generate_series(1, 10000)", "ANALYZE")
	db := open(t, url)
	for _, test := range []struct {
		query measure.Query
		least int
		all   int
		says  string
	}{
		{measure.Query{Table: "big", Limit: 50000, Rows: 200000, Seed: 7}, 42000, 200000, "TABLESAMPLE SYSTEM (23.90)"},
		{measure.Query{Table: "big", Limit: 1000, Rows: 200000, Seed: 7}, 800, 200000, "TABLESAMPLE BERNOULLI (0.4"},
		{measure.Query{Table: "big", Limit: 5000, Seed: 7}, 4000, 200000, "TABLESAMPLE BERNOULLI (2."},
		{measure.Query{Table: "small", Limit: 1000, Rows: 10000, Seed: 7}, 800, 10000, "TABLESAMPLE BERNOULLI"},
		{measure.Query{Table: "small", Limit: 10000, Rows: 10000, Seed: 7}, 10000, 0, "LIMIT 10000"},
		{measure.Query{Table: "small", Rows: 10000, Seed: 7}, 10000, 0, "FROM public.\"small\" AS t\n)"},
	} {
		test.query.Columns = []string{"id"}
		sql := db.SQL(test.query)
		if !strings.Contains(sql, test.says) {
			t.Errorf("the statement is\n%s\nwant %q in it", sql, test.says)
		}
		got := sample(t, db, test.query)
		most := int(test.query.Limit)
		if most == 0 {
			most = int(test.query.Rows)
		}
		if len(got) < test.least || len(got) > most {
			t.Errorf("%s\ngave %d rows, want %d to %d", sql, len(got), test.least, most)
		}
		// The end of the table must be in the sample as the rest is.
		late := 0
		for _, row := range got {
			var id int
			if _, err := fmt.Sscan(row[0], &id); err != nil {
				t.Fatal(err)
			}
			if id > test.all*9/10 {
				late++
			}
		}
		if test.all > 0 && late < len(got)/20 {
			t.Errorf("%s\nhas %d of %d rows from the last tenth of the table", sql, late, len(got))
		}
		if diff := cmp.Diff(got, sample(t, db, test.query)); diff != "" {
			t.Errorf("the same seed gave other rows:\n%s", diff)
		}
	}
}

func TestSampleSpansAndHolds(t *testing.T) {
	url := shop(t)
	db := open(t, url)
	q := measure.Query{Table: "orders", Columns: []string{"id"}}
	before := sample(t, db, q)
	// A migration goes through at once, whatever has been sampled.
	testdb.SQL(t, url, "SET lock_timeout = '2s'; ALTER TABLE orders ADD COLUMN note text", "INSERT INTO customers VALUES (6)")
	if got := len(sample(t, db, measure.Query{Table: "customers", Columns: []string{"id"}})); got != 5 {
		t.Errorf("got %d customers, want the 5 of the snapshot in which orders were read", got)
	}
	if diff := cmp.Diff(before, sample(t, db, q)); diff != "" {
		t.Errorf("the snapshot has changed:\n%s", diff)
	}
}

func TestSampleEnds(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, "CREATE TABLE many (id int)", "INSERT INTO many SELECT generate_series(1, 300000)")
	db := open(t, url)
	q := measure.Query{Table: "many", Columns: []string{"id"}}
	enough := errors.New("enough")
	if err := db.Sample(t.Context(), q, func(measure.Row) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got the error %v, want the function's own", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Sample(ctx, q, func(measure.Row) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) && (err == nil || !strings.Contains(err.Error(), "canceling statement")) {
		t.Errorf("got the error %v, want that it was cancelled", err)
	}
	if got := len(sample(t, db, q)); got != 300000 {
		t.Errorf("after both the database gives %d rows, want 300000", got)
	}
}

func TestSampleErrors(t *testing.T) {
	url := shop(t)
	testdb.SQL(t, url,
		"DROP ROLE IF EXISTS peeper", "CREATE ROLE peeper LOGIN", "GRANT SELECT ON orders, customers TO peeper",
		"ALTER TABLE orders ENABLE ROW LEVEL SECURITY", "CREATE POLICY own ON orders USING (id < 3)", "CREATE TABLE hidden (a int)")
	db := open(t, strings.Replace(url, "postgres@", "peeper@", 1))
	t.Cleanup(func() { testdb.SQL(t, url, "DROP OWNED BY peeper", "DROP ROLE peeper") })
	for _, test := range []struct{ table, column, says, hint string }{
		{"hidden", "a", "permission denied", "GRANT SELECT"},
		{"orders", "id", "row-level security", "BYPASSRLS"},
		{"nowhere", "a", `no table "nowhere"`, "catalogue again"},
	} {
		q := measure.Query{Table: test.table, Columns: []string{test.column}}
		err := db.Sample(t.Context(), q, func(measure.Row) error { return nil })
		var e *rehearse.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), test.says) || !strings.Contains(e.Hint, test.hint) {
			t.Errorf("%s: got %v (%+v), want %q with the hint %q", test.table, err, e, test.says, test.hint)
		}
	}
	// An error of one table leaves the others readable.
	if got := len(sample(t, db, measure.Query{Table: "customers", Columns: []string{"id"}})); got != 5 {
		t.Errorf("got %d customers, want 5", got)
	}
}

func TestSampleOfPartitionsAndInheritance(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, "CREATE TABLE events (id int, kind text) PARTITION BY LIST (kind)", "CREATE TABLE events_a PARTITION OF events FOR VALUES IN ('a')", "CREATE TABLE events_rest PARTITION OF events DEFAULT",
		"INSERT INTO events SELECT i, chr(97 + i % 4) FROM generate_series(1, 60) i",
		"CREATE TABLE animals (name text)", "CREATE TABLE dogs (breed text) INHERITS (animals)", "INSERT INTO animals VALUES ('cat')", "INSERT INTO dogs VALUES ('rex', 'pug')")
	db := open(t, url)
	for _, test := range []struct {
		table, column string
		want          int
	}{{"events", "id", 60}, {"animals", "name", 1}, {"dogs", "name", 1}} {
		if got := len(sample(t, db, measure.Query{Table: test.table, Columns: []string{test.column}})); got != test.want {
			t.Errorf("%s has %d rows, want %d", test.table, got, test.want)
		}
	}
}

// TestSQLIsWhatRuns asks the server which statement it runs while a sample is read.
func TestSQLIsWhatRuns(t *testing.T) {
	url := shop(t)
	db := open(t, url)
	watch, err := postgres.Connect(t.Context(), postgres.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close(context.Background())
	for _, q := range []measure.Query{
		{Table: "orders", Columns: []string{"id", "total"}, Parents: []measure.ParentColumns{{Reference: customerOf, Columns: []string{"name"}}}, Limit: 8, Rows: 12, Seed: 3},
		{Table: "customers", Columns: []string{"id"}, Children: []measure.ChildCount{{Table: "orders", Reference: customerOf}}},
	} {
		var ran string
		err := db.Sample(t.Context(), q, func(measure.Row) error {
			return watch.QueryRow(t.Context(), "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%'").Scan(&ran)
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(db.SQL(q), ran); diff != "" {
			t.Errorf("what SQL says and what ran (-SQL +ran):\n%s", diff)
		}
	}
}

// A snapshot is not held on to: the server could not clean up.
func TestOldSnapshotIsGivenUp(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, "CREATE TABLE a (id int)")
	db := open(t, url)
	q := measure.Query{Table: "a", Columns: []string{"id"}}
	for _, step := range []struct {
		age  time.Duration
		want int
	}{{0, 0}, {4 * time.Minute, 0}, {2 * time.Minute, 2}} {
		db.Age(step.age)
		got := 0
		if err := db.Sample(t.Context(), q, func(measure.Row) error { got++; return nil }); err != nil {
			t.Fatal(err)
		}
		if got != step.want {
			t.Errorf("%v later: got %d rows, want %d", step.age, got, step.want)
		}
		testdb.SQL(t, url, "INSERT INTO a VALUES (1)")
	}
}
