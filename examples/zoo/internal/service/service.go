// Package service is what every program of the zoo begins with: it listens,
// answers in JSON, and stops when it is told to. [Main] is all that most of them
// call.
package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Main serves what open returns until the process is told to stop. It listens at
// LISTEN, ":8080" when that is unset, and answers GET /healthz itself: when open
// has returned, the service is healthy. What open starts ends with its context.
func Main(open func(ctx context.Context) (http.Handler, error)) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, open); err != nil {
		slog.Error("the service stops", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, open func(ctx context.Context) (http.Handler, error)) error {
	h, err := open(ctx)
	if err != nil {
		return err
	}
	addr := os.Getenv("LISTEN")
	if addr == "" {
		addr = ":8080"
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", traced(h))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		Answer(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}

// Pool opens the database that DATABASE_URL names, whose parameters say how large
// the pool is. It fails when the database does not answer.
func Pool(ctx context.Context) (*pgxpool.Pool, error) {
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	if _, err := pool.Exec(ctx, `SELECT 1`); err != nil {
		return nil, fmt.Errorf("ask the database: %w", err)
	}
	return pool, nil
}

// Read reads the JSON body of a request into v, and answers 400 and returns false
// where it is none.
func Read(w http.ResponseWriter, r *http.Request, v any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		Refuse(w, http.StatusBadRequest, "the body is not what it should be: "+err.Error())
		return false
	}
	return true
}

// Answer answers with v as JSON.
func Answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An error here means that the client has gone.
	_ = json.NewEncoder(w).Encode(v)
}

// Refuse answers with what is wrong with the request.
func Refuse(w http.ResponseWriter, status int, why string) {
	Answer(w, status, map[string]string{"error": why})
}

// Fail logs an error that is not the client's, and answers that there was one:
// 503 when the request is out of time, else 500.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	slog.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	if errors.Is(err, context.DeadlineExceeded) {
		Refuse(w, http.StatusServiceUnavailable, "the service is busy, please try again")
		return
	}
	Refuse(w, http.StatusInternalServerError, "something went wrong")
}
