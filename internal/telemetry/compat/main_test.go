package compat

import (
	"net"
	"sync"
	"testing"

	"github.com/rehearse-dev/rehearse/internal/otlp"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
)

// receiver is what an environment runs for one service, on loopback.
type receiver struct {
	*telemetry.Store
	address string // host:port

	sink otlp.Sink
	// refuse answers a request in the store's place; nil lets it through. It is
	// told how many requests of its signal have come before.
	refuse func(before int) error

	mu       sync.Mutex
	came     [otlp.Signals]int
	requests [otlp.Signals][][]byte // those that the store has accepted
	statuses []int                  // of those that were refused
}

// receive takes telemetry of the service "shop" until the test ends.
func receive(t *testing.T, refuse func(before int) error) *receiver {
	t.Helper()
	store, err := telemetry.New(telemetry.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{Store: store, address: ln.Addr().String(), sink: store.Service("shop"), refuse: refuse}
	server := otlp.Server(otlp.Handler(r))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(ln) // it is closed below
	}()
	t.Cleanup(func() {
		server.Close()
		<-ended
		if _, err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// Export gives a request to the store.
func (r *receiver) Export(signal otlp.Signal, b []byte) (rejected int64, reason string, err error) {
	r.mu.Lock()
	before := r.came[signal]
	r.came[signal]++
	r.mu.Unlock()
	if r.refuse != nil {
		if err := r.refuse(before); err != nil {
			return 0, "", err
		}
	}
	rejected, reason, err = r.sink.Export(signal, b)
	if err == nil {
		r.mu.Lock()
		r.requests[signal] = append(r.requests[signal], append([]byte(nil), b...))
		r.mu.Unlock()
	}
	return rejected, reason, err
}

// Refused tells the store.
func (r *receiver) Refused(signal otlp.Signal, status int) {
	r.sink.Refused(signal, status)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statuses = append(r.statuses, status)
}

// refused are the statuses of the requests that were answered with an error.
func (r *receiver) refused() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]int(nil), r.statuses...)
}

// accepted are the requests of a signal that are in the store.
func (r *receiver) accepted(signal otlp.Signal) [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([][]byte(nil), r.requests[signal]...)
}
