package environment

import (
	"context"
	"fmt"
	"net"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/recipe"
)

// Database is how a service's database is reached from inside, as the link's
// upstream sees it, by who may do everything in it.
func (e *Environment) Database(name rehearse.ServiceName) (driver.Filling, error) {
	s, err := e.named(name)
	if err != nil {
		return driver.Filling{}, err
	}
	a, err := recipe.AccountOf(s.spec)
	if err != nil {
		return driver.Filling{}, err
	}
	return driver.Filling{
		Engine: a.Engine, User: a.User, Password: a.Password, Database: a.Database,
		Dial: func(ctx context.Context) (net.Conn, error) { return e.inner.Dial(ctx, name, a.Port) },
	}, nil
}

// migrates says whether migrations are still to run.
func (s *service) migrates() bool {
	return !s.migrated && s.spec.Data != nil && len(s.spec.Data.Migrations) > 0
}

// migrate runs the migrations of the service's dataset, once for each fresh copy
// of it. It is called by the goroutine in run alone.
func (s *service) migrate(life context.Context) error {
	if !s.migrates() {
		return nil
	}
	if s.env.o.Migrate == nil {
		return &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("service %q has migrations, which nothing here can run", s.spec.Name),
			Hint: "Take data." + s.spec.Data.Name + ".migrations out of rehearse.yaml.",
		}
	}
	s.enter(rehearse.ServiceEvent{State: rehearse.Starting, Detail: "its migrations run"})
	at, err := s.env.Database(s.spec.Name)
	if err != nil {
		return err
	}
	r, err := s.env.o.Migrate(life, s.spec, at)
	if err != nil {
		return err
	}
	if s.env.o.OnMigration != nil {
		s.env.events.Lock()
		s.env.o.OnMigration(r)
		s.env.events.Unlock()
	}
	if r.Failed != "" {
		return &rehearse.Error{
			Kind: rehearse.NotReady, Msg: fmt.Sprintf("a migration of service %q failed: %s", s.spec.Name, r.Failed),
			Hint: "It ran on a fresh copy of dataset " + s.spec.Data.Name + ".",
		}
	}
	s.migrated = true
	return nil
}
