package toxiproxy

import "time"

// Event is a change of the set of proxies or of one of them.
type Event struct {
	Time time.Time `json:"time"`
	// Name is "created", "changed", "enabled", "disabled" or "deleted" of a
	// proxy; "toxic added", "toxic changed" or "toxic removed"; or "failed", of
	// a proxy whose listener broke.
	Name     string `json:"event"`
	Proxy    string `json:"proxy"`
	Listen   string `json:"listen,omitempty"`
	Upstream string `json:"upstream,omitempty"`
	Toxic    *Toxic `json:"toxic,omitempty"`
	Error    string `json:"error,omitempty"`
}

// tell passes an event on. It is called with s.mu held, which is what keeps
// events in order.
func (s *Server) tell(name string, p *proxy, t *toxic, err error) {
	if s.options.Event == nil {
		return
	}
	e := Event{Time: time.Now(), Name: name, Proxy: p.name, Listen: p.listen, Upstream: p.upstream}
	if t != nil {
		shown := t.show()
		e.Toxic = &shown
	}
	if err != nil {
		e.Error = err.Error()
	}
	s.options.Event(e)
}
