package service

import (
	"context"
	"net/http"
	"time"
)

// traceKey is the key of a request's trace context.
type traceKey struct{}

// traced keeps the trace context of each request for the calls that it causes.
func traced(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), traceKey{}, r.Header.Get("traceparent"))))
	})
}

// Client makes a client for calls to another service, each of which may take as
// long as timeout, or for ever when that is 0. It keeps connections, and hands the trace context on that the context
// of a call has.
func Client(timeout time.Duration) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	return &http.Client{Transport: propagator{transport}, Timeout: timeout}
}

type propagator struct{ next http.RoundTripper }

func (p propagator) RoundTrip(r *http.Request) (*http.Response, error) {
	if parent, _ := r.Context().Value(traceKey{}).(string); parent != "" {
		r = r.Clone(r.Context())
		r.Header.Set("traceparent", parent)
	}
	return p.next.RoundTrip(r)
}
