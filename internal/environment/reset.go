package environment

import (
	"context"
	"errors"
	"fmt"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// Reset stops a service, throws away what it has written, and starts it again
// with its first data; it returns when the service is ready. Its links stay, and
// who was connected sees the connection end. Only a service that is ready can be
// reset, and only by one caller at a time.
func (e *Environment) Reset(ctx context.Context, name rehearse.ServiceName) error {
	if _, ok := e.inner.(driver.Resetter); !ok {
		return &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("driver %s cannot give service %q its first data again", e.o.Driver.Name(), name),
			Hint: "Take the environment down and up again.",
		}
	}
	w := &stoppage{reset: true}
	s, p, err := e.ask(name, w, "reset")
	if err != nil {
		return err
	}
	s.halt(ctx, p)
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		// It goes on: a service that was left stopped would be of no use.
		return &rehearse.Error{Kind: rehearse.Interrupted, Msg: fmt.Sprintf("interrupted while resetting service %q", name), Err: ctx.Err()}
	}
}

// resetData gives the service, which has ended, its first data.
func (s *service) resetData(life context.Context) error {
	inner, ok := s.env.inner.(driver.Resetter)
	if !ok {
		return errors.New("internal error: reset without a driver that can")
	}
	s.enter(rehearse.ServiceEvent{State: rehearse.Building, Reset: true, Detail: "its data is reset"})
	return inner.Reset(life, s.spec.Name)
}
