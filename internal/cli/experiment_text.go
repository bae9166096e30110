package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// printTimeLines prints when each experiment of a plan does what to what.
func (a *app) printTimeLines(p *rehearse.Plan) error {
	for _, s := range p.Steps {
		e := s.Experiment
		if e == nil {
			continue
		}
		t := table{head: []string{"AT", "UNTIL", strings.ToUpper(e.Name), "ON"}}
		t.add("0s", e.Before.String(), "steady state before", "–")
		for _, action := range e.Method {
			from := e.Before + action.At
			t.add(from.String(), (from + action.For).String(), actionText(action), actionTargets(action))
		}
		t.add(e.MethodEnd().String(), (e.MethodEnd() + e.Recover).String(), "recovery", "–")
		t.add((e.MethodEnd() + e.Recover).String(), e.Total().String(), "steady state after", "–")
		fmt.Fprintln(a.stdout)
		if err := t.aligned(a, 0); err != nil {
			return err
		}
		if e.Calm {
			fmt.Fprintln(a.stdout, "in this leg nothing is broken: only the time line is the same")
		}
	}
	return nil
}

// actionText is what an action does, with what makes it particular.
func actionText(action rehearse.Action) string {
	var parts []string
	if f := action.Fault; f != nil {
		parts = append(parts, faultText(*f))
	}
	if d := action.Disruption; d != nil {
		for _, p := range []struct {
			given bool
			text  string
		}{
			{d.CPUs > 0, fmt.Sprintf("cpus=%g", d.CPUs)}, {d.Memory > 0, fmt.Sprintf("memory=%d", d.Memory)},
			{d.Path != "", "path=" + d.Path}, {d.Offset != 0, "offset=" + d.Offset.String()},
		} {
			if p.given {
				parts = append(parts, p.text)
			}
		}
	}
	return strings.TrimSpace(action.Title + " " + strings.Join(parts, " "))
}

// faultText is the parameters that tell one fault of a kind from another.
func faultText(f rehearse.Fault) string {
	var parts []string
	add := func(given bool, format string, args ...any) {
		if given {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(f.Delay > 0, "delay=%v", f.Delay)
	add(f.Jitter > 0, "jitter=%v", f.Jitter)
	add(f.Share > 0, "share=%g%%", f.Share*100)
	add(f.Burst > 0, "burst=%g", f.Burst)
	add(f.Rate > 0, "rate=%v", f.Rate)
	add(f.Bytes > 0, "bytes=%d", f.Bytes)
	add(f.Count > 0, "count=%d", f.Count)
	add(f.Status > 0, "status=%d", f.Status)
	add(f.Code != "", "code=%s", f.Code)
	add(f.Direction != "", "direction=%s", f.Direction)
	add(f.Probability > 0, "probability=%g%%", f.Probability*100)
	add(f.Match.Method != "", "method=%s", f.Match.Method)
	add(f.Match.Path != "", "path=%s", f.Match.Path)
	add(f.Match.Statement != "", "statement=%q", f.Match.Statement)
	add(f.Match.Command != "", "command=%s", f.Match.Command)
	add(f.Schedule.Every > 0, "every %v for %v", f.Schedule.Every, f.Schedule.For)
	return strings.Join(parts, " ")
}

// actionTargets are the links or services of an action, as far as there is room.
func actionTargets(action rehearse.Action) string {
	var names []string
	for _, l := range action.Links {
		names = append(names, string(l))
	}
	for _, s := range action.Services {
		names = append(names, string(s))
	}
	const most = 4
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

func calmNote(e rehearse.ExperimentStep) string {
	if e.Calm {
		return "; nothing is broken in this leg"
	}
	return ""
}

// action shows a moment of an experiment's method.
func (p *progress) action(e rehearse.ExperimentStep, ev rehearse.ActionEvent) {
	title := fmt.Sprintf("action %d", ev.Action)
	if ev.Action >= 0 && ev.Action < len(e.Method) {
		title = e.Method[ev.Action].Title
	}
	at := fmt.Sprintf("%5.1fs", time.Duration(ev.At).Seconds())
	switch {
	case ev.Error != "":
		p.say("  %s  %s: %s", at, title, p.paint("31", ev.Error))
	case ev.Over:
		p.say("  %s  %s is over", at, title)
	default:
		p.say("  %s  %s", at, p.paint("33", title))
	}
}
