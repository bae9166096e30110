package environment_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// migrating is a database with migrations, and a service that needs it only to
// have started.
func migrating() []rehearse.Service {
	return []rehearse.Service{
		{
			Name: "db", Image: "count", Recipe: "postgres", Env: map[string]string{"POSTGRES_PASSWORD": "secret", "POSTGRES_DB": "shop"},
			Ready: port(80), Data: &rehearse.DataSpec{Name: "customers", Migrations: []string{"/src/0042.sql"}},
		},
		{Name: "web", Image: "idle", Needs: []rehearse.Need{{Service: "db", Condition: rehearse.Started}}},
	}
}

func TestMigrations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d, _ := resetStage(t)
		var order []string
		s.migrate = func(_ context.Context, service rehearse.Service, at driver.Filling) (rehearse.MigrationResult, error) {
			order = append(order, "migrate")
			want := driver.Filling{Engine: "postgres", User: "postgres", Password: "secret", Database: "shop"}
			if at.Dial == nil || at.Engine != want.Engine || at.User != want.User || at.Password != want.Password || at.Database != want.Database {
				t.Errorf("got %+v, want %+v", at, want)
			}
			if got := s.of("web"); len(order) == 1 && slices.Contains(got, rehearse.Starting) {
				t.Errorf("web has started before the migrations: %v", got)
			}
			return rehearse.MigrationResult{Service: service.Name}, nil
		}
		e := s.upOn(t, d, migrating())
		if got, want := s.last(t, "db", rehearse.Starting).Detail, "its migrations run"; got != want {
			t.Errorf("the last that is told before it is ready is %q, want %q", got, want)
		}
		if err := e.Reset(t.Context(), "db"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"migrate", "migrate"}, order); diff != "" {
			t.Errorf("first data has no migrations, so that they run again after a reset (-want +got):\n%s", diff)
		}
		if err := e.Down(t.Context()); err != nil {
			t.Error(err)
		}
		s.nothingLeft(t)
	})
}

func TestMigrationsFail(t *testing.T) {
	broken := errors.New("nothing could be read")
	for _, test := range []struct {
		name  string
		fails string
		err   error
		kind  rehearse.Kind
		state rehearse.ServiceState
	}{
		{"of the change", `relation "nothing" does not exist.`, nil, rehearse.NotReady, rehearse.Failed},
		{"of ours", "", broken, rehearse.KindOf(broken), rehearse.Stopped},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _, _ := resetStage(t)
				s.migrate = func(context.Context, rehearse.Service, driver.Filling) (rehearse.MigrationResult, error) {
					return rehearse.MigrationResult{Failed: test.fails}, test.err
				}
				_, err := s.up(t, t.Context(), migrating())
				if got := rehearse.KindOf(err); err == nil || got != test.kind {
					t.Errorf("Up: %v of kind %v, want kind %v", err, got, test.kind)
				}
				s.last(t, "db", test.state)
				if got := s.of("web"); slices.Contains(got, rehearse.Starting) {
					t.Errorf("web has started: %v", got)
				}
				s.nothingLeft(t)
			})
		})
	}
}

func TestInterruptedMigrations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := resetStage(t)
		ctx, cancel := context.WithCancel(t.Context())
		s.migrate = func(ctx context.Context, _ rehearse.Service, _ driver.Filling) (rehearse.MigrationResult, error) {
			time.AfterFunc(time.Second, cancel)
			<-ctx.Done()
			return rehearse.MigrationResult{}, ctx.Err()
		}
		if _, err := s.up(t, ctx, migrating()); rehearse.KindOf(err) != rehearse.Interrupted {
			t.Errorf("Up: %v, want an error of kind Interrupted", err)
		}
		s.nothingLeft(t)
	})
}

func TestDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := resetStage(t)
		e := s.mustUp(t, []rehearse.Service{{Name: "web", Image: "idle"}})
		for name, want := range map[rehearse.ServiceName]rehearse.Kind{"web": rehearse.Unavailable, "nobody": rehearse.Invalid} {
			if _, err := e.Database(name); rehearse.KindOf(err) != want {
				t.Errorf("%s: %v, want an error of kind %v", name, err, want)
			}
		}
	})
}
