package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// Tenant is an environment as the owner of clones. Environments of several state
// directories, which their labels tell apart, may share a store.
type Tenant struct {
	Label       string
	Environment rehearse.EnvironmentID
}

// Owner is what the tenant's clones have as their owner.
func (t Tenant) Owner() string { return t.Label + " " + string(t.Environment) }

// Clone is what the tenant's clone for a service is called.
func (t Tenant) Clone(service rehearse.ServiceName) (id string) {
	sum := sha256.Sum256([]byte(t.Label))
	return hex.EncodeToString(sum[:4]) + "." + string(t.Environment) + "." + string(service)
}

// TenantClones lists the clones of a label's environments in the store of a
// directory: the identifier of each, and whose it is.
func TenantClones(dir, label string) (map[string]Tenant, error) {
	all, err := Clones(dir)
	if err != nil {
		return nil, err
	}
	out := map[string]Tenant{}
	for _, c := range all {
		if id, ok := strings.CutPrefix(c.Owner, label+" "); ok {
			out[c.ID] = Tenant{Label: label, Environment: rehearse.EnvironmentID(id)}
		}
	}
	return out, nil
}

// RemoveTenantClone removes a clone from the store of a directory, if it is the
// tenant's. One that is not there is no error.
func RemoveTenantClone(ctx context.Context, dir string, t Tenant, id string) error {
	all, err := TenantClones(dir, t.Label)
	if err != nil || all[id] != t {
		return err
	}
	store, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	return errors.Join(store.Remove(ctx, id), store.Close())
}
