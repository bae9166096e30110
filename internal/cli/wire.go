package cli

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/driver/process"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

// The one place where the pieces are wired together, by hand, in order.

// driverNames are what --driver takes.
var driverNames = []string{"process"}

// driver makes a driver. more is added to the environment in which it looks for
// variables: what the project's own .env files say.
func (a *app) driver(name string, more ...string) (driver.Driver, error) {
	switch name {
	case "process":
		return process.New(process.Options{
			Cache: a.cache, State: a.state, Label: a.label(), Env: append(more, a.env...), Home: a.home, Tier: a.getenv("REHEARSE_PROCESS_TIER"),
		}), nil
	}
	err := usageError("there is no driver %q", name).(*rehearse.Error)
	err.Hint = "This version has: process."
	return nil, err
}

// drivers are all of them, for gc.
func (a *app) drivers() []driver.Driver {
	var out []driver.Driver
	for _, name := range driverNames {
		if d, err := a.driver(name); err == nil {
			out = append(out, d)
		}
	}
	return out
}

// store is where environments' records are.
func (a *app) store() *environment.Store { return &environment.Store{Root: a.state} }

// label tells our processes from those of another user or another state
// directory.
func (a *app) label() string {
	sum := sha256.Sum256([]byte(a.state))
	return hex.EncodeToString(sum[:6])
}
