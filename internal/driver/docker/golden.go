package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/mount"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/recipe"
)

// goldenTime is what an image has to make its data directory, and stopTime what a
// server has to write down what it holds in memory.
const (
	goldenTime = 10 * time.Minute
	stopTime   = 2 * time.Minute
)

// buildGolden has a container of the service's image make a data directory, and
// fills it with the dataset.
func (e *environment) buildGolden(ctx context.Context, s *service, dir string) (err error) {
	made := &service{spec: s.spec, image: s.image}
	made.data = dataPlace{kind: s.data.kind, dir: s.data.dir}
	made.spec.Name = s.spec.Name + ".golden"
	made.spec.Hostname = string(s.spec.Name)
	made.spec.Limits = rehearse.Limits{}
	made.spec.Data = nil
	if c := s.spec.Container; c != nil {
		own := *c
		own.PreStop, own.ReadOnly, own.VolumesFrom, own.Network = nil, false, nil, ""
		made.spec.Container = &own
	}
	if d := s.spec.Data; d != nil {
		made.spec.SQL = append(slices.Clone(d.Before), made.spec.SQL...)
	}
	made.spec.Mounts = slices.DeleteFunc(slices.Clone(s.spec.Mounts), func(m rehearse.Mount) bool {
		return m.Target == s.data.dir || path.Dir(s.data.dir) == m.Target
	})
	if args := s.spec.Command; len(s.data.kind.building) > 0 && (len(args) == 0 || args[0] == s.spec.Recipe || args[0][0] == '-') {
		if len(args) == 0 {
			args = s.image.Config.Cmd
		}
		made.spec.Command = append(slices.Clone(args), s.data.kind.building...)
	}
	m, err := e.mounts(ctx, made)
	if err != nil {
		return err
	}
	m.list = append(m.list, mount.Mount{Type: mount.TypeBind, Source: dir, Target: s.data.dir})
	i := &instance{number: 1, name: e.name(string(made.spec.Name))}
	// It is not among the plan's services, so it goes here.
	defer func() { err = errors.Join(err, e.removeAlone(ctx, i)) }()
	if err := e.makeInstance(ctx, made, i, m); err != nil {
		return err
	}
	return e.runGolden(ctx, s, made, i)
}

// runGolden runs the container until its database is filled, and ends it in good
// order.
func (e *environment) runGolden(ctx context.Context, s, made *service, i *instance) error {
	said := &tail{}
	p := newProcess(e, made)
	done, err := p.startAlone(ctx, driver.Output{Stdout: said, Stderr: said})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, goldenTime)
	defer cancel()
	ctx, ended := context.WithCancelCause(ctx)
	defer ended(nil)
	go func() {
		select {
		case <-done:
			ended(&rehearse.Error{
				Kind: rehearse.NotReady, Msg: fmt.Sprintf("the database of %s ended early: %s", s.spec.Name, p.Exit().Reason),
				Hint: "It said:\n" + said.String(),
			})
		case <-ctx.Done():
		}
	}()
	if err := e.fillGolden(ctx, s, i); err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
		_ = p.Kill() // it goes with what it has made
		<-done
		return err
	}
	r, _ := recipe.ByName(s.spec.Recipe)
	if err := p.Signal(driver.Signal(r.StopSignal)); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-time.After(stopTime):
		_ = p.Kill()
		<-done
		return fmt.Errorf("the database of %s did not stop in %v", s.spec.Name, stopTime)
	}
}

// startAlone starts one instance of a process that no service has.
func (p *process) startAlone(ctx context.Context, out driver.Output) (done <-chan struct{}, err error) {
	if err = p.launch(ctx, out); err != nil {
		_ = p.Kill()
		<-p.done
	}
	return p.done, err
}

// removeAlone removes a container that is none of a service's instances.
func (e *environment) removeAlone(ctx context.Context, i *instance) error {
	ctx, stop := e.untilAbandoned(ctx)
	defer stop()
	return e.removeContainer(ctx, i.name, i.name)
}

// fillGolden waits for the database and puts the dataset into it.
func (e *environment) fillGolden(ctx context.Context, s *service, i *instance) error {
	r, ok := recipe.ByName(s.spec.Recipe)
	if !ok || r.Query == nil {
		return fmt.Errorf("there is no query for %q", s.spec.Recipe)
	}
	dial := func(ctx context.Context, port int) (net.Conn, error) { return e.dialAt(ctx, i.address, port) }
	for {
		one, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := r.Query(one, s.spec, dial)
		cancel()
		if err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
	d := s.spec.Data
	if d == nil {
		return nil
	}
	a, err := recipe.AccountOf(s.spec)
	if err != nil {
		return err
	}
	if d.Generates() && e.spec.Fill != nil {
		err := e.spec.Fill(ctx, s.spec, driver.Filling{
			Engine: a.Engine, User: a.User, Password: a.Password, Database: a.Database,
			Dial: func(ctx context.Context) (net.Conn, error) { return dial(ctx, a.Port) },
		})
		if err != nil {
			return err
		}
	}
	for _, name := range d.After {
		if err := e.runScript(ctx, s, i, a, name); err != nil {
			return err
		}
	}
	if s.data.kind.settle == "" {
		return nil
	}
	return e.runStatements(ctx, s, i, a, s.data.kind.settle)
}

func (e *environment) runScript(ctx context.Context, s *service, i *instance, a recipe.Account, name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return &rehearse.Error{Kind: rehearse.Invalid, Msg: "read a dataset's file", Err: err}
	}
	if err := e.runStatements(ctx, s, i, a, string(data)); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	return nil
}

func (e *environment) runStatements(ctx context.Context, s *service, i *instance, a recipe.Account, sql string) error {
	said := &tail{}
	args, env := s.data.kind.client(a)
	code, err := e.execIn(ctx, i, execRequest{Command: driver.Command{Args: args, Env: env, Stdin: strings.NewReader(sql), Stdout: said, Stderr: said}})
	if err == nil && code != 0 {
		err = &rehearse.Error{Kind: rehearse.NotReady, Msg: fmt.Sprintf("%s: exit %d", args[0], code), Hint: "It said:\n" + said.String()}
	}
	return err
}
