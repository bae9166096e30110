package rehearsetest

import (
	"context"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/api"
)

// Link is the carried edge from a client to its upstream. Changes hold at once, for
// connections that are open and for new ones.
type Link struct {
	env *Environment
	id  rehearse.LinkID
}

// Link is the link from a service to another one. The client of what comes from
// the test is "ingress".
func (e *Environment) Link(client, upstream string) *Link {
	e.t.Helper()
	links, err := e.client.Links(context.Background())
	e.must(err)
	id := rehearse.MakeLinkID(rehearse.ServiceName(client), rehearse.ServiceName(upstream))
	var known []string
	for _, l := range links {
		if l.ID == id {
			return &Link{env: e, id: id}
		}
		known = append(known, string(l.ID))
	}
	e.fatal(unknown("link", string(id), known))
	return nil
}

// ID names the link, as in "api:db".
func (l *Link) ID() rehearse.LinkID { return l.id }

// Set makes the faults those that are given, beside the plan's. Without any, the
// link is whole again and keeps its shape.
func (l *Link) Set(faults ...rehearse.Fault) {
	l.env.t.Helper()
	if faults == nil {
		faults = []rehearse.Fault{}
	}
	l.change(api.LinkChange{Faults: &faults})
}

// Shape gives the link another shape; its faults stay.
func (l *Link) Shape(s rehearse.Shape) {
	l.env.t.Helper()
	l.change(api.LinkChange{Shape: &s})
}

func (l *Link) change(c api.LinkChange) {
	t := l.env.t
	t.Helper()
	l.env.touch(l.id)
	_, err := l.env.client.ChangeLink(context.Background(), l.id, c)
	l.env.must(err)
}

// Reset gives the link its planned shape back and takes away the faults that came
// after the plan.
func (l *Link) Reset() {
	l.env.t.Helper()
	_, err := l.env.client.ResetLink(context.Background(), l.id)
	l.env.must(err)
}

// Stats is what the link has seen, and what each fault has really touched.
func (l *Link) Stats() rehearse.LinkStats {
	l.env.t.Helper()
	s, err := l.env.client.Stats(context.Background(), l.id)
	l.env.must(err)
	return s
}

func (e *Environment) touch(id rehearse.LinkID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.touched[id] = true
}

// undo resets the links that the test has set: whoever comes next finds them as the
// plan has them.
func (e *Environment) undo() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id := range e.touched {
		if _, err := e.client.ResetLink(context.Background(), id); err != nil {
			e.t.Error(describe(err))
		}
	}
}
