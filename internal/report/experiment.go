package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// experiment is what became of one experiment of a leg: how it failed, and how it
// recovered. Its fields are those of the JSON report.
type experiment struct {
	Step    string        `json:"step"`
	Calm    bool          `json:"calm"` // nothing was broken
	Actions []actionShown `json:"actions"`
	// Detected is from the first action's beginning until the first request that
	// began after it had failed, or had taken longer than the steady state allows;
	// absent when none did.
	Detected *rehearse.Duration `json:"detected,omitempty"`
	// Recovered is from the method's end until the steady state held again; absent
	// when it did not until the end, or nothing shows it.
	Recovered *rehearse.Duration `json:"recovered,omitempty"`
	Requests  int                `json:"requests"` // that were sent from the method's beginning on
	Lost      int                `json:"lost"`     // of them, those that failed
	Errors    map[string]int     `json:"errors"`   // that reached the user, by their kind
	// Untouched are declared links that no action of the leg has broken.
	Untouched []rehearse.LinkID `json:"untouched"`

	late bool // it had not recovered by the end
}

// actionShown is an action, when it was in force, and what it touched.
type actionShown struct {
	Title  string              `json:"title"`
	Kind   string              `json:"kind"`
	From   *rehearse.Duration  `json:"from,omitempty"`  // since the load's start; absent: it did not begin
	Until  *rehearse.Duration  `json:"until,omitempty"` // absent: nothing tells
	Doses  []rehearse.LinkDose `json:"doses"`
	Errors []string            `json:"errors"` // why it could not be begun, or undone
}

// experiments are those of the leg that ran, in the plan's order.
func (l leg) experiments() []experiment {
	out := []experiment{}
	for _, s := range l.plan.Steps {
		i := slices.IndexFunc(l.loads, func(d load) bool { return d.result.Step == s.Name() })
		if s.Experiment != nil && i >= 0 {
			out = append(out, l.newExperiment(*s.Experiment, l.loads[i]))
		}
	}
	return out
}

func (l leg) newExperiment(s rehearse.ExperimentStep, d load) experiment {
	e := experiment{Step: s.Name, Calm: s.Calm, Actions: []actionShown{}, Errors: map[string]int{}, Untouched: []rehearse.LinkID{}}
	for i, a := range s.Method {
		shown := actionShown{Title: a.Title, Kind: kindOf(a), Doses: []rehearse.LinkDose{}, Errors: []string{}}
		for _, ev := range l.actions {
			if ev.Step != s.Name || ev.Action != i {
				continue
			}
			if ev.Error != "" {
				shown.Errors = append(shown.Errors, ev.Error)
			}
			if ev.Over {
				shown.Until, shown.Doses = &ev.At, list(ev.Doses)
			} else {
				shown.From = &ev.At
			}
		}
		e.Actions = append(e.Actions, shown)
	}
	if s.Calm {
		return e
	}
	e.Untouched = l.untouched()
	begin := s.Before
	for _, a := range e.Actions {
		if a.From != nil {
			begin = *a.From
			break
		}
	}
	for _, sample := range d.samples {
		if sample.Dropped || sample.Intended < begin {
			continue
		}
		e.Requests++
		noticed, bad := noticedAt(sample, s.Steady)
		if failed(sample) {
			e.Lost++
			e.Errors[errorKind(sample)]++
		}
		if after := noticed - begin; bad && (e.Detected == nil || after < *e.Detected) {
			e.Detected = &after
		}
	}
	for _, f := range l.Verdict.Findings {
		if f.Step != s.Name || !strings.HasPrefix(f.Check, s.Name+": recovers within ") {
			continue
		}
		if f.Value == nil {
			e.late = e.late || f.Outcome == rehearse.Fail
			continue
		}
		if after := rehearse.Duration(*f.Value * 1e9); e.Recovered == nil || after > *e.Recovered {
			e.Recovered = &after
		}
	}
	if e.late {
		e.Recovered = nil
	}
	return e
}

// untouched are the declared links that no experiment of the leg breaks.
func (l leg) untouched() []rehearse.LinkID {
	broken := map[rehearse.LinkID]bool{}
	for _, s := range l.plan.Steps {
		if s.Experiment == nil || s.Experiment.Calm {
			continue
		}
		for _, a := range s.Experiment.Method {
			for _, id := range a.Links {
				broken[id] = true
			}
			for _, k := range l.plan.Links {
				if slices.Contains(a.Services, k.Upstream) {
					broken[k.ID] = true
				}
			}
		}
	}
	out := []rehearse.LinkID{}
	for _, k := range l.plan.Links {
		if k.Declared && !broken[k.ID] {
			out = append(out, k.ID)
		}
	}
	return out
}

func kindOf(a rehearse.Action) string {
	switch {
	case a.Fault != nil:
		return string(a.Fault.Kind)
	case a.Disruption != nil:
		return string(a.Disruption.Kind)
	}
	return ""
}

// noticedAt is when whoever sent a request knew that it was not what the steady
// state promises, and whether it was not.
func noticedAt(s rehearse.Sample, steady []rehearse.Threshold) (at rehearse.Duration, bad bool) {
	if failed(s) {
		at, bad = s.End, true
	}
	for _, t := range steady {
		if t.Metric != "http_req_duration" || !strings.HasPrefix(t.Op, "<") || t.Tag != "" && t.Tag != s.Request || t.Holds(s.Duration().Seconds()) {
			continue
		}
		if late := s.Intended + rehearse.Duration(t.Bound*1e9); !bad || late < at {
			at, bad = late, true
		}
	}
	return at, bad
}

// errorKind is what a failed request showed its user, in a word or two.
func errorKind(s rehearse.Sample) string {
	switch {
	case s.Error == "status" && s.Status != 0:
		return fmt.Sprintf("status %d", s.Status)
	case s.Error == "":
		return "no answer"
	}
	return s.Error
}

// lines tell how an experiment failed and how it recovered.
func (e experiment) lines() []string {
	if e.Calm {
		return []string{"Nothing was broken in this leg."}
	}
	var out []string
	for _, a := range e.Actions {
		line := a.Title
		switch {
		case a.From == nil:
			line += " did not begin"
		case a.Until == nil:
			line += fmt.Sprintf(", from %s on", moment(*a.From))
		default:
			line += fmt.Sprintf(", from %s to %s", moment(*a.From), moment(*a.Until))
		}
		var connections, requests int64
		for _, d := range a.Doses {
			connections += d.Dose.Connections
			requests += d.Dose.Requests
		}
		if requests > 0 {
			line += ": touched " + count(int(requests), "request")
		} else if connections > 0 {
			line += ": touched " + count(int(connections), "connection")
		}
		for _, why := range a.Errors {
			line += "; " + why
		}
		out = append(out, plain(line)+".")
	}
	noticed := "No request failed or was late."
	if e.Detected != nil {
		noticed = "Noticed after " + short(*e.Detected, true) + "."
	}
	switch {
	case e.Recovered != nil && *e.Recovered == 0:
		noticed += " Recovered at once."
	case e.Recovered != nil:
		noticed += " Recovered " + short(*e.Recovered, true) + " after the method."
	case e.late:
		noticed += " Not recovered by the end."
	}
	lost := fmt.Sprintf(" %d of %s lost", e.Lost, count(e.Requests, "request"))
	var kinds []string
	for _, k := range slices.SortedFunc(maps.Keys(e.Errors), func(a, b string) int {
		return cmp.Or(e.Errors[b]-e.Errors[a], strings.Compare(a, b))
	}) {
		kinds = append(kinds, fmt.Sprintf("%d %s", e.Errors[k], plain(k)))
	}
	if len(kinds) > 0 {
		lost += ": " + strings.Join(kinds, ", ")
	}
	out = append(out, noticed+lost+".")
	return out
}

func moment(d rehearse.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// experiments prints how a leg's experiments failed and recovered.
func (t *terminal) experiments(l leg) {
	for _, e := range l.experiments() {
		if e.Calm {
			continue
		}
		fmt.Fprintf(t, "\n%s\n", t.paint(bold, fmt.Sprintf("experiment %s in %s", plain(e.Step), plain(l.Name))))
		for _, line := range e.lines() {
			fmt.Fprintln(t, line)
		}
	}
}

func mdExperiments(w io.Writer, l leg) {
	for _, e := range l.experiments() {
		if e.Calm {
			continue
		}
		fmt.Fprintf(w, "\n<details><summary>Experiment %s in %s</summary>\n\n", md(e.Step), md(l.Name))
		for _, line := range e.lines() {
			fmt.Fprintf(w, "- %s\n", md(line))
		}
		fmt.Fprint(w, "\n</details>\n")
	}
}

// experimentView is an experiment of one leg on the page.
type experimentView struct {
	Leg, Color string
	Lines      []string
}

// shades are the stretches of a load in which something was broken, in any leg.
func shades(legs []loadLeg) []shade {
	var out []shade
	for _, l := range legs {
		for _, a := range l.broken {
			if a.From == nil {
				continue
			}
			to := l.spec.Traffic.Duration
			if a.Until != nil {
				to = *a.Until
			}
			out = append(out, shade{a.From.Seconds(), to.Seconds(), a.Title})
		}
	}
	return out
}
