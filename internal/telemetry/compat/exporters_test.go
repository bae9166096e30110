package compat

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exporters are the Go SDK's, over one transport.
type exporters struct {
	traces  sdktrace.SpanExporter
	logs    sdklog.Exporter
	metrics sdkmetric.Exporter
}

// Retries come fast unless the server says when: its word is what is tested.
const (
	firstRetry = time.Millisecond
	retryFor   = time.Minute
)

// transports are the ways that OTLP goes from the Go SDK. It has no JSON.
var transports = []struct {
	name string
	make func(t *testing.T, address string) exporters
}{
	{"grpc", func(t *testing.T, address string) exporters { return overGRPC(t, address, false) }},
	{"grpc gzip", func(t *testing.T, address string) exporters { return overGRPC(t, address, true) }},
	{"http", func(t *testing.T, address string) exporters { return overHTTP(t, address, false) }},
	{"http gzip", func(t *testing.T, address string) exporters { return overHTTP(t, address, true) }},
}

func overGRPC(t *testing.T, address string, gzip bool) exporters {
	ofTraces := []otlptracegrpc.Option{otlptracegrpc.WithEndpoint(address), otlptracegrpc.WithInsecure(),
		otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: retryFor, MaxElapsedTime: retryFor})}
	ofLogs := []otlploggrpc.Option{otlploggrpc.WithEndpoint(address), otlploggrpc.WithInsecure(),
		otlploggrpc.WithRetry(otlploggrpc.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: retryFor, MaxElapsedTime: retryFor})}
	ofMetrics := []otlpmetricgrpc.Option{otlpmetricgrpc.WithEndpoint(address), otlpmetricgrpc.WithInsecure(),
		otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: retryFor, MaxElapsedTime: retryFor})}
	if gzip {
		ofTraces = append(ofTraces, otlptracegrpc.WithCompressor("gzip"))
		ofLogs = append(ofLogs, otlploggrpc.WithCompressor("gzip"))
		ofMetrics = append(ofMetrics, otlpmetricgrpc.WithCompressor("gzip"))
	}
	traces, err := otlptracegrpc.New(t.Context(), ofTraces...)
	must(t, err)
	logs, err := otlploggrpc.New(t.Context(), ofLogs...)
	must(t, err)
	metrics, err := otlpmetricgrpc.New(t.Context(), ofMetrics...)
	must(t, err)
	return exporters{traces, logs, metrics}.until(t)
}

func overHTTP(t *testing.T, address string, gzip bool) exporters {
	ofTraces, ofLogs, ofMetrics := otlptracehttp.NoCompression, otlploghttp.NoCompression, otlpmetrichttp.NoCompression
	if gzip {
		ofTraces, ofLogs, ofMetrics = otlptracehttp.GzipCompression, otlploghttp.GzipCompression, otlpmetrichttp.GzipCompression
	}
	traces, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpoint(address), otlptracehttp.WithInsecure(), otlptracehttp.WithCompression(ofTraces),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: retryFor, MaxElapsedTime: retryFor}))
	must(t, err)
	logs, err := otlploghttp.New(t.Context(), otlploghttp.WithEndpoint(address), otlploghttp.WithInsecure(), otlploghttp.WithCompression(ofLogs),
		otlploghttp.WithRetry(otlploghttp.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: retryFor, MaxElapsedTime: retryFor}))
	must(t, err)
	metrics, err := otlpmetrichttp.New(t.Context(), otlpmetrichttp.WithEndpoint(address), otlpmetrichttp.WithInsecure(), otlpmetrichttp.WithCompression(ofMetrics),
		otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{Enabled: true, InitialInterval: firstRetry, MaxInterval: retryFor, MaxElapsedTime: retryFor}))
	must(t, err)
	return exporters{traces, logs, metrics}.until(t)
}

// until shuts the exporters down when the test ends.
func (e exporters) until(t *testing.T) exporters {
	t.Cleanup(func() {
		for _, shutdown := range []func(context.Context) error{e.traces.Shutdown, e.logs.Shutdown, e.metrics.Shutdown} {
			// A provider of the test may have done it.
			_ = shutdown(context.Background())
		}
	})
	return e
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
