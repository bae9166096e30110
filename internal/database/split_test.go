package database

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

func TestSplit(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", " \n-- only this\n/* and /* this */ */;;", nil},
		{"two", "SELECT 1; SELECT 2\n;", []string{"SELECT 1", "SELECT 2"}},
		{"no semicolon", "SELECT 1", []string{"SELECT 1"}},
		{"comments between and within", "-- a;\nSELECT /* b; */ 1 -- c;\n;SELECT 2", []string{"SELECT /* b; */ 1 -- c;", "SELECT 2"}},
		{"quotes", `SELECT 'a;''b', "c;""d"; SELECT 2`, []string{`SELECT 'a;''b', "c;""d"`, "SELECT 2"}},
		{"escapes", `SELECT E'a\';b'; SELECT 'a\'; SELECT 3`, []string{`SELECT E'a\';b'`, `SELECT 'a\'`, "SELECT 3"}},
		{"a name that ends in e", `SELECT date 'a\'; SELECT 2`, []string{`SELECT date 'a\'`, "SELECT 2"}},
		{"dollars", "DO $$ BEGIN; END $$; DO $a$ $$;$$ $a$; SELECT $1; SELECT a$b$c", []string{"DO $$ BEGIN; END $$", "DO $a$ $$;$$ $a$", "SELECT $1", "SELECT a$b$c"}},
		{"rule", "CREATE RULE r AS ON INSERT TO a DO (SELECT 1; SELECT 2); SELECT 3", []string{"CREATE RULE r AS ON INSERT TO a DO (SELECT 1; SELECT 2)", "SELECT 3"}},
		{
			"atomic body", "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3",
			[]string{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END", "SELECT 3"},
		},
		{"transaction", "BEGIN; SELECT 1; END;", []string{"BEGIN", "SELECT 1", "END"}},
		{"unclosed", "SELECT 'a; SELECT 2", []string{"SELECT 'a; SELECT 2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := split(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSplitRefusesPsql(t *testing.T) {
	_, err := split("SELECT 1;\n\\i more.sql\n")
	e, ok := err.(*rehearse.Error)
	if !ok || e.Line != 2 || !strings.Contains(e.Msg, `\i more.sql`) {
		t.Errorf("got %v, want an error about line 2", err)
	}
}

// Whatever is taken apart is all there, in its order, and comes apart no further.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"SELECT 1; SELECT 2", "DO $$;$$;", "E'\\';", "/*", "--", "$a", "'", "CREATE BEGIN ATOMIC;", "\\i", "SELECT a\n;;\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := split(text)
		if err != nil {
			return
		}
		rest := text
		for _, s := range got {
			_, after, ok := strings.Cut(rest, s)
			if !ok || s == "" {
				t.Fatalf("%q gives %q, of which %q is not in what is left", text, got, s)
			}
			rest = after
			again, err := split(s)
			if err != nil || !slices.Equal(again, []string{s}) {
				t.Errorf("%q comes apart as %q (%v)", s, again, err)
			}
		}
	})
}
