package rehearsetest

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/api"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

// Up brings up an environment of a Compose file, with a link from the test to every
// known port of every service, and returns when every service is ready. The end of
// the test takes it down. When it cannot be brought up, the test ends there.
func Up(t testing.TB, file string, options ...Option) *Environment {
	t.Helper()
	e, err := up(t, file, options)
	if err != nil {
		t.Fatal(describe(err))
	}
	return e
}

func up(t testing.TB, file string, options []Option) (*Environment, error) {
	if !mainCalled.Load() {
		return nil, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: "the test binary cannot be started again as a part of an environment",
			Hint: "Give the package a main: func TestMain(m *testing.M) { rehearsetest.Main(m) }",
		}
	}
	s, err := makeSettings(file, options)
	if err != nil {
		return nil, err
	}
	if s.Key != "" && s.Lease < time.Second {
		return nil, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("the lease of a shared environment is at least 1s, not %v", s.Lease), Hint: `Give it time between two users, as in Shared("key", time.Minute).`,
		}
	}
	host, err := thisHost(s.Variables)
	if err != nil {
		return nil, err
	}
	o, err := s.options(t.Context(), host, io.Discard)
	if err != nil {
		return nil, err
	}
	sweep(t, host)
	if s.Key != "" {
		return share(t, host, s, o)
	}
	return own(t, host, o)
}

// sweep takes away what dead environments have left, while something else goes on.
// It is a courtesy: what it cannot remove is for rehearse gc to say.
func sweep(t testing.TB, host *stand.Host) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	swept := make(chan []string, 1)
	go func() {
		removed, _ := host.Store().Collect(ctx, host.Drivers()...)
		swept <- removed
	}()
	t.Cleanup(func() {
		cancel()
		for _, r := range <-swept {
			t.Log("swept", r)
		}
	})
}

// own brings up an environment in this process.
func own(t testing.TB, host *stand.Host, o stand.Options) (*Environment, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, done := make(chan stand.Standing, 1), make(chan error, 1)
	o.Ready = func(s stand.Standing) error {
		ready <- s
		return nil
	}
	go func() { done <- host.Stand(ctx, o) }()
	select {
	case s := <-ready:
		e := newEnv(t, s)
		t.Cleanup(func() {
			e.tellFailure()
			cancel()
			if err := <-done; err != nil {
				t.Error(describe(fmt.Errorf("take environment %s down: %w", s.ID, err)))
			}
		})
		return e, nil
	case err := <-done:
		cancel()
		return nil, err
	}
}

// newEnv is an environment that stands.
func newEnv(t testing.TB, s stand.Standing) *Environment {
	return &Environment{t: t, id: s.ID, client: &api.Client{Base: s.API, Token: s.Token}, touched: map[rehearse.LinkID]bool{}}
}

// describe is an error with its hints.
func describe(err error) string {
	var b strings.Builder
	fmt.Fprintf(&b, "rehearsetest: %v", err)
	for _, hint := range rehearse.Hints(err) {
		fmt.Fprintf(&b, "\n  hint: %s", hint)
	}
	return b.String()
}
