package environment_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver/memory"
)

// TestProbes has one service for each kind of probe, which is not ready at first.
func TestProbes(t *testing.T) {
	// slowly lets a program answer yes from the third question on.
	slowly := func() memory.Program {
		asked := 0
		return func(_ context.Context, h *memory.Host, args []string) int {
			if asked++; asked < 3 {
				fmt.Fprintln(h.Stderr(), "not yet")
				return 1
			}
			return 0
		}
	}
	for _, test := range []struct {
		name     string
		service  rehearse.Service
		probe    rehearse.Probe
		programs map[string]memory.Program
	}{
		{name: "port", service: rehearse.Service{Image: "serve", Command: []string{"1s", "5432"}}, probe: rehearse.Probe{Port: 5432}},
		{
			name: "http, any good status", service: rehearse.Service{Image: "web", Command: []string{"15ms", "80", "503", "404", "302"}},
			probe: rehearse.Probe{HTTP: &rehearse.HTTPGet{Port: 80, Path: "/healthz?deep=1"}},
		},
		{
			name: "http, one status", service: rehearse.Service{Image: "web", Command: []string{"15ms", "80", "200", "401"}},
			probe: rehearse.Probe{HTTP: &rehearse.HTTPGet{Port: 80, Path: "/", Status: 401}},
		},
		{name: "log", service: rehearse.Service{Image: "serve", Command: []string{"1s", "5432"}}, probe: rehearse.Probe{Log: `^listening on \d+$`}},
		{
			name: "command", service: rehearse.Service{Image: "idle"}, probe: rehearse.Probe{Command: []string{"check", "deep"}},
			programs: map[string]memory.Program{"check": slowly()},
		},
		{
			name: "shell", service: rehearse.Service{Image: "idle"}, probe: rehearse.Probe{Shell: "test -f ready && true"},
			programs: map[string]memory.Program{"/bin/sh": slowly()},
		},
		{
			name: "query", service: rehearse.Service{Image: "cache"}, probe: rehearse.Probe{Query: "memcached"},
			programs: map[string]memory.Program{"cache": func(ctx context.Context, h *memory.Host, _ []string) int {
				asked := 0
				return listen(ctx, h, []string{"1s", "11211"}, func(r *bufio.Reader, w io.Writer) {
					if _, err := r.ReadString('\n'); err != nil {
						return
					}
					if asked++; asked < 3 {
						fmt.Fprint(w, "ERROR\r\n")
						return
					}
					fmt.Fprint(w, "VERSION 1.6\r\n")
				})
			}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				for name, p := range test.programs {
					s.programs[name] = p
				}
				service := test.service
				service.Name, service.Ready.Probes = "it", []rehearse.Probe{test.probe}
				s.mustUp(t, []rehearse.Service{service})
				if after := s.last(t, "it", rehearse.Ready).After; after == 0 {
					t.Error("it was ready before it could be")
				}
			})
		})
	}
}

// TestEveryProbeHolds has a service that listens long before it says that it is
// there.
func TestEveryProbeHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.programs["warm"] = func(ctx context.Context, h *memory.Host, _ []string) int {
			l, err := h.Listen(80)
			if err != nil {
				return 1
			}
			defer l.Close()
			pause(ctx, "5s")
			fmt.Fprintln(h.Stdout(), "caches are warm")
			return idle(ctx, h, nil)
		}
		s.mustUp(t, []rehearse.Service{{Name: "it", Image: "warm", Ready: rehearse.Readiness{Probes: []rehearse.Probe{{Port: 80}, {Log: "warm"}}}}})
		if after := time.Duration(s.last(t, "it", rehearse.Ready).After); after < 5*time.Second {
			t.Errorf("it was ready after %v, before its log said so", after)
		}
	})
}

func TestNotReady(t *testing.T) {
	for _, test := range []struct {
		name      string
		service   rehearse.Service
		probe     rehearse.Probe
		msg, hint string
	}{
		{
			"a port never opened", rehearse.Service{Image: "serve", Command: []string{"0s", "8081"}}, rehearse.Probe{Port: 8080},
			`service "it" was not ready after 3s: nothing listens on port 8080 (`,
			"Does it listen on another port, or on 127.0.0.1 of another program? Correct services.it.ports in rehearse.yaml. Its last lines were:\n  listening on 8081",
		},
		{
			"a page that fails", rehearse.Service{Image: "web", Command: []string{"15ms", "80", "500"}}, rehearse.Probe{HTTP: &rehearse.HTTPGet{Port: 80, Path: "/healthz"}},
			`service "it" was not ready after 3s: GET /healthz: 500 Internal Server Error: /healthz is not what you want`,
			"Give it more time or another question with services.it.ready in rehearse.yaml.",
		},
		{
			"a command that fails", rehearse.Service{Image: "idle"}, rehearse.Probe{Command: []string{"fail"}},
			"service \"it\" was not ready after 3s: fail: exit 3: reading the configuration\nno such table: customers",
			"Give it more time or another question with services.it.ready in rehearse.yaml.",
		},
		{
			"a log that never says so", rehearse.Service{Image: "idle"}, rehearse.Probe{Log: "ready to accept"},
			`service "it" was not ready after 3s: no line of its log matches ready to accept`,
			"Give it more time or another question with services.it.ready in rehearse.yaml.",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				service := test.service
				service.Name = "it"
				service.Ready = rehearse.Readiness{Probes: []rehearse.Probe{test.probe}, Timeout: rehearse.Duration(3 * time.Second)}
				_, err := s.up(t, t.Context(), []rehearse.Service{service})
				var one *rehearse.Error
				if !errors.As(err, &one) || one.Kind != rehearse.NotReady {
					t.Fatalf("Up: %v, want an error of kind NotReady", err)
				}
				if !strings.HasPrefix(one.Msg, test.msg) {
					t.Errorf("message %q, want %q", one.Msg, test.msg)
				}
				if diff := cmp.Diff(test.hint, one.Hint); diff != "" {
					t.Errorf("hint (-want +got):\n%s", diff)
				}
				s.nothingLeft(t)
			})
		})
	}
}

// TestExitEndsTheWait has a service that ends while it is asked. Nobody waits
// for the end of its time then.
func TestExitEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.programs["short"] = func(ctx context.Context, h *memory.Host, _ []string) int {
			for i := range 20 {
				fmt.Fprintln(h.Stdout(), "line", i)
			}
			pause(ctx, "2s")
			fmt.Fprint(h.Stderr(), "giving up") // without an end of the line
			return 1
		}
		begun := time.Now()
		_, err := s.up(t, t.Context(), []rehearse.Service{{Name: "it", Image: "short", Ready: rehearse.Readiness{
			Probes: []rehearse.Probe{{Port: 80}}, Timeout: rehearse.Duration(time.Hour),
		}}})
		if rehearse.KindOf(err) != rehearse.NotReady || !strings.Contains(err.Error(), "ended before it was ready: exit 1") {
			t.Errorf("Up: %v", err)
		}
		if took := time.Since(begun); took != 2*time.Second {
			t.Errorf("it took %v of the bubble's time, want 2s", took)
		}
		var want []string
		for i := 9; i < 20; i++ {
			want = append(want, fmt.Sprint("line ", i))
		}
		if diff := cmp.Diff(append(want, "giving up"), s.last(t, "it", rehearse.Failed).LogTail); diff != "" {
			t.Errorf("its last lines (-want +got):\n%s", diff)
		}
		s.nothingLeft(t)
	})
}

func TestImpossibleProbes(t *testing.T) {
	for _, probe := range []rehearse.Probe{{}, {Log: "("}, {Query: "no such recipe"}} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t)
			_, err := s.up(t, t.Context(), []rehearse.Service{{Name: "it", Image: "idle", Ready: rehearse.Readiness{Probes: []rehearse.Probe{probe}}}})
			if err == nil {
				t.Errorf("Up with the probe %+v succeeds", probe)
			}
			s.nothingLeft(t)
		})
	}
}

// TestRunsOn has services of which nothing can be asked, and which end after a
// time.
func TestRunsOn(t *testing.T) {
	for _, test := range []struct {
		after   string
		code    int
		restart string
		ready   bool
		want    []rehearse.ServiceState
	}{
		{"200ms", 3, "", false, states(rehearse.Waiting, rehearse.Starting, rehearse.Failed)},
		{"200ms", 0, "", true, states(rehearse.Waiting, rehearse.Starting, rehearse.Done)},
		{"300ms", 3, "", true, states(rehearse.Waiting, rehearse.Starting, rehearse.Ready, rehearse.Failed)},
		{"200ms", 3, "on-failure:1", false, states(rehearse.Waiting, rehearse.Starting, rehearse.Starting, rehearse.Starting, rehearse.Failed)},
	} {
		t.Run(fmt.Sprint(test.after, " ", test.code, " ", test.restart), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				s.programs["it"] = func(ctx context.Context, h *memory.Host, _ []string) int {
					fmt.Fprintln(h.Stderr(), "no configuration")
					pause(ctx, test.after)
					return test.code
				}
				e, err := s.up(t, t.Context(), []rehearse.Service{{Name: "it", Image: "it", Restart: test.restart}})
				if test.ready != (err == nil) {
					t.Errorf("Up: %v, want ready: %t", err, test.ready)
				}
				if known, ok := errors.AsType[*rehearse.Error](err); err != nil && (!ok || !strings.Contains(known.Msg, "exit 3") || !strings.Contains(known.Hint, "no configuration")) {
					t.Errorf("Up: %v, want its exit code and its last lines", err)
				}
				time.Sleep(time.Second) // of the bubble's clock
				got := slices.DeleteFunc(s.of("it"), func(s rehearse.ServiceState) bool { return s == rehearse.Building })
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("it went through (-want +got):\n%s", diff)
				}
				if test.restart != "" {
					if got := s.restarts("it"); got != 1 {
						t.Errorf("the evidence has %d restarts, want 1", got)
					}
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
