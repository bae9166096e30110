// Package otlp speaks OpenTelemetry's protocol, OTLP: it decodes, encodes and
// transcodes traces, logs and metrics, serves them on one port, and sends them on.
//
// [Traces], [Logs] and [Metrics] walk over the bytes of a request and show each
// span, record and metric as a view into them, without an allocation for each.
// Who wants to keep something copies it, or calls Decode. [Handler] takes
// requests over gRPC and HTTP, as protobuf and as JSON, gzipped or not, and hands
// them to a [Sink] as protobuf.
//
// Everything rests on one table of OTLP's messages (schema.go). The check of a
// request and both directions of the JSON encoding read it, so that a new field
// is one line. There is no generated code: OTLP's own types cost 35 to 59
// allocations a span, and gRPC's library most of a binary, for a request and a
// response without streams, which net/http carries as well.
//
// A request is first checked as a whole and shown afterwards: it is refused
// entirely, or not. Deviations from protobuf, which no known encoder can tell: a
// message that is not repeated but comes twice is not merged, the last one
// counts; groups, which proto3 has none of, are malformed; text that is not UTF-8
// is accepted, and replaced where it is decoded.
package otlp

import (
	"fmt"
	"time"
)

// Signal is a kind of telemetry.
type Signal int

// The signals.
const (
	SignalTraces Signal = iota
	SignalLogs
	SignalMetrics
)

// Signals is the number of signals: their values are below it.
const Signals = 3

// String is "traces", "logs" or "metrics", as in the paths of OTLP/HTTP.
func (s Signal) String() string {
	return [Signals]string{"traces", "logs", "metrics"}[s]
}

// Limits on what is accepted and kept.
const (
	// MaxBody is the size of a request in bytes, also after decompression.
	MaxBody = 16 << 20
	// MaxDepth is how deep values of attributes and bodies may nest.
	MaxDepth = 32
	// MaxList is how many attributes, events, links, or values of a list Decode
	// keeps. Of more, it keeps the first.
	MaxList = 1024
)

// Malformed says that bytes are not OTLP, or not the JSON of it.
type Malformed struct {
	Offset int    // the byte, from 0
	In     string // the message or field: "Span", "Span.traceId"
	Reason string
}

// Error says all of it.
func (m *Malformed) Error() string {
	if m.In == "" {
		return fmt.Sprintf("malformed at byte %d: %s", m.Offset, m.Reason)
	}
	return fmt.Sprintf("malformed %s at byte %d: %s", m.In, m.Offset, m.Reason)
}

// Partial says that some of a request was rejected. The rest was accepted, and
// the request must not be sent again.
type Partial struct {
	Rejected int64  // spans
	Reason   string // of the first
}

// Error says all of it.
func (p *Partial) Error() string {
	return fmt.Sprintf("%d rejected: %s", p.Rejected, p.Reason)
}

// Exhausted says that there is no room now, and that the request may be sent
// again later.
type Exhausted struct {
	RetryAfter time.Duration // 0: a second
	Reason     string
}

// Error is the reason.
func (e *Exhausted) Error() string { return "exhausted: " + e.Reason }
