package compat

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/rehearse-dev/rehearse/internal/otlp"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
)

// failures are what the SDK gives to its error handler.
type failures struct {
	mu  sync.Mutex
	all []error
}

// Handle keeps an error.
func (f *failures) Handle(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, err)
}

func (f *failures) list() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.all)
}

// handled gathers the SDK's errors. There is one handler for the whole process:
// tests that call it are not parallel.
func handled(*testing.T) *failures {
	f := &failures{}
	otel.SetErrorHandler(f)
	return f
}

func noFailure(t *testing.T, r *receiver, f *failures) {
	t.Helper()
	if all := f.list(); len(all) > 0 {
		t.Errorf("the SDK failed: %v", errors.Join(all...))
	}
	if statuses := r.refused(); len(statuses) > 0 {
		t.Errorf("the server refused requests: %v", statuses)
	}
}

// TestGoPartialSuccess sends a good span with one that has no ids, in one batch.
func TestGoPartialSuccess(t *testing.T) {
	good := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}})
	batch := tracetest.SpanStubs{
		{Name: "lost", Resource: ofShop, StartTime: start, EndTime: start},
		{Name: "good", Resource: ofShop, StartTime: start, EndTime: start, SpanContext: good},
	}.Snapshots()
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			r := receive(t, nil)
			err := transport.make(t, r.address).traces.ExportSpans(t.Context(), batch)
			if err == nil || !strings.Contains(err.Error(), `span "lost" has no trace id`) || !strings.Contains(err.Error(), "1 spans rejected") {
				t.Errorf("got %v, want 1 rejected for want of a trace id", err)
			}
			spans, stats := r.Spans(telemetry.Query{}), r.Stats()
			if len(spans) != 1 || spans[0].Name != "good" || stats.Spans != 2 || stats.Lost != 1 {
				t.Errorf("got %v, %d spans and %d lost, want the good one, 2 and 1", spans, stats.Spans, stats.Lost)
			}
			if statuses := r.refused(); len(statuses) > 0 {
				t.Errorf("the request was refused with %v: it must not be sent again", statuses)
			}
		})
	}
}

// TestGoRetry has no room for the first request of each signal.
func TestGoRetry(t *testing.T) {
	full := func(before int) error {
		if before == 0 {
			return &otlp.Exhausted{RetryAfter: time.Nanosecond, Reason: "no room"} // over HTTP, a second
		}
		return nil
	}
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			r := receive(t, full)
			failures := handled(t)
			send(t, transport.make(t, r.address))
			if all := failures.list(); len(all) > 0 {
				t.Errorf("the SDK failed: %v", errors.Join(all...))
			}
			stats := r.Stats()
			if stats.Spans != 1 || stats.Logs != 1 || stats.Metrics != 1 || stats.Refused["shop"] != 3 {
				t.Errorf("got %d spans, %d records and %d points after %d refusals, want 1 of each after 3", stats.Spans, stats.Logs, stats.Metrics, stats.Refused["shop"])
			}
			for _, status := range r.refused() {
				if status != http.StatusTooManyRequests {
					t.Errorf("refused with %d", status)
				}
			}
		})
	}
}

// TestGoMalformed has a request refused for good.
func TestGoMalformed(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			r := receive(t, func(int) error { return &otlp.Malformed{In: "Span", Reason: "for the test"} })
			e := transport.make(t, r.address)
			err := e.traces.ExportSpans(t.Context(), tracetest.SpanStubs{{Name: "x"}}.Snapshots())
			if err == nil || !strings.Contains(err.Error(), "for the test") {
				t.Errorf("got %v, want the reason", err)
			}
			if got := r.refused(); !slices.Equal(got, []int{http.StatusBadRequest}) {
				t.Errorf("got %v, want one 400: it must not be sent again", got)
			}
			if n := r.Stats().Malformed["shop"]; n != 1 {
				t.Errorf("the store counts %d, want 1", n)
			}
		})
	}
}

// send exports one span, one record and one data point.
func send(t *testing.T, e exporters) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	spans := sdktrace.NewTracerProvider(sdktrace.WithBatcher(e.traces))
	_, span := spans.Tracer("").Start(ctx, "one")
	span.End()
	must(t, spans.Shutdown(ctx))

	logs := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(e.logs)))
	var record log.Record
	record.SetTimestamp(start)
	record.SetBody(attribute.StringValue("one"))
	logs.Logger("").Emit(ctx, record)
	must(t, logs.Shutdown(ctx))

	metrics := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(e.metrics)))
	counter, err := metrics.Meter("").Int64Counter("one")
	must(t, err)
	counter.Add(ctx, 1)
	must(t, metrics.Shutdown(ctx))
}
