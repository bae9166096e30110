package otlp

// kind is the type of a field.
type kind uint8

const (
	kindNone kind = iota // no such field
	kindString
	kindBytes   // base64 in JSON
	kindTrace   // 16 bytes or none, hexadecimal in JSON
	kindSpan    // 8 bytes or none, hexadecimal in JSON
	kindMessage // of field.of
	kindBool
	kindInt32
	kindUint32
	kindSint32
	kindInt64 // this and all 64-bit integers below are strings in JSON
	kindUint64
	kindEnum    // with field.names by number
	kindFixed32 // unsigned
	kindFixed64
	kindSfixed64
	kindDouble
)

// wire is how a value lies in the bytes.
type wire uint8

const (
	wireVarint  wire = 0
	wireFixed64 wire = 1
	wireBytes   wire = 2
	wireFixed32 wire = 5
)

func (k kind) wire() wire {
	switch k {
	case kindString, kindBytes, kindTrace, kindSpan, kindMessage:
		return wireBytes
	case kindFixed32:
		return wireFixed32
	case kindFixed64, kindSfixed64, kindDouble:
		return wireFixed64
	}
	return wireVarint
}

// idSize is how long an id of the kind is, and 0 for others.
func (k kind) idSize() int {
	switch k {
	case kindTrace:
		return 16
	case kindSpan:
		return 8
	}
	return 0
}

// field is one field of a message.
type field struct {
	name     string // in JSON
	kind     kind
	of       messageID
	repeated bool
	oneof    bool     // of its message's one choice: the last that comes counts
	names    []string // of an enum
}

// packable reports whether values may lie one behind the other in one field.
func (f *field) packable() bool { return f.repeated && f.kind.wire() != wireBytes }

// message is one of OTLP's messages. A field's index is its number.
type message struct {
	name   string
	fields []field
}

type messageID uint8

const (
	msgTraces messageID = iota
	msgResourceSpans
	msgScopeSpans
	msgSpan
	msgEvent
	msgLink
	msgStatus
	msgLogs
	msgResourceLogs
	msgScopeLogs
	msgLogRecord
	msgMetrics
	msgResourceMetrics
	msgScopeMetrics
	msgMetric
	msgGauge
	msgSum
	msgHistogram
	msgExponentialHistogram
	msgSummary
	msgNumberPoint
	msgHistogramPoint
	msgExponentialHistogramPoint
	msgBuckets
	msgSummaryPoint
	msgQuantile
	msgExemplar
	msgResource
	msgEntityRef
	msgScope
	msgKeyValue
	msgAnyValue
	msgArrayValue
	msgKeyValueList
	msgTracesResponse
	msgLogsResponse
	msgMetricsResponse
	msgTracesPartial
	msgLogsPartial
	msgMetricsPartial
	msgRPCStatus
	messages
)

// maxField is the largest field number in the schema.
const maxField = 16

// The numbers of fields that the walk and the encoder name. Those of a field of
// KeyValues are for [Attributes].
const (
	SpanAttributes     = 9
	EventAttributes    = 3
	LogAttributes      = 6
	ResourceAttributes = 1
)

func one(name string, of messageID) field { return field{name: name, kind: kindMessage, of: of} }
func many(name string, of messageID) field {
	return field{name: name, kind: kindMessage, of: of, repeated: true}
}
func choice(name string, k kind) field { return field{name: name, kind: k, oneof: true} }
func chosen(name string, of messageID) field {
	return field{name: name, kind: kindMessage, of: of, oneof: true}
}

var (
	attributes  = many("attributes", msgKeyValue)
	dropped     = field{name: "droppedAttributesCount", kind: kindUint32}
	schemaURL   = field{name: "schemaUrl", kind: kindString}
	traceID     = field{name: "traceId", kind: kindTrace}
	spanID      = field{name: "spanId", kind: kindSpan}
	traceState  = field{name: "traceState", kind: kindString}
	startTime   = field{name: "startTimeUnixNano", kind: kindFixed64}
	pointTime   = field{name: "timeUnixNano", kind: kindFixed64}
	pointFlags  = field{name: "flags", kind: kindUint32}
	exemplars   = many("exemplars", msgExemplar)
	temporality = field{name: "aggregationTemporality", kind: kindEnum, names: []string{
		"AGGREGATION_TEMPORALITY_UNSPECIFIED", "AGGREGATION_TEMPORALITY_DELTA", "AGGREGATION_TEMPORALITY_CUMULATIVE",
	}}
	spanKind = field{name: "kind", kind: kindEnum, names: []string{
		"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER",
	}}
	statusCode = field{name: "code", kind: kindEnum, names: []string{
		"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR",
	}}
	severity = field{name: "severityNumber", kind: kindEnum, names: []string{
		"SEVERITY_NUMBER_UNSPECIFIED",
		"SEVERITY_NUMBER_TRACE", "SEVERITY_NUMBER_TRACE2", "SEVERITY_NUMBER_TRACE3", "SEVERITY_NUMBER_TRACE4",
		"SEVERITY_NUMBER_DEBUG", "SEVERITY_NUMBER_DEBUG2", "SEVERITY_NUMBER_DEBUG3", "SEVERITY_NUMBER_DEBUG4",
		"SEVERITY_NUMBER_INFO", "SEVERITY_NUMBER_INFO2", "SEVERITY_NUMBER_INFO3", "SEVERITY_NUMBER_INFO4",
		"SEVERITY_NUMBER_WARN", "SEVERITY_NUMBER_WARN2", "SEVERITY_NUMBER_WARN3", "SEVERITY_NUMBER_WARN4",
		"SEVERITY_NUMBER_ERROR", "SEVERITY_NUMBER_ERROR2", "SEVERITY_NUMBER_ERROR3", "SEVERITY_NUMBER_ERROR4",
		"SEVERITY_NUMBER_FATAL", "SEVERITY_NUMBER_FATAL2", "SEVERITY_NUMBER_FATAL3", "SEVERITY_NUMBER_FATAL4",
	}}
)

// schema is opentelemetry-proto 1.x without profiles, and what answers are made
// of. Fields that are missing here are skipped, as protobuf has it.
var schema = [messages]message{
	msgTraces:        {"TracesData", []field{1: many("resourceSpans", msgResourceSpans)}},
	msgResourceSpans: {"ResourceSpans", []field{1: one("resource", msgResource), 2: many("scopeSpans", msgScopeSpans), 3: schemaURL}},
	msgScopeSpans:    {"ScopeSpans", []field{1: one("scope", msgScope), 2: many("spans", msgSpan), 3: schemaURL}},
	msgSpan: {"Span", []field{
		1:  traceID,
		2:  spanID,
		3:  traceState,
		4:  {name: "parentSpanId", kind: kindSpan},
		5:  {name: "name", kind: kindString},
		6:  spanKind,
		7:  startTime,
		8:  {name: "endTimeUnixNano", kind: kindFixed64},
		9:  attributes,
		10: dropped,
		11: many("events", msgEvent),
		12: {name: "droppedEventsCount", kind: kindUint32},
		13: many("links", msgLink),
		14: {name: "droppedLinksCount", kind: kindUint32},
		15: one("status", msgStatus),
		16: {name: "flags", kind: kindFixed32},
	}},
	msgEvent: {"Event", []field{
		1: pointTime,
		2: {name: "name", kind: kindString},
		3: attributes,
		4: dropped,
	}},
	msgLink: {"Link", []field{
		1: traceID,
		2: spanID,
		3: traceState,
		4: attributes,
		5: dropped,
		6: {name: "flags", kind: kindFixed32},
	}},
	msgStatus: {"Status", []field{2: {name: "message", kind: kindString}, 3: statusCode}},

	msgLogs:         {"LogsData", []field{1: many("resourceLogs", msgResourceLogs)}},
	msgResourceLogs: {"ResourceLogs", []field{1: one("resource", msgResource), 2: many("scopeLogs", msgScopeLogs), 3: schemaURL}},
	msgScopeLogs:    {"ScopeLogs", []field{1: one("scope", msgScope), 2: many("logRecords", msgLogRecord), 3: schemaURL}},
	msgLogRecord: {"LogRecord", []field{
		1:  pointTime,
		2:  severity,
		3:  {name: "severityText", kind: kindString},
		5:  one("body", msgAnyValue),
		6:  attributes,
		7:  dropped,
		8:  {name: "flags", kind: kindFixed32},
		9:  traceID,
		10: spanID,
		11: {name: "observedTimeUnixNano", kind: kindFixed64},
		12: {name: "eventName", kind: kindString},
	}},

	msgMetrics:         {"MetricsData", []field{1: many("resourceMetrics", msgResourceMetrics)}},
	msgResourceMetrics: {"ResourceMetrics", []field{1: one("resource", msgResource), 2: many("scopeMetrics", msgScopeMetrics), 3: schemaURL}},
	msgScopeMetrics:    {"ScopeMetrics", []field{1: one("scope", msgScope), 2: many("metrics", msgMetric), 3: schemaURL}},
	msgMetric: {"Metric", []field{
		1:  {name: "name", kind: kindString},
		2:  {name: "description", kind: kindString},
		3:  {name: "unit", kind: kindString},
		5:  chosen("gauge", msgGauge),
		7:  chosen("sum", msgSum),
		9:  chosen("histogram", msgHistogram),
		10: chosen("exponentialHistogram", msgExponentialHistogram),
		11: chosen("summary", msgSummary),
		12: many("metadata", msgKeyValue),
	}},
	msgGauge: {"Gauge", []field{1: many("dataPoints", msgNumberPoint)}},
	msgSum: {"Sum", []field{
		1: many("dataPoints", msgNumberPoint),
		2: temporality,
		3: {name: "isMonotonic", kind: kindBool},
	}},
	msgHistogram:            {"Histogram", []field{1: many("dataPoints", msgHistogramPoint), 2: temporality}},
	msgExponentialHistogram: {"ExponentialHistogram", []field{1: many("dataPoints", msgExponentialHistogramPoint), 2: temporality}},
	msgSummary:              {"Summary", []field{1: many("dataPoints", msgSummaryPoint)}},
	msgNumberPoint: {"NumberDataPoint", []field{
		2: startTime,
		3: pointTime,
		4: choice("asDouble", kindDouble),
		5: exemplars,
		6: choice("asInt", kindSfixed64),
		7: attributes,
		8: pointFlags,
	}},
	msgHistogramPoint: {"HistogramDataPoint", []field{
		2:  startTime,
		3:  pointTime,
		4:  {name: "count", kind: kindFixed64},
		5:  {name: "sum", kind: kindDouble},
		6:  {name: "bucketCounts", kind: kindFixed64, repeated: true},
		7:  {name: "explicitBounds", kind: kindDouble, repeated: true},
		8:  exemplars,
		9:  attributes,
		10: pointFlags,
		11: {name: "min", kind: kindDouble},
		12: {name: "max", kind: kindDouble},
	}},
	msgExponentialHistogramPoint: {"ExponentialHistogramDataPoint", []field{
		1:  attributes,
		2:  startTime,
		3:  pointTime,
		4:  {name: "count", kind: kindFixed64},
		5:  {name: "sum", kind: kindDouble},
		6:  {name: "scale", kind: kindSint32},
		7:  {name: "zeroCount", kind: kindFixed64},
		8:  one("positive", msgBuckets),
		9:  one("negative", msgBuckets),
		10: pointFlags,
		11: exemplars,
		12: {name: "min", kind: kindDouble},
		13: {name: "max", kind: kindDouble},
		14: {name: "zeroThreshold", kind: kindDouble},
	}},
	msgBuckets: {"Buckets", []field{
		1: {name: "offset", kind: kindSint32},
		2: {name: "bucketCounts", kind: kindUint64, repeated: true},
	}},
	msgSummaryPoint: {"SummaryDataPoint", []field{
		2: startTime,
		3: pointTime,
		4: {name: "count", kind: kindFixed64},
		5: {name: "sum", kind: kindDouble},
		6: many("quantileValues", msgQuantile),
		7: attributes,
		8: pointFlags,
	}},
	msgQuantile: {"ValueAtQuantile", []field{1: {name: "quantile", kind: kindDouble}, 2: {name: "value", kind: kindDouble}}},
	msgExemplar: {"Exemplar", []field{
		2: pointTime,
		3: choice("asDouble", kindDouble),
		4: spanID,
		5: traceID,
		6: choice("asInt", kindSfixed64),
		7: many("filteredAttributes", msgKeyValue),
	}},

	msgResource: {"Resource", []field{1: attributes, 2: dropped, 3: many("entityRefs", msgEntityRef)}},
	msgEntityRef: {"EntityRef", []field{
		1: schemaURL,
		2: {name: "type", kind: kindString},
		3: {name: "idKeys", kind: kindString, repeated: true},
		4: {name: "descriptionKeys", kind: kindString, repeated: true},
	}},
	msgScope: {"InstrumentationScope", []field{
		1: {name: "name", kind: kindString},
		2: {name: "version", kind: kindString},
		3: attributes,
		4: dropped,
	}},
	msgKeyValue: {"KeyValue", []field{1: {name: "key", kind: kindString}, 2: one("value", msgAnyValue)}},
	msgAnyValue: {"AnyValue", []field{
		1: choice("stringValue", kindString),
		2: choice("boolValue", kindBool),
		3: choice("intValue", kindInt64),
		4: choice("doubleValue", kindDouble),
		5: chosen("arrayValue", msgArrayValue),
		6: chosen("kvlistValue", msgKeyValueList),
		7: choice("bytesValue", kindBytes),
	}},
	msgArrayValue:   {"ArrayValue", []field{1: many("values", msgAnyValue)}},
	msgKeyValueList: {"KeyValueList", []field{1: many("values", msgKeyValue)}},

	msgTracesResponse:  {"ExportTraceServiceResponse", []field{1: one("partialSuccess", msgTracesPartial)}},
	msgLogsResponse:    {"ExportLogsServiceResponse", []field{1: one("partialSuccess", msgLogsPartial)}},
	msgMetricsResponse: {"ExportMetricsServiceResponse", []field{1: one("partialSuccess", msgMetricsPartial)}},
	msgTracesPartial:   {"ExportTracePartialSuccess", []field{1: {name: "rejectedSpans", kind: kindInt64}, 2: {name: "errorMessage", kind: kindString}}},
	msgLogsPartial:     {"ExportLogsPartialSuccess", []field{1: {name: "rejectedLogRecords", kind: kindInt64}, 2: {name: "errorMessage", kind: kindString}}},
	msgMetricsPartial:  {"ExportMetricsPartialSuccess", []field{1: {name: "rejectedDataPoints", kind: kindInt64}, 2: {name: "errorMessage", kind: kindString}}},
	msgRPCStatus:       {"Status", []field{1: {name: "code", kind: kindInt32}, 2: {name: "message", kind: kindString}}},
}

// request and response are the messages of a signal.
func (s Signal) request() messageID {
	return [Signals]messageID{msgTraces, msgLogs, msgMetrics}[s]
}

func (s Signal) response() messageID {
	return [Signals]messageID{msgTracesResponse, msgLogsResponse, msgMetricsResponse}[s]
}
