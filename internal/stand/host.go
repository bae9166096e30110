// Package stand is what commands and tests share: a project is read and planned,
// and an environment of it stands until nobody wants it any more.
//
// [FindHost] finds this user's places on this host. [Host.Load] reads a project,
// [Project.Plan] plans it, and [Host.Stand] brings it up, serves those who ask it
// over its control socket and its HTTP API, and takes it down. [Start] has another
// process do that in the background.
//
// Every main whose process stands an environment calls [Main] first.
package stand

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/ledger"
)

// Host is a user on a host: the variables of their process, and where we keep
// things.
type Host struct {
	Env   []string // without other environments' labels
	Home  string
	State string // environments' records
	Cache string
}

// FindHost finds the places where we keep state and cache, from a process's
// variables: the XDG directories. Root's are where the unprivileged user that
// services run as then can reach them.
func FindHost(env []string) (*Host, error) {
	h := &Host{Env: withoutLabels(env)}
	var err error
	if h.Home, err = os.UserHomeDir(); err != nil {
		return nil, &rehearse.Error{Kind: rehearse.Unavailable, Msg: "find your home directory", Err: err, Hint: "Set HOME."}
	}
	h.State = h.Getenv("XDG_STATE_HOME")
	switch {
	case h.State != "":
	case os.Getuid() == 0:
		h.State = "/var/lib"
	default:
		h.State = filepath.Join(h.Home, ".local", "state")
	}
	h.State = filepath.Join(h.State, "rehearse", "environments")
	h.Cache = h.Getenv("XDG_CACHE_HOME")
	switch {
	case h.Cache != "":
	case os.Getuid() == 0:
		h.Cache = "/var/cache"
	default:
		h.Cache = filepath.Join(h.Home, ".cache")
	}
	h.Cache = filepath.Join(h.Cache, "rehearse")
	return h, nil
}

// Ledger is where it stands what this user's environments have cost.
func (h *Host) Ledger() ledger.Ledger { return ledger.In(filepath.Dir(h.State)) }

// withoutLabels takes another environment's labels out of ours, when we are run by
// a suite or a service: what we start must not count as that one's.
func withoutLabels(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		return strings.HasPrefix(kv, driver.LabelEnvironment+"=") || strings.HasPrefix(kv, driver.LabelState+"=")
	})
}

// Getenv is the value of a variable; empty when it is not set.
func (h *Host) Getenv(name string) string {
	for i := len(h.Env) - 1; i >= 0; i-- {
		if kv := h.Env[i]; len(kv) > len(name) && kv[:len(name)] == name && kv[len(name)] == '=' {
			return kv[len(name)+1:]
		}
	}
	return ""
}

// Store is where environments' records are.
func (h *Host) Store() *environment.Store { return &environment.Store{Root: h.State} }

// Label tells our processes from those of another user or another state
// directory.
func (h *Host) Label() string {
	sum := sha256.Sum256([]byte(h.State))
	return hex.EncodeToString(sum[:6])
}
