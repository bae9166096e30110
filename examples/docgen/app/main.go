// Docgen makes small documents from templates: invoices, reminders, receipts.
//
// It is configured by environment variables:
//
//	DATABASE_URL  the PostgreSQL database (required)
//	LISTEN        where to listen; ":8080" when unset
//	DATA_LAYER    "legacy" (when unset) or "fixed"
//	POOL_SIZE     database connections; 8 when unset
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// requestBudget is how long a request may take before the user is told to try
// again.
const requestBudget = 1500 * time.Millisecond

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		slog.Error("docgen stops", "error", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context) error {
	size, err := poolSize(os.Getenv("POOL_SIZE"))
	if err != nil {
		return err
	}
	wrap, queries, told, err := instrument(ctx)
	if err != nil {
		return err
	}
	pool, err := newPool(ctx, os.Getenv("DATABASE_URL"), size, queries)
	if err != nil {
		return err
	}
	// The pools end with the process: Close would wait for the connections that
	// are still in use.
	health, err := newHealth(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}

	var store Store
	switch layer := os.Getenv("DATA_LAYER"); layer {
	case "", "legacy":
		store = &legacyStore{pool: pool}
	case "fixed":
		store = &fixedStore{pool: pool}
		health.warming.Store(true)
		go func() {
			if err := warm(ctx, pool); err == nil {
				health.warming.Store(false)
			}
		}()
	default:
		return fmt.Errorf("DATA_LAYER is %q; it can be legacy or fixed", layer)
	}

	addr := os.Getenv("LISTEN")
	if addr == "" {
		addr = ":8080"
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	srv := &http.Server{
		Handler:           wrap((&api{store: store, health: health, budget: requestBudget}).routes()),
		ReadHeaderTimeout: 5 * time.Second,
	}
	slog.Info("docgen listens", "address", ln.Addr().String())

	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*requestBudget)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("shut down: %w", err)
	}
	if err := told(grace); err != nil {
		return fmt.Errorf("tell the last telemetry: %w", err)
	}
	return nil
}

// poolSize reads POOL_SIZE.
func poolSize(s string) (int32, error) {
	if s == "" {
		return 8, nil
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("POOL_SIZE is %q; it must be a number above 0", s)
	}
	return int32(n), nil
}
