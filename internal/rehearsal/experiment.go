package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/experiment"
)

// experiment drives a step's load, and does its method meanwhile. It returns when
// both have ended and everything is undone.
func (l *leg) experiment(ctx context.Context, s *rehearse.ExperimentStep) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	began := make(chan time.Time, 1)
	done := make(chan error, 1)
	var lost error // what could not be written down
	go func() {
		select {
		case at := <-began:
			err := experiment.Run(ctx, *s, at, target{l.env}, func(e rehearse.ActionEvent) {
				lost = errors.Join(lost, l.out.Append(rehearse.Record{Action: &e}))
				if l.o.Observe.Action != nil {
					l.o.Observe.Action(*s, e)
				}
			})
			if err != nil {
				stop(err) // a link that stays broken spoils the load, too
			}
			done <- errors.Join(err, lost)
		case <-ctx.Done():
			done <- nil // the load did not start, and says why
		}
	}()
	err := l.load(ctx, &s.Load, func(at time.Time) { began <- at })
	if err != nil {
		stop(err)
	}
	if failed := <-done; failed != nil && !errors.Is(err, failed) {
		err = errors.Join(err, fmt.Errorf("experiment %q: %w", s.Name, failed))
	}
	return err
}

// target is an environment as an experiment breaks it.
type target struct{ env *environment.Environment }

func (t target) Break(id rehearse.LinkID, faults []rehearse.Fault) error {
	link, ok := t.env.Link(id)
	if !ok {
		return fmt.Errorf("the environment has no link %s", id)
	}
	return link.BreakBy(environment.ByExperiment, faults)
}

func (t target) Doses(id rehearse.LinkID) []rehearse.Dose {
	link, ok := t.env.Link(id)
	if !ok {
		return nil
	}
	return link.Stats().Doses
}

func (t target) Disrupt(ctx context.Context, service rehearse.ServiceName, d rehearse.Disruption) (func(context.Context) error, error) {
	began := time.Now()
	undo, err := t.env.Disrupt(ctx, service, d)
	if err != nil {
		return nil, err
	}
	if d.Kind != rehearse.DisruptKill && d.Kind != rehearse.DisruptRestart {
		return undo, nil
	}
	return func(ctx context.Context) error {
		if err := undo(ctx); err != nil {
			return err
		}
		return t.ready(ctx, service, began)
	}, nil
}

// ready waits until a service is ready once more since a moment.
func (t target) ready(ctx context.Context, service rehearse.ServiceName, since time.Time) error {
	beat := time.NewTicker(50 * time.Millisecond)
	defer beat.Stop()
	for {
		for _, s := range t.env.States() {
			if s.Service != service || !s.Since.After(since) {
				continue
			}
			switch s.State {
			case rehearse.Ready, rehearse.Done:
				return nil
			case rehearse.Failed:
				return fmt.Errorf("it did not become ready again: %s", s.Detail)
			}
		}
		select {
		case <-beat.C:
		case <-ctx.Done():
			return fmt.Errorf("it is not ready again: %w", context.Cause(ctx))
		}
	}
}
