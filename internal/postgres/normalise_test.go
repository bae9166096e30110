package postgres

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/profile"
)

func TestNormalise(t *testing.T) {
	for _, test := range []struct{ sql, want string }{
		{"SELECT * FROM a WHERE b = $1 AND c = $2", "SELECT * FROM a WHERE b = $1 AND c = $2"},
		{"SELECT 'it''s', 4, 1.5e-3, .5, 0xff, $3", "SELECT $4, $5, $6, $7, $8, $3"},
		{`SELECT E'a\'b' || U&'c' || b'101', "it's 1", col1 FROM t2`, `SELECT $1 || $2 || $3, "it's 1", col1 FROM t2`},
		{"SELECT $$a 'b'$$, $x1$ $$ $x1$, x", "SELECT $1, $2, x"},
		{"/* user 42 /* nested */ */ SELECT a -- for 43\n  FROM b", "SELECT a FROM b"},
		{"SELECT a, count(*) FROM t GROUP BY 1, f(b, 2) ORDER BY 2 DESC, 1 LIMIT 10", "SELECT a, count(*) FROM t GROUP BY 1, f(b, $1) ORDER BY 2 DESC, 1 LIMIT $2"},
		{"SELECT row_number() OVER (ORDER BY a, 1), 7", "SELECT row_number() OVER (ORDER BY a, 1), $1"},
		{"SELECT a::numeric(10,2), b::pg_catalog.varchar(5) FROM t WHERE c::int = 5", "SELECT a::numeric(10,2), b::pg_catalog.varchar(5) FROM t WHERE c::int = $1"},
		{"SELECT a::int, f(5), b::timestamp(3) with time zone, 6", "SELECT a::int, f($1), b::timestamp(3) with time zone, $2"},
		{"SELECT x WHERE a::int AND f(5)", "SELECT x WHERE a::int AND f($1)"},
		{"SELECT 'cut sho", "SELECT $1"},
	} {
		if got := normalise(test.sql); got != test.want {
			t.Errorf("normalise(%q)\n got %q\nwant %q", test.sql, got, test.want)
		}
	}
}

// Two statements that are one without their literals are counted as one. With
// standard_conforming_strings off, a backslash would have hidden where a text ends.
func TestMerge(t *testing.T) {
	got := merge([]statementRow{
		{SQL: "SELECT a FROM b WHERE c = 1", Calls: 6, Hours: 2},
		{SQL: `SELECT a FROM b WHERE c = 'it\'s canary'`, Calls: 6, Hours: 2},
		{SQL: "SELECT a FROM b WHERE c = 2", Calls: 8, Hours: 2},
	}, 10)
	if diff := cmp.Diff([]profile.DataStatement{{SQL: "SELECT a FROM b WHERE c = $1", Calls: 7}}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func FuzzNormalise(f *testing.F) {
	f.Add("a = ", "secret")
	f.Add("/*", "*/ '")
	f.Fuzz(func(t *testing.T, sql, value string) {
		normalise(sql)
		// A text in a sound statement never comes through.
		literal := "'" + strings.ReplaceAll("canary"+value, "'", "''") + "'"
		if got := normalise("SELECT a FROM b WHERE c = " + literal); got != "SELECT a FROM b WHERE c = $1" {
			t.Errorf("%s comes out as %q", literal, got)
		}
	})
}
