package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/contest"
	"github.com/rehearse-dev/rehearse/internal/link"
	"github.com/rehearse-dev/rehearse/internal/spans"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
)

// runServe runs links until its standard input ends. It answers as much of
// Toxiproxy's API as the benchmark asks for, and nothing stands between that
// and the link.
func runServe(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	watch := flags.Bool("watch", false, "watch every link, and keep its spans")
	bare := flags.Bool("copy", false, "copy with io.Copy, without any link")
	profile := flags.String("profile", "", "write a processor profile to this file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	stop, err := contest.Profile(*profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &server{bare: *bare, proxies: map[string]*proxy{}}
	if *watch {
		if s.store, err = telemetry.New(telemetry.Options{}); err != nil {
			return err
		}
	}
	defer s.links.Wait()
	defer cancel()
	api := &http.Server{Handler: s.routes(ctx)}
	defer api.Close()
	go api.Serve(ln)
	if err := json.NewEncoder(stdout).Encode(ln.Addr().String()); err != nil {
		return err
	}
	untilEnd(ctx, cancel, stdin)
	return nil
}

type server struct {
	store   *telemetry.Store // nil when links are not watched
	bare    bool
	links   sync.WaitGroup
	mu      sync.Mutex // of proxies, and of each one's toxics
	proxies map[string]*proxy
}

type proxy struct {
	proxySpec
	Stats  rehearse.LinkStats `json:"stats"`
	link   *link.Link
	toxics map[string]toxicSpec
}

func (s *server) routes(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, status int, f func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := f(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.WriteHeader(status)
			// The client has gone if this fails.
			_ = json.NewEncoder(w).Encode(body)
		})
	}
	handle("POST /proxies", http.StatusCreated, func(r *http.Request) (any, error) {
		var spec proxySpec
		if err := json.NewDecoder(r.Body).Decode(&spec); err != nil {
			return nil, err
		}
		return s.create(ctx, spec)
	})
	handle("GET /proxies/{name}", http.StatusOK, func(r *http.Request) (any, error) {
		return s.show(r.PathValue("name"))
	})
	handle("POST /proxies/{name}/toxics", http.StatusOK, func(r *http.Request) (any, error) {
		var t toxicSpec
		if err := json.NewDecoder(r.Body).Decode(&t); err != nil {
			return nil, err
		}
		return t, s.change(r.PathValue("name"), func(toxics map[string]toxicSpec) { toxics[t.Name] = t })
	})
	handle("DELETE /proxies/{name}/toxics/{toxic}", http.StatusOK, func(r *http.Request) (any, error) {
		return nil, s.change(r.PathValue("name"), func(toxics map[string]toxicSpec) { delete(toxics, r.PathValue("toxic")) })
	})
	return mux
}

func (s *server) create(ctx context.Context, spec proxySpec) (proxySpec, error) {
	ln, err := net.Listen("tcp", spec.Listen)
	if err != nil {
		return spec, err
	}
	spec.Listen = ln.Addr().String()
	p := &proxy{
		proxySpec: spec, toxics: map[string]toxicSpec{},
		link: link.New(rehearse.LinkSpec{ID: rehearse.LinkID(spec.Name)}, 1),
	}
	if s.store != nil {
		calls := spans.New(rehearse.LinkSpec{ID: rehearse.LinkID(spec.Name)})
		p.link.Watch(link.Watch{
			Calls:      func(batch []link.Call, _ int) { s.store.AddSpans(calls.Of(batch)) },
			Connection: func(link.Connection) {},
			Propagate:  true,
		})
	}
	s.mu.Lock()
	s.proxies[spec.Name] = p
	s.mu.Unlock()
	if s.bare {
		go copyAll(ln, spec.Upstream)
		return spec, nil
	}
	s.links.Go(func() {
		// The listener fails only when the process ends.
		_ = p.link.Serve(ctx, ln, func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", spec.Upstream)
		})
	})
	return spec, nil
}

func (s *server) show(name string) (proxy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.proxies[name]
	if p == nil {
		return proxy{}, errNoProxy
	}
	return proxy{proxySpec: p.proxySpec, Stats: p.link.Stats()}, nil
}

var errNoProxy = errors.New("proxy not found")

// change changes a proxy's toxics and gives its link the shape of them all.
func (s *server) change(name string, f func(map[string]toxicSpec)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.proxies[name]
	if p == nil {
		return errNoProxy
	}
	f(p.toxics)
	var shape rehearse.Shape
	for _, t := range p.toxics {
		if t.Type != "latency" {
			return fmt.Errorf("toxic %q: the benchmark knows latency only", t.Type)
		}
		path := &shape.Down
		if t.Stream == "upstream" {
			path = &shape.Up
		}
		path.Delay += rehearse.Duration(t.Attributes["latency"]) * rehearse.Duration(time.Millisecond)
	}
	p.link.Set(shape)
	return nil
}

// copyAll carries what ln accepts with io.Copy, until the process ends.
func copyAll(ln net.Listener, upstream string) {
	for {
		near, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer near.Close()
			far, err := net.Dial("tcp", upstream)
			if err != nil {
				return
			}
			defer far.Close()
			// Errors are ends: both sides are closed whatever came.
			go func() {
				_, _ = io.Copy(far, near)
				far.Close()
			}()
			_, _ = io.Copy(near, far)
		}()
	}
}
