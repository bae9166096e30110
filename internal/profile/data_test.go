package profile

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rehearse-dev/rehearse"
)

func TestDataIsWrittenForReaders(t *testing.T) {
	d := &Data{
		Description: "the shop",
		Source: DataSource{Engine: "postgres", Version: "15.18", Taken: time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC),
			Sample: 30000, Encoding: "UTF8", TimeZone: "UTC"},
		Privacy: DataPrivacy{K: 20, Listed: 2},
		Tables: []DataTable{{
			Name: "orders", Rows: 1000, Indexes: []DataIndex{{"orders_pkey", 30}}, Churn: DataChurn{Inserts: 12.34567},
			Columns: []DataColumn{
				{Name: "status", Type: "text", Null: 0.01, Values: []DataValue{{"paid", 0.6213451}, {"null", 0.3}, {"", 0.01}}},
				{Name: "made", Type: "date", Times: &DataTimes{Quantiles: []time.Duration{-90*24*time.Hour - 4*time.Hour, 1500 * time.Millisecond}, Unit: "day"}},
				{Name: "extra", Type: "jsonb", JSON: &DataJSON{Kinds: []DataShare{{"object", 1}},
					Keys: []DataJSONKey{{Name: "a", Share: 0.5, Value: DataJSON{Kinds: []DataShare{{"number", 1}}, Numbers: &DataNumbers{Quantiles: []float64{1, 2.5}}}}}}},
			},
			References: []DataReference{{Columns: []string{"user_id"}, Table: "users", To: []string{"id"}, Inferred: true,
				Children: []DataCount{{0, 0, 0.5, 0}, {11, 13, 0.25, 11.5}}}},
			Depends: []DataDependence{{Column: "status", On: "user_id -> country", Strength: 0.5,
				Given: []DataGiven{{Bucket: "=DE", Share: 0.4, Then: []DataShare{{"=paid", 1}}}}}},
			Orders: []DataOrder{{Low: "made", High: "paid", Holds: 0.99, Gap: []float64{0, 86400}}},
			Keys:   []DataKey{{Columns: []string{"status"}, Duplicates: 0.001}},
		}},
		Statements: []DataStatement{{SQL: "SELECT $1\nFROM a", Calls: 3}},
	}
	var b bytes.Buffer
	if err := d.Write(&b); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "shop.data.yaml")
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever is in a profile, what is read from its file is written as the same
// file again, and nothing of it is lost.
func TestDataComesBack(t *testing.T) {
	for seed := range uint64(300) {
		d := randomData(rand.New(rand.NewPCG(seed, 1)))
		var once, twice bytes.Buffer
		if err := d.Write(&once); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		read, err := ParseData("p.data.yaml", once.Bytes())
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, once.Bytes())
		}
		if err := read.Write(&twice); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := cmp.Diff(once.String(), twice.String()); diff != "" {
			t.Fatalf("seed %d (-once +twice):\n%s", seed, diff)
		}
		again, err := ParseData("p.data.yaml", twice.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(read, again); diff != "" {
			t.Fatalf("seed %d (-read +again):\n%s", seed, diff)
		}
		if diff := cmp.Diff(d, read, approximately); diff != "" {
			t.Fatalf("seed %d (-written +read):\n%s", seed, diff)
		}
	}
}

// approximately allows for shares being written with four digits.
var approximately = cmp.Comparer(func(a, b float64) bool {
	return math.Abs(a-b) <= 1e-3*math.Max(math.Abs(a), math.Abs(b))
})

// The example of the documentation is one, and is written as it stands there, but
// for quotes.
func TestDocumentedData(t *testing.T) {
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(source), "# The data profile")
	if !found {
		t.Fatal("doc.go has no part on the data profile")
	}
	var example strings.Builder
	for line := range strings.Lines(text) {
		if text, ok := strings.CutPrefix(line, "//\t"); ok {
			example.WriteString(text)
		}
	}
	d, err := ParseData("doc.go", []byte(example.String()))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := d.Write(&b); err != nil {
		t.Fatal(err)
	}
	bare := strings.NewReplacer("'", "", "\"", "")
	want, got := bare.Replace(example.String()), bare.Replace(strings.TrimPrefix(b.String(), dataHeader))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-documented +written):\n%s", diff)
	}
}

func TestDataProblemsAreFoundTogether(t *testing.T) {
	_, err := ParseData("p.data.yaml", []byte(`version: 1
source: {engine: postgrs}
privacy: {k: -1}
tables:
  orders:
    rowz: 3
    columns:
      a: {null: 2, numbers: {quantiles: [3, 1]}}
      b: {times: {quantiles: [soon]}}
    references:
      - {columns: [a], table: users, to: [id, x], children: {5-3: [1, 2]}}
    orders: [{low: a}]
`))
	var problems rehearse.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got %v", err)
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.Error()+" | "+p.Hint)
	}
	want := []string{
		`p.data.yaml:2: engine must be postgres or mysql, not "postgrs" | Did you mean postgres?`,
		`p.data.yaml:3: k must not be negative, as -1 is | `,
		`p.data.yaml:6: unknown key "rowz" in a table | Did you mean "rows"?`,
		`p.data.yaml:8: null must be a share from 0 to 1, not 2 | `,
		`p.data.yaml:8: quantiles must not go down | `,
		`p.data.yaml:9: a quantile must be a duration, not "soon" | Write it as in -90d4h or 12.5s.`,
		`p.data.yaml:11: a number of children must be a number or two, not "5-3" | Write it as in "3: 0.1" or "4-6: [0.1, 4.8]".`,
		`p.data.yaml:11: a reference must have as many columns as it leads to, not 1 and 2 | `,
		`p.data.yaml:12: an order has no high | `,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                              "0s",
		-90*24*time.Hour - 4*time.Hour: "-90d4h",
		1500 * time.Millisecond:        "1.5s",
		time.Hour + time.Nanosecond:    "1h0.000000001s",
		math.MaxInt64 - 1e9:            "106751d23h47m15.854775807s",
	} {
		if got := formatSpan(d); got != want {
			t.Errorf("%d: got %q, want %q", d, got, want)
		}
	}
	for _, bad := range []string{"", "-", "3", "1h2d", "d", "1.5h", "200000d"} {
		if d, ok := parseSpan(bad); ok {
			t.Errorf("%q: got %v, want an error", bad, d)
		}
	}
}

func FuzzParseData(f *testing.F) {
	b, err := os.ReadFile(filepath.Join("testdata", "shop.data.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("version: 1\ntables: {a: {columns: {b: {json: {items: {items: {}}}}}}}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseData("p.data.yaml", b)
		if err != nil {
			return
		}
		var once bytes.Buffer
		if err := d.Write(&once); err != nil {
			t.Fatal(err)
		}
		if _, err := ParseData("p.data.yaml", once.Bytes()); err != nil {
			t.Fatalf("%v\n%s", err, once.Bytes())
		}
	})
}

// dice make random parts of a profile.
type dice struct{ *rand.Rand }

func randomData(r *rand.Rand) *Data {
	g := dice{r}
	d := &Data{
		Description: g.text(),
		Source: DataSource{Engine: "postgres", Version: g.text(), Schema: g.text(), Taken: time.Unix(r.Int64N(4e9), 0).UTC(),
			Sample: r.Int64N(9), Encoding: g.text(), Collation: g.text(), TimeZone: g.text()},
		Privacy: DataPrivacy{K: r.IntN(50), Epsilon: r.Float64(), Listed: r.IntN(9), Withheld: r.IntN(9)},
	}
	for i := range r.IntN(3) {
		t := DataTable{Name: g.name(i), Rows: r.Int64(), Pages: r.Int64N(3), Churn: DataChurn{Inserts: r.Float64() * 1e6, Growth: -r.Float64()}}
		for j := range r.IntN(3) {
			t.Indexes = append(t.Indexes, DataIndex{g.name(j), r.Int64N(99)})
			t.Columns = append(t.Columns, g.column(g.name(j), 2))
			t.Depends = append(t.Depends, DataDependence{Column: g.name(0), On: g.name(1), Strength: r.Float64(),
				Given: []DataGiven{{Bucket: g.name(2), Share: r.Float64(), Then: g.shares()}}})
			t.Orders = append(t.Orders, DataOrder{Low: g.name(0), High: g.name(1), Holds: r.Float64(), Gap: g.numbers()})
			t.Keys = append(t.Keys, DataKey{Columns: []string{g.name(0)}, Duplicates: r.Float64()})
			ref := DataReference{Columns: []string{g.name(j)}, Table: g.name(1), To: []string{g.name(2)}, Inferred: r.IntN(2) == 0, Orphans: r.Float64()}
			for k := range r.Int64N(4) {
				ref.Children = append(ref.Children, DataCount{k, k, r.Float64(), float64(k)}, DataCount{10 * (k + 1), 10*k + 15, r.Float64(), r.Float64() * 9})
			}
			if r.IntN(2) == 0 {
				ref.Affinity = []DataGiven{{Bucket: "c1", Share: r.Float64(), Then: g.shares()}}
			}
			t.References = append(t.References, ref)
		}
		if r.IntN(2) == 0 {
			t.Classes = &DataClasses{Columns: []string{g.name(0), g.name(1)}, Usual: []DataBucket{{g.name(0), g.name(2)}}}
			for range 1 + r.IntN(3) {
				t.Classes.List = append(t.Classes.List, DataClass{Share: r.Float64(), Is: []DataBucket{{g.name(1), g.name(2)}}, Open: []string{g.name(0)}})
			}
		}
		d.Tables = append(d.Tables, t)
	}
	for range r.IntN(3) {
		d.Statements = append(d.Statements, DataStatement{g.text(), r.Float64() * 1e4})
	}
	return d
}

func (g dice) column(name string, depth int) DataColumn {
	c := DataColumn{Name: name, Type: g.text(), Null: g.Float64(), Distinct: g.Int64N(99), Unique: g.IntN(2) == 0, Private: g.text(), Meaning: g.text(),
		Values: g.values(), Artifacts: g.shares(), Correlation: g.Float64()*2 - 1, Width: g.IntN(9), Sequence: -g.Int64N(9)}
	switch g.IntN(6) {
	case 0:
		c.Numbers = g.distribution()
	case 1:
		c.Times = &DataTimes{Unit: "day"}
		for range g.IntN(5) {
			c.Times.Quantiles = append(c.Times.Quantiles, time.Duration(g.Int64N(4e18)-2e18))
		}
		slices.Sort(c.Times.Quantiles)
		if g.IntN(2) == 0 {
			for range 168 {
				c.Times.Week = append(c.Times.Week, g.Float64())
			}
		}
	case 2:
		c.Text = g.shape()
	case 3:
		j := g.json(3)
		c.JSON = &j
	case 4:
		if depth > 0 {
			c.Array = &DataArray{Length: g.wholes(), Item: g.column("", depth-1)}
		}
	}
	return c
}

func (g dice) json(depth int) DataJSON {
	j := DataJSON{Kinds: g.shares(), Open: g.IntN(2) == 0, Length: g.wholes(), Values: g.values()}
	if depth == 0 {
		j.Numbers, j.Text = g.distribution(), g.shape()
		return j
	}
	for i := range g.IntN(3) {
		j.Keys = append(j.Keys, DataJSONKey{Name: g.name(i), Share: g.Float64(), Value: g.json(depth - 1)})
	}
	if g.IntN(2) == 0 {
		items := g.json(depth - 1)
		j.Items = &items
	}
	return j
}

func (g dice) shape() *DataText {
	return &DataText{Length: g.wholes(), Formats: g.shares(), Shapes: g.values(), Scripts: g.shares(), Words: g.wholes()}
}

func (g dice) distribution() *DataNumbers {
	return &DataNumbers{Quantiles: g.numbers(), Scale: g.IntN(3), Step: float64(g.IntN(3))}
}

func (g dice) numbers() []float64 {
	var out []float64
	for range g.IntN(5) {
		out = append(out, (g.Float64()-0.5)*math.Pow(10, float64(g.IntN(40)-15)))
	}
	slices.Sort(out)
	return out
}

func (g dice) wholes() []int {
	var out []int
	for range g.IntN(5) {
		out = append(out, g.IntN(1000))
	}
	slices.Sort(out)
	return out
}

func (g dice) shares() []DataShare {
	var out []DataShare
	for i := range g.IntN(4) {
		out = append(out, DataShare{g.name(i), math.Pow(g.Float64(), 8)})
	}
	return out
}

func (g dice) values() []DataValue {
	var out []DataValue
	for i := range g.IntN(4) {
		out = append(out, DataValue{g.name(i), g.Float64()})
	}
	return out
}

// name is a text that differs from those of other numbers.
func (g dice) name(i int) string { return g.text() + strconv.Itoa(i) }

// text is empty, awkward, or both.
func (g dice) text() string {
	awkward := []string{"", "null", "true", "=", "=x", "~", "1", "0x1", "1e3", "2026-01-01", "- a", "a: b", "#c", "{", "]", "'", "\"", "\\", "a\nb",
		"\t", " ", "\u00a0", "\u200b", "\ufeff", "\u0085", "é", "漢字", "😀", "*a", "&b", "!c", "%d", "@e", "`", "? f", "<<", "\x01", "NO", "_", ".5", strings.Repeat("long ", 40)}
	var b strings.Builder
	for range g.IntN(3) {
		b.WriteString(awkward[g.IntN(len(awkward))])
	}
	return b.String()
}
