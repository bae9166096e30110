package toxiproxy

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/rehearse-dev/rehearse"
)

// handler is the API's routes, behind what applies to all of them.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /proxies", s.getProxies)
	mux.HandleFunc("POST /proxies", s.postProxies)
	mux.HandleFunc("POST /populate", s.postPopulate)
	mux.HandleFunc("GET /proxies/{proxy}", s.getProxy)
	for _, method := range []string{"PATCH", "POST"} {
		mux.HandleFunc(method+" /proxies/{proxy}", s.patchProxy)
		mux.HandleFunc(method+" /proxies/{proxy}/toxics/{toxic}", s.patchToxic)
	}
	mux.HandleFunc("DELETE /proxies/{proxy}", s.deleteProxy)
	mux.HandleFunc("GET /proxies/{proxy}/stats", s.getStats)
	mux.HandleFunc("GET /proxies/{proxy}/toxics", s.getToxics)
	mux.HandleFunc("POST /proxies/{proxy}/toxics", s.postToxics)
	mux.HandleFunc("GET /proxies/{proxy}/toxics/{toxic}", s.getToxic)
	mux.HandleFunc("DELETE /proxies/{proxy}/toxics/{toxic}", s.deleteToxic)
	mux.HandleFunc("POST /reset", s.postReset)
	mux.HandleFunc("GET /version", s.getVersion)
	mux.HandleFunc("GET /metrics", s.getMetrics)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Toxiproxy-Request-Id", rand.Text())
		// A page in a browser must not be able to change proxies on the
		// visitor's own host.
		if strings.HasPrefix(r.UserAgent(), "Mozilla/") {
			http.Error(w, "User agent not allowed", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Server) getProxies(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	out := make(map[string]Proxy, len(s.proxies))
	for name, p := range s.proxies {
		out[name] = p.show()
	}
	s.mu.Unlock()
	answer(w, http.StatusOK, out)
}

func (s *Server) postProxies(w http.ResponseWriter, r *http.Request) {
	var in proxyInput
	if f := readRequest(r, &in); f != nil {
		f.write(w)
		return
	}
	shown, f := s.create(r.Context(), in)
	if f != nil {
		f.write(w)
		return
	}
	answer(w, http.StatusCreated, shown)
}

func (s *Server) postPopulate(w http.ResponseWriter, r *http.Request) {
	var body json.RawMessage
	f := readRequest(r, &body)
	var input []proxyInput
	if f == nil {
		input, f = readPopulate(body)
	}
	done := []Proxy{}
	if f == nil {
		done, f = s.populate(r.Context(), input)
	}
	status := http.StatusCreated
	if f != nil {
		status = f.Status
	}
	answer(w, status, struct {
		*failure
		Proxies []Proxy `json:"proxies"`
	}{f, done})
}

func (s *Server) getProxy(w http.ResponseWriter, r *http.Request) {
	s.onProxy(w, r, func(p *proxy) (any, *failure) { return p.show(), nil })
}

func (s *Server) patchProxy(w http.ResponseWriter, r *http.Request) {
	if !s.exists(w, r) {
		return
	}
	var in proxyInput
	if f := readRequest(r, &in); f != nil {
		f.write(w)
		return
	}
	shown, f := s.update(r.Context(), r.PathValue("proxy"), in)
	if f != nil {
		f.write(w)
		return
	}
	answer(w, http.StatusOK, shown)
}

// exists answers "not found" ahead of what may be wrong with the body.
func (s *Server) exists(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	p := s.proxies[r.PathValue("proxy")]
	s.mu.Unlock()
	if p == nil {
		errProxyNotFound.write(w)
	}
	return p != nil
}

func (s *Server) deleteProxy(w http.ResponseWriter, r *http.Request) {
	if f := s.remove(r.PathValue("proxy")); f != nil {
		f.write(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) getStats(w http.ResponseWriter, r *http.Request) {
	s.onProxy(w, r, func(p *proxy) (any, *failure) { return p.link.Stats(), nil })
}

func (s *Server) getToxics(w http.ResponseWriter, r *http.Request) {
	s.onProxy(w, r, func(p *proxy) (any, *failure) { return p.show().Toxics, nil })
}

func (s *Server) postToxics(w http.ResponseWriter, r *http.Request) {
	if !s.exists(w, r) {
		return
	}
	var in toxicInput
	f := readRequest(r, &in)
	var t *toxic
	if f == nil {
		t, f = newToxic(in)
	}
	if f != nil {
		f.write(w)
		return
	}
	s.onProxy(w, r, func(p *proxy) (any, *failure) {
		if _, at := p.toxic(t.name); at >= 0 {
			return nil, errToxicExists
		}
		if f := p.setToxics(append(slices.Clone(p.toxics), t)); f != nil {
			return nil, f
		}
		s.tell("toxic added", p, t, nil)
		return t.show(), nil
	})
}

func (s *Server) getToxic(w http.ResponseWriter, r *http.Request) {
	s.onToxic(w, r, func(_ *proxy, t *toxic, _ int) (any, *failure) { return t.show(), nil })
}

func (s *Server) patchToxic(w http.ResponseWriter, r *http.Request) {
	var in toxicInput
	wrong := readRequest(r, &in)
	s.onToxic(w, r, func(p *proxy, t *toxic, at int) (any, *failure) {
		if wrong != nil {
			return nil, wrong
		}
		next, f := t.updated(in)
		if f != nil {
			return nil, f
		}
		toxics := slices.Clone(p.toxics)
		toxics[at] = next
		if f := p.setToxics(toxics); f != nil {
			return nil, f
		}
		s.tell("toxic changed", p, next, nil)
		return next.show(), nil
	})
}

func (s *Server) deleteToxic(w http.ResponseWriter, r *http.Request) {
	s.onToxic(w, r, func(p *proxy, t *toxic, at int) (any, *failure) {
		if f := p.setToxics(slices.Delete(slices.Clone(p.toxics), at, at+1)); f != nil {
			return nil, f
		}
		s.tell("toxic removed", p, t, nil)
		return nil, nil
	})
}

// onProxy answers with what is found or done on the proxy of the path while the
// server is locked; nil is no content.
func (s *Server) onProxy(w http.ResponseWriter, r *http.Request, do func(*proxy) (any, *failure)) {
	s.mu.Lock()
	var out any
	f := errProxyNotFound
	if p := s.proxies[r.PathValue("proxy")]; p != nil {
		out, f = do(p)
	}
	s.mu.Unlock()
	switch {
	case f != nil:
		f.write(w)
	case out == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		answer(w, http.StatusOK, out)
	}
}

func (s *Server) onToxic(w http.ResponseWriter, r *http.Request, do func(p *proxy, t *toxic, at int) (any, *failure)) {
	s.onProxy(w, r, func(p *proxy) (any, *failure) {
		t, at := p.toxic(r.PathValue("toxic"))
		if t == nil {
			return nil, errToxicNotFound
		}
		return do(p, t, at)
	})
}

func (s *Server) postReset(w http.ResponseWriter, r *http.Request) {
	if f := s.reset(r.Context()); f != nil {
		f.write(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) getVersion(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	fmt.Fprintf(w, "{\"version\": %q}\n", s.options.Version)
}

// getMetrics writes Toxiproxy's two counters in Prometheus' text format. They
// are of the bytes that were handed over, as they are, not at the end of a
// connection.
func (s *Server) getMetrics(w http.ResponseWriter, _ *http.Request) {
	type row struct {
		p     Proxy
		stats rehearse.LinkStats
	}
	s.mu.Lock()
	var rows []row
	for _, p := range s.proxies {
		rows = append(rows, row{Proxy{Name: p.name, Listen: p.listen, Upstream: p.upstream}, p.link.Stats()})
	}
	s.mu.Unlock()
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.p.Name, b.p.Name) })

	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	for _, metric := range []string{"toxiproxy_proxy_received_bytes_total", "toxiproxy_proxy_sent_bytes_total"} {
		fmt.Fprintf(w, "# HELP %s Bytes that proxies carried.\n# TYPE %s counter\n", metric, metric)
		for _, r := range rows {
			writeCounter(w, metric, "downstream", r.p, r.stats.BytesDown)
			writeCounter(w, metric, "upstream", r.p, r.stats.BytesUp)
		}
	}
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func writeCounter(w io.Writer, metric, direction string, p Proxy, value int64) {
	fmt.Fprintf(w, "%s{direction=%q,listener=\"%s\",proxy=\"%s\",upstream=\"%s\"} %d\n", metric, direction,
		labelEscapes.Replace(p.Listen), labelEscapes.Replace(p.Name), labelEscapes.Replace(p.Upstream), value)
}
