package synth_test

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/artifact"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/rows"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/synth"
)

var (
	bigint = schema.Type{SQL: "bigint", Name: "int8", Kind: schema.Int, Size: 8}
	text   = schema.Type{SQL: "text", Name: "text", Kind: schema.Text}
)

// dump is a table as text, filled chunk rows at a time.
func dump(t testing.TB, table rows.Table, chunk int64) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	var b rows.Batch
	for from := int64(0); from < table.Rows(); from += chunk {
		n := int(min(chunk, table.Rows()-from))
		if err := table.Fill(&b, from, n); err != nil {
			t.Fatal(err)
		}
		for ci, c := range table.Columns() {
			v := &b.Columns[ci]
			for i := range n {
				switch {
				case v.Null[i]:
					out[c.Name] = append(out[c.Name], "NULL")
				case c.Kind == rows.Float:
					out[c.Name] = append(out[c.Name], fmt.Sprint(v.Floats[i]))
				case len(v.Ends) > 0:
					out[c.Name] = append(out[c.Name], string(v.Text(i)))
				default:
					out[c.Name] = append(out[c.Name], fmt.Sprint(v.Ints[i]))
				}
			}
		}
	}
	return out
}

func compile(t testing.TB, s *schema.Schema, o synth.Options) *synth.Program {
	t.Helper()
	p, err := synth.Compile(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSameRows: rows do not depend on how they are asked for, but on the seed; and
// a column that is added, or a CHECK that nothing breaks, changes no other.
func TestSameRows(t *testing.T) {
	s, p := tenColumns(3000)
	table := compile(t, s, synth.Options{Profile: p, Seed: 1}).Tables()[0]
	want := dump(t, table, table.Rows())
	var wait sync.WaitGroup
	for _, chunk := range []int64{1, 7, 100, 1024} {
		wait.Go(func() {
			if diff := cmp.Diff(want, dump(t, table, chunk)); diff != "" {
				t.Errorf("chunks of %d (-want +got):\n%s", chunk, diff)
			}
		})
	}
	wait.Wait()
	other := dump(t, compile(t, s, synth.Options{Profile: p, Seed: 2}).Tables()[0], 1000)
	for _, name := range []string{"account", "email", "status", "token", "doc"} {
		if cmp.Equal(want[name], other[name]) {
			t.Errorf("another seed gives the same %s", name)
		}
	}
	more, p := tenColumns(3000)
	more.Tables[0].Columns = append([]schema.Column{{Name: "new", Type: text}}, more.Tables[0].Columns...)
	got := dump(t, compile(t, more, synth.Options{Profile: p, Seed: 1}).Tables()[0], 1000)
	delete(got, "new")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with a column more (-want +got):\n%s", diff)
	}
	// With rules every value is made one by one.
	ruled, p := tenColumns(3000)
	ruled.Tables[0].Checks = []schema.Check{{Name: "c", Expr: "(account >= 0)"}}
	if diff := cmp.Diff(want, dump(t, compile(t, ruled, synth.Options{Profile: p, Seed: 1}).Tables()[0], 1000)); diff != "" {
		t.Errorf("with a CHECK that holds (-want +got):\n%s", diff)
	}
}

// TestMemory: a table of a hundred million rows takes no more than a small one.
func TestMemory(t *testing.T) {
	allocated := func(n int64) uint64 {
		s, p := tenColumns(n)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		table := compile(t, s, synth.Options{Profile: p, Seed: 1}).Tables()[0]
		var b rows.Batch
		for _, from := range []int64{0, n / 2, n - 1000} {
			if err := table.Fill(&b, from, 1000); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	small, large := allocated(10_000), allocated(100_000_000)
	if large > small+1<<20 {
		t.Errorf("%d bytes for a hundred million rows, and %d for ten thousand", large, small)
	}
}

// family is parents with children, whose numbers the profile has.
func family(parents, children int64) (*schema.Schema, *profile.Data) {
	s := &schema.Schema{Engine: schema.Postgres, Tables: []*schema.Table{
		{Name: "children", Columns: []schema.Column{{Name: "id", Type: bigint, NotNull: true}, {Name: "parent", Type: bigint, NotNull: true}},
			Keys:        []schema.Key{{Name: "children_pkey", Primary: true, Parts: []schema.KeyPart{{Column: "id"}}}},
			ForeignKeys: []schema.ForeignKey{{Name: "fk", Columns: []string{"parent"}, Table: "parents", To: []string{"id"}}}},
		{Name: "parents", Columns: []schema.Column{{Name: "id", Type: bigint, NotNull: true}},
			Keys: []schema.Key{{Name: "parents_pkey", Primary: true, Parts: []schema.KeyPart{{Column: "id"}}}}},
	}}
	p := &profile.Data{Tables: []profile.DataTable{
		{Name: "children", Rows: children, Columns: []profile.DataColumn{{Name: "id", Unique: true}, {Name: "parent"}},
			References: []profile.DataReference{{Columns: []string{"parent"}, Table: "parents", To: []string{"id"},
				Children: []profile.DataCount{{From: 0, To: 0, Share: 0.5}, {From: 1, To: 1, Share: 0.3}, {From: 6, To: 6, Share: 0.2}}}}},
		{Name: "parents", Rows: parents, Columns: []profile.DataColumn{{Name: "id", Unique: true}}},
	}}
	return s, p
}

// TestFanOut: parents have as many children as the profile says, also at another
// scale.
func TestFanOut(t *testing.T) {
	for _, scale := range []float64{1, 0.05, 3} {
		s, p := family(10_000, 15_000)
		made := compile(t, s, synth.Options{Profile: p, Seed: 1, Scale: scale})
		children := map[string]int{}
		for _, table := range made.Tables() {
			if table.Schema().Name == "children" {
				for _, parent := range dump(t, table, 1000)["parent"] {
					children[parent]++
				}
			}
		}
		got := map[int]int{}
		for _, n := range children {
			got[n]++
		}
		for n, want := range map[int]float64{1: 3000 * scale, 6: 2000 * scale} {
			if math.Abs(float64(got[n])-want) > 1 {
				t.Errorf("scale %v: %d parents have %d children, want %.0f", scale, got[n], n, want)
			}
		}
		if len(got) != 2 {
			t.Errorf("scale %v: numbers of children are %v", scale, got)
		}
	}
}

// TestArtifacts: as many as the profile has, and one of each in a small table.
func TestArtifacts(t *testing.T) {
	s := &schema.Schema{Engine: schema.Postgres, Tables: []*schema.Table{{Name: "t", Columns: []schema.Column{{Name: "note", Type: text, NotNull: true}}}}}
	for scale, want := range map[float64]int{1: 200, 0.01: 2} {
		p := &profile.Data{Tables: []profile.DataTable{{Name: "t", Rows: 10_000, Columns: []profile.DataColumn{{Name: "note",
			Text: &profile.DataText{Length: []int{5, 10, 20}}, Artifacts: []profile.DataShare{{Name: artifact.TrailingSpace, Share: 0.02}}}}}}}
		got := 0
		for _, note := range dump(t, compile(t, s, synth.Options{Profile: p, Seed: 1, Scale: scale}).Tables()[0], 100)["note"] {
			if strings.TrimRightFunc(note, unicode.IsSpace) != note {
				got++
			}
		}
		if got != want {
			t.Errorf("scale %v: %d notes end with a space, want %d", scale, got, want)
		}
	}
}

// TestShortKey: a key that has no more values makes a table smaller, and a note
// says so.
func TestShortKey(t *testing.T) {
	flag := schema.Type{SQL: "boolean", Name: "bool", Kind: schema.Bool}
	level := schema.Column{Name: "level", Type: bigint, NotNull: true}
	s := &schema.Schema{Engine: schema.Postgres, Tables: []*schema.Table{
		{Name: "flags", Columns: []schema.Column{{Name: "b", Type: flag, NotNull: true}}, Keys: []schema.Key{{Name: "flags_b_key", Parts: []schema.KeyPart{{Column: "b"}}}}},
		{Name: "levels", Columns: []schema.Column{{Name: "b", Type: flag, NotNull: true}, level}, Checks: []schema.Check{{Name: "few", Expr: "(((level * 2) >= 2) AND ((level * 2) <= 6))"}},
			Keys: []schema.Key{{Name: "levels_key", Parts: []schema.KeyPart{{Column: "level"}, {Column: "b"}}}}},
	}}
	made := compile(t, s, synth.Options{Seed: 1, Rows: 5000})
	for _, table := range made.Tables() {
		if want := map[string]int64{"flags": 2, "levels": 6}[table.Schema().Name]; table.Rows() != want {
			t.Errorf("table %s has %d rows, want %d", table.Schema().Name, table.Rows(), want)
		}
	}
	if notes := strings.Join(made.Notes(), "\n"); !strings.Contains(notes, "flags_b_key") || !strings.Contains(notes, "levels_key") {
		t.Errorf("notes: %s", notes)
	}
}

// TestUnsatisfiable: the error names the table, the constraint and its expression.
func TestUnsatisfiable(t *testing.T) {
	s := &schema.Schema{Engine: schema.Postgres, Tables: []*schema.Table{{Name: "t",
		Columns: []schema.Column{{Name: "a", Type: bigint, NotNull: true}, {Name: "b", Type: bigint, NotNull: true}},
		Checks:  []schema.Check{{Name: "neither", Expr: "((a > b) AND (b > a))"}}}}}
	_, err := synth.Compile(t.Context(), s, synth.Options{Seed: 1})
	var problem *rehearse.Error
	if !errors.As(err, &problem) {
		t.Fatalf("got %v, want a *rehearse.Error", err)
	}
	for _, want := range []string{`"t"`, "neither", "((a > b) AND (b > a))"} {
		if !strings.Contains(problem.Msg, want) {
			t.Errorf("%q does not say %s", problem.Msg, want)
		}
	}
	if problem.Hint == "" {
		t.Error("there is no hint")
	}
}
