package otlp

import (
	"fmt"

	rehearse "github.com/rehearse-dev/rehearse"
)

// Resource is who has sent.
type Resource struct {
	Raw     []byte // the Resource message's bytes
	Service []byte // service.name, nil when there is none
}

// Scope is the instrumentation that has written.
type Scope struct {
	Name, Version []byte
}

// Span is a span, as a view into the bytes of its request.
type Span struct {
	Raw        []byte // the Span message's bytes
	Trace      rehearse.TraceID
	ID         rehearse.SpanID
	Parent     rehearse.SpanID // zero: none
	Name       []byte
	Kind       rehearse.SpanKind
	Start, End uint64 // nanoseconds since 1970
	Status     rehearse.SpanStatus
	Message    []byte // of the status
	// How many there are.
	Attributes, Events, Links int
}

// Log is a log record, as a view into the bytes of its request.
type Log struct {
	Raw            []byte // the LogRecord message's bytes
	Time, Observed uint64 // nanoseconds since 1970; 0: unknown
	Severity       rehearse.Severity
	SeverityText   []byte
	Body           Value
	Trace          rehearse.TraceID
	Span           rehearse.SpanID
	Attributes     int // how many there are
}

// MetricType is what a metric is.
type MetricType uint8

// The types of metric, with the numbers of Metric's fields.
const (
	MetricEmpty                MetricType = 0
	MetricGauge                MetricType = 5
	MetricSum                  MetricType = 7
	MetricHistogram            MetricType = 9
	MetricExponentialHistogram MetricType = 10
	MetricSummary              MetricType = 11
)

// Metric is a metric, as a view into the bytes of its request.
type Metric struct {
	Raw        []byte // the Metric message's bytes
	Name, Unit []byte
	Type       MetricType
	Points     int // data points
}

// Traces calls visit for each span of an ExportTraceServiceRequest, which is the
// same as a TracesData. What it shows is good for the call alone.
//
// A [*Malformed] error says that b is no such request: visit was not called. A
// [*Partial] one says that some spans have no trace id or no id of their own:
// visit was called for all others. An error of visit ends the walk and comes back.
func Traces(b []byte, visit func(*Resource, *Scope, *Span) error) error {
	if fault := check(b, 0, len(b), msgTraces, 0); fault != nil {
		return fault
	}
	var sp Span
	var partial *Partial
	err := walk(b, func(r *Resource, s *Scope, raw []byte) error {
		sp.parse(raw)
		if reason := sp.fault(); reason != "" {
			if partial == nil {
				partial = &Partial{Reason: fmt.Sprintf("span %q has %s", sp.Name, reason)}
			}
			partial.Rejected++
			return nil
		}
		return visit(r, s, &sp)
	})
	if err == nil && partial != nil {
		return partial
	}
	return err
}

// Logs is like [Traces] for an ExportLogsServiceRequest. No record is rejected.
func Logs(b []byte, visit func(*Resource, *Scope, *Log) error) error {
	if fault := check(b, 0, len(b), msgLogs, 0); fault != nil {
		return fault
	}
	var l Log
	return walk(b, func(r *Resource, s *Scope, raw []byte) error {
		l.parse(raw)
		return visit(r, s, &l)
	})
}

// Metrics is like [Traces] for an ExportMetricsServiceRequest. No metric is rejected.
func Metrics(b []byte, visit func(*Resource, *Scope, *Metric) error) error {
	if fault := check(b, 0, len(b), msgMetrics, 0); fault != nil {
		return fault
	}
	var m Metric
	return walk(b, func(r *Resource, s *Scope, raw []byte) error {
		m.parse(raw)
		return visit(r, s, &m)
	})
}

// Count is the number of spans, log records or data points in a request. Where it
// is malformed, it stops.
func Count(b []byte, signal Signal) (n int64) {
	_ = walk(b, func(_ *Resource, _ *Scope, raw []byte) error {
		if signal != SignalMetrics {
			n++
			return nil
		}
		var m Metric
		m.parse(raw)
		n += int64(m.Points)
		return nil
	})
	return n
}

// walk goes down to the items of a request. All signals number their fields alike:
// a request has resources in field 1; each has a resource in 1 and scopes in 2;
// each of these has a scope in 1 and the items in 2. The resource or scope may
// come behind what is in it, so that it is looked for first.
func walk(b []byte, visit func(r *Resource, s *Scope, raw []byte) error) error {
	var r Resource
	var s Scope
	for request := (&fields{b: b}); request.next(); {
		if !request.is(1, wireBytes) {
			continue
		}
		r.parse(inside(request.data))
		for scopes := (&fields{b: request.data}); scopes.next(); {
			if !scopes.is(2, wireBytes) {
				continue
			}
			s.parse(inside(scopes.data))
			for items := (&fields{b: scopes.data}); items.next(); {
				if !items.is(2, wireBytes) {
					continue
				}
				if err := visit(&r, &s, items.data); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// inside is the last field 1 of a message.
func inside(b []byte) (data []byte) {
	for f := (&fields{b: b}); f.next(); {
		if f.is(1, wireBytes) {
			data = f.data
		}
	}
	return data
}

// ParseResource reads the bytes of a Resource message, those of [Resource.Raw].
func ParseResource(raw []byte) (r Resource) {
	r.parse(raw)
	return r
}

// ParseSpan reads the bytes of a Span message, those of [Span.Raw].
func ParseSpan(raw []byte) (sp Span) {
	sp.parse(raw)
	return sp
}

// ParseLog reads the bytes of a LogRecord message, those of [Log.Raw].
func ParseLog(raw []byte) (l Log) {
	l.parse(raw)
	return l
}

func (r *Resource) parse(raw []byte) {
	*r = Resource{Raw: raw}
	for key, value := range Attributes(raw, ResourceAttributes) {
		if string(key) == "service.name" {
			r.Service = value.String()
		}
	}
}

func (s *Scope) parse(raw []byte) {
	*s = Scope{}
	for f := (&fields{b: raw}); f.next(); {
		switch {
		case f.is(1, wireBytes):
			s.Name = f.data
		case f.is(2, wireBytes):
			s.Version = f.data
		}
	}
}

func (sp *Span) parse(raw []byte) {
	*sp = Span{Raw: raw}
	for f := (&fields{b: raw}); f.next(); {
		switch f.num {
		case 1:
			sp.Trace = asTraceID(f.data)
		case 2:
			sp.ID = asSpanID(f.data)
		case 4:
			sp.Parent = asSpanID(f.data)
		case 5:
			sp.Name = f.data
		case 6:
			sp.Kind = rehearse.SpanKind(bounded(f.n, uint64(rehearse.SpanConsumer)))
		case 7:
			sp.Start = f.n
		case 8:
			sp.End = f.n
		case SpanAttributes:
			sp.Attributes++
		case 11:
			sp.Events++
		case 13:
			sp.Links++
		case 15:
			sp.Status, sp.Message = status(f.data)
		}
	}
}

// fault is what makes a span useless, or empty.
func (sp *Span) fault() string {
	switch {
	case sp.Trace.IsZero():
		return "no trace id"
	case sp.ID.IsZero():
		return "no span id"
	}
	return ""
}

func status(raw []byte) (code rehearse.SpanStatus, message []byte) {
	for f := (&fields{b: raw}); f.next(); {
		switch {
		case f.is(2, wireBytes):
			message = f.data
		case f.is(3, wireVarint):
			code = rehearse.SpanStatus(bounded(f.n, uint64(rehearse.StatusError)))
		}
	}
	return code, message
}

func (l *Log) parse(raw []byte) {
	*l = Log{Raw: raw}
	for f := (&fields{b: raw}); f.next(); {
		switch f.num {
		case 1:
			l.Time = f.n
		case 2:
			l.Severity = rehearse.Severity(bounded(f.n, uint64(rehearse.SeverityFatal)+3))
		case 3:
			l.SeverityText = f.data
		case 5:
			l.Body = ParseValue(f.data)
		case LogAttributes:
			l.Attributes++
		case 9:
			l.Trace = asTraceID(f.data)
		case 10:
			l.Span = asSpanID(f.data)
		case 11:
			l.Observed = f.n
		}
	}
}

func (m *Metric) parse(raw []byte) {
	*m = Metric{Raw: raw}
	for f := (&fields{b: raw}); f.next(); {
		switch {
		case f.is(1, wireBytes):
			m.Name = f.data
		case f.is(3, wireBytes):
			m.Unit = f.data
		case f.num < len(schema[msgMetric].fields) && schema[msgMetric].fields[f.num].oneof:
			m.Type, m.Points = MetricType(f.num), 0
			for points := (&fields{b: f.data}); points.next(); {
				if points.is(1, wireBytes) {
					m.Points++
				}
			}
		}
	}
}

// asTraceID is an id of the right length; an empty one is zero.
func asTraceID(b []byte) (id rehearse.TraceID) {
	if len(b) == len(id) {
		id = rehearse.TraceID(b)
	}
	return id
}

// asSpanID is like asTraceID.
func asSpanID(b []byte) (id rehearse.SpanID) {
	if len(b) == len(id) {
		id = rehearse.SpanID(b)
	}
	return id
}

// bounded is n, and 0 when it is none of an enum's values.
func bounded(n, limit uint64) uint64 {
	if n > limit {
		return 0
	}
	return n
}
