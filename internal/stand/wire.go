package stand

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/driver/docker"
	"github.com/rehearse-dev/rehearse/internal/driver/process"
)

// The one place where concrete drivers are wired in, by hand, in order.

// DefaultDriver is where services run when nobody says where, unless one of them
// only runs as a container and an engine answers.
const DefaultDriver = "process"

// DriverNames are what [Host.Driver] takes.
var DriverNames = []string{"process", "docker"}

// Main runs the process as a part of an environment if a driver has started it as
// one, and never returns then.
func Main() {
	process.Main()
	docker.Main()
}

// Driver makes a driver; the empty name is the default. more is added to the
// variables in which it looks: what the project's own .env files say.
func (h *Host) Driver(name string, more ...string) (driver.Driver, error) {
	switch cmp.Or(name, DefaultDriver) {
	case "process":
		return process.New(process.Options{
			Cache: h.Cache, State: h.State, Label: h.Label(), Env: append(more, h.Env...), Home: h.Home, Tier: h.Getenv("REHEARSE_PROCESS_TIER"),
		}), nil
	case "docker":
		exe, err := os.Executable()
		if err != nil {
			return nil, err
		}
		variables := &Host{Env: append(more, h.Env...)}
		return docker.New(docker.Options{Cache: h.Cache, Label: h.Label(), Getenv: variables.Getenv, Home: h.Home, Exe: exe}), nil
	}
	return nil, &rehearse.Error{
		Kind: rehearse.Invalid, Msg: fmt.Sprintf("there is no driver %q", name), Hint: "This version has: " + strings.Join(DriverNames, ", ") + ".",
	}
}

// Drivers are all of them, for who looks for what the dead have left.
func (h *Host) Drivers() []driver.Driver {
	var out []driver.Driver
	for _, name := range DriverNames {
		if d, err := h.Driver(name); err == nil {
			out = append(out, d)
		}
	}
	return out
}
