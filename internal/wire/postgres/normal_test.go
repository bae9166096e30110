package postgres

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestNormal(t *testing.T) {
	for _, c := range []struct {
		sql  string
		want Statement
	}{
		{"", Statement{}},
		{" ; -- nothing", Statement{}},
		{"-- ping", Statement{}},
		{"select e'a'\n  'x\\'secret', 'b'\n'it''s', 'c' 'd'", Statement{"select ?, ?, ? ?", "SELECT", "", "SELECT"}},
		{"select 1;", Statement{"select ?", "SELECT", "", "SELECT"}},
		{"SELECT  *\n\tFROM documents WHERE id = 17 AND title='it''s' -- why\n LIMIT 10 ;", Statement{"SELECT * FROM documents WHERE id = ? AND title=? LIMIT ?", "SELECT", "documents", "SELECT documents"}},
		{"SELECT e'a\\'b', U&'x', B'01', x'ff', n'x', $$a$$, $t$ $$ $t$, 1e-5, .5, 0x1F, 1_000, $1", Statement{"SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, $1", "SELECT", "", "SELECT"}},
		{"UPDATE pgbench_accounts SET abalance = abalance + -1234 WHERE aid = 56789;", Statement{"UPDATE pgbench_accounts SET abalance = abalance + ? WHERE aid = ?", "UPDATE", "pgbench_accounts", "UPDATE pgbench_accounts"}},
		{"select a -1, a - 1, (-1), b[ -1 ], c = - 1", Statement{"select a -?, a - ?, (?), b[?], c = - ?", "SELECT", "", "SELECT"}},
		{"select * from t where id in (1, -2,3) and x IN ($1, $2) and y not in ( 'a' , 'b' ) and f(1, 2) and z in (select 1, 2) and w = any(array[1,2])",
			Statement{"select * from t where id in (?) and x IN ($1) and y not in (?) and f(?, ?) and z in (select ?, ?) and w = any(array[?])", "SELECT", "t", "SELECT t SELECT"}},
		{"select 1 in (1, -x), 2 in (3, 4 + 5)", Statement{"select ? in (?, -x), ? in (?, ? + ?)", "SELECT", "", "SELECT"}},
		{"INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y'),(3, NULL), (4, 'z') ON CONFLICT (a) DO UPDATE SET b = 'q' RETURNING a",
			Statement{"INSERT INTO t (a, b) VALUES (?, ?),(?, NULL), (?, ?) ON CONFLICT (a) DO UPDATE SET b = ? RETURNING a", "INSERT", "t", "INSERT t"}},
		{"insert into t values ($1, now()), ($3, now()), ($5, now())", Statement{"insert into t values ($1, now())", "INSERT", "t", "INSERT t"}},
		{"/* a /* nested */ b */ SELECT 1 /*traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/", Statement{"SELECT ?", "SELECT", "", "SELECT"}},

		// The conventions' own.
		{"SELECT *\nFROM   wuser_table\nWHERE  username = ?", Statement{"SELECT * FROM wuser_table WHERE username = ?", "SELECT", "wuser_table", "SELECT wuser_table"}},
		{"INSERT INTO shipping_details\n(order_id,\naddress)\nSELECT order_id,\naddress\nFROM orders\nWHERE order_id = ?",
			Statement{"INSERT INTO shipping_details (order_id, address) SELECT order_id, address FROM orders WHERE order_id = ?", "INSERT", "", "INSERT shipping_details SELECT orders"}},
		{"SELECT * FROM songs, artists WHERE songs.artist_id == artists.id", Statement{"SELECT * FROM songs, artists WHERE songs.artist_id == artists.id", "SELECT", "", "SELECT songs artists"}},
		{"SELECT order_date FROM (SELECT * FROM orders o JOIN customers c ON o.customer_id = c.customer_id)",
			Statement{"SELECT order_date FROM (SELECT * FROM orders o JOIN customers c ON o.customer_id = c.customer_id)", "SELECT", "", "SELECT SELECT orders customers"}},

		{`select * from only "Order Items" i, public."t", generate_series(1, 2) g, lateral f(i.x), u`,
			Statement{`select * from only "Order Items" i, public."t", generate_series(?, ?) g, lateral f(i.x), u`, "SELECT", "", `SELECT "Order Items" public."t" u`}},
		{"WITH RECURSIVE a AS (SELECT * FROM x), b AS MATERIALIZED (DELETE FROM y RETURNING *) INSERT INTO z SELECT * FROM a, b",
			Statement{"WITH RECURSIVE a AS (SELECT * FROM x), b AS MATERIALIZED (DELETE FROM y RETURNING *) INSERT INTO z SELECT * FROM a, b", "INSERT", "", "SELECT x DELETE y INSERT z SELECT"}},
		{"select extract(year from now()), a is distinct from b, trim(both from c) from t for update of t", Statement{"select extract(year from now()), a is distinct from b, trim(both from c) from t for update of t", "SELECT", "t", "SELECT t"}},
		{"delete from a using b where a.x = b.x", Statement{"delete from a using b where a.x = b.x", "DELETE", "", "DELETE a b"}},
		{"update only a set x = (select max(y) from b) from c where a.i = c.i", Statement{"update only a set x = (select max(y) from b) from c where a.i = c.i", "UPDATE", "", "UPDATE a SELECT b c"}},
		{"merge into t using s on t.i = s.i when matched then update set x = 1 when not matched then insert values (1)",
			Statement{"merge into t using s on t.i = s.i when matched then update set x = ? when not matched then insert values (?)", "MERGE", "", "MERGE t s"}},
		{"BEGIN; UPDATE t SET a = 1; COMMIT;", Statement{"BEGIN; UPDATE t SET a = ?; COMMIT", "BEGIN", "t", "BEGIN; UPDATE t; COMMIT"}},
		{"copy public.t (a, b) from stdin", Statement{"copy public.t (a, b) from stdin", "COPY", "public.t", "COPY public.t"}},
		{"COPY (SELECT * FROM t) TO STDOUT", Statement{"COPY (SELECT * FROM t) TO STDOUT", "COPY", "t", "COPY SELECT t"}},
		{"explain (analyze) delete from t", Statement{"explain (analyze) delete from t", "EXPLAIN", "t", "EXPLAIN DELETE t"}},
		{"create temp table if not exists t (id int default 7)", Statement{"create temp table if not exists t (id int default ?)", "CREATE TABLE", "t", "CREATE TABLE t"}},
		{"CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", Statement{"CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", "CREATE INDEX", "", "CREATE INDEX i"}},
		{"create user bob password 'secret'", Statement{"create user bob password ?", "CREATE USER", "", "CREATE USER bob"}},
		{"truncate table t", Statement{"truncate table t", "TRUNCATE", "t", "TRUNCATE t"}},
		{"call p(1)", Statement{"call p(?)", "CALL", "", "CALL p"}},
		{"set statement_timeout = 500", Statement{"set statement_timeout = ?", "SET", "", "SET"}},
		{"vacuum full t", Statement{"vacuum full t", "VACUUM", "", "VACUUM"}},
		{"DO $x$ begin raise; end $x$", Statement{"DO ?", "DO", "", "DO"}},
		{"grant select on t to bob", Statement{"grant select on t to bob", "GRANT", "", "GRANT"}},

		// Cut off, or in another character set.
		{"select 'abc", Statement{"select ?", "SELECT", "", "SELECT"}},
		{`select "abc`, Statement{"select ?", "SELECT", "", "SELECT"}},
		{"select $a$ abc", Statement{"select ?", "SELECT", "", "SELECT"}},
		{"select * from t\xfc", Statement{"select * from t\ufffd", "SELECT", "t", "SELECT t"}},
		{"select * from s.", Statement{"select * from s.", "SELECT", "", "SELECT"}},
	} {
		if got := Normal(c.sql); !cmp.Equal(got, c.want) {
			t.Errorf("%q:\n%s", c.sql, cmp.Diff(c.want, got))
		}
	}
	long := Normal("select * from " + strings.Repeat("some_table_of_ours, ", 60) + "c").Summary
	if want := "SELECT" + strings.Repeat(" some_table_of_ours", 13); long != want {
		t.Errorf("got %q, want %q", long, want)
	}
}

func TestComment(t *testing.T) {
	const parent = "traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'"
	for _, c := range []struct {
		sql  string
		want bool
	}{
		{"SELECT 1 /*" + parent + ",tracestate='a'*/", true},
		{"SELECT 1 /*action='x'," + parent + "*/;", true},
		{"/* " + parent + " */ select 1", true},
		{"select 1 -- " + parent, true},
		{"select $$" + parent + "$$", false},
		{"select $$" + parent + "$$ /*" + parent + "*/", true},
		{"select 'traceparent=''00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'''", false},
		{"select 1 /*traceparent='00-0'*/", false},
		{"select 1 /*traceparent='", false},
		{"select 1", false},
	} {
		got, ok := Comment(c.sql)
		if ok != c.want || ok && (fmt.Sprintf("%x-%x", got.Trace, got.Span) != "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331" || !got.Sampled) {
			t.Errorf("%s: got %+v, %v, want %v", c.sql, got, ok, c.want)
		}
	}
}

// literals are ways to write a canary.
func literals(canary string, n int) []string {
	return []string{
		"'" + canary + "'", "E'\\'" + canary + "'", "e'\\\\" + canary + "\\n'", "$$" + canary + "$$", "$q$'" + canary + "$q$", "U&'" + canary + "'", "N'" + canary + "'",
		"'" + strings.Repeat("''", n) + canary + "''" + canary + "'", "/*" + canary + "*/", "--" + canary + "\n", "/* ' /* " + canary + " */ \" */", "E'" + canary,
		"'" + canary, "$x$" + canary, "'\\' || '" + canary + "'",
	}
}

// FuzzNormal holds that no literal gets into the result, and that the result is
// its own normal form.
func FuzzNormal(f *testing.F) {
	f.Add("select * from t where a = %s and b in (%s, %s)", uint64(1))
	f.Add("insert into t values (%s, %s), (%s, -%s)", uint64(2))
	f.Add("%s with a as (select %s) update t set x = array[%s]; drop table t", uint64(3))
	f.Add("values (1, $2), ($1, $1)) in (1, 2) in ((-1, - 1)) from a.b.c(, (", uint64(4))
	f.Fuzz(func(t *testing.T, template string, seed uint64) {
		const canary = "canary4711"
		if strings.Contains(template, canary[:3]) {
			return
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		// The template must not open anything that turns a literal inside out.
		plain := !strings.ContainsAny(template, "'\"$\\") && !strings.Contains(template, "--") && !strings.Contains(template, "/*")
		var b strings.Builder
		for i, part := range strings.Split(template, "%s") {
			if i > 0 {
				all := literals(canary, rng.IntN(3))
				b.WriteString(" " + all[rng.IntN(len(all))] + " ")
			}
			b.WriteString(part)
		}
		sql := b.String()
		got := Normal(sql)
		if plain && strings.Contains(fmt.Sprint(got), canary) && !unended(sql) {
			t.Errorf("%q leaks: %+v", sql, got)
		}
		if !utf8.ValidString(got.Text+got.Operation+got.Collection+got.Summary) || len(got.Summary) > maxSummary {
			t.Errorf("%q: %+v", sql, got)
		}
		if again := Normal(got.Text); utf8.ValidString(sql) && again.Text != got.Text {
			t.Errorf("%q: %q, and again %q", sql, got.Text, again.Text)
		}
		Comment(sql)
	})
}

// unended reports whether one of the literals has no end, so that those behind it
// are turned inside out.
func unended(sql string) bool {
	return strings.Contains(sql, " E'canary4711 ") || strings.Contains(sql, " 'canary4711 ") || strings.Contains(sql, "$x$")
}

func BenchmarkNormal(b *testing.B) {
	const sql = "SELECT d.id, d.title FROM documents d WHERE d.owner = 4711 AND d.state IN ('new', 'open') LIMIT 100"
	b.SetBytes(int64(len(sql)))
	b.ReportAllocs()
	for b.Loop() {
		Normal(sql)
	}
}
