package verdict

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

// withData gives the scene's database a dataset with migrations and other writers.
func withData(t testing.TB) *scene {
	s := newScene(t)
	s.plan.Services[0].Data = &rehearse.DataSpec{Name: "customers", Profile: "/p.yaml", Migrations: []string{"/a.sql"}, Churn: 1}
	return s
}

// asked is the outcome and the figure of each finding whose check begins so.
func asked(ev *rehearse.Evidence, prefix string) []string {
	var out []string
	for _, f := range Judge("production", ev).Findings {
		if strings.HasPrefix(f.Check, prefix) {
			out = append(out, string(f.Outcome)+" "+f.Check+": "+f.Got)
		}
	}
	return out
}

func TestMigrations(t *testing.T) {
	ran := rehearse.MigrationResult{Service: "db", Dataset: "customers", Files: []string{"/src/a.sql"}, Elapsed: 1500 * ms}
	with := func(edit func(*rehearse.MigrationResult)) *rehearse.MigrationResult {
		r := ran
		edit(&r)
		return &r
	}
	rewrite := rehearse.MigrationFinding{Kind: "table_rewritten", Severity: rehearse.MigrationError, Table: "orders", What: "The table orders is written anew."}
	index := rehearse.MigrationFinding{Kind: "index_blocks_writes", Severity: rehearse.MigrationWarning, Table: "orders", What: "Nobody can write."}
	failed := rehearse.MigrationFinding{Kind: "migration_failed", Severity: rehearse.MigrationError, What: "It failed."}
	for _, test := range []struct {
		name string
		r    *rehearse.MigrationResult
		want []string
	}{
		{"nothing is known", nil, []string{"unverified db: migrations run: did not run"}},
		{"all well", &ran, []string{"pass db: migrations run: 1 file in 1.5s", "pass db: migrations block nothing: nothing blocked"}},
		{"an error and a warning", with(func(r *rehearse.MigrationResult) { r.Findings = []rehearse.MigrationFinding{rewrite, index} }),
			[]string{"pass db: migrations run: 1 file in 1.5s", "fail db: migrations block nothing: 1 error, 1 warning"}},
		{"a warning alone", with(func(r *rehearse.MigrationResult) { r.Findings = []rehearse.MigrationFinding{index} }),
			[]string{"pass db: migrations run: 1 file in 1.5s", "pass db: migrations block nothing: 1 warning"}},
		{"failed", with(func(r *rehearse.MigrationResult) {
			r.Failed, r.Findings = "No such table.", []rehearse.MigrationFinding{failed}
		}), []string{"fail db: migrations run: a.sql failed", "unverified db: migrations block nothing: did not run to the end"}},
		{"unwatched", with(func(r *rehearse.MigrationResult) { r.Unwatched = "It is MariaDB." }), []string{"pass db: migrations run: 1 file in 1.5s"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ev := withData(t).evidence()
			if test.r != nil {
				ev.Records = append(ev.Records, rehearse.Record{Migration: test.r})
			}
			if diff := cmp.Diff(test.want, asked(ev, "db: migrations")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestChurn(t *testing.T) {
	for _, test := range []struct {
		name string
		r    *rehearse.ChurnResult
		want string
	}{
		{"nothing is known", nil, "unverified peak: other writers of db: did not run"},
		{"writes", &rehearse.ChurnResult{Wanted: 36000, Elapsed: 10000 * ms, Inserts: 60, Updates: 30, Conflicts: map[string]int64{"deadlock": 2, "unique": 1}},
			"pass peak: other writers of db: 90 writes of about 100, 3 conflicts"},
		{"could not run", &rehearse.ChurnResult{Failed: "There is no profile."}, "unverified peak: other writers of db: did not run"},
		{"nothing to write", &rehearse.ChurnResult{Elapsed: 10000 * ms}, "unverified peak: other writers of db: 0 writes"},
		{"far too little", &rehearse.ChurnResult{Wanted: 36000, Elapsed: 10000 * ms, Inserts: 49}, "unverified peak: other writers of db: 49 writes of about 100"},
		{"rare writes", &rehearse.ChurnResult{Wanted: 360, Elapsed: 10000 * ms}, "pass peak: other writers of db: 0 writes of about 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ev := withData(t).evidence()
			if test.r != nil {
				test.r.Step, test.r.Service = "peak", "db"
				ev.Records = append(ev.Records, rehearse.Record{Churn: test.r})
			}
			if diff := cmp.Diff([]string{test.want}, asked(ev, "peak: other writers")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlans(t *testing.T) {
	finding := func(kind string) rehearse.PlanFinding {
		return rehearse.PlanFinding{Kind: kind, SQL: "SELECT 1", What: "It is worse."}
	}
	flat := func(s *scene) { s.plan.Leg, s.plan.Services[0].Data = rehearse.Staging(), nil }
	for _, test := range []struct {
		name string
		of   string
		edit func(*scene)
		r    *rehearse.PlansResult
		want string
	}{
		{"all well", "", nil, &rehearse.PlansResult{Statements: 2}, "pass check: plans: none of 2 statements"},
		{"of the dataset", "customers", nil, &rehearse.PlansResult{Statements: 2}, "pass check: plans: none of 2 statements"},
		{"of another dataset", "others", nil, &rehearse.PlansResult{Statements: 2}, "unverified check: plans: no dataset"},
		{"a regression", "", nil, &rehearse.PlansResult{Statements: 3, Findings: []rehearse.PlanFinding{finding("plan_regression"), finding("statement_unexplained")}}, "fail check: plans: 1 of 3 statements"},
		{"a broken statement", "", nil, &rehearse.PlansResult{Statements: 3, Findings: []rehearse.PlanFinding{finding("statement_broken")}}, "fail check: plans: 1 of 3 statements"},
		{"one of them is no SQL", "", nil, &rehearse.PlansResult{Statements: 2, Findings: []rehearse.PlanFinding{finding("statement_unexplained")}}, "pass check: plans: none of 2 statements"},
		{"none of them is", "", nil, &rehearse.PlansResult{Statements: 1, Findings: []rehearse.PlanFinding{finding("statement_unexplained")}}, "unverified check: plans: not compared"},
		{"could not be compared", "", nil, &rehearse.PlansResult{Failed: "The profile has no statements."}, "unverified check: plans: not compared"},
		{"nothing is known", "", nil, nil, "unverified check: plans: not compared"},
		{"no migrations", "", func(s *scene) { s.plan.Services[0].Data.Migrations = nil }, nil, "pass check: plans: no migrations"},
		{"no profile", "customers", func(s *scene) { s.plan.Services[0].Data.Profile = "" }, nil, "unverified check: plans: not compared"},
		{"flat data", "", flat, nil, "skipped check: plans: not asked"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := withData(t)
			s.plan.Checks = []rehearse.Check{{Name: "plans", Kind: rehearse.CheckPlanRegression, Dataset: test.of}}
			if test.edit != nil {
				test.edit(s)
			}
			ev := s.evidence()
			if test.r != nil {
				test.r.Service = "db"
				ev.Records = append(ev.Records, rehearse.Record{Plans: test.r})
			}
			if diff := cmp.Diff([]string{test.want}, asked(ev, "check: plans")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
