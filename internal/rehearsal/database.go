package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

// churn writes to the databases whose datasets ask for it, in the place of
// production's other writers, until the function that it returns is called; that
// one writes down what came of it. It goes past the links: what they carry is the
// project's own.
func (l *leg) churn(ctx context.Context, step string) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	var results []*rehearse.ChurnResult
	for _, s := range l.plan.Services {
		if s.Data == nil || s.Data.Churn <= 0 {
			continue
		}
		r := &rehearse.ChurnResult{Service: s.Name, Dataset: s.Data.Name, Seed: l.plan.Seed}
		results = append(results, r)
		at, err := l.env.Database(s.Name)
		switch {
		case err != nil:
			r.Failed = firstLine(err)
		case l.o.Churn == nil:
			r.Failed = "Nothing here can write to it."
		default:
			group.Go(func() { *r = l.o.Churn(ctx, s, at, l.plan.Seed) })
		}
	}
	return func() error {
		cancel()
		group.Wait()
		for _, r := range results {
			r.Step = step
			if err := l.out.Append(rehearse.Record{Churn: r}); err != nil {
				return err
			}
		}
		return nil
	}
}

// plans compares, for each service that a check of plans is about, how its
// database plans production's statements without the change's migrations and with
// them. Each side is an environment of its own, with a fresh copy of the data and
// nothing else: production's statistics are only for planning.
func (l *leg) plans(ctx context.Context) error {
	for _, s := range l.plan.Services {
		if !comparesPlans(l.plan, s) {
			continue
		}
		r, err := l.comparePlans(ctx, s)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			r = rehearse.PlansResult{Service: s.Name, Dataset: s.Data.Name, Failed: firstLine(err)}
		}
		if err := l.out.Append(rehearse.Record{Plans: &r}); err != nil {
			return err
		}
	}
	return nil
}

// comparesPlans says whether a check of plans is about a service, and there is
// something to compare.
func comparesPlans(p *rehearse.Plan, s rehearse.Service) bool {
	if s.Data == nil || s.Data.Profile == "" || len(s.Data.Migrations) == 0 {
		return false
	}
	return slices.ContainsFunc(p.Checks, func(c rehearse.Check) bool {
		return c.Kind == rehearse.CheckPlanRegression && (c.Dataset == "" || c.Dataset == s.Data.Name)
	})
}

func (l *leg) comparePlans(ctx context.Context, s rehearse.Service) (r rehearse.PlansResult, err error) {
	if l.o.ComparePlans == nil {
		return r, errors.New("nothing here can ask a database for its plans")
	}
	without := s
	data := *s.Data
	data.Migrations = nil
	without.Data = &data
	base, downBase, err := l.apart(ctx, without)
	if err != nil {
		return r, fmt.Errorf("start %s without the migrations: %w", s.Name, err)
	}
	defer func() { err = errors.Join(err, downBase()) }()
	head, downHead, err := l.apart(ctx, s)
	if err != nil {
		return r, fmt.Errorf("start %s with the migrations: %w", s.Name, err)
	}
	defer func() { err = errors.Join(err, downHead()) }()
	return l.o.ComparePlans(ctx, s, base, head), nil
}

// apart brings up an environment that has one service of the plan and nothing
// else. The function that it returns takes it down.
func (l *leg) apart(ctx context.Context, s rehearse.Service) (at driver.Filling, down func() error, err error) {
	alone := *l.plan
	s.Needs, alone.Links, alone.Steps, alone.Checks = nil, nil, nil, nil
	alone.Services = []rehearse.Service{s}
	record, err := l.o.Store.Create(environment.Meta{
		Project: alone.Project, Dir: alone.Dir, Leg: alone.Leg.Name, Driver: l.o.Driver.Name(), Purpose: l.o.Kind,
		Expires: time.Now().Add(l.o.Lease),
	})
	if err != nil {
		return at, nil, err
	}
	l.apartIDs = append(l.apartIDs, record.ID)
	env, err := environment.Up(ctx, environment.Options{
		ID: record.ID, Plan: &alone, Driver: l.o.Driver, Dir: record.Place(), Journal: record, Talk: l.o.Observe.Talk,
		Fill: l.o.Fill, FillKey: l.o.FillKey, Migrate: l.o.Migrate,
	})
	if err != nil {
		return at, nil, errors.Join(err, record.Close())
	}
	down = func() error {
		polite, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTime)
		defer cancel()
		return errors.Join(env.Down(polite), record.Close())
	}
	if at, err = env.Database(s.Name); err != nil {
		return at, nil, errors.Join(err, down())
	}
	return at, down, nil
}
