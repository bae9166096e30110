package rehearsetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"path/filepath"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

// Option says what else is to be done than what the Compose file and the
// rehearse.yaml beside it say. Relative paths count from the test's directory.
type Option func(*settings)

// settings say which environment is to stand. They go to another process when it
// is a shared one.
type settings struct {
	Source    stand.Source
	Leg       rehearse.Leg
	Variables []string
	Key       string        // empty: the test's own
	Lease     time.Duration // of a shared one
}

// Config names the file that says what production is like, in the place of the
// rehearse.yaml beside the Compose file.
func Config(file string) Option { return func(s *settings) { s.Source.Config = file } }

// Driver says where services run, as --driver of rehearse up does: "process",
// "docker". The empty name is the default.
func Driver(name string) Option { return func(s *settings) { s.Source.Driver = name } }

// Profiles activates Compose profiles.
func Profiles(names ...string) Option {
	return func(s *settings) { s.Source.Profiles = append(s.Source.Profiles, names...) }
}

// Env sets variables for the Compose file, as NAME=VALUE, over those of the test's
// own process.
func Env(variables ...string) Option {
	return func(s *settings) { s.Variables = append(s.Variables, variables...) }
}

// Production has every facet of production in force that the files speak of, which
// is the default.
func Production() Option { return func(s *settings) { s.Leg = rehearse.Production() } }

// Staging has every facet flat: plain wires between the services, and staging's
// data.
func Staging() Option { return func(s *settings) { s.Leg = rehearse.Staging() } }

// Shared gives the test an environment that it shares with all who name the same
// key and whose files and options make the same plan, in this test binary or
// another. The first brings it up, and those who come later find it as it is: its
// data and its links are everybody's, but faults and shapes that a test has set go
// with the test. The lease begins anew while a test uses it, and after the last it
// lets the next run find it still standing. A service that was built from changed
// sources is not built again before the environment has gone.
func Shared(key string, lease time.Duration) Option {
	return func(s *settings) { s.Key, s.Lease = key, lease }
}

// makeSettings are those of a Compose file and options, with absolute paths.
func makeSettings(file string, options []Option) (settings, error) {
	s := settings{Leg: rehearse.Production()}
	for _, o := range options {
		o(&s)
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return s, err
	}
	s.Source.Dir, s.Source.Files, s.Source.Open = filepath.Dir(path), []string{filepath.Base(path)}, true
	if s.Source.Config != "" {
		if s.Source.Config, err = filepath.Abs(s.Source.Config); err != nil {
			return s, err
		}
	}
	return s, nil
}

// options are what the environment stands with.
func (s settings) options(ctx context.Context, host *stand.Host, talk io.Writer) (stand.Options, error) {
	s.Source.Pull = talk
	project, err := host.Load(ctx, s.Source)
	if err != nil {
		return stand.Options{}, err
	}
	plan, err := project.Plan(s.Leg)
	if err != nil {
		return stand.Options{}, err
	}
	driver, err := host.Driver(project.Driver(), project.Variables()...)
	if err != nil {
		return stand.Options{}, err
	}
	o := stand.Options{Plan: plan, Project: project, Driver: driver, Purpose: environment.PurposeTest}
	if s.Key != "" {
		o.Lease = s.Lease
		o.Key, err = planKey(s.Key, plan)
	}
	return o, err
}

// planKey is the key of those who share an environment of a plan.
func planKey(key string, plan *rehearse.Plan) (string, error) {
	text, err := json.Marshal(plan)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return key + "@" + hex.EncodeToString(sum[:8]), nil
}
