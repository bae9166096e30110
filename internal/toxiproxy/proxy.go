package toxiproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/link"
)

var _ Breaker = (*link.Link)(nil)

// mostToxics bounds the toxics of one proxy, each of which costs every
// connection some memory and time.
const mostToxics = 1000

// proxy is one proxy of a server. The server's mu guards it.
type proxy struct {
	name             string
	listen, upstream string
	// asked is what was to be listened on, before port 0 and the name of the
	// host were resolved.
	asked   string
	enabled bool
	fixed   bool
	shape   rehearse.Shape
	tier    rehearse.Tier // of the server's own
	toxics  []*toxic      // those upstream first, then downstream, then both; each in the order of their making
	link    Breaker
	carrier *link.Link // link, where it is the server's own

	ending context.CancelFunc // of what serves the listener, or nil
	ln     socket
	ended  chan struct{} // closed when no connection is left
}

// Proxy is a proxy as the API shows it.
type Proxy struct {
	Name     string         `json:"name"`
	Listen   string         `json:"listen"`
	Upstream string         `json:"upstream"`
	Enabled  bool           `json:"enabled"`
	Toxics   []Toxic        `json:"toxics"`
	Shape    rehearse.Shape `json:"shape,omitzero"`
	Tier     rehearse.Tier  `json:"tier,omitempty"`
}

func (p *proxy) show() Proxy {
	out := Proxy{Name: p.name, Listen: p.listen, Upstream: p.upstream, Enabled: p.enabled, Shape: p.shape, Toxics: make([]Toxic, len(p.toxics))}
	for i, t := range p.toxics {
		out.Toxics[i] = t.show()
	}
	if p.tier != rehearse.TierStream {
		out.Tier = p.tier // Toxiproxy's goes without saying
	}
	return out
}

// toxic finds a toxic by name, and where it stands; -1 when there is none.
func (p *proxy) toxic(name string) (*toxic, int) {
	for i, t := range p.toxics {
		if t.name == name {
			return t, i
		}
	}
	return nil, -1
}

// setToxics gives the link the faults of a new set of toxics, and keeps the old
// set when the link refuses one.
func (p *proxy) setToxics(toxics []*toxic) *failure {
	if len(toxics) > mostToxics {
		return errBadBody.with(fmt.Sprintf("%d toxics; a proxy has at most %d", len(toxics), mostToxics))
	}
	slices.SortStableFunc(toxics, func(a, b *toxic) int { return a.rank() - b.rank() })
	if err := p.link.Break(faults(toxics, p.fixed && !p.enabled)); err != nil {
		return refused(err)
	}
	p.toxics = toxics
	return nil
}

// faults are what the link is given for a set of toxics. A link that somebody
// else carries is taken down by two faults more.
func faults(toxics []*toxic, down bool) []rehearse.Fault {
	out := make([]rehearse.Fault, 0, len(toxics))
	for _, t := range toxics {
		if t.acts {
			out = append(out, t.fault)
		}
	}
	if down {
		out = append(out,
			rehearse.Fault{Name: "(disabled)", Kind: rehearse.FaultRefuse},
			rehearse.Fault{Name: "(disabled: connections)", Kind: rehearse.FaultReset})
	}
	return out
}

// differs reports whether a proxy would have to be moved to listen and dial as
// asked. The address to listen on may be given as it was asked for, or as it was
// found.
func (p *proxy) differs(listen address, asked, upstream string) bool {
	return upstream != p.upstream || asked != p.asked && listen.String() != p.listen
}

// listenError says that an address could not be listened on.
type listenError struct {
	at  address
	err error
	by  string // the proxy of ours that holds it
}

func (e *listenError) Error() string { return e.err.Error() }

// explain makes an error of start a failure. It looks through the processes of
// the host for the one to blame, so s.mu must not be held.
func explain(err error) *failure {
	f := &failure{Message: err.Error(), Status: http.StatusInternalServerError}
	var e *listenError
	if !errors.As(err, &e) || !errors.Is(e.err, syscall.EADDRINUSE) {
		return f
	}
	holder := "the proxy " + e.by + " of this server"
	if e.by == "" {
		holder = holderOf(e.at)
	}
	if holder == "" {
		return f.hinting(fmt.Sprintf("Something that cannot be seen from here holds %s; listen elsewhere, or on port 0 for any free one.", e.at))
	}
	return f.hinting(fmt.Sprintf("%s is held by %s; listen elsewhere, or on port 0 for any free one.", e.at, holder))
}

// start makes a proxy listen and serve. s.mu is held.
func (s *Server) start(p *proxy, at address, upstream address) error {
	if s.closed {
		return failed{errClosed}
	}
	ln, err := at.open()
	if err != nil {
		e := &listenError{at: at, err: err}
		for _, name := range s.names() {
			if other := s.proxies[name]; other.ln != nil && other.listen == at.String() {
				e.by = name
			}
		}
		return e
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.ln, p.ending, p.ended = ln, cancel, make(chan struct{})
	p.enabled = true
	p.listen = address{at.network, ln.place().String()}.String()
	ended := p.ended
	s.serving.Go(func() {
		defer close(ended)
		if err := ln.serve(ctx, p.carrier, upstream.dialer()); err != nil {
			s.broke(p, ln, err)
		}
	})
	return nil
}

// broke notes that a proxy's listener failed under it.
func (s *Server) broke(p *proxy, ln socket, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.ln != ln {
		return
	}
	p.stop()
	s.tell("failed", p, nil, err)
}

// stop makes a proxy of the server's own stop listening at once, and ends its
// connections. What it returns is closed when the last of them has ended.
func (p *proxy) stop() <-chan struct{} {
	p.enabled = false
	if p.ln == nil {
		return nil
	}
	p.ending()
	p.ln.Close()
	p.ln, p.ending = nil, nil
	return p.ended
}

// settle waits until connections have ended that were just cut, so that a client
// that has had its answer does not find one of them alive. A dial that does not
// notice that it is cancelled is not waited for.
func settle(ended ...<-chan struct{}) {
	limit := time.NewTimer(50 * time.Millisecond)
	defer limit.Stop()
	for _, e := range ended {
		if e == nil {
			continue
		}
		select {
		case <-e:
		case <-limit.C:
			return
		}
	}
}
