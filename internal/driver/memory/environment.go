package memory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// ingressHost is the host of every ingress listener's address.
const ingressHost = "memory"

var errGone = errors.New("the environment has been closed")

// environment is one set of services.
type environment struct {
	driver  *Driver
	spec    driver.Spec
	remnant driver.Remnant

	mu       sync.Mutex
	gone     bool // nothing new may be made
	services map[rehearse.ServiceName]*service
	ingress  []*listener

	closing sync.Mutex // one Close at a time
	closed  bool       // a Close has succeeded
}

var _ driver.Environment = (*environment)(nil)

// service is a service's state. The environment's lock guards it.
type service struct {
	spec    rehearse.Service
	network *network
	launch  *command // nil until prepared
	process *process // nil until started
}

// command is a program that has been found, and how it is called.
type command struct {
	program Program
	args    []string
	env     map[string]string
}

func newEnvironment(d *Driver, spec driver.Spec, remnant driver.Remnant) *environment {
	e := &environment{driver: d, spec: spec, remnant: remnant, services: map[rehearse.ServiceName]*service{}}
	for _, s := range spec.Plan.Services {
		e.services[s.Name] = &service{spec: s, network: newNetwork()}
	}
	return e
}

// enter finds a service for a method that is about to use it.
func (e *environment) enter(ctx context.Context, name rehearse.ServiceName) (*service, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone {
		return nil, errGone
	}
	s, ok := e.services[name]
	if !ok {
		return nil, fmt.Errorf("the plan has no service %q", name)
	}
	return s, nil
}

// Listen opens a link's listener in the client's view, or an ingress listener
// that DialIngress reaches.
func (e *environment) Listen(ctx context.Context, client rehearse.ServiceName, names []string, port int) (net.Listener, driver.Address, error) {
	fail := func(err error) (net.Listener, driver.Address, error) {
		return nil, driver.Address{}, fmt.Errorf("listen as %s sees %s:%d: %w", client, strings.Join(names, ", "), port, err)
	}
	if f := e.driver.Options.FailListen; f != nil {
		if err := f(client); err != nil {
			return fail(err)
		}
	}
	if rehearse.IsIngress(client) {
		l, err := e.listenOutside(ctx)
		if err != nil {
			return fail(err)
		}
		return l, driver.Address{Host: l.at.host, Port: l.at.port}, nil
	}
	s, err := e.enter(ctx, client)
	if err != nil {
		return fail(err)
	}
	if len(names) == 0 {
		return fail(errors.New("a link needs a name"))
	}
	l, err := s.network.link(names, port)
	if err != nil {
		return fail(err)
	}
	return l, driver.Address{Host: l.at.host, Port: l.at.port}, nil
}

func (e *environment) listenOutside(ctx context.Context) (*listener, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone {
		return nil, errGone
	}
	l, err := e.driver.outside.listen(addr{ingressHost, 0}, nil)
	if err != nil {
		return nil, err
	}
	e.ingress = append(e.ingress, l)
	return l, nil
}

// Dial connects to a service, from inside.
func (e *environment) Dial(ctx context.Context, upstream rehearse.ServiceName, port int) (net.Conn, error) {
	s, err := e.enter(ctx, upstream)
	if err != nil {
		return nil, err
	}
	c, err := s.network.dial(ctx, "127.0.0.1", addr{"127.0.0.1", port})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Prepare finds the service's program and works out its arguments and
// environment. Like the process driver it does that now, so that what they say
// of links is only known once the links' listeners exist.
func (e *environment) Prepare(ctx context.Context, name rehearse.ServiceName) error {
	s, err := e.enter(ctx, name)
	if err != nil {
		return err
	}
	if f := e.driver.Options.FailPrepare; f != nil {
		if err := f(name); err != nil {
			return err
		}
	}
	c, err := e.command(s)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s.launch = c
	return nil
}

// Start starts a prepared service that is not running.
func (e *environment) Start(ctx context.Context, name rehearse.ServiceName, out driver.Output) (driver.Process, error) {
	s, err := e.enter(ctx, name)
	if err != nil {
		return nil, err
	}
	if f := e.driver.Options.FailStart; f != nil {
		if err := f(name); err != nil {
			return nil, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.gone:
		return nil, errGone
	case s.launch == nil:
		return nil, fmt.Errorf("service %q has not been prepared", name)
	case s.process != nil && s.process.running():
		return nil, fmt.Errorf("service %q is running already", name)
	}
	h := s.host(s.launch.env, nil, out.Stdout, out.Stderr)
	s.process = launch(s.launch.program, h, nil, s.launch.args, &e.driver.strays)
	return s.process, nil
}

// host is the place where a program of the service runs from now on: the names
// that it knows are those of this moment.
func (s *service) host(env map[string]string, stdin io.Reader, stdout, stderr io.Writer) *Host {
	h := &Host{network: s.network, hosts: s.network.names(), hostname: s.spec.Hostname, env: env, stdin: stdin}
	if h.hostname == "" {
		h.hostname = string(s.spec.Name)
	}
	for _, own := range []string{"localhost", h.hostname, string(s.spec.Name)} {
		h.hosts[own] = "127.0.0.1"
	}
	if stdin == nil {
		h.stdin = strings.NewReader("")
	}
	h.stdout, h.stderr = &output{to: stdout}, &output{to: stderr}
	return h
}

// Exec runs a program beside a started service. It ends with the service, then
// with the exit code of a killed process.
func (e *environment) Exec(ctx context.Context, name rehearse.ServiceName, cmd driver.Command) (int, error) {
	s, err := e.enter(ctx, name)
	if err != nil {
		return 0, err
	}
	if len(cmd.Args) == 0 {
		return 0, fmt.Errorf("exec in service %q: no command", name)
	}
	f, ok := e.driver.programs[cmd.Args[0]]
	if !ok {
		return 0, fmt.Errorf("exec %s in service %q: %w", cmd.Args[0], name, syscall.ENOENT)
	}
	e.mu.Lock()
	main, launch := s.process, s.launch
	e.mu.Unlock()
	if main == nil {
		return 0, fmt.Errorf("service %q is not running", name)
	}
	env := maps.Clone(launch.env)
	maps.Copy(env, cmd.Env)
	h := s.host(env, cmd.Stdin, cmd.Stdout, cmd.Stderr)
	h.hosts = main.host.hosts
	p, ok := main.spawn(f, h, cmd.Args[1:])
	if !ok {
		return 0, fmt.Errorf("service %q is not running", name)
	}
	select {
	case <-p.Done():
		return p.Exit().Code, nil
	case <-ctx.Done():
		_ = p.Kill() // never fails
		<-p.Done()
		return 0, ctx.Err()
	}
}

// Usage counts the service's processes: its program, those that it detached and
// those that Exec runs.
func (e *environment) Usage(ctx context.Context, name rehearse.ServiceName) (driver.Usage, error) {
	s, err := e.enter(ctx, name)
	if err != nil {
		return driver.Usage{}, err
	}
	if f := e.driver.Options.FailUsage; f != nil {
		if err := f(name); err != nil {
			return driver.Usage{}, err
		}
	}
	e.mu.Lock()
	p := s.process
	e.mu.Unlock()
	if p == nil {
		return driver.Usage{}, nil
	}
	return driver.Usage{Processes: p.processes()}, nil
}

// Facts says that nothing here is real.
func (e *environment) Facts() []rehearse.Fact {
	return []rehearse.Fact{{Name: "driver.tier", Value: "memory", Note: "Services are functions of a test."}}
}

// Close kills every service and closes every listener. It does so whatever the
// state of ctx.
func (e *environment) Close(ctx context.Context) error {
	e.closing.Lock()
	defer e.closing.Unlock()
	if e.closed {
		return nil
	}
	e.mu.Lock()
	e.gone = true
	var processes []*process
	for _, s := range e.services {
		if s.process != nil {
			processes = append(processes, s.process)
		}
	}
	ingress := slices.Clone(e.ingress)
	e.mu.Unlock()

	for _, p := range processes {
		_ = p.Kill() // never fails
	}
	for _, p := range processes {
		<-p.Done()
	}
	for _, s := range e.services {
		s.network.end()
	}
	for _, l := range ingress {
		l.Close()
	}
	if f := e.driver.Options.FailClose; f != nil {
		if err := f(e.spec.ID); err != nil {
			return err
		}
	}
	e.driver.forget(e.spec.ID)
	e.closed = true
	return e.spec.Journal.Confirm(e.remnant, false)
}
