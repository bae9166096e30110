package load_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/postgres/load"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

// shop has one constraint of every kind. With big rows, keys and indexes are made
// after the rows.
const shopSQL = `
	CREATE EXTENSION btree_gist;
	CREATE DOMAIN price AS numeric(12,2) CHECK (VALUE >= 0);
	CREATE TABLE region (id int PRIMARY KEY, name text NOT NULL UNIQUE);
	CREATE TABLE account (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, region_id int NOT NULL REFERENCES region, parent_id bigint,
		email text NOT NULL, balance price NOT NULL, born date CHECK (born > '1900-01-01'), size int,
		shout text GENERATED ALWAYS AS (upper(email)) STORED,
		CONSTRAINT account_email UNIQUE (email) DEFERRABLE INITIALLY DEFERRED,
		CONSTRAINT account_pair UNIQUE (id, region_id) INCLUDE (size),
		CONSTRAINT account_parent FOREIGN KEY (parent_id) REFERENCES account ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED);
	ALTER TABLE account ADD CONSTRAINT small CHECK (size < 10) NOT VALID;
	CREATE UNIQUE INDEX account_lower ON account (lower(email)) WHERE size IS NOT NULL;
	CREATE INDEX account_region ON account USING btree (region_id, size DESC NULLS LAST) WITH (fillfactor = 70);
	CREATE INDEX account_clustered ON account (born);
	CLUSTER account USING account_clustered;
	CREATE TABLE booking (account_id bigint, region_id int, room int NOT NULL, during int4range NOT NULL,
		CONSTRAINT apart EXCLUDE USING gist (room WITH =, during WITH &&),
		CONSTRAINT pair FOREIGN KEY (account_id, region_id) REFERENCES account (id, region_id) MATCH FULL);
	ALTER TABLE booking ADD CONSTRAINT loose FOREIGN KEY (room) REFERENCES region NOT VALID;
	CREATE TABLE event (id bigint, at date NOT NULL, account_id bigint REFERENCES account, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
	CREATE TABLE event_old PARTITION OF event FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
	CREATE TABLE event_new PARTITION OF event FOR VALUES FROM ('2026-01-01') TO (MAXVALUE) PARTITION BY HASH (id);
	CREATE TABLE event_new_0 PARTITION OF event_new FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE event_new_1 PARTITION OF event_new FOR VALUES WITH (MODULUS 2, REMAINDER 1);
	CREATE INDEX event_account ON event (account_id);
	CREATE INDEX only_old ON event_old (at, id);
	CREATE VIEW grouped AS SELECT id, name FROM region GROUP BY id;
	CREATE TABLE log (what text);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (TG_NAME); RETURN NEW; END $$;
	CREATE TRIGGER on_region AFTER INSERT ON region FOR EACH ROW EXECUTE FUNCTION note();
	CREATE TRIGGER on_account AFTER INSERT ON account FOR EACH ROW EXECUTE FUNCTION note();
	CREATE TRIGGER on_booking AFTER INSERT ON booking FOR EACH ROW EXECUTE FUNCTION note();
	ALTER TABLE booking ENABLE ALWAYS TRIGGER on_booking;`

// definitions are all that a load takes away and puts back, as the server prints
// it.
const definitions = `
	SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated, condeferrable, condeferred, conparentid = 0, conindid::regclass)
		FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 't'
	UNION ALL SELECT concat_ws(' ', indrelid::regclass, pg_get_indexdef(indexrelid), indisvalid, indisunique, indimmediate, indisclustered,
			(SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = indexrelid))
		FROM pg_index WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
	UNION ALL SELECT concat_ws(' ', tgrelid::regclass, pg_get_triggerdef(oid), tgenabled) FROM pg_trigger WHERE NOT tgisinternal
	UNION ALL SELECT concat_ws(' ', 'table', oid::regclass, relkind) FROM pg_class WHERE relnamespace = 'public'::regnamespace
	ORDER BY 1`

// shop gives the tables rows that satisfy everything but what is NOT VALID.
func shop(accounts int64) dataset {
	const regions = 20
	return dataset{
		tables: []rows.Table{
			&table{schema: schema.Table{Name: "region"}, n: regions, columns: []rows.Column{col("id", "int4"), col("name", "text")},
				put: func(b *rows.Batch, at int, i int64) {
					b.Columns[0].Ints[at] = i
					text(&b.Columns[1], fmt.Sprint("region ", i))
				}},
			&table{schema: schema.Table{Name: "account", Checks: []schema.Check{{Name: "account_born_check"}}}, n: accounts,
				columns: []rows.Column{col("id", "int8"), col("region_id", "int4"), col("parent_id", "int8"), col("email", "text"), decimal("balance", 2), col("born", "date"), col("size", "int4")},
				put: func(b *rows.Batch, at int, i int64) {
					c := b.Columns
					c[0].Ints[at] = i + 1
					c[1].Ints[at] = i % regions
					if c[2].Null[at] = i%3 == 0; !c[2].Null[at] {
						c[2].Ints[at] = accounts - i
					}
					text(&c[3], fmt.Sprintf("User%d@example.com", i))
					c[4].Ints[at] = i
					c[5].Ints[at] = i % 10000
					c[6].Ints[at] = i % 20
				}},
			&table{schema: schema.Table{Name: "booking", Exclusions: []schema.Exclusion{{Name: "apart"}}}, n: accounts / 10,
				columns: []rows.Column{col("account_id", "int8"), col("region_id", "int4"), col("room", "int4"), col("during", "int4range")},
				put: func(b *rows.Batch, at int, i int64) {
					c := b.Columns
					c[0].Ints[at] = i + 1
					c[1].Ints[at] = i % regions
					c[2].Ints[at] = i % 50
					text(&c[3], fmt.Sprintf("[%d,%d)", i, i+1))
				}},
			&table{schema: schema.Table{Name: "event"}, n: accounts * 2, columns: []rows.Column{col("id", "int8"), col("at", "date"), col("account_id", "int8")},
				put: func(b *rows.Batch, at int, i int64) {
					b.Columns[0].Ints[at] = i
					b.Columns[1].Ints[at] = 20454 - 500 + i%1000 // around 2026-01-01
					b.Columns[2].Ints[at] = 1 + int64(mix(3, uint64(i))%uint64(accounts))
				}},
		},
		sequences: []rows.Sequence{{Table: "account", Column: "id", Name: "public.account_id_seq", Last: accounts + 1000}},
	}
}

// content is an order-independent checksum of each table.
func content(t *testing.T, url string) []string {
	t.Helper()
	c := open(t, url)
	var out []string
	for _, table := range []string{"region", "account", "booking", "event"} {
		out = append(out, query[string](t, c, fmt.Sprintf("SELECT '%s ' || count(*) || ' ' || coalesce(sum(hashtextextended(x::text, 0)), 0) FROM %s x", table, table))...)
	}
	return out
}

// Everything that was taken away is back as it was, also where keys and indexes
// of all tables went, and rows are the same over one connection and several.
func TestLoad(t *testing.T) {
	var contents [][]string
	for _, o := range []load.Options{
		{Connections: 1, IndexRows: 1},
		{Connections: 3, IndexRows: 1},
		{IndexRows: 1 << 40, FireTriggers: []string{"region"}},
	} {
		t.Run(fmt.Sprintf("connections=%d,indexRows=%d", o.Connections, o.IndexRows), func(t *testing.T) {
			url := testdb.Postgres(t)
			testdb.SQL(t, url, shopSQL)
			c := open(t, url)
			want := query[string](t, c, definitions)
			o.Connect = connector(t, url)
			const accounts = 12_000
			report, err := load.Load(t.Context(), o, shop(accounts))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, query[string](t, c, definitions)); diff != "" {
				t.Errorf("definitions before -, after +:\n%s", diff)
			}
			if want := int64(20 + accounts + accounts/10 + 2*accounts); report.Rows != want {
				t.Errorf("%d rows, want %d", report.Rows, want)
			}
			if got := query[int64](t, c, "SELECT nextval('account_id_seq')")[0]; got != accounts+1001 {
				t.Errorf("the sequence goes on at %d, want %d", got, accounts+1001)
			}
			if got, want := query[int64](t, c, "SELECT count(*) FROM log")[0], int64(20*len(o.FireTriggers)); got != want {
				t.Errorf("triggers fired for %d rows, want %d", got, want)
			}
			if got := query[int64](t, c, "SELECT count(*) FROM pg_stats WHERE tablename = 'account' AND null_frac > 0.3")[0]; got != 1 {
				t.Errorf("ANALYZE found %d columns that are NULL in a third of rows, want 1", got)
			}
			contents = append(contents, content(t, url))
		})
	}
	for _, got := range contents[min(1, len(contents)):] {
		if diff := cmp.Diff(contents[0], got); diff != "" {
			t.Errorf("rows of one connection -, of others +:\n%s", diff)
		}
	}
}

// A big table is loaded once, whatever the number of connections.
func TestBig(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, tenSQL)
	const n = 250_001
	var last load.Progress
	report, err := load.Load(t.Context(), load.Options{Connect: connector(t, url), Connections: 2, Progress: func(p load.Progress) {
		if p.Phase == load.PhaseLoad {
			if p.Done < last.Done || p.Total != n {
				t.Errorf("progress went from %+v to %+v", last, p)
			}
			last = p
		}
	}}, dataset{tables: []rows.Table{ten(n)}})
	if err != nil {
		t.Fatal(err)
	}
	if last.Done != n || last.Bytes < 100*n {
		t.Errorf("progress ends at %+v", last)
	}
	if diff := cmp.Diff([]load.TableReport{{Table: "ten", Rows: n, Bytes: report.Bytes}}, report.Tables); diff != "" {
		t.Errorf("report want -, got +:\n%s", diff)
	}
	got := query[string](t, open(t, url), "SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || min(id) || ' ' || max(id) FROM ten")[0]
	if want := fmt.Sprintf("%[1]d %[1]d 1 %[1]d", n); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A table with rows is left alone, unless it may be emptied.
func TestNotEmpty(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, tenSQL, "INSERT INTO ten SELECT 1, 1, '', '', 1, now(), true, 1, gen_random_uuid(), 'null'")
	o := load.Options{Connect: connector(t, url)}
	_, err := load.Load(t.Context(), o, dataset{tables: []rows.Table{ten(10)}})
	wantError(t, err, rehearse.Invalid, "the database has rows already, in ten")
	o.Truncate = true
	if _, err := load.Load(t.Context(), o, dataset{tables: []rows.Table{ten(10)}}); err != nil {
		t.Fatal(err)
	}
	if got := query[int64](t, open(t, url), "SELECT count(*) FROM ten")[0]; got != 10 {
		t.Errorf("%d rows, want 10", got)
	}
}

func wantError(t *testing.T, err error, kind rehearse.Kind, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("got error %q, want %q in it", err, p)
		}
	}
	if got := rehearse.KindOf(err); got != kind {
		t.Errorf("kind %v of %q, want %v", got, err, kind)
	}
}

// Rows that break a constraint are an error that says which one and what it asks
// for, and the database is as it was.
func TestViolations(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, shopSQL)
	c := open(t, url)
	want, empty := query[string](t, c, definitions), content(t, url)
	change := func(of int, put func(b *rows.Batch, at int, i int64)) dataset {
		d := shop(12_000)
		t := d.tables[of].(*table)
		before := t.put
		t.put = func(b *rows.Batch, at int, i int64) { before(b, at, i); put(b, at, i) }
		return d
	}
	back := "all constraints are back"
	for _, tt := range []struct {
		name  string
		d     dataset
		kind  rehearse.Kind
		parts []string
	}{
		{"check", change(1, func(b *rows.Batch, at int, i int64) {
			if i == 17 {
				b.Columns[5].Ints[at] = -40000
			}
		}), rehearse.Invalid, []string{`load table "account", row 18`, `"account_born_check"`, "CHECK ((born > '1900-01-01'::date))"}},
		{"domain", change(1, func(b *rows.Batch, at int, i int64) {
			if i == 999 {
				b.Columns[4].Ints[at] = -1
			}
		}), rehearse.Invalid, []string{`table "account", row 1000`, `"price_check"`, "CHECK ((VALUE >= (0)::numeric))"}},
		{"exclusion", change(2, func(b *rows.Batch, at int, i int64) {
			b.Columns[2].Ints[at] = 1
			b.Columns[3].Data[len(b.Columns[3].Data)-1] = ']'
		}),
			rehearse.Invalid, []string{`table "booking"`, `"apart"`, "EXCLUDE USING gist (room WITH =, during WITH &&)"}},
		{"late check", change(1, func(b *rows.Batch, at int, i int64) {
			if i == 11_000 {
				b.Columns[4].Ints[at] = -1
			}
		}), rehearse.Invalid, []string{`table "account", row 11001`, `"price_check"`, back}},
		{"key", change(1, func(b *rows.Batch, at int, i int64) {
			if i == 11_000 {
				b.Columns[0].Ints[at] = 5
			}
		}), rehearse.Invalid, []string{`"account_pkey"`, "Key (id)=(5) is duplicated", back}},
		{"reference", change(3, func(b *rows.Batch, at int, i int64) {
			if i%1000 == 0 {
				b.Columns[2].Ints[at] = 1 << 40
			}
		}), rehearse.Invalid, []string{`foreign key "event_account_id_fkey" of event`, "FOREIGN KEY (account_id) REFERENCES", back}},
		{"match full", change(2, func(b *rows.Batch, at int, i int64) { b.Columns[0].Null[at] = i%100 == 0 }),
			rehearse.Invalid, []string{`12 of the rows of booking break the foreign key "pair" of booking`, "MATCH FULL", back}},
		{"not null", change(0, func(b *rows.Batch, at int, i int64) { b.Columns[1].Null[at] = i == 3 }),
			rehearse.Invalid, []string{`table "region", row 4`, `NOT NULL of "name"`, back}},
		{"generator", func() dataset {
			d := shop(12_000)
			d.tables[1].(*table).fail = func(from int64) error {
				if from > 5000 {
					return errors.New("no idea")
				}
				return nil
			}
			return d
		}(), rehearse.Internal, []string{`load table "account": make rows `, "no idea", back}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load.Load(t.Context(), load.Options{Connect: connector(t, url)}, tt.d)
			wantError(t, err, tt.kind, tt.parts...)
			if diff := cmp.Diff(want, query[string](t, c, definitions)); diff != "" {
				t.Errorf("definitions before -, after +:\n%s", diff)
			}
			if diff := cmp.Diff(empty, content(t, url)); diff != "" {
				t.Errorf("rows before -, after +:\n%s", diff)
			}
		})
	}
}

// Whatever ends a load in its middle, tables are empty and constraints back.
func TestInterrupted(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, shopSQL)
	c := open(t, url)
	want, empty := query[string](t, c, definitions), content(t, url)
	for _, tt := range []struct {
		name string
		kind rehearse.Kind
		part string
		end  func(cancel func())
	}{
		{"cancelled", rehearse.Interrupted, "the load was interrupted", func(cancel func()) { cancel() }},
		{"terminated", rehearse.Unavailable, `load table "account", row `, func(func()) {
			// The sessions of the load, all but this one.
			query[bool](t, c, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'COPY \"public\".\"account\"%'")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			d := shop(40_000)
			var once atomic.Bool
			d.tables[1].(*table).fail = func(from int64) error {
				if from > 30_000 && once.CompareAndSwap(false, true) {
					tt.end(cancel)
				}
				return nil
			}
			_, err := load.Load(ctx, load.Options{Connect: connector(t, url), IndexRows: 1}, d)
			wantError(t, err, tt.kind, tt.part, "all constraints are back")
			if diff := cmp.Diff(want, query[string](t, c, definitions)); diff != "" {
				t.Errorf("definitions before -, after +:\n%s", diff)
			}
			if diff := cmp.Diff(empty, content(t, url)); diff != "" {
				t.Errorf("rows before -, after +:\n%s", diff)
			}
		})
	}
}

// A load whose process dies leaves a journal, with which Repair, or the next
// load, puts everything back.
func TestRepair(t *testing.T) {
	url := testdb.Postgres(t)
	testdb.SQL(t, url, shopSQL)
	c := open(t, url)
	want, empty := query[string](t, c, definitions), content(t, url)
	connect := connector(t, url)
	die := func() {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		d := shop(20_000)
		d.tables[3].(*table).fail = func(from int64) error {
			if from > 1000 {
				cancel()
			}
			return nil
		}
		// Whoever cannot connect once the load has been cancelled cannot undo it.
		_, err := load.Load(ctx, load.Options{IndexRows: -1, Connections: 1, Connect: func(c context.Context) (*pgx.Conn, error) {
			if ctx.Err() != nil {
				return nil, errors.New("the host is off")
			}
			return connect(c)
		}}, d)
		wantError(t, err, rehearse.Interrupted, "constraints are missing, until the next load or repair", "the host is off")
		if len(query[string](t, c, definitions)) >= len(want) {
			t.Fatal("nothing is missing")
		}
	}

	die()
	if done, err := load.Repair(t.Context(), connect); !done || err != nil {
		t.Fatalf("repair: %v, %v", done, err)
	}
	if diff := cmp.Diff(want, query[string](t, c, definitions)); diff != "" {
		t.Errorf("definitions before -, after repair +:\n%s", diff)
	}
	if diff := cmp.Diff(empty, content(t, url)); diff != "" {
		t.Errorf("rows before -, after repair +:\n%s", diff)
	}
	if done, err := load.Repair(t.Context(), connect); done || err != nil {
		t.Errorf("second repair: %v, %v, want nothing to do", done, err)
	}

	die()
	if _, err := load.Load(t.Context(), load.Options{Connect: connect}, shop(10_000)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, query[string](t, c, definitions)); diff != "" {
		t.Errorf("definitions before -, after the next load +:\n%s", diff)
	}
}

// Keys, references and indexes of schemas that nobody here wrote come back as
// they were.
func TestForeignSchemas(t *testing.T) {
	for _, f := range testdb.Schemas() {
		t.Run(f.Name, func(t *testing.T) {
			url := testdb.Postgres(t)
			if f.Name == "zabbix" {
				f.Files = f.Files[:1] // its rows take longer than all else in here
			}
			f.Load(t, url)
			c := open(t, url)
			names := query[string](t, c, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1")
			if len(names) == 0 {
				names = query[string](t, c, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'mediawiki'::regnamespace ORDER BY 1")
			}
			var d dataset
			for _, name := range names {
				d.tables = append(d.tables, &table{schema: schema.Table{Name: name}})
			}
			want := query[string](t, c, definitions)
			if _, err := load.Load(t.Context(), load.Options{Connect: connector(t, url), Truncate: true, IndexRows: -1}, d); err != nil {
				t.Fatal(err)
			}
			got := query[string](t, c, definitions)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("definitions before -, after +:\n%s", diff)
			}
			if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "PRIMARY KEY") }) {
				t.Error("the schema has no keys at all")
			}
		})
	}
}

// Who is no superuser owns the tables and loads as well: triggers are disabled
// one by one then, and enabled as they were.
func TestOrdinaryRole(t *testing.T) {
	admin := testdb.Postgres(t)
	c := open(t, admin)
	name := query[string](t, c, "SELECT current_database()")[0]
	testdb.SQL(t, admin, "CREATE EXTENSION btree_gist", "CREATE ROLE plain_"+name+" LOGIN", "ALTER DATABASE "+name+" OWNER TO plain_"+name)
	t.Cleanup(func() {
		testdb.SQL(t, admin, "ALTER DATABASE "+name+" OWNER TO postgres", "DROP OWNED BY plain_"+name+" CASCADE", "DROP ROLE plain_"+name)
	})
	url := strings.Replace(admin, "postgres@", "plain_"+name+"@", 1)
	testdb.SQL(t, url, strings.Replace(shopSQL, "CREATE EXTENSION btree_gist;", "", 1))
	want := query[string](t, c, definitions)
	d := shop(10_000)
	if _, err := load.Load(t.Context(), load.Options{Connect: connector(t, url), FireTriggers: []string{"region"}}, d); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, query[string](t, c, definitions)); diff != "" {
		t.Errorf("definitions before -, after +:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"on_region 20"}, query[string](t, c, "SELECT what || ' ' || count(*) FROM log GROUP BY what")); diff != "" {
		t.Errorf("triggers want -, got +:\n%s", diff)
	}
}
