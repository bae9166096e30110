package environment

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/link"
	"github.com/rehearse-dev/rehearse/internal/otlp"
	"github.com/rehearse-dev/rehearse/internal/spans"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
)

// Telemetry is where an environment's spans, logs and metrics go.
type Telemetry struct {
	Store *telemetry.Store // the caller's to close, after Down
	// Resource are attributes of every service besides the environment and the
	// leg: the commit, the pull request.
	Resource map[string]string
}

// Where services find the receiver of their telemetry. Each has a listener of its
// own there, so that nobody can speak in another's name.
const (
	telemetryHost = "telemetry.rehearse"
	telemetryPort = 4318
)

// withTelemetry is the plan with what OpenTelemetry's SDKs read from their
// environment: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
func withTelemetry(o Options) *rehearse.Plan {
	if o.Telemetry == nil {
		return o.Plan
	}
	plan := *o.Plan
	plan.Services = slices.Clone(plan.Services)
	resource := map[string]string{
		"deployment.environment.name": string(o.ID), "rehearse.environment": string(o.ID), "rehearse.leg": plan.Leg.Name,
	}
	maps.Copy(resource, o.Telemetry.Resource)
	for i := range plan.Services {
		s := &plan.Services[i]
		env := withoutDestination(s.Env)
		if env == nil {
			env = map[string]string{}
		}
		env["OTEL_EXPORTER_OTLP_ENDPOINT"] = fmt.Sprintf("http://%s:%d", telemetryHost, telemetryPort)
		if env["OTEL_SERVICE_NAME"] == "" {
			env["OTEL_SERVICE_NAME"] = string(s.Name)
		}
		env["OTEL_RESOURCE_ATTRIBUTES"] = attributes(env["OTEL_RESOURCE_ATTRIBUTES"], resource)
		s.Env = env
		if s.Process != nil { // whose variables go before those
			p := *s.Process
			p.Env = withoutDestination(p.Env)
			if own, ok := p.Env["OTEL_RESOURCE_ATTRIBUTES"]; ok {
				p.Env["OTEL_RESOURCE_ATTRIBUTES"] = attributes(own, resource)
			}
			s.Process = &p
		}
	}
	return &plan
}

// withoutDestination is an environment that does not say where to send telemetry,
// or how: here there is only us.
func withoutDestination(env map[string]string) map[string]string {
	env = maps.Clone(env)
	maps.DeleteFunc(env, func(name, _ string) bool {
		return strings.HasPrefix(name, "OTEL_EXPORTER_OTLP_") && slices.ContainsFunc([]string{"_ENDPOINT", "_HEADERS", "_CERTIFICATE", "_CLIENT_KEY"}, func(what string) bool {
			return strings.HasSuffix(name, what)
		})
	})
	return env
}

// attributes adds resource attributes to those that the service has itself.
func attributes(own string, more map[string]string) string {
	var parts []string
	if own = strings.Trim(own, ", "); own != "" {
		parts = append(parts, own)
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		parts = append(parts, name+"="+url.PathEscape(more[name]))
	}
	return strings.Join(parts, ",")
}

// openTelemetry listens for each service's telemetry, as the service sees it.
func (e *Environment) openTelemetry(ctx, life context.Context) error {
	t := e.o.Telemetry
	if t == nil {
		return nil
	}
	for _, name := range e.order {
		server := otlp.Server(otlp.Handler(t.Store.Service(name)))
		_, err := e.listen(ctx, opening{client: name, names: []string{telemetryHost}, port: telemetryPort, serve: func(ln net.Listener) {
			serveUntil(life, server, ln)
		}})
		if err != nil {
			return fmt.Errorf("listen for the telemetry of %s: %w", name, err)
		}
		if err := e.carryFlat(name, telemetryHost); err != nil {
			return fmt.Errorf("reach the telemetry of %s: %w", name, err)
		}
	}
	return nil
}

// carryFlat opens the way from a client to what listens there under a name, where
// packets need one.
func (e *Environment) carryFlat(client rehearse.ServiceName, host string) error {
	carriers, ok := e.inner.(driver.Carrier)
	spec := rehearse.LinkSpec{Client: client, Names: []string{host}}
	if !ok || !carriers.Carries(spec) {
		return nil
	}
	c, err := carriers.Carry(spec)
	if err != nil {
		return err
	}
	c.Set(rehearse.Shape{})
	return nil
}

// serveUntil answers until life ends.
func serveUntil(life context.Context, s *http.Server, ln net.Listener) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Serve(ln) // until it is closed
	}()
	<-life.Done()
	s.Close()
	<-ended
}

// watch has a link tell of its calls.
func (e *Environment) watch(l *link.Link, spec rehearse.LinkSpec) {
	t := e.o.Telemetry
	if t == nil {
		return
	}
	calls, connections := spans.New(spec), spans.New(spec)
	l.Watch(link.Watch{
		Calls: func(batch []link.Call, lost int) {
			t.Store.AddSpans(calls.Of(batch))
			t.Store.Missed(lost)
		},
		Connection: func(c link.Connection) { t.Store.AddSpans([]rehearse.Span{connections.Connection(c)}) },
		Propagate:  !e.o.Plan.Telemetry.NoPropagate,
		Seed:       [2]uint64{e.o.Plan.Seed ^ hash(string(e.o.ID)), hash(string(spec.ID) + "\x00" + string(e.o.ID))},
	})
}

// Quiet waits until nothing is in flight on any link, and reports whether that
// came before ctx ended: then no call is under way, and none is about to be
// made by one that is.
func (e *Environment) Quiet(ctx context.Context) bool {
	for {
		before := e.turns()
		if e.quiet() && before == e.turns() {
			e.Flush()
			return true
		}
		select {
		case <-ctx.Done():
			e.Flush()
			return false
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// turns counts what passes on any link.
func (e *Environment) turns() (n int64) {
	for _, l := range e.links {
		s := l.Stats()
		n += s.RoundTrips + s.BytesUp + s.BytesDown
	}
	return n
}

func (e *Environment) quiet() bool {
	for _, l := range e.links {
		if !l.Quiet() {
			return false
		}
	}
	return true
}

// Flush has every link tell of the calls that have ended.
func (e *Environment) Flush() {
	for _, l := range e.links {
		l.Flush()
	}
}

// logged keeps a line that a service wrote.
func (e *Environment) logged(name rehearse.ServiceName, stream, line string, at time.Time) {
	if t := e.o.Telemetry; t != nil {
		t.Store.AddLog(telemetry.ParseLine(name, stream, line, at))
	}
}
