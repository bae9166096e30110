package rehearsetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/api"
)

// Environment is an environment that stands. What it cannot do fails the test, so that its
// methods are called from the test's own goroutine, but for Exec.
type Environment struct {
	t      testing.TB
	id     rehearse.EnvironmentID
	client *api.Client

	mu      sync.Mutex
	touched map[rehearse.LinkID]bool // links that the test has set
}

// ID names the environment, as rehearse ls does.
func (e *Environment) ID() rehearse.EnvironmentID { return e.id }

// API is the base URL of the environment's HTTP API below /v1, and of Toxiproxy's
// for its links.
func (e *Environment) API() string { return e.client.Base }

// Token is what the HTTP API asks for, as "Authorization: Bearer TOKEN".
func (e *Environment) Token() string { return e.client.Token }

// URL is where the test reaches a port of a service by HTTP, through a link.
func (e *Environment) URL(service string, port int) string {
	e.t.Helper()
	return "http://" + e.Addr(service, port)
}

// Addr is where the test reaches a port of a service, as host:port, through a link
// on this host's loopback.
func (e *Environment) Addr(service string, port int) string {
	e.t.Helper()
	s := e.service(service)
	var ports []string
	for _, a := range s.Addresses {
		if a.Port == port {
			return a.Address
		}
		ports = append(ports, fmt.Sprint(a.Port))
	}
	e.fatal(&rehearse.Error{
		Kind: rehearse.Invalid, Msg: fmt.Sprintf("service %q is not known to listen on port %d, but on: %s", service, port, strings.Join(ports, ", ")),
		Hint: "Name the port in the Compose file, under ports or expose.",
	})
	return ""
}

func (e *Environment) service(name string) api.Service {
	e.t.Helper()
	services, err := e.client.Services(context.Background())
	e.must(err)
	var known []string
	for _, s := range services {
		if string(s.Service) == name {
			return s
		}
		known = append(known, string(s.Service))
	}
	e.fatal(unknown("service", name, known))
	return api.Service{}
}

// Exec runs a command where a service runs, with its files, names, network and
// user, and waits for its end. A command that fails is no error: its exit code says
// so.
func (e *Environment) Exec(ctx context.Context, service string, args ...string) (stdout, stderr string, code int, err error) {
	x, err := e.client.Exec(ctx, rehearse.ServiceName(service), api.Exec{Args: args})
	return x.Stdout, x.Stderr, x.Code, err
}

// Logs is what a service has written until now: its stdout and stderr, line by line.
func (e *Environment) Logs(service string) string {
	e.t.Helper()
	logs, err := e.client.Logs(context.Background(), rehearse.ServiceName(service), 0)
	e.must(err)
	return text(logs)
}

func text(logs api.Logs) string {
	var b strings.Builder
	for _, l := range logs.Lines {
		b.WriteString(l.Text + "\n")
	}
	return b.String()
}

// Reset throws away what a service has written, starts it again with its first data
// and waits until it is ready. Connections to it end; its links stay.
func (e *Environment) Reset(service string) {
	e.t.Helper()
	e.must(e.client.Reset(context.Background(), rehearse.ServiceName(service)))
}

// tailLines are how many of a service's last lines a failed test shows.
const tailLines = 20

// tellFailure logs how the services ended up, when the test has failed.
func (e *Environment) tellFailure() {
	if !e.t.Failed() {
		return
	}
	services, err := e.client.Services(context.Background())
	if err != nil {
		e.t.Log(describe(err))
		return
	}
	for _, s := range services {
		logs, err := e.client.Logs(context.Background(), s.Service, tailLines)
		if err != nil {
			e.t.Log(describe(err))
			continue
		}
		e.t.Logf("service %s is %s; its last lines:\n%s", s.Service, s.State, text(logs))
	}
}

func (e *Environment) must(err error) {
	e.t.Helper()
	if err != nil {
		e.fatal(err)
	}
}

func (e *Environment) fatal(err error) {
	e.t.Helper()
	e.t.Fatal(describe(err))
}

// unknown is a name that stands for nothing in the environment.
func unknown(what, name string, known []string) error {
	slices.Sort(known)
	hint := "There are: " + strings.Join(known, ", ") + "."
	if near, ok := rehearse.Nearest(name, known); ok {
		hint = "Did you mean " + near + "?"
	}
	return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("the environment has no %s %q", what, name), Hint: hint}
}
