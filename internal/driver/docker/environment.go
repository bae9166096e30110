package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/snapshot"
)

// environment is one isolated copy.
type environment struct {
	o      Options
	engine *engine
	spec   driver.Spec
	reaper *reaper
	board  board // belongs to who opens it, until it is opened
	watch  watch

	mu        sync.Mutex
	facts     []rehearse.Fact
	addresses *addresses                      // nil until the network exists
	at        map[netip.Addr]string           // who has which address
	hosts     map[rehearse.ServiceName][]host // what a client knows its links by
	services  map[rehearse.ServiceName]*service
	early     map[netip.Addr]rehearse.ServiceName // who started before the link container answered
	named     bool                                // it knows all names now
	volumes   map[string]bool                     // that were made, or are about to be
	gone      bool                                // nothing new may be made
	making    sync.WaitGroup                      // calls of Prepare and Start under way
	closed    chan struct{}                       // when gone is set
	abandoned chan struct{}                       // when the engine is not waited for any more
	abandon   func()                              // closes abandoned
	lost      chan error                          // why the environment is lost; one at most
	limits    limits
	close     sync.Once
	closeErr  error

	volumeMu sync.Mutex // one volume is made at a time
	diskMu   sync.Mutex // one volume is filled at a time

	storing sync.Mutex
	store   *snapshot.Store // nil until a service has data that starts as something
}

var (
	_ driver.Environment = (*environment)(nil)
	_ driver.Resetter    = (*environment)(nil)
	_ driver.Reserver    = (*environment)(nil)
)

// host is a line of a client's /etc/hosts.
type host struct {
	names   []string
	address netip.Addr
}

// service is a service's running state.
type service struct {
	spec rehearse.Service

	prepare   sync.Mutex
	image     image
	prepared  bool         // every instance has been made
	hooked    bool         // pre_start hooks have run
	instances []*instance  // of which Close removes the containers
	addresses []netip.Addr // of the instances, which keep them when they are made anew

	mu   sync.Mutex
	proc *process // nil until started
	next int      // whose turn it is to be dialled

	data dataPlace
}

// instance is one container of a service.
type instance struct {
	number  int // from 1
	name    string
	id      string
	address netip.Addr   // invalid where it has none of its own
	pid     atomic.Int64 // of its first process, as the engine has it; 0: not known
}

func newEnvironment(o Options, engine *engine, spec driver.Spec) *environment {
	e := &environment{
		o: o, engine: engine, spec: spec,
		at:       map[netip.Addr]string{},
		hosts:    map[rehearse.ServiceName][]host{},
		services: map[rehearse.ServiceName]*service{},
		volumes:  map[string]bool{},
		board:    board{opened: make(chan struct{}), ended: make(chan struct{})},
		closed:   make(chan struct{}), abandoned: make(chan struct{}),
		lost: make(chan error, 1), limits: standing,
	}
	e.abandon = sync.OnceFunc(func() { close(e.abandoned) })
	for _, s := range spec.Plan.Services {
		e.services[s.Name] = &service{spec: s}
	}
	return e
}

var errGone = errors.New("the environment has ended")

func (e *environment) service(name rehearse.ServiceName) (*service, error) {
	s, ok := e.services[name]
	if !ok {
		return nil, fmt.Errorf("the plan has no service %q", name)
	}
	return s, nil
}

func (e *environment) isClosed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.gone
}

// enter begins something that makes things; leave ends it.
func (e *environment) enter() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone {
		return errGone
	}
	e.making.Add(1)
	return nil
}

func (e *environment) leave() { e.making.Done() }

// Listen opens a link's listener in the client's view.
func (e *environment) Listen(ctx context.Context, client rehearse.ServiceName, names []string, port int) (net.Listener, driver.Address, error) {
	if rehearse.IsIngress(client) {
		var c net.ListenConfig
		l, err := c.Listen(ctx, "tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, driver.Address{}, err
		}
		return l, driver.Address{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}, nil
	}
	at, err := e.linkAddress(client, names)
	if err != nil {
		return nil, driver.Address{}, err
	}
	b, err := e.awaitBoard(ctx)
	if err != nil {
		return nil, driver.Address{}, err
	}
	l, err := b.Listen(ctx, netip.AddrPortFrom(at, uint16(port)))
	if err != nil {
		return nil, driver.Address{}, fmt.Errorf("listen as %s sees %s:%d: %w", client, names[0], port, err)
	}
	g := guard{e: e, client: client, what: net.JoinHostPort(names[0], fmt.Sprint(port))}
	return g.around(l), driver.Address{Host: at.String(), Port: port}, nil
}

// Reserve gives the address of a listener beforehand.
func (e *environment) Reserve(client rehearse.ServiceName, names []string, port int) (driver.Address, error) {
	at, err := e.linkAddress(client, names)
	return driver.Address{Host: at.String(), Port: port}, err
}

// linkAddress is the address by which a client knows an upstream.
func (e *environment) linkAddress(client rehearse.ServiceName, names []string) (netip.Addr, error) {
	if _, err := e.service(client); err != nil {
		return netip.Addr{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, h := range e.hosts[client] {
		if h.names[0] == names[0] {
			return h.address, nil
		}
	}
	at, err := e.addresses.link()
	if err != nil {
		return at, err
	}
	e.hosts[client] = append(e.hosts[client], host{names: names, address: at})
	return at, nil
}

// Dial connects to a service, from inside. Of several instances each has its turn.
func (e *environment) Dial(ctx context.Context, upstream rehearse.ServiceName, port int) (net.Conn, error) {
	s, err := e.service(upstream)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	p := s.proc
	s.next++
	turn := s.next
	s.mu.Unlock()
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	if p == nil {
		return nil, refused
	}
	// A container that has gone does not refuse; it says nothing.
	at := p.answering()
	if len(at) == 0 {
		return nil, refused
	}
	for i := range at {
		var c net.Conn
		if c, err = e.dialAt(ctx, at[(turn+i)%len(at)], port); err == nil {
			return c, nil
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, err
		}
	}
	return nil, err
}

func (e *environment) dialAt(ctx context.Context, at netip.Addr, port int) (net.Conn, error) {
	b, err := e.awaitBoard(ctx)
	if err != nil {
		return nil, err
	}
	return b.Dial(ctx, netip.AddrPortFrom(at, uint16(port)))
}

// Facts says how the environment was made.
func (e *environment) Facts() []rehearse.Fact {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.facts)
}

// maxFacts keeps a service that tries every address of the world from filling the
// evidence.
const maxFacts = 200

func (e *environment) fact(f rehearse.Fact) {
	e.mu.Lock()
	known := len(e.facts) >= maxFacts || slices.Contains(e.facts, f)
	if !known {
		e.facts = append(e.facts, f)
	}
	e.mu.Unlock()
	if !known && e.spec.OnFact != nil {
		e.spec.OnFact(f)
	}
}
