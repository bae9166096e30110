package environment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/recipe"
)

// errExited says that the service ended while its readiness was awaited.
var errExited = errors.New("the service has ended")

// How often a probe is asked: soon at first, because most services are quick,
// then ever less often.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 500 * time.Millisecond
	// probeTime is how long one question may take.
	probeTime = 5 * time.Second
	// settleTime is how long a service of which nothing can be asked has to run
	// before it counts as ready: one that cannot work ends sooner.
	settleTime = 250 * time.Millisecond
)

// awaitReady asks every probe until it holds, whatever interval the Compose file
// gives: an interval is for a service that runs for months.
func (s *service) awaitReady(life context.Context, p driver.Process, deadline time.Time) error {
	probes := s.probes()
	if len(probes) == 0 {
		return runsOn(life, p)
	}
	ctx, cancel := context.WithDeadline(life, deadline)
	defer cancel()
	for _, probe := range probes {
		ask, err := s.question(probe)
		if err != nil {
			return err
		}
		if err := until(ctx, p, ask); err != nil {
			if errors.Is(err, errExited) || life.Err() != nil {
				return err
			}
			return &rehearse.Error{
				Kind: rehearse.NotReady,
				Msg:  fmt.Sprintf("service %q was not ready after %v: %s", s.spec.Name, time.Duration(s.spec.Ready.Timeout), s.complaint(probe, err)),
				Hint: s.readyHint(probe),
			}
		}
	}
	select {
	case <-p.Done():
		return errExited
	default:
		return nil
	}
}

// runsOn waits until a service has run for a moment.
func runsOn(life context.Context, p driver.Process) error {
	select {
	case <-p.Done():
		return errExited
	case <-time.After(settleTime):
	case <-life.Done():
		return context.Cause(life)
	}
	if asked, ok := p.(driver.Asked); !ok || asked.Runs(life) {
		return nil
	}
	select {
	case <-p.Done(): // it has ended, and is about to be told
		return errExited
	case <-life.Done():
		return context.Cause(life)
	}
}

// probes are those of the plan and, where the Compose file has no healthcheck, the
// image's own. Commands come last: each takes a process inside of the service,
// which is wasted on one of which not even a port answers.
func (s *service) probes() []rehearse.Probe {
	probes := slices.Clone(s.spec.Ready.Probes)
	checker, ok := s.env.inner.(driver.Checker)
	if ok && !slices.ContainsFunc(probes, func(p rehearse.Probe) bool { return isCommand(p) || p.Query != "" }) {
		if own, ok := checker.Healthcheck(s.spec.Name); ok {
			probes = append(probes, own)
		}
	}
	slices.SortStableFunc(probes, func(a, b rehearse.Probe) int { return weight(a) - weight(b) })
	return probes
}

func isCommand(p rehearse.Probe) bool { return p.Shell != "" || len(p.Command) > 0 }

func weight(p rehearse.Probe) int {
	if isCommand(p) {
		return 1
	}
	return 0
}

// until asks until the answer is yes, and returns the last complaint when the
// time is over.
func until(ctx context.Context, p driver.Process, ask func(context.Context) error) error {
	pause := firstPause
	for {
		one, cancel := context.WithTimeout(ctx, probeTime)
		err := ask(one)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-p.Done():
			return errExited
		default:
		}
		select {
		case <-p.Done():
			return errExited
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
		pause = min(pause*5/4, lastPause)
	}
}

// question turns a probe into something to ask.
func (s *service) question(p rehearse.Probe) (func(context.Context) error, error) {
	switch {
	case p.Query != "":
		r, ok := recipe.ByName(p.Query)
		if !ok || r.Query == nil {
			return nil, fmt.Errorf("there is no query for %q", p.Query)
		}
		return func(ctx context.Context) error {
			return r.Query(ctx, s.spec, func(ctx context.Context, port int) (net.Conn, error) {
				return s.env.inner.Dial(ctx, s.spec.Name, port)
			})
		}, nil
	case p.HTTP != nil:
		return s.httpQuestion(*p.HTTP), nil
	case p.Log != "":
		pattern, err := regexp.Compile(p.Log)
		if err != nil {
			return nil, fmt.Errorf("the log pattern of service %q: %w", s.spec.Name, err)
		}
		return s.log.question(pattern), nil
	case p.Port != 0:
		return func(ctx context.Context) error {
			c, err := s.env.inner.Dial(ctx, s.spec.Name, p.Port)
			if err != nil {
				return err
			}
			return c.Close()
		}, nil
	case p.Shell != "":
		return s.commandQuestion("/bin/sh", "-c", p.Shell), nil
	case len(p.Command) > 0:
		return s.commandQuestion(p.Command...), nil
	}
	return nil, errors.New("internal error: an empty probe")
}

func (s *service) httpQuestion(get rehearse.HTTPGet) func(context.Context) error {
	return func(ctx context.Context) error {
		client := &http.Client{
			Transport: &http.Transport{
				DisableKeepAlives: true,
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return s.env.inner.Dial(ctx, s.spec.Name, get.Port)
				},
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s:%d%s", s.spec.Name, get.Port, get.Path), nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 200))
		if err != nil {
			return err
		}
		ok := resp.StatusCode == get.Status || get.Status == 0 && resp.StatusCode >= 200 && resp.StatusCode < 400
		if !ok {
			return fmt.Errorf("GET %s: %s: %s", get.Path, resp.Status, strings.TrimSpace(string(body)))
		}
		return nil
	}
}

func (s *service) commandQuestion(args ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		said := &lastWords{}
		code, err := s.env.inner.Exec(ctx, s.spec.Name, driver.Command{Args: args, Stdout: said, Stderr: said})
		if err != nil {
			return err
		}
		if code != 0 {
			return fmt.Errorf("%s: exit %d: %s", strings.Join(args, " "), code, said)
		}
		return nil
	}
}

func (s *service) complaint(p rehearse.Probe, err error) string {
	if p.Port != 0 {
		return fmt.Sprintf("nothing listens on port %d (%v)", p.Port, err)
	}
	return err.Error()
}

func (s *service) readyHint(p rehearse.Probe) string {
	hint := fmt.Sprintf("Give it more time or another question with services.%s.ready in rehearse.yaml.", s.spec.Name)
	if p.Port != 0 {
		hint = fmt.Sprintf("Does it listen on another port, or on 127.0.0.1 of another program? Correct services.%s.ports in rehearse.yaml.", s.spec.Name)
	}
	if tail := s.log.tail(); len(tail) > 0 {
		hint += " Its last lines were:\n  " + strings.Join(tail, "\n  ")
	}
	return hint
}
