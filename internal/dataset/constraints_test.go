package dataset_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/dataset"
	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/postgres/load"
	"github.com/rehearse-dev/rehearse/internal/testdb"
)

// constrained are schemas with a constraint of each kind that one can state. Each
// ends with a query that gives true, which a server asks of the loaded rows;
// empty: that the server has validated the constraints is enough.
var constrained = []struct {
	name, ddl, holds string
	empty            []string // tables that have no rows
}{
	{name: "references in a circle", ddl: `
		CREATE TABLE a (id serial PRIMARY KEY, b int NOT NULL);
		CREATE TABLE b (id serial PRIMARY KEY, a int NOT NULL REFERENCES a DEFERRABLE INITIALLY DEFERRED);
		ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b DEFERRABLE INITIALLY DEFERRED;
		CREATE TABLE c (id serial PRIMARY KEY, d int);
		CREATE TABLE d (id serial PRIMARY KEY, c int REFERENCES c);
		ALTER TABLE c ADD FOREIGN KEY (d) REFERENCES d`,
		holds: `SELECT count(DISTINCT b) > 10 FROM a`},
	{name: "tenants", ddl: `
		CREATE TABLE tenants (id serial PRIMARY KEY, name text NOT NULL);
		CREATE TABLE users (tenant_id int NOT NULL REFERENCES tenants, id int NOT NULL, email text NOT NULL, PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, email));
		CREATE TABLE projects (tenant_id int NOT NULL REFERENCES tenants, id bigserial NOT NULL, name text, PRIMARY KEY (tenant_id, id));
		CREATE TABLE tasks (tenant_id int NOT NULL REFERENCES tenants, id bigserial PRIMARY KEY, user_id int NOT NULL, project_id bigint NOT NULL,
			reviewer_id int,
			FOREIGN KEY (tenant_id, user_id) REFERENCES users, FOREIGN KEY (tenant_id, project_id) REFERENCES projects, FOREIGN KEY (tenant_id, reviewer_id) REFERENCES users);
		CREATE TABLE members (tenant_id int NOT NULL, user_id int NOT NULL, project_id bigint NOT NULL, role text NOT NULL CHECK (role IN ('owner', 'guest')),
			PRIMARY KEY (tenant_id, user_id, project_id), FOREIGN KEY (tenant_id, user_id) REFERENCES users, FOREIGN KEY (tenant_id, project_id) REFERENCES projects)`,
		holds: `SELECT count(reviewer_id) > 0 AND count(DISTINCT user_id) > 10 FROM tasks`},
	{name: "reference to a unique text", ddl: `
		CREATE TABLE countries (id serial PRIMARY KEY, code char(2) NOT NULL UNIQUE, name varchar(40) UNIQUE);
		CREATE TABLE cities (id serial PRIMARY KEY, country char(2) NOT NULL REFERENCES countries (code), of varchar(40) REFERENCES countries (name))`},
	{name: "chain of composite keys", ddl: `
		CREATE TABLE a (x int, y text, PRIMARY KEY (x, y));
		CREATE TABLE b (x int, y text, z date, PRIMARY KEY (x, y, z), FOREIGN KEY (x, y) REFERENCES a);
		CREATE TABLE c (x int, y text, z date, n smallint, PRIMARY KEY (x, y, z, n), FOREIGN KEY (x, y, z) REFERENCES b);
		CREATE TABLE d (id serial PRIMARY KEY, x int, y text, z date, n smallint, FOREIGN KEY (x, y, z, n) REFERENCES c MATCH FULL)`},
	{name: "one to one", ddl: `
		CREATE TABLE people (id serial PRIMARY KEY, name text);
		CREATE TABLE passports (person int PRIMARY KEY REFERENCES people, number text UNIQUE NOT NULL);
		CREATE TABLE desks (id serial PRIMARY KEY, person int UNIQUE REFERENCES people);
		CREATE TABLE stamps (passport int PRIMARY KEY REFERENCES passports, at date NOT NULL)`},
	{name: "joins", ddl: `
		CREATE TABLE a (id serial PRIMARY KEY); CREATE TABLE b (id serial PRIMARY KEY); CREATE TABLE c (id serial PRIMARY KEY);
		CREATE TABLE ab (a int REFERENCES a, b int REFERENCES b, PRIMARY KEY (a, b));
		CREATE TABLE ab2 (id serial PRIMARY KEY, a int NOT NULL REFERENCES a, b int NOT NULL REFERENCES b, c int REFERENCES c, note text, UNIQUE (b, a));
		CREATE TABLE abc (a int REFERENCES a, b int REFERENCES b, c int REFERENCES c, PRIMARY KEY (a, b, c));
		CREATE TABLE ab_dated (a int REFERENCES a, b int REFERENCES b, on_day date NOT NULL, PRIMARY KEY (a, b, on_day))`},
	{name: "trees", ddl: `
		CREATE TABLE folders (id serial PRIMARY KEY, parent int REFERENCES folders, name text NOT NULL, UNIQUE (parent, name));
		CREATE TABLE comments (id serial PRIMARY KEY, parent int NOT NULL REFERENCES comments, reply_to int REFERENCES comments ON DELETE SET NULL);
		CREATE TABLE nodes (tenant int, id int, parent int, PRIMARY KEY (tenant, id), FOREIGN KEY (tenant, parent) REFERENCES nodes)`,
		holds: `SELECT count(*) > 1 AND count(*) < 300 FROM comments WHERE id IN (SELECT parent FROM comments)`},
	{name: "inheritance", ddl: `
		CREATE TABLE animals (id serial PRIMARY KEY, name text NOT NULL CHECK (name <> ''));
		CREATE TABLE dogs (breed text NOT NULL) INHERITS (animals);
		CREATE TABLE vets (id serial PRIMARY KEY, animal int REFERENCES animals)`},
	{name: "keys of every type", ddl: `
		CREATE TYPE suit AS ENUM ('hearts', 'spades', 'clubs', 'diamonds');
		CREATE TABLE k_small (id smallint PRIMARY KEY); CREATE TABLE k_uuid (id uuid PRIMARY KEY); CREATE TABLE k_text (id text PRIMARY KEY);
		CREATE TABLE k_varchar (id varchar(3) PRIMARY KEY); CREATE TABLE k_date (id date PRIMARY KEY); CREATE TABLE k_char (id char(2) PRIMARY KEY);
		CREATE TABLE k_char1 (id char(1) PRIMARY KEY);
		CREATE TABLE k_enum (id suit PRIMARY KEY); CREATE TABLE k_pair (s suit, d date, PRIMARY KEY (s, d)); CREATE TABLE k_bytea (id bytea PRIMARY KEY);
		CREATE TABLE k_inet (id inet PRIMARY KEY); CREATE TABLE k_numeric (id numeric PRIMARY KEY); CREATE TABLE k_numeric42 (id numeric(4,2) PRIMARY KEY);
		CREATE TABLE k_time (id time PRIMARY KEY); CREATE TABLE k_timestamp (id timestamptz PRIMARY KEY); CREATE TABLE k_timestamp0 (id timestamp(0) PRIMARY KEY);
		CREATE TABLE k_float (id double precision PRIMARY KEY); CREATE TABLE k_real (id real PRIMARY KEY);
		CREATE TABLE k_bool (id boolean PRIMARY KEY); CREATE TABLE k_mac (id macaddr PRIMARY KEY); CREATE TABLE k_interval (id interval PRIMARY KEY);
		CREATE TABLE k_array (id int[] PRIMARY KEY); CREATE TABLE k_range (id int4range PRIMARY KEY); CREATE TABLE k_jsonb (id jsonb PRIMARY KEY);
		CREATE TABLE k_bit (id bit(16) PRIMARY KEY); CREATE TABLE k_cidr (id cidr PRIMARY KEY); CREATE TABLE k_money (id money PRIMARY KEY); CREATE TABLE k_oid (id oid PRIMARY KEY);
		CREATE TABLE k_textarray (id text[] PRIMARY KEY); CREATE TABLE k_uuids (id uuid[] PRIMARY KEY); CREATE TABLE k_name (id name PRIMARY KEY);
		CREATE TABLE k_ref (id serial PRIMARY KEY, a uuid REFERENCES k_uuid, b bytea REFERENCES k_bytea, c inet REFERENCES k_inet, d suit REFERENCES k_enum, e numeric REFERENCES k_numeric,
			f int[] REFERENCES k_array, g int4range REFERENCES k_range, h date REFERENCES k_date, i double precision REFERENCES k_float, j interval REFERENCES k_interval)`},
	{name: "unique", ddl: `
		CREATE EXTENSION citext;
		CREATE TABLE partial (id serial PRIMARY KEY, email text NOT NULL, n int NOT NULL, deleted_at timestamptz);
		CREATE UNIQUE INDEX ON partial (email) WHERE deleted_at IS NULL;
		CREATE UNIQUE INDEX ON partial (n) WHERE deleted_at IS NULL AND n > 5;
		CREATE TABLE expressions (id serial PRIMARY KEY, email text NOT NULL, x text, a text, b text, at timestamptz);
		CREATE UNIQUE INDEX ON expressions (lower(email)); CREATE UNIQUE INDEX ON expressions (md5(x)); CREATE UNIQUE INDEX ON expressions (coalesce(a, ''));
		CREATE UNIQUE INDEX ON expressions (lower(b), ((at AT TIME ZONE 'UTC')::date));
		CREATE TABLE nulls (id serial PRIMARY KEY, a int, b int, c text, UNIQUE NULLS NOT DISTINCT (a, b), UNIQUE NULLS NOT DISTINCT (c));
		CREATE TABLE several (id serial PRIMARY KEY, a int NOT NULL, b text, c boolean NOT NULL, UNIQUE (a, b, c), UNIQUE (b, c));
		CREATE TABLE folded (id serial PRIMARY KEY, handle citext NOT NULL UNIQUE, tag citext, kind int NOT NULL, UNIQUE (tag, kind));
		CREATE TABLE one_open (id serial PRIMARY KEY, account int NOT NULL, state text NOT NULL CHECK (state IN ('open', 'closed')));
		CREATE UNIQUE INDEX ON one_open (account) WHERE state = 'open';
		CREATE TABLE position (id serial PRIMARY KEY, list int NOT NULL, position int NOT NULL CHECK (position > 0), UNIQUE (list, position) DEFERRABLE INITIALLY DEFERRED)`},
	{name: "checks of one column", ddl: `
		CREATE TABLE c (id serial PRIMARY KEY,
			percent int NOT NULL CHECK (percent BETWEEN 0 AND 100), price numeric(10,2) NOT NULL CHECK (price > 0), ratio real CHECK (ratio >= 0 AND ratio < 1),
			state text NOT NULL CHECK (state IN ('new', 'paid', 'sent')), level int CHECK (level = ANY (ARRAY[1, 2, 5])), zip text CHECK (zip ~ '^[0-9]{5}$'),
			email text NOT NULL CHECK (email ~* '^[a-z0-9._%+-]+@[a-z0-9.-]+[.][a-z]+$'), sku varchar(12) NOT NULL UNIQUE CHECK (sku ~ '^[A-Z]{3}-[0-9]{6}$'),
			short text NOT NULL CHECK (length(short) <= 5), long text NOT NULL CHECK (char_length(long) >= 30), exact text CHECK (length(exact) = 7),
			code text NOT NULL CHECK (lower(code) = code), shout text NOT NULL CHECK (shout = upper(shout)), trimmed text NOT NULL CHECK (btrim(trimmed) = trimmed AND trimmed <> ''),
			like_ text CHECK (like_ LIKE 'AB-%'), born date CHECK (born < CURRENT_DATE AND born > '1900-01-01'), first_day date NOT NULL CHECK (date_part('day', first_day) = 1),
			monday date CHECK (extract(isodow FROM monday) = 1), not_seven int NOT NULL CHECK (not_seven <> 7), even int NOT NULL CHECK (even % 2 = 0),
			hash bytea NOT NULL CHECK (octet_length(hash) = 20), doc jsonb NOT NULL CHECK (jsonb_typeof(doc) = 'object'), list jsonb NOT NULL CHECK (jsonb_typeof(list) = 'array'),
			keyed jsonb NOT NULL CHECK (keyed ? 'kind' AND keyed ? 'size'), tags text[] NOT NULL CHECK (array_length(tags, 1) <= 3), few int[] NOT NULL CHECK (cardinality(few) >= 1),
			at time CHECK (at BETWEEN '08:00' AND '17:00'), half numeric(3,1) CHECK (half * 2 = trunc(half * 2)), mac text CHECK (mac SIMILAR TO '[0-9a-f]{2}:[0-9a-f]{2}'),
			url text CHECK (url LIKE 'https://%'), never int CHECK (never IS NULL), positive bigint NOT NULL);
		ALTER TABLE c ADD CHECK (positive > 0) NOT VALID`},
	{name: "checks of several columns", ddl: `
		CREATE TABLE x (id serial PRIMARY KEY, a int REFERENCES x, b text, c date, CHECK (num_nonnulls(b, c) = 1));
		CREATE TABLE xor (id serial PRIMARY KEY, u int, v int, CHECK ((u IS NULL) <> (v IS NULL)));
		CREATE TABLE ordered (id serial PRIMARY KEY, a int NOT NULL, b int NOT NULL, c int NOT NULL, CHECK (a <= b AND b <= c), from_ timestamptz NOT NULL, until timestamptz, CHECK (until > from_));
		CREATE TABLE paid (id serial PRIMARY KEY, status text NOT NULL CHECK (status IN ('new', 'paid', 'void')), paid_at timestamptz, voided_at timestamptz, reason text,
			CHECK (status <> 'paid' OR paid_at IS NOT NULL), CHECK (status <> 'void' OR voided_at IS NOT NULL AND reason IS NOT NULL), CHECK (status = 'paid' OR paid_at IS NULL));
		CREATE TABLE sums (id serial PRIMARY KEY, a int NOT NULL CHECK (a >= 0), b int NOT NULL CHECK (b >= 0), c int NOT NULL CHECK (c >= 0), CHECK (a + b + c = 100));
		CREATE TABLE product (id serial PRIMARY KEY, quantity int NOT NULL CHECK (quantity > 0), price numeric(8,2) NOT NULL, total numeric(12,2) NOT NULL, CHECK (total = price * quantity));
		CREATE TABLE kinds (id serial PRIMARY KEY, kind text NOT NULL CHECK (kind IN ('person', 'company')), name text, vat text,
			CHECK ((kind = 'person' AND name IS NOT NULL AND vat IS NULL) OR (kind = 'company' AND vat IS NOT NULL AND name IS NULL)));
		CREATE TABLE differ (id serial PRIMARY KEY, buyer int NOT NULL, seller int NOT NULL, CHECK (buyer <> seller));
		CREATE TABLE friends (a int NOT NULL REFERENCES ordered, b int NOT NULL REFERENCES ordered, PRIMARY KEY (a, b), CHECK (a < b));
		CREATE TABLE transfers (id serial PRIMARY KEY, debit numeric(10,2) NOT NULL DEFAULT 0, credit numeric(10,2) NOT NULL DEFAULT 0, CHECK (debit = 0 OR credit = 0), CHECK (debit >= 0 AND credit >= 0));
		CREATE TABLE poly (id serial PRIMARY KEY, p int REFERENCES paid, s int REFERENCES sums, k int REFERENCES kinds, CHECK (num_nonnulls(p, s, k) = 1));
		CREATE TABLE span (id serial PRIMARY KEY, d1 date NOT NULL, d2 date NOT NULL, CHECK (d2 >= d1 AND d2 - d1 <= 30));
		CREATE TABLE caseful (id serial PRIMARY KEY, t int NOT NULL, v text, CHECK (CASE WHEN t > 10 THEN v IS NOT NULL ELSE v IS NULL END))`},
	{name: "domains", ddl: `
		CREATE DOMAIN positive AS int CHECK (VALUE > 0);
		CREATE DOMAIN small AS positive CHECK (VALUE < 50);
		CREATE DOMAIN required AS text NOT NULL CHECK (length(VALUE) BETWEEN 2 AND 10);
		CREATE DOMAIN postcode AS varchar(10) CHECK (VALUE ~ '^[A-Z]{2}[0-9]{2}$');
		CREATE DOMAIN percent AS numeric(5,2) CHECK (VALUE >= 0 AND VALUE <= 100);
		CREATE TABLE d (id serial PRIMARY KEY, a positive NOT NULL, b small, c required, e postcode, f percent NOT NULL, g small[], h postcode UNIQUE);
		CREATE TABLE e (p positive PRIMARY KEY, d small REFERENCES e)`},
	{name: "exclusions", ddl: `
		CREATE EXTENSION btree_gist;
		CREATE TABLE bookings (id serial PRIMARY KEY, room int NOT NULL, during tstzrange NOT NULL, EXCLUDE USING gist (room WITH =, during WITH &&));
		CREATE TABLE cancelled (id serial PRIMARY KEY, room int NOT NULL, during daterange, cancelled boolean NOT NULL, EXCLUDE USING gist (room WITH =, during WITH &&) WHERE (NOT cancelled));
		CREATE TABLE prices (id serial PRIMARY KEY, product int NOT NULL REFERENCES bookings, valid daterange NOT NULL, EXCLUDE USING gist (product WITH =, valid WITH &&));
		CREATE TABLE times (id serial PRIMARY KEY, who int NOT NULL, starts timestamptz NOT NULL, ends timestamptz NOT NULL, CHECK (starts < ends),
			EXCLUDE USING gist (who WITH =, tstzrange(starts, ends) WITH &&));
		CREATE TABLE equal (id serial PRIMARY KEY, a int, b text, EXCLUDE USING btree (a WITH =, b WITH =))`},
	{name: "generated and identity", ddl: `
		CREATE TABLE g (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n bigint GENERATED BY DEFAULT AS IDENTITY, a int NOT NULL, b int GENERATED ALWAYS AS (a * 2) STORED UNIQUE,
			first text NOT NULL, last text NOT NULL, name text GENERATED ALWAYS AS (first || ' ' || last) STORED, CHECK (b > 2));
		CREATE TABLE h (id bigint GENERATED ALWAYS AS IDENTITY (START WITH 1000 INCREMENT BY 5) PRIMARY KEY, g int REFERENCES g);
		CREATE TABLE only_id (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY)`,
		holds: `SELECT count(*) > 0 AND nextval(pg_get_serial_sequence('only_id', 'id')) > max(id) FROM only_id`},
	{name: "partitions", ddl: `
		CREATE TABLE events (id bigserial, at timestamptz NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
		CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2025-07-01');
		CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2025-07-01') TO ('2026-01-01');
		CREATE TABLE logs (id int, at date NOT NULL) PARTITION BY RANGE (at);
		CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (MINVALUE) TO ('2024-01-01'); CREATE TABLE logs_d PARTITION OF logs DEFAULT;
		CREATE TABLE regions (id int NOT NULL, region text NOT NULL, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
		CREATE TABLE regions_eu PARTITION OF regions FOR VALUES IN ('de', 'fr', 'it''s'); CREATE TABLE regions_us PARTITION OF regions FOR VALUES IN ('us');
		CREATE TABLE nullable (id int, region text) PARTITION BY LIST (region);
		CREATE TABLE nullable_1 PARTITION OF nullable FOR VALUES IN ('x', NULL);
		CREATE TABLE hashed (id uuid PRIMARY KEY, n int) PARTITION BY HASH (id);
		CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
		CREATE TABLE deep (tenant int NOT NULL, at date NOT NULL, n int) PARTITION BY LIST (tenant);
		CREATE TABLE deep_1 PARTITION OF deep FOR VALUES IN (1, 2) PARTITION BY RANGE (at);
		CREATE TABLE deep_1_a PARTITION OF deep_1 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01'); CREATE TABLE deep_1_b PARTITION OF deep_1 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
		CREATE TABLE deep_2 PARTITION OF deep FOR VALUES IN (3);
		CREATE TABLE pairs (y int NOT NULL, m int NOT NULL, v text) PARTITION BY RANGE (y, m);
		CREATE TABLE pairs_1 PARTITION OF pairs FOR VALUES FROM (2024, 1) TO (2024, 7); CREATE TABLE pairs_2 PARTITION OF pairs FOR VALUES FROM (2024, 7) TO (2025, MINVALUE);
		CREATE TABLE texts (k text NOT NULL) PARTITION BY RANGE (k);
		CREATE TABLE texts_1 PARTITION OF texts FOR VALUES FROM ('a') TO ('n'); CREATE TABLE texts_2 PARTITION OF texts FOR VALUES FROM ('n') TO ('{');
		CREATE TABLE by_month (at timestamp NOT NULL) PARTITION BY RANGE (date_trunc('month', at));
		CREATE TABLE by_month_1 PARTITION OF by_month FOR VALUES FROM ('2024-01-01') TO ('2027-01-01');
		CREATE TABLE of_region (id serial PRIMARY KEY, r int NOT NULL, region text NOT NULL, FOREIGN KEY (r, region) REFERENCES regions);
		CREATE TABLE of_events (id bigserial, at date NOT NULL, h uuid REFERENCES hashed, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
		CREATE TABLE of_events_1 PARTITION OF of_events FOR VALUES FROM ('2020-01-01') TO ('2030-01-01')`},
	{name: "types", ddl: `
		CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE EXTENSION citext;
		CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"', 'a,b'); CREATE TYPE pair AS (a int, b text); CREATE TYPE floats AS RANGE (subtype = float8);
		CREATE TABLE types (id serial PRIMARY KEY, e mood[] NOT NULL, u uuid[] NOT NULL, n numeric(8,3)[] NOT NULL, ts timestamptz[], bs boolean[] NOT NULL, j jsonb[] NOT NULL, b bytea[] NOT NULL,
			m int4multirange NOT NULL, tm tstzmultirange, nr numrange NOT NULL, dr daterange NOT NULL, i8 int8range NOT NULL, fr floats, tr tsrange NOT NULL,
			b1 bit NOT NULL, b5 bit(5) NOT NULL, v varbit NOT NULL, v9 varbit(9) NOT NULL, iv interval NOT NULL, ivs interval day to second NOT NULL, mo money NOT NULL, x xml NOT NULL,
			tv tsvector NOT NULL, tq tsquery NOT NULL, hs hstore NOT NULL, lt ltree NOT NULL, ci citext NOT NULL, p point NOT NULL, l line NOT NULL, ls lseg NOT NULL, bx box NOT NULL, pa path NOT NULL,
			po polygon NOT NULL, ci2 circle NOT NULL, inet_ inet NOT NULL, cidr_ cidr NOT NULL, mac macaddr NOT NULL, mac8 macaddr8 NOT NULL, tz timetz NOT NULL, lsn pg_lsn NOT NULL,
			o oid NOT NULL, c "char" NOT NULL, nm name NOT NULL, js json NOT NULL, jp jsonpath, r real NOT NULL, s2 smallint NOT NULL, t3 time(3) NOT NULL, ts0 timestamp(0) NOT NULL,
			n0 numeric(3,0) NOT NULL, nn numeric(5,5) NOT NULL, n30 numeric(30,10) NOT NULL, ch char(4) NOT NULL, vc varchar(1) NOT NULL, comp pair, arr2 int[][] NOT NULL, reg regclass, xid_ xid NOT NULL,
			snap txid_snapshot, ct ltree[] , lq lquery, neg numeric(3,-2))`},
	{name: "triggers", ddl: `
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$;
		CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := -1; RETURN NEW; END $$;
		CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
		CREATE TABLE refused (id serial PRIMARY KEY, n int NOT NULL CHECK (n >= 0)); CREATE TRIGGER r BEFORE INSERT ON refused FOR EACH ROW EXECUTE FUNCTION refuse();
		CREATE TABLE changed (id serial PRIMARY KEY, n int NOT NULL CHECK (n >= 0)); CREATE TRIGGER c BEFORE INSERT ON changed FOR EACH ROW EXECUTE FUNCTION change();
		CREATE TABLE skipped (id serial PRIMARY KEY, n int); CREATE TRIGGER s BEFORE INSERT ON skipped FOR EACH ROW EXECUTE FUNCTION skip();
		CREATE TABLE guarded (id serial PRIMARY KEY, n int); CREATE CONSTRAINT TRIGGER g AFTER INSERT ON guarded DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()`,
		holds: `SELECT min(n) >= 0 AND (SELECT count(*) = 4 FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O') FROM changed`},
	{name: "names", ddl: `
		CREATE SCHEMA "Über"; CREATE SCHEMA other;
		CREATE TABLE "Über"."Select" ("from" serial PRIMARY KEY, "WHERE" text NOT NULL CHECK ("WHERE" <> ''), "a b" int NOT NULL CHECK ("a b" > 0), "quo""te" int UNIQUE, "user" text, "order" int, "ü" date);
		CREATE TABLE "order" ("group" serial PRIMARY KEY, "select" int REFERENCES "Über"."Select", "table" text NOT NULL, "check" int CHECK ("check" BETWEEN 1 AND 3), "limit" boolean);
		CREATE UNIQUE INDEX "The Index" ON "order" (lower("table"));
		CREATE TABLE other."order" (id serial PRIMARY KEY, "order" int NOT NULL REFERENCES "order");
		CREATE TABLE other.abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk (abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk int PRIMARY KEY
			CONSTRAINT abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij2 CHECK (abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk >= 0));
		CREATE TABLE "a.b" (id serial PRIMARY KEY, "c.d" int REFERENCES "order")`},
	{name: "odd tables", ddl: `
		CREATE TYPE nothing AS ENUM ();
		CREATE TABLE no_columns (); CREATE TABLE one (x int); CREATE TABLE only_null (x nothing); CREATE TABLE flag (b boolean NOT NULL UNIQUE); CREATE UNLOGGED TABLE unlogged (id serial PRIMARY KEY, t text);
		CREATE TABLE dropped (a int, b int NOT NULL, c text); ALTER TABLE dropped DROP COLUMN a;
		CREATE TABLE single (id boolean PRIMARY KEY DEFAULT true CHECK (id), name text NOT NULL);
		CREATE VIEW seen AS SELECT x, count(*) FROM one GROUP BY x; CREATE MATERIALIZED VIEW kept AS SELECT * FROM flag; CREATE UNIQUE INDEX ON kept (b);
		CREATE TABLE grouped (id serial PRIMARY KEY, name text); CREATE VIEW by_key AS SELECT id, name FROM grouped GROUP BY id;
		CREATE RULE noted AS ON UPDATE TO one DO ALSO NOTHING`,
		empty: []string{"no_columns"}},
}

// TestConstraints fills each schema from itself alone, and then from the profile
// of what came of it, at its size and at a tenth. The server validates every
// constraint each time.
func TestConstraints(t *testing.T) {
	for _, c := range constrained {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			create := func() (string, dataset.Database) {
				url := testdb.Postgres(t)
				testdb.SQL(t, url, c.ddl)
				return url, open(t, url)
			}
			fill := func(url string, db dataset.Database, f *dataset.Files) {
				t.Helper()
				made, err := dataset.Fill(t.Context(), db, f, load.Options{})
				if err != nil {
					t.Errorf("scale %v: %v", f.Spec.Scale, err)
					return
				}
				for _, n := range made.Notes {
					t.Log(n)
				}
				for _, table := range made.Tables {
					if f.Spec.Scale == 1 && table.Rows == 0 && !slices.Contains(c.empty, table.Table) {
						t.Errorf("table %s is empty", table.Table)
					}
				}
				if c.holds != "" && f.Spec.Scale == 1 {
					testdb.SQL(t, url, fmt.Sprintf("DO $do$ BEGIN IF NOT (%s) THEN RAISE 'it does not hold'; END IF; END $do$", c.holds))
				}
			}
			url, first := create()
			fill(url, first, &dataset.Files{Spec: dataset.Spec{Seed: 1, Rows: 300, Scale: 1}})
			if t.Failed() {
				return
			}
			testdb.SQL(t, url, "ANALYZE")
			p := measured(t, first, measure.Options{})
			for _, scale := range []float64{1, 0.1} {
				url, db := create()
				fill(url, db, &dataset.Files{Spec: dataset.Spec{Seed: 2, Scale: scale}, Profile: p})
			}
		})
	}
}

// TestImpossible: what cannot be satisfied is named before anything is loaded.
func TestImpossible(t *testing.T) {
	for _, test := range []struct{ name, ddl, table, constraint string }{
		{"hash", `CREATE TABLE t (x bytea NOT NULL, y bytea NOT NULL, CONSTRAINT hashed CHECK (sha256(x) = y))`, "t", "hashed"},
		{"contradiction", `CREATE TABLE t (a int NOT NULL, b int NOT NULL, CONSTRAINT neither CHECK (a > b AND b > a))`, "t", "neither"},
	} {
		t.Run(test.name, func(t *testing.T) {
			url := testdb.Postgres(t)
			testdb.SQL(t, url, test.ddl)
			_, err := dataset.Fill(t.Context(), open(t, url), &dataset.Files{Spec: dataset.Spec{Seed: 1, Rows: 300}}, load.Options{})
			var problem *rehearse.Error
			if !errors.As(err, &problem) {
				t.Fatalf("got %v, want a *rehearse.Error", err)
			}
			for _, want := range []string{test.table, test.constraint} {
				if !strings.Contains(problem.Error(), want) {
					t.Errorf("%q does not name %s", problem.Error(), want)
				}
			}
			if problem.Hint == "" {
				t.Error("there is no hint")
			}
			t.Log(problem.Error(), problem.Hint)
		})
	}
}
