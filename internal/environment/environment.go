// Package environment turns a plan and a driver into one running, isolated copy
// of the project, and back into nothing.
//
// [Up] opens every link, prepares and starts every service in the order that the
// needs allow, waits until each is really ready, and undoes itself when that
// fails. [Environment.Down] takes it apart in reverse. A [Store] keeps the
// records by which [Store.Collect] finds what a dead process has left.
//
//	          ┌ link ┐          ┌ link ┐
//	ingress ──┤      ├─ service ┤      ├─ service        one driver.Environment
//	          └──────┘          └──────┘
package environment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/authority"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/toxiproxy"
)

// Options are what an environment is made from.
type Options struct {
	ID      rehearse.EnvironmentID
	Plan    *rehearse.Plan
	Driver  driver.Driver
	Dir     string         // the environment's own directory, which exists
	Journal driver.Journal // of what is created outside Dir
	Talk    io.Writer      // of builds and data preparation; nil: discarded
	// OnEvent is told of every change of a service's state, in order, from one
	// goroutine at a time. It must not block for long. May be nil.
	OnEvent func(rehearse.ServiceEvent)
	// OnHappening is told what was done to services beneath them, as OnEvent is, where
	// the driver knows: what came from outside, and what a verdict asks about. May be
	// nil.
	OnHappening func(rehearse.Happening)
	// OpenLog opens the file that a service's output is appended to. Nil: the
	// output is kept only as far as the last lines.
	OpenLog func(rehearse.ServiceName) (io.WriteCloser, error)
	// Telemetry is kept where it is not nil.
	Telemetry *Telemetry
	// Fill and FillKey generate datasets; see driver.Spec. They may be nil when no
	// service has one.
	Fill    func(ctx context.Context, service rehearse.Service, into driver.Filling) error
	FillKey func(service rehearse.Service) ([]string, error)
	// Migrate runs the migrations of a service's dataset when the service is first
	// ready, before those that need it start, and again when it is reset. That one
	// fails stands in the result. May be nil when no service has any.
	Migrate func(ctx context.Context, service rehearse.Service, at driver.Filling) (rehearse.MigrationResult, error)
	// OnMigration is told what migrations did, as OnEvent is. May be nil.
	OnMigration func(rehearse.MigrationResult)
	// OnFact is told of each fact of the environment as it comes to be known, and
	// OnLink of each change of a link, as OnEvent is. May be nil.
	OnFact func(rehearse.Fact)
	OnLink func(rehearse.LinkEvent)
	// API makes what answers where the links' API does: it is given the environment,
	// which is not up yet, and the links' API. Nil: the links' API alone.
	API func(e *Environment, links http.Handler) http.Handler
}

// Environment is a running environment.
type Environment struct {
	o        Options
	inner    driver.Environment
	services map[rehearse.ServiceName]*service
	order    []rehearse.ServiceName

	links     map[rehearse.LinkID]*Link
	linkOrder []rehearse.LinkID
	listening listening
	tls       *authority.Authority // nil when no link ends TLS
	api       *toxiproxy.Server
	apiAddr   driver.Address

	stopLinks context.CancelFunc
	stopAll   context.CancelCauseFunc
	running   sync.WaitGroup // links and services
	failures  chan error     // of services before they were ready, and of listeners, in the order in which they failed
	events    sync.Mutex
	facts     []rehearse.Fact // of which OnFact has been told; events guards it, and isDown
	isDown    bool            // nobody listens any more

	meter meter

	down    sync.Once
	downErr error
}

// Up makes an environment and waits until every service is ready. When it fails,
// or ctx ends, it leaves nothing behind.
func Up(ctx context.Context, o Options) (_ *Environment, err error) {
	if o.Talk == nil {
		o.Talk = io.Discard
	}
	tls, err := newAuthority(o)
	if err != nil {
		return nil, err
	}
	linkCtx, stopLinks := context.WithCancel(context.WithoutCancel(ctx))
	lifeCtx, stopAll := context.WithCancelCause(context.WithoutCancel(ctx))
	e := &Environment{
		o: o, tls: tls,
		services:  map[rehearse.ServiceName]*service{},
		links:     map[rehearse.LinkID]*Link{},
		listening: newListening(),
		stopLinks: stopLinks, stopAll: stopAll,
		failures: make(chan error, len(o.Plan.Services)+1),
		meter:    meter{began: time.Now(), services: map[rehearse.ServiceName]*metered{}},
	}
	spec := driver.Spec{
		ID: o.ID, Plan: withTelemetry(o), Dir: o.Dir, Journal: o.Journal, OnFact: e.tellFact, Log: o.Talk, Fill: o.Fill, FillKey: o.FillKey,
	}
	if tls != nil {
		spec.Authority = tls.PEM()
	}
	if e.inner, err = o.Driver.Open(ctx, spec); err != nil {
		stopLinks()
		stopAll(err)
		return nil, err
	}
	defer func() {
		if err != nil {
			// What failed is the news; that tidying up failed too comes second.
			err = errors.Join(err, e.Down(context.WithoutCancel(ctx)))
		}
	}()
	for _, s := range o.Plan.Services {
		e.services[s.Name] = newService(e, s)
		e.order = append(e.order, s.Name)
	}
	for _, f := range e.inner.Facts() {
		e.tellFact(f) // of a driver that does not tell by itself
	}
	e.running.Go(func() { e.watchKeeper(lifeCtx) })
	e.running.Go(func() { e.watchOutside(lifeCtx) })
	if err := e.openLinks(ctx, linkCtx); err != nil {
		return nil, err
	}
	if err := e.openTelemetry(ctx, linkCtx); err != nil {
		return nil, err
	}
	e.running.Go(func() { e.listenLater(lifeCtx) })
	if err := e.startAll(ctx, lifeCtx); err != nil {
		return nil, err
	}
	e.running.Go(func() { e.meterUntil(lifeCtx) })
	return e, nil
}

// watchKeeper says of every service that it is lost when what keeps the environment
// has gone.
func (e *Environment) watchKeeper(life context.Context) {
	k, ok := e.inner.(driver.Keeper)
	if !ok {
		return
	}
	select {
	case why := <-k.Lost():
		e.meter.miss()
		for _, name := range e.order {
			e.services[name].enter(rehearse.ServiceEvent{State: rehearse.Stopped, Lost: true, Detail: why.Error()})
		}
	case <-life.Done():
	}
}

// watchOutside passes on what was done to services beneath them while they live.
func (e *Environment) watchOutside(life context.Context) {
	if e.o.OnHappening == nil {
		return
	}
	e.Watch(life, func(ev driver.Event) {
		if ev.Outside || ev.Action == rehearse.HappenedOOM {
			e.events.Lock()
			defer e.events.Unlock()
			e.o.OnHappening(ev.Happening)
		}
	})
}

// Watch tells of all that happens to the environment's containers; see
// driver.Watcher. It returns at once where the driver knows of nothing.
func (e *Environment) Watch(ctx context.Context, told func(driver.Event)) {
	if w, ok := e.inner.(driver.Watcher); ok {
		w.Watch(ctx, told)
	}
}

// startAll starts every service and waits until all are ready and every listener
// stands, or one has failed for good.
func (e *Environment) startAll(ctx, life context.Context) error {
	for _, name := range e.order {
		s := e.services[name]
		e.running.Go(func() { s.run(life) })
	}
	for _, name := range e.order {
		s := e.services[name]
		select {
		case <-s.settled:
			if s.failure != nil {
				return <-e.failures
			}
		case err := <-e.failures:
			return err
		case <-ctx.Done():
			return interrupted(ctx)
		}
	}
	select {
	case <-e.listening.all:
		return nil
	case err := <-e.failures:
		return err
	case <-ctx.Done():
		return interrupted(ctx)
	}
}

func interrupted(ctx context.Context) error {
	return &rehearse.Error{Kind: rehearse.Interrupted, Msg: "interrupted while starting", Err: ctx.Err()}
}

// Down stops every service in reverse order of need, gives each the time that
// the Compose file grants, and removes everything. ctx bounds the polite part;
// what has not stopped by then is killed. It may be called more than once.
func (e *Environment) Down(ctx context.Context) error {
	e.down.Do(func() {
		e.stopAll(errStopping)
		levels := e.levelsDown()
		for i, level := range levels {
			var stopping sync.WaitGroup
			for _, s := range level {
				stopping.Go(func() { s.stop(ctx) })
			}
			if f, ok := e.inner.(driver.Finisher); ok && i == len(levels)-1 {
				f.Finish()
			}
			stopping.Wait()
		}
		e.stopLinks()
		e.downErr = e.inner.Close(context.WithoutCancel(ctx))
		e.running.Wait()
		e.Flush()
		for _, s := range e.services {
			e.downErr = errors.Join(e.downErr, s.log.close())
		}
		e.events.Lock()
		e.isDown = true
		e.events.Unlock()
	})
	return e.downErr
}

var errStopping = errors.New("the environment is going down")

// levelsDown are the services in groups that may stop side by side: whoever
// needs a service stops before it.
func (e *Environment) levelsDown() [][]*service {
	depth := map[rehearse.ServiceName]int{}
	deepest := 0
	for _, name := range e.order { // needs come first in the plan's order
		depth[name] = 0
		for _, n := range e.services[name].spec.Needs {
			if d, ok := depth[n.Service]; ok {
				depth[name] = max(depth[name], d+1)
			}
		}
		deepest = max(deepest, depth[name])
	}
	levels := make([][]*service, deepest+1)
	for _, name := range e.order {
		i := deepest - depth[name]
		levels[i] = append(levels[i], e.services[name])
	}
	return levels
}

// Plan is what the environment was made from.
func (e *Environment) Plan() *rehearse.Plan { return e.o.Plan }

// ID names the environment.
func (e *Environment) ID() rehearse.EnvironmentID { return e.o.ID }

// Facts says how the environment was made.
func (e *Environment) Facts() []rehearse.Fact { return e.inner.Facts() }

// Link finds a running link.
func (e *Environment) Link(id rehearse.LinkID) (*Link, bool) {
	l, ok := e.links[id]
	return l, ok
}

// Links is what every link has seen so far, in the plan's order.
func (e *Environment) Links() []rehearse.LinkStats {
	out := make([]rehearse.LinkStats, 0, len(e.linkOrder))
	for _, id := range e.linkOrder {
		out = append(out, e.links[id].Stats())
	}
	return out
}

// Ingress is where traffic for a service comes in; ok is false when the plan
// lets none in. Port 0 is the service's first.
func (e *Environment) Ingress(id rehearse.LinkID, port int) (a driver.Address, ok bool) {
	if l, ok := e.links[id]; ok {
		for _, ep := range l.endpoints {
			if port == 0 || ep.Port == port {
				return ep.Address, true
			}
		}
	}
	return driver.Address{}, false
}

// URL is where a person or a test reaches a service from this host; empty when
// the plan lets no traffic in.
func (e *Environment) URL(name rehearse.ServiceName) string {
	a, ok := e.Ingress(rehearse.MakeLinkID(rehearse.Ingress, name), 0)
	if !ok {
		return ""
	}
	return "http://" + net.JoinHostPort(a.Host, fmt.Sprint(a.Port))
}

// Exec runs a command inside a service.
func (e *Environment) Exec(ctx context.Context, name rehearse.ServiceName, cmd driver.Command) (int, error) {
	return e.inner.Exec(ctx, name, cmd)
}

// Dial connects to a service's port from inside.
func (e *Environment) Dial(ctx context.Context, name rehearse.ServiceName, port int) (net.Conn, error) {
	return e.inner.Dial(ctx, name, port)
}

// Status is where a service is now.
type Status struct {
	Service rehearse.ServiceName  `json:"service"`
	State   rehearse.ServiceState `json:"state"`
	Since   time.Time             `json:"since"`
	URL     string                `json:"url,omitempty"`
	Usage   driver.Usage          `json:"usage"`
	Detail  string                `json:"detail,omitempty"`
}

// States lists every service, in the plan's order, without what it uses.
func (e *Environment) States() []Status {
	out := make([]Status, 0, len(e.order))
	for _, name := range e.order {
		st := e.services[name].status()
		st.URL = e.URL(name)
		out = append(out, st)
	}
	return out
}

// Status lists every service, in the plan's order. Some drivers take a second to
// say what a service uses, so all are asked at once.
func (e *Environment) Status(ctx context.Context) []Status {
	out := e.States()
	var asking sync.WaitGroup
	for i := range out {
		asking.Go(func() {
			if u, err := e.inner.Usage(ctx, out[i].Service); err == nil { // a service may end while we ask
				out[i].Usage = u
			}
		})
	}
	asking.Wait()
	return out
}

// Usage is what a service uses now.
func (e *Environment) Usage(ctx context.Context, name rehearse.ServiceName) (driver.Usage, error) {
	return e.inner.Usage(ctx, name)
}

// Failures lists services that have failed since they were ready and have not
// come back.
func (e *Environment) Failures() []rehearse.ServiceName {
	var out []rehearse.ServiceName
	for _, name := range e.order {
		if e.services[name].status().State == rehearse.Failed {
			out = append(out, name)
		}
	}
	return out
}

func (e *Environment) tell(ev rehearse.ServiceEvent) {
	if e.o.OnEvent == nil {
		return
	}
	e.events.Lock()
	defer e.events.Unlock()
	e.o.OnEvent(ev)
}

// tellFact tells of a fact, once.
func (e *Environment) tellFact(f rehearse.Fact) {
	if e.o.OnFact == nil {
		return
	}
	e.events.Lock()
	defer e.events.Unlock()
	if e.isDown || slices.Contains(e.facts, f) {
		return
	}
	e.facts = append(e.facts, f)
	e.o.OnFact(f)
}

// tellLink tells of a change of a link.
func (e *Environment) tellLink(ev rehearse.LinkEvent) {
	if e.o.OnLink == nil {
		return
	}
	e.events.Lock()
	defer e.events.Unlock()
	e.o.OnLink(ev)
}
