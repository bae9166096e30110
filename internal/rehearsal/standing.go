package rehearsal

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/evidence"
	"github.com/rehearse-dev/rehearse/internal/redact"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
)

// StandingOptions are what the steps of a plan need at an environment that stands
// already.
type StandingOptions struct {
	Environment *environment.Environment
	// Telemetry is where the environment keeps its own; nil: it keeps none.
	Telemetry *telemetry.Store
	// Plan is of the same project and driver as the environment's own. Its steps are
	// run, and none that are suites.
	Plan    *rehearse.Plan
	Root    string // the project's .rehearse directory
	Run     rehearse.RunID
	Version string
	Secrets *redact.Secrets // are taken out of everything that is written, by value
	Observe Observer
}

// Standing runs the steps of a plan at an environment that stands, and leaves their
// evidence in a run directory, to be judged. The environment goes on standing, and
// what experiments broke is mended when it returns. The evidence holds the telemetry
// of this time, and the file's checks are asked of it, except those of databases,
// which a rehearsal looks at before and after.
func Standing(ctx context.Context, o StandingOptions) (dir string, err error) {
	started := time.Now()
	plan := *o.Plan
	plan.Checks = slices.DeleteFunc(slices.Clone(plan.Checks), func(c rehearse.Check) bool {
		return o.Telemetry == nil || c.Kind == rehearse.CheckPlanRegression
	})
	run, err := evidence.Create(o.Root, o.Run, evidence.Meta{
		Run: o.Run, Project: plan.Project, Version: o.Version, Kind: evidence.KindExperiment, Started: started, Legs: []string{plan.Leg.Name},
	})
	if err != nil {
		return "", err
	}
	run.Secrets = o.Secrets
	out, err := run.Leg(plan.Leg.Name)
	if err != nil {
		return run.Dir(), err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	l := &leg{o: Options{Version: o.Version, Observe: o.Observe, Secrets: o.Secrets}, plan: &plan, out: out, env: o.Environment}
	err = l.stands(ctx, o.Telemetry)
	end := &rehearse.End{Elapsed: rehearse.Duration(time.Since(started))}
	if err != nil {
		end.Error = firstLine(err)
	}
	return run.Dir(), errors.Join(err, out.Append(rehearse.Record{End: end}))
}

// stands runs the steps, between what the environment was before and after them,
// and keeps what is told meanwhile.
func (l *leg) stands(ctx context.Context, told *telemetry.Store) (err error) {
	if err := l.out.Append(rehearse.Record{Begin: &rehearse.Begin{Version: l.o.Version, Environment: l.env.ID(), Plan: *l.plan}}); err != nil {
		return err
	}
	if err := l.states(); err != nil {
		return err
	}
	for _, f := range l.env.Facts() {
		if err := l.out.Append(rehearse.Record{Fact: &f}); err != nil {
			return err
		}
	}
	if told != nil {
		if err := l.keepTelemetry(); err != nil {
			return err
		}
		l.env.Flush() // what has ended before is not of this time
		stop := told.CopyTo(l.telemetry)
		defer func() {
			stop()
			err = errors.Join(err, l.keptTelemetry())
		}()
	}
	before := l.env.Links()
	for _, step := range l.plan.Steps {
		if l.o.Observe.Step != nil {
			l.o.Observe.Step(step)
		}
		if err := l.step(ctx, step); err != nil {
			return errors.Join(err, l.linksSince(before))
		}
	}
	l.hush(ctx)
	return errors.Join(l.linksSince(before), l.states())
}

// linksSince writes down what links have counted since. Their distributions of times
// are those since the environment's start, which cannot be taken apart.
func (l *leg) linksSince(before []rehearse.LinkStats) error {
	now := l.env.Links()
	for i := range now {
		at := slices.IndexFunc(before, func(b rehearse.LinkStats) bool { return b.ID == now[i].ID })
		if at < 0 {
			continue
		}
		n, b := &now[i], before[at]
		n.Connections -= b.Connections - b.Active // those that were open count, too
		n.RoundTrips -= b.RoundTrips
		n.BytesUp -= b.BytesUp
		n.BytesDown -= b.BytesDown
		n.Refused -= b.Refused
		n.Resets -= b.Resets
	}
	return l.out.Append(rehearse.Record{Links: &rehearse.LinksResult{Links: now}})
}

// states writes down where every service is.
func (l *leg) states() error {
	for _, s := range l.env.States() {
		ev := &rehearse.ServiceEvent{Service: s.Service, State: s.State, Detail: s.Detail}
		if err := l.out.Append(rehearse.Record{Service: ev}); err != nil {
			return err
		}
	}
	return nil
}
