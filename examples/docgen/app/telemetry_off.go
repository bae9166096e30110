//go:build !otel

package main

import (
	"context"
	"net/http"

	"github.com/jackc/pgx/v5"
)

// instrument does nothing in a build without the tag otel.
func instrument(context.Context) (wrap func(http.Handler) http.Handler, queries pgx.QueryTracer, stop func(context.Context) error, err error) {
	return func(h http.Handler) http.Handler { return h }, nil, func(context.Context) error { return nil }, nil
}
