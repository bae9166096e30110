package rehearse

import (
	"encoding/hex"
	"fmt"
	"time"
)

// TraceID names a trace, as W3C Trace Context and OpenTelemetry have it.
type TraceID [16]byte

// SpanID names a span of a trace.
type SpanID [8]byte

// IsZero reports whether there is no trace.
func (id TraceID) IsZero() bool { return id == TraceID{} }

// String is 32 lower-case hexadecimal digits.
func (id TraceID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText is String.
func (id TraceID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText has written.
func (id *TraceID) UnmarshalText(b []byte) error { return unhex(id[:], b) }

// ParseTraceID reads 32 hexadecimal digits.
func ParseTraceID(s string) (id TraceID, err error) { return id, unhex(id[:], []byte(s)) }

// IsZero reports whether there is no span.
func (id SpanID) IsZero() bool { return id == SpanID{} }

// String is 16 lower-case hexadecimal digits.
func (id SpanID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText is String.
func (id SpanID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText has written.
func (id *SpanID) UnmarshalText(b []byte) error { return unhex(id[:], b) }

// ParseSpanID reads 16 hexadecimal digits.
func ParseSpanID(s string) (id SpanID, err error) { return id, unhex(id[:], []byte(s)) }

func unhex(id, digits []byte) error {
	if len(digits) != 2*len(id) {
		return fmt.Errorf("%q is not %d hexadecimal digits", digits, 2*len(id))
	}
	if _, err := hex.Decode(id, digits); err != nil {
		return fmt.Errorf("%q is not %d hexadecimal digits", digits, 2*len(id))
	}
	return nil
}

// SpanKind is a span's role in a call, with OTLP's numbers.
type SpanKind int8

// The kinds of span.
const (
	SpanUnspecified SpanKind = iota
	SpanInternal
	SpanServer
	SpanClient
	SpanProducer
	SpanConsumer
)

// SpanStatus is how a span ended, with OTLP's numbers.
type SpanStatus int8

// The statuses of a span.
const (
	StatusUnset SpanStatus = iota
	StatusOK
	StatusError
)

// Span is one piece of work, as a service's SDK has told of it or as a link has
// seen it pass. Names of attributes are OpenTelemetry's stable semantic
// conventions, and the Attr constants below.
type Span struct {
	Trace    TraceID     `json:"trace"`
	ID       SpanID      `json:"id"`
	Parent   SpanID      `json:"parent,omitzero"` // zero: none is known
	Name     string      `json:"name"`
	Kind     SpanKind    `json:"kind,omitempty"`
	Service  ServiceName `json:"service"`         // whose work it is; of a link's span, the link's client
	Scope    string      `json:"scope,omitempty"` // the instrumentation; LinkScope for a link's span
	Start    time.Time   `json:"start"`
	Duration Duration    `json:"duration"`
	Status   SpanStatus  `json:"status,omitempty"`
	Message  string      `json:"message,omitempty"` // of the status

	Attributes []Attribute `json:"attributes,omitempty"` // in the order in which they came
	Resource   []Attribute `json:"resource,omitempty"`   // of its service, shared by all its spans
	Events     []SpanEvent `json:"events,omitempty"`
	Links      []SpanRef   `json:"links,omitempty"` // OpenTelemetry's span links
}

// SpanEvent is a moment in a span.
type SpanEvent struct {
	Time       time.Time   `json:"time"`
	Name       string      `json:"name"`
	Attributes []Attribute `json:"attributes,omitempty"`
}

// SpanRef points at a span of any trace.
type SpanRef struct {
	Trace TraceID `json:"trace"`
	Span  SpanID  `json:"span"`
}

// Attribute is a name with a value: a string, bool, int64, float64, []byte,
// []any of these, or []Attribute.
type Attribute struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

// Attribute is the value of an attribute, nil when the span has none.
func (s *Span) Attribute(key string) any {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value
		}
	}
	return nil
}

// Text is the value of an attribute that is a string, and empty otherwise.
func (s *Span) Text(key string) string {
	text, _ := s.Attribute(key).(string)
	return text
}

// Number is the value of an attribute that is a number.
func (s *Span) Number(key string) (float64, bool) {
	switch v := s.Attribute(key).(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// End is when the span ended.
func (s *Span) End() time.Time { return s.Start.Add(time.Duration(s.Duration)) }

// LinkScope is the scope of spans that links write.
const LinkScope = "rehearse/link"

// The attributes of a link's span that are ours. Times are float64 milliseconds.
// Start to end of the span is the client's view of the call, and
//
//	queue + shape + server + transfer = duration
const (
	AttrLink        = "rehearse.link"        // string: the LinkID
	AttrConnection  = "rehearse.connection"  // int: of the link, from 1
	AttrNumber      = "rehearse.number"      // int: of the request on its connection, from 1
	AttrQueue       = "rehearse.queue_ms"    // it waited for its connection to be made, or for answers before its own
	AttrShape       = "rehearse.shape_ms"    // the link's shape and faults held it, both ways
	AttrServer      = "rehearse.server_ms"   // the upstream had all of the request and had not begun its answer
	AttrTransfer    = "rehearse.transfer_ms" // bytes of the request or the answer were coming
	AttrNominal     = "rehearse.nominal"     // bool: below the link, packets were shaped; its time in shape is the path's nominal one
	AttrFault       = "rehearse.fault"       // string: names of the faults in force on the connection, joined by commas
	AttrTransaction = "rehearse.transaction" // string: after the call, "idle", "open" or "failed"
	AttrPrepared    = "rehearse.prepared"    // bool: the statement was executed by name
	AttrBytesUp     = "rehearse.bytes_up"    // int: of the request
	AttrBytesDown   = "rehearse.bytes_down"  // int: of the answer
	AttrAbandoned   = "rehearse.abandoned"   // string: how the call ended early: "client" hung up, "upstream" hung up, "reset"
	AttrTurns       = "rehearse.turns"       // int: of a connection's span: how often the client spoke and the upstream answered
	AttrSDKName     = "rehearse.sdk_name"    // string: what a call's SDK has called it, where it is named by what the link saw
	AttrUndecoded   = "rehearse.undecoded"   // string: of a connection's span: why its bytes are not calls: "tls", "unknown", "replication", "upgraded", "lost"; or UndecodedNothing
)

// UndecodedNothing is the AttrUndecoded of a connection all of whose bytes were
// calls: its span only says for how long it was there.
const UndecodedNothing = "nothing"

// Wire is what a link has measured of a call.
type Wire struct {
	Link       LinkID   `json:"link"`
	Connection int64    `json:"connection"`
	Number     int64    `json:"number,omitempty"`
	Queue      Duration `json:"queue,omitempty"`
	Shape      Duration `json:"shape,omitempty"`
	Server     Duration `json:"server,omitempty"`
	Transfer   Duration `json:"transfer,omitempty"`
	// Undecoded says that the span is a whole connection, and why.
	Undecoded string `json:"undecoded,omitempty"`
}

// Wire reads a link's measurements back from the span's attributes; ok is false
// for a span that no link has written.
func (s *Span) Wire() (w Wire, ok bool) {
	for _, a := range s.Attributes {
		switch v := a.Value.(type) {
		case string:
			switch a.Key {
			case AttrLink:
				w.Link = LinkID(v)
			case AttrUndecoded:
				w.Undecoded = v
			}
		case int64:
			switch a.Key {
			case AttrConnection:
				w.Connection = v
			case AttrNumber:
				w.Number = v
			}
		case float64:
			d := Duration(v * float64(time.Millisecond))
			switch a.Key {
			case AttrQueue:
				w.Queue = d
			case AttrShape:
				w.Shape = d
			case AttrServer:
				w.Server = d
			case AttrTransfer:
				w.Transfer = d
			}
		}
	}
	return w, w.Link != ""
}

// LogRecord is one line that a service wrote, or one record that its SDK sent.
type LogRecord struct {
	Time       time.Time   `json:"time"`
	Service    ServiceName `json:"service"`
	Stream     string      `json:"stream,omitempty"`   // "out", "err"; empty when it came over OTLP
	Severity   Severity    `json:"severity,omitempty"` // as far as the line tells
	Body       string      `json:"body"`
	Trace      TraceID     `json:"trace,omitzero"`
	Span       SpanID      `json:"span,omitzero"`
	Attributes []Attribute `json:"attributes,omitempty"`
}

// Severity is how bad a log record is, in OTLP's numbers: 0 is unknown, 1 to 4
// trace, 5 to 8 debug, 9 to 12 info, 13 to 16 warn, 17 to 20 error, 21 to 24 fatal.
type Severity int8

// The first of each group of severities.
const (
	SeverityTrace Severity = 1
	SeverityDebug Severity = 5
	SeverityInfo  Severity = 9
	SeverityWarn  Severity = 13
	SeverityError Severity = 17
	SeverityFatal Severity = 21
)
