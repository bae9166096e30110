package telemetry

import (
	"slices"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

// EncodeSpans writes spans as one TracesData message, for another process of ours
// to read with DecodeSpans.
func EncodeSpans(spans []rehearse.Span) []byte {
	ours := slices.Clone(spans)
	for i := range ours {
		s := &ours[i]
		if s.Resource != nil && !named(s.Resource, s.Service) {
			s.Resource = append(slices.Clone(s.Resource), rehearse.Attribute{Key: serviceAttribute, Value: string(s.Service)})
		}
	}
	return otlp.AppendTraces(nil, ours)
}

// named reports whether a resource says that it is the service.
func named(resource []rehearse.Attribute, service rehearse.ServiceName) bool {
	return slices.ContainsFunc(resource, func(a rehearse.Attribute) bool { return a.Key == "service.name" && a.Value == string(service) })
}

// DecodeSpans reads what EncodeSpans has written.
func DecodeSpans(messages []byte) (spans []rehearse.Span, err error) {
	err = walkSpans(messages, func() *rehearse.Span {
		spans = append(spans, rehearse.Span{})
		return &spans[len(spans)-1]
	})
	return spans, err
}

// DecodeLogs reads what otlp.AppendLogs has written.
func DecodeLogs(messages []byte) (logs []rehearse.LogRecord, err error) {
	err = walkLogs(messages, func() *rehearse.LogRecord {
		logs = append(logs, rehearse.LogRecord{})
		return &logs[len(logs)-1]
	})
	return logs, err
}
