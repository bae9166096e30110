package environment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/recipe"
)

// service is one service's life, owned by the goroutine in run:
//
//	waiting ─▶ building ─▶ starting ─▶ ready ─▶ stopped
//	   │           │          │  ▲       │
//	   └───────────┴──────────┴──┼───────┴────▶ failed
//	                             └── restarted, where Compose says so, or when somebody asks
//
// A job goes from starting to completed.
type service struct {
	env  *Environment
	spec rehearse.Service
	log  *serviceLog

	// started is closed when its process has been started for the first time and has
	// no migrations to run, or it is settled.
	started chan struct{}
	// settled is closed when the service is ready, completed, or has failed for
	// good before; failure is valid after that.
	settled chan struct{}
	failure error
	// migrated says that the migrations have run on what it has now. It belongs to
	// the goroutine in run.
	migrated bool
	// restarted counts how often its restart policy has started it again. It belongs
	// to the goroutine in run.
	restarted int

	mu     sync.Mutex
	state  rehearse.ServiceState
	since  time.Time
	detail string
	proc   driver.Process
	asked  *stoppage // somebody has stopped it for something; nil: nobody
	over   bool      // run has returned: nobody heeds a stoppage any more
}

func newService(e *Environment, spec rehearse.Service) *service {
	return &service{
		env: e, spec: spec, log: newServiceLog(e, spec.Name),
		started: make(chan struct{}), settled: make(chan struct{}),
		state: rehearse.Waiting, since: time.Now(),
	}
}

func (s *service) status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Status{Service: s.spec.Name, State: s.state, Since: s.since, Detail: s.detail}
}

// enter changes the state and tells of it.
func (s *service) enter(ev rehearse.ServiceEvent) {
	ev.Service = s.spec.Name
	s.mu.Lock()
	s.state, s.since, s.detail = ev.State, time.Now(), ev.Detail
	s.mu.Unlock()
	s.env.tell(ev)
}

// run lives the service's life until life ends.
func (s *service) run(life context.Context) {
	defer s.end(life)
	prepared := make(chan error, 1)
	s.env.running.Go(func() {
		// What takes long is done at once, whatever the service needs.
		prepared <- s.env.inner.Prepare(life, s.spec.Name)
	})
	s.enter(rehearse.ServiceEvent{State: rehearse.Waiting})
	if err := s.awaitNeeds(life); err != nil {
		<-prepared
		s.giveUp(life, err, rehearse.ServiceEvent{Detail: "what it needs did not become ready"})
		return
	}
	select {
	case err := <-prepared:
		prepared <- err
	default:
		s.enter(rehearse.ServiceEvent{State: rehearse.Building})
	}
	if err := <-prepared; err != nil {
		s.giveUp(life, err, rehearse.ServiceEvent{Detail: "it could not be prepared: " + err.Error()})
		return
	}
	if err := s.env.awaitListeners(life, s.spec.Name); err != nil {
		s.settle(err)
		return
	}
	s.startUntilSettled(life)
}

// awaitNeeds waits for every line of depends_on.
func (s *service) awaitNeeds(life context.Context) error {
	for _, n := range s.spec.Needs {
		other, ok := s.env.services[n.Service]
		if !ok {
			continue // an optional need of a service that a profile leaves out
		}
		reached := other.settled
		if n.Condition == rehearse.Started {
			reached = other.started
		}
		select {
		case <-reached:
			if other.isSettled() && other.failure != nil && !n.Optional {
				return &needFailed{other.spec.Name, other.failure}
			}
		case <-life.Done():
			return context.Cause(life)
		}
	}
	return nil
}

// needFailed says that a service failed because another did.
type needFailed struct {
	name  rehearse.ServiceName
	cause error
}

func (e *needFailed) Error() string { return fmt.Sprintf("it needs %s, which failed", e.name) }
func (e *needFailed) Unwrap() error { return e.cause }

// restarts are how often Compose lets a service be started again after an exit.
func restarts(policy string, code int) int {
	name, limit, _ := strings.Cut(policy, ":")
	switch name {
	case "always", "unless-stopped":
		return 1 << 30
	case "on-failure":
		if code == 0 {
			return 0
		}
		if n, err := strconv.Atoi(limit); err == nil && n > 0 {
			return n
		}
		return 1 << 30
	}
	return 0
}

// startUntilSettled starts the service, and starts it again as its restart
// policy says, until the environment goes down.
func (s *service) startUntilSettled(life context.Context) {
	deadline := time.Now().Add(time.Duration(s.spec.Ready.Timeout))
	pause := 100 * time.Millisecond // as Docker has it
	for attempt := 0; ; attempt++ {
		begun := time.Now()
		exit, err := s.startOnce(life, begun, deadline)
		if life.Err() != nil {
			s.settle(context.Cause(life))
			return
		}
		if w := s.wanted(); w != nil && !w.under {
			w.under = true
			if err := s.whileStopped(life, w); err != nil {
				s.giveUp(life, err, rehearse.ServiceEvent{Detail: err.Error()})
				return
			}
			attempt, pause = -1, 100*time.Millisecond
			deadline = time.Now().Add(time.Duration(s.spec.Ready.Timeout))
			continue
		}
		isSettled := s.isSettled()
		switch {
		case err != nil:
			s.giveUp(life, err, rehearse.ServiceEvent{Detail: err.Error(), LogTail: s.log.tail(), After: rehearse.Duration(time.Since(begun))})
			return
		case exit.Lost:
			err := &rehearse.Error{Kind: rehearse.Unavailable, Msg: fmt.Sprintf("service %q is lost: %s", s.spec.Name, exit.Reason)}
			s.giveUp(life, err, rehearse.ServiceEvent{Reason: exit.Reason, Detail: exit.Reason, Lost: true, After: rehearse.Duration(time.Since(begun))})
			return
		case exit.Code == 0 && (s.spec.Job || s.finishes()):
			s.enter(rehearse.ServiceEvent{State: rehearse.Done, After: rehearse.Duration(time.Since(begun)), ExitCode: &exit.Code})
			s.settle(nil)
			return
		case attempt >= restarts(s.spec.Restart, exit.Code), !isSettled && time.Now().After(deadline):
			s.giveUp(life, s.exitError(exit), rehearse.ServiceEvent{
				Detail: fmt.Sprintf("it ended (%s) after %v", exit.Reason, rehearse.Round(time.Since(begun))), ExitCode: &exit.Code, Reason: exit.Reason, OutOfMemory: exit.OutOfMemory,
				LogTail: s.log.tail(), After: rehearse.Duration(time.Since(begun)),
			})
			return
		}
		state := rehearse.Starting
		if isSettled {
			state = rehearse.Failed // it was there and went away: that is news, also if it comes back
		}
		s.restarted++
		s.enter(rehearse.ServiceEvent{
			State: state, Again: true, Restart: s.restarted, OutOfMemory: exit.OutOfMemory, Reason: exit.Reason, Detail: fmt.Sprintf("it ended (%s) and is started again, as restart: %s asks", exit.Reason, s.spec.Restart),
			ExitCode: &exit.Code, LogTail: s.log.tail(), After: rehearse.Duration(time.Since(begun)),
		})
		select {
		case <-time.After(pause):
		case <-life.Done():
			s.settle(context.Cause(life))
			return
		}
		pause = min(2*pause, 10*time.Second)
		if isSettled {
			deadline = time.Now().Add(time.Duration(s.spec.Ready.Timeout)) // it was ready once: its time begins anew
		}
	}
}

// finishes says that nothing speaks of a service as one that stays: its end in good
// order is what it was started for.
func (s *service) finishes() bool {
	listens := slices.ContainsFunc(s.spec.Ports, func(p rehearse.Port) bool { return !p.Exposed() })
	return len(s.spec.Ready.Probes) == 0 && !listens && (s.spec.Restart == "" || s.spec.Restart == "no" || strings.HasPrefix(s.spec.Restart, "on-failure"))
}

// startOnce runs the service to its end. It returns an error only when the
// service cannot be started or does not become ready.
func (s *service) startOnce(life context.Context, begun, deadline time.Time) (driver.Exit, error) {
	s.enter(rehearse.ServiceEvent{State: rehearse.Starting})
	out, errs := s.log.stream("out"), s.log.stream("err")
	p, err := s.env.inner.Start(life, s.spec.Name, driver.Output{Stdout: out, Stderr: errs})
	if err != nil {
		return driver.Exit{}, err
	}
	s.mu.Lock()
	s.proc = p
	s.mu.Unlock()
	if !s.migrates() {
		s.noteStart()
	}
	defer out.flush()
	defer errs.flush()
	if life.Err() == nil && !s.spec.Job {
		err := s.awaitReady(life, p, deadline)
		if err == nil {
			err = s.migrate(life)
		}
		switch {
		case err == nil:
			s.enter(rehearse.ServiceEvent{State: rehearse.Ready, After: rehearse.Duration(time.Since(begun))})
			s.settle(nil)
			if w := s.wanted(); w != nil && w.under {
				s.answer(nil)
			}
		case errors.Is(err, errExited), life.Err() != nil:
		default:
			_ = p.Kill() // it is of no use; its end is awaited below
			<-p.Done()
			return driver.Exit{}, err
		}
	}
	<-p.Done()
	return p.Exit(), nil
}

func (s *service) exitError(exit driver.Exit) error {
	what := "before it was ready"
	if s.isSettled() {
		what = "after it was ready"
	}
	e := &rehearse.Error{Kind: rehearse.NotReady, Msg: fmt.Sprintf("service %q ended %s: %s", s.spec.Name, what, exit.Reason)}
	if tail := s.log.tail(); len(tail) > 0 {
		e.Hint = "Its last lines were:\n  " + strings.Join(tail, "\n  ")
	} else {
		e.Hint = "It wrote nothing."
	}
	if exit.OutOfMemory {
		e.Hint = "Give it more in the Compose file, under mem_limit or deploy.resources.limits.memory, or have it need less. " + e.Hint
	}
	return e
}

// giveUp ends the service's life as failed.
func (s *service) giveUp(life context.Context, err error, ev rehearse.ServiceEvent) {
	if life.Err() != nil {
		s.settle(context.Cause(life))
		return
	}
	ev.State = rehearse.Failed
	if rehearse.KindOf(err) != rehearse.NotReady {
		// What the host lacks, or we broke, is no failure of the service's: the
		// change must not answer for it in the verdict.
		ev.State = rehearse.Stopped
	}
	s.enter(ev)
	s.settle(err)
	s.answer(err)
}

func (s *service) isSettled() bool {
	select {
	case <-s.settled:
		return true
	default:
		return false
	}
}

// settle is called by the goroutine in run alone.
func (s *service) settle(failure error) {
	if s.isSettled() {
		return
	}
	s.failure = failure
	if failure != nil {
		s.env.failures <- failure // before those who need it fail of it: the first failure is the cause
	}
	close(s.settled)
	s.noteStart()
}

// noteStart is called by the goroutine in run alone.
func (s *service) noteStart() {
	select {
	case <-s.started:
	default:
		close(s.started)
	}
}

// stop asks the service to end, and makes it end when its grace is over.
func (s *service) stop(ctx context.Context) {
	s.mu.Lock()
	p := s.proc
	s.mu.Unlock()
	if p == nil {
		return
	}
	select {
	case <-p.Done():
		// It went before it was asked to, in the instant before it would have
		// been noticed.
		if s.status().State == rehearse.Ready {
			exit := p.Exit()
			s.enter(rehearse.ServiceEvent{
				State: rehearse.Failed, ExitCode: &exit.Code, Reason: exit.Reason, OutOfMemory: exit.OutOfMemory, LogTail: s.log.tail(),
				Detail: fmt.Sprintf("it had ended (%s) when the environment was to go down", exit.Reason),
			})
		}
		return
	default:
	}
	s.halt(ctx, p)
	s.enter(rehearse.ServiceEvent{State: rehearse.Stopped})
}

// halt asks a service's process to end, and makes it end.
func (s *service) halt(ctx context.Context, p driver.Process) {
	grace := time.Duration(s.spec.StopGrace)
	if grace == 0 {
		grace = 10 * time.Second
	}
	if err := p.Signal(s.stopSignal()); err == nil {
		select {
		case <-p.Done():
		case <-time.After(grace):
		case <-ctx.Done():
		}
	}
	_ = p.Kill() // nothing to do about one that will not die: Close is next
	select {
	case <-p.Done():
	case <-time.After(2 * time.Second):
	}
}

func (s *service) stopSignal() os.Signal {
	name := s.spec.StopSignal
	if r, ok := recipe.ByName(s.spec.Recipe); ok && name == "" {
		name = r.StopSignal
	}
	return driver.Signal(name)
}
