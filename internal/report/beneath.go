package report

import (
	"fmt"
	"io"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// noteworthyThrottling is the part of periods from which on a reader is told that
// a service was held to its limit of CPU time.
const noteworthyThrottling = 0.1

// beneath is what befell services beneath them and explains how they behaved:
// starts that were not the first, and CPU time that they were not given.
func (l leg) beneath() []string {
	var lines []string
	for _, s := range l.services {
		if line := s.restarted(); line != "" {
			lines = append(lines, line)
		}
	}
	for _, u := range l.usage {
		for _, s := range u.Services {
			if s.Throttled.Share() < noteworthyThrottling {
				continue
			}
			limit := ""
			if spec, ok := l.plan.Service(s.Service); ok && spec.Limits.CPUs > 0 {
				limit = fmt.Sprintf(" of %g CPUs", spec.Limits.CPUs)
			}
			lines = append(lines, plain(fmt.Sprintf("%s was at its limit%s in %.0f%% of the periods of %s, and kept from running for %v",
				s.Service, limit, 100*s.Throttled.Share(), u.Step, rehearse.Round(time.Duration(s.Throttled.For)))))
		}
	}
	return lines
}

// restarted says how often a service was started again, and how it had ended;
// empty for one that was not.
func (s service) restarted() string {
	var last *rehearse.ServiceEvent
	for i := range s.events {
		if s.events[i].Restart > 0 {
			last = &s.events[i].ServiceEvent
		}
	}
	if last == nil {
		return ""
	}
	line := fmt.Sprintf("%s was started again %d×", s.spec.Name, last.Restart)
	if last.ExitCode != nil {
		line += fmt.Sprintf(": it had ended with exit code %d", *last.ExitCode)
		if n := *last.ExitCode - 128; n > 0 && n < 64 {
			line += fmt.Sprintf(", signal %d", n)
		}
	}
	if last.OutOfMemory {
		line += ", out of memory"
	}
	return plain(line)
}

// throttledFacts say for each service with a limit of CPU time how it was held to
// it.
func throttledFacts(u rehearse.UsageResult) []rehearse.Fact {
	var facts []rehearse.Fact
	for _, s := range u.Services {
		if s.Throttled.Periods == 0 {
			continue
		}
		facts = append(facts, rehearse.Fact{
			Name: fmt.Sprintf("services.%s.cpu.throttled", s.Service), Value: fmt.Sprintf("%.1f%%", 100*s.Throttled.Share()),
			Note: fmt.Sprintf("in %s: %d of %d periods, %v in all", u.Step, s.Throttled.Throttled, s.Throttled.Periods, rehearse.Round(time.Duration(s.Throttled.For))),
		})
	}
	return facts
}

// beneath prints what befell services beneath them.
func (t *terminal) beneath(l leg) {
	for i, line := range l.beneath() {
		if i == 0 {
			fmt.Fprintf(t, "\n%s\n", t.paint(bold, "beneath the services of "+plain(l.Name)))
		}
		fmt.Fprintln(t, line)
	}
}

func mdBeneath(w io.Writer, l leg) {
	lines := l.beneath()
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\n<details><summary>Beneath the services of %s</summary>\n\n", md(l.Name))
	for _, line := range lines {
		fmt.Fprintf(w, "- %s\n", md(line))
	}
	fmt.Fprint(w, "\n</details>\n")
}
