package environment_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver/memory"
)

// stumbles counts its starts, and ends with a code at each until it stays.
func stumbles(starts *int, times, code int) memory.Program {
	return func(ctx context.Context, h *memory.Host, args []string) int {
		if *starts++; *starts <= times {
			fmt.Fprintln(h.Stdout(), "start", *starts)
			return code
		}
		return serve(ctx, h, []string{"0s", "80"})
	}
}

func TestRestartBeforeReady(t *testing.T) {
	for _, test := range []struct {
		policy      string
		times, code int
		ready       bool
		starts      int
	}{
		{"", 1, 1, false, 1},
		{"no", 1, 0, false, 1},
		{"on-failure", 3, 1, true, 4},
		{"on-failure:2", 2, 1, true, 3},
		{"on-failure:2", 3, 1, false, 3},
		{"on-failure:2", 1, 0, false, 1},
		{"always", 3, 0, true, 4},
		{"unless-stopped", 3, 1, true, 4},
	} {
		t.Run(fmt.Sprintf("%q, exit %d %d times", test.policy, test.code, test.times), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				starts := 0
				s.programs["it"] = stumbles(&starts, test.times, test.code)
				e, err := s.up(t, t.Context(), []rehearse.Service{{Name: "it", Image: "it", Restart: test.policy, Ready: port(80)}})
				if test.ready != (err == nil) {
					t.Errorf("Up: %v, want ready: %t", err, test.ready)
				}
				if starts != test.starts {
					t.Errorf("it was started %d times, want %d", starts, test.starts)
				}
				if e != nil {
					if err := e.Down(t.Context()); err != nil {
						t.Error(err)
					}
				}
				s.nothingLeft(t)
			})
		})
	}
}

// TestRestartsHaveAnEnd has a service that is started again and again, until the
// time in which it should become ready is over.
func TestRestartsHaveAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		_, err := s.up(t, t.Context(), []rehearse.Service{{Name: "it", Image: "fail", Restart: "always", Ready: rehearse.Readiness{
			Probes: []rehearse.Probe{{Port: 80}}, Timeout: rehearse.Duration(20 * time.Second),
		}}})
		if rehearse.KindOf(err) != rehearse.NotReady {
			t.Errorf("Up: %v, want an error of kind NotReady", err)
		}
		s.nothingLeft(t)
	})
}

// falls is a service that ends whenever it is told.
func falls(fall chan struct{}) memory.Program {
	return func(ctx context.Context, h *memory.Host, args []string) int {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		told := false
		go func() {
			select {
			case <-fall:
				told = true
				cancel()
			case <-ctx.Done():
			}
		}()
		serve(ctx, h, []string{"0s", "80"})
		if told {
			return 1
		}
		return 0
	}
}

// TestRestartAfterReady has a service that ends long after its first start, when
// the time that it had to become ready is over. It gets that time again.
func TestRestartAfterReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		fall := make(chan struct{})
		s.programs["it"] = falls(fall)
		e := s.mustUp(t, []rehearse.Service{{Name: "it", Image: "it", Restart: "always", Ready: rehearse.Readiness{
			Probes: []rehearse.Probe{{Port: 80}}, Timeout: rehearse.Duration(time.Second),
		}}})
		time.Sleep(time.Hour) // of the bubble's clock
		fall <- struct{}{}
		synctest.Wait()
		if got := e.Failures(); !cmp.Equal(got, []rehearse.ServiceName{"it"}) {
			t.Errorf("while it is down the failures are %v", got)
		}
		time.Sleep(10 * time.Second)
		if got := e.Failures(); len(got) > 0 {
			t.Errorf("after its return the failures are %v", got)
		}
		want := states(rehearse.Waiting, rehearse.Starting, rehearse.Ready, rehearse.Failed, rehearse.Starting, rehearse.Ready)
		if got := without(s.of("it"), rehearse.Building); !cmp.Equal(got, want) {
			t.Errorf("it went through %v, want %v", got, want)
		}
		if code := s.last(t, "it", rehearse.Failed).ExitCode; code == nil || *code != 1 {
			t.Errorf("exit code %v, want 1", code)
		}
	})
}

// TestNoRestartAfterReady has a service that ends and stays away. The others go
// on.
func TestNoRestartAfterReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		fall := make(chan struct{})
		s.programs["it"] = falls(fall)
		e := s.mustUp(t, []rehearse.Service{{Name: "it", Image: "it", Ready: port(80)}, {Name: "other", Image: "idle"}})
		fall <- struct{}{}
		time.Sleep(time.Hour) // of the bubble's clock
		if got := e.Failures(); !cmp.Equal(got, []rehearse.ServiceName{"it"}) {
			t.Errorf("the failures are %v", got)
		}
		if detail := s.last(t, "it", rehearse.Failed).Detail; detail == "" {
			t.Error("nothing says why it failed")
		}
		if got := s.of("other"); got[len(got)-1] != rehearse.Ready {
			t.Errorf("the other went through %v", got)
		}
	})
}

// TestDownDuringRestart takes down an environment whose service waits for its
// next start.
func TestDownDuringRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		fall := make(chan struct{})
		s.programs["it"] = falls(fall)
		e, err := s.up(t, t.Context(), []rehearse.Service{{Name: "it", Image: "it", Restart: "always", Ready: port(80)}})
		if err != nil {
			t.Fatal(err)
		}
		fall <- struct{}{}
		synctest.Wait()
		begun := time.Now()
		if err := e.Down(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > 0 {
			t.Errorf("Down waited for %v of the bubble's time", took)
		}
		s.nothingLeft(t)
	})
}
