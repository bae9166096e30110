package rehearsal_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver/memory"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/evidence"
	"github.com/rehearse-dev/rehearse/internal/rehearsal"
)

// stage is a rehearsal on an in-memory driver. Its steps are suites: load needs
// a real network.
type stage struct {
	driver  *memory.Driver
	options rehearsal.Options
	told    []string // by the observer
}

func newStage(t *testing.T, plans ...*rehearse.Plan) *stage {
	t.Helper()
	s := &stage{driver: memory.New(map[string]memory.Program{
		"idle": func(ctx context.Context, _ *memory.Host, _ []string) int {
			<-ctx.Done()
			return 0
		},
		"fail": func(_ context.Context, h *memory.Host, _ []string) int {
			fmt.Fprintln(h.Stderr(), "no such table: customers")
			return 3
		},
	})}
	dir := t.TempDir()
	s.options = rehearsal.Options{
		Kind: evidence.KindRun, Plans: plans, Driver: s.driver, Version: "test", Lease: time.Hour, Label: "test",
		Store: &environment.Store{Root: filepath.Join(dir, "environments")}, Root: filepath.Join(dir, ".rehearse"),
		Run: evidence.NewRunID(time.Now(), rand.New(rand.NewPCG(1, 1))), Env: []string{"PATH=" + os.Getenv("PATH")},
		Observe: rehearsal.Observer{
			Leg:     func(p *rehearse.Plan, _ rehearse.EnvironmentID) { s.told = append(s.told, "leg "+p.Leg.Name) },
			Step:    func(step rehearse.Step) { s.told = append(s.told, "step "+step.Name()) },
			Verdict: func(v rehearse.Verdict) { s.told = append(s.told, fmt.Sprint("verdict ", v.Leg, " ", v.Outcome)) },
		},
	}
	return s
}

func plan(leg rehearse.Leg, image string, steps ...rehearse.Step) *rehearse.Plan {
	return &rehearse.Plan{
		Project: "shop", Dir: os.TempDir(), Leg: leg, Seed: 7, Driver: "memory", Steps: steps,
		Services: []rehearse.Service{{Name: "web", Image: image, Ready: rehearse.Readiness{Timeout: rehearse.Duration(time.Minute)}}},
		Links: []rehearse.LinkSpec{{
			ID: "ingress:web", Client: rehearse.Ingress, Upstream: "web", Names: []string{"web"}, Ports: []int{80}, Declared: true,
		}},
	}
}

func suite(t *testing.T, name, script string) rehearse.Step {
	return rehearse.Step{Suite: &rehearse.SuiteStep{
		Name: name, Command: []string{"sh", "-c", script}, Dir: t.TempDir(), Timeout: rehearse.Duration(time.Minute),
		Env: map[string]string{"BASE_URL": "${web.url}", "ADDRESS": "${web.host}:${web.port}"},
	}}
}

// nothingLeft checks that no environment is left, neither at the driver nor in
// the store.
func (s *stage) nothingLeft(t *testing.T) {
	t.Helper()
	if left, err := s.driver.List(context.Background()); err != nil || len(left) > 0 {
		t.Errorf("the driver has left %v (%v)", left, err)
	}
	if files, err := os.ReadDir(s.options.Store.Root); err != nil || len(files) > 0 {
		t.Errorf("the store has left %v (%v)", files, err)
	}
}

func outcomes(r *rehearsal.Result) map[string]rehearse.Outcome {
	out := map[string]rehearse.Outcome{}
	for _, l := range r.Report.Legs {
		out[l.Name] = l.Verdict.Outcome
	}
	return out
}

// end is the last record of a leg, which says how it went.
func end(t *testing.T, r *rehearsal.Result, leg int) rehearse.End {
	t.Helper()
	records := r.Report.Legs[leg].Evidence.Records
	last := records[len(records)-1].End
	if last == nil {
		t.Fatalf("the last record of leg %d is no end", leg)
	}
	return *last
}

func TestRun(t *testing.T) {
	const script = `test "$BASE_URL" = "http://$ADDRESS" && test -n "$REHEARSE_ENVIRONMENT" && test "$REHEARSE_STATE" = test && echo fine`
	s := newStage(t,
		plan(rehearse.Staging(), "idle", suite(t, "e2e", script), suite(t, "more", "true")),
		plan(rehearse.Production(), "idle", suite(t, "e2e", script), suite(t, "more", "exit 1")),
	)
	r, err := rehearsal.Run(t.Context(), s.options)
	if err != nil {
		t.Fatal(err)
	}
	s.nothingLeft(t)
	if diff := cmp.Diff(map[string]rehearse.Outcome{"staging": rehearse.Pass, "production": rehearse.Fail}, outcomes(r)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	want := []string{
		"leg staging", "step e2e", "step more", "verdict staging pass",
		"leg production", "step e2e", "step more", "verdict production fail",
	}
	if diff := cmp.Diff(want, s.told); diff != "" {
		t.Errorf("the observer was told (-want +got):\n%s", diff)
	}
	for i, leg := range r.Report.Legs {
		records := leg.Evidence.Records
		if b := records[0].Begin; b == nil || b.Version != "test" || b.Plan.Leg.Name != leg.Name {
			t.Errorf("%s: the first record is no beginning: %+v", leg.Name, records[0])
		}
		if e := end(t, r, i); e.Error != "" || len(e.Left) > 0 {
			t.Errorf("%s ended with %+v", leg.Name, e)
		}
		kinds := map[string]bool{}
		for _, rec := range records {
			kinds["service"] = kinds["service"] || rec.Service != nil
			kinds["fact"] = kinds["fact"] || rec.Fact != nil
			kinds["tick"] = kinds["tick"] || rec.Tick != nil
			kinds["links"] = kinds["links"] || rec.Links != nil
		}
		if want := map[string]bool{"service": true, "fact": true, "tick": true, "links": true}; !cmp.Equal(kinds, want) {
			t.Errorf("%s: the evidence has %v", leg.Name, kinds)
		}
		output, err := os.ReadFile(filepath.Join(r.Dir, leg.Dir, "suites", "e2e", "output.log"))
		if err != nil || string(output) != "fine\n" {
			t.Errorf("%s: the suite said %q (%v)", leg.Name, output, err)
		}
	}
	for _, name := range []string{"report.html", "report.json", "report.md", "junit.xml"} {
		if st, err := os.Stat(filepath.Join(r.Dir, name)); err != nil || st.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	again, err := rehearsal.Judge(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Report.Legs {
		if diff := cmp.Diff(r.Report.Legs[i].Verdict, again.Report.Legs[i].Verdict); diff != "" {
			t.Errorf("judged again (-first +second):\n%s", diff)
		}
	}
}

// TestServiceFails has a change whose service does not start. That is what the
// rehearsal shows, and no error of ours.
func TestServiceFails(t *testing.T) {
	s := newStage(t, plan(rehearse.Production(), "fail", suite(t, "e2e", "true")))
	s.options.Plans[0].Services[0].Ready.Probes = []rehearse.Probe{{Port: 80}}
	r, err := rehearsal.Run(t.Context(), s.options)
	if err != nil {
		t.Fatal(err)
	}
	s.nothingLeft(t)
	if got := outcomes(r)["production"]; got != rehearse.Fail {
		t.Errorf("the verdict is %s, want fail", got)
	}
	if e := end(t, r, 0); !strings.Contains(e.Error, `service "web" ended before it was ready: exit 3`) {
		t.Errorf("the leg ended with %q", e.Error)
	}
	if want := []string{"leg production", "verdict production fail"}; !cmp.Equal(s.told, want) {
		t.Errorf("the observer was told %q, want %q", s.told, want)
	}
}

// TestServiceFallsOver has a service that ends while the suite runs.
func TestServiceFallsOver(t *testing.T) {
	s := newStage(t, plan(rehearse.Production(), "fail", suite(t, "e2e", "true"))) // without a probe it is ready at once
	r, err := rehearsal.Run(t.Context(), s.options)
	if err != nil {
		t.Fatal(err)
	}
	s.nothingLeft(t)
	if got := outcomes(r)["production"]; got != rehearse.Fail {
		t.Errorf("the verdict is %s, want fail", got)
	}
}

func TestInterrupted(t *testing.T) {
	s := newStage(t, plan(rehearse.Staging(), "idle", suite(t, "e2e", "exec sleep 3600")), plan(rehearse.Production(), "idle"))
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	s.options.Observe.Step = func(rehearse.Step) { cancel(errors.New("Ctrl-C")) }
	r, err := rehearsal.Run(ctx, s.options)
	if rehearse.KindOf(err) != rehearse.Interrupted {
		t.Fatalf("Run: %v, want an error of kind Interrupted", err)
	}
	s.nothingLeft(t)
	if want := []string{"leg staging", "verdict staging unverified"}; !cmp.Equal(s.told, want) {
		t.Errorf("the observer was told %q, want %q", s.told, want)
	}
	if e := end(t, r, 0); e.Error == "" {
		t.Error("the evidence does not say that the leg was cut short")
	}
}

// TestDriverFails has a driver that cannot make an environment in the second leg.
// What the first has shown is kept.
func TestDriverFails(t *testing.T) {
	s := newStage(t, plan(rehearse.Staging(), "idle", suite(t, "e2e", "true")), plan(rehearse.Production(), "idle", suite(t, "e2e", "true")))
	boom := errors.New("boom")
	opened := 0
	s.driver.Options.FailOpen = func(rehearse.EnvironmentID) error {
		if opened++; opened > 1 {
			return boom
		}
		return nil
	}
	r, err := rehearsal.Run(t.Context(), s.options)
	if !errors.Is(err, boom) {
		t.Fatalf("Run: %v, want %v", err, boom)
	}
	s.nothingLeft(t)
	if diff := cmp.Diff(map[string]rehearse.Outcome{"staging": rehearse.Pass, "production": rehearse.Unverified}, outcomes(r)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// TestTeardownFails has a driver that cannot remove the environment. The evidence
// says what is left.
func TestTeardownFails(t *testing.T) {
	s := newStage(t, plan(rehearse.Production(), "idle", suite(t, "e2e", "true")))
	boom := errors.New("boom")
	s.driver.Options.FailClose = func(rehearse.EnvironmentID) error { return boom }
	r, err := rehearsal.Run(t.Context(), s.options)
	if !errors.Is(err, boom) {
		t.Fatalf("Run: %v, want %v", err, boom)
	}
	e := end(t, r, 0)
	if len(e.Left) != 1 || !strings.HasPrefix(e.Left[0], "environment shop-") {
		t.Errorf("the evidence says that %q is left", e.Left)
	}
	if got := outcomes(r)["production"]; got == rehearse.Pass {
		t.Error("a leg whose teardown failed passes")
	}
}

func TestUnknownReference(t *testing.T) {
	step := suite(t, "e2e", "true")
	step.Suite.Env["DATABASE"] = "${db.url}"
	s := newStage(t, plan(rehearse.Production(), "idle", step))
	_, err := rehearsal.Run(t.Context(), s.options)
	if rehearse.KindOf(err) != rehearse.Invalid || !strings.Contains(err.Error(), "${db.url} means nothing here") {
		t.Errorf("Run: %v", err)
	}
	s.nothingLeft(t)
}
