package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/load"
	"github.com/rehearse-dev/rehearse/internal/redact"
	"github.com/rehearse-dev/rehearse/internal/rehearsal"
)

// progress shows on stderr how things go: a line for whatever has happened, and
// on a terminal one live line below them for what is happening.
type progress struct {
	out   io.Writer
	live  bool // a terminal
	color bool
	width int
	// secrets are taken out of every line.
	secrets *redact.Secrets

	mu       sync.Mutex
	line     string // the live line as it stands
	started  time.Time
	lastLoad time.Time
	stop     chan struct{}
	stopped  sync.WaitGroup
	waiting  map[rehearse.ServiceName]rehearse.ServiceState
}

func (a *app) newProgress() *progress {
	width, tty := terminal(a.stderr)
	p := &progress{out: a.stderr, live: tty, color: a.color(a.stderr), width: width, secrets: a.secrets, started: time.Now(), stop: make(chan struct{}), waiting: map[rehearse.ServiceName]rehearse.ServiceState{}}
	if p.live {
		p.stopped.Go(p.animate)
	}
	return p
}

// animate keeps the clock of a long wait going.
func (p *progress) animate() {
	beat := time.NewTicker(200 * time.Millisecond)
	defer beat.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-beat.C:
			p.mu.Lock()
			if text := p.pending(); text != "" {
				p.show(text)
			}
			p.mu.Unlock()
		}
	}
}

// pending names the services that are not ready, with the time they have taken.
func (p *progress) pending() string {
	var parts []string
	for name, state := range p.waiting {
		parts = append(parts, fmt.Sprintf("%s %s", name, state))
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("  %s … %.1fs", strings.Join(parts, ", "), time.Since(p.started).Seconds())
}

// show replaces the live line.
func (p *progress) show(text string) {
	if !p.live {
		return
	}
	text = p.secrets.String(text)
	if r := []rune(text); len(r) > p.width-1 {
		text = string(r[:max(p.width-1, 0)])
	}
	p.line = text
	fmt.Fprintf(p.out, "\r\x1b[K%s", text)
}

// say prints a line above the live one.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line != "" {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	fmt.Fprintln(p.out, p.secrets.String(fmt.Sprintf(format, args...)))
	if p.line != "" {
		fmt.Fprint(p.out, p.line)
	}
}

func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line != "" {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.line = ""
	}
}

func (p *progress) close() {
	close(p.stop)
	p.stopped.Wait()
	p.clear()
}

func (p *progress) paint(sgr, s string) string {
	if !p.color {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}

// observer shows a rehearsal.
func (p *progress) observer() rehearsal.Observer {
	return rehearsal.Observer{
		Leg: func(plan *rehearse.Plan, id rehearse.EnvironmentID) {
			p.clear()
			p.say("%s %s  (environment %s, seed %d)", p.paint("1", "leg "+plan.Leg.Name), facets(plan.Leg), id, plan.Seed)
			p.mu.Lock()
			p.started = time.Now()
			p.mu.Unlock()
		},
		Service: p.service,
		Step: func(s rehearse.Step) {
			switch {
			case s.Load != nil:
				p.say("  load %s: %v, about %.0f requests, at most %.0f/s", s.Load.Name, time.Duration(s.Load.Traffic.Duration), s.Load.Traffic.Total(), s.Load.Traffic.Peak())
			case s.Experiment != nil:
				p.say("  experiment %s: %v, while about %.0f requests come, at most %.0f/s%s", s.Experiment.Name, s.Experiment.Total(), s.Experiment.Load.Traffic.Total(), s.Experiment.Load.Traffic.Peak(), calmNote(*s.Experiment))
			default:
				p.say("  suite %s: %s", s.Suite.Name, strings.Join(s.Suite.Command, " "))
			}
		},
		Load:   p.load,
		Action: p.action,
		Talk:   p.talk(),
		Verdict: func(v rehearse.Verdict) {
			p.clear()
			color := map[rehearse.Outcome]string{rehearse.Pass: "32", rehearse.Fail: "31"}[v.Outcome]
			if color == "" {
				color = "33"
			}
			p.say("  %s", p.paint(color, strings.ToUpper(string(v.Outcome))))
		},
	}
}

func facets(l rehearse.Leg) string {
	if len(l.Facets) == 0 {
		return "· every facet flat"
	}
	return "· in force: " + strings.ReplaceAll(l.String(), ",", ", ")
}

// service shows a service's change of state.
func (p *progress) service(ev rehearse.ServiceEvent) {
	p.mu.Lock()
	switch ev.State {
	case rehearse.Ready, rehearse.Done, rehearse.Failed, rehearse.Stopped:
		delete(p.waiting, ev.Service)
	default:
		p.waiting[ev.Service] = ev.State
	}
	last := len(p.waiting) == 0
	p.mu.Unlock()
	if last {
		p.clear()
	}
	switch ev.State {
	case rehearse.Ready, rehearse.Done:
		p.say("  %-12s %s after %v", ev.Service, ev.State, rehearse.Round(time.Duration(ev.After)))
	case rehearse.Failed:
		p.say("  %-12s %s: %s", ev.Service, p.paint("31", "failed"), ev.Detail)
	case rehearse.Starting:
		if ev.Detail != "" {
			p.say("  %-12s %s", ev.Service, ev.Detail)
		}
	}
}

// load shows a load step's figures: live on a terminal, every five seconds in a
// pipe.
func (p *progress) load(step string, g load.Progress) {
	text := fmt.Sprintf("  %s %4.1fs/%.0fs  %s %.0f/s  sent %d  done %d  failed %d  in flight %d  p50 %v  p99 %v",
		step, g.Elapsed.Seconds(), g.Total.Seconds(), bar(g.Elapsed, g.Total), g.Rate, g.Sent, g.Done, g.Failed, g.InFlight,
		g.P50.Round(time.Millisecond), g.P99.Round(time.Millisecond))
	if p.live {
		p.mu.Lock()
		p.show(text)
		p.mu.Unlock()
		return
	}
	p.mu.Lock()
	due := time.Since(p.lastLoad) >= 5*time.Second
	if due {
		p.lastLoad = time.Now()
	}
	p.mu.Unlock()
	if due {
		p.say("%s", text)
	}
}

func bar(done, total time.Duration) string {
	const cells = 10
	n := 0
	if total > 0 {
		n = min(int(int64(cells)*int64(done)/int64(total)), cells)
	}
	return strings.Repeat("█", n) + strings.Repeat("░", cells-n)
}

// talk shows builds' output, line by line.
func (p *progress) talk() io.Writer { return &talker{p: p} }

type talker struct {
	p    *progress
	mu   sync.Mutex
	rest string
}

func (t *talker) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rest += string(b)
	for {
		line, rest, ok := strings.Cut(t.rest, "\n")
		if !ok {
			return len(b), nil
		}
		t.rest = rest
		t.p.say("  %s", t.p.paint("2", line))
	}
}
