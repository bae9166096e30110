package environment

import (
	"context"
	"errors"
	"fmt"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// reset is one call of Reset, on its way to the goroutine that owns the service.
type reset struct {
	done  chan error // has room for the answer
	under bool       // the service has stopped for it; read and set by the goroutine in run alone
}

// Reset stops a service, throws away what it has written, and starts it again
// with its first data; it returns when the service is ready. Its links stay, and
// who was connected sees the connection end. Only a service that is ready can be
// reset, and only by one caller at a time.
func (e *Environment) Reset(ctx context.Context, name rehearse.ServiceName) error {
	s, ok := e.services[name]
	if !ok {
		return &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("the environment has no service %q", name),
			Hint: "List them with rehearse ps.",
		}
	}
	if _, ok := e.inner.(driver.Resetter); !ok {
		return &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("driver %s cannot give service %q its first data again", e.o.Driver.Name(), name),
			Hint: "Take the environment down and up again.",
		}
	}
	r := &reset{done: make(chan error, 1)}
	s.mu.Lock()
	p := s.proc
	if s.state != rehearse.Ready || s.reset != nil || s.over {
		state := s.state
		s.mu.Unlock()
		return &rehearse.Error{
			Kind: rehearse.NotReady, Msg: fmt.Sprintf("service %q is %s, and only one that is ready can be reset", name, state),
			Hint: "Wait until it is ready, or take the environment down and up again.",
		}
	}
	s.reset = r
	s.mu.Unlock()
	s.halt(ctx, p)
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		// It goes on: a service that was left stopped would be of no use.
		return &rehearse.Error{Kind: rehearse.Interrupted, Msg: fmt.Sprintf("interrupted while resetting service %q", name), Err: ctx.Err()}
	}
}

// wanted is the reset that somebody waits for; nil: none.
func (s *service) wanted() *reset {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reset
}

// answerReset tells who waits for a reset how it went. It is called by the
// goroutine in run alone.
func (s *service) answerReset(err error) {
	s.mu.Lock()
	r := s.reset
	s.reset = nil
	s.mu.Unlock()
	if r != nil {
		r.done <- err
	}
}

// end is the last that the goroutine in run does.
func (s *service) end(life context.Context) {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	err := context.Cause(life)
	if err == nil {
		err = errExited
	}
	s.answerReset(err)
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
