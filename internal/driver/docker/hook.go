package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// hookFailed says what a hook said.
func (s *service) hookFailed(kind string, said *tail, err error) error {
	return &rehearse.Error{
		Kind: rehearse.NotReady, Msg: fmt.Sprintf("the %s hook of %s failed", kind, s.spec.Name), Err: err,
		Hint: "It said:\n" + said.String(),
	}
}

// postStart runs the hooks of a service that has just started.
func (p *process) postStart(ctx context.Context) error {
	if c := p.s.spec.Container; c != nil {
		return p.hooks(ctx, c.PostStart, "post_start")
	}
	return nil
}

// preStop runs the hooks of a service that is about to be stopped, once. They have
// the time that the service has to stop in, and what becomes of them keeps nothing
// from stopping.
func (p *process) preStop(ctx context.Context) {
	p.mu.Lock()
	first := !p.stopping
	p.stopping = true
	p.mu.Unlock()
	c := p.s.spec.Container
	if !first || c == nil || len(c.PreStop) == 0 {
		return
	}
	grace := time.Duration(p.s.spec.StopGrace)
	if grace == 0 {
		grace = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if err := p.hooks(ctx, c.PreStop, "pre_stop"); err != nil {
		p.e.fact(rehearse.Fact{Name: "hook.failed", Value: string(p.s.spec.Name), Note: err.Error()})
	}
}

// hooks runs commands in every instance, one after the other.
func (p *process) hooks(ctx context.Context, hooks []rehearse.Hook, kind string) error {
	for _, h := range hooks {
		for _, i := range p.alive() {
			said := &tail{}
			code, err := p.e.execIn(ctx, i, execRequest{
				Command: driver.Command{Args: h.Command, Env: h.Env, Stdout: said, Stderr: said},
				user:    h.User, dir: h.WorkingDir, privileged: h.Privileged,
			})
			if err == nil && code != 0 {
				err = fmt.Errorf("exit %d", code)
			}
			if err != nil {
				return p.s.hookFailed(kind, said, err)
			}
		}
	}
	return nil
}

// prepareHooks gets the images of pre_start hooks that have one of their own.
func (e *environment) prepareHooks(ctx context.Context, s *service) error {
	if s.spec.Container == nil {
		return nil
	}
	for _, h := range s.spec.Container.PreStart {
		if _, err := e.hookImage(ctx, s, h); err != nil {
			return err
		}
	}
	return nil
}

func (e *environment) hookImage(ctx context.Context, s *service, h rehearse.Hook) (image, error) {
	if h.Image == "" {
		return s.image, nil
	}
	spec := s.spec
	spec.Build, spec.Image = nil, h.Image
	return e.imageOf(ctx, spec)
}

// preStart runs the hooks that come before a service's first start, one after the
// other.
func (p *process) preStart(ctx context.Context, out driver.Output) error {
	if p.s.spec.Container == nil || p.s.hooked {
		return nil
	}
	for n, h := range p.s.spec.Container.PreStart {
		if err := p.e.runPreStart(ctx, p.s, n+1, h, out); err != nil {
			return err
		}
	}
	p.s.hooked = true
	return nil
}

// runPreStart runs a hook in a container of its own, which has what the service's
// has, and the address of its first instance, which does not run yet.
func (e *environment) runPreStart(ctx context.Context, s *service, n int, h rehearse.Hook, out driver.Output) (err error) {
	made := &service{spec: s.spec, addresses: s.addresses}
	made.data = dataPlace{kind: s.data.kind, dir: s.data.dir, golden: s.data.golden, clone: s.data.clone, volume: s.data.volume}
	c := *s.spec.Container
	c.Privileged, c.TTY = c.Privileged || h.Privileged, false
	made.spec.Container = &c
	made.spec.Entrypoint, made.spec.Command = h.Command[:1], h.Command[1:]
	if made.spec.Env = maps.Clone(s.spec.Env); made.spec.Env == nil {
		made.spec.Env = map[string]string{}
	}
	maps.Copy(made.spec.Env, h.Env)
	if h.User != "" {
		made.spec.User = h.User
	}
	if h.WorkingDir != "" {
		made.spec.WorkingDir = h.WorkingDir
	}
	if made.image, err = e.hookImage(ctx, s, h); err != nil {
		return err
	}
	m, err := e.mounts(ctx, made)
	if err != nil {
		return err
	}
	i := &instance{number: 1, name: e.name(fmt.Sprintf("%s.pre-start-%d", s.spec.Name, n))}
	// It is not among the service's instances, so it goes here.
	defer func() { err = errors.Join(err, e.removeAlone(ctx, i)) }()
	if err := e.makeInstance(ctx, made, i, m); err != nil {
		return err
	}
	said := &tail{}
	p := newProcess(e, made)
	if _, err := p.startAlone(ctx, driver.Output{
		Stdout: io.MultiWriter(orDiscard(out.Stdout), said), Stderr: io.MultiWriter(orDiscard(out.Stderr), said),
	}); err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		_ = p.Kill() // its container is removed in any case
		<-p.done
		return context.Cause(ctx)
	}
	if exit := p.Exit(); exit.Code != 0 {
		return s.hookFailed("pre_start", said, errors.New(exit.Reason))
	}
	return nil
}
