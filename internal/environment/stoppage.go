package environment

import (
	"context"
	"fmt"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// stoppage is what somebody has stopped a service for, on its way to the
// goroutine that owns the service, which starts it again afterwards.
type stoppage struct {
	reset bool            // its data becomes its first data
	why   string          // it is kept down for this; with released
	until <-chan struct{} // it stays down until this is closed; nil: at once
	done  chan error      // has room for the answer: it is ready again, or will not be
	under bool            // the service has stopped for it; read and set by the goroutine in run alone
}

// ask makes a stoppage the one that a service's next end is for. doing is what
// it is to be, as in "reset". Only a service that is ready can be asked, and only
// by one caller at a time.
func (e *Environment) ask(name rehearse.ServiceName, w *stoppage, doing string) (*service, driver.Process, error) {
	s, err := e.named(name)
	if err != nil {
		return nil, nil, err
	}
	w.done = make(chan error, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != rehearse.Ready || s.asked != nil || s.over {
		return nil, nil, &rehearse.Error{
			Kind: rehearse.NotReady, Msg: fmt.Sprintf("service %q is %s, and only one that is ready can be %s", name, s.state, doing),
			Hint: "Wait until it is ready, or take the environment down and up again.",
		}
	}
	s.asked = w
	return s, s.proc, nil
}

// named finds a service that somebody has named.
func (e *Environment) named(name rehearse.ServiceName) (*service, error) {
	if s, ok := e.services[name]; ok {
		return s, nil
	}
	return nil, &rehearse.Error{
		Kind: rehearse.Invalid, Msg: fmt.Sprintf("the environment has no service %q", name),
		Hint: "List them with rehearse ps.",
	}
}

// wanted is what the service has been stopped for; nil: nothing.
func (s *service) wanted() *stoppage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// answer tells who waits for a stoppage how it went. It is called by the goroutine
// in run alone.
func (s *service) answer(err error) {
	s.mu.Lock()
	w := s.asked
	s.asked = nil
	s.mu.Unlock()
	if w != nil {
		w.done <- err
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
	s.answer(err)
}

// whileStopped does what the service, which has ended, was stopped for.
func (s *service) whileStopped(life context.Context, w *stoppage) error {
	if w.reset {
		s.migrated = false
		if err := s.resetData(life); err != nil {
			return fmt.Errorf("its data could not be reset: %w", err)
		}
	}
	if w.until == nil {
		return nil
	}
	s.enter(rehearse.ServiceEvent{State: rehearse.Stopped, Detail: w.why})
	select {
	case <-w.until:
		return nil
	case <-life.Done():
		return context.Cause(life)
	}
}
