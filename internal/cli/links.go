package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/control"
	"github.com/rehearse-dev/rehearse/internal/environment"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

func (a *app) linkLsCommand() *cobra.Command {
	var f envFlag
	var asJSON bool
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the links of an environment, what they carry and what breaks them",
		Long: `List the links of an environment: their shapes, what they have carried, and
each fault with its dose, which is what it has really touched.`,
		Example: "  rehearse link ls\n  rehearse link ls --json | jq '.[].doses'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, s, err := f.ask(cmd.Context(), a)
			if err != nil {
				return err
			}
			return a.printLinks(s.Links, asJSON)
		},
	}
	f.add(a, c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) printLinks(links []rehearse.LinkStats, asJSON bool) error {
	if asJSON {
		return printJSON(a, links)
	}
	t := table{head: []string{"LINK", "SHAPE", "TIER", "OPEN", "CONNECTIONS", "ROUND TRIPS", "TURN-AROUND", "FAULTS"}}
	for _, l := range links {
		var faults []string
		for _, d := range l.Doses {
			if !d.Gone {
				faults = append(faults, doseText(d))
			}
		}
		t.add(string(l.ID), l.Shape.String(), string(l.Tier), fmt.Sprint(l.Active), fmt.Sprint(l.Connections), fmt.Sprint(l.RoundTrips),
			l.TurnAround.String(), dash(strings.Join(faults, "; ")))
	}
	return t.print(a)
}

// doseText is a fault with what it has touched, as in "reset (3 connections)".
func doseText(d rehearse.Dose) string {
	var touched []string
	for _, n := range []struct {
		count int64
		what  string
	}{{d.Connections, "connection"}, {d.Requests, "request"}, {d.Bytes, "byte"}} {
		if n.count > 0 {
			touched = append(touched, plural(n.count, n.what))
		}
	}
	text := d.Fault.ID()
	if !d.Active {
		text += " (waiting)"
	}
	if len(touched) > 0 {
		text += " (" + strings.Join(touched, ", ") + ")"
	}
	return text
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (a *app) linkSetCommand() *cobra.Command {
	var f envFlag
	var s shapeFlags
	var faults []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "set LINK [WHAT=HOW ...] [flags]",
		Short: "Shape or break a link of a running environment",
		Long: `Change what a link does, at once, for connections that are open and for new
ones. What no flag speaks of stays as it is. rehearse link reset undoes it.

Beside flags, delay=300ms is the fault delay, rtt=, loss= and the like are the
flags of these names, and fault=KIND is a fault with no parameters.

A fault is a kind and its parameters. The kinds are:
` + faultList() + `
Every kind takes name, direction (up: to the upstream, down), probability, and a
schedule: after, for, every.`,
		Example: `  rehearse link set docgen:db --rtt 200ms --loss 1%
  rehearse link set docgen:db delay=300ms fault=reset
  rehearse link set docgen:db --fault 'delay delay=300ms probability=10% for=5s every=30s'
  rehearse link set ingress:docgen --fault 'abort status=503 method=POST path=/documents'
  rehearse link set docgen:db --fault 'sql-error code=40001 statement="(?i)^update"'`,
		Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return a.linkIDs(cmd, f), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			words, err := faultWords(cmd, args[1:])
			if err != nil {
				return err
			}
			faults = append(faults, words...)
			e, now, err := f.ask(cmd.Context(), a)
			if err != nil {
				return err
			}
			change := stand.LinkChange{Links: []rehearse.LinkID{rehearse.LinkID(args[0])}}
			i := slices.IndexFunc(now.Links, func(l rehearse.LinkStats) bool { return string(l.ID) == args[0] })
			if i < 0 {
				return unknownLink(args[0], now)
			}
			if s.changed(cmd) {
				shape := now.Links[i].Shape
				if err := s.apply(cmd, &shape); err != nil {
					return err
				}
				change.Shape = &shape
			}
			var problems rehearse.Problems
			named := map[string]bool{}
			for _, line := range faults {
				fault, err := rehearse.ParseFault(line)
				if err != nil {
					problems = append(problems, asError(err))
				}
				if err == nil && named[fault.ID()] {
					problems = append(problems, &rehearse.Error{
						Kind: rehearse.Invalid, Msg: fmt.Sprintf("two faults are called %q", fault.ID()), Hint: "Give each a name of its own, as in name=second.",
					})
				}
				named[fault.ID()] = true
				change.Faults = append(change.Faults, fault)
			}
			if err := problems.Err(); err != nil {
				return err
			}
			if change.Shape == nil && len(change.Faults) == 0 {
				return &rehearse.Error{Kind: rehearse.Invalid, Msg: "nothing to set", Hint: "Give a shape, as in --rtt 84ms, or a --fault."}
			}
			return a.changeLinks(cmd, e, change, asJSON)
		},
	}
	f.add(a, c)
	s.add(c)
	c.Flags().StringArrayVar(&faults, "fault", nil, `break the link, as in "delay delay=300ms probability=10%" (may be given again)`)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// faultWords reads "delay=300ms fault=reset": what is a flag of the command becomes
// that, and the rest are faults.
func faultWords(cmd *cobra.Command, words []string) (faults []string, err error) {
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		switch {
		case !ok || value == "":
			return nil, usageError("%q is not WHAT=HOW, as in delay=300ms or fault=reset", w)
		case name == "delay":
			faults = append(faults, "delay delay="+value)
		case name == "fault", shapeFlagNames[name]:
			if err := cmd.Flags().Set(name, value); err != nil {
				return nil, usageError("%s: %v", w, err)
			}
		default:
			hint := "fault, delay, rtt, loss, rate"
			if near, ok := rehearse.Nearest(name, append(slices.Collect(maps.Keys(shapeFlagNames)), "delay", "fault")); ok {
				return nil, usageError("there is no %q to set; did you mean %s?", name, near)
			}
			return nil, usageError("there is no %q to set; there are %s and the like", name, hint)
		}
	}
	return faults, nil
}

func (a *app) linkResetCommand() *cobra.Command {
	var f envFlag
	var asJSON bool
	c := &cobra.Command{
		Use:     "reset [LINK...]",
		Short:   "Give links their planned shape back and take faults away",
		Long:    "Give links their planned shape back, and take away the faults that came after the plan. Without a LINK, of all links.",
		Example: "  rehearse link reset\n  rehearse link reset docgen:db",
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return a.linkIDs(cmd, f), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			e, now, err := f.ask(cmd.Context(), a)
			if err != nil {
				return err
			}
			change := stand.LinkChange{Reset: true}
			for _, id := range args {
				if !slices.ContainsFunc(now.Links, func(l rehearse.LinkStats) bool { return string(l.ID) == id }) {
					return unknownLink(id, now)
				}
				change.Links = append(change.Links, rehearse.LinkID(id))
			}
			return a.changeLinks(cmd, e, change, asJSON)
		},
	}
	f.add(a, c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// changeLinks asks an environment for a change, and prints the links it made.
func (a *app) changeLinks(cmd *cobra.Command, e environment.Entry, change stand.LinkChange, asJSON bool) error {
	body, err := json.Marshal(change)
	if err != nil {
		return err
	}
	var changed []rehearse.LinkStats
	if err := control.Call(cmd.Context(), e.Socket(), control.Request{Op: "link", Body: body}, &changed); err != nil {
		return err
	}
	return a.printLinks(changed, asJSON)
}

func unknownLink(id string, s stand.Standing) error {
	var known []string
	for _, l := range s.Links {
		known = append(known, string(l.ID))
	}
	hint := "It has: " + strings.Join(known, ", ") + "."
	if near, ok := rehearse.Nearest(id, known); ok {
		hint = "Did you mean " + near + "?"
	}
	return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("environment %s has no link %q", s.ID, id), Hint: hint}
}

// linkIDs completes the names of links.
func (a *app) linkIDs(cmd *cobra.Command, f envFlag) (ids []string) {
	_, s, err := f.ask(cmd.Context(), a)
	if err != nil {
		return nil
	}
	for _, l := range s.Links {
		ids = append(ids, string(l.ID))
	}
	return ids
}

// faultList is the kinds of faults, for a help page.
func faultList() string {
	var b strings.Builder
	line := " "
	for _, k := range rehearse.FaultKinds() {
		if len(line)+len(k) > 76 {
			b.WriteString(line + "\n")
			line = " "
		}
		line += " " + string(k) + ","
	}
	b.WriteString(strings.TrimSuffix(line, ",") + ".\n")
	return b.String()
}

// shapeFlags are the flags that give a link its shape. Each is for both
// directions, the round trip and its jitter in halves.
type shapeFlags struct {
	rtt, jitter          time.Duration
	distribution         string
	loss, correlation    string
	burst                float64
	rate, connectionRate string
}

var shapeFlagNames = map[string]bool{
	"rtt": true, "jitter": true, "distribution": true, "loss": true, "correlation": true, "burst": true, "rate": true, "connection-rate": true,
}

func (s *shapeFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.DurationVar(&s.rtt, "rtt", 0, "round-trip time, half of it each way")
	f.DurationVar(&s.jitter, "jitter", 0, "how far the round-trip time strays")
	f.StringVar(&s.distribution, "distribution", "", "of the jitter: normal, uniform, pareto or constant (default normal)")
	f.StringVar(&s.correlation, "correlation", "", "how much each jitter takes after the one before it, as in 25%")
	f.StringVar(&s.loss, "loss", "", "share of packets lost each way, as in 0.1%")
	f.Float64Var(&s.burst, "burst", 0, "packets lost in a row, on average")
	f.StringVar(&s.rate, "rate", "", "bits per second each way, of all connections together, as in 100Mbit, or unlimited")
	f.StringVar(&s.connectionRate, "connection-rate", "", "bits per second each way, of each connection")
	_ = c.RegisterFlagCompletionFunc("distribution", cobra.FixedCompletions([]string{"normal", "uniform", "pareto", "constant"}, cobra.ShellCompDirectiveNoFileComp))
}

// changed reports whether any of the flags was given.
func (s *shapeFlags) changed(c *cobra.Command) bool {
	for name := range maps.Keys(shapeFlagNames) {
		if c.Flags().Changed(name) {
			return true
		}
	}
	return false
}

// apply changes a shape by the flags that were given, and validates it.
func (s *shapeFlags) apply(c *cobra.Command, shape *rehearse.Shape) error {
	var problems rehearse.Problems
	bad := func(flag string, err error) {
		if err != nil {
			problems = append(problems, &rehearse.Error{Kind: rehearse.Invalid, Msg: "--" + flag + ": " + err.Error()})
		}
	}
	share := func(flag, text string, set func(*rehearse.Path, float64)) {
		if !c.Flags().Changed(flag) {
			return
		}
		v, err := rehearse.ParseShare(text)
		bad(flag, err)
		set(&shape.Up, v)
		set(&shape.Down, v)
	}
	rate := func(flag, text string, set func(*rehearse.Path, rehearse.Rate)) {
		if !c.Flags().Changed(flag) {
			return
		}
		var v rehearse.Rate
		if text != "unlimited" {
			var err error
			v, err = rehearse.ParseRate(text)
			bad(flag, err)
		}
		set(&shape.Up, v)
		set(&shape.Down, v)
	}
	if c.Flags().Changed("rtt") || c.Flags().Changed("jitter") {
		rtt, jitter := shape.RTT(), time.Duration(shape.Up.Jitter)*1414/1000
		if c.Flags().Changed("rtt") {
			rtt = s.rtt
		}
		if c.Flags().Changed("jitter") {
			jitter = s.jitter
		}
		both := rehearse.Symmetric(rtt, jitter, 0)
		shape.Up.Delay, shape.Up.Jitter = both.Up.Delay, both.Up.Jitter
		shape.Down.Delay, shape.Down.Jitter = both.Down.Delay, both.Down.Jitter
	}
	if c.Flags().Changed("distribution") {
		shape.Up.Distribution, shape.Down.Distribution = rehearse.Distribution(s.distribution), rehearse.Distribution(s.distribution)
	}
	if c.Flags().Changed("burst") {
		shape.Up.Burst, shape.Down.Burst = s.burst, s.burst
	}
	share("loss", s.loss, func(p *rehearse.Path, v float64) { p.Loss = v })
	share("correlation", s.correlation, func(p *rehearse.Path, v float64) { p.Correlation = v })
	rate("rate", s.rate, func(p *rehearse.Path, v rehearse.Rate) { p.Rate = v })
	rate("connection-rate", s.connectionRate, func(p *rehearse.Path, v rehearse.Rate) { p.ConnectionRate = v })
	if err := shape.Validate(); err != nil {
		problems = append(problems, asError(err))
	}
	return problems.Err()
}

// asError is an error as one of several problems.
func asError(err error) *rehearse.Error {
	var e *rehearse.Error
	if errors.As(err, &e) {
		return e
	}
	return &rehearse.Error{Kind: rehearse.Invalid, Msg: err.Error()}
}
