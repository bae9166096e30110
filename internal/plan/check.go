package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/check"
	"github.com/rehearse-dev/rehearse/internal/config"
)

// makeChecks makes checks concrete, the same in every leg: each with what holds
// where the file does not say.
func (m *maker) makeChecks(list []config.Check) []rehearse.Check {
	var checks []rehearse.Check
	lines := map[string]int{}
	for _, asked := range list {
		c, ok := check.Default(asked.Kind)
		if !ok {
			m.problem(asked.Of.Line, fmt.Sprintf("there is no check %q", asked.Kind), "")
			continue
		}
		c.Link, c.Operation, c.Service = asked.Subject()
		c.Dataset = asked.Dataset()
		c.MinSamples = asked.MinSamples
		if asked.Limit != nil {
			c.Limit = float64(*asked.Limit)
		}
		switch c.Kind {
		case rehearse.CheckMaxDuration:
			percent, bound := asked.Bounds()
			c.Percent, c.Limit = percent, bound.Seconds()
		case rehearse.CheckExpect:
			c.Expect = m.expression(asked.Of)
			if asked.Over != "" {
				c.Over = asked.Over
			}
		}
		c.Name = nameOf(asked)
		m.checkSubject(c, asked.Of.Line)
		if line, taken := lines[c.Name]; taken {
			m.problem(asked.Of.Line, fmt.Sprintf("the check %q is already in line %d", c.Name, line), "Give one of them a name.")
		}
		lines[c.Name] = asked.Of.Line
		checks = append(checks, c)
	}
	return checks
}

// nameOf is what reports call a check: its name, or what it asks of what.
func nameOf(c config.Check) string {
	if c.Name != "" {
		return c.Name
	}
	words := []string{string(c.Kind)}
	if c.Of.Name != "*" {
		words = append(words, strings.Fields(c.Of.Name)...)
	}
	if c.Operation != "" {
		words = append(words, "in", c.Operation)
	}
	if c.Kind == rehearse.CheckMaxDuration {
		percent, bound := c.Bounds()
		aggregate := fmt.Sprintf("p%g", percent)
		if percent == 100 {
			aggregate = "max"
		}
		words = append(words, aggregate+"<="+bound.String())
	}
	return strings.Join(words, " ")
}

// expression looks whether an expression can be read.
func (m *maker) expression(e config.Ref) string {
	_, err := check.Parse(e.Name)
	var syntax *check.SyntaxError
	if errors.As(err, &syntax) {
		m.problem(e.Line, fmt.Sprintf("%q: %v", e.Name, err), syntax.Hint)
	}
	return strings.TrimSpace(e.Name)
}

// checkSubject looks whether what a check is asked of exists. Which operations
// there are, only a run can tell; but the first word of one is a service.
func (m *maker) checkSubject(c rehearse.Check, line int) {
	if c.Link != "" && !slices.Contains(m.links, string(c.Link)) {
		m.unknown("link", string(c.Link), line, m.links, "rehearse plan lists the links there are.")
	}
	if _, ok := m.cfg.Data.Get(c.Dataset); c.Dataset != "" && !ok {
		m.unknown("dataset", c.Dataset, line, m.cfg.Data.Names(), "Datasets are defined under data.")
	}
	if c.Service != "" {
		m.serviceNamed(string(c.Service), line)
	}
	if name, _, ok := strings.Cut(c.Operation, " "); ok && !strings.Contains(name, "*") {
		m.serviceNamed(name, line)
	}
}

// telemetry is how much is kept, in every leg the same.
func (m *maker) telemetry() rehearse.TelemetrySpec {
	t := m.cfg.Telemetry
	return rehearse.TelemetrySpec{
		NoPropagate: t.Propagate != nil && !*t.Propagate,
		Memory:      int64(t.Memory), Disk: int64(t.Disk),
	}
}
