package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Event is one thing that happened in an environment, as a line tells it.
type Event struct {
	Time time.Time `json:"time"`
	// Event is what happened: "started", "ready", "restarted", "out of memory",
	// "fault set", "egress refused", or another few words.
	Event string `json:"event"`
	// Of is whom it happened to: a service, a link or a step; empty: the environment.
	Of     string            `json:"of,omitempty"`
	After  rehearse.Duration `json:"after,omitempty"` // since the service's start
	Detail string            `json:"detail,omitempty"`
}

// Text is the detail as a line for people has it.
func (e Event) Text() string {
	if e.After == 0 {
		return e.Detail
	}
	after := "after " + rehearse.Round(time.Duration(e.After)).String()
	if e.Detail == "" {
		return after
	}
	return after + ": " + e.Detail
}

// Events are what a record tells: nothing where it only holds figures.
func Events(r rehearse.Record) []Event {
	one := func(event, of, detail string) []Event {
		return []Event{{Time: r.Time, Event: event, Of: of, Detail: detail}}
	}
	switch {
	case r.Begin != nil:
		return one("began", "", fmt.Sprintf("leg %s, environment %s", r.Begin.Plan.Leg.Name, r.Begin.Environment))
	case r.Service != nil:
		return serviceEvents(r.Time, *r.Service)
	case r.Link != nil:
		return linkEvents(r.Time, *r.Link)
	case r.Happening != nil:
		return []Event{happeningEvent(r.Time, *r.Happening)}
	case r.Action != nil:
		return []Event{actionEvent(r.Time, *r.Action)}
	case r.Fact != nil:
		return []Event{factEvent(r.Time, *r.Fact)}
	case r.Load != nil:
		return one("load ended", r.Load.Step, fmt.Sprintf("%d requests in %v", r.Load.Count, rehearse.Round(time.Duration(r.Load.Elapsed))))
	case r.Suite != nil && r.Suite.Skipped != "":
		return one("suite skipped", r.Suite.Step, r.Suite.Skipped)
	case r.Suite != nil:
		return one("suite ended", r.Suite.Step, fmt.Sprintf("exit %d after %v", r.Suite.ExitCode, rehearse.Round(time.Duration(r.Suite.Elapsed))))
	case r.Migration != nil && r.Migration.Failed != "":
		return one("migration failed", string(r.Migration.Service), r.Migration.Failed)
	case r.Migration != nil:
		return one("migrated", string(r.Migration.Service), fmt.Sprintf("%d files in %v", len(r.Migration.Files), rehearse.Round(time.Duration(r.Migration.Elapsed))))
	case r.End != nil:
		return one("ended", "", r.End.Error)
	}
	return nil
}

// serviceEvents tell of a service. That it waits for others is no event of its own.
func serviceEvents(at time.Time, ev rehearse.ServiceEvent) []Event {
	e := Event{Time: at, Of: string(ev.Service), After: ev.After, Detail: ev.Detail}
	switch ev.State {
	case rehearse.Waiting:
		return nil
	case rehearse.Building:
		e.Event = "preparing"
		if ev.Reset {
			e.Event = "reset"
		}
	case rehearse.Starting:
		e.Event = "started"
	case rehearse.Ready, rehearse.Done:
		e.Event = string(ev.State)
	case rehearse.Stopped:
		e.Event = "stopped"
		if ev.Lost {
			e.Event = "lost"
		}
	case rehearse.Failed:
		e.Event = "failed"
		if ev.ExitCode != nil {
			e.Event = "exited"
		}
	}
	if strings.HasPrefix(ev.Reason, "out of memory") {
		e.Event = "out of memory"
	}
	if !ev.Again {
		return []Event{e}
	}
	// It ended, and it is started again: the one says how, the other why.
	if e.Event != "out of memory" {
		e.Event = "exited"
	}
	e.Detail = ev.Reason
	return []Event{e, {Time: at, Event: "restarted", Of: e.Of, Detail: ev.Detail}}
}

func linkEvents(at time.Time, ev rehearse.LinkEvent) []Event {
	var out []Event
	add := func(event, detail string) {
		out = append(out, Event{Time: at, Event: event, Of: string(ev.Link), Detail: detail + " by " + ev.By})
	}
	for _, name := range ev.Cleared {
		add("fault cleared", name)
	}
	for _, f := range ev.Set {
		text := f.ID()
		if f.Name != "" {
			text += " (" + string(f.Kind) + ")"
		}
		add("fault set", text)
	}
	if ev.Shape != nil {
		add("shape set", ev.Shape.String())
	}
	return out
}

// happeningEvent tells what befell a service beneath it.
func happeningEvent(at time.Time, h rehearse.Happening) Event {
	e := Event{Time: at, Event: h.Action, Of: string(h.Service), Detail: h.Detail}
	if h.Action == rehearse.HappenedOOM {
		e.Event = "out of memory"
	}
	if h.Outside {
		e.Event += " from outside"
	}
	return e
}

// actionEvent tells of an experiment's method.
func actionEvent(at time.Time, a rehearse.ActionEvent) Event {
	e := Event{Time: at, Event: "action began", Of: a.Step, Detail: fmt.Sprintf("number %d", a.Action)}
	if a.Over {
		e.Event = "action ended"
	}
	if a.Error != "" {
		e.Detail += ": " + a.Error
	}
	return e
}

// factEvent tells of a fact. What services tried to reach has words of its own.
func factEvent(at time.Time, f rehearse.Fact) Event {
	e := Event{Time: at, Event: "fact", Of: f.Name, Detail: f.Value}
	if f.Name == rehearse.FactRefused {
		client, to, ok := strings.Cut(f.Value, " → ")
		if ok {
			e.Event, e.Of, e.Detail = "egress refused", client, to
		}
	}
	if f.Note != "" {
		e.Detail += ": " + f.Note
	}
	return e
}
