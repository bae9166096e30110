package compat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

// message is a request of any signal, as pdata has it.
type message interface {
	MarshalProto() ([]byte, error)
	UnmarshalProto([]byte) error
	MarshalJSON() ([]byte, error)
	UnmarshalJSON([]byte) error
}

func newMessage(signal otlp.Signal) message {
	switch signal {
	case otlp.SignalTraces:
		return ptraceotlp.NewExportRequest()
	case otlp.SignalLogs:
		return plogotlp.NewExportRequest()
	}
	return pmetricotlp.NewExportRequest()
}

// generate makes a request of a signal with pdata.
func generate(signal otlp.Signal, seed uint64) message {
	g := newGenerator(seed)
	switch signal {
	case otlp.SignalTraces:
		return ptraceotlp.NewExportRequestFromTraces(g.traces())
	case otlp.SignalLogs:
		return plogotlp.NewExportRequestFromLogs(g.logs())
	}
	return pmetricotlp.NewExportRequestFromMetrics(g.metrics())
}

// items is how many spans, records or data points pdata sees.
func items(m message) int64 {
	switch m := m.(type) {
	case ptraceotlp.ExportRequest:
		return int64(m.Traces().SpanCount())
	case plogotlp.ExportRequest:
		return int64(m.Logs().LogRecordCount())
	case pmetricotlp.ExportRequest:
		return int64(m.Metrics().DataPointCount())
	}
	return 0
}

func marshal(t *testing.T, m message) []byte {
	t.Helper()
	b, err := m.MarshalProto()
	must(t, err)
	return b
}

var signals = []otlp.Signal{otlp.SignalTraces, otlp.SignalLogs, otlp.SignalMetrics}

// seeds are enough for every field to have been there, which the fuzzing's first
// round is run with.
const seeds = 300

func eachSeed(f *testing.F) {
	for seed := range uint64(seeds) {
		f.Add(seed)
	}
}

// FuzzDecode holds our decoder and encoder to pdata's.
func FuzzDecode(f *testing.F) {
	eachSeed(f)
	equal := cmp.Options{cmpopts.EquateNaNs(), cmpopts.EquateEmpty()}
	f.Fuzz(func(t *testing.T, seed uint64) {
		made := ptraceotlp.NewExportRequestFromTraces(newGenerator(seed).traces())
		spans := decodeTraces(t, marshal(t, made))
		if diff := cmp.Diff(spans, wantSpans(made.Traces()), equal); diff != "" {
			t.Error("what pdata wrote: got -, want +:\n", diff)
		}
		back := ptraceotlp.NewExportRequest()
		must(t, back.UnmarshalProto(otlp.AppendTraces(nil, spans)))
		if diff := cmp.Diff(wantSpans(back.Traces()), spans, equal); diff != "" {
			t.Error("what pdata reads of ours: got -, want +:\n", diff)
		}

		madeLogs := plogotlp.NewExportRequestFromLogs(newGenerator(seed).logs())
		records, bodies := decodeLogs(t, marshal(t, madeLogs))
		want, wantBodies := wantRecords(madeLogs.Logs())
		if diff := cmp.Diff(bodies, wantBodies, equal); diff != "" {
			t.Error("bodies that pdata wrote: got -, want +:\n", diff)
		}
		for i, body := range wantBodies {
			// What is no text is JSON, about which pdata is of another mind.
			if _, ok := body.(string); !ok && body != nil {
				want[i].Body = records[i].Body
			}
		}
		if diff := cmp.Diff(records, want, equal); diff != "" {
			t.Error("what pdata wrote: got -, want +:\n", diff)
		}
		backLogs := plogotlp.NewExportRequest()
		must(t, backLogs.UnmarshalProto(otlp.AppendLogs(nil, records)))
		// Ours are in the order of services.
		byService := cmpopts.SortSlices(func(a, b rehearse.LogRecord) bool { return fmt.Sprint(a) < fmt.Sprint(b) })
		read, _ := wantRecords(backLogs.Logs())
		if diff := cmp.Diff(read, records, equal, byService); diff != "" {
			t.Error("what pdata reads of ours: got -, want +:\n", diff)
		}
	})
}

// FuzzMetrics holds what we see of metrics to what pdata does.
func FuzzMetrics(f *testing.F) {
	eachSeed(f)
	types := map[pmetric.MetricType]otlp.MetricType{
		pmetric.MetricTypeEmpty: otlp.MetricEmpty, pmetric.MetricTypeGauge: otlp.MetricGauge, pmetric.MetricTypeSum: otlp.MetricSum,
		pmetric.MetricTypeHistogram: otlp.MetricHistogram, pmetric.MetricTypeExponentialHistogram: otlp.MetricExponentialHistogram,
		pmetric.MetricTypeSummary: otlp.MetricSummary,
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		type seen struct {
			Name, Unit string
			Type       otlp.MetricType
		}
		var got, want []seen
		var points int64
		made := pmetricotlp.NewExportRequestFromMetrics(newGenerator(seed).metrics())
		err := otlp.Metrics(marshal(t, made), func(_ *otlp.Resource, _ *otlp.Scope, m *otlp.Metric) error {
			got = append(got, seen{string(m.Name), string(m.Unit), m.Type})
			points += int64(m.Points)
			return nil
		})
		must(t, err)
		for _, r := range made.Metrics().ResourceMetrics().All() {
			for _, s := range r.ScopeMetrics().All() {
				for _, m := range s.Metrics().All() {
					want = append(want, seen{m.Name(), m.Unit(), types[m.Type()]})
				}
			}
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Error("got -, want +:\n", diff)
		}
		if want := int64(made.Metrics().DataPointCount()); points != want || otlp.Count(marshal(t, made), otlp.SignalMetrics) != want {
			t.Errorf("got %d points, want %d", points, want)
		}
	})
}

// FuzzJSON holds our JSON to pdata's, both ways, for each signal.
func FuzzJSON(f *testing.F) {
	eachSeed(f)
	f.Fuzz(func(t *testing.T, seed uint64) {
		for _, signal := range signals {
			made := generate(signal, seed)
			want := marshal(t, made)

			ours, err := otlp.ToJSON(want, signal)
			must(t, err)
			if !json.Valid(ours) {
				t.Fatalf("%s: not JSON: %s", signal, ours)
			}
			back := newMessage(signal)
			must(t, back.UnmarshalJSON(ours))
			if got := marshal(t, back); !bytes.Equal(got, want) {
				t.Errorf("%s: pdata reads our JSON as another request:\n%s", signal, ours)
			}

			theirs, err := made.MarshalJSON()
			must(t, err)
			b, err := otlp.FromJSON(theirs, signal)
			must(t, err)
			back = newMessage(signal)
			must(t, back.UnmarshalProto(b))
			if got := marshal(t, back); !bytes.Equal(got, want) {
				t.Errorf("%s: we read pdata's JSON as another request:\n%s", signal, theirs)
			}
		}
	})
}

// FuzzBytes gives any bytes to both. What pdata cannot read we must refuse, and
// what both read must have as many items. We refuse more: ids of a wrong length,
// deep values, varints of more than 64 bits. We take more in one place: two fields
// of attributes, …Strindex, are for profiles alone, and unknown to us.
func FuzzBytes(f *testing.F) {
	for seed := range uint64(40) {
		for _, signal := range signals {
			b, err := generate(signal, seed).MarshalProto()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, signal := range signals {
			count, err := walk(b, signal)
			theirs := newMessage(signal)
			theirErr := unmarshal(theirs, b)
			switch {
			case theirErr != nil && strings.HasSuffix(theirErr.Error(), "Strindex"):
			case theirErr != nil && err == nil:
				t.Errorf("%s: pdata refuses what we take: %v", signal, theirErr)
			case theirErr == nil && err == nil && count != items(theirs):
				t.Errorf("%s: got %d items, want %d", signal, count, items(theirs))
			}
		}
	})
}

// unmarshal is UnmarshalProto; a panic is an error.
func unmarshal(m message, b []byte) (err error) {
	defer func() {
		if failure := recover(); failure != nil {
			err = fmt.Errorf("panic: %v", failure)
		}
	}()
	return m.UnmarshalProto(b)
}

// walk counts what is in a request, what is rejected included.
func walk(b []byte, signal otlp.Signal) (count int64, err error) {
	switch signal {
	case otlp.SignalTraces:
		err = otlp.Traces(b, func(*otlp.Resource, *otlp.Scope, *otlp.Span) error {
			count++
			return nil
		})
	case otlp.SignalLogs:
		err = otlp.Logs(b, func(*otlp.Resource, *otlp.Scope, *otlp.Log) error {
			count++
			return nil
		})
	case otlp.SignalMetrics:
		err = otlp.Metrics(b, func(_ *otlp.Resource, _ *otlp.Scope, m *otlp.Metric) error {
			count += int64(m.Points)
			return nil
		})
	}
	if partial, ok := errors.AsType[*otlp.Partial](err); ok {
		return count + partial.Rejected, nil
	}
	return count, err
}

func decodeTraces(t *testing.T, b []byte) (spans []rehearse.Span) {
	t.Helper()
	must(t, otlp.Traces(b, func(r *otlp.Resource, s *otlp.Scope, sp *otlp.Span) error {
		spans = append(spans, sp.Decode(r, s))
		return nil
	}))
	return spans
}

func decodeLogs(t *testing.T, b []byte) (records []rehearse.LogRecord, bodies []any) {
	t.Helper()
	must(t, otlp.Logs(b, func(r *otlp.Resource, s *otlp.Scope, l *otlp.Log) error {
		records = append(records, l.Decode(r, s))
		bodies = append(bodies, l.Body.Any())
		return nil
	}))
	return records, bodies
}

// wantSpans are the spans that pdata sees, as nouns of ours.
func wantSpans(traces ptrace.Traces) (spans []rehearse.Span) {
	for _, r := range traces.ResourceSpans().All() {
		for _, s := range r.ScopeSpans().All() {
			for _, sp := range s.Spans().All() {
				span := rehearse.Span{
					Trace: rehearse.TraceID(sp.TraceID()), ID: rehearse.SpanID(sp.SpanID()), Parent: rehearse.SpanID(sp.ParentSpanID()),
					Name: sp.Name(), Kind: rehearse.SpanKind(sp.Kind()), Service: serviceOf(r.Resource()), Scope: s.Scope().Name(),
					Start: sp.StartTimestamp().AsTime(), Duration: rehearse.Duration(max(0, sp.EndTimestamp().AsTime().Sub(sp.StartTimestamp().AsTime()))),
					Status: rehearse.SpanStatus(sp.Status().Code()), Message: sp.Status().Message(),
					Attributes: wantAttributes(sp.Attributes()), Resource: wantAttributes(r.Resource().Attributes()),
				}
				for _, e := range sp.Events().All() {
					span.Events = append(span.Events, rehearse.SpanEvent{Time: e.Timestamp().AsTime(), Name: e.Name(), Attributes: wantAttributes(e.Attributes())})
				}
				for _, l := range sp.Links().All() {
					span.Links = append(span.Links, rehearse.SpanRef{Trace: rehearse.TraceID(l.TraceID()), Span: rehearse.SpanID(l.SpanID())})
				}
				spans = append(spans, span)
			}
		}
	}
	return spans
}

// wantRecords are the records that pdata sees, as nouns of ours, and the values of
// their bodies.
func wantRecords(logs plog.Logs) (records []rehearse.LogRecord, bodies []any) {
	for _, r := range logs.ResourceLogs().All() {
		for _, s := range r.ScopeLogs().All() {
			for _, l := range s.LogRecords().All() {
				record := rehearse.LogRecord{
					Time: l.Timestamp().AsTime(), Service: serviceOf(r.Resource()), Severity: rehearse.Severity(l.SeverityNumber()), Body: l.Body().Str(),
					Trace: rehearse.TraceID(l.TraceID()), Span: rehearse.SpanID(l.SpanID()), Attributes: wantAttributes(l.Attributes()),
				}
				if l.Timestamp() == 0 {
					record.Time = l.ObservedTimestamp().AsTime()
				}
				records = append(records, record)
				bodies = append(bodies, wantValue(l.Body()))
			}
		}
	}
	return records, bodies
}

func serviceOf(r pcommon.Resource) rehearse.ServiceName {
	v, ok := r.Attributes().Get("service.name")
	switch {
	case !ok:
		return ""
	case v.Type() == pcommon.ValueTypeBytes:
		return rehearse.ServiceName(strings.ToValidUTF8(string(v.Bytes().AsRaw()), "\ufffd"))
	}
	return rehearse.ServiceName(v.Str())
}

func wantAttributes(m pcommon.Map) (all []rehearse.Attribute) {
	for key, v := range m.All() {
		all = append(all, rehearse.Attribute{Key: key, Value: wantValue(v)})
	}
	return all
}

func wantValue(v pcommon.Value) any {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return v.Str()
	case pcommon.ValueTypeBool:
		return v.Bool()
	case pcommon.ValueTypeInt:
		return v.Int()
	case pcommon.ValueTypeDouble:
		return v.Double()
	case pcommon.ValueTypeBytes:
		return v.Bytes().AsRaw()
	case pcommon.ValueTypeSlice:
		list := []any{}
		for _, e := range v.Slice().All() {
			list = append(list, wantValue(e))
		}
		return list
	case pcommon.ValueTypeMap:
		return wantAttributes(v.Map())
	}
	return nil
}
