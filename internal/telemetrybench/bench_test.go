package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
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
		want := map[rehearse.TraceID]bool{}
		for trace := range spansOfRequest / spansOfTrace {
			want[traceID(number, trace)] = true
		}
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
			if !want[sp.Trace] {
				t.Fatalf("request %d has a trace %s of another", number, sp.Trace)
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

// TestJaegerHolds asks what answers as Jaeger does.
func TestJaegerHolds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spans []int // of one answer after another, the last one for ever
		want  string
	}{
		{"all", []int{spansOfTrace}, ""},
		{"late", []int{0, 3, spansOfTrace}, ""},
		{"too many requests", nil, "2003 requests were sent, and room was for 2002"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := map[string]int{}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n := asked[r.URL.Path]
				asked[r.URL.Path]++
				spans := tt.spans[min(n, len(tt.spans)-1)]
				if spans == 0 {
					http.Error(w, `{"data":null,"errors":[{"code":404}]}`, http.StatusNotFound)
					return
				}
				fmt.Fprintf(w, `{"data":[{"spans":[{}%s]}]}`, strings.Repeat(",{}", spans-1))
			}))
			defer server.Close()
			b := &bench{requests: 1}
			requests := 2
			if tt.want != "" {
				requests = 2003
			}
			err := b.jaegerHolds(t.Context(), strings.TrimPrefix(server.URL, "http://"), requests)
			if got := fmt.Sprint(err); tt.want != "" && got != tt.want || tt.want == "" && err != nil {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			first, last := traceID(0, 0), traceID(1, 0)
			for _, id := range []rehearse.TraceID{first, last} {
				if got := asked["/api/traces/"+id.String()]; got != len(tt.spans) {
					t.Errorf("trace %s was asked for %d times, want %d", id, got, len(tt.spans))
				}
			}
		})
	}
}

func TestRows(t *testing.T) {
	of := func(cpu time.Duration, loaded float64) []sample {
		return []sample{{start: time.Millisecond, idle: 10 << 20, rate: 1e6, cpu: cpu, p99: time.Millisecond, loaded: loaded}}
	}
	collectors := samples{ours: of(2000, 100<<20), forget: of(1000, 11<<20), nop: of(4000, 44<<20), debug: of(8000, 44<<20)}
	collectors[ours][0].held = held{Spans: 1 << 20, Queryable: 1 << 20}
	all := maps.Clone(collectors)
	all[jaeger] = of(10000, 400<<20)
	for _, tt := range []struct {
		jaeger string
		got    samples
		want   []string
	}{
		{"", collectors, []string{
			"| P: spans accepted per second of processor time, k/s | 500      | 1000          | 250            | 125              | 2.00        | 4.00       | ≥ 3.00  | MISSED, met |",
			"| P: memory after all spans, MiB                      | 100      | 11.0          | 44.0           | 44.0             | 2.27        | 0.250      | ≤ 0.250 | MISSED, met |",
			"| P: growth of memory for a span held, B              | 90.0     | –             | –              | –                | –           | –          | –       | –           |",
			"2 of 4 goals met.",
			"MISSED P: memory after all spans, ours to nop: 2.27, goal ≤ 0.250",
		}},
		{"v1", all, []string{
			"| P: spans accepted per second of processor time, k/s | 500      | 1000          | 250            | 125              | 100            | 2.00        | 4.00       | 5.00           | ≥ 3.00  | MISSED, met, met |",
			"| P: memory after all spans, MiB                      | 100      | 11.0          | 44.0           | 44.0             | 400            | 2.27        | 0.250      | 0.250          | ≤ 0.250 | MISSED, met, met |",
			"Jaeger v1",
			"4 of 6 goals met.",
		}},
	} {
		var b strings.Builder
		r := &report{Jaeger: tt.jaeger, Rows: rows("P", tt.got)}
		if err := r.print(&b); err != nil {
			t.Fatal(err)
		}
		for _, want := range tt.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("no line is %s\n%s", want, b.String())
			}
		}
	}
}
