// Package memory runs services as Go functions in this very process: the driver
// that tests use.
//
// A [Program] takes the place of a service's executable. It listens, dials by
// name, reads its environment and writes its log through its [Host], over a
// network that exists only in memory, one per service, and reaches what a link
// leads to and nothing else. As far as a test can tell it behaves as the real
// thing does: names are fixed when a service starts, connections are buffered,
// half-close and reset, a program is killed in the middle of whatever it does,
// what it started ends with it, and it can be started again as often as one
// likes.
//
// Go cannot end a goroutine from outside. When a program is killed its context
// ends, its listeners and connections are reset and its Host refuses
// everything; Done follows when the function has returned. A function that
// takes no notice of any of this is abandoned after a second, and counted by
// [Driver.Strays].
//
// The program of a service is the one named by its Process.Command[0], with the
// rest of the command as arguments; without a Process it is the one named by its
// Image, with the service's Entrypoint and Command as arguments.
package memory

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// Options make a driver fail, for tests of what its caller then does. A nil
// function is never in the way. The functions may be called at once from several
// goroutines; they also see how often, and in what order, things happen.
type Options struct {
	// FailOpen is called before an environment is made.
	FailOpen func(id rehearse.EnvironmentID) error
	// FailListen is called before a listener is made for the client.
	FailListen func(client rehearse.ServiceName) error
	// FailPrepare is called before the service is prepared.
	FailPrepare func(service rehearse.ServiceName) error
	// FailStart is called before the service's program is.
	FailStart func(service rehearse.ServiceName) error
	// FailUsage is called before it is told what the service uses.
	FailUsage func(service rehearse.ServiceName) error
	// FailClose is called after everything in the environment has ended. With
	// an error the environment stays in the driver's list until Close or
	// Remove succeeds.
	FailClose func(id rehearse.EnvironmentID) error
}

// Driver is the in-memory driver.
type Driver struct {
	// Options are to be set before the first environment is opened.
	Options Options

	programs map[string]Program
	outside  *network // where ingress listeners are
	strays   atomic.Int64

	mu   sync.Mutex
	open map[rehearse.EnvironmentID]*environment
}

var _ driver.Driver = (*Driver)(nil)

// New makes a driver that knows these programs.
func New(programs map[string]Program) *Driver {
	return &Driver{programs: programs, outside: newNetwork(), open: map[rehearse.EnvironmentID]*environment{}}
}

// Name is "memory".
func (d *Driver) Name() string { return "memory" }

// Capabilities is the same everywhere.
func (d *Driver) Capabilities(ctx context.Context) driver.Capabilities {
	return driver.Capabilities{Available: true, Tier: "memory"}
}

// kind is the kind of the driver's only remnants.
const kind = "environment"

// Open makes an empty environment. Its identifier must not be in use.
func (d *Driver) Open(ctx context.Context, spec driver.Spec) (driver.Environment, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f := d.Options.FailOpen; f != nil {
		if err := f(spec.ID); err != nil {
			return nil, err
		}
	}
	remnant := driver.Remnant{Environment: spec.ID, Kind: kind, Name: string(spec.ID)}
	e := newEnvironment(d, spec, remnant)
	d.mu.Lock()
	if d.open[spec.ID] != nil {
		d.mu.Unlock()
		return nil, fmt.Errorf("there is an environment %q already", spec.ID)
	}
	// The name is taken before the journal is asked, so that of two at once
	// only one goes on.
	d.open[spec.ID] = e
	d.mu.Unlock()
	if err := spec.Journal.Intend(remnant); err != nil {
		d.forget(spec.ID)
		return nil, err
	}
	if err := spec.Journal.Confirm(remnant, true); err != nil {
		d.forget(spec.ID)
		return nil, err
	}
	return e, nil
}

func (d *Driver) forget(id rehearse.EnvironmentID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, id)
}

// List lists the environments that have not been closed, in the order of their
// names.
func (d *Driver) List(ctx context.Context) ([]driver.Remnant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []driver.Remnant
	for _, e := range d.open {
		out = append(out, e.remnant)
	}
	slices.SortFunc(out, func(a, b driver.Remnant) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Remove closes an environment.
func (d *Driver) Remove(ctx context.Context, r driver.Remnant) error {
	if r.Kind != kind || r.Name != string(r.Environment) {
		return fmt.Errorf("remove %s %s: not a thing of the memory driver", r.Kind, r.Name)
	}
	d.mu.Lock()
	e := d.open[r.Environment]
	d.mu.Unlock()
	if e == nil {
		return nil
	}
	return e.Close(ctx)
}

// DialIngress connects to an ingress listener, as the outside world would.
func (d *Driver) DialIngress(ctx context.Context, a driver.Address) (net.Conn, error) {
	c, err := d.outside.dial(ctx, "outside", addr{a.Host, a.Port})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Strays counts functions that were killed, were abandoned, and have not
// returned yet. They have no connections and cannot make any.
func (d *Driver) Strays() int { return int(d.strays.Load()) }
