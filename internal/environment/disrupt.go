package environment

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// Disrupt does to a service what a disruption says, at once, and undo takes it
// back: a service that was killed is started again, and becomes ready in its own
// time. undo may be called more than once, and when the environment has gone; it
// is never nil. A service must be ready to be disrupted, and the end of the
// environment undoes everything. What the driver or this host cannot do is an
// error of kind Unavailable; after an error nothing has changed.
func (e *Environment) Disrupt(ctx context.Context, name rehearse.ServiceName, d rehearse.Disruption) (undo func(context.Context) error, err error) {
	nothing := func(context.Context) error { return nil }
	if err := d.Validate(); err != nil {
		return nothing, err
	}
	switch d.Kind {
	case rehearse.DisruptKill:
		release := make(chan struct{})
		_, p, err := e.ask(name, &stoppage{why: "it was killed on purpose", until: release}, "killed")
		if err != nil {
			return nothing, err
		}
		again := sync.OnceFunc(func() { close(release) })
		return func(context.Context) error { again(); return nil }, p.Kill()
	case rehearse.DisruptRestart:
		s, p, err := e.ask(name, &stoppage{}, "restarted")
		if err != nil {
			return nothing, err
		}
		s.halt(ctx, p)
		return nothing, nil
	}
	inner, ok := e.inner.(driver.Disruptor)
	if !ok {
		return nothing, cannotDisrupt(e.o.Driver.Name(), d.Kind)
	}
	s, err := e.named(name)
	if err != nil {
		return nothing, err
	}
	if state := s.status().State; state != rehearse.Ready {
		return nothing, &rehearse.Error{Kind: rehearse.NotReady, Msg: fmt.Sprintf("service %q is %s, and only one that is ready can be disrupted", name, state)}
	}
	undo, err = inner.Disrupt(ctx, name, d)
	if err != nil {
		return nothing, err
	}
	return undo, nil
}

// cannotDisrupt says which drivers can do what this one cannot.
func cannotDisrupt(name string, kind rehearse.DisruptionKind) error {
	err := &rehearse.Error{Kind: rehearse.Unavailable, Msg: fmt.Sprintf("driver %s cannot do %q to a service", name, kind), Hint: "No driver can."}
	if able := kind.Drivers(); len(able) > 0 {
		err.Hint = "Drivers that can: " + strings.Join(able, ", ") + "."
	}
	return err
}
