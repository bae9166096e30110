// Package api is an environment's own HTTP API, and its client.
//
// [Options.Handler] answers it below /v1, on the listener on which the links
// answer Toxiproxy's clients. What it answers is described by [OpenAPI], which GET
// /v1/openapi.yaml gives.
//
// To run a command in a service is to run code on this host, and every user of a
// host reaches its loopback. So every request but that for the description carries
// the environment's token, and one that a browser was led to by a page from
// elsewhere is refused by its Origin, or by the Host that it believes to speak to.
// Toxiproxy's API beside it has neither token nor such checks: its clients know
// nothing of them, and it does no more than to shape and break links.
//
// An error is an object with what is wrong, the next step, and the kind of error.
package api

import (
	"crypto/subtle"
	_ "embed" // the description
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/environment"
)

// OpenAPI describes the API, as OpenAPI 3.1.
//
//go:embed openapi.yaml
var OpenAPI []byte

// Options are what the API answers with. Every function may be called from several
// goroutines.
type Options struct {
	Token string
	Meta  func() environment.Meta           // what the environment is now
	Log   func(rehearse.ServiceName) string // the file of a service's log; empty, or of a file that is not there: nothing was written
	// Extend has the lease last for at least so long from now, and returns its end.
	// Nil: there is no lease.
	Extend func(time.Duration) (time.Time, error)
	// Clean takes secrets out of an answer, in JSON. What a command has said is not
	// given to it. Nil: nobody knows of any.
	Clean func([]byte) []byte
	// Down takes the environment down and returns at once. Nil: only who brought it
	// up can.
	Down func()
}

// Handler answers the API of an environment, which need not be up yet, and gives
// everything else to the links' API.
func (o Options) Handler(e *environment.Environment, links http.Handler) http.Handler {
	s := &server{o: o, env: e}
	mux := http.NewServeMux()
	mux.Handle("/", links)
	guarded := func(pattern string, h http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := o.admit(r); err != nil {
				s.answerError(w, err)
				return
			}
			h(w, r)
		})
	}
	for _, route := range routes {
		guarded(route.method+" "+route.path, func(w http.ResponseWriter, r *http.Request) {
			body, err := route.answer(s, r)
			if err != nil {
				s.answerError(w, err)
				return
			}
			s.answer(w, route.status, body)
		})
	}
	guarded("GET "+descriptionPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(OpenAPI) // who has hung up wants no answer
	})
	guarded("/v1/", func(w http.ResponseWriter, r *http.Request) {
		s.answerError(w, &failure{status: http.StatusNotFound, err: &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("the API has no %s %s", r.Method, r.URL.Path), Hint: "GET " + descriptionPath + " describes what it has.",
		}})
	})
	return mux
}

// descriptionPath is where the description is, for which nobody needs a token.
const descriptionPath = "/v1/openapi.yaml"

// server answers the API of one environment.
type server struct {
	o   Options
	env *environment.Environment
}

// route is one thing that the API does. It has read and checked everything before
// it changes anything.
type route struct {
	method, path string
	status       int // of a success
	answer       func(*server, *http.Request) (any, error)
}

var routes = []route{
	{"GET", "/v1/environment", http.StatusOK, (*server).getEnvironment},
	{"DELETE", "/v1/environment", http.StatusAccepted, (*server).deleteEnvironment},
	{"POST", "/v1/lease", http.StatusOK, (*server).postLease},
	{"GET", "/v1/services", http.StatusOK, (*server).getServices},
	{"GET", "/v1/services/{name}", http.StatusOK, (*server).getService},
	{"GET", "/v1/services/{name}/logs", http.StatusOK, (*server).getLogs},
	{"POST", "/v1/services/{name}/exec", http.StatusOK, (*server).postExec},
	{"POST", "/v1/services/{name}/reset", http.StatusOK, (*server).postReset},
	{"GET", "/v1/links", http.StatusOK, (*server).getLinks},
	{"GET", "/v1/links/{id}", http.StatusOK, (*server).getLink},
	{"PUT", "/v1/links/{id}", http.StatusOK, (*server).putLink},
	{"DELETE", "/v1/links/{id}", http.StatusOK, (*server).deleteLink},
	{"GET", "/v1/links/{id}/stats", http.StatusOK, (*server).getStats},
}

// failure is an error whose status is not that of its kind.
type failure struct {
	status int
	err    error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// admit refuses whoever may not ask.
func (o Options) admit(r *http.Request) error {
	if !loopback(r.Host) {
		return &failure{http.StatusForbidden, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("the API is not reached as %q", r.Host), Hint: "Ask it by the address that the environment tells, or as localhost.",
		}}
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || !loopback(u.Host) {
			return &failure{http.StatusForbidden, &rehearse.Error{
				Kind: rehearse.Invalid, Msg: fmt.Sprintf("pages from %q may not ask the API", origin), Hint: "Ask it from this host.",
			}}
		}
	}
	if r.URL.Path == descriptionPath {
		return nil
	}
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || subtle.ConstantTimeCompare([]byte(given), []byte(o.Token)) != 1 {
		return &failure{http.StatusUnauthorized, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: "the request does not carry the environment's token",
			Hint: `Send "Authorization: Bearer TOKEN". Suites find the token in REHEARSE_API_TOKEN, and rehearse up --json prints it.`,
		}}
	}
	return nil
}

// loopback reports whether a host, with or without a port, is this one.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// maxBody is how long a request may be, in bytes.
const maxBody = 8 << 20

// read reads a request's body strictly.
func read(r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the object")
		}
	}
	if err != nil {
		return &rehearse.Error{Kind: rehearse.Invalid, Msg: "the body is not what is asked for", Err: err, Hint: "GET " + descriptionPath + " describes it."}
	}
	return nil
}

func (s *server) answer(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		panic("api: internal error: " + err.Error()) // no answer holds what JSON has no words for
	}
	if _, said := body.(Executed); !said && s.o.Clean != nil {
		data = s.o.Clean(data)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // who has hung up wants no answer
}

// Problem is an error, as the API tells it.
type Problem struct {
	Error string `json:"error"`
	Hint  string `json:"hint"`
	Kind  string `json:"kind"`
}

// kinds are what the API calls the kinds of error, and the statuses that go with
// them.
var kinds = map[rehearse.Kind]struct {
	name   string
	status int
}{
	rehearse.Internal:    {"internal", http.StatusInternalServerError},
	rehearse.Invalid:     {"invalid", http.StatusBadRequest},
	rehearse.Unavailable: {"unavailable", http.StatusNotImplemented},
	rehearse.NotReady:    {"not-ready", http.StatusConflict},
	rehearse.Interrupted: {"interrupted", http.StatusServiceUnavailable},
}

func (s *server) answerError(w http.ResponseWriter, err error) {
	kind := kinds[rehearse.KindOf(err)]
	var f *failure
	if errors.As(err, &f) {
		kind.status = f.status
	}
	s.answer(w, kind.status, Problem{Error: err.Error(), Hint: strings.Join(rehearse.Hints(err), "\n"), Kind: kind.name})
}

// missing is a name that stands for nothing here.
func missing(what, name string, known []string) error {
	hint := "There are: " + strings.Join(known, ", ") + "."
	if near, ok := rehearse.Nearest(name, known); ok {
		hint = "Did you mean " + near + "?"
	}
	return &failure{http.StatusNotFound, &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("the environment has no %s %q", what, name), Hint: hint}}
}
