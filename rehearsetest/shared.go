package rehearsetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse/internal/api"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

// share joins the environment of the key, or brings it up in the background when
// there is none, and keeps it from going while the test runs.
func share(t testing.TB, host *stand.Host, s settings, o stand.Options) (*Environment, error) {
	ctx := t.Context()
	unlock, err := host.Store().LockKey(ctx, o.Key)
	if err != nil {
		return nil, err
	}
	defer unlock()
	now, err := find(ctx, host, o)
	if err == nil && now == nil {
		now, err = background(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	e := newEnv(t, *now)
	stop := e.keep(s.Lease)
	t.Cleanup(func() {
		e.tellFailure()
		e.undo()
		stop()
	})
	return e, nil
}

// background brings the environment up in a process of its own.
func background(ctx context.Context, s settings) (*stand.Standing, error) {
	cmd, err := supervisor(s)
	if err != nil {
		return nil, err
	}
	return stand.Start(ctx, cmd, nil, nil)
}

// find finds the environment of the key, with its lease begun anew; nil: there is
// none. One that is on its way down is waited for.
func find(ctx context.Context, host *stand.Host, o stand.Options) (*stand.Standing, error) {
	for {
		entries, err := host.Store().List()
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(entries, func(e environment.Entry) bool { return e.Alive && e.Key == o.Key })
		if i < 0 {
			return nil, nil
		}
		if now, err := join(ctx, entries[i], o.Lease); err == nil {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// join begins the lease of an environment anew.
func join(ctx context.Context, e environment.Entry, lease time.Duration) (*stand.Standing, error) {
	now, err := stand.Describe(ctx, e)
	if err != nil {
		return nil, err
	}
	if now.Token, err = e.Token(); err != nil {
		return nil, err
	}
	client := api.Client{Base: now.API, Token: now.Token}
	_, err = client.Extend(ctx, lease)
	return &now, err
}

// keep begins the lease anew, time and again, until stop, which does it for the
// last time.
func (e *Environment) keep(lease time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	extend := func() { _, _ = e.client.Extend(context.Background(), lease) } // one that has gone is found missing by who uses it
	go func() {
		defer close(done)
		beat := time.NewTicker(lease / 3)
		defer beat.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-beat.C:
				extend()
			}
		}
	}()
	return func() {
		cancel()
		<-done
		extend()
	}
}
