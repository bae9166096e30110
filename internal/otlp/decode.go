package otlp

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	rehearse "github.com/rehearse-dev/rehearse"
)

// streamAttribute is the semantic convention for where a line was written:
// "stdout" or "stderr".
const streamAttribute = "log.iostream"

// Decode copies the span. Its service and resource are those of r, its scope the
// name of s. A span that ends before it starts has no duration.
func (sp *Span) Decode(r *Resource, s *Scope) rehearse.Span {
	out := rehearse.Span{
		Trace:      sp.Trace,
		ID:         sp.ID,
		Parent:     sp.Parent,
		Name:       text(sp.Name),
		Kind:       sp.Kind,
		Service:    rehearse.ServiceName(text(r.Service)),
		Scope:      text(s.Name),
		Start:      at(sp.Start),
		Status:     sp.Status,
		Message:    text(sp.Message),
		Attributes: decodeAttributes(sp.Raw, SpanAttributes),
		Resource:   decodeAttributes(r.Raw, ResourceAttributes),
	}
	if sp.End > sp.Start {
		out.Duration = rehearse.Duration(min(sp.End-sp.Start, math.MaxInt64))
	}
	for f := (&fields{b: sp.Raw}); f.next(); {
		switch {
		case f.is(11, wireBytes) && len(out.Events) < MaxList:
			out.Events = append(out.Events, decodeEvent(f.data))
		case f.is(13, wireBytes) && len(out.Links) < MaxList:
			out.Links = append(out.Links, decodeLink(f.data))
		}
	}
	return out
}

func decodeEvent(raw []byte) (e rehearse.SpanEvent) {
	for f := (&fields{b: raw}); f.next(); {
		switch {
		case f.is(1, wireFixed64):
			e.Time = at(f.n)
		case f.is(2, wireBytes):
			e.Name = text(f.data)
		}
	}
	e.Attributes = decodeAttributes(raw, EventAttributes)
	return e
}

func decodeLink(raw []byte) (l rehearse.SpanRef) {
	for f := (&fields{b: raw}); f.next(); {
		switch {
		case f.is(1, wireBytes):
			l.Trace = asTraceID(f.data)
		case f.is(2, wireBytes):
			l.Span = asSpanID(f.data)
		}
	}
	return l
}

// Decode copies the record. Its service is that of r. Its time is that of the
// observation where it has none of its own. A body that is no string is written
// as JSON. The attribute log.iostream becomes the stream.
func (l *Log) Decode(r *Resource, _ *Scope) rehearse.LogRecord {
	out := rehearse.LogRecord{
		Time:     at(l.Time),
		Service:  rehearse.ServiceName(text(r.Service)),
		Severity: l.Severity,
		Body:     bodyText(l.Body),
		Trace:    l.Trace,
		Span:     l.Span,
	}
	if l.Time == 0 {
		out.Time = at(l.Observed)
	}
	for _, a := range decodeAttributes(l.Raw, LogAttributes) {
		switch {
		case a.Key == streamAttribute && a.Value == "stdout":
			out.Stream = "out"
		case a.Key == streamAttribute && a.Value == "stderr":
			out.Stream = "err"
		default:
			out.Attributes = append(out.Attributes, a)
		}
	}
	return out
}

func bodyText(v Value) string {
	switch v.Kind() {
	case ValueEmpty:
		return ""
	case ValueString:
		return text(v.String())
	}
	return string(appendPlain(nil, v.Any()))
}

// appendPlain writes a value of [rehearse.Attribute] as plain JSON. NaN and the
// infinities, which JSON has not, are strings.
func appendPlain(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return appendDouble(b, v)
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendPlain(b, e)
		}
		return append(b, ']')
	case []rehearse.Attribute:
		b = append(b, '{')
		for i, a := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendPlain(b, a.Key), ':')
			b = appendPlain(b, a.Value)
		}
		return append(b, '}')
	}
	quoted, err := json.Marshal(v) // a string, or bytes as base64
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, quoted...)
}

// at is a time in nanoseconds since 1970; 0 is the zero time.
func at(ns uint64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(min(ns, math.MaxInt64))).UTC()
}
