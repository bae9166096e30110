package process

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/recipe"
	"github.com/rehearse-dev/rehearse/internal/snapshot"
)

// A service's data directory starts as a private copy of a golden one:
//
//	overlay              golden below, the environment's tmpfs above; gone with it
//	reflink, copy        a directory in the cache, bound into the jail
//	loopback             a directory in the cache's volume, mounted in the jail
//
// All but the first outlive us, so they carry a label and stand in the journal.

// dataDir is the cache's store of data directories.
func (o Options) dataDir() string { return filepath.Join(o.Cache, "templates") }

// cloneMethods are those that a tier can make use of. Without mounts a service
// sees only what lies in directories of the host.
func cloneMethods(tier string) []snapshot.Method {
	if tier == TierNamespaces {
		return snapshot.Methods()
	}
	return []snapshot.Method{snapshot.Reflink, snapshot.Copy}
}

// snapshots opens the store, once.
func (e *environment) snapshots() (*snapshot.Store, error) {
	e.storing.Lock()
	defer e.storing.Unlock()
	if e.isGone() {
		return nil, errGone
	}
	if e.store != nil {
		return e.store, nil
	}
	var err error
	e.store, err = snapshot.Open(e.o.dataDir(), snapshot.Options{Methods: cloneMethods(e.tier)})
	return e.store, err
}

// isGone says that nothing new may be made.
func (e *environment) isGone() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.gone
}

// fork gives a service a fresh copy of its golden data directory.
func (e *environment) fork(ctx context.Context, s *service) error {
	s.data.Lock()
	defer s.data.Unlock()
	if e.isGone() {
		return errGone
	}
	r := e.cloneRemnant(s)
	// What is small enough gets an overlay, which leaves nothing.
	if s.golden.Size > snapshot.Small || e.tier != TierNamespaces {
		if err := e.spec.Journal.Intend(r); err != nil {
			return err
		}
	}
	c, err := s.golden.Clone(ctx, r.Name, e.tenant().Owner())
	if err != nil {
		return err
	}
	s.clone = c
	if c.Method != snapshot.Overlay {
		if err := e.spec.Journal.Confirm(r, true); err != nil {
			return err
		}
	}
	if c.Method != snapshot.Overlay || s.spec.Data != nil {
		e.fact(rehearse.Fact{
			Name: "data.clone." + string(s.spec.Name), Value: string(c.Method),
			Note: fmt.Sprintf("%s in %v", driver.Megabytes(s.golden.Size), c.Took.Round(100*time.Microsecond)),
		})
	}
	if e.tier != TierNamespaces {
		return linkData(filepath.Join(e.work(s.spec.Name), "data"), c.Path)
	}
	return nil
}

// dataMount shows a clone at a jail's data directory.
func dataMount(c *snapshot.Clone) jailMount {
	switch {
	case c.Method == snapshot.Overlay:
		return jailMount{Kind: "data", Source: c.Path, Target: jailData}
	case c.Mount != nil:
		return jailMount{Kind: "device", Source: c.Mount.Device, FS: c.Mount.FS, Keep: c.Mount.Dir, Target: jailData}
	}
	return jailMount{Kind: "bind", Source: c.Path, Target: jailData}
}

func (e *environment) tenant() snapshot.Tenant {
	return snapshot.Tenant{Label: e.o.Label, Environment: e.spec.ID}
}

func (e *environment) cloneRemnant(s *service) driver.Remnant {
	return driver.Remnant{Environment: e.spec.ID, Kind: "clone", Name: e.tenant().Clone(s.spec.Name)}
}

// Reset gives a service that has ended its first data again.
func (e *environment) Reset(ctx context.Context, name rehearse.ServiceName) error {
	s, err := e.service(name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	p := s.proc
	s.mu.Unlock()
	if p != nil {
		select {
		case <-p.Done():
		default:
			return fmt.Errorf("reset service %q: it is still running", name)
		}
	}
	s.data.Lock()
	s.fresh = true
	s.data.Unlock()
	if e.tier != TierNamespaces && s.golden == nil {
		if err := os.RemoveAll(filepath.Join(e.work(name), "data")); err != nil {
			return fmt.Errorf("reset service %q: %w", name, err)
		}
		_, _, _, err = e.places(name)
		return err
	}
	if s.golden == nil {
		return nil
	}
	if err := e.unfork(ctx, s); err != nil {
		return fmt.Errorf("reset service %q: %w", name, err)
	}
	if err := e.fork(ctx, s); err != nil {
		return fmt.Errorf("reset service %q: %w", name, err)
	}
	return nil
}

// unfork throws a service's copy away.
func (e *environment) unfork(ctx context.Context, s *service) error {
	s.data.Lock()
	defer s.data.Unlock()
	c := s.clone
	s.clone = nil
	if c == nil || c.Method == snapshot.Overlay {
		return nil
	}
	if err := e.store.Remove(ctx, c.ID); err != nil {
		return err
	}
	return e.spec.Journal.Confirm(e.cloneRemnant(s), false)
}

// removeData removes every copy, and lets go of the goldens. Nothing runs any more.
func (e *environment) removeData(ctx context.Context) error {
	var problems []error
	for _, s := range e.services {
		problems = append(problems, e.unfork(ctx, s))
		s.data.Lock()
		if s.golden != nil {
			s.golden.Close()
		}
		s.data.Unlock()
	}
	e.storing.Lock()
	defer e.storing.Unlock()
	if e.store != nil {
		problems = append(problems, e.store.Close())
	}
	return errors.Join(problems...)
}

// fill is the spec's, in the words of recipes.
func (e *environment) fill(s rehearse.Service) func(context.Context, recipe.Filling) error {
	if e.spec.Fill == nil {
		return nil
	}
	return func(ctx context.Context, into recipe.Filling) error {
		return e.spec.Fill(ctx, s, driver.Filling(into))
	}
}

func (e *environment) fillKey(s rehearse.Service) func() ([]string, error) {
	if e.spec.FillKey == nil {
		return nil
	}
	return func() ([]string, error) { return e.spec.FillKey(s) }
}

// clones are those of our environments, whoever made them.
func (d *Driver) clones() ([]driver.Remnant, error) {
	all, err := snapshot.TenantClones(d.o.dataDir(), d.o.Label)
	var out []driver.Remnant
	for _, id := range slices.Sorted(maps.Keys(all)) {
		out = append(out, driver.Remnant{Environment: all[id].Environment, Kind: "clone", Name: id})
	}
	return out, err
}

func (d *Driver) removeClone(ctx context.Context, r driver.Remnant) error {
	return snapshot.RemoveTenantClone(ctx, d.o.dataDir(), snapshot.Tenant{Label: d.o.Label, Environment: r.Environment}, r.Name)
}

// clonesFact says how a large dataset would be copied.
func (d *Driver) clonesFact(tier string) rehearse.Fact {
	var missing []string
	for _, c := range snapshot.Probe(d.o.dataDir()) {
		switch {
		case c.Method == snapshot.Overlay, c.Method == snapshot.Loopback && tier != TierNamespaces:
		case c.Method == snapshot.Copy:
			return rehearse.Fact{Name: "data clones", Value: "slow", Note: "large datasets are copied; " + strings.Join(missing, "; ")}
		case c.Available:
			return rehearse.Fact{Name: "data clones", Value: "yes", Note: fmt.Sprintf("%s: %s", c.Method, c.Why)}
		default:
			missing = append(missing, fmt.Sprintf("%s: %s. %s", c.Method, c.Why, c.Hint))
		}
	}
	return rehearse.Fact{Name: "data clones", Value: "slow", Note: "large datasets are copied"}
}

// DataClones says, method by method and best first, how datasets can be copied
// here, for doctor.
func (d *Driver) DataClones() []snapshot.Capability { return snapshot.Probe(d.o.dataDir()) }

// Snapshots opens the store that datasets are cloned from.
func (d *Driver) Snapshots() (*snapshot.Store, error) {
	return snapshot.Open(d.o.dataDir(), snapshot.Options{})
}
