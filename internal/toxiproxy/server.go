// Package toxiproxy answers Toxiproxy's HTTP API over links of ours, so that its
// client libraries and its command line work unchanged: proxies are links, and
// toxics are their faults.
//
// [New] makes a [Server], which is an http.Handler. It has two sorts of proxies:
// those that are made through the API, or with [Server.Create] and
// [Server.Populate], are links of the server's own; those that [Server.Add]
// brings are links that somebody else carries, as an environment does: they can
// be broken and repaired here, but not moved or deleted.
//
// The routes, bodies, status codes and error texts are Toxiproxy's (2.12):
//
//	GET          /proxies                  all proxies by name
//	POST         /proxies                  make one; its toxics may come with it
//	POST         /populate                 make many, replacing those that differ
//	GET          /proxies/{proxy}
//	PATCH, POST  /proxies/{proxy}          change listen, upstream, enabled
//	DELETE       /proxies/{proxy}
//	GET, POST    /proxies/{proxy}/toxics
//	GET          /proxies/{proxy}/toxics/{toxic}
//	PATCH, POST  /proxies/{proxy}/toxics/{toxic}
//	DELETE       /proxies/{proxy}/toxics/{toxic}
//	POST         /reset                    enable all, take all toxics away
//	GET          /version
//	GET          /metrics                  Prometheus' text format
//
// Beyond Toxiproxy there are GET /proxies/{proxy}/stats, which is what the link
// saw and what each fault really touched; toxics of every kind of fault that a
// link knows, by the names of their parameters; the stream "both"; the shape and
// tier of a proxy; proxies of UDP and of Unix sockets; and the hint in an error.
//
// A body is read strictly: a field or attribute that does not exist, or a value
// that cannot be, is refused with what is wrong. Toxiproxy ignores the former
// and does odd things with the latter.
//
// No answer waits for the traffic, for a name server that does not answer, or
// for another request that does: a proxy whose peer has stopped reading is
// changed and removed like any other.
package toxiproxy

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/link"
)

// Options are what a server is made with. The zero value is useful.
type Options struct {
	// Seed decides which connections a toxic touches whose toxicity is below 1.
	// Each proxy's link gets a seed of its own from it and the proxy's name.
	Seed uint64
	// Tier is that of proxies that name none. Empty is TierStream, which is what
	// Toxiproxy is like, or TierModel for a proxy with a shape.
	Tier rehearse.Tier
	// Version is what GET /version says.
	Version string
	// EndTLS is how a proxy ends TLS that was made with "tls": "end". Nil
	// refuses such proxies.
	EndTLS link.EndTLS
	// Confined refuses proxies from or to Unix sockets, and those that listen
	// anywhere but on the loopback, for a server that runs with more rights than
	// those who may ask it.
	Confined bool
	// Event is told of every change, in order, while the server is locked: it
	// must not call the server. Nil is off.
	Event func(Event)
	// Around puts what else Serve's listener answers around the API. Nil is the
	// API alone.
	Around func(api http.Handler) http.Handler
}

// Breaker is a link as the API needs it, which *link.Link is. Both methods
// return at once and may be called from several goroutines.
type Breaker interface {
	// Break replaces the faults that the API has put on the link.
	Break(faults []rehearse.Fault) error
	Stats() rehearse.LinkStats
}

// Server is a set of proxies behind Toxiproxy's API. Its methods may be called
// from several goroutines.
type Server struct {
	options Options
	routes  http.Handler

	// mu is held for moments only. What may take long, which is to look up the
	// name of a host, is done before it is taken.
	mu      sync.Mutex
	proxies map[string]*proxy
	closed  bool
	serving sync.WaitGroup
}

// New makes a server without proxies.
func New(o Options) *Server {
	s := &Server{options: o, proxies: map[string]*proxy{}}
	s.routes = s.handler()
	return s
}

// ServeHTTP answers the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.routes.ServeHTTP(w, r) }

// Serve answers the API on a listener until ctx ends. Then it closes the
// listener and the server, and returns nil.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	defer s.Close()
	var handler http.Handler = s
	if s.options.Around != nil {
		handler = s.options.Around(s)
	}
	web := &http.Server{Handler: handler, ReadHeaderTimeout: 15 * time.Second, IdleTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	stopped := make(chan struct{})
	defer context.AfterFunc(ctx, func() {
		defer close(stopped)
		// An answer takes no time; who has not read it by then does not want it.
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if web.Shutdown(grace) != nil {
			web.Close()
		}
	})()
	if err := web.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("answer the API on %v: %w", ln.Addr(), err)
	}
	<-stopped
	return nil
}

// Reset is POST /reset: it enables all proxies and takes all toxics away.
func (s *Server) Reset(ctx context.Context) error {
	if f := s.reset(ctx); f != nil {
		return f.wrap()
	}
	return nil
}

// Close stops the proxies that are the server's own, takes its faults off those
// that are not, and returns when no connection is left that it carried. A
// closed server makes no more proxies.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for _, p := range s.proxies {
		if p.fixed {
			// A link that will not be repaired has ended, or says so where it is
			// carried.
			_ = p.link.Break(nil)
			continue
		}
		p.stop()
	}
	clear(s.proxies)
	s.mu.Unlock()
	s.serving.Wait()
}

// Fixed is a proxy over a link that somebody else carries.
type Fixed struct {
	Name     string
	Listen   string // what clients connect to, as a person would write it
	Upstream string
	Link     Breaker
}

// Add puts a fixed proxy into the set. Toxics on it are given to its link;
// while it is disabled, the link refuses connections and resets those that it
// has.
func (s *Server) Add(f Fixed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proxies[f.Name] != nil {
		return errProxyExists.wrap()
	}
	s.proxies[f.Name] = &proxy{name: f.Name, listen: f.Listen, upstream: f.Upstream, enabled: true, fixed: true, link: f.Link}
	return nil
}

// Remove takes a fixed proxy out of the set, when its link has ended. It does
// nothing when there is none of that name.
func (s *Server) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.proxies[name]; p != nil && p.fixed {
		delete(s.proxies, name)
	}
}

// Spec is a proxy of the server's own, as it is asked for.
type Spec struct {
	Name     string
	Listen   string // host:port, where port 0 is any free one, udp:host:port or unix:/path
	Upstream string // host:port, udp:host:port or unix:/path
	Shape    rehearse.Shape
	Tier     rehearse.Tier
	EndTLS   bool
}

// Create makes a proxy and returns where it listens.
func (s *Server) Create(ctx context.Context, spec Spec) (listen string, err error) {
	enabled, tls := true, "pass"
	if spec.EndTLS {
		tls = "end"
	}
	shown, failure := s.create(ctx, proxyInput{
		Name: spec.Name, Listen: &spec.Listen, Upstream: &spec.Upstream, Enabled: &enabled, Shape: &spec.Shape, Tier: spec.Tier, TLS: tls,
	})
	if failure != nil {
		return "", failure.wrap()
	}
	return shown.Listen, nil
}

// Populate makes the proxies of a configuration file in Toxiproxy's format: a
// JSON array of what POST /proxies takes. It stops at the first that cannot be
// made, and leaves those before it.
func (s *Server) Populate(ctx context.Context, config []byte) error {
	input, failure := readPopulate(config)
	if failure == nil {
		_, failure = s.populate(ctx, input)
	}
	if failure != nil {
		return failure.wrap()
	}
	return nil
}

// names are those of all proxies, in order.
func (s *Server) names() []string { return slices.Sorted(maps.Keys(s.proxies)) }

// seed makes a proxy's own seed, which does not depend on what other proxies
// there are.
func (s *Server) seed(name string) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%s", s.options.Seed, name)
	return h.Sum64()
}
