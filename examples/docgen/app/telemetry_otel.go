//go:build otel

package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// instrument sets OpenTelemetry's SDK up as its environment variables say: a span
// for each request and one for each query.
func instrument(ctx context.Context) (wrap func(http.Handler) http.Handler, queries pgx.QueryTracer, stop func(context.Context) error, err error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("set up telemetry: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter))
	tracer := provider.Tracer("docgen")
	wrap = func(h http.Handler) http.Handler { return traced(tracer, h) }
	return wrap, &queryTracer{tracer}, provider.Shutdown, nil
}

// traced makes a server's span of each request.
func traced(tracer trace.Tracer, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
			attribute.String("http.request.method", r.Method), attribute.String("url.path", r.URL.Path),
		))
		defer span.End()
		noted := &statusNoter{ResponseWriter: w, status: http.StatusOK}
		r = r.WithContext(ctx)
		h.ServeHTTP(noted, r)
		if r.Pattern != "" {
			span.SetName(r.Pattern)
		}
		span.SetAttributes(attribute.Int("http.response.status_code", noted.status))
		if noted.status >= 500 {
			span.SetStatus(codes.Error, "")
		}
	})
}

// statusNoter notes the status that a handler answers with.
type statusNoter struct {
	http.ResponseWriter
	status int
}

func (w *statusNoter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// queryTracer makes a client's span of each query.
type queryTracer struct{ tracer trace.Tracer }

func (t *queryTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	ctx, _ = t.tracer.Start(ctx, "query", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("db.system.name", "postgresql"), attribute.String("db.query.text", q.SQL),
	))
	return ctx
}

func (t *queryTracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryEndData) {
	span := trace.SpanFromContext(ctx)
	if q.Err != nil {
		span.SetStatus(codes.Error, q.Err.Error())
	}
	span.End()
}
