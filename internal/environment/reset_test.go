package environment_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/driver/memory"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

// resetting is a driver whose services have data, which is a number.
type resetting struct {
	driver.Driver
	data  map[rehearse.ServiceName]*int
	fails error // of Reset
}

type resettingEnvironment struct {
	driver.Environment
	of *resetting
}

func (d *resetting) Open(ctx context.Context, spec driver.Spec) (driver.Environment, error) {
	e, err := d.Driver.Open(ctx, spec)
	return &resettingEnvironment{e, d}, err
}

func (e *resettingEnvironment) Reset(ctx context.Context, name rehearse.ServiceName) error {
	if e.of.fails != nil {
		return e.of.fails
	}
	*e.of.data[name] = 0
	return nil
}

// resetStage has one service, "db", that counts up when it starts.
func resetStage(t *testing.T) (*stage, *resetting, []rehearse.Service) {
	t.Helper()
	s := newStage(t)
	data := 0
	d := &resetting{Driver: s.driver, data: map[rehearse.ServiceName]*int{"db": &data}}
	s.programs["count"] = func(ctx context.Context, h *memory.Host, args []string) int {
		data += 10
		return serve(ctx, h, []string{"1s", "80"})
	}
	return s, d, []rehearse.Service{{Name: "db", Image: "count", Ready: port(80)}}
}

func (s *stage) upOn(t *testing.T, d driver.Driver, services []rehearse.Service) *environment.Environment {
	t.Helper()
	for i := range services {
		services[i].Ready.Timeout = rehearse.Duration(time.Minute)
	}
	var err error
	if s.record, err = s.store.Create(environment.Meta{Project: "stage", Driver: d.Name()}); err != nil {
		t.Fatal(err)
	}
	e, err := environment.Up(t.Context(), environment.Options{
		ID: s.record.ID, Plan: &rehearse.Plan{Project: "stage", Services: services}, Driver: d, Dir: s.record.Place(), Journal: s.record, Migrate: s.migrate,
		OnEvent: func(ev rehearse.ServiceEvent) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, event{0, ev})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d, services := resetStage(t)
		e := s.upOn(t, d, services)
		*d.data["db"] += 5 // what it writes
		s.events = nil
		if err := e.Reset(t.Context(), "db"); err != nil {
			t.Fatal(err)
		}
		if got := *d.data["db"]; got != 10 {
			t.Errorf("its data is %d, want 10, that of a first start", got)
		}
		if st := e.Status(t.Context())[0].State; st != rehearse.Ready {
			t.Errorf("after the reset it is %s, want ready", st)
		}
		var states []rehearse.ServiceState
		for _, ev := range s.events {
			states = append(states, ev.State)
		}
		if diff := cmp.Diff([]rehearse.ServiceState{rehearse.Building, rehearse.Starting, rehearse.Ready}, states); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		if err := e.Reset(t.Context(), "db"); err != nil {
			t.Errorf("a second reset: %v", err)
		}
		if err := e.Down(t.Context()); err != nil {
			t.Error(err)
		}
		if err := e.Reset(t.Context(), "db"); rehearse.KindOf(err) != rehearse.NotReady {
			t.Errorf("a reset after Down: %v, want an error of kind NotReady", err)
		}
		s.nothingLeft(t)
	})
}

func TestResetOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d, services := resetStage(t)
		e := s.upOn(t, d, services)
		first := make(chan error)
		go func() { first <- e.Reset(t.Context(), "db") }()
		synctest.Wait()
		if err := e.Reset(t.Context(), "db"); rehearse.KindOf(err) != rehearse.NotReady {
			t.Errorf("a reset during another: %v, want an error of kind NotReady", err)
		}
		if err := <-first; err != nil {
			t.Error(err)
		}
		if err := e.Down(t.Context()); err != nil {
			t.Error(err)
		}
		s.nothingLeft(t)
	})
}

// TestResetMeetsDown takes an environment down while a service is being reset.
func TestResetMeetsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d, services := resetStage(t)
		e := s.upOn(t, d, services)
		answered := make(chan error)
		go func() { answered <- e.Reset(t.Context(), "db") }()
		synctest.Wait()
		if err := e.Down(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-answered; err == nil {
			t.Error("the reset succeeded, although the environment went down under it")
		}
		s.nothingLeft(t)
	})
}

func TestResetFails(t *testing.T) {
	broken := errors.New("no space")
	for _, test := range []struct {
		name string
		do   func(context.Context, *environment.Environment, *resetting) error
		want rehearse.Kind
		is   error
	}{
		{"of nothing", func(ctx context.Context, e *environment.Environment, _ *resetting) error { return e.Reset(ctx, "web") }, rehearse.Invalid, nil},
		{"in the driver", func(ctx context.Context, e *environment.Environment, d *resetting) error {
			d.fails = broken
			return e.Reset(ctx, "db")
		}, rehearse.KindOf(broken), broken},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, d, services := resetStage(t)
				e := s.upOn(t, d, services)
				err := test.do(t.Context(), e, d)
				if rehearse.KindOf(err) != test.want || test.is != nil && !errors.Is(err, test.is) {
					t.Errorf("Reset: %v, want kind %v and %v", err, test.want, test.is)
				}
				if err := e.Down(t.Context()); err != nil {
					t.Error(err)
				}
				s.nothingLeft(t)
			})
		})
	}
}

func TestResetNeedsADriverThatCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, services := resetStage(t)
		e := s.mustUp(t, services)
		if err := e.Reset(t.Context(), "db"); rehearse.KindOf(err) != rehearse.Unavailable {
			t.Errorf("Reset: %v, want an error of kind Unavailable", err)
		}
		if got := fmt.Sprint(e.Status(t.Context())[0].State); got != "ready" {
			t.Errorf("the service is %s after a reset that could not be, want ready", got)
		}
	})
}
