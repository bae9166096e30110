package docker

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// clauses are the events that are listened to, and how a sentence goes on after
// the container's name.
var clauses = map[events.Action]string{
	events.ActionCreate:     "was made",
	events.ActionStart:      "was started",
	events.ActionRestart:    "was restarted",
	events.ActionStop:       "was stopped",
	events.ActionPause:      "was paused",
	events.ActionUnPause:    "was resumed",
	events.ActionKill:       "was sent a signal",
	events.ActionDie:        "ended",
	events.ActionOOM:        "ran out of memory",
	events.ActionDestroy:    "was removed",
	events.ActionRename:     "was renamed",
	events.ActionUpdate:     "was given other limits",
	events.ActionConnect:    "was connected to the network",
	events.ActionDisconnect: "was taken off the network",
}

// contained is what events have told of a container.
type contained struct {
	name    string // the container's
	service rehearse.ServiceName
	runs    bool
	paused  time.Time // since when; zero: it is not
}

// called is what a person calls it.
func (c *contained) called() string {
	return cmp.Or(string(c.service), "the link container")
}

// heard makes an event out of what the engine says, where it is about a container
// or the network of the environment.
func (f *follower) heard(ctx context.Context, at time.Time, m events.Message) {
	c, ok := f.container(m)
	if !ok {
		return
	}
	ev := driver.Event{Time: at, Container: c.name, Attributes: m.Actor.Attributes, Happening: rehearse.Happening{
		Service: c.service, Action: string(m.Action), Detail: c.called() + " " + clauses[m.Action],
	}}
	if m.Type == events.NetworkEventType {
		ev.Detail += " " + m.Actor.Attributes["name"]
		ev.Outside = f.handledNetwork(ctx, m, c)
	} else {
		ev.Outside = f.handled(m, c, &ev)
	}
	ev.Outside = ev.Outside && !f.e.isClosed()
	f.e.watch.tell(ev)
}

// container finds whom an event is about.
func (f *follower) container(m events.Message) (*contained, bool) {
	of := m.Actor.Attributes
	if m.Type == events.NetworkEventType {
		id := of["container"]
		c, known := f.known[id]
		if !known && of["name"] == f.e.name("") {
			return &contained{name: id, service: "", runs: true}, true
		}
		return c, known
	}
	if of[labelState] != f.e.o.Label || of[labelEnvironment] != string(f.e.spec.ID) {
		return nil, false
	}
	c, known := f.known[m.Actor.ID]
	if !known {
		c = &contained{service: rehearse.ServiceName(of[labelService])}
		f.known[m.Actor.ID] = c
	}
	c.name = of["name"]
	return c, true
}

// handled says whether somebody else did it to a container.
func (f *follower) handled(m events.Message, c *contained, ev *driver.Event) (outside bool) {
	asked := f.e.watch.acts.took(c.name, m.Action)
	of := m.Actor.Attributes
	switch m.Action {
	case events.ActionCreate:
		return false
	case events.ActionStart:
		c.runs = true
	case events.ActionKill:
		if n, err := strconv.Atoi(of["signal"]); err == nil {
			ev.Detail = fmt.Sprintf("%s was sent the signal %d (%v)", c.called(), n, syscall.Signal(n))
		}
	case events.ActionDie:
		c.runs, c.paused = false, time.Time{}
		if code := of["exitCode"]; code != "" {
			ev.Detail += " with exit code " + code
		}
		return false
	case events.ActionOOM:
		if s := f.e.services[c.service]; s != nil && s.spec.Limits.Memory > 0 {
			ev.Detail += fmt.Sprintf(": the limit is %s", driver.Megabytes(s.spec.Limits.Memory))
		}
		return false // its own program's doing
	case events.ActionPause:
		c.paused = ev.Time
	case events.ActionUnPause:
		if !c.paused.IsZero() {
			lasted := ev.Time.Sub(c.paused)
			ev.For, ev.Detail = rehearse.Duration(lasted), fmt.Sprintf("%s was paused for %v", c.called(), rehearse.Round(lasted))
		}
		c.paused = time.Time{}
	case events.ActionDestroy:
		delete(f.known, m.Actor.ID)
	}
	return !asked
}

// handledNetwork says whether somebody else gave a container a network, or took
// it away. The engine itself does so when a container starts and when it has ended.
func (f *follower) handledNetwork(ctx context.Context, m events.Message, c *contained) (outside bool) {
	switch asked := f.e.watch.acts.took(c.name, m.Action); {
	case asked || !c.runs:
		return false
	case m.Action == events.ActionConnect:
		return true
	}
	// Some engines tell of a container's end only after that of its network.
	got, err := f.e.engine.api.ContainerInspect(ctx, m.Actor.Attributes["container"], client.ContainerInspectOptions{})
	return err == nil && got.Container.State != nil && got.Container.State.Running
}

// acts are what we have asked the engine to do to containers, until it has told of
// it: what it tells beyond that, somebody else has asked for.
type acts struct {
	mu    sync.Mutex
	asked map[act]int
}

// act is one kind of asking, of one container by its name.
type act struct {
	container string
	what      events.Action
}

// ask says that we are about to ask, by the event that the engine will tell of
// it. Who asks for a container's removal asks for its end as well. undo takes it
// back where the engine would not.
func (a *acts) ask(container string, what events.Action) (undo func()) {
	k := act{container, what}
	a.add(k, 1)
	return func() { a.add(k, -1) }
}

func (a *acts) add(k act, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked == nil {
		a.asked = map[act]int{}
	}
	if a.asked[k] += n; a.asked[k] <= 0 {
		delete(a.asked, k)
	}
}

// took says whether we had asked for what the engine tells of.
func (a *acts) took(container string, what events.Action) bool {
	k := act{container, what}
	a.mu.Lock()
	asked, removed := a.asked[k] > 0, a.asked[act{container, events.ActionDestroy}] > 0
	a.mu.Unlock()
	if asked {
		a.add(k, -1)
	}
	return asked || removed
}
