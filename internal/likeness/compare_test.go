package likeness_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/likeness"
	"github.com/rehearse-dev/rehearse/internal/profile"
	"github.com/rehearse-dev/rehearse/internal/schema"
)

// shop is customers with orders, whose amount and time go with their status.
func shop() *memory {
	integer := schema.Type{SQL: "integer", Kind: schema.Int, Size: 4}
	text := schema.Type{SQL: "text", Kind: schema.Text}
	primary := schema.Key{Name: "pk", Primary: true, Parts: []schema.KeyPart{{Column: "id"}}, Constraint: true}
	s := &schema.Schema{Engine: schema.Postgres, Tables: []*schema.Table{
		{Name: "customers", Keys: []schema.Key{primary}, Columns: []schema.Column{
			{Name: "id", Type: integer, NotNull: true}, {Name: "country", Type: text}, {Name: "name", Type: text}, {Name: "active", Type: schema.Type{Kind: schema.Bool}},
		}},
		{Name: "empty", Columns: []schema.Column{{Name: "a", Type: integer}}},
		{Name: "orders", Keys: []schema.Key{primary}, Columns: []schema.Column{
			{Name: "id", Type: integer, NotNull: true}, {Name: "customer_id", Type: integer}, {Name: "status", Type: text, NotNull: true},
			{Name: "amount", Type: schema.Type{Kind: schema.Decimal}}, {Name: "placed", Type: schema.Type{Kind: schema.Timestamp}},
			{Name: "tax", Type: schema.Type{Kind: schema.Float}},
		}, ForeignKeys: []schema.ForeignKey{{Name: "orders_customer", Columns: []string{"customer_id"}, Table: "customers", To: []string{"id"}}}},
	}}
	m := &memory{schema: s, rows: map[string][][]string{"empty": nil}}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 120 {
		country := []string{"DE", "FR", "NL"}[i%3]
		m.rows["customers"] = append(m.rows["customers"], []string{fmt.Sprint(i), country, fmt.Sprintf("Name %d %d", i, r.IntN(1e6)), []string{"t", "f"}[i/7%2]})
	}
	for i := range 400 {
		customer := r.IntN(100)
		status := []string{"paid", "open", "gone"}[customer%3]
		amount := float64(customer%3)*100 + float64(r.IntN(50))
		placed := fmt.Sprintf("2026-%02d-%02d 10:00:00", 1+customer%3*4, 1+r.IntN(28))
		owner := fmt.Sprint(customer)
		if i%20 == 0 {
			owner = "NULL"
		}
		m.rows["orders"] = append(m.rows["orders"], []string{fmt.Sprint(i), owner, status, fmt.Sprintf("%.2f", amount), placed, fmt.Sprint(amount / 10)})
	}
	return m
}

// set changes one column of a table, row by row.
func (m *memory) set(table, column string, to func(i int, was string) string) *memory {
	t, _ := m.schema.Table(table)
	_, at := t.Column(column)
	for i, row := range m.rows[table] {
		row[at] = to(i, row[at])
	}
	return m
}

// shuffle takes one column's values into another order.
func (m *memory) shuffle(table, column string) *memory {
	t, _ := m.schema.Table(table)
	_, at := t.Column(column)
	r := rand.New(rand.NewPCG(3, 4))
	rows := m.rows[table]
	r.Shuffle(len(rows), func(i, j int) { rows[i][at], rows[j][at] = rows[j][at], rows[i][at] })
	return m
}

func compare(t *testing.T, a, b *memory, o likeness.Options) *likeness.Report {
	t.Helper()
	r, err := likeness.Compare(t.Context(), a, b, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func score(t *testing.T, r *likeness.Report, property string) float64 {
	t.Helper()
	p, ok := r.Property(property)
	if !ok {
		t.Fatalf("the report has no %s", property)
	}
	return p.Score
}

func item(t *testing.T, r *likeness.Report, property, place string) likeness.Item {
	t.Helper()
	p, _ := r.Property(property)
	for _, i := range p.Items {
		if i.Place() == place {
			return i
		}
	}
	t.Fatalf("%s does not score %s", property, place)
	return likeness.Item{}
}

func TestCompareIdentical(t *testing.T) {
	r := compare(t, shop(), shop().shuffleRows(), likeness.Options{})
	if r.Score != 1 || len(r.Lost) > 0 || !r.Passed() {
		t.Errorf("score %v, lost %v, gates %v", r.Score, r.Lost, r.Gates)
	}
	var names []string
	for _, p := range r.Properties {
		names = append(names, p.Name)
		if p.Score != 1 {
			t.Errorf("%s: %v, want exactly 1", p.Name, p.Score)
		}
		for _, i := range p.Items {
			if i.What != "" && i.Score == 1 && i.Metric == "KSComplement" {
				t.Errorf("%s: there is something to say of it: %s", i.Place(), i.What)
			}
		}
	}
	want := []string{"Column Shapes", "Column Pair Trends", "Cardinality", "Intertable Trends", "Text Shapes", "Missing Values", "Data Validity", "Referential Integrity"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	p, _ := r.Property(likeness.ColumnShapes)
	var places []string
	for _, i := range p.Items {
		places = append(places, i.Place()+" "+i.Metric)
	}
	// Keys, references and the free text are not scored.
	if diff := cmp.Diff([]string{"customers.country TVComplement", "customers.active TVComplement",
		"orders.status TVComplement", "orders.amount KSComplement", "orders.placed KSComplement", "orders.tax KSComplement"}, places); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]likeness.LeftOut{{Place: "empty", Why: "the table is empty in the original"}}, r.LeftOut); diff != "" {
		t.Error(diff)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

// shuffleRows changes the order of rows, which means nothing.
func (m *memory) shuffleRows() *memory {
	r := rand.New(rand.NewPCG(5, 6))
	for _, name := range []string{"customers", "orders"} {
		rows := m.rows[name]
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	}
	return m
}

func TestCompareShuffledColumn(t *testing.T) {
	r := compare(t, shop(), shop().shuffle("orders", "amount"), likeness.Options{})
	if got := score(t, r, likeness.ColumnShapes); got != 1 {
		t.Errorf("shapes: %v, want 1: no value has changed", got)
	}
	// Correlation 1 of amount and tax is gone: about ½.
	if i := item(t, r, likeness.ColumnPairTrends, "orders.amount × tax"); i.Score < 0.4 || i.Score > 0.6 || !i.Strong {
		t.Errorf("amount and tax: %+v", i)
	}
	if i := item(t, r, likeness.ColumnPairTrends, "orders.status × amount"); i.Score > 0.6 || !i.Strong || !strings.Contains(i.What, "amount in bin") {
		t.Errorf("status and amount: %+v", i)
	}
	if i := item(t, r, likeness.ColumnPairTrends, "orders.status × tax"); i.Score != 1 {
		t.Errorf("status and tax were left alone: %+v", i)
	}
	p, _ := r.Property(likeness.ColumnPairTrends)
	if p.Strong == nil || *p.Strong >= 1 {
		t.Errorf("the strong pairs' mean is %v", p.Strong)
	}
	if r.Lost[0].Property == likeness.ColumnShapes || r.Score >= 1 {
		t.Errorf("lost: %+v", r.Lost)
	}
}

func TestCompareReferences(t *testing.T) {
	// Every order belongs to somebody else, as a generator does that draws parents evenly.
	b := shop().set("orders", "customer_id", func(i int, was string) string { return fmt.Sprint(i % 120) })
	r := compare(t, shop(), b, likeness.Options{})
	if i := item(t, r, likeness.Cardinality, "orders.customer_id -> customers"); i.Score > 0.9 || !strings.Contains(i.What, "without any") {
		t.Errorf("cardinality: %+v", i)
	}
	if got := score(t, r, likeness.ColumnPairTrends); got != 1 {
		t.Errorf("pairs within the table: %v", got)
	}
	if i := item(t, r, likeness.MissingValues, "orders.customer_id"); i.Score != 0.95 || i.What != "NULL 0.05 → 0.00" {
		t.Errorf("missing values: %+v", i)
	}
	if !r.Passed() {
		t.Errorf("gates: %+v", r.Gates)
	}

	b.set("orders", "customer_id", func(i int, was string) string {
		if i < 4 {
			return "1000"
		}
		return was
	})
	r = compare(t, shop(), b, likeness.Options{})
	want := likeness.Gate{Name: "referential integrity", Score: 0.99, Broken: []string{"orders.customer_id -> customers: 4 of 400 lead nowhere"}}
	if diff := cmp.Diff(want, r.Gates[1]); diff != "" || r.Passed() {
		t.Error(diff)
	}
}

func TestCompareSaysWhatIsLost(t *testing.T) {
	b := shop().set("orders", "status", func(i int, was string) string {
		if was == "gone" && i%2 == 0 {
			return "lost"
		}
		return was
	})
	r := compare(t, shop(), b, likeness.Options{Worst: 1})
	if len(r.Lost) != 1 || r.Lost[0].Place != "orders.status" || !strings.Contains(r.Lost[0].What, "lost 0.00 → ") {
		t.Errorf("lost: %+v", r.Lost)
	}
	if i := item(t, r, likeness.DataValidity, "orders.status"); i.Score >= 1 {
		t.Errorf("a status that production has not is a category: %+v", i)
	}
}

func TestCompareArtifacts(t *testing.T) {
	odd := func(values ...string) *memory {
		return shop().set("orders", "status", func(i int, was string) string {
			if i < len(values) {
				return values[i]
			}
			return was
		})
	}
	r := compare(t, odd("", " paid"), odd(" open"), likeness.Options{})
	if i := item(t, r, likeness.ArtifactCoverage, "orders.status"); i.Score != 0.5 || i.What != "not there: empty" {
		t.Errorf("got %+v", i)
	}
}

// What fewer than k rows hold is in no report.
func TestCompareNamesNothingRare(t *testing.T) {
	a := shop().set("orders", "status", func(i int, was string) string {
		if i < 15 {
			return "canary"
		}
		return was
	}).set("orders", "amount", func(i int, was string) string {
		if i == 7 {
			return "987654321"
		}
		return was
	})
	r := compare(t, a, shop().shuffle("orders", "status"), likeness.Options{Worst: 1000})
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, canary := range []string{"canary", "9876543", "9.87654e"} {
		if strings.Contains(string(b), canary) {
			t.Errorf("the report holds %q", canary)
		}
	}
	if !strings.Contains(string(b), "rare values") {
		t.Error("the rare value is not even mentioned")
	}
}

func TestCompareBrokenSides(t *testing.T) {
	a := shop()
	b := shop()
	b.rows["orders"] = nil
	r := compare(t, a, b, likeness.Options{})
	if i := item(t, r, likeness.ColumnShapes, "orders.status"); i.Score != 0 || i.What != "the table is empty" {
		t.Errorf("an empty table: %+v", i)
	}

	b = shop()
	less := *b.schema
	less.Tables = slices.Clone(less.Tables)
	orders := *less.Tables[2]
	orders.ForeignKeys, orders.Columns = nil, orders.Columns[:5]
	less.Tables[2] = &orders
	b.schema = &less
	r = compare(t, a, b, likeness.Options{})
	if i := item(t, r, likeness.ColumnShapes, "orders.tax"); i.Score != 0 {
		t.Errorf("a column that is not there: %+v", i)
	}
	if diff := cmp.Diff([]string{"orders: the foreign key orders_customer is not there, or not proven"}, r.Gates[0].Broken); diff != "" {
		t.Error(diff)
	}
	less.Tables = less.Tables[:2]
	if r = compare(t, a, b, likeness.Options{}); r.Score >= 1 || r.Passed() {
		t.Errorf("a table that is not there: %v", r.Score)
	}
	if r = compare(t, &memory{schema: a.schema}, &memory{schema: a.schema}, likeness.Options{}); r.Score != 0 || len(r.LeftOut) != 3 {
		t.Errorf("nothing to compare: %+v", r)
	}
}

func TestCompareBounds(t *testing.T) {
	var tables []string
	r := compare(t, shop(), shop(), likeness.Options{PairsPerReference: 3, Rows: 60, Progress: func(table string, done, of int) {
		tables = append(tables, fmt.Sprintf("%s %d/%d", table, done, of))
	}})
	p, _ := r.Property(likeness.IntertableTrends)
	var places []string
	for _, i := range p.Items {
		places = append(places, i.Column+" "+i.Other)
	}
	if diff := cmp.Diff([]string{"customers.country status", "customers.country placed", "customers.active amount"}, places); diff != "" {
		t.Error(diff)
	}
	want := []string{
		"Of customers a sample of up to 60 rows of each side was read.", "Of orders a sample of up to 60 rows of each side was read.",
		"Of 8 pairs of columns across orders.customer_id -> customers 3 were scored.",
	}
	if diff := cmp.Diff(want, r.Notes); diff != "" {
		t.Error(diff)
	}
	if len(tables) != 6 || tables[5] != "orders 6/6" {
		t.Errorf("progress: %v", tables)
	}
	if r.Tables[1].Real != 400 {
		t.Errorf("rows: %+v", r.Tables[1])
	}
}

func TestCompareWithProfile(t *testing.T) {
	a := shop()
	a.schema.Tables[2].ForeignKeys = nil
	p := &profile.Data{Privacy: profile.DataPrivacy{K: 80}, Tables: []profile.DataTable{
		{Name: "customers", Rows: 120, Columns: []profile.DataColumn{{Name: "country", Private: "personal: country"}}},
		{Name: "orders", Rows: 400, References: []profile.DataReference{{Columns: []string{"customer_id"}, Table: "customers", To: []string{"id"}, Inferred: true}}},
	}}
	r := compare(t, a, a, likeness.Options{Profile: p})
	shapes, _ := r.Property(likeness.ColumnShapes)
	if slices.ContainsFunc(shapes.Items, func(i likeness.Item) bool { return i.Column == "country" }) {
		t.Error("a private column is scored by its values")
	}
	item(t, r, likeness.TextShapes, "customers.country")
	item(t, r, likeness.Cardinality, "orders.customer_id -> customers")
	if diff := cmp.Diff([]string{"customers"}, r.Small); diff != "" {
		t.Error(diff)
	}
}
