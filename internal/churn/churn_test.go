package churn_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/churn"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

// Real data with 226 references and 56 unique constraints: hardly any write breaks
// one.
func TestZabbix(t *testing.T) {
	url := testdb.Postgres(t)
	for _, f := range testdb.Schemas() {
		if f.Name == "zabbix" {
			f.Load(t, url)
		}
	}
	testdb.SQL(t, url, "ANALYZE")
	s := read(t, url)
	before := counts(t, url, s)
	p := &profile.Data{}
	filled := 0
	for _, table := range s.Tables {
		if before[table.QName()] > 0 {
			filled++
		}
		p.Tables = append(p.Tables, profile.DataTable{Name: table.QName(), Churn: profile.DataChurn{Inserts: 30, Updates: 60, Deletes: 10}})
	}
	const operations = 4000
	r := run(t, url, s, p, churn.Options{Seed: 7, Speed: 1e6, Operations: operations})
	t.Logf("%+v", r)
	if got := r.Inserts + r.Updates + r.Deletes; got < operations*9/10 {
		t.Errorf("%d of %d operations were committed", got, operations)
	}
	if r.Inserts < operations/20 || r.Deletes == 0 {
		t.Errorf("%d inserts and %d deletes", r.Inserts, r.Deletes)
	}
	if c := r.Conflicts; (c.Unique+c.Constraint+c.Other)*100 > operations {
		t.Errorf("more than 1 %% of %d operations broke something: %+v\n%s", operations, c, strings.Join(r.Errors, "\n"))
	}
	left := 0
	for _, n := range r.Notes {
		if strings.HasPrefix(n, "Nothing is inserted") || strings.Contains(n, "no key") {
			left++
		}
	}
	if left > filled/2 {
		t.Errorf("%d of %d tables with rows have no inserts:\n%s", left, filled, strings.Join(r.Notes, "\n"))
	}
	var grown int64
	after := counts(t, url, s)
	for name := range after {
		if after[name] < before[name] {
			t.Errorf("%s has %d rows, and had %d: rows that were there before are gone", name, after[name], before[name])
		}
		grown += after[name] - before[name]
	}
	if grown != r.Inserts-r.Deletes {
		t.Errorf("the database has %d rows more, the report has %d inserts and %d deletes", grown, r.Inserts, r.Deletes)
	}
}

const shop = `
	CREATE TYPE state AS ENUM ('new', 'paid');
	CREATE TABLE customer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email varchar(40) NOT NULL UNIQUE, code varchar(13) UNIQUE, token uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
		name text, born date, upper text GENERATED ALWAYS AS (upper(name)) STORED, CHECK (length(name) < 100));
	CREATE UNIQUE INDEX ON customer (lower(email));
	CREATE TABLE "Order" (id uuid PRIMARY KEY, customer bigint NOT NULL REFERENCES customer, state state, low int, high int, CHECK (low <= high));
	CREATE TABLE pair (customer bigint REFERENCES customer, other uuid REFERENCES "Order", note text, PRIMARY KEY (customer, other));
	CREATE TABLE keyless (a int);
	CREATE TABLE empty (a int PRIMARY KEY);
	INSERT INTO customer (email, code, name, born) SELECT 'n'||g||'@example.org', 'c'||g, 'n'||g, date '1990-01-01' + g FROM generate_series(1, 50) g;
	INSERT INTO "Order" SELECT gen_random_uuid(), g, 'paid', g, g + 1 FROM generate_series(1, 50) g;
	INSERT INTO pair SELECT customer, id FROM "Order";
	INSERT INTO keyless VALUES (1)`

func shopProfile(tables ...string) *profile.Data {
	p := &profile.Data{}
	for _, name := range tables {
		p.Tables = append(p.Tables, profile.DataTable{Name: name, Churn: profile.DataChurn{Inserts: 10, Updates: 30, Deletes: 5, Dead: 0.5}})
	}
	return p
}

func TestShop(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, shop)
	r := run(t, url, read(t, url), shopProfile("customer", "Order", "pair", "keyless", "empty", "gone"), churn.Options{Speed: 1e6, Operations: 3000})
	if c := r.Conflicts; c.Unique+c.Constraint+c.Other > 0 {
		t.Errorf("conflicts %+v: %q", c, r.Errors)
	}
	if r.Inserts == 0 || r.Updates == 0 || r.Deletes == 0 {
		t.Errorf("%+v", r)
	}
	want := []string{
		"Nothing is inserted into pair: there is no fresh value for its key pair_pkey.",
		"Nothing is written to keyless: it has no key that finds a row.",
		"Nothing is written to empty: it has no rows.",
		"Table gone is in the profile and not in the schema.",
	}
	if d := cmp.Diff(want, r.Notes); d != "" {
		t.Errorf("notes (-want +got):\n%s", d)
	}
}

// Two rows that everybody writes to, in either order: transactions wait for one
// another, and some must give up.
func TestConflicts(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, "CREATE TABLE hot (id int PRIMARY KEY, n int)", "INSERT INTO hot VALUES (1, 1), (2, 2)",
		// Rows stay locked for a while, so that transactions certainly meet.
		"CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.002); RETURN NULL; END'",
		"CREATE TRIGGER slow AFTER UPDATE ON hot FOR EACH ROW EXECUTE FUNCTION slow()",
		"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''10ms''', current_database()); END $$")
	p := &profile.Data{Tables: []profile.DataTable{{Name: "hot", Churn: profile.DataChurn{Updates: 1}}}}
	r := run(t, url, read(t, url), p, churn.Options{Speed: 1e9, Operations: 1500})
	if r.Conflicts.Deadlock == 0 || r.Conflicts.Serialization == 0 {
		t.Errorf("conflicts %+v, want deadlocks and failures to serialise among them", r.Conflicts)
	}
	if r.Conflicts.Other > 0 {
		t.Errorf("errors: %q", r.Errors)
	}
}

// A transaction does not see rows that were inserted after its snapshot. It cannot
// delete them, and another one can.
func TestUnseen(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, "CREATE TABLE thing (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int)", "INSERT INTO thing (n) SELECT generate_series(1, 50)",
		// Snapshots become old.
		"CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.001); RETURN NULL; END'",
		"CREATE TRIGGER slow AFTER UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION slow()")
	s := read(t, url)
	p := &profile.Data{Tables: []profile.DataTable{{Name: "thing", Churn: profile.DataChurn{Inserts: 1, Updates: 1, Deletes: 1}}}}
	r := run(t, url, s, p, churn.Options{Seed: 7, Speed: 1e9, Operations: 1500})
	if r.Inserts == 0 || r.Deletes == 0 {
		t.Errorf("%+v", r)
	}
	if rows := counts(t, url, s)["thing"]; rows != 50+r.Inserts-r.Deletes {
		t.Errorf("the table has %d rows, after 50 rows, %d inserts and %d deletes", rows, r.Inserts, r.Deletes)
	}
}

func TestDebt(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, shop)
	r := run(t, url, read(t, url), shopProfile("customer", "Order"), churn.Options{Speed: 1e6, Operations: 1, Debt: true})
	if r.Dead != 50 {
		t.Errorf("%d dead rows, want half of 50 in two tables", r.Dead)
	}
}

func TestNothing(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, shop)
	for _, p := range []*profile.Data{{}, shopProfile("empty")} {
		_, err := churn.Run(t.Context(), connector(url), read(t, url), p, churn.Options{})
		if rehearse.KindOf(err) != rehearse.Invalid {
			t.Errorf("a profile without writes gives %v", err)
		}
	}
}

// Run ends with its context, and that is no error, also while it waits for a lock.
func TestEnd(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, shop)
	s := read(t, url)
	conn := connect(t, url)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "UPDATE customer SET name = name"); err != nil {
		t.Fatal(err)
	}
	p := &profile.Data{Tables: []profile.DataTable{{Name: "customer", Churn: profile.DataChurn{Updates: 1e9}}}}
	ctx, cancel := context.WithCancel(t.Context())
	type ended struct {
		report churn.Report
		err    error
	}
	done := make(chan ended)
	go func() {
		r, err := churn.Run(ctx, connector(url), s, p, churn.Options{})
		done <- ended{r, err}
	}()
	// In the transaction the server would show the same moment again and again.
	watch := connect(t, url)
	for waits := 0; waits == 0; {
		row := watch.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
		if err := row.Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	select {
	case e := <-done:
		if e.err != nil || e.report.Conflicts.Other > 0 || e.report.Disconnects > 0 {
			t.Errorf("after the end: %+v", e)
		}
	case <-time.After(20 * time.Second):
		t.Error("it goes on after its context has ended")
	}
}

func connector(url string) func(context.Context) (*pgx.Conn, error) {
	return func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, url) }
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

func run(t *testing.T, url string, s *schema.Schema, p *profile.Data, o churn.Options) churn.Report {
	t.Helper()
	r, err := churn.Run(t.Context(), connector(url), s, p, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func counts(t *testing.T, url string, s *schema.Schema) map[string]int64 {
	t.Helper()
	conn := connect(t, url)
	out := map[string]int64{}
	for _, table := range s.Tables {
		var n int64
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM "+pgx.Identifier{table.Name}.Sanitize()).Scan(&n); err != nil {
			t.Fatal(err)
		}
		out[table.QName()] = n
	}
	return out
}

// read reads as much of a schema as Run asks for.
func read(t *testing.T, url string) *schema.Schema {
	t.Helper()
	conn := connect(t, url)
	s := &schema.Schema{Engine: schema.Postgres}
	table := func(name string) *schema.Table {
		i := slices.IndexFunc(s.Tables, func(t *schema.Table) bool { return t.Name == name })
		if i < 0 {
			s.Tables = append(s.Tables, &schema.Table{Name: name})
			i = len(s.Tables) - 1
		}
		return s.Tables[i]
	}
	each := func(sql string, into []any, f func() error) {
		t.Helper()
		rows, err := conn.Query(t.Context(), sql)
		if err == nil {
			_, err = pgx.ForEachRow(rows, into, f)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	kinds := map[string]schema.Kind{"varchar": schema.Text, "text": schema.Text, "bpchar": schema.Text, "int8": schema.Int, "int4": schema.Int, "int2": schema.Int, "uuid": schema.UUID, "numeric": schema.Decimal}
	var name, typ, length, other, identity string
	var c schema.Column
	each(`SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), y.typname, coalesce(substring(format_type(a.atttypid, a.atttypmod), '\((\d+)\)'), '0'), a.attnotnull,
			CASE a.attgenerated WHEN '' THEN coalesce(pg_get_expr(d.adbin, d.adrelid), '') ELSE '' END, CASE a.attgenerated WHEN '' THEN '' ELSE pg_get_expr(d.adbin, d.adrelid) END, a.attidentity::text
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type y ON y.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
		WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum`,
		[]any{&name, &c.Name, &c.Type.SQL, &typ, &length, &c.NotNull, &c.Default, &c.Generated, &identity}, func() error {
			c.Type.Kind = kinds[typ]
			c.Identity = map[string]string{"a": "always", "d": "by default"}[identity]
			c.Type.Length = 0
			for _, digit := range length {
				c.Type.Length = 10*c.Type.Length + int(digit-'0')
			}
			c.Sequence = ""
			if strings.HasPrefix(c.Default, "nextval") {
				c.Sequence = c.Default
			}
			table(name).Columns = append(table(name).Columns, c)
			return nil
		})
	var parts []string
	var k schema.Key
	each(`SELECT c.relname, x.relname, i.indisprimary, coalesce(pg_get_expr(i.indpred, i.indrelid), ''),
			ARRAY(SELECT CASE i.indkey[n - 1] WHEN 0 THEN '=' ELSE '' END || pg_get_indexdef(i.indexrelid, n, true) FROM generate_series(1, i.indnkeyatts) n)
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
		WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace ORDER BY 1, 2`, []any{&name, &k.Name, &k.Primary, &k.Where, &parts}, func() error {
		k.Parts = nil
		for _, p := range parts {
			if expr, ok := strings.CutPrefix(p, "="); ok {
				k.Parts = append(k.Parts, schema.KeyPart{Expr: expr})
			} else {
				k.Parts = append(k.Parts, schema.KeyPart{Column: strings.Trim(p, `"`)})
			}
		}
		table(name).Keys = append(table(name).Keys, k)
		return nil
	})
	each(`SELECT c.relname, k.contype::text, pg_get_constraintdef(k.oid), ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (k.conkey))
		FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE k.contype IN ('c', 'f') AND c.relnamespace = 'public'::regnamespace`,
		[]any{&name, &typ, &other, &parts}, func() error {
			if typ == "f" {
				table(name).ForeignKeys = append(table(name).ForeignKeys, schema.ForeignKey{Columns: slices.Clone(parts)})
			} else {
				table(name).Checks = append(table(name).Checks, schema.Check{Expr: other})
			}
			return nil
		})
	return s
}
