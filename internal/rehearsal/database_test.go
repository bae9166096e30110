package rehearsal_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/rehearsal"
)

// migrated is a plan whose service has a dataset with a migration, and a check of
// its plans.
func migrated(steps ...rehearse.Step) *rehearse.Plan {
	p := plan(rehearse.Production(), "idle", steps...)
	p.Services[0].Recipe, p.Services[0].Env = "postgres", map[string]string{"POSTGRES_PASSWORD": "secret"}
	p.Services[0].Data = &rehearse.DataSpec{Name: "customers", Profile: "/p.yaml", Migrations: []string{"/a.sql"}}
	p.Checks = []rehearse.Check{{Name: "plan_regression", Kind: rehearse.CheckPlanRegression}}
	return p
}

// migrates counts the times that migrations run.
func migrates(times *int) func(context.Context, rehearse.Service, driver.Filling) (rehearse.MigrationResult, error) {
	return func(_ context.Context, s rehearse.Service, _ driver.Filling) (rehearse.MigrationResult, error) {
		*times++
		return rehearse.MigrationResult{Service: s.Name, Dataset: s.Data.Name, Files: s.Data.Migrations}, nil
	}
}

func TestPlansAreComparedApart(t *testing.T) {
	s := newStage(t, migrated(suite(t, "e2e", "true")))
	times := 0
	s.options.Migrate = migrates(&times)
	s.options.ComparePlans = func(_ context.Context, service rehearse.Service, base, head driver.Filling) rehearse.PlansResult {
		s.told = append(s.told, "plans of "+string(service.Name))
		if base.Password != "secret" || head.Password != "secret" {
			t.Errorf("got %+v and %+v, want databases", base, head)
		}
		return rehearse.PlansResult{Service: service.Name, Dataset: "customers", Statements: 3, Findings: []rehearse.PlanFinding{{Kind: "plan_regression", SQL: "SELECT 1", What: "It is worse."}}}
	}
	r, err := rehearsal.Run(t.Context(), s.options)
	if err != nil {
		t.Fatal(err)
	}
	s.nothingLeft(t)
	if diff := cmp.Diff([]string{"leg production", "step e2e", "plans of web", "verdict production fail"}, s.told); diff != "" {
		t.Errorf("in this order (-want +got):\n%s", diff)
	}
	if times != 2 {
		t.Errorf("migrations ran %d times, want 2: in the leg's environment, and in one of the two beside it", times)
	}
	migrations, plans := 0, 0
	for _, rec := range r.Report.Legs[0].Evidence.Records {
		if rec.Migration != nil {
			migrations++
		}
		if rec.Plans != nil {
			plans++
		}
	}
	if migrations != 1 || plans != 1 {
		t.Errorf("the evidence has %d migrations and %d comparisons, want one each", migrations, plans)
	}
	again, err := rehearsal.Judge(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.Report.Legs[0].Verdict, again.Report.Legs[0].Verdict); diff != "" {
		t.Errorf("judged again (-want +got):\n%s", diff)
	}
}

func TestNobodyComparesPlans(t *testing.T) {
	s := newStage(t, migrated())
	times := 0
	s.options.Migrate = migrates(&times)
	r, err := rehearsal.Run(t.Context(), s.options)
	if err != nil {
		t.Fatal(err)
	}
	if got := outcomes(r)["production"]; got != rehearse.Unverified {
		t.Errorf("got %s, want unverified", got)
	}
	s.nothingLeft(t)
}

func TestInterruptedComparison(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	s := newStage(t, migrated())
	times := 0
	s.options.Migrate = migrates(&times)
	s.options.ComparePlans = func(ctx context.Context, _ rehearse.Service, _, _ driver.Filling) rehearse.PlansResult {
		cancel(errors.New("Ctrl-C"))
		<-ctx.Done()
		return rehearse.PlansResult{Failed: "It was interrupted."}
	}
	if _, err := rehearsal.Run(ctx, s.options); rehearse.KindOf(err) != rehearse.Interrupted {
		t.Errorf("got %v, want an error of kind Interrupted", err)
	}
	s.nothingLeft(t)
}
