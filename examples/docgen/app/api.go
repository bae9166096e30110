package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

//go:embed page.html
var page []byte

// api is the HTTP side of docgen.
type api struct {
	store  Store
	health interface{ Check(context.Context) error }
	budget time.Duration // of one request
}

func (a *api) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /documents", a.create)
	mux.HandleFunc("GET /documents/{id}", a.get)
	mux.HandleFunc("GET /documents", a.list)
	mux.HandleFunc("GET /healthz", a.healthz)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page)
	})
	return mux
}

func (a *api) create(w http.ResponseWriter, r *http.Request) {
	in, err := readCreate(w, r)
	if err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.budget)
	defer cancel()
	d, err := a.store.Create(ctx, in.Template, in.Customer)
	if err != nil {
		fail(ctx, w, r, err)
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/documents/%d", d.ID))
	answer(w, http.StatusCreated, d)
}

func (a *api) get(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		answerError(w, http.StatusNotFound, errNotFound)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.budget)
	defer cancel()
	d, err := a.store.Get(ctx, id)
	if err != nil {
		fail(ctx, w, r, err)
		return
	}
	answer(w, http.StatusOK, d)
}

func (a *api) list(w http.ResponseWriter, r *http.Request) {
	customer, err := strconv.ParseInt(r.URL.Query().Get("customer"), 10, 32)
	if err != nil {
		answerError(w, http.StatusBadRequest, errors.New("say whose documents: /documents?customer=NUMBER"))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.budget)
	defer cancel()
	l, err := a.store.List(ctx, int(customer))
	if err != nil {
		fail(ctx, w, r, err)
		return
	}
	answer(w, http.StatusOK, l)
}

func (a *api) healthz(w http.ResponseWriter, r *http.Request) {
	if err := a.health.Check(r.Context()); err != nil {
		answerError(w, http.StatusServiceUnavailable, err)
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

// createRequest is the body of POST /documents.
type createRequest struct {
	Template string `json:"template"`
	Customer int    `json:"customer"`
}

func readCreate(w http.ResponseWriter, r *http.Request) (createRequest, error) {
	var in createRequest
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return in, fmt.Errorf("the body is not a document request: %w", err)
	}
	if in.Template == "" {
		return in, errors.New("template is missing")
	}
	if in.Customer < 1 || in.Customer > 1<<31-1 {
		return in, errors.New("customer must be a customer's number")
	}
	return in, nil
}

// fail answers for an error of the store.
func fail(ctx context.Context, w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, errNotFound):
		answerError(w, http.StatusNotFound, err)
	case errors.Is(err, errUnknown):
		answerError(w, http.StatusUnprocessableEntity, err)
	case ctx.Err() != nil:
		slog.Warn("out of time", "method", r.Method, "path", r.URL.Path, "error", err)
		w.Header().Set("Retry-After", "1")
		answerError(w, http.StatusServiceUnavailable, errors.New("the service is busy, please try again"))
	default:
		slog.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		answerError(w, http.StatusInternalServerError, errors.New("something went wrong"))
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An error here means that the client has gone.
	_ = json.NewEncoder(w).Encode(v)
}

func answerError(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]string{"error": err.Error()})
}
