package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

var _ driver.Disruptor = (*environment)(nil)

// Disrupt pauses every instance of a service, leaves each less of the processor or
// the memory, or fills a volume of it.
func (e *environment) Disrupt(ctx context.Context, name rehearse.ServiceName, d rehearse.Disruption) (undo func(context.Context) error, err error) {
	s, err := e.service(name)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	p := s.proc
	s.mu.Unlock()
	if p == nil {
		return nil, fmt.Errorf("service %q has not been started", name)
	}
	if d.Kind == rehearse.DisruptDisk {
		if err := e.fillDisk(ctx, s, d.Path, true); err != nil {
			return nil, err
		}
		return func(ctx context.Context) error {
			if err := e.fillDisk(ctx, s, d.Path, false); !errors.Is(err, errGone) { // who has gone needs no room
				return err
			}
			return nil
		}, nil
	}
	if err := e.engine.able(d); err != nil {
		return nil, err
	}
	var do, back func(context.Context, *instance) error
	switch d.Kind {
	case rehearse.DisruptPause:
		do, back = e.pause, e.resume
	case rehearse.DisruptCPU, rehearse.DisruptMemory:
		less, had := e.share(s, d)
		do = func(ctx context.Context, i *instance) error { return e.update(ctx, i, less) }
		back = func(ctx context.Context, i *instance) error { return e.update(ctx, i, had) }
	default:
		return nil, &rehearse.Error{Kind: rehearse.Unavailable, Msg: fmt.Sprintf("service %q: the Docker driver cannot do %q", name, d.Kind)}
	}
	var done []*instance // which have still to be given back what they had
	undo = func(ctx context.Context) error {
		var failed error
		for _, i := range done {
			err := back(ctx, i)
			if err != nil && slices.Contains(p.alive(), i) { // what has ended has it back
				failed = errors.Join(failed, explain(err))
			}
		}
		done = nil
		return failed
	}
	for _, i := range p.alive() {
		if err := e.withReason(ctx, i, d, do(ctx, i)); err != nil {
			ctx, stop := e.forRequest(ctx)
			defer stop()
			return nil, errors.Join(explain(err), undo(ctx))
		}
		done = append(done, i)
	}
	return undo, nil
}

// withReason says what a kernel means that does not take memory from a service: with
// control groups of version 1 a limit below what is used is refused. Those of version
// 2 take it, and end the service's processes until it holds.
func (e *environment) withReason(ctx context.Context, i *instance, d rehearse.Disruption, err error) error {
	if err == nil || d.Kind != rehearse.DisruptMemory || !noRoom.MatchString(err.Error()) {
		return err
	}
	of := cmp.Or(strings.TrimPrefix(i.name, e.name("")+"-"), i.name)
	msg := fmt.Sprintf("%s cannot be left with %s of memory, because it uses more", of, driver.Megabytes(d.Memory))
	if u, asked := e.usage(ctx, i); asked == nil && u.Memory > d.Memory {
		msg += ": " + driver.Megabytes(u.Memory)
	}
	return &rehearse.Error{
		Kind: rehearse.Unavailable, Msg: msg, Err: &engineError{err},
		Hint: "This host's kernel refuses a limit below what is used; one with control groups of version 2 would end its processes. Leave it more than it uses.",
	}
}

// noRoom is how runc and crun say that.
var noRoom = regexp.MustCompile(`unable to set memory limit|memory\.(?:memsw\.)?limit_in_bytes.*(?:busy|invalid argument)|(?i:device or resource busy)`)

func (e *environment) pause(ctx context.Context, i *instance) error {
	return e.asking(i, events.ActionPause, func() error {
		_, err := e.engine.api.ContainerPause(ctx, i.id, client.ContainerPauseOptions{})
		return err
	})
}

func (e *environment) resume(ctx context.Context, i *instance) error {
	return e.asking(i, events.ActionUnPause, func() error {
		_, err := e.engine.api.ContainerUnpause(ctx, i.id, client.ContainerUnpauseOptions{})
		return err
	})
}

func (e *environment) update(ctx context.Context, i *instance, r container.Resources) error {
	var told []string
	err := e.asking(i, events.ActionUpdate, func() error {
		got, err := e.engine.api.ContainerUpdate(ctx, i.id, client.ContainerUpdateOptions{Resources: &r})
		told = got.Warnings
		return err
	})
	if n := slices.IndexFunc(told, isDiscarded); err == nil && n >= 0 {
		return errors.New(told[n]) // else it would seem to be done
	}
	return err
}

// isDiscarded says that a warning of the engine's is about something that it was asked
// for and has not done.
func isDiscarded(warning string) bool { return strings.Contains(warning, "discarded") }

// asking does to a container what the engine will tell of by an event.
func (e *environment) asking(i *instance, what events.Action, do func() error) error {
	taken := e.watch.acts.ask(i.name, what)
	err := do()
	if err != nil {
		taken()
	}
	return err
}

// share is what a service's instances have left each, and what they had. The engine
// takes 0 for no change, and has no word for no limit on memory: all that there is
// takes its place.
func (e *environment) share(s *service, d rehearse.Disruption) (less, had container.Resources) {
	const period = 100_000 // µs, the kernel's default
	if d.Kind == rehearse.DisruptMemory {
		had.Memory = cmp.Or(s.spec.Limits.Memory, e.engine.info.MemTotal)
		had.MemorySwap = 2 * had.Memory // as the engine has it
		if c := s.spec.Container; c != nil && c.MemorySwap > 0 {
			had.MemorySwap = c.MemorySwap
		}
		return container.Resources{Memory: d.Memory, MemorySwap: d.Memory}, had
	}
	switch c := s.spec.Container; {
	case s.spec.Limits.CPUs > 0:
		return container.Resources{NanoCPUs: int64(d.CPUs * 1e9)}, container.Resources{NanoCPUs: int64(s.spec.Limits.CPUs * 1e9)}
	case c != nil && c.CPUQuota > 0:
		had.CPUQuota, had.CPUPeriod = c.CPUQuota, cmp.Or(c.CPUPeriod, period)
	default:
		had.CPUQuota = -1
	}
	return container.Resources{CPUQuota: int64(d.CPUs * period), CPUPeriod: period}, had
}
