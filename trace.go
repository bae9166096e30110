package rehearse

import "time"

// Known is how a span's parent is known.
type Known string

// From certain to unknown. Only the last three are less than certain.
const (
	KnownRoot     Known = "root"     // it has none
	KnownSDK      Known = "sdk"      // its SDK says so
	KnownHeader   Known = "header"   // the call carried a trace context
	KnownAlone    Known = "alone"    // its service had one request in flight, and no other
	KnownOwned    Known = "owned"    // its connection was held, in a transaction, by a call whose parent is certain
	KnownTemplate Known = "template" // inferred: it is what the operation did when it ran alone, and ends where the request does
	KnownNearest  Known = "nearest"  // inferred: of the requests in flight, it fits this one best
	KnownNothing  Known = "unknown"  // several fit, none better, or none at all
)

// Certain reports whether the parent is more than inferred.
func (k Known) Certain() bool {
	return k != KnownTemplate && k != KnownNearest && k != KnownNothing
}

// Trace is one request's way through the services.
type Trace struct {
	ID       TraceID   `json:"id"`
	Start    time.Time `json:"start"`    // of the root
	Duration Duration  `json:"duration"` // of the root
	// Operation is what was asked, the same for all requests of its kind:
	// "docgen POST /documents".
	Operation string `json:"operation"`
	Failed    bool   `json:"failed,omitempty"` // the root's status is an error
	// Nodes are the spans, parents before their children and siblings by their
	// start. The first is the root; more roots follow only where parents are
	// missing.
	Nodes []Node `json:"nodes"`
	// Critical is where the root's time went, from its start to its end: what
	// the request waited for at each moment. The lengths add up to Duration.
	Critical []Segment `json:"critical,omitempty"`
}

// Node is a span in its trace.
type Node struct {
	Span
	Up    int   `json:"up"` // the parent's index in Nodes; -1: none
	Known Known `json:"known"`
	// Wire is what a link measured of the call: of the link's own span, or of an
	// SDK's span that stands for the same call.
	Wire *Wire `json:"wire,omitempty"`
}

// SegmentKind is what a request waited for.
type SegmentKind string

// The kinds of segment.
const (
	SegmentSelf     SegmentKind = "self"     // the service worked, or waited for what nobody sees
	SegmentWait     SegmentKind = "wait"     // for a connection: all that the service had were busy
	SegmentQueue    SegmentKind = "queue"    // on the connection, behind others, or for it to be made
	SegmentShape    SegmentKind = "shape"    // the link's shape and faults
	SegmentNetwork  SegmentKind = "network"  // between a service and the link
	SegmentServer   SegmentKind = "server"   // an upstream that no span looks into
	SegmentTransfer SegmentKind = "transfer" // bytes were coming
)

// Segment is a part of a trace's critical path.
type Segment struct {
	Node int `json:"node"` // index in Nodes
	// Path is where: a service, as "docgen", or an edge and what was called on
	// it, as "docgen → db SELECT templates". Waits are on an edge alone, as
	// "docgen → db".
	Path   string      `json:"path"`
	Kind   SegmentKind `json:"kind"`
	Start  Duration    `json:"start"` // since the trace's start
	Length Duration    `json:"length"`
}

// Pool is the connections that one service keeps to another, as a link sees
// them come, work and go.
type Pool struct {
	Link LinkID `json:"link"`
	// Size is the number of busy connections that the service reached and did
	// not exceed though requests waited; 0 when it was never short.
	Size int `json:"size"`
	Peak int `json:"peak"` // connections busy at once, at most
	// Unclear says that requests waited before their calls, and that it cannot be
	// told whether it was for a connection.
	Unclear bool `json:"unclear,omitempty"`
	// Lost are connections that ended in the middle of a call or a transaction
	// and were not replaced though requests waited.
	Lost      int       `json:"lost,omitempty"`
	Saturated Duration  `json:"saturated"` // for how long no connection was free, in all
	Waited    int       `json:"waited"`    // requests that waited for a connection
	Waits     Quantiles `json:"waits,omitzero"`
	Holds     Quantiles `json:"holds,omitzero"` // for how long a request kept a connection
	Trips     float64   `json:"trips"`          // sequential round trips while it did, the median
	RTT       Duration  `json:"rtt"`            // of the link's shape, as the calls felt it: the median time in shape
	Examples  []TraceID `json:"examples,omitempty"`
}

// Coverage is how well the parents of calls are known that carried no trace
// context.
type Coverage struct {
	Calls    int `json:"calls"`   // that links have seen, with context and without
	Context  int `json:"context"` // carried one, or their SDK told of them
	Certain  int `json:"certain"` // had none, and their parent is certain all the same
	Inferred int `json:"inferred"`
	Unknown  int `json:"unknown"`
}

// Telemetry is what a leg's spans and logs come to.
type Telemetry struct {
	Traces   []Trace // by their start
	Pools    []Pool  // of every link with connections that are kept
	Loose    []Node  // calls whose request is unknown, and connections that are no calls; Up is -1
	Coverage Coverage
	Logs     []LogRecord // by their time
	// Flaws count what was wrong with what SDKs sent: "duplicate span",
	// "missing parent", "clock skew".
	Flaws  map[string]int
	Result TelemetryResult
}

// TelemetryResult says what telemetry a leg left, and what of it is missing.
type TelemetryResult struct {
	Files []TelemetryFile `json:"files,omitempty"`
	// Spans are all that came, from links and SDKs; Lost of them are in no file.
	Spans   int64 `json:"spans"`
	Lost    int64 `json:"lost,omitempty"`
	Logs    int64 `json:"logs"`
	Metrics int64 `json:"metrics,omitempty"` // data points
	// Refused are the requests that were answered with 429 or
	// RESOURCE_EXHAUSTED, by service, and Malformed those with 400.
	Refused   map[ServiceName]int64 `json:"refused,omitempty"`
	Malformed map[ServiceName]int64 `json:"malformed,omitempty"`
	// Undecoded are connections whose bytes are no calls, by link and reason.
	Undecoded map[LinkID]map[string]int64 `json:"undecoded,omitempty"`
	// Operations are exact whatever is lost of the spans.
	Operations []OperationStats `json:"operations,omitempty"`
	// Quiet is false when calls were still in flight when the leg was closed.
	Quiet bool `json:"quiet"`
	// Forwarded and Unforwarded are spans that were sent on, or could not be.
	Forwarded   int64 `json:"forwarded,omitempty"`
	Unforwarded int64 `json:"unforwarded,omitempty"`
}

// TelemetryFile is a file of telemetry in the leg's directory.
type TelemetryFile struct {
	Name   string `json:"name"`
	Signal string `json:"signal"` // "traces", "logs", "metrics"
	Count  int64  `json:"count"`
	SHA256 string `json:"sha256"`
}

// OperationStats are the spans of one name on a link, or of one service.
type OperationStats struct {
	Link    LinkID      `json:"link,omitempty"` // empty: told by the service's SDK
	Service ServiceName `json:"service"`
	Name    string      `json:"name"`
	Kind    SpanKind    `json:"kind,omitempty"`
	Count   int64       `json:"count"`
	Errors  int64       `json:"errors,omitempty"`
	// Duration is exact in count, minimum, maximum and mean, and within 1 % in
	// its quantiles.
	Duration Quantiles `json:"duration"`
}
