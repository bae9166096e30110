package environment_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/driver/memory"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -update writes it anew:\n%s", path, diff)
	}
}

// stage is where a test puts an environment up: an in-memory driver that knows
// the programs of this file and those that a test adds, and a store.
type stage struct {
	driver   *memory.Driver
	programs map[string]memory.Program
	store    *environment.Store
	record   *environment.Record
	begun    time.Time
	openLog  func(rehearse.ServiceName) (io.WriteCloser, error)
	migrate  func(context.Context, rehearse.Service, driver.Filling) (rehearse.MigrationResult, error)

	mu     sync.Mutex
	events []event
}

type event struct {
	at time.Duration
	rehearse.ServiceEvent
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{programs: map[string]memory.Program{
		"serve": serve, "echo": echo, "web": web, "job": job, "idle": idle, "fail": fail,
	}}
	s.driver = memory.New(s.programs)
	s.store = &environment.Store{Root: filepath.Join(t.TempDir(), "environments")}
	return s
}

// up puts an environment up. The services need no links unless the test gives
// some.
func (s *stage) up(t *testing.T, ctx context.Context, services []rehearse.Service, links ...rehearse.LinkSpec) (*environment.Environment, error) {
	t.Helper()
	for i := range services {
		if services[i].Ready.Timeout == 0 {
			services[i].Ready.Timeout = rehearse.Duration(time.Minute)
		}
	}
	var err error
	s.record, err = s.store.Create(environment.Meta{Project: "stage", Driver: s.driver.Name(), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	s.begun = time.Now()
	return environment.Up(ctx, environment.Options{
		ID: s.record.ID, Plan: &rehearse.Plan{Project: "stage", Services: services, Links: links},
		Driver: s.driver, Dir: s.record.Place(), Journal: s.record, OpenLog: s.openLog, Migrate: s.migrate,
		OnEvent: func(ev rehearse.ServiceEvent) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, event{time.Since(s.begun), ev})
		},
	})
}

// mustUp puts an environment up that has to come up, and takes it down in the
// end.
func (s *stage) mustUp(t *testing.T, services []rehearse.Service, links ...rehearse.LinkSpec) *environment.Environment {
	t.Helper()
	e, err := s.up(t, t.Context(), services, links...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Down(context.Background()); err != nil {
			t.Error(err)
		}
		s.nothingLeft(t)
	})
	return e
}

// nothingLeft checks that neither the driver nor the store has anything any
// more, once the record is closed.
func (s *stage) nothingLeft(t *testing.T) {
	t.Helper()
	left, err := s.driver.List(context.Background())
	if err != nil || len(left) > 0 {
		t.Errorf("the driver has left %v (%v)", left, err)
	}
	if n := s.driver.Strays(); n > 0 {
		t.Errorf("%d programs have not returned", n)
	}
	if err := s.record.Close(); err != nil {
		t.Error(err)
	}
	if files, err := os.ReadDir(s.store.Root); err != nil || len(files) > 0 {
		t.Errorf("the store has left %v (%v)", files, err)
	}
}

// of lists the states that a service went through.
func (s *stage) of(name rehearse.ServiceName) []rehearse.ServiceState {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []rehearse.ServiceState
	for _, ev := range s.events {
		if ev.Service == name {
			out = append(out, ev.State)
		}
	}
	return out
}

// restarts is how often a service was started again, by its events.
func (s *stage) restarts(name rehearse.ServiceName) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ev := range s.events {
		if ev.Service == name {
			n = max(n, ev.Restart)
		}
	}
	return n
}

// last is the last event with a state.
func (s *stage) last(t *testing.T, name rehearse.ServiceName, state rehearse.ServiceState) rehearse.ServiceEvent {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ev := range slices.Backward(s.events) {
		if ev.Service == name && ev.State == state {
			return ev.ServiceEvent
		}
	}
	t.Fatalf("%s was never %s", name, state)
	return rehearse.ServiceEvent{}
}

// transcript writes the events down. What happens at the same moment of a
// bubble's clock has no order; it is sorted by service, where it has one.
func (s *stage) transcript() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := slices.Clone(s.events)
	slices.SortStableFunc(events, func(a, b event) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return strings.Compare(string(a.Service), string(b.Service))
	})
	var b strings.Builder
	for _, ev := range events {
		fmt.Fprintf(&b, "%8v  %-8s %s", ev.at, ev.Service, ev.State)
		if ev.After > 0 {
			fmt.Fprintf(&b, " after %v", ev.After)
		}
		if ev.ExitCode != nil {
			fmt.Fprintf(&b, ", exit %d", *ev.ExitCode)
		}
		if ev.Detail != "" {
			fmt.Fprintf(&b, ": %s", ev.Detail)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func states(s ...rehearse.ServiceState) []rehearse.ServiceState { return s }

// pause is a program's way to take its time.
func pause(ctx context.Context, d string) {
	t, err := time.ParseDuration(d)
	if err != nil {
		panic(err)
	}
	select {
	case <-time.After(t):
	case <-ctx.Done():
	}
}

// serve TIME PORT starts to listen after a time, says so, and reads whatever
// comes.
func serve(ctx context.Context, h *memory.Host, args []string) int {
	return listen(ctx, h, args, func(r *bufio.Reader, w io.Writer) { _, _ = io.Copy(io.Discard, r) })
}

// echo TIME PORT does the same and answers each line with it.
func echo(ctx context.Context, h *memory.Host, args []string) int {
	return listen(ctx, h, args, func(r *bufio.Reader, w io.Writer) {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if _, err := io.WriteString(w, line); err != nil {
				return
			}
		}
	})
}

func listen(ctx context.Context, h *memory.Host, args []string, talk func(*bufio.Reader, io.Writer)) int {
	pause(ctx, args[0])
	port, err := strconv.Atoi(args[1])
	if err != nil {
		return 2
	}
	l, err := h.Listen(port)
	if err != nil {
		fmt.Fprintln(h.Stderr(), err)
		return 1
	}
	fmt.Fprintln(h.Stdout(), "listening on", port)
	var talks sync.WaitGroup
	defer talks.Wait()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			return 0
		}
		stop := context.AfterFunc(ctx, func() { c.Close() })
		talks.Go(func() {
			defer stop()
			defer c.Close()
			talk(bufio.NewReader(c), c)
		})
	}
}

// web TIME PORT STATUS... is an HTTP server that comes up after a time and answers
// with one status after the other, and with the last from then on.
func web(ctx context.Context, h *memory.Host, args []string) int {
	pause(ctx, args[0])
	port, err := strconv.Atoi(args[1])
	if err != nil {
		return 2
	}
	l, err := h.Listen(port)
	if err != nil {
		return 1
	}
	var mu sync.Mutex
	statuses := args[2:]
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		code, err := strconv.Atoi(statuses[0])
		if err != nil {
			panic(err)
		}
		if len(statuses) > 1 {
			statuses = statuses[1:]
		}
		w.WriteHeader(code)
		fmt.Fprintf(w, "%s is not what you want", r.URL.Path)
	})}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	_ = server.Serve(l) // ends when it is closed
	return 0
}

// job TIME CODE ends after a time.
func job(ctx context.Context, h *memory.Host, args []string) int {
	pause(ctx, args[0])
	fmt.Fprintln(h.Stdout(), "the job is done")
	code, err := strconv.Atoi(args[1])
	if err != nil {
		return 2
	}
	return code
}

// idle does nothing.
func idle(ctx context.Context, _ *memory.Host, _ []string) int {
	<-ctx.Done()
	return 0
}

// fail says why and exits with 3.
func fail(_ context.Context, h *memory.Host, _ []string) int {
	fmt.Fprintln(h.Stdout(), "reading the configuration")
	fmt.Fprintln(h.Stderr(), "no such table: customers")
	return 3
}

func port(n int) rehearse.Readiness {
	return rehearse.Readiness{Probes: []rehearse.Probe{{Port: n}}}
}

func needs(list ...rehearse.Need) []rehearse.Need { return list }

func need(name rehearse.ServiceName, c rehearse.Condition) rehearse.Need {
	return rehearse.Need{Service: name, Condition: c}
}
