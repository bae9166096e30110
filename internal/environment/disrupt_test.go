package environment_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

// states forgets and returns the states that services have entered.
func (s *stage) states() []rehearse.ServiceState {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []rehearse.ServiceState
	for _, ev := range s.events {
		out = append(out, ev.State)
	}
	s.events = nil
	return out
}

func TestDisrupt(t *testing.T) {
	for _, c := range []struct {
		kind         rehearse.DisruptionKind
		during, then []rehearse.ServiceState
	}{
		{rehearse.DisruptKill, []rehearse.ServiceState{rehearse.Stopped}, []rehearse.ServiceState{rehearse.Starting, rehearse.Ready}},
		{rehearse.DisruptRestart, []rehearse.ServiceState{rehearse.Starting, rehearse.Ready}, nil},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, d, services := resetStage(t)
				e := s.upOn(t, d, services)
				s.states()
				for round := range 2 {
					undo, err := e.Disrupt(t.Context(), "db", rehearse.Disruption{Kind: c.kind})
					if err != nil {
						t.Fatal(err)
					}
					settle(t, e, c.kind == rehearse.DisruptRestart)
					if diff := cmp.Diff(c.during, s.states()); diff != "" {
						t.Errorf("round %d, states while it lasts (-want +got):\n%s", round, diff)
					}
					for range 2 {
						if err := undo(t.Context()); err != nil {
							t.Error(err)
						}
					}
					settle(t, e, true)
					if diff := cmp.Diff(c.then, s.states()); diff != "" {
						t.Errorf("round %d, states after it is undone (-want +got):\n%s", round, diff)
					}
				}
				if err := e.Down(t.Context()); err != nil {
					t.Error(err)
				}
				s.nothingLeft(t)
			})
		})
	}
}

// settle waits until the only service is ready, or until it is not. What has been
// asked of it has begun when the bubble has come to rest.
func settle(t *testing.T, e *environment.Environment, ready bool) {
	t.Helper()
	for {
		time.Sleep(time.Millisecond) // of the bubble
		synctest.Wait()
		if (e.States()[0].State == rehearse.Ready) == ready {
			return
		}
	}
}

func TestDisruptEndsWithTheEnvironment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d, services := resetStage(t)
		e := s.upOn(t, d, services)
		undo, err := e.Disrupt(t.Context(), "db", rehearse.Disruption{Kind: rehearse.DisruptKill})
		if err != nil {
			t.Fatal(err)
		}
		settle(t, e, false)
		if _, err := e.Disrupt(t.Context(), "db", rehearse.Disruption{Kind: rehearse.DisruptKill}); rehearse.KindOf(err) != rehearse.NotReady {
			t.Errorf("killing it twice: %v, want an error of kind NotReady", err)
		}
		if err := e.Down(t.Context()); err != nil {
			t.Error(err)
		}
		if err := undo(context.Background()); err != nil {
			t.Errorf("undo after Down: %v", err)
		}
		s.nothingLeft(t)
	})
}

func TestDisruptRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d, services := resetStage(t)
		e := s.upOn(t, d, services)
		for _, c := range []struct {
			name rehearse.ServiceName
			d    rehearse.Disruption
			want rehearse.Kind
		}{
			{"nobody", rehearse.Disruption{Kind: rehearse.DisruptKill}, rehearse.Invalid},
			{"db", rehearse.Disruption{Kind: "bore"}, rehearse.Invalid},
			{"db", rehearse.Disruption{Kind: rehearse.DisruptCPU}, rehearse.Invalid},
			{"db", rehearse.Disruption{Kind: rehearse.DisruptPause}, rehearse.Unavailable}, // of the memory driver
		} {
			undo, err := e.Disrupt(t.Context(), c.name, c.d)
			if rehearse.KindOf(err) != c.want {
				t.Errorf("%s of %s: %v, want an error of kind %v", c.d.Kind, c.name, err, c.want)
			}
			if err := undo(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if err := e.Down(t.Context()); err != nil {
			t.Error(err)
		}
		s.nothingLeft(t)
	})
}
