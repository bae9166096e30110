package rehearsal

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/load"
	"github.com/rehearse-dev/rehearse/internal/suite"
)

// tickEvery is how often the links' moving figures are written down.
const tickEvery = 250 * time.Millisecond

// step runs one step while the links are watched.
func (l *leg) step(ctx context.Context, step rehearse.Step) error {
	before := l.usage(ctx)
	watch, stop := context.WithCancel(ctx)
	watched := make(chan error, 1)
	go func() { watched <- l.watch(watch, step.Name()) }()
	var err error
	switch {
	case step.Load != nil:
		err = l.load(ctx, step.Load, nil)
	case step.Experiment != nil:
		err = l.experiment(ctx, step.Experiment)
	default:
		err = l.suite(ctx, step.Suite)
	}
	stop()
	if lost := <-watched; err == nil {
		err = lost
	}
	if lost := l.used(ctx, step.Name(), before); err == nil {
		err = lost
	}
	return err
}

// watch writes a tick down at every beat until ctx ends.
func (l *leg) watch(ctx context.Context, step string) error {
	began := time.Now()
	beat := time.NewTicker(tickEvery)
	defer beat.Stop()
	for {
		tick := &rehearse.Tick{Since: rehearse.Duration(time.Since(began)), Step: step}
		for _, s := range l.env.Links() {
			if s.Connections == 0 {
				continue
			}
			tick.Links = append(tick.Links, rehearse.LinkTick{
				ID: s.ID, Active: s.Active, InFlight: s.InFlight, RoundTrips: s.RoundTrips, Bytes: s.BytesUp + s.BytesDown,
			})
		}
		if err := l.out.Append(rehearse.Record{Tick: tick}); err != nil {
			return err
		}
		select {
		case <-beat.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// load drives a traffic profile at its service, and calls began when it starts,
// unless that is nil.
func (l *leg) load(ctx context.Context, s *rehearse.LoadStep, began func(time.Time)) error {
	targets := map[rehearse.LinkID]load.Target{}
	for _, origin := range s.Traffic.Origins {
		a, ok := l.env.Ingress(origin.Link, s.Port)
		if !ok {
			return fmt.Errorf("load %q: the plan has no link %s to port %d", s.Name, origin.Link, s.Port)
		}
		targets[origin.Link] = load.Target{Base: "http://" + net.JoinHostPort(a.Host, strconv.Itoa(a.Port))}
	}
	o := load.Options{Traffic: s.Traffic, Seed: l.plan.Seed, Targets: targets, OnStart: began}
	if l.o.Observe.Load != nil {
		o.OnProgress = func(p load.Progress) { l.o.Observe.Load(s.Name, p) }
	}
	still := l.churn(ctx, s.Name)
	result, err := load.Run(ctx, o)
	if churned := still(); churned != nil {
		return churned
	}
	if result == nil {
		return fmt.Errorf("load %q: %w", s.Name, err)
	}
	rel, sum, writeErr := l.out.WriteSamples(s.Name, result.Samples)
	if writeErr != nil {
		return writeErr
	}
	if appendErr := l.out.Append(rehearse.Record{Load: &rehearse.LoadResult{
		Step: s.Name, Samples: rel, Count: len(result.Samples), SHA256: sum,
		Elapsed: rehearse.Duration(result.Elapsed), Asked: result.Asked, Sent: result.Sent, Late: result.Late,
	}}); appendErr != nil {
		return appendErr
	}
	if err != nil {
		return fmt.Errorf("load %q: %w", s.Name, err)
	}
	return nil
}

// suite runs one of the team's own test commands.
func (l *leg) suite(ctx context.Context, s *rehearse.SuiteStep) error {
	step := *s
	var err error
	step.Command = make([]string, len(s.Command))
	for i, a := range s.Command {
		if step.Command[i], err = l.fill(a); err != nil {
			return fmt.Errorf("suite %q: %w", s.Name, err)
		}
	}
	step.Env = map[string]string{}
	for k, v := range s.Env {
		if step.Env[k], err = l.fill(v); err != nil {
			return fmt.Errorf("suite %q: %w", s.Name, err)
		}
	}
	rel, err := l.out.SuiteDir(s.Name)
	if err != nil {
		return err
	}
	result, err := suite.Run(ctx, suite.Options{
		Step: step, Env: slices.Concat(driver.Labels(l.env.ID(), l.o.Label), l.o.Env, l.apis()), OutDir: filepath.Join(l.out.Dir(), rel), RelTo: l.out.Dir(), Tee: l.o.Observe.Suite, Filter: l.out.Masked,
	})
	if err != nil {
		return fmt.Errorf("suite %q: %w", s.Name, err)
	}
	left, err := l.env.Tidy(ctx)
	if err != nil {
		return fmt.Errorf("suite %q: take away what it did to links: %w", s.Name, err)
	}
	for _, id := range left {
		result.Notes = append(result.Notes, fmt.Sprintf("it left the link %s broken or shaped; it is as planned again", id))
	}
	return l.out.Append(rehearse.Record{Suite: &result})
}

// apis are the variables by which a suite finds the environment's APIs.
func (l *leg) apis() []string {
	at := l.env.API()
	return []string{"TOXIPROXY_URL=" + at, "REHEARSE_API=" + at, "REHEARSE_API_TOKEN=" + l.token}
}

var reference = regexp.MustCompile(`\$\{([a-zA-Z0-9_.-]+)\}`)

// fill replaces ${NAME.url}, ${NAME.host} and ${NAME.port} by where this host
// reaches a service.
func (l *leg) fill(text string) (string, error) {
	var unknown []string
	text = reference.ReplaceAllStringFunc(text, func(ref string) string {
		name, what, _ := strings.Cut(ref[2:len(ref)-1], ".")
		a, ok := l.env.Ingress(rehearse.MakeLinkID(rehearse.Ingress, rehearse.ServiceName(name)), 0)
		if ok {
			switch what {
			case "url":
				return l.env.URL(rehearse.ServiceName(name))
			case "host":
				return a.Host
			case "port":
				return strconv.Itoa(a.Port)
			}
		}
		unknown = append(unknown, ref)
		return ref
	})
	if len(unknown) > 0 {
		return "", &rehearse.Error{
			Kind: rehearse.Invalid, Msg: strings.Join(unknown, ", ") + " means nothing here",
			Hint: "Known are ${NAME.url}, ${NAME.host} and ${NAME.port} of a service that has a port.",
		}
	}
	return text, nil
}
