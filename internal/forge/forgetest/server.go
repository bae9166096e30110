// Package forgetest is a server for tests that behaves as GitHub documents its REST
// API: pages with Link headers, rate limits and their headers, secondary limits,
// tokens without a permission, and a network that loses answers.
//
// It takes only what the documentation allows: another path, field or length is
// refused as GitHub refuses it, and noted in Wrong.
package forgetest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Token is the one that the server knows.
const Token = "ghs_forgetest0123456789"

// Comment is one of a pull request.
type Comment struct {
	ID     int64
	Number int
	Author string
	Body   string
}

// CheckRun is one of a commit.
type CheckRun struct {
	ID          int64
	Name        string
	Commit      string
	External    string
	Conclusion  string
	Title       string
	Annotations []Annotation
}

// Annotation is one of a check run.
type Annotation struct {
	Path    string `json:"path"`
	Start   int    `json:"start_line"`
	End     int    `json:"end_line"`
	Level   string `json:"annotation_level"`
	Title   string `json:"title"`
	Message string `json:"message"`
}

// Pull is a pull request.
type Pull struct{ Head, HeadRepo, State string }

// Server is a GitHub with one repository, acme/shop. Its fields are the test's while
// no request is under way; a test whose requests are another process's holds it.
type Server struct {
	URL      string
	Login    string // of the token's user; empty: it is an app's, and speaks as github-actions[bot]
	Pulls    map[int]*Pull
	Comments []Comment
	Checks   []CheckRun
	// Denied are the permissions that the token lacks: "comment", "check".
	Denied map[string]bool
	// Troubles happen to the next requests, one each.
	Troubles []Trouble
	// Wrong is what GitHub would not have taken.
	Wrong    []string
	Requests []string // "METHOD PATH"

	mu   sync.Mutex
	last int64
}

// Trouble is what happens to a request in the place of its answer, or after its work
// is done.
type Trouble struct {
	Done   bool // the request does its work; only the answer is lost
	Status int  // 0: the connection breaks
	Header map[string]string
	Body   string
}

// The troubles that GitHub documents.
var (
	BadGateway = Trouble{Status: http.StatusBadGateway, Body: "<html>"}
	Broken     = Trouble{}
	LostAnswer = Trouble{Done: true}
	// SecondaryLimit says how long to wait.
	SecondaryLimit = Trouble{
		Status: http.StatusForbidden, Header: map[string]string{"Retry-After": "17"},
		Body: `{"message":"You have exceeded a secondary rate limit.","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`,
	}
	// SecondarySilent does not.
	SecondarySilent = Trouble{
		Status: http.StatusTooManyRequests,
		Body:   `{"message":"You have exceeded a secondary rate limit.","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`,
	}
)

// PrimaryLimit is the end of the hour's requests, until a time.
func PrimaryLimit(reset time.Time) Trouble {
	return Trouble{
		Status: http.StatusForbidden, Body: `{"message":"API rate limit exceeded for installation."}`,
		Header: map[string]string{"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(reset.Unix(), 10)},
	}
}

// New starts a server, which ends with the test.
func New(t testing.TB) *Server {
	s := &Server{Pulls: map[int]*Pull{}, Denied: map[string]bool{}}
	mux := http.NewServeMux()
	const repo = "/repos/acme/shop"
	mux.HandleFunc("GET /user", s.user)
	mux.HandleFunc("GET "+repo+"/pulls/{number}", s.pull)
	mux.HandleFunc("GET "+repo+"/issues/{number}/comments", s.comments)
	mux.HandleFunc("POST "+repo+"/issues/{number}/comments", s.comment)
	mux.HandleFunc("PATCH "+repo+"/issues/comments/{id}", s.edit)
	mux.HandleFunc("DELETE "+repo+"/issues/comments/{id}", s.remove)
	mux.HandleFunc("POST "+repo+"/check-runs", s.check)
	mux.HandleFunc("PATCH "+repo+"/check-runs/{id}", s.addToCheck)
	mux.HandleFunc("GET "+repo+"/commits/{ref}/check-runs", s.checks)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.wrong(w, http.StatusNotFound, "there is no %s %s", r.Method, r.URL.Path)
	})
	server := httptest.NewServer(s.guard(mux))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Hold keeps requests waiting until they are let go.
func (s *Server) Hold() (letGo func()) {
	s.mu.Lock()
	return s.mu.Unlock
}

// guard counts requests, brings trouble, and asks for the token.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.Requests = append(s.Requests, r.Method+" "+r.URL.Path)
		if len(s.Troubles) > 0 {
			trouble := s.Troubles[0]
			s.Troubles = s.Troubles[1:]
			if trouble.Done {
				next.ServeHTTP(httptest.NewRecorder(), r)
			}
			if trouble.Status == 0 {
				panic(http.ErrAbortHandler)
			}
			for name, value := range trouble.Header {
				w.Header().Set(name, value)
			}
			w.WriteHeader(trouble.Status)
			fmt.Fprint(w, trouble.Body)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("X-RateLimit-Limit", "1000")
		w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(1000-len(s.Requests)))
		if r.Header.Get("Authorization") != "Bearer "+Token {
			refuse(w, http.StatusUnauthorized, "Bad credentials")
			return
		}
		if !strings.HasPrefix(r.Header.Get("Accept"), "application/vnd.github") {
			s.Wrong = append(s.Wrong, "a request does not accept GitHub's media type: "+r.Header.Get("Accept"))
		}
		next.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	answer(w, map[string]string{"message": message, "documentation_url": "https://docs.github.com/rest"})
}

func (s *Server) wrong(w http.ResponseWriter, status int, format string, args ...any) {
	s.Wrong = append(s.Wrong, fmt.Sprintf(format, args...))
	refuse(w, status, "Validation Failed")
}

func answer(w http.ResponseWriter, v any) {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

// read reads a body that has only documented fields.
func (s *Server) read(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		s.wrong(w, http.StatusBadRequest, "%s %s: %v", r.Method, r.URL.Path, err)
		return false
	}
	return true
}

func (s *Server) denied(w http.ResponseWriter, what string) bool {
	if s.Denied[what] {
		refuse(w, http.StatusForbidden, "Resource not accessible by integration")
	}
	return s.Denied[what]
}

func (s *Server) login() string { return cmp.Or(s.Login, "github-actions[bot]") }

func (s *Server) user(w http.ResponseWriter, _ *http.Request) {
	if s.Login == "" {
		refuse(w, http.StatusForbidden, "Resource not accessible by integration")
		return
	}
	answer(w, map[string]string{"login": s.Login})
}

func (s *Server) pull(w http.ResponseWriter, r *http.Request) {
	number, _ := strconv.Atoi(r.PathValue("number"))
	p := s.Pulls[number]
	if p == nil {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	answer(w, map[string]any{
		"number": number, "state": cmp.Or(p.State, "open"),
		"head": map[string]any{"sha": p.Head, "repo": map[string]string{"full_name": cmp.Or(p.HeadRepo, "acme/shop")}},
		"base": map[string]any{"repo": map[string]string{"full_name": "acme/shop"}},
	})
}

func (s *Server) shown(c Comment) map[string]any {
	return map[string]any{"id": c.ID, "body": c.Body, "user": map[string]string{"login": c.Author}, "html_url": fmt.Sprintf("https://github.com/acme/shop/pull/%d#issuecomment-%d", c.Number, c.ID)}
}

func (s *Server) comments(w http.ResponseWriter, r *http.Request) {
	number, _ := strconv.Atoi(r.PathValue("number"))
	out := []map[string]any{}
	for _, c := range s.Comments {
		if c.Number == number {
			out = append(out, s.shown(c))
		}
	}
	answer(w, paged(s, w, r, out))
}

// paged is a page of a list, with the header that leads to the next.
func paged[T any](s *Server, w http.ResponseWriter, r *http.Request, all []T) []T {
	size, page := 30, 1
	if text := r.FormValue("per_page"); text != "" {
		size, _ = strconv.Atoi(text)
	}
	if size < 1 || size > 100 {
		s.Wrong = append(s.Wrong, fmt.Sprintf("a page of %d", size))
		size = 30
	}
	if text := r.FormValue("page"); text != "" {
		page, _ = strconv.Atoi(text)
	}
	from, to := min((page-1)*size, len(all)), min(page*size, len(all))
	if to < len(all) {
		link := func(n int, rel string) string {
			return fmt.Sprintf(`<%s%s?per_page=%d&page=%d>; rel=%q`, s.URL, r.URL.Path, size, n, rel)
		}
		w.Header().Set("Link", link(page+1, "next")+", "+link((len(all)+size-1)/size, "last"))
	}
	return all[from:to]
}

// maxBody is how many characters a comment may have.
const maxBody = 65536

func (s *Server) body(w http.ResponseWriter, r *http.Request) (string, bool) {
	var in struct {
		Body string `json:"body"`
	}
	if !s.read(w, r, &in) {
		return "", false
	}
	if n := len([]rune(in.Body)); n == 0 || n > maxBody {
		s.wrong(w, http.StatusUnprocessableEntity, "a comment of %d characters", n)
		return "", false
	}
	return in.Body, true
}

func (s *Server) comment(w http.ResponseWriter, r *http.Request) {
	number, _ := strconv.Atoi(r.PathValue("number"))
	if s.denied(w, "comment") {
		return
	}
	if body, ok := s.body(w, r); ok {
		s.last++
		c := Comment{ID: s.last + 1000, Number: number, Author: s.login(), Body: body}
		s.Comments = append(s.Comments, c)
		w.WriteHeader(http.StatusCreated)
		answer(w, s.shown(c))
	}
}

// ours finds the comment that a path names, if the token may change it.
func (s *Server) ours(w http.ResponseWriter, r *http.Request) int {
	at := slices.IndexFunc(s.Comments, func(c Comment) bool { return strconv.FormatInt(c.ID, 10) == r.PathValue("id") })
	switch {
	case s.denied(w, "comment"):
		return -1
	case at < 0:
		refuse(w, http.StatusNotFound, "Not Found")
	case s.Comments[at].Author != s.login():
		s.Wrong = append(s.Wrong, "a comment of somebody else's was touched")
	}
	return at
}

func (s *Server) edit(w http.ResponseWriter, r *http.Request) {
	if at := s.ours(w, r); at >= 0 {
		if body, ok := s.body(w, r); ok {
			s.Comments[at].Body = body
			answer(w, s.shown(s.Comments[at]))
		}
	}
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	if at := s.ours(w, r); at >= 0 {
		s.Comments = slices.Delete(s.Comments, at, at+1)
		w.WriteHeader(http.StatusNoContent)
	}
}

// checkBody are the documented fields of a check run that we send.
type checkBody struct {
	Name       string `json:"name"`
	HeadSHA    string `json:"head_sha"`
	DetailsURL string `json:"details_url"`
	ExternalID string `json:"external_id"`
	Status     string `json:"status"`
	Conclusion string `json:"conclusion"`
	Output     *struct {
		Title       string       `json:"title"`
		Summary     string       `json:"summary"`
		Annotations []Annotation `json:"annotations"`
	} `json:"output"`
}

// fits reports whether GitHub takes a check run.
func (s *Server) fits(w http.ResponseWriter, in *checkBody) bool {
	if out := in.Output; out != nil {
		if out.Title == "" || out.Summary == "" || len([]rune(out.Summary)) > 65535 || len(out.Annotations) > 50 {
			s.wrong(w, http.StatusUnprocessableEntity, "an output with the title %q, %d bytes and %d annotations", out.Title, len(out.Summary), len(out.Annotations))
			return false
		}
		for _, a := range out.Annotations {
			levels := []string{"notice", "warning", "failure"}
			if a.Path == "" || strings.HasPrefix(a.Path, "/") || a.Start < 1 || a.End < a.Start || !slices.Contains(levels, a.Level) || a.Message == "" || len([]rune(a.Title)) > 255 || len(a.Message) > 64<<10 {
				s.wrong(w, http.StatusUnprocessableEntity, "the annotation %+v", a)
				return false
			}
		}
	}
	return true
}

func (s *Server) check(w http.ResponseWriter, r *http.Request) {
	var in checkBody
	if s.denied(w, "check") || !s.read(w, r, &in) || !s.fits(w, &in) {
		return
	}
	if in.Name == "" || in.HeadSHA == "" || in.Status == "completed" && !slices.Contains([]string{"success", "failure", "neutral", "cancelled"}, in.Conclusion) {
		s.wrong(w, http.StatusUnprocessableEntity, "the check run %+v", in)
		return
	}
	s.last++
	c := CheckRun{ID: s.last + 1000, Name: in.Name, Commit: in.HeadSHA, External: in.ExternalID, Conclusion: in.Conclusion}
	if in.Output != nil {
		c.Title, c.Annotations = in.Output.Title, in.Output.Annotations
	}
	s.Checks = append(s.Checks, c)
	w.WriteHeader(http.StatusCreated)
	answer(w, map[string]any{"id": c.ID, "name": c.Name, "external_id": c.External})
}

func (s *Server) addToCheck(w http.ResponseWriter, r *http.Request) {
	var in checkBody
	at := slices.IndexFunc(s.Checks, func(c CheckRun) bool { return strconv.FormatInt(c.ID, 10) == r.PathValue("id") })
	switch {
	case s.denied(w, "check") || !s.read(w, r, &in) || !s.fits(w, &in):
	case at < 0:
		refuse(w, http.StatusNotFound, "Not Found")
	default:
		if in.Output != nil {
			s.Checks[at].Annotations = append(s.Checks[at].Annotations, in.Output.Annotations...)
		}
		answer(w, map[string]any{"id": s.Checks[at].ID})
	}
}

func (s *Server) checks(w http.ResponseWriter, r *http.Request) {
	runs := []map[string]any{}
	for _, c := range s.Checks {
		if c.Commit == r.PathValue("ref") && (r.FormValue("check_name") == "" || r.FormValue("check_name") == c.Name) {
			runs = append(runs, map[string]any{"id": c.ID, "name": c.Name, "external_id": c.External})
		}
	}
	answer(w, map[string]any{"total_count": len(runs), "check_runs": paged(s, w, r, runs)})
}
