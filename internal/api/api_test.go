package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/driver/memory"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

// stage is an environment whose API a test asks.
type stage struct {
	t       *testing.T
	base    string
	down    atomic.Int64
	lease   atomic.Int64 // as it was extended
	options Options
}

// newStage brings an environment up: "db" with one port, and "api" that has a link
// to it.
func newStage(t *testing.T, set ...func(*Options)) *stage {
	t.Helper()
	store := &environment.Store{Root: filepath.Join(t.TempDir(), "environments")}
	record, err := store.Create(environment.Meta{Project: "shop", Leg: "production", Driver: "memory", Purpose: environment.PurposeUp})
	if err != nil {
		t.Fatal(err)
	}
	logs := t.TempDir()
	s := &stage{t: t}
	s.options = Options{
		Token: "secret", Meta: record.Now, Log: func(n rehearse.ServiceName) string { return filepath.Join(logs, string(n)) },
		Extend: func(d time.Duration) (time.Time, error) {
			s.lease.Store(int64(d))
			return time.Now().Add(d), nil
		},
		Down: func() { s.down.Add(1) },
	}
	for _, f := range set {
		f(&s.options)
	}
	d := resetting{memory.New(map[string]memory.Program{
		"serve": serve,
		"say": func(_ context.Context, h *memory.Host, args []string) int {
			_, _ = io.Copy(h.Stdout(), h.Stdin())
			_, _ = io.WriteString(h.Stderr(), h.Getenv("WORD")+strings.Join(args, " "))
			return 3
		},
	})}
	ready := rehearse.Readiness{Probes: []rehearse.Probe{{Port: 80}}, Timeout: rehearse.Duration(time.Minute)}
	plan := &rehearse.Plan{
		Project: "shop", Services: []rehearse.Service{{Name: "db", Image: "serve", Ready: ready}, {Name: "api", Image: "serve", Ready: ready}},
		Links: []rehearse.LinkSpec{
			{ID: "api:db", Client: "api", Upstream: "db", Names: []string{"db"}, Ports: []int{80}, Shape: rehearse.Symmetric(time.Millisecond, 0, rehearse.Mbit)},
			{ID: "ingress/eu:api", Client: "ingress/eu", Upstream: "api", Names: []string{"api"}, Ports: []int{80}},
			{ID: "ingress:api", Client: "ingress", Upstream: "api", Names: []string{"api"}, Ports: []int{80}},
		},
	}
	env, err := environment.Up(t.Context(), environment.Options{
		ID: record.ID, Plan: plan, Driver: d, Dir: record.Place(), Journal: record,
		OpenLog: func(n rehearse.ServiceName) (io.WriteCloser, error) { return os.Create(s.options.Log(n)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	links := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "toxiproxy") })
	server := httptest.NewServer(s.options.Handler(env, links))
	s.base = server.URL
	t.Cleanup(func() {
		server.Close()
		if err := errors.Join(env.Down(context.Background()), record.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// serve is a service that listens.
func serve(ctx context.Context, h *memory.Host, _ []string) int {
	l, err := h.Listen(80)
	if err != nil {
		return 1
	}
	_, _ = io.WriteString(h.Stdout(), "first\nsecond\n")
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			return 0
		}
		c.Close()
	}
}

// resetting is a driver whose services have no data to lose.
type resetting struct{ driver.Driver }

type resettingEnvironment struct{ driver.Environment }

func (d resetting) Open(ctx context.Context, spec driver.Spec) (driver.Environment, error) {
	e, err := d.Driver.Open(ctx, spec)
	return resettingEnvironment{e}, err
}

func (resettingEnvironment) Reset(context.Context, rehearse.ServiceName) error { return nil }

// ask asks the API; set changes the request before it is sent.
func (s *stage) ask(method, path, body string, set ...func(*http.Request)) (status int, answer []byte) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer secret")
	for _, f := range set {
		f(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// TestRoutes asks everything there is, and holds every answer to the description.
func TestRoutes(t *testing.T) {
	d, s := readDocument(t), newStage(t)
	asked := map[string]bool{}
	for _, test := range []struct {
		method, path, body string
		status             int
		has                string // in the answer
	}{
		{"GET", "/v1/environment", "", 200, `"project":"shop"`},
		{"POST", "/v1/lease", `{"for": "10m"}`, 200, `"expires"`},
		{"POST", "/v1/lease", `{"for": "-1s"}`, 400, `at most 720h`},
		{"GET", "/v1/services", "", 200, `"service":"db"`},
		{"GET", "/v1/services/api", "", 200, `"addresses":[{"port":80,"address":"`},
		{"GET", "/v1/services/apu", "", 404, `"hint":"Did you mean api?"`},
		{"GET", "/v1/services/db/logs", "", 200, `"stream":"out","text":"first"}`},
		{"GET", "/v1/services/db/logs?tail=1", "", 200, `"text":"second"}],"cut":true`},
		{"GET", "/v1/services/db/logs?tail=no", "", 400, `tail is`},
		{"POST", "/v1/services/db/exec", `{"args": ["say", "a", "b"], "env": {"WORD": "so: "}, "stdin": "in"}`, 200, `{"code":3,"stdout":"in","stderr":"so: a b","cut":false}`},
		{"POST", "/v1/services/db/exec", `{"args": []}`, 400, `there is no command`},
		{"POST", "/v1/services/db/exec", `{"command": "say"}`, 400, `unknown field`},
		{"POST", "/v1/services/db/exec", `{"args": ["say"]}{}`, 400, `something follows`},
		{"POST", "/v1/services/db/reset", "", 200, `"state":"ready"`},
		{"GET", "/v1/links", "", 200, `"id":"api:db"`},
		{"PUT", "/v1/links/api:db", `{"faults": [{"kind": "delay", "delay": "1ms"}], "shape": {"up": {"delay": "3ms", "rate": "2Mbit"}}}`, 200, `"faults":[{"kind":"delay","delay":"1ms"}]`},
		{"GET", "/v1/links/api:db", "", 200, `"shape":{"up":{"delay":"3ms","rate":"2Mbit/s"}}`},
		{"GET", "/v1/links/api:db/stats", "", 200, `"doses":[{"fault":{"kind":"delay","delay":"1ms"},"active":true`},
		{"PUT", "/v1/links/api:db", `{"faults": [{"kind": "odd"}], "shape": {}}`, 400, `odd`},
		{"PUT", "/v1/links/api:db", `{"shape": {"up": {"delay": "-3ms"}}, "faults": []}`, 400, `delay`},
		{"PUT", "/v1/links/api:db", `{}`, 400, `nothing to set`},
		{"GET", "/v1/links/api:db", "", 200, `"shape":{"up":{"delay":"3ms","rate":"2Mbit/s"}},"faults":[{"kind":"delay","delay":"1ms"}]`}, // none of what failed
		{"PUT", "/v1/links/api:db", `{"faults": []}`, 200, `"shape":{"up":{"delay":"3ms","rate":"2Mbit/s"}},"faults":[]`},
		{"DELETE", "/v1/links/api:db", "", 200, `"shape":{"up":{"delay":"500µs","rate":"1Mbit/s"}`},
		{"GET", "/v1/links/ingress%2Feu:api", "", 200, `"id":"ingress/eu:api"`},
		{"GET", "/v1/links/api:bd/stats", "", 404, `"hint":"Did you mean api:db?"`},
		{"DELETE", "/v1/environment", "", 202, `"id":"shop-`},
	} {
		status, answer := s.ask(test.method, test.path, test.body)
		if status != test.status || !strings.Contains(string(answer), test.has) {
			t.Errorf("%s %s %s: %d %s, want %d with %s", test.method, test.path, test.body, status, answer, test.status, test.has)
		}
		path, _, _ := strings.Cut(test.path, "?")
		d.requireDescribed(t, test.method, path, status, answer)
		if status < 300 {
			asked[test.method+" "+strings.NewReplacer("api:db", "{id}", "ingress%2Feu:api", "{id}", "/db", "/{name}", "/services/api", "/services/{name}").Replace(path)] = true
		}
	}
	for _, r := range routes {
		if !asked[r.method+" "+r.path] {
			t.Errorf("nothing asks %s %s", r.method, r.path)
		}
	}
	if got := s.down.Load(); got != 1 {
		t.Errorf("it was taken down %d times, want once", got)
	}
	if got := time.Duration(s.lease.Load()); got != 10*time.Minute {
		t.Errorf("the lease was extended by %v, want 10m", got)
	}
	if status, answer := s.ask("GET", "/v1/openapi.yaml", ""); status != http.StatusOK || string(answer) != string(OpenAPI) {
		t.Errorf("the description: %d, and %d bytes of %d", status, len(answer), len(OpenAPI))
	}
	if _, answer := s.ask("GET", "/proxies", ""); string(answer) != "toxiproxy" {
		t.Errorf("outside of /v1 answers %q, want the links' API", answer)
	}
}

// TestRefused is who may not ask, and that nothing is done for them.
func TestRefused(t *testing.T) {
	s := newStage(t)
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for _, test := range []struct {
		name   string
		path   string
		set    func(*http.Request)
		status int
	}{
		{"no token", "/v1/environment", header("Authorization", ""), 401},
		{"another token", "/v1/environment", header("Authorization", "Bearer secre"), 401},
		{"another scheme", "/v1/environment", header("Authorization", "Basic secret"), 401},
		{"a name that leads here", "/v1/environment", host("evil.example:80"), 403},
		{"a name that looks like it", "/v1/environment", host("localhost.evil.example"), 403},
		{"no host", "/v1/environment", host("[]"), 403},
		{"a page", "/v1/environment", header("Origin", "https://evil.example"), 403},
		{"a page without an origin", "/v1/environment", header("Origin", "null"), 403},
		{"another path", "/v1/nothing", func(*http.Request) {}, 404},
		{"no such path, no token", "/v1/nothing", header("Authorization", ""), 401},
		{"up and down again", "/x/../v1/environment", header("Authorization", ""), 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, answer := s.ask("DELETE", test.path, "", test.set)
			if status != test.status || !strings.Contains(string(answer), `"kind":"invalid"`) {
				t.Errorf("got %d %s, want %d", status, answer, test.status)
			}
		})
	}
	if got := s.down.Load(); got != 0 {
		t.Errorf("it was taken down %d times by those who may not", got)
	}
	for _, set := range []func(*http.Request){host("localhost"), host("[::1]:80"), header("Origin", "http://localhost:3000")} {
		if status, answer := s.ask("GET", "/v1/environment", "", set); status != http.StatusOK {
			t.Errorf("who may ask: %d %s", status, answer)
		}
	}
	if status, _ := s.ask("GET", "/v1/openapi.yaml", "", header("Authorization", "")); status != http.StatusOK {
		t.Errorf("the description without a token: %d, want 200", status)
	}
}

// TestHeld is an environment that a rehearsal holds: it has no lease, and nobody
// else takes it down.
func TestHeld(t *testing.T) {
	s := newStage(t, func(o *Options) { o.Extend, o.Down = nil, nil })
	d := readDocument(t)
	for path, method := range map[string]string{"/v1/environment": "DELETE", "/v1/lease": "POST"} {
		status, answer := s.ask(method, path, `{"for": "1m"}`)
		if status != http.StatusConflict {
			t.Errorf("%s %s: %d %s, want 409", method, path, status, answer)
		}
		d.requireDescribed(t, method, path, status, answer)
	}
}

// TestClient is how errors come to who asks in Go.
func TestClient(t *testing.T) {
	s := newStage(t)
	c := Client{Base: s.base, Token: s.options.Token}
	_, err := c.Stats(t.Context(), "api:bd")
	if hints := rehearse.Hints(err); rehearse.KindOf(err) != rehearse.Invalid || len(hints) != 1 || hints[0] != "Did you mean api:db?" {
		t.Errorf("an unknown link: %v with hints %q", err, hints)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Links(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	gone := Client{Base: "http://127.0.0.1:1"}
	if _, err := gone.Links(t.Context()); rehearse.KindOf(err) != rehearse.Unavailable {
		t.Errorf("an environment that has gone: %v of kind %v, want Unavailable", err, rehearse.KindOf(err))
	}
}
