// Package process runs services as native processes of this host: the embedded
// driver, which needs neither Docker nor root.
//
// How far it can keep services apart depends on the host, and is said in the
// evidence as the driver's tier:
//
//   - "namespaces" (Linux with user namespaces): each service has a network with
//     all ports to itself, a read-only view of the host's files with private
//     writable places, its own processes and host name, an ordinary user without
//     capabilities, and Compose names through its own /etc/hosts. Nothing leaves
//     an environment except through a link.
//   - "addresses" (Linux without them): services share the host's network; each
//     gets a loopback address of its own, each link another. Names in environment
//     variables are rewritten to addresses.
//   - "ports" (elsewhere): the same with ports of 127.0.0.1 that the system
//     chooses.
//
// In every tier a supervisor of our own binary stands between us and a service,
// so that no process outlives us: the kernel ends a PID namespace with its first
// process, and where there is none the supervisor finds its descendants. [Main]
// is that supervisor; every main function calls it first.
//
// What runs is said by the service's Process, or by the recipe of its image.
// Builds (Process.Build) run on the host as the user who runs rehearse, as make
// would; services run in their jails.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// Options are what the driver must know of the user's machine.
type Options struct {
	Cache string   // a directory for builds, templates and downloaded binaries
	State string   // the directory of all environments' records, which no service may see
	Label string   // tells our processes from those of another user's state directory
	Env   []string // the environment for builds; its PATH is also the services'
	Home  string   // the user's home directory
	// Tier forces a tier, for tests and for doctor. Empty: the best one.
	Tier string
}

// The tiers, best first.
const (
	TierNamespaces = "namespaces"
	TierAddresses  = "addresses"
	TierPorts      = "ports"
)

// Driver is the process driver.
type Driver struct{ o Options }

var _ driver.Driver = (*Driver)(nil)

// New makes the driver. It creates nothing until an environment is opened.
func New(o Options) *Driver { return &Driver{o: o} }

// Name is "process".
func (d *Driver) Name() string { return "process" }

// Open makes an empty environment in the best tier that the host allows.
func (d *Driver) Open(ctx context.Context, spec driver.Spec) (driver.Environment, error) {
	e := newEnvironment(d.o, spec)
	var reasons []error
	for _, tier := range []string{TierNamespaces, TierAddresses, TierPorts} {
		if d.o.Tier != "" && d.o.Tier != tier {
			continue
		}
		iso, err := startIsolation(tier, spec.Dir, e.supervisorEnv())
		if err != nil {
			reasons = append(reasons, fmt.Errorf("tier %s: %w", tier, err))
			continue
		}
		e.iso, e.tier = iso, tier
		fact := rehearse.Fact{Name: "driver.tier", Value: tier}
		if len(reasons) > 0 {
			fact.Note = errors.Join(reasons...).Error()
		}
		e.fact(fact)
		if spec.Authority != nil && tier != TierNamespaces {
			if err := os.WriteFile(e.authorityPath(), spec.Authority, 0o644); err != nil {
				iso.close()
				return nil, fmt.Errorf("write the links' certificate: %w", err)
			}
		}
		e.openWires(ctx)
		return e, nil
	}
	return nil, &rehearse.Error{
		Kind: rehearse.Unavailable, Msg: "no environment can be made on this host", Err: errors.Join(reasons...),
		Hint: "Run rehearse doctor for what is missing.",
	}
}

// Capabilities tries each tier.
func (d *Driver) Capabilities(ctx context.Context) driver.Capabilities {
	var c driver.Capabilities
	for _, tier := range []string{TierNamespaces, TierAddresses, TierPorts} {
		fact := rehearse.Fact{Name: "tier " + tier, Value: "yes"}
		if err := tryTier(tier); err != nil {
			fact.Value, fact.Note = "no", err.Error()
		} else if c.Tier == "" {
			c.Available, c.Tier = true, tier
		}
		c.Facts = append(c.Facts, fact)
	}
	c.Facts = append(c.Facts, limitsFact(), packetsFact(c.Tier), d.clonesFact(c.Tier))
	if c.Tier != TierNamespaces {
		c.Why = "services are not isolated from the host's network and files"
		c.Hint = namespacesHint()
	}
	return c
}

func tryTier(tier string) error {
	dir, err := os.MkdirTemp("", "rehearse-doctor-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	iso, err := startIsolation(tier, dir, nil)
	if err != nil {
		return err
	}
	defer iso.close()
	l, err := iso.listen("probe", 1, iso.address(1, 0), 0)
	if err != nil {
		return err
	}
	return l.Close()
}

// labels are the variables in the environment of everything that runs in it.
func (e *environment) labels() []string { return driver.Labels(e.spec.ID, e.o.Label) }

// supervisorEnv is the whole environment of guests and shims. GORACE tunes the
// race detector, with which tests build us.
func (e *environment) supervisorEnv() []string {
	env := e.labels()
	if v := lookupEnv(e.o.Env, "GORACE"); v != "" {
		env = append(env, "GORACE="+v)
	}
	return env
}

// lookupEnv finds a variable the way a shell would.
func lookupEnv(env []string, name string) string {
	for _, kv := range slices.Backward(env) {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}
