// Package docker runs services as containers of a Docker engine, or of one that
// speaks its API.
//
// An environment is one bridge network, one link container and a container for
// each instance of a service:
//
//	host                             network of the environment, in which the host has no address
//	┌─────────────────────────┐      ┌───────────────────────────────────────────────────────────────┐
//	│ rehearse                │      │  api .3          link container .2           db .4            │
//	│   ingress:api ──────────┼──────┼───▶ 8080         holds .33 (api's db),  ┌────▶ 5432            │
//	│   api:db   accepts ◀────┼──────┼──── db = .33 ──▶ makes sockets          │                      │
//	│            dials ───────┼──────┼─────────────────────────────────────────┘                      │
//	└─────────────────────────┘      └───────────────────────────────────────────────────────────────┘
//
// The link container moves no byte where engine and we share a kernel: it makes
// listeners and sockets in its own network and passes them out, so that links run
// in our process as they do on every driver. Elsewhere connections come through a
// tunnel over its standard streams. See package switchboard.
//
// Services know each other's links by /etc/hosts and by the link container's DNS.
// They do not answer each other's ARP, so that no way leads round the links.
//
// Everything that is made carries labels, stands in the journal before it exists,
// and is removed by a reaper of ours when we die. [Main] is that reaper; every main
// function calls it first.
package docker

import (
	"context"
	"errors"
	"sync"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// Options are what the driver must know of the user's machine.
type Options struct {
	Cache  string                   // a directory for data that environments start from
	Label  string                   // tells our objects from those of another user's state directory
	Getenv func(name string) string // DOCKER_HOST and the like
	Home   string                   // the user's home directory
	Exe    string                   // our own executable, beside which the link container's program lies
}

// Driver is the Docker driver.
type Driver struct {
	o      Options
	limits limits // of its environments

	mu     sync.Mutex
	engine *engine // nil until the first that answered
}

var _ driver.Driver = (*Driver)(nil)

// New makes the driver. It reaches for no engine until one is needed.
func New(o Options) *Driver { return &Driver{o: o, limits: standing} }

// Name is "docker".
func (d *Driver) Name() string { return "docker" }

// connect gives the engine, once one has answered.
func (d *Driver) connect(ctx context.Context) (*engine, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.engine != nil {
		return d.engine, nil
	}
	e, err := connect(ctx, endpointFrom(d.o.Getenv, d.o.Home))
	if err != nil {
		return nil, err
	}
	d.engine = e
	return e, nil
}

// Capabilities says what the engine that answers can do.
func (d *Driver) Capabilities(ctx context.Context) driver.Capabilities {
	e, err := d.connect(ctx)
	if err != nil {
		c := driver.Capabilities{Why: err.Error()}
		var known *rehearse.Error
		if errors.As(err, &known) {
			c.Why, c.Hint = known.Msg, known.Hint
		}
		return c
	}
	return driver.Capabilities{Available: true, Tier: "containers", Facts: e.facts()}
}

// Open makes an empty environment: its network. Its link container is starting when
// Open returns; whatever needs it waits for it.
func (d *Driver) Open(ctx context.Context, spec driver.Spec) (_ driver.Environment, err error) {
	engine, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	e := newEnvironment(d.o, engine, spec)
	e.limits = d.limits
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close(context.WithoutCancel(ctx)))
		}
	}()
	// Before the first thing that it would have to remove.
	if e.reaper, err = startReaper(d.o, spec.ID); err != nil {
		return nil, err
	}
	e.startWatch(ctx)
	image := e.linkImage(ctx)
	if err := e.openNetwork(ctx); err != nil {
		return nil, err
	}
	return e, e.startBoard(ctx, image)
}
