package verdict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// logLines is how many of a failed service's last lines a finding repeats.
const logLines = 3

// life is what the evidence tells of one service.
type life struct {
	name   rehearse.ServiceName
	ready  bool                   // was ready or completed at least once
	state  rehearse.ServiceState  // the last one
	failed *rehearse.ServiceEvent // the last failure before it was ever ready
	fell   *rehearse.ServiceEvent // the first failure after that
}

// lives follows every service, those of the plan first.
func lives(plan *rehearse.Plan, ev *rehearse.Evidence) []*life {
	var all []*life
	find := func(name rehearse.ServiceName) *life {
		i := slices.IndexFunc(all, func(l *life) bool { return l.name == name })
		if i < 0 {
			i = len(all)
			all = append(all, &life{name: name})
		}
		return all[i]
	}
	for _, s := range plan.Services {
		find(s.Name)
	}
	for _, rec := range ev.Records {
		e := rec.Service
		if e == nil {
			continue
		}
		l := find(e.Service)
		l.state = e.State
		switch e.State {
		case rehearse.Ready, rehearse.Done:
			l.ready = true
		case rehearse.Failed:
			if !l.ready {
				l.failed = e
			} else if l.fell == nil {
				l.fell = e
			}
		}
	}
	return all
}

func judgeReady(plan *rehearse.Plan, ev *rehearse.Evidence) rehearse.Finding {
	f := rehearse.Finding{Outcome: rehearse.Pass, Check: "ready"}
	all := lives(plan, ev)
	var details, absent []string
	var hint string
	ready := 0
	for _, l := range all {
		switch {
		case l.ready:
			ready++
		case l.failed != nil:
			details = append(details, failure(*l.failed, "did not become ready"))
			f.Evidence = append(f.Evidence, logFile(l.name))
			if hint == "" {
				hint = logHint(l.name)
			}
		default:
			absent = append(absent, fmt.Sprintf("%s (%s)", l.name, or(string(l.state), "never started")))
		}
	}
	f.Got = fmt.Sprintf("%d of %s", ready, count(len(all), "service"))
	switch {
	case len(details) > 0:
		f.Outcome = rehearse.Fail
		f.Detail = strings.Join(details, between)
		f.Hint = hint
	case len(absent) > 0:
		f.Outcome = rehearse.Unverified
		f.Detail = "The evidence does not show that these became ready: " + list(absent, 10) + "."
	case len(all) == 0:
		f.Outcome = rehearse.Unverified
		f.Detail = "The evidence names no service."
	}
	return f
}

func judgeStayedUp(ev *rehearse.Evidence, ready rehearse.Finding) rehearse.Finding {
	f := rehearse.Finding{Outcome: rehearse.Pass, Check: "stayed up"}
	var details []string
	fell := 0
	for _, l := range lives(&rehearse.Plan{}, ev) {
		if l.fell == nil {
			continue
		}
		fell++
		details = append(details, failure(*l.fell, "failed after it had been ready"))
		f.Evidence = append(f.Evidence, logFile(l.name))
		if f.Hint == "" {
			f.Hint = logHint(l.name)
		}
	}
	switch {
	case fell > 0:
		f.Outcome = rehearse.Fail
		f.Got = count(fell, "service") + " failed"
		f.Detail = strings.Join(details, between)
	case ready.Outcome != rehearse.Pass:
		f.Outcome = rehearse.Unverified
		f.Got = "was not up"
		f.Detail = "The environment was never wholly ready, so it could not stay so."
	default:
		f.Got = "no service failed"
	}
	return f
}

// between stands between what is told of one service, which may end with lines of its
// log, and of the next.
const between = " · "

// failure tells how a service failed, with its last words.
func failure(e rehearse.ServiceEvent, how string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Service %s %s", e.Service, how)
	if e.ExitCode != nil {
		fmt.Fprintf(&b, " (%s)", exit(*e.ExitCode))
	}
	b.WriteString(".")
	if e.Detail != "" {
		b.WriteString(" " + sentence(e.Detail))
	}
	if lines := lastLines(e.LogTail, logLines); len(lines) > 0 {
		b.WriteString(" Its last lines: " + strings.Join(lines, " ⏎ "))
	}
	return b.String()
}

// exit names an exit code; above 128 it stands for a signal.
func exit(code int) string {
	if code > 128 && code < 192 {
		return fmt.Sprintf("exit code %d, signal %d", code, code-128)
	}
	return fmt.Sprintf("exit code %d", code)
}

// lastLines are the last lines with something in them, each cut to what a
// finding has room for.
func lastLines(lines []string, n int) []string {
	var out []string
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, cut(line, 200))
		}
	}
	return out[max(0, len(out)-n):]
}

func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func logFile(name rehearse.ServiceName) string { return "logs/" + string(name) + ".log" }

func logHint(name rehearse.ServiceName) string {
	return fmt.Sprintf("Everything that it printed is in logs/%s.log in the leg's directory.", name)
}
