package report

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// withDatabases is a run in which databases were migrated, written to and asked
// for plans.
func withDatabases(t testing.TB) rehearse.Report {
	r := oneLeg(t)
	sql := "ALTER TABLE orders ADD COLUMN at float\n  DEFAULT random()"
	ev := r.Legs[0].Evidence
	end := ev.Records[len(ev.Records)-1]
	ev.Records = append(ev.Records[:len(ev.Records)-1],
		rehearse.Record{Time: began, Migration: &rehearse.MigrationResult{
			Service: "db", Dataset: "customers", Files: []string{"/src/docgen/migrations/0042_at.sql", "/src/docgen/migrations/0043_index.sql"}, Elapsed: 1530 * ms,
			Statements: []rehearse.MigrationStatement{
				{SQL: sql, Elapsed: 1300 * ms, Locks: []rehearse.MigrationLock{{Table: "orders", Mode: "AccessExclusiveLock", Held: 1310 * ms}}, Estimate: rehearse.Duration(11 * time.Minute), Times: 507.7, How: "linear"},
				{SQL: "SELECT 1", Elapsed: ms},
			},
			Blocked:   []rehearse.MigrationBlock{{Table: "orders", Access: "read", Longest: 1290 * ms, By: sql}},
			Rewritten: []rehearse.MigrationRewrite{{Table: "orders", Before: 65_500, After: 98_300}},
			Findings: []rehearse.MigrationFinding{
				{Kind: "table_rewritten", Severity: rehearse.MigrationError, Table: "orders", What: "The table orders is written anew, and nobody can read or write it meanwhile."},
				{Kind: "index_blocks_writes", Severity: rehearse.MigrationWarning, Table: "orders", What: "The index i is built without CONCURRENTLY."},
			},
			Notes: []string{"DDL statements are only sampled: the role is no superuser."},
		}},
		rehearse.Record{Time: began, Migration: &rehearse.MigrationResult{
			Service: "wiki", Dataset: "pages", Files: []string{"/src/docgen/wiki.sql"}, Elapsed: 20 * ms, Failed: "Table 'pages' doesn't exist.",
			Unwatched: "Only PostgreSQL is watched while it is migrated.",
		}},
		rehearse.Record{Time: began, Churn: &rehearse.ChurnResult{
			Step: "peak", Service: "db", Dataset: "customers", Seed: 7, Elapsed: 40000 * ms, Wanted: 900_000, Transactions: 5120, Inserts: 2400, Updates: 7350, Deletes: 1,
			Conflicts: map[string]int64{"serialization": 3, "deadlock": 1}, Errors: []string{"orders: a check failed"}, Notes: []string{"Nothing is written to audit: it has no key."},
		}},
		rehearse.Record{Time: began, Churn: &rehearse.ChurnResult{Step: "peak", Service: "wiki", Dataset: "pages", Failed: "only PostgreSQL is written to."}},
		rehearse.Record{Time: began, Plans: &rehearse.PlansResult{
			Service: "db", Dataset: "customers", Statements: 12, Elapsed: 900 * ms, Notes: []string{"Table audit is in the profile and not in the database."},
			Findings: []rehearse.PlanFinding{{
				Kind: "plan_regression", SQL: "SELECT *\nFROM orders WHERE total = $1 -- <b>", Calls: 3600, What: "All 9000 pages of orders are read.",
				Before: "Index Scan using orders_total on orders\n", After: "Gather\n  ->  Parallel Seq Scan on orders\n",
			}},
		}},
		rehearse.Record{Time: began, Plans: &rehearse.PlansResult{Service: "wiki", Dataset: "pages", Failed: "the profile has no statements.", Hint: "Profile it again."}},
		end,
	)
	return r
}

func TestDatabases(t *testing.T) {
	r := withDatabases(t)
	text := string(render(t, func(w io.Writer) error { return Terminal(w, r, TerminalOptions{Width: 100}) }))
	from, to := strings.Index(text, "migrations of db"), strings.Index(text, "links of production")
	if from < 0 || to < from {
		t.Fatalf("the report has no databases before its links:\n%s", text)
	}
	golden(t, "databases.txt", []byte(text[from:to]))

	text = string(render(t, func(w io.Writer) error { return Markdown(w, r) }))
	from, to = strings.Index(text, "<details><summary>Migrations"), strings.Index(text, "<details><summary>Links")
	if from < 0 || to < from {
		t.Fatalf("the comment has no databases before its links:\n%s", text)
	}
	golden(t, "databases.md", []byte(text[from:to]))

	page := render(t, func(w io.Writer) error { return HTML(w, r) })
	for _, want := range []string{
		"Migrations of db", "Migrations of wiki", "at production&#39;s size (estimate)", "11m0s (× 508, linear)", "error: The table orders is written anew",
		"Other writers", "in the place of production&#39;s other writers", "Query plans of db", "  -&gt;  Parallel Seq Scan on orders", "-- &lt;b&gt;",
	} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
	selfContained(t, page)

	var v any
	if err := json.Unmarshal(render(t, func(w io.Writer) error { return JSON(w, r) }), &v); err != nil {
		t.Fatal(err)
	}
	schema := readSchema(t)
	schema.check(t, "databases", schema.root, v)
}
