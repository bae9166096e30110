package environment_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver/memory"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

// shop is a project with every condition of depends_on, four levels deep.
func shop() []rehearse.Service {
	return []rehearse.Service{
		{Name: "cache", Image: "serve", Command: []string{"500ms", "6379"}, Ready: port(6379)},
		{Name: "db", Image: "serve", Command: []string{"105ms", "5432"}, Ready: port(5432)},
		{Name: "migrate", Image: "job", Command: []string{"55ms", "0"}, Job: true, Needs: needs(need("db", rehearse.Healthy))},
		{
			Name: "api", Image: "serve", Command: []string{"35ms", "8080"},
			Ready: rehearse.Readiness{Probes: []rehearse.Probe{{Log: "^listening on"}, {Port: 8080}}},
			Needs: needs(need("migrate", rehearse.Completed), need("cache", rehearse.Started)),
		},
		{Name: "sidecar", Image: "idle", Needs: needs(need("api", rehearse.Started))},
		{Name: "web", Image: "web", Command: []string{"15ms", "80", "503", "503", "200"}, Needs: needs(need("api", rehearse.Healthy), need("absent", rehearse.Healthy)),
			Ready: rehearse.Readiness{Probes: []rehearse.Probe{{HTTP: &rehearse.HTTPGet{Port: 80, Path: "/"}}}}},
	}
}

func TestUpAndDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		// Each takes another time to prepare and to stop, so that no two things
		// that are in order happen at the same moment.
		s.driver.Options.FailPrepare = func(name rehearse.ServiceName) error {
			time.Sleep(time.Duration(len(name)) * time.Millisecond)
			return nil
		}
		for name, program := range s.programs {
			s.programs[name] = func(ctx context.Context, h *memory.Host, args []string) int {
				defer time.Sleep(20 * time.Millisecond)
				return program(ctx, h, args)
			}
		}
		e, err := s.up(t, t.Context(), shop())
		if err != nil {
			t.Fatal(err)
		}
		if failed := e.Failures(); len(failed) > 0 {
			t.Errorf("failed: %v", failed)
		}
		if err := e.Down(t.Context()); err != nil {
			t.Error(err)
		}
		golden(t, "up_and_down.golden", s.transcript())

		before := len(s.events)
		if err := e.Down(t.Context()); err != nil || len(s.events) != before {
			t.Errorf("a second Down: %v, %d events", err, len(s.events)-before)
		}
		s.nothingLeft(t)
	})
}

// TestSideBySide has services that each wait for all the others to run.
func TestSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		const n = 4
		here := make(chan struct{}, n)
		all := make(chan struct{})
		s.programs["together"] = func(ctx context.Context, h *memory.Host, args []string) int {
			here <- struct{}{}
			if len(here) == n {
				close(all)
			}
			select {
			case <-all:
				fmt.Fprintln(h.Stdout(), "all are here")
			case <-ctx.Done():
			}
			return idle(ctx, h, args)
		}
		var services []rehearse.Service
		for i := range n {
			services = append(services, rehearse.Service{
				Name: rehearse.ServiceName(fmt.Sprint("s", i)), Image: "together",
				Ready: rehearse.Readiness{Probes: []rehearse.Probe{{Log: "all are here"}}},
			})
		}
		s.mustUp(t, services)
	})
}

// TestPreparedSideBySide has services whose preparation waits for that of the
// others, also of those that need them.
func TestPreparedSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		db, web := make(chan struct{}), make(chan struct{})
		s.driver.Options.FailPrepare = func(name rehearse.ServiceName) error {
			mine, other := db, web
			if name == "web" {
				mine, other = web, db
			}
			close(mine)
			<-other
			return nil
		}
		s.mustUp(t, []rehearse.Service{{Name: "db", Image: "idle"}, {Name: "web", Image: "idle", Needs: needs(need("db", rehearse.Healthy))}})
	})
}

// TestStartedIsNotReady has a cluster whose first node becomes ready only when
// the second, which depends on its start, has come.
func TestStartedIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		joined := make(chan struct{})
		s.programs["first"] = func(ctx context.Context, h *memory.Host, args []string) int {
			select {
			case <-joined:
				fmt.Fprintln(h.Stdout(), "quorum")
			case <-ctx.Done():
			}
			return idle(ctx, h, args)
		}
		s.programs["second"] = func(ctx context.Context, h *memory.Host, args []string) int {
			close(joined)
			return idle(ctx, h, args)
		}
		s.mustUp(t, []rehearse.Service{
			{Name: "first", Image: "first", Ready: rehearse.Readiness{Probes: []rehearse.Probe{{Log: "quorum"}}}},
			{Name: "second", Image: "second", Needs: needs(need("first", rehearse.Started))},
		})
	})
}

func TestFailureUndoesTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		e, err := s.up(t, t.Context(), []rehearse.Service{
			{Name: "db", Image: "serve", Command: []string{"0s", "5432"}, Ready: port(5432)},
			{Name: "api", Image: "fail", Needs: needs(need("db", rehearse.Healthy)), Ready: port(8080)},
			{Name: "web", Image: "idle", Needs: needs(need("api", rehearse.Healthy))},
		})
		if e != nil {
			t.Error("a failed Up gives an environment")
		}
		if rehearse.KindOf(err) != rehearse.NotReady {
			t.Fatalf("Up: %v, want an error of kind NotReady", err)
		}
		var one *rehearse.Error
		if !errors.As(err, &one) || one.Msg != `service "api" ended before it was ready: exit 3` {
			t.Errorf("Up: %v", err)
		}
		if want := "Its last lines were:\n  reading the configuration\n  no such table: customers"; one.Hint != want {
			t.Errorf("hint %q, want %q", one.Hint, want)
		}
		failed := s.last(t, "api", rehearse.Failed)
		if failed.ExitCode == nil || *failed.ExitCode != 3 {
			t.Errorf("exit code %v, want 3", failed.ExitCode)
		}
		if want := []string{"reading the configuration", "no such table: customers"}; !cmp.Equal(failed.LogTail, want) {
			t.Errorf("last lines %q, want %q", failed.LogTail, want)
		}
		if got, want := s.of("db"), states(rehearse.Waiting, rehearse.Starting, rehearse.Ready, rehearse.Stopped); !cmp.Equal(without(got, rehearse.Building), want) {
			t.Errorf("db went through %v, want %v", got, want)
		}
		for _, state := range s.of("web") {
			if state == rehearse.Starting || state == rehearse.Ready {
				t.Errorf("web was %s although what it needs had failed", state)
			}
		}
		s.nothingLeft(t)
	})
}

func without(list []rehearse.ServiceState, no rehearse.ServiceState) []rehearse.ServiceState {
	var out []rehearse.ServiceState
	for _, s := range list {
		if s != no {
			out = append(out, s)
		}
	}
	return out
}

// A service of which nothing says that it stays is done when it has ended well.
func TestServiceThatFinishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		e := s.mustUp(t, []rehearse.Service{
			{Name: "seed", Image: "job", Command: []string{"1s", "0"}},
			{Name: "api", Image: "idle"},
		})
		time.Sleep(2 * time.Second) // of the bubble's clock
		synctest.Wait()
		if got := e.Status(t.Context())[0].State; got != rehearse.Done {
			t.Errorf("it is %s, want %s", got, rehearse.Done)
		}
		if failed := e.Failures(); len(failed) > 0 {
			t.Errorf("failed: %v", failed)
		}
	})
}

func TestJobFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		_, err := s.up(t, t.Context(), []rehearse.Service{
			{Name: "migrate", Image: "job", Command: []string{"1s", "4"}, Job: true},
			{Name: "api", Image: "idle", Needs: needs(need("migrate", rehearse.Completed))},
		})
		if err == nil || !strings.Contains(err.Error(), `service "migrate" ended before it was ready: exit 4`) {
			t.Errorf("Up: %v", err)
		}
		s.nothingLeft(t)
	})
}

func TestInterruptedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error)
		go func() {
			_, err := s.up(t, ctx, []rehearse.Service{
				{Name: "db", Image: "idle", Ready: port(5432)},
				{Name: "web", Image: "idle", Needs: needs(need("db", rehearse.Healthy))},
			})
			result <- err
		}()
		time.Sleep(time.Second) // of the bubble's clock: everything has come as far as it can
		synctest.Wait()
		cancel()
		if err := <-result; rehearse.KindOf(err) != rehearse.Interrupted {
			t.Errorf("Up: %v, want an error of kind Interrupted", err)
		}
		if got, want := without(s.of("db"), rehearse.Building), states(rehearse.Waiting, rehearse.Starting, rehearse.Stopped); !cmp.Equal(got, want) {
			t.Errorf("db went through %v, want %v", got, want)
		}
		s.nothingLeft(t)
	})
}

func TestInjectedFailures(t *testing.T) {
	boom := errors.New("boom")
	ingress := rehearse.LinkSpec{ID: "ingress:db", Client: rehearse.Ingress, Upstream: "db", Names: []string{"db"}, Ports: []int{5432}}
	for _, test := range []struct {
		at  string
		set func(*memory.Options)
	}{
		{"open", func(o *memory.Options) { o.FailOpen = func(rehearse.EnvironmentID) error { return boom } }},
		{"listen", func(o *memory.Options) { o.FailListen = func(rehearse.ServiceName) error { return boom } }},
		{"prepare", func(o *memory.Options) { o.FailPrepare = only("web", boom) }},
		{"start", func(o *memory.Options) { o.FailStart = only("web", boom) }},
	} {
		t.Run(test.at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				test.set(&s.driver.Options)
				_, err := s.up(t, t.Context(), []rehearse.Service{
					{Name: "db", Image: "serve", Command: []string{"0s", "5432"}, Ready: port(5432)},
					{Name: "web", Image: "idle", Needs: needs(need("db", rehearse.Healthy))},
				}, ingress)
				if !errors.Is(err, boom) {
					t.Errorf("Up: %v, want %v", err, boom)
				}
				s.nothingLeft(t)
			})
		})
	}
}

func only(which rehearse.ServiceName, err error) func(rehearse.ServiceName) error {
	return func(name rehearse.ServiceName) error {
		if name == which {
			return err
		}
		return nil
	}
}

// TestCloseFails has a driver that cannot remove an environment. Down says so,
// each time it is asked.
func TestCloseFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		boom := errors.New("boom")
		s.driver.Options.FailClose = func(rehearse.EnvironmentID) error { return boom }
		e, err := s.up(t, t.Context(), []rehearse.Service{{Name: "db", Image: "idle"}})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := e.Down(t.Context()); !errors.Is(err, boom) {
				t.Errorf("Down: %v, want %v", err, boom)
			}
		}
		left, err := s.driver.List(t.Context())
		if err != nil || len(left) != 1 || left[0].Environment != e.ID() {
			t.Errorf("the driver lists %v (%v), want the environment", left, err)
		}
		if removed, err := s.store.Collect(t.Context(), s.driver); err != nil || len(removed) > 0 {
			t.Errorf("of an environment whose process lives, Collect removed %v (%v)", removed, err)
		}
		s.driver.Options.FailClose = nil
		for _, r := range left {
			if err := s.driver.Remove(t.Context(), r); err != nil {
				t.Error(err)
			}
		}
		s.nothingLeft(t)
	})
}

// stubborn takes no notice of being asked to stop.
func stubborn(_ context.Context, h *memory.Host, _ []string) int {
	l, err := h.Listen(1)
	if err != nil {
		return 1
	}
	_, _ = l.Accept() // until it is killed
	return 0
}

func TestGrace(t *testing.T) {
	for _, test := range []struct {
		name  string
		grace time.Duration
		bound time.Duration // on the polite part
		want  time.Duration
	}{
		{"the Compose file's", 3 * time.Second, time.Minute, 3 * time.Second},
		{"the default", 0, time.Minute, 10 * time.Second},
		{"cut short", 30 * time.Second, time.Second, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				s.programs["stubborn"] = stubborn
				e, err := s.up(t, t.Context(), []rehearse.Service{{Name: "mule", Image: "stubborn", StopGrace: rehearse.Duration(test.grace)}})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), test.bound)
				defer cancel()
				begun := time.Now()
				if err := e.Down(ctx); err != nil {
					t.Error(err)
				}
				if got := time.Since(begun); got != test.want {
					t.Errorf("it was killed after %v of the bubble's time, want %v", got, test.want)
				}
				s.nothingLeft(t)
			})
		})
	}
}

// memoryLog is an opened log file.
type memoryLog struct {
	text   strings.Builder
	fail   error
	closed bool
}

func (l *memoryLog) Write(b []byte) (int, error) {
	if l.fail != nil {
		return 0, l.fail
	}
	return l.text.Write(b)
}

func (l *memoryLog) Close() error {
	l.closed = true
	return nil
}

func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		log := &memoryLog{}
		s.openLog = func(rehearse.ServiceName) (io.WriteCloser, error) { return log, nil }
		s.programs["talk"] = func(_ context.Context, h *memory.Host, _ []string) int {
			fmt.Fprint(h.Stdout(), "one\r\nt")
			fmt.Fprint(h.Stderr(), "what?\n")
			fmt.Fprint(h.Stdout(), "wo\nwithout an end")
			return 0
		}
		e, err := s.up(t, t.Context(), []rehearse.Service{{Name: "talk", Image: "talk", Job: true}})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Down(t.Context()); err != nil {
			t.Error(err)
		}
		var got []string
		for line := range strings.Lines(log.text.String()) {
			_, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ") // after the time
			got = append(got, text)
		}
		if want := []string{"out one", "err what?", "out two", "out without an end"}; !cmp.Equal(got, want) {
			t.Errorf("the log is %q, want %q", got, want)
		}
		if !log.closed {
			t.Error("the log was not closed")
		}
		s.nothingLeft(t)
	})
}

// TestFullDisk has a log that cannot be written. The services go on; Down says
// that lines are missing.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		full := errors.New("no space left on device")
		s.openLog = func(rehearse.ServiceName) (io.WriteCloser, error) { return &memoryLog{fail: full}, nil }
		e, err := s.up(t, t.Context(), []rehearse.Service{{Name: "db", Image: "serve", Command: []string{"0s", "1"}, Ready: port(1)}})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Down(t.Context()); !errors.Is(err, full) {
			t.Errorf("Down: %v, want %v", err, full)
		}
		s.nothingLeft(t)
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		e := s.mustUp(t, []rehearse.Service{
			{Name: "migrate", Image: "job", Command: []string{"1s", "0"}, Job: true},
			{Name: "db", Image: "idle"},
		}, rehearse.LinkSpec{ID: "ingress:db", Client: rehearse.Ingress, Upstream: "db", Names: []string{"db"}, Ports: []int{80}})
		got := e.Status(t.Context())
		want := []environment.Status{{Service: "migrate", State: rehearse.Done}, {Service: "db", State: rehearse.Ready, URL: e.URL("db")}}
		want[1].Usage.Processes = 1
		for i := range got {
			got[i].Since = time.Time{}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Status (-want +got):\n%s", diff)
		}
		if e.URL("db") == "" || e.URL("migrate") != "" {
			t.Errorf("the addresses are %q and %q; only the first has an ingress", e.URL("db"), e.URL("migrate"))
		}
	})
}
