package likeness_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/likeness"
	"github.com/rehearse-dev/rehearse/internal/measure"
	"github.com/rehearse-dev/rehearse/internal/profile"
)

// one is a profile of one table with one column.
func one(c profile.DataColumn) *profile.Data {
	c.Name = "c"
	return &profile.Data{
		Source: profile.DataSource{Taken: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}, Privacy: profile.DataPrivacy{K: 20},
		Tables: []profile.DataTable{{Name: "t", Rows: 1000, Columns: []profile.DataColumn{c}}},
	}
}

func values(pairs ...any) (out []profile.DataValue) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, profile.DataValue{Value: pairs[i].(string), Share: pairs[i+1].(float64)})
	}
	return out
}

func TestProfilesColumn(t *testing.T) {
	line := func(q ...float64) *profile.DataNumbers { return &profile.DataNumbers{Quantiles: q} }
	days := func(n ...int) *profile.DataTimes {
		out := &profile.DataTimes{}
		for _, d := range n {
			out.Quantiles = append(out.Quantiles, time.Duration(d)*24*time.Hour)
		}
		return out
	}
	for _, tt := range []struct {
		name, metric string
		a, b         profile.DataColumn
		want         float64
		what         string
	}{
		{"a line moved by a quarter", "KSComplement", profile.DataColumn{Type: "integer", Numbers: line(0, 100)}, profile.DataColumn{Type: "integer", Numbers: line(25, 125)}, 0.75, "median"},
		{"quantiles of another number", "KSComplement", profile.DataColumn{Type: "real", Numbers: line(0, 50, 100)}, profile.DataColumn{Type: "real", Numbers: line(0, 25, 50, 75, 100)}, 1, ""},
		// Of those that are there 0 has a half, the rest is even: at 0 the halves differ by a quarter.
		{"a mixture", "KSComplement", profile.DataColumn{Type: "bigint", Null: 0.5, Values: values("0", 0.25), Numbers: line(10, 20)},
			profile.DataColumn{Type: "bigint", Values: values("0", 0.25), Numbers: line(10, 20)}, 0.75, "0 0.50 → 0.25, all others 0.50 → 0.75"},
		{"values alone", "KSComplement", profile.DataColumn{Type: "smallint", Values: values("1", 0.5, "2", 0.5)}, profile.DataColumn{Type: "smallint", Values: values("2", 0.7, "1", 0.3)}, 0.8, "1 0.50 → 0.30"},
		{"times", "KSComplement", profile.DataColumn{Type: "date", Times: days(-10, 0)}, profile.DataColumn{Type: "date", Times: days(-15, -5)}, 0.5, "25 % "},
		{"a time among times", "KSComplement", profile.DataColumn{Type: "timestamp without time zone", Values: values("2025-12-27 00:00:00", 0.5), Times: days(-10, 0)},
			profile.DataColumn{Type: "timestamp without time zone", Values: values("2025-12-27 00:00:00", 0.5), Times: days(-10, 0)}, 1, ""},
		{"categories", "TVComplement", profile.DataColumn{Type: "text", Distinct: 9, Values: values("paid", 0.6, "open", 0.2)},
			profile.DataColumn{Type: "text", Distinct: 9, Values: values("paid", 0.5, "new", 0.1, "open", 0.2)}, 0.9, "all others 0.20 → 0.30, paid 0.60 → 0.50"},
		{"NULL does not count", "TVComplement", profile.DataColumn{Type: "boolean", Values: values("t", 0.75, "f", 0.25)},
			profile.DataColumn{Type: "boolean", Null: 0.5, Values: values("t", 0.375, "f", 0.125)}, 1, ""},
		{"nothing is there", "TVComplement", profile.DataColumn{Type: "boolean", Values: values("t", 1.0)}, profile.DataColumn{Type: "boolean", Null: 1}, 0, "NULL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := likeness.Profiles(one(tt.a), one(tt.b))
			i := item(t, r, likeness.ColumnShapes, "t.c")
			if i.Metric != tt.metric || math.Abs(i.Score-tt.want) > 1e-9 || !strings.Contains(i.What, tt.what) || tt.what == "" && i.What != "" {
				t.Errorf("got %+v, want %s %v, and %q said", i, tt.metric, tt.want, tt.what)
			}
		})
	}
}

func TestProfilesLeavesOut(t *testing.T) {
	for name, c := range map[string]profile.DataColumn{
		"a unique number":  {Type: "integer", Unique: true, Numbers: &profile.DataNumbers{Quantiles: []float64{1, 2}}},
		"a uuid":           {Type: "uuid"},
		"a private column": {Type: "text", Private: "personal: city", Values: nil},
		"free text":        {Type: "text", Distinct: 900},
		"a document":       {Type: "jsonb"},
		"addresses":        {Type: "inet"},
		"nothing":          {Type: "integer", Null: 1},
		"too few rows":     {Type: "integer"},
	} {
		if _, ok := likeness.Profiles(one(c), one(c)).Property(likeness.ColumnShapes); ok {
			t.Errorf("%s is scored", name)
		}
	}
}

func TestProfilesTextAndArtifacts(t *testing.T) {
	a := profile.DataColumn{Type: "text", Private: "personal", Text: &profile.DataText{Length: []int{0, 10}, Formats: []profile.DataShare{{Name: "email", Share: 1}}},
		Artifacts: []profile.DataShare{{Name: "mojibake", Share: 0.1}, {Name: "emoji", Share: 0.1}}}
	b := profile.DataColumn{Type: "text", Private: "personal", Text: &profile.DataText{Length: []int{5, 15}, Formats: []profile.DataShare{{Name: "word", Share: 0.5}, {Name: "email", Share: 0.5}}},
		Artifacts: []profile.DataShare{{Name: "emoji", Share: 0.3}}}
	r := likeness.Profiles(one(a), one(b))
	if i := item(t, r, likeness.TextShapes, "t.c"); i.Score != 0.5 {
		t.Errorf("text: %+v", i)
	}
	if i := item(t, r, likeness.ArtifactCoverage, "t.c"); i.Score != 0.5 || i.What != "not there: mojibake" {
		t.Errorf("artifacts: %+v", i)
	}
	if r.Score != 0 {
		t.Errorf("score %v of nothing that counts", r.Score)
	}
}

func TestProfilesReference(t *testing.T) {
	with := func(orphans float64, children ...profile.DataCount) *profile.Data {
		p := one(profile.DataColumn{Type: "integer", Unique: true})
		p.Tables[0].References = []profile.DataReference{{Columns: []string{"p_id"}, Table: "p", To: []string{"id"}, Orphans: orphans, Children: children}}
		return p
	}
	a := with(0, profile.DataCount{Share: 0.5}, profile.DataCount{From: 1, To: 4, Share: 0.5, Mean: 2})
	if r := likeness.Profiles(a, a); score(t, r, likeness.Cardinality) != 1 || !r.Passed() {
		t.Errorf("a profile is unlike itself: %+v", r)
	}
	// Up to 2 children: .75 and .5 + .5.
	b := with(0.25, profile.DataCount{Share: 0.5}, profile.DataCount{From: 1, To: 2, Share: 0.5, Mean: 1.5})
	r := likeness.Profiles(a, b)
	if i := item(t, r, likeness.Cardinality, "t.p_id -> p"); i.Score != 0.75 || i.What != "children of a row: mean 1 → 0.75, without any 0.50 → 0.50" {
		t.Errorf("cardinality: %+v", i)
	}
	want := []likeness.Gate{{Name: "referential integrity", Score: 0.75, Broken: []string{"t.p_id -> p: 0.25 lead nowhere"}}}
	if diff := cmp.Diff(want, r.Gates); diff != "" {
		t.Error(diff)
	}
	if r := likeness.Profiles(b, b); !r.Passed() {
		t.Errorf("orphans that the original has too break a gate: %+v", r.Gates)
	}
}

func TestProfilesDependence(t *testing.T) {
	categories := []profile.DataColumn{
		{Name: "x", Type: "text", Distinct: 2, Values: values("a", 0.5, "b", 0.5)},
		{Name: "y", Type: "text", Distinct: 2, Values: values("c", 0.5, "d", 0.5)},
		{Name: "z", Type: "text", Distinct: 2, Values: values("e", 0.5, "f", 0.5)},
	}
	follows := func(column, on string, from, to [2]string) profile.DataDependence {
		return profile.DataDependence{Column: column, On: on, Given: []profile.DataGiven{
			{Bucket: from[0], Share: 0.5, Then: []profile.DataShare{{Name: to[0], Share: 1}}},
			{Bucket: from[1], Share: 0.5, Then: []profile.DataShare{{Name: to[1], Share: 1}}},
		}}
	}
	with := func(d ...profile.DataDependence) *profile.Data {
		return &profile.Data{Tables: []profile.DataTable{{Name: "t", Rows: 100, Columns: categories, Depends: d}}}
	}
	x, y, z := [2]string{"=a", "=b"}, [2]string{"=c", "=d"}, [2]string{"=e", "=f"}
	a := with(follows("y", "x", x, y))
	for _, tt := range []struct {
		name string
		b    *profile.Data
		want float64
	}{
		{"the same", a, 1},
		{"the other way round", with(follows("x", "y", y, x)), 1},
		{"by another column", with(follows("z", "x", x, z), follows("y", "z", z, y)), 1},
		{"opposite", with(follows("y", "x", x, [2]string{"=d", "=c"})), 0},
		{"independent", with(), 0.5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := likeness.Profiles(a, tt.b)
			if i := item(t, r, likeness.ColumnPairTrends, "t.x × y"); math.Abs(i.Score-tt.want) > 1e-9 {
				t.Errorf("got %+v, want %v", i, tt.want)
			}
		})
	}
}

// Classes of rows have other names in other profiles; what counts is which columns
// they put together, within a table and across a reference.
func TestProfilesClasses(t *testing.T) {
	bucket := func(column, bucket string) profile.DataBucket {
		return profile.DataBucket{Column: column, Bucket: bucket}
	}
	column := func(name, v, w string) profile.DataColumn {
		return profile.DataColumn{Name: name, Type: "text", Distinct: 2, Values: values(v, 0.5, w, 0.5)}
	}
	// The class c1 is first, or with turned c2.
	classes := func(x, y [2]string, turned bool) *profile.DataClasses {
		out := &profile.DataClasses{Columns: []string{x[0], y[0]}, Usual: []profile.DataBucket{bucket(x[0], "="+x[1]), bucket(y[0], "="+y[1])},
			List: []profile.DataClass{{Share: 0.5}, {Share: 0.5, Is: []profile.DataBucket{bucket(x[0], "=b"), bucket(y[0], "=d")}}}}
		if turned {
			out.List[0], out.List[1] = out.List[1], out.List[0]
		}
		return out
	}
	follows := func(first, second string) []profile.DataGiven {
		return []profile.DataGiven{
			{Bucket: "c1", Share: 0.5, Then: []profile.DataShare{{Name: first, Share: 1}}},
			{Bucket: "c2", Share: 0.5, Then: []profile.DataShare{{Name: second, Share: 1}}},
		}
	}
	with := func(turned bool, affinity, then []profile.DataGiven) *profile.Data {
		return &profile.Data{Tables: []profile.DataTable{
			{Name: "child", Rows: 100, Columns: []profile.DataColumn{column("x", "a", "b"), column("y", "c", "d"), column("z", "e", "f")},
				Classes:    classes([2]string{"x", "a"}, [2]string{"y", "c"}, turned),
				Depends:    []profile.DataDependence{{Column: "z", On: "class", Given: then}},
				References: []profile.DataReference{{Columns: []string{"p_id"}, Table: "parent", To: []string{"id"}, Affinity: affinity}}},
			{Name: "parent", Rows: 10, Columns: []profile.DataColumn{column("x", "a", "b"), column("y", "c", "d")}, Classes: classes([2]string{"x", "a"}, [2]string{"y", "c"}, false)},
		}}
	}
	a := with(false, follows("c1", "c2"), follows("=e", "=f"))
	places := map[string]bool{}
	for _, name := range []string{likeness.ColumnPairTrends, likeness.IntertableTrends} {
		p, ok := likeness.Profiles(a, a).Property(name)
		if !ok || p.Score != 1 || p.Strong == nil {
			t.Fatalf("%s of a profile and itself: %+v", name, p)
		}
		for _, i := range p.Items {
			places[i.Place()] = true
		}
	}
	for _, want := range []string{"child.x × y", "child.x × z", "child.y × z", "parent.x × y", "child.p_id -> parent: parent.x × x", "child.p_id -> parent: parent.y × x"} {
		if !places[want] {
			t.Errorf("%s is not scored: %v", want, places)
		}
	}
	// The same under other names.
	if r := likeness.Profiles(a, with(true, follows("c2", "c1"), follows("=f", "=e"))); r.Score != 1 {
		t.Errorf("classes of other names: %+v", r.Lost)
	}
	// Children of the other class.
	r := likeness.Profiles(a, with(false, follows("c2", "c1"), follows("=e", "=f")))
	if score(t, r, likeness.ColumnPairTrends) != 1 || score(t, r, likeness.IntertableTrends) != 0 {
		t.Errorf("another affinity: %+v", r.Lost)
	}
	// Nothing of classes at all.
	bare := with(false, nil, nil)
	bare.Tables[0].Classes, bare.Tables[0].Depends, bare.Tables[1].Classes = nil, nil, nil
	if r := likeness.Profiles(a, bare); score(t, r, likeness.ColumnPairTrends) != 0.5 {
		t.Errorf("independent columns: %+v", r.Lost)
	}
}

func TestProfilesMissing(t *testing.T) {
	a := one(profile.DataColumn{Type: "boolean", Values: values("t", 1.0)})
	b := one(profile.DataColumn{Type: "boolean", Values: values("t", 1.0)})
	b.Tables[0].Columns[0].Name = "d"
	if r := likeness.Profiles(a, b); item(t, r, likeness.ColumnShapes, "t.c").Score != 0 {
		t.Error("a missing column is not lost")
	}
	if r := likeness.Profiles(a, &profile.Data{}); item(t, r, likeness.ColumnShapes, "t.*").Score != 0 {
		t.Error("a missing table is not lost")
	}
	a.Tables[0].Rows = 30
	if r := likeness.Profiles(a, a); len(r.Small) != 1 {
		t.Errorf("small: %v", r.Small)
	}
	a.Tables[0].Rows = 0
	if r := likeness.Profiles(a, a); r.Score != 0 || len(r.LeftOut) != 1 {
		t.Errorf("an empty table: %+v", r)
	}
}

func TestAgainst(t *testing.T) {
	p, err := measure.Profile(t.Context(), shop(), measure.Options{K: 5, Now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	against := func(m *memory) *likeness.Report {
		t.Helper()
		r, err := likeness.Against(t.Context(), p, m, likeness.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := against(shop()); r.Score != 1 || !r.Passed() || len(r.Properties) < 4 {
		t.Errorf("the original is unlike its own profile: %v, lost %+v, gates %+v", r.Score, r.Lost, r.Gates)
	}
	r := against(shop().shuffle("orders", "status"))
	if score(t, r, likeness.ColumnShapes) != 1 || score(t, r, likeness.ColumnPairTrends) > 0.95 {
		t.Errorf("a shuffled column: %+v", r.Properties)
	}
	r = against(shop().set("orders", "customer_id", func(i int, was string) string { return fmt.Sprint(i % 120) }))
	if got := score(t, r, likeness.Cardinality); got > 0.9 {
		t.Errorf("orders in even numbers: %v", got)
	}
	other := shop()
	other.schema.Tables[2].ForeignKeys = nil
	if r := against(other); r.Passed() {
		t.Errorf("a schema without the foreign key passes: %+v", r.Gates)
	}
}
