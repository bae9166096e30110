package postgres

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// TestStatementByChildren is on how the children of sampled parents are counted,
// which follows the size of their table and its indexes.
func TestStatementByChildren(t *testing.T) {
	const (
		grouped = `LEFT JOIN (SELECT "a", "b", count(*) AS rehearse_children FROM public."child" WHERE "a" IS NOT NULL AND "b" IS NOT NULL GROUP BY "a", "b") AS c1 ON c1."a" = t."x" AND c1."b" = t."y"`
		lateral = `CROSS JOIN LATERAL (SELECT count(*) AS rehearse_children FROM public."child" AS r WHERE r."a" = t."x" AND r."b" = t."y") AS c1`
	)
	for _, test := range []struct {
		name    string
		rows    int64
		limit   int64
		leading [][]string
		join    string
	}{
		{"small", 1000, 10, nil, grouped},
		{"big, all parents", 6_000_000, 0, nil, grouped},
		{"huge, all parents", 60_000_000, 0, [][]string{{"a", "b"}}, ""},
		{"big, few parents, an index in another order", 6_000_000, 10, [][]string{{"c"}, {"b", "a", "c"}}, lateral},
		{"big, few parents, an index on one column", 6_000_000, 10, [][]string{{"a", "c"}, {"a"}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			known := catalogue{tables: map[string]*relation{
				"parent": {table: &schema.Table{Name: "parent"}, size: size{rows: 1000, pages: 10}},
				"child":  {table: &schema.Table{Name: "child"}, size: size{rows: test.rows, pages: test.rows / 100}, leading: test.leading},
			}}
			got, err := known.statement(measure.Query{
				Table: "parent", Columns: []string{"x"}, Limit: test.limit, Rows: 1000,
				Children: []measure.ChildCount{{Table: "child", Reference: schema.ForeignKey{Columns: []string{"a", "b"}, Table: "parent", To: []string{"x", "y"}}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			var join, column string
			for line := range strings.SplitSeq(got, "\n") {
				if strings.Contains(line, "JOIN") {
					join = strings.TrimSpace(line)
				}
				if rest, ok := strings.CutPrefix(line, `  SELECT t."x", `); ok {
					column = rest
				}
			}
			want := []string{test.join, "coalesce(c1.rehearse_children, 0)"}
			if test.join == "" {
				want[1] = "NULL"
			}
			if diff := cmp.Diff(want, []string{join, column}); diff != "" {
				t.Errorf("the join and its column (-want +got):\n%s\n%s", diff, got)
			}
		})
	}
}

func TestSplitList(t *testing.T) {
	for _, test := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"lower(b)", []string{"lower(b)"}},
		{`f(a, ','), (x || 'it''s, (here'), "odd,name", ARRAY[1, 2]`, []string{"f(a, ',')", "(x || 'it''s, (here')", `"odd,name"`, "ARRAY[1, 2]"}},
	} {
		if diff := cmp.Diff(test.want, splitList(test.in)); diff != "" {
			t.Errorf("splitList(%q) (-want +got):\n%s", test.in, diff)
		}
	}
}
