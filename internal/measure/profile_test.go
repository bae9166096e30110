package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/profile"
)

func TestShop(t *testing.T) {
	d := mustProfile(t, shop(1), Options{})
	orders, _ := d.Table("orders")
	users, _ := d.Table("users")

	status := columnOf(t, orders, "status")
	if diff := cmp.Diff([]profile.DataValue{{Value: "paid", Share: 0.6}, {Value: "open", Share: 0.3}, {Value: "void", Share: 0.1}}, status.Values, about(0.05)); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if got := columnOf(t, orders, "shipped").Null; math.Abs(got-0.4) > 0.05 {
		t.Errorf("share of shipped that is NULL: got %v, want about 0.4", got)
	}
	amount := columnOf(t, orders, "amount").Numbers
	if amount.Scale != 2 || amount.Step != 0.05 || len(amount.Quantiles) != numberQuantiles {
		t.Errorf("amount: got %+v, want 41 quantiles of scale 2 and step 0.05", amount)
	}
	if got := quantileAt(amount.Quantiles, 0.5); math.Abs(got-50) > 3 {
		t.Errorf("median of amounts: got %v, want about 50", got)
	}
	made := columnOf(t, orders, "made").Times
	if got := made.Quantiles[len(made.Quantiles)/2]; (got+50*24*time.Hour).Abs() > 72*time.Hour || made.Unit != "minute" {
		t.Errorf("made: median %v in units of a %s, want about -50 days, in minutes", got, made.Unit)
	}
	if got := columnOf(t, users, "email"); got.Values != nil || !strings.HasPrefix(got.Private, "personal: email") || got.Text.Formats[0].Name != "email" {
		t.Errorf("email: got %+v, want no values, a reason, and its format", got)
	}
	if got := columnOf(t, orders, "id"); !got.Unique || got.Distinct != 4000 {
		t.Errorf("orders.id: got %d distinct values, unique %v, want 4000 and true", got.Distinct, got.Unique)
	}

	ref := orders.References[0]
	if ref.Orphans != 0 || ref.Inferred {
		t.Errorf("got %+v, want a declared reference without orphans", ref)
	}
	mean := 0.0
	for _, c := range ref.Children {
		mean += c.Share * c.Mean
	}
	if math.Abs(mean-4) > 0.01 || ref.Children[0].From != 0 || math.Abs(ref.Children[0].Share-0.5) > 0.001 {
		t.Errorf("children: mean %v, first %+v, want 4, half without any", mean, ref.Children[0])
	}

	if c := orders.Classes; c == nil || !slices.Contains(c.Columns, "shipped") || !slices.Contains(c.Columns, "status") {
		t.Errorf("classes: got %+v, want shipped and status in them, which go together", c)
	}
	want := []string{"currency on user_id -> country"}
	var got []string
	for _, d := range orders.Depends {
		if d.Strength > 0.2 {
			got = append(got, d.Column+" on "+d.On)
		}
	}
	for _, w := range want {
		if !strings.Contains(strings.Join(got, "\n"), w) {
			t.Errorf("dependences: got %q, want %q among them", got, w)
		}
	}
	if diff := cmp.Diff([]profile.DataOrder{{Low: "made", High: "shipped", Holds: 1}}, orders.Orders, cmpopts.IgnoreFields(profile.DataOrder{}, "Gap")); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}
	found := false
	for _, d := range users.Depends {
		found = found || d.Column == "children(orders.user_id)" && d.On == "country"
	}
	if !found {
		t.Errorf("got %+v, want the number of orders to depend on the country", users.Depends)
	}
}

// What the sample leaves out is estimated, and a table that is read in part comes
// out about the same as one that is read whole.
func TestSample(t *testing.T) {
	whole := mustProfile(t, shop(1), Options{})
	part := mustProfile(t, shop(1), Options{Sample: 1000})
	a, _ := whole.Table("orders")
	b, _ := part.Table("orders")
	if b.Rows != 4000 {
		t.Errorf("got %d rows, want 4000", b.Rows)
	}
	if diff := cmp.Diff(columnOf(t, a, "status").Values, columnOf(t, b, "status").Values, about(0.05)); diff != "" {
		t.Errorf("status, whole and sampled:\n%s", diff)
	}
	if got := columnOf(t, b, "id"); !got.Unique || got.Distinct != 4000 {
		t.Errorf("id: got %+v, want 4000 distinct values", got)
	}
	if diff := cmp.Diff(a.References, b.References, about(0.02)); diff != "" {
		t.Errorf("references, whole and sampled:\n%s", diff)
	}
}

func TestSameAgain(t *testing.T) {
	for _, o := range []Options{{}, {Sample: 500, Parallel: 4}, {Epsilon: 1, Seed: 7}} {
		want := written(t, mustProfile(t, shop(1), o))
		for range 3 {
			if diff := cmp.Diff(want, written(t, mustProfile(t, shop(1), o))); diff != "" {
				t.Fatalf("%+v (-first +again):\n%s", o, diff)
			}
		}
	}
	if a, b := written(t, mustProfile(t, shop(1), Options{Epsilon: 1})), written(t, mustProfile(t, shop(1), Options{Epsilon: 1})); a == b {
		t.Error("the noise is the same twice without a seed, want other noise each time")
	}
}

func TestNoiseIsSmall(t *testing.T) {
	exact := mustProfile(t, shop(1), Options{})
	noisy := mustProfile(t, shop(1), Options{Epsilon: 5, Seed: 3})
	if noisy.Privacy.Epsilon != 5 {
		t.Errorf("got ε %v, want 5", noisy.Privacy.Epsilon)
	}
	a, _ := exact.Table("orders")
	b, _ := noisy.Table("orders")
	if diff := cmp.Diff(columnOf(t, a, "status").Values, columnOf(t, b, "status").Values, about(0.02)); diff != "" {
		t.Errorf("status without and with noise:\n%s", diff)
	}
	if cmp.Equal(columnOf(t, a, "status").Values, columnOf(t, b, "status").Values) {
		t.Error("the noise changes nothing")
	}
}

func TestInferredReferences(t *testing.T) {
	m := newMemory(
		table("users", "id int", "name text"),
		table("page", "page_id int", "title text"),
		table("Tickets", "id int", "Subject text"),
		table("events", "id int", "user_id int", "ev_page int", "pageid int", "TicketId int", "wrong_page_id int", "state int"),
		table("empty", "id int", "user_id int"),
	)
	for i := range 200 {
		m.insert("users", fmt.Sprint(i+1000), "x")
		m.insert("page", fmt.Sprint(i+2000), "x")
		m.insert("Tickets", fmt.Sprint(i+3000), "x")
	}
	for i := range 400 {
		page := fmt.Sprint(i%200 + 2000)
		m.insert("events", fmt.Sprint(i), fmt.Sprint(i%205+1000), page, page, fmt.Sprint(i%200+3000), fmt.Sprint(i), "3")
	}
	d := mustProfile(t, m.analyze(), Options{})
	var got []string
	for _, table := range d.Tables {
		for _, r := range table.References {
			got = append(got, fmt.Sprintf("%s.%s -> %s.%s inferred=%v orphans=%v", table.Name, r.Columns[0], r.Table, r.To[0], r.Inferred, r.Orphans))
		}
	}
	want := []string{
		"empty.user_id -> users.id inferred=true orphans=0",
		"events.user_id -> users.id inferred=true orphans=0.0125",
		"events.ev_page -> page.page_id inferred=true orphans=0",
		"events.pageid -> page.page_id inferred=true orphans=0",
		"events.TicketId -> Tickets.id inferred=true orphans=0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPlan(t *testing.T) {
	m := shop(1)
	m.info.Denied = []string{"users"}
	delete(m.statistics, "orders")
	r, err := Plan(context.Background(), m, Options{Sample: 100})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Tables) != 1 || r.Tables[0].Table != "orders" || r.Tables[0].Sampled != 300 || !strings.HasPrefix(r.Tables[0].SQL, "SELECT id, user_id") {
		t.Errorf("got %+v, want orders alone, 300 rows of it", r.Tables)
	}
	want := []string{
		`The role "reader" may not read users: left out.`,
		"There are no statistics of orders: the first rows are read, and not rows from all over the table. Run ANALYZE for a better sample.",
	}
	if diff := cmp.Diff(want, r.Notes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRolesThatMayWriteAreRefused(t *testing.T) {
	m := shop(1)
	m.info.CanWrite = []string{"orders"}
	m.info.ReadOnlyGrants = []string{"GRANT SELECT ON orders TO r;"}
	_, err := Profile(context.Background(), m, Options{})
	var e *rehearse.Error
	if !errors.As(err, &e) || e.Kind != rehearse.Invalid || !strings.Contains(e.Hint, "GRANT SELECT ON orders TO r;") {
		t.Errorf("got %#v, want an invalid command with the grants as its hint", err)
	}
	if _, err := Profile(context.Background(), m, Options{AllowWrite: true}); err != nil {
		t.Errorf("allowed: %v", err)
	}
}

func TestFailureNamesTheTable(t *testing.T) {
	m := shop(1)
	m.fail = "orders"
	_, err := Profile(context.Background(), m, Options{})
	if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), `"orders"`) {
		t.Errorf("got %v, want the lost connection, and the table", err)
	}
}

func TestProgress(t *testing.T) {
	var got []int
	mustProfile(t, shop(1), Options{Parallel: 4, Progress: func(p Progress) { got = append(got, p.Done) }})
	if diff := cmp.Diff([]int{1, 2}, got); diff != "" {
		t.Error(diff)
	}
}

// shop is a little shop: orders that depend on their users.
func shop(seed uint64) *memory {
	users := table("users", "id int", "email text", "country text")
	orders := refers(table("orders", "id int", "user_id int", "status text", "amount num", "currency text", "made ts", "shipped ts"), "user_id", "users", "id")
	m := newMemory(users, orders)
	r := rand.New(rand.NewPCG(seed, 2))
	for i := range 1000 {
		country := []string{"DE", "FR", "US"}[i%3]
		m.insert("users", fmt.Sprint(i), fmt.Sprintf("user%d@mail.example", i), country)
	}
	for i := range 4000 {
		// Every second user has orders, and those in DE have three times as many.
		user := 2 * r.IntN(500)
		for user%3 != 0 && r.IntN(3) > 0 {
			user = 2 * r.IntN(500)
		}
		currency := "EUR"
		if user%3 == 2 {
			currency = "USD"
		}
		status := []string{"paid", "paid", "paid", "paid", "paid", "paid", "open", "open", "open", "void"}[r.IntN(10)]
		made := testNow.Add(-time.Duration(r.IntN(100*24*60)) * time.Minute).Truncate(time.Minute)
		shipped := null
		if status == "paid" {
			shipped = made.Add(time.Duration(r.IntN(5*24)) * time.Hour).Format("2006-01-02 15:04:05+00")
		}
		m.insert("orders", fmt.Sprint(i), fmt.Sprint(user), status, fmt.Sprintf("%.2f", float64(r.IntN(2000))*0.05), currency, made.Format("2006-01-02 15:04:05+00"), shipped)
	}
	// Exactly half of the users have orders.
	for i := range 500 {
		m.rows["orders"][i][1] = fmt.Sprint(2 * i)
		m.rows["orders"][i][4] = map[bool]string{true: "USD", false: "EUR"}[2*i%3 == 2]
	}
	return m.analyze()
}

func mustProfile(t *testing.T, m *memory, o Options) *profile.Data {
	t.Helper()
	d, err := Profile(context.Background(), m, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func written(t *testing.T, d *profile.Data) string {
	t.Helper()
	var b bytes.Buffer
	if err := d.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func columnOf(t *testing.T, table *profile.DataTable, name string) *profile.DataColumn {
	t.Helper()
	c, ok := table.Column(name)
	if !ok {
		t.Fatalf("no column %q", name)
	}
	return c
}

func about(margin float64) cmp.Option { return cmpopts.EquateApprox(0, margin) }
