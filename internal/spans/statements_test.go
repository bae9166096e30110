package spans

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse/internal/wire/postgres"
)

// FuzzStatements holds that what is remembered for one statement is right for
// another that is taken for the same.
func FuzzStatements(f *testing.F) {
	for _, pair := range [][2]string{
		{"SELECT a FROM t WHERE id = 1", "SELECT a FROM t WHERE id = 22"},
		{"SELECT a1 FROM t2 WHERE id = $1", "SELECT a1 FROM t2 WHERE id = $2"},
		{"SELECT 1.5, 1e10, 0x1F", "SELECT 2.7, 1e11, 0x2F"},
		{"SELECT '1'", "SELECT '2'"},
		{"SELECT 1 -- 1", "SELECT 2 -- 2"},
		{"SELECT $a$1$a$", "SELECT $a$2$a$"},
		{"SELECT $1$1$1$", "SELECT $1$2$1$"},
		{"SELECT 1a", "SELECT 2a"},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if string(withoutNumbers(nil, a)) != string(withoutNumbers(nil, b)) {
			return
		}
		if x, y := postgres.Normal(a), postgres.Normal(b); x != y {
			t.Errorf("%q is %+v, %q is %+v, and both are kept as one", a, x, b, y)
		}
	})
}

func TestStatementsAreRemembered(t *testing.T) {
	s := statements{known: map[string]postgres.Statement{}}
	want := "SELECT a FROM t WHERE id = ?"
	for _, sql := range []string{"SELECT a FROM t WHERE id = 1", "SELECT a FROM t WHERE id = 234"} {
		if got := s.normal(sql).Text; got != want {
			t.Errorf("%q is %q, want %q", sql, got, want)
		}
	}
	if len(s.known) != 1 {
		t.Errorf("%d are remembered, want 1", len(s.known))
	}
	if n := testing.AllocsPerRun(100, func() { s.normal("SELECT a FROM t WHERE id = 5678") }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// TestStatementsAreBounded has a client that writes long values into its
// statements.
func TestStatementsAreBounded(t *testing.T) {
	s := statements{known: map[string]postgres.Statement{}}
	for i := range 2 * maxStatements {
		for _, length := range []int{1, 2 * maxRemembered} {
			if got := s.normal(fmt.Sprintf("SELECT '%d %s'", i, strings.Repeat("x", length))).Text; got != "SELECT ?" {
				t.Fatalf("got %q", got)
			}
		}
	}
	for sql := range s.known {
		if len(sql) > maxRemembered {
			t.Fatalf("a statement of %d bytes is remembered", len(sql))
		}
	}
	if len(s.known) > maxStatements {
		t.Errorf("%d statements are remembered", len(s.known))
	}
}
