package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// memoryStore knows one template, "invoice", and the customers 1 to 9.
type memoryStore struct {
	docs  []Document
	block bool // wait until the request runs out of time
}

func (m *memoryStore) wait(ctx context.Context) error {
	if m.block {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (m *memoryStore) Create(ctx context.Context, template string, customer int) (Document, error) {
	if err := m.wait(ctx); err != nil {
		return Document{}, err
	}
	if template != "invoice" || customer > 9 {
		return Document{}, errUnknown
	}
	d := Document{ID: int64(len(m.docs) + 1), Template: template, Customer: customer, Body: "Invoice"}
	m.docs = append(m.docs, d)
	return d, nil
}

func (m *memoryStore) Get(ctx context.Context, id int64) (Document, error) {
	if err := m.wait(ctx); err != nil {
		return Document{}, err
	}
	if id < 1 || id > int64(len(m.docs)) {
		return Document{}, errNotFound
	}
	return m.docs[id-1], nil
}

func (m *memoryStore) List(ctx context.Context, customer int) (Listing, error) {
	l := Listing{Documents: []Document{}}
	for _, d := range m.docs {
		if d.Customer == customer {
			l.Total++
			l.Documents = append(l.Documents, d)
		}
	}
	return l, m.wait(ctx)
}

type healthFunc func() error

func (f healthFunc) Check(context.Context) error { return f() }

func call(t *testing.T, h http.Handler, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
	return w
}

func TestAPI(t *testing.T) {
	h := (&api{store: &memoryStore{}, health: healthFunc(func() error { return nil }), budget: time.Minute}).routes()
	for _, tt := range []struct {
		name, method, target, body string
		status                     int
		want                       string // in the body
	}{
		{"create", "POST", "/documents", `{"template":"invoice","customer":7}`, 201, `"id":1`},
		{"not JSON", "POST", "/documents", `template=invoice`, 400, "not a document request"},
		{"unknown field", "POST", "/documents", `{"template":"invoice","client":7}`, 400, "client"},
		{"no template", "POST", "/documents", `{"customer":7}`, 400, "template is missing"},
		{"no customer", "POST", "/documents", `{"template":"invoice"}`, 400, "customer must be"},
		{"customer out of range", "POST", "/documents", `{"template":"invoice","customer":4294967296}`, 400, "customer must be"},
		{"unknown customer", "POST", "/documents", `{"template":"invoice","customer":10}`, 422, "no such template or customer"},
		{"read", "GET", "/documents/1", "", 200, `"body":"Invoice"`},
		{"read nothing", "GET", "/documents/2", "", 404, "no such document"},
		{"read nonsense", "GET", "/documents/one", "", 404, "no such document"},
		{"list", "GET", "/documents?customer=7", "", 200, `"total":1`},
		{"list nothing", "GET", "/documents?customer=8", "", 200, `"documents":[]`},
		{"list of nobody", "GET", "/documents", "", 400, "whose documents"},
		{"health", "GET", "/healthz", "", 200, `"ok"`},
		{"page", "GET", "/", "", 200, "<form"},
		{"nowhere", "GET", "/index.php", "", 404, ""},
	} {
		w := call(t, h, tt.method, tt.target, tt.body)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: got %d %s, want %d with %q", tt.name, w.Code, w.Body, tt.status, tt.want)
		}
	}
}

func TestOutOfTime(t *testing.T) {
	h := (&api{store: &memoryStore{block: true}, budget: time.Millisecond}).routes()
	for _, w := range []*httptest.ResponseRecorder{
		call(t, h, "POST", "/documents", `{"template":"invoice","customer":7}`),
		call(t, h, "GET", "/documents/1", ""),
		call(t, h, "GET", "/documents?customer=7", ""),
	} {
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("got %d %v, want 503 with Retry-After", w.Code, w.Header())
		}
	}
}

func TestUnhealthy(t *testing.T) {
	h := (&api{health: healthFunc(func() error { return errors.New("no database") })}).routes()
	w := call(t, h, "GET", "/healthz", "")
	var got map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusServiceUnavailable || got["error"] != "no database" {
		t.Errorf("got %d %v, want 503 with the cause", w.Code, got)
	}
}

func TestRender(t *testing.T) {
	got := render("Dear {customer} of {city}, {customer}!", "Ada", "Ghent")
	if want := "Dear Ada of Ghent, Ada!"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPoolSize(t *testing.T) {
	for in, want := range map[string]int32{"": 8, "32": 32} {
		if got, err := poolSize(in); err != nil || got != want {
			t.Errorf("poolSize(%q): got %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"0", "-1", "many", "99999999999"} {
		if got, err := poolSize(in); err == nil {
			t.Errorf("poolSize(%q): got %d, want an error", in, got)
		}
	}
}
