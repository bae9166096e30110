package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEquations(t *testing.T) {
	for text, want := range map[string][][2][]string{
		"(total = (price * (quantity)::numeric))":                 {{{"total"}, {"price", "quantity"}}},
		"((((a + b) + c) = 100) AND (a > 0))":                     {{{"a", "b", "c"}, nil}},
		"(state = 'open'::text)":                                  nil,
		"((a = b) OR (b = c))":                                    nil,
		"((a = b) AND (c IS NOT NULL) AND (lower(d) = lower(e)))": {{{"a"}, {"b"}}, {{"d"}, {"e"}}},
	} {
		e, err := ParseExpr(Postgres, text)
		if err != nil {
			t.Fatal(err)
		}
		var got [][2][]string
		for _, q := range Equations(e) {
			got = append(got, [2][]string{q.Left.Columns(), q.Right.Columns()})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}
