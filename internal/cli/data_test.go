package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/llm"
	"github.com/rehearse-dev/rehearse/internal/recipe"
	"github.com/rehearse-dev/rehearse/internal/schema"
	"github.com/rehearse-dev/rehearse/internal/stand"
	"github.com/rehearse-dev/rehearse/internal/testdb"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// withServers runs tests, and ends the servers that they started.
type withServers struct{ *testing.M }

func (m withServers) Run() int { return testdocker.Main(withDatabases(m)) }

type withDatabases struct{ *testing.M }

func (m withDatabases) Run() int { return testdb.Main(m.M) }

// databases gives the command "database NAME [FILE...]": it makes an empty
// database of a real PostgreSQL, sets the variable NAME to its superuser's URL and
// NAME_READER to that of a role that may only read, and runs the files in it. The
// database goes with the test.
func databases(t *testing.T) func(*testscript.TestScript, bool, []string) {
	var reader sync.Once // a role is of all databases of the server
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) == 0 {
			ts.Fatalf("usage: database NAME [FILE...]")
		}
		url := testdb.Postgres(t)
		ts.Setenv(args[0], url)
		ts.Setenv(args[0]+"_READER", strings.Replace(url, "postgres@", "rehearse_script_reader@", 1))
		reader.Do(func() { runSQL(ts, url, "CREATE ROLE rehearse_script_reader LOGIN IN ROLE pg_read_all_data") })
		for _, file := range args[1:] {
			runSQL(ts, url, ts.ReadFile(file))
		}
	}
}

// sql URL STATEMENTS runs statements in a database. What the last one returns is
// there for stdout, a row a line.
func sql(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sql URL STATEMENTS")
	}
	for _, row := range runSQL(ts, args[0], args[1]) {
		fmt.Fprintln(ts.Stdout(), row)
	}
}

// runSQL gives the rows of the last statement.
func runSQL(ts *testscript.TestScript, url, statements string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	ts.Check(err)
	defer conn.Close(ctx)
	results, err := conn.PgConn().Exec(ctx, statements).ReadAll()
	ts.Check(err)
	var out []string
	if len(results) > 0 {
		for _, row := range results[len(results)-1].Rows {
			cells := make([]string, len(row))
			for i, c := range row {
				cells[i] = string(c)
			}
			out = append(out, strings.Join(cells, "\t"))
		}
	}
	return out
}

func TestFindProfile(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := writeFile("profiles/shop.data.yaml", nothing); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ arg, want, hint string }{
		{arg: "shop", want: "profiles/shop.data.yaml"},
		{arg: "other/shop.yaml", want: "other/shop.yaml"},
		{arg: "shpo", hint: "Did you mean shop?"},
		{arg: "warehouse", hint: "There are: shop."},
	} {
		got, err := findProfile(c.arg)
		if got != c.want {
			t.Errorf("findProfile(%q) = %q, want %q", c.arg, got, c.want)
		}
		if h := strings.Join(rehearse.Hints(err), ""); h != c.hint {
			t.Errorf("findProfile(%q): hint %q, want %q", c.arg, h, c.hint)
		}
	}
}

func TestPlanFileOf(t *testing.T) {
	for profile, want := range map[string]string{
		"profiles/shop.data.yaml": "profiles/shop.plan.yaml",
		"shop.yaml":               "shop.plan.yaml",
		"a.b/shop":                "a.b/shop.plan.yaml",
	} {
		if got := planFileOf(profile); got != want {
			t.Errorf("planFileOf(%q) = %q, want %q", profile, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestNowOf(t *testing.T) {
	for s, want := range map[string]time.Time{
		"":                     {},
		"2026-03-01":           time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		"2026-03-01T12:00:00Z": time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	} {
		if got, err := nowOf(s); err != nil || !got.Equal(want) {
			t.Errorf("nowOf(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
	if _, err := nowOf("yesterday"); rehearse.KindOf(err) != rehearse.Invalid {
		t.Errorf("nowOf(yesterday): error %v, want one of kind Invalid", err)
	}
}

// A plan of one database has no link but that from outside, and needs nobody.
func TestAlone(t *testing.T) {
	p := &rehearse.Plan{
		Services: []rehearse.Service{
			{Name: "db", Recipe: "postgres", Env: map[string]string{"POSTGRES_PASSWORD": "secret"}, Needs: []rehearse.Need{{Service: "web"}}},
			{Name: "web"},
		},
		Links: []rehearse.LinkSpec{{ID: rehearse.MakeLinkID("web", "db"), Client: "web", Upstream: "db"}},
		Steps: []rehearse.Step{{}},
	}
	got, err := alone(p, "db")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Services) != 1 || len(got.Services[0].Needs) != 0 || len(got.Steps) != 0 {
		t.Errorf("alone = %+v, want the database and nothing else", got)
	}
	if len(got.Links) != 1 || got.Links[0].Client != rehearse.Ingress || got.Links[0].Ports[0] != 5432 {
		t.Errorf("links = %+v, want the one from outside", got.Links)
	}
	for name, hint := range map[string]string{"web": "Datasets are for", "bd": "Did you mean db?"} {
		if _, err := alone(p, name); !strings.HasPrefix(strings.Join(rehearse.Hints(err), ""), hint) {
			t.Errorf("alone(%q): %v with hints %q, want %q", name, err, rehearse.Hints(err), hint)
		}
	}
}

// Every command of data explains itself, with an example that it would accept.
func TestDataHelp(t *testing.T) {
	a := &app{stdout: io.Discard, stderr: io.Discard}
	var check func(*cobra.Command)
	check = func(c *cobra.Command) {
		if c.Short == "" || !strings.HasSuffix(strings.TrimSpace(c.Long), ".") || c.Example == "" {
			t.Errorf("%s: no summary, example, or description that ends in a full stop", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			checkExample(t, a.root(), c.Name(), strings.TrimSpace(line))
		}
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check(a.dataCommand())
}

// A clone's URL is that of the account that the image makes.
func TestAccountURL(t *testing.T) {
	for _, c := range []struct {
		account recipe.Account
		want    string
	}{
		{recipe.Account{Engine: "postgres", User: "postgres", Database: "shop"}, "postgres://postgres@127.0.0.1:5/shop?sslmode=disable"},
		{recipe.Account{Engine: "postgres", User: "a", Password: "p/w", Database: "shop"}, "postgres://a:p%2Fw@127.0.0.1:5/shop?sslmode=disable"},
		{recipe.Account{Engine: "mariadb", User: "root", Password: "x", Database: "shop"}, "mysql://root:x@127.0.0.1:5/shop"},
	} {
		if got := accountURL(c.account, "127.0.0.1:5"); got != c.want {
			t.Errorf("accountURL(%+v) = %q, want %q", c.account, got, c.want)
		}
	}
}

// A model's answer becomes a file; a table that has not changed is not asked about
// again, and a model that fails changes nothing.
func TestPlanWith(t *testing.T) {
	t.Chdir(t.TempDir())
	calls := 0
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		answer := `{"tables":[{"table":"customers","columns":[{"column":"mail","meaning":"email","why":"letters go there","confidence":0.9}],"references":[],"rules":[]}],"locales":[]}`
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"msg_1","type":"message","role":"assistant","model":"m","stop_reason":"tool_use","content":[{"type":"tool_use","id":"t","name":"plan","input":%s}],"usage":{"input_tokens":1200,"output_tokens":34}}`, answer)
	}))
	t.Cleanup(api.Close)
	var talk strings.Builder
	a := &app{stderr: &talk, Host: stand.Host{Env: []string{"KEY=sk"}}}
	shop := &schema.Schema{Engine: schema.Postgres, Tables: []*schema.Table{{
		Name: "customers", Columns: []schema.Column{{Name: "mail", Type: schema.Type{SQL: "text", Kind: schema.Text}}},
	}}}
	f := modelFlags{with: "anthropic", keyEnv: "KEY", url: api.URL}
	file, usage := a.planWith(t.Context(), shop, "profiles/shop.plan.yaml", f)
	if file != "profiles/shop.plan.yaml" || usage == nil || usage.InputTokens != 1200 || usage.Asked != 1 {
		t.Fatalf("planWith = %q, %+v\n%s", file, usage, &talk)
	}
	if !strings.Contains(talk.String(), "1,200 tokens in, 34 out") {
		t.Errorf("it told %q, want the tokens among it", &talk)
	}
	written, err := llm.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if table, ok := written.Table("customers"); !ok || len(table.Columns) != 1 || table.Columns[0].Meaning != "email" {
		t.Errorf("the plan is %+v, want the meaning of customers.mail", written)
	}
	if _, usage = a.planWith(t.Context(), shop, file, f); usage.Known != 1 || calls != 1 {
		t.Errorf("asked again: %d known, %d calls; want 1 and 1", usage.Known, calls)
	}

	talk.Reset()
	shop.Tables[0].Comment = "who buys"
	before, _ := os.ReadFile(file)
	f.keyEnv = "NONE"
	if got, _ := a.planWith(t.Context(), shop, file, f); got != "" || !strings.Contains(talk.String(), "warning: no plan was made") {
		t.Errorf("planWith without a key = %q, and told %q; want a warning", got, &talk)
	}
	if after, _ := os.ReadFile(file); string(after) != string(before) {
		t.Errorf("the plan has changed to %s", after)
	}
}

// What cannot be written whole is not written, and what was there stays.
func TestWriteFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := writeFile("a/b.yaml", func(w io.Writer) error { _, err := io.WriteString(w, "old"); return err }); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("half-way")
	err := writeFile("a/b.yaml", func(w io.Writer) error { _, _ = io.WriteString(w, "ne"); return failed })
	if !errors.Is(err, failed) {
		t.Errorf("error %v, want %v", err, failed)
	}
	entries, err := os.ReadDir("a")
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d files, %v; want one", len(entries), err)
	}
	if got, err := os.ReadFile("a/b.yaml"); err != nil || string(got) != "old" {
		t.Errorf("content %q, %v; want what was there", got, err)
	}
}

func nothing(io.Writer) error { return nil }
