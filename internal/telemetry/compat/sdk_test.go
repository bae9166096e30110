package compat

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
	"github.com/rehearse-dev/rehearse/internal/telemetry"
)

var start = time.Date(2026, 1, 2, 10, 0, 0, 123456789, time.UTC)

// given and received are the same attributes, of all types that the SDK has.
var (
	given = []attribute.KeyValue{
		attribute.String("text", "é\u0000\u2028"), attribute.String("none", ""), attribute.Bool("yes", true), attribute.Bool("no", false),
		attribute.Int64("least", math.MinInt64), attribute.Int64("most", math.MaxInt64), attribute.Int("zero", 0),
		attribute.Float64("half", 0.5), attribute.Float64("infinite", math.Inf(-1)),
		attribute.StringSlice("texts", []string{"a", ""}), attribute.BoolSlice("bools", []bool{true, false}),
		attribute.Int64Slice("ints", []int64{-1, 1}), attribute.Float64Slice("floats", []float64{0, 1.5}), attribute.StringSlice("nobody", []string{}),
		attribute.ByteSlice("raw", []byte{0, 255}),
		attribute.Slice("mixed", attribute.IntValue(1), attribute.StringValue("b"), attribute.SliceValue(attribute.BoolValue(true))),
		attribute.Map("map", attribute.String("k", "v"), attribute.Map("within", attribute.Int("n", 7))),
	}
	// The SDK sorts maps.
	received = []rehearse.Attribute{
		{Key: "text", Value: "é\u0000\u2028"}, {Key: "none", Value: ""}, {Key: "yes", Value: true}, {Key: "no", Value: false},
		{Key: "least", Value: int64(math.MinInt64)}, {Key: "most", Value: int64(math.MaxInt64)}, {Key: "zero", Value: int64(0)},
		{Key: "half", Value: 0.5}, {Key: "infinite", Value: math.Inf(-1)},
		{Key: "texts", Value: []any{"a", ""}}, {Key: "bools", Value: []any{true, false}},
		{Key: "ints", Value: []any{int64(-1), int64(1)}}, {Key: "floats", Value: []any{0.0, 1.5}}, {Key: "nobody", Value: []any{}},
		{Key: "raw", Value: []byte{0, 255}},
		{Key: "mixed", Value: []any{int64(1), "b", []any{true}}},
		{Key: "map", Value: []rehearse.Attribute{{Key: "k", Value: "v"}, {Key: "within", Value: []rehearse.Attribute{{Key: "n", Value: int64(7)}}}}},
	}
)

// ofShop is its resource; the SDK sorts what is in one.
var ofShop = resource.NewSchemaless(attribute.String("service.name", "shop"), attribute.Int("host.cpus", 4))

var receivedResource = []rehearse.Attribute{{Key: "host.cpus", Value: int64(4)}, {Key: "service.name", Value: "shop"}}

func TestGoTraces(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			r := receive(t, nil)
			failures := handled(t)
			provider := sdktrace.NewTracerProvider(sdktrace.WithResource(ofShop), sdktrace.WithBatcher(transport.make(t, r.address).traces))
			tracer := provider.Tracer("shop/orders", trace.WithInstrumentationVersion("1.2"))

			ctx, root := tracer.Start(t.Context(), "POST /orders", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(start), trace.WithAttributes(given...))
			_, child := tracer.Start(ctx, "INSERT orders", trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(start.Add(time.Millisecond)),
				trace.WithLinks(trace.Link{SpanContext: root.SpanContext(), Attributes: []attribute.KeyValue{attribute.String("why", "batch")}}))
			child.AddEvent("retry", trace.WithTimestamp(start.Add(2*time.Millisecond)), trace.WithAttributes(attribute.Int("attempt", 2)))
			child.SetStatus(codes.Error, "it broke")
			child.End(trace.WithTimestamp(start.Add(3 * time.Millisecond)))
			root.SetStatus(codes.Ok, "")
			root.End(trace.WithTimestamp(start.Add(5 * time.Millisecond)))
			must(t, provider.Shutdown(t.Context()))

			ids := func(s trace.Span) (rehearse.TraceID, rehearse.SpanID) {
				return rehearse.TraceID(s.SpanContext().TraceID()), rehearse.SpanID(s.SpanContext().SpanID())
			}
			traceID, rootID := ids(root)
			_, childID := ids(child)
			want := []rehearse.Span{
				{
					Trace: traceID, ID: rootID, Name: "POST /orders", Kind: rehearse.SpanServer, Service: "shop", Scope: "shop/orders",
					Start: start, Duration: rehearse.Duration(5 * time.Millisecond), Status: rehearse.StatusOK,
					Attributes: received, Resource: receivedResource,
				},
				{
					Trace: traceID, ID: childID, Parent: rootID, Name: "INSERT orders", Kind: rehearse.SpanClient, Service: "shop", Scope: "shop/orders",
					Start: start.Add(time.Millisecond), Duration: rehearse.Duration(2 * time.Millisecond), Status: rehearse.StatusError, Message: "it broke",
					Resource: receivedResource,
					Events:   []rehearse.SpanEvent{{Time: start.Add(2 * time.Millisecond), Name: "retry", Attributes: []rehearse.Attribute{{Key: "attempt", Value: int64(2)}}}},
					Links:    []rehearse.SpanRef{{Trace: traceID, Span: rootID}},
				},
			}
			if diff := cmp.Diff(r.Spans(telemetry.Query{}), want); diff != "" {
				t.Error("got -, want +:\n", diff)
			}
			noFailure(t, r, failures)
		})
	}
}

func TestGoLogs(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			r := receive(t, nil)
			failures := handled(t)
			provider := sdklog.NewLoggerProvider(sdklog.WithResource(ofShop), sdklog.WithProcessor(sdklog.NewBatchProcessor(transport.make(t, r.address).logs)))
			spans := sdktrace.NewTracerProvider()
			ctx, span := spans.Tracer("").Start(t.Context(), "")

			var plain, rich log.Record
			plain.SetTimestamp(start)
			plain.SetSeverity(log.SeverityError2)
			plain.SetBody(attribute.StringValue("the disk is full"))
			plain.AddAttributes(given...)
			rich.SetObservedTimestamp(start.Add(time.Second))
			rich.SetBody(attribute.MapValue(attribute.Int("orders", 3), attribute.Slice("of", attribute.StringValue("a"))))
			logger := provider.Logger("shop/orders")
			logger.Emit(ctx, plain)
			logger.Emit(t.Context(), rich)
			must(t, provider.Shutdown(t.Context()))

			want := []rehearse.LogRecord{
				{
					Time: start, Service: "shop", Severity: rehearse.SeverityError + 1, Body: "the disk is full", Attributes: received,
					Trace: rehearse.TraceID(span.SpanContext().TraceID()), Span: rehearse.SpanID(span.SpanContext().SpanID()),
				},
				{Time: start.Add(time.Second), Service: "shop", Body: `{"of":["a"],"orders":3}`},
			}
			if diff := cmp.Diff(r.Logs(telemetry.LogQuery{}), want); diff != "" {
				t.Error("got -, want +:\n", diff)
			}
			noFailure(t, r, failures)
		})
	}
}

func TestGoMetrics(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			r := receive(t, nil)
			failures := handled(t)
			exponential := sdkmetric.NewView(sdkmetric.Instrument{Name: "exponential"}, sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}})
			reader := sdkmetric.NewPeriodicReader(transport.make(t, r.address).metrics)
			provider := sdkmetric.NewMeterProvider(sdkmetric.WithResource(ofShop), sdkmetric.WithReader(reader), sdkmetric.WithView(exponential))
			meter := provider.Meter("shop/orders")
			counter, err := meter.Int64Counter("counter", metric.WithUnit("{order}"))
			must(t, err)
			gauge, err := meter.Float64Gauge("gauge")
			must(t, err)
			histogram, err := meter.Float64Histogram("histogram")
			must(t, err)
			exponentialHistogram, err := meter.Float64Histogram("exponential")
			must(t, err)
			for _, shop := range []string{"a", "b"} {
				with := metric.WithAttributes(append(given, attribute.String("shop", shop))...)
				counter.Add(t.Context(), 3, with)
				gauge.Record(t.Context(), 0.5, with)
				histogram.Record(t.Context(), 42, with)
				exponentialHistogram.Record(t.Context(), 42, with)
			}
			must(t, provider.Shutdown(t.Context()))

			requests := r.accepted(otlp.SignalMetrics)
			if len(requests) != 1 {
				t.Fatalf("got %d requests, want 1", len(requests))
			}
			got := map[string]otlp.Metric{}
			err = otlp.Metrics(requests[0], func(r *otlp.Resource, s *otlp.Scope, m *otlp.Metric) error {
				if string(r.Service) != "shop" || string(s.Name) != "shop/orders" {
					t.Errorf("got %s, %s", r.Service, s.Name)
				}
				got[string(m.Name)] = *m
				return nil
			})
			must(t, err)
			for name, want := range map[string]otlp.MetricType{
				"counter": otlp.MetricSum, "gauge": otlp.MetricGauge, "histogram": otlp.MetricHistogram, "exponential": otlp.MetricExponentialHistogram,
			} {
				if got[name].Type != want || got[name].Points != 2 {
					t.Errorf("%s: got type %d with %d points, want type %d with 2", name, got[name].Type, got[name].Points, want)
				}
			}
			if unit := string(got["counter"].Unit); unit != "{order}" {
				t.Errorf("got unit %q", unit)
			}
			if points := r.Stats().Metrics; points != 8 {
				t.Errorf("got %d points in the store, want 8", points)
			}
			oracle := pmetricotlp.NewExportRequest()
			must(t, oracle.UnmarshalProto(requests[0]))
			if n := oracle.Metrics().DataPointCount(); n != 8 {
				t.Errorf("pdata: got %d points, want 8", n)
			}
			noFailure(t, r, failures)
		})
	}
}
