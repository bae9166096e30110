package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// jaegerYAML is of its own all-in-one.yaml what takes OTLP, batches and stores
// it in memory, and answers queries; the ports and the number of traces are ours.
const jaegerYAML = `
receivers: {otlp: {protocols: {%s: {endpoint: %q}}}}
processors: {batch: {}}
exporters: {jaeger_storage_exporter: {trace_storage: store}}
extensions:
  jaeger_storage: {backends: {store: {memory: {max_traces: %d}}}}
  jaeger_query: {storage: {traces: store}, http: {endpoint: %q}, grpc: {endpoint: %q}}
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines: {traces: {receivers: [otlp], processors: [batch], exporters: [jaeger_storage_exporter]}}
  telemetry: {metrics: {level: none}, logs: {level: info}}
`

// jaegerRequests is the number of requests whose traces Jaeger may hold: more than
// it is sent, unless it takes a million spans a second.
func (b *bench) jaegerRequests() int { return 2*b.requests + 2000 }

// jaegerConfig is Jaeger's file, for an address to send to and one to ask at.
func (b *bench) jaegerConfig(protocol, address, query string) string {
	traces := b.jaegerRequests() * spansOfRequest / spansOfTrace
	return fmt.Sprintf(jaegerYAML, protocol, address, traces, query, "127.0.0.1:0")
}

// jaegerHolds asks Jaeger for a trace of the first and one of the last of the
// requests that it was sent. It drops the oldest traces, and it has accepted
// everything: if it has these two it has them all.
func (b *bench) jaegerHolds(ctx context.Context, query string, requests int) error {
	if requests > b.jaegerRequests() {
		return fmt.Errorf("%d requests were sent, and room was for %d", requests, b.jaegerRequests())
	}
	for _, request := range []int{0, requests - 1} {
		var spans int
		var err error
		for range 1000 { // it batches what it is sent, for some 200 ms
			if spans, err = jaegerSpans(ctx, query, traceID(uint64(request), 0)); err != nil {
				return err
			}
			if spans == spansOfTrace || !pause(ctx, 5*time.Millisecond) {
				break
			}
		}
		if spans != spansOfTrace {
			return fmt.Errorf("jaeger has %d spans of a trace of request %d, want %d", spans, request, spansOfTrace)
		}
	}
	return nil
}

// jaegerSpans is how many spans Jaeger has of a trace.
func jaegerSpans(ctx context.Context, query string, trace fmt.Stringer) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+query+"/api/traces/"+trace.String(), nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNotFound {
		return 0, nil
	}
	var found struct {
		Data []struct{ Spans []struct{} }
	}
	if err := json.NewDecoder(answer.Body).Decode(&found); err != nil {
		return 0, fmt.Errorf("ask Jaeger for a trace: %s: %w", answer.Status, err)
	}
	n := 0
	for _, t := range found.Data {
		n += len(t.Spans)
	}
	return n, nil
}
