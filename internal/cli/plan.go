package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/evidence"
)

func (a *app) planCommand() *cobra.Command {
	var f projectFlags
	var l legFlags
	var asJSON, all bool
	c := &cobra.Command{
		Use:   "plan [DIR]",
		Short: "Print what a rehearsal would do",
		Long: `Print the canonical plan: the services in the order in which they start, every
link with its shape, the steps, and what the driver does not honour. Nothing is
started. The same files give the same plan, byte for byte.

Values that look like secrets are replaced.`,
		Example: "  rehearse plan\n  rehearse plan --leg staging\n  rehearse plan --json | jq .links",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			leg, err := l.make()
			if err != nil {
				return err
			}
			p, err := a.load(cmd.Context(), f, args)
			if err != nil {
				return err
			}
			made, err := p.Plan(leg)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a, evidence.Redact(*made))
			}
			return a.printPlan(made, all)
		},
	}
	f.add(c)
	l.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the plan as JSON")
	c.Flags().BoolVarP(&all, "all", "a", false, "also print links that nothing declares")
	return c
}

func (a *app) printPlan(p *rehearse.Plan, all bool) error {
	fmt.Fprintf(a.stdout, "project %s · leg %s %s · driver %s · seed %d\n\n", p.Project, p.Leg.Name, facets(p.Leg), p.Driver, p.Seed)
	services := table{head: []string{"SERVICE", "REGION", "RUNS", "PORTS", "NEEDS", "READY WHEN"}}
	for _, s := range p.Services {
		services.add(string(s.Name), dash(string(s.Region)), runs(s), dash(ports(s)), dash(needs(s)), readiness(s))
	}
	if err := services.aligned(a, 0); err != nil {
		return err
	}
	links := table{head: []string{"LINK", "PORTS", "SHAPE", "FROM", "TO"}}
	hidden := 0
	for _, l := range p.Links {
		if !l.Declared && !all {
			hidden++
			continue
		}
		var numbers []string
		for _, n := range l.Ports {
			numbers = append(numbers, strconv.Itoa(n))
		}
		links.add(string(l.ID), strings.Join(numbers, ","), l.Shape.String(), dash(string(l.From)), dash(string(l.To)))
	}
	fmt.Fprintln(a.stdout)
	if err := links.aligned(a, 0); err != nil {
		return err
	}
	if hidden > 0 {
		noun := "links"
		if hidden == 1 {
			noun = "link"
		}
		fmt.Fprintf(a.stdout, "and %d %s that the networks allow but nothing declares (--all)\n", hidden, noun)
	}
	if len(p.Steps) > 0 {
		steps := table{head: []string{"STEP", "WHAT", "CHECKS"}}
		for _, s := range p.Steps {
			switch {
			case s.Load != nil:
				t := s.Load.Traffic
				var checks []string
				for _, th := range s.Load.Thresholds {
					checks = append(checks, th.String())
				}
				steps.add(s.Load.Name, fmt.Sprintf("load on %s: %v, %.0f requests, %s, at most %.0f/s", s.Load.Target, time.Duration(t.Duration), t.Total(), t.Arrivals, t.Peak()), strings.Join(checks, "; "))
			case s.Experiment != nil:
				e := s.Experiment
				what := "experiment"
				if e.Calm {
					what = "calm experiment"
				}
				var checks []string
				for _, th := range e.Steady {
					checks = append(checks, "steady "+th.String())
				}
				for _, th := range e.During {
					checks = append(checks, "during "+th.String())
				}
				t := e.Load.Traffic
				steps.add(e.Name, fmt.Sprintf("%s of %v, with load on %s: %.0f requests, %s, at most %.0f/s", what, e.Total(), e.Load.Target, t.Total(), t.Arrivals, t.Peak()), strings.Join(checks, "; "))
			default:
				steps.add(s.Suite.Name, "suite: "+strings.Join(s.Suite.Command, " "), "exit status")
			}
		}
		fmt.Fprintln(a.stdout)
		if err := steps.aligned(a, 0); err != nil {
			return err
		}
	}
	if err := a.printTimeLines(p); err != nil {
		return err
	}
	if len(p.Checks) > 0 {
		checks := table{head: []string{"CHECK OF TELEMETRY", "KIND"}}
		for _, c := range p.Checks {
			checks.add(c.Name, string(c.Kind))
		}
		fmt.Fprintln(a.stdout)
		if err := checks.aligned(a, 0); err != nil {
			return err
		}
	}
	if len(p.Notes) > 0 {
		fmt.Fprintln(a.stdout, "\nnotes")
		for _, n := range p.Notes {
			where := string(n.Service)
			if n.Field != "" {
				where = strings.TrimPrefix(where+"."+n.Field, ".")
			}
			if where != "" {
				where += ": "
			}
			fmt.Fprintf(a.stdout, "  %s%s\n", where, n.Text)
		}
	}
	return nil
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func runs(s rehearse.Service) string {
	switch {
	case s.Process != nil:
		return strings.Join(s.Process.Command, " ")
	case s.Recipe != "":
		return "recipe " + s.Recipe + " (" + s.Image + ")"
	case s.Image != "":
		return s.Image
	}
	return "build"
}

func ports(s rehearse.Service) string {
	var out []string
	for _, p := range s.Ports {
		out = append(out, strconv.Itoa(p.Number))
	}
	return strings.Join(out, ",")
}

func needs(s rehearse.Service) string {
	var out []string
	for _, n := range s.Needs {
		out = append(out, string(n.Service))
	}
	return strings.Join(out, ",")
}

func readiness(s rehearse.Service) string {
	if s.Job {
		return "it exits 0"
	}
	var out []string
	for _, p := range s.Ready.Probes {
		switch {
		case p.Query != "":
			out = append(out, "a query answers")
		case p.HTTP != nil:
			out = append(out, fmt.Sprintf("GET :%d%s answers", p.HTTP.Port, p.HTTP.Path))
		case p.Port != 0:
			out = append(out, fmt.Sprintf("port %d is open", p.Port))
		case p.Log != "":
			out = append(out, "its log matches "+p.Log)
		default:
			out = append(out, "its healthcheck passes")
		}
	}
	if len(out) == 0 {
		return "it has started"
	}
	return strings.Join(out, ", ")
}
