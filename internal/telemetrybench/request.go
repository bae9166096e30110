package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

const (
	spansOfRequest = 512
	spansOfTrace   = 8
)

// request is an encoded one, whose ids can be made new.
type request struct {
	bytes []byte
	// Where the ids of each trace and of each span stand in it.
	traces, spans [][]int
}

// newRequest has 512 spans of some 470 bytes, with ten attributes each.
func newRequest(r *rand.Rand) *request {
	var spans []rehearse.Span
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range spansOfRequest {
		trace := i / spansOfTrace
		sp := rehearse.Span{
			Trace: marker(trace), ID: spanMarker(i), Name: fmt.Sprintf("GET /api/documents/{id}/part/%d", i%20), Kind: rehearse.SpanServer,
			Service: "shop", Scope: "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
			Start: start.Add(time.Duration(r.IntN(1e9))), Duration: rehearse.Duration(r.IntN(1e8)),
			Attributes: []rehearse.Attribute{
				{Key: "http.request.method", Value: "GET"},
				{Key: "http.response.status_code", Value: int64(200 + r.IntN(4))},
				{Key: "http.route", Value: "/api/documents/{id}"},
				{Key: "url.path", Value: fmt.Sprintf("/api/documents/%d", r.IntN(1e6))},
				{Key: "url.scheme", Value: "http"},
				{Key: "server.address", Value: "documents.internal.example.com"},
				{Key: "server.port", Value: int64(8080)},
				{Key: "client.address", Value: fmt.Sprintf("10.%d.%d.%d", r.IntN(256), r.IntN(256), r.IntN(256))},
				{Key: "user_agent.original", Value: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML)"},
				{Key: "session.id", Value: fmt.Sprintf("%016x", r.Uint64())},
			},
		}
		if i%spansOfTrace > 0 {
			sp.Parent = spanMarker(trace * spansOfTrace)
		}
		spans = append(spans, sp)
	}
	q := &request{bytes: otlp.AppendTraces(nil, spans)}
	for trace := range spansOfRequest / spansOfTrace {
		id := marker(trace)
		q.traces = append(q.traces, all(q.bytes, id[:]))
	}
	for i := range spansOfRequest {
		id := spanMarker(i)
		q.spans = append(q.spans, all(q.bytes, id[:]))
	}
	return q
}

// marker stands for a trace's id, and can stand for nothing else.
func marker(trace int) (id rehearse.TraceID) {
	copy(id[:], fmt.Sprintf("\x00\xff\x01trace%08d", trace))
	return id
}

func spanMarker(span int) (id rehearse.SpanID) {
	copy(id[:], fmt.Sprintf("\x00\xff\x02%05d", span))
	return id
}

func all(b, what []byte) (at []int) {
	for from := 0; ; {
		i := bytes.Index(b[from:], what)
		if i < 0 {
			return at
		}
		at = append(at, from+i)
		from += i + len(what)
	}
}

// renew gives all traces and spans ids that they have with no other number.
func (q *request) renew(number uint64) {
	renew(q.traces, q.bytes, number)
	renew(q.spans, q.bytes, number)
}

// traceID is the id of a trace of a request that has a number.
func traceID(number uint64, trace int) rehearse.TraceID {
	id := marker(trace)
	binary.BigEndian.PutUint64(id[:], renewed(number, spansOfRequest/spansOfTrace, trace))
	return id
}

func renew(ids [][]int, b []byte, number uint64) {
	for i, places := range ids {
		for _, at := range places {
			binary.BigEndian.PutUint64(b[at:], renewed(number, len(ids), i))
		}
	}
}

// renewed is what the id of one of many starts with.
func renewed(number uint64, many, one int) uint64 { return number*uint64(many) + uint64(one) + 1 }
