package main

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

func TestRequest(t *testing.T) {
	q := newRequest(rand.New(rand.NewPCG(1, 1)))
	if size := len(q.bytes) / spansOfRequest; size < 440 || size > 500 {
		t.Errorf("a span has %d bytes, 470 are due", size)
	}
	traces, ids := map[rehearse.TraceID]int{}, map[rehearse.SpanID]bool{}
	for number := range uint64(3) {
		q.renew(number)
		var root rehearse.SpanID
		err := otlp.Traces(q.bytes, func(_ *otlp.Resource, _ *otlp.Scope, sp *otlp.Span) error {
			if sp.Parent.IsZero() {
				root = sp.ID
			} else if sp.Parent != root {
				t.Fatalf("request %d: a span's parent is not in its trace", number)
			}
			if sp.Attributes != 10 {
				t.Fatalf("a span has %d attributes", sp.Attributes)
			}
			traces[sp.Trace]++
			ids[sp.ID] = true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(ids) != 3*spansOfRequest || len(traces) != 3*spansOfRequest/spansOfTrace {
		t.Errorf("got %d spans in %d traces", len(ids), len(traces))
	}
	for id, n := range traces {
		if n != spansOfTrace {
			t.Errorf("trace %s has %d spans", id, n)
		}
	}
}

// TestServe sends over both protocols and finds all of it.
func TestServe(t *testing.T) {
	for _, protocol := range []string{"OTLP/gRPC", "OTLP/HTTP"} {
		t.Run(protocol, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := ln.Addr().String()
			ln.Close()
			in, asks := io.Pipe()
			answers, out := io.Pipe()
			served := make(chan error, 1)
			go func() { served <- runServe([]string{"-listen", address, "-dir", t.TempDir()}, in, out) }()

			var clients []*client
			for i := range connections {
				requests := []*request{newRequest(rand.New(rand.NewPCG(uint64(i), 0)))}
				clients = append(clients, newClient(address, protocol == "OTLP/gRPC", requests))
				defer clients[i].close()
			}
			if err := ready(t.Context(), clients[0]); err != nil {
				t.Fatal(err)
			}
			if _, err := saturate(t.Context(), clients, 0, 5); err != nil {
				t.Error(err)
			}
			if took, err := pace(t.Context(), clients, 5, 3, time.Microsecond); err != nil || len(took) != 3 {
				t.Error(took, err)
			}
			if _, err := io.WriteString(asks, "\n"); err != nil {
				t.Fatal(err)
			}
			var got held
			if err := json.NewDecoder(answers).Decode(&got); err != nil {
				t.Fatal(err)
			}
			if want := 8 * spansOfRequest; got.Spans != int64(want) || got.Lost != 0 || got.Queryable != want {
				t.Errorf("got %+v, want %d spans", got, want)
			}
			asks.Close()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRows(t *testing.T) {
	of := func(cpu time.Duration, loaded float64) []sample {
		return []sample{{start: time.Millisecond, idle: 10 << 20, rate: 1e6, cpu: cpu, p99: time.Millisecond, loaded: loaded}}
	}
	got := samples{ours: of(2000, 100<<20), forget: of(1000, 11<<20), nop: of(4000, 44<<20), debug: of(8000, 44<<20)}
	got[ours][0].held = held{Spans: 1 << 20, Queryable: 1 << 20}
	var b strings.Builder
	r := &report{Rows: rows("P", got)}
	if err := r.print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| P: spans accepted per second of processor time, k/s | 500      | 1000          | 250            | 125              | 2.00        | 4.00       | ≥ 3.00 | MISSED, met |",
		"| P: memory after all spans, MiB                      | 100      | 11.0          | 44.0           | 44.0             | 2.27        | 0.25       | ≤ 0.25 | MISSED, met |",
		"| P: growth of memory for a span held, B              | 90.0     | –             | –              | –                | –           | –          | –      | –           |",
		"2 of 4 goals met.",
		"MISSED P: memory after all spans, ours to nop: 2.27, goal ≤ 0.25",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no line is %s\n%s", want, b.String())
		}
	}
}
