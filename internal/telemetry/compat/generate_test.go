package compat

import (
	"math"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// generator makes requests with pdata: the same from the same seed. Every field
// that OTLP has is set in some of them.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 0))} }

func (g generator) often() bool { return g.IntN(4) > 0 }

var texts = []string{"", "a", "service.name", "shop", "GET /documents/{id}", "é\u2028\x00\"\\</script>", "\U0001f600", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}

func (g generator) text() string { return texts[g.IntN(len(texts))] }

func (g generator) integer() int64 {
	return []int64{0, 1, -1, 127, 128, 1 << 31, math.MaxInt64, math.MinInt64, g.Int64()}[g.IntN(9)]
}

func (g generator) double() float64 {
	return []float64{0, math.Copysign(0, -1), 0.5, -1e300, 5e-324, 1e21, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN(), g.NormFloat64()}[g.IntN(11)]
}

func (g generator) bytes() []byte {
	b := make([]byte, g.IntN(40))
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return b
}

func (g generator) time() pcommon.Timestamp {
	return pcommon.NewTimestampFromTime(time.Date(2026, 1, 2, 3, 4, 5, g.IntN(1e9), time.UTC))
}

func (g generator) traceID() (id pcommon.TraceID) {
	for id.IsEmpty() {
		for i := range id {
			id[i] = byte(g.Uint32())
		}
	}
	return id
}

func (g generator) spanID() (id pcommon.SpanID) {
	for id.IsEmpty() {
		for i := range id {
			id[i] = byte(g.Uint32())
		}
	}
	return id
}

func (g generator) value(v pcommon.Value, depth int) {
	kinds := 8
	if depth == 0 {
		kinds = 6
	}
	switch g.IntN(kinds) {
	case 0: // an empty one
	case 1:
		v.SetStr(g.text())
	case 2:
		v.SetBool(g.often())
	case 3:
		v.SetInt(g.integer())
	case 4:
		v.SetDouble(g.double())
	case 5:
		v.SetEmptyBytes().FromRaw(g.bytes())
	case 6:
		list := v.SetEmptySlice()
		for range g.IntN(4) {
			g.value(list.AppendEmpty(), depth-1)
		}
	case 7:
		g.attributes(v.SetEmptyMap(), depth-1)
	}
}

func (g generator) attributes(m pcommon.Map, depth int) {
	for range g.IntN(6) {
		g.value(m.PutEmpty(g.text()), depth)
	}
}

func (g generator) resource(r pcommon.Resource) {
	if g.often() {
		r.Attributes().PutStr("service.name", g.text())
	}
	g.attributes(r.Attributes(), 3)
	r.SetDroppedAttributesCount(uint32(g.IntN(3)))
}

func (g generator) scope(s pcommon.InstrumentationScope) {
	s.SetName(g.text())
	s.SetVersion(g.text())
	g.attributes(s.Attributes(), 1)
	s.SetDroppedAttributesCount(uint32(g.IntN(3)))
}

func (g generator) traces() ptrace.Traces {
	all := ptrace.NewTraces()
	for range 1 + g.IntN(3) {
		r := all.ResourceSpans().AppendEmpty()
		g.resource(r.Resource())
		r.SetSchemaUrl(g.text())
		for range g.IntN(3) {
			s := r.ScopeSpans().AppendEmpty()
			g.scope(s.Scope())
			s.SetSchemaUrl(g.text())
			for range g.IntN(4) {
				g.span(s.Spans().AppendEmpty())
			}
		}
	}
	return all
}

func (g generator) span(s ptrace.Span) {
	s.SetTraceID(g.traceID())
	s.SetSpanID(g.spanID())
	if g.often() {
		s.SetParentSpanID(g.spanID())
	}
	s.TraceState().FromRaw(g.text())
	s.SetFlags(g.Uint32())
	s.SetName(g.text())
	s.SetKind(ptrace.SpanKind(g.IntN(6)))
	s.SetStartTimestamp(g.time())
	s.SetEndTimestamp(g.time())
	g.attributes(s.Attributes(), 4)
	s.SetDroppedAttributesCount(uint32(g.IntN(3)))
	for range g.IntN(3) {
		e := s.Events().AppendEmpty()
		e.SetName(g.text())
		e.SetTimestamp(g.time())
		g.attributes(e.Attributes(), 2)
		e.SetDroppedAttributesCount(uint32(g.IntN(3)))
	}
	s.SetDroppedEventsCount(uint32(g.IntN(3)))
	for range g.IntN(3) {
		l := s.Links().AppendEmpty()
		l.SetTraceID(g.traceID())
		l.SetSpanID(g.spanID())
		l.TraceState().FromRaw(g.text())
		l.SetFlags(g.Uint32())
		g.attributes(l.Attributes(), 2)
		l.SetDroppedAttributesCount(uint32(g.IntN(3)))
	}
	s.SetDroppedLinksCount(uint32(g.IntN(3)))
	s.Status().SetCode(ptrace.StatusCode(g.IntN(3)))
	s.Status().SetMessage(g.text())
}

func (g generator) logs() plog.Logs {
	all := plog.NewLogs()
	for range 1 + g.IntN(3) {
		r := all.ResourceLogs().AppendEmpty()
		g.resource(r.Resource())
		r.SetSchemaUrl(g.text())
		for range g.IntN(3) {
			s := r.ScopeLogs().AppendEmpty()
			g.scope(s.Scope())
			s.SetSchemaUrl(g.text())
			for range g.IntN(4) {
				g.record(s.LogRecords().AppendEmpty())
			}
		}
	}
	return all
}

func (g generator) record(l plog.LogRecord) {
	if g.often() {
		l.SetTimestamp(g.time())
	}
	l.SetObservedTimestamp(g.time())
	l.SetSeverityNumber(plog.SeverityNumber(g.IntN(25)))
	l.SetSeverityText(g.text())
	l.SetEventName(g.text())
	g.value(l.Body(), 4)
	g.attributes(l.Attributes(), 4)
	l.SetDroppedAttributesCount(uint32(g.IntN(3)))
	l.SetFlags(plog.LogRecordFlags(g.Uint32()))
	if g.often() {
		l.SetTraceID(g.traceID())
		l.SetSpanID(g.spanID())
	}
}

func (g generator) metrics() pmetric.Metrics {
	all := pmetric.NewMetrics()
	for range 1 + g.IntN(3) {
		r := all.ResourceMetrics().AppendEmpty()
		g.resource(r.Resource())
		r.SetSchemaUrl(g.text())
		for range g.IntN(3) {
			s := r.ScopeMetrics().AppendEmpty()
			g.scope(s.Scope())
			s.SetSchemaUrl(g.text())
			for range g.IntN(4) {
				g.metric(s.Metrics().AppendEmpty())
			}
		}
	}
	return all
}

func (g generator) metric(m pmetric.Metric) {
	m.SetName(g.text())
	m.SetDescription(g.text())
	m.SetUnit(g.text())
	g.attributes(m.Metadata(), 1)
	temporality := pmetric.AggregationTemporality(g.IntN(3))
	switch g.IntN(6) {
	case 0: // of no type
	case 1:
		g.numbers(m.SetEmptyGauge().DataPoints())
	case 2:
		sum := m.SetEmptySum()
		sum.SetAggregationTemporality(temporality)
		sum.SetIsMonotonic(g.often())
		g.numbers(sum.DataPoints())
	case 3:
		h := m.SetEmptyHistogram()
		h.SetAggregationTemporality(temporality)
		for range g.IntN(3) {
			g.histogram(h.DataPoints().AppendEmpty())
		}
	case 4:
		h := m.SetEmptyExponentialHistogram()
		h.SetAggregationTemporality(temporality)
		for range g.IntN(3) {
			g.exponential(h.DataPoints().AppendEmpty())
		}
	case 5:
		s := m.SetEmptySummary()
		for range g.IntN(3) {
			g.summary(s.DataPoints().AppendEmpty())
		}
	}
}

func (g generator) numbers(points pmetric.NumberDataPointSlice) {
	for range g.IntN(3) {
		p := points.AppendEmpty()
		g.attributes(p.Attributes(), 2)
		p.SetStartTimestamp(g.time())
		p.SetTimestamp(g.time())
		p.SetFlags(pmetric.DataPointFlags(g.IntN(2)))
		switch g.IntN(3) {
		case 0:
			p.SetIntValue(g.integer())
		case 1:
			p.SetDoubleValue(g.double())
		}
		g.exemplars(p.Exemplars())
	}
}

func (g generator) histogram(p pmetric.HistogramDataPoint) {
	g.attributes(p.Attributes(), 2)
	p.SetStartTimestamp(g.time())
	p.SetTimestamp(g.time())
	p.SetFlags(pmetric.DataPointFlags(g.IntN(2)))
	p.SetCount(g.Uint64())
	if g.often() {
		p.SetSum(g.double())
		p.SetMin(g.double())
		p.SetMax(g.double())
	}
	p.BucketCounts().FromRaw(g.counts())
	p.ExplicitBounds().FromRaw([]float64{g.double(), g.double()}[:g.IntN(3)])
	g.exemplars(p.Exemplars())
}

func (g generator) counts() []uint64 {
	return []uint64{g.Uint64(), 0, uint64(g.IntN(300))}[:g.IntN(4)]
}

func (g generator) exponential(p pmetric.ExponentialHistogramDataPoint) {
	g.attributes(p.Attributes(), 2)
	p.SetStartTimestamp(g.time())
	p.SetTimestamp(g.time())
	p.SetFlags(pmetric.DataPointFlags(g.IntN(2)))
	p.SetCount(g.Uint64())
	p.SetZeroCount(g.Uint64())
	p.SetScale(int32(g.Uint32()))
	p.SetZeroThreshold(g.double())
	if g.often() {
		p.SetSum(g.double())
		p.SetMin(g.double())
		p.SetMax(g.double())
	}
	for _, buckets := range []pmetric.ExponentialHistogramDataPointBuckets{p.Positive(), p.Negative()} {
		buckets.SetOffset(int32(g.Uint32()))
		buckets.BucketCounts().FromRaw(g.counts())
	}
	g.exemplars(p.Exemplars())
}

func (g generator) summary(p pmetric.SummaryDataPoint) {
	g.attributes(p.Attributes(), 2)
	p.SetStartTimestamp(g.time())
	p.SetTimestamp(g.time())
	p.SetFlags(pmetric.DataPointFlags(g.IntN(2)))
	p.SetCount(g.Uint64())
	p.SetSum(g.double())
	for range g.IntN(3) {
		q := p.QuantileValues().AppendEmpty()
		q.SetQuantile(g.double())
		q.SetValue(g.double())
	}
}

func (g generator) exemplars(all pmetric.ExemplarSlice) {
	for range g.IntN(3) {
		e := all.AppendEmpty()
		g.attributes(e.FilteredAttributes(), 2)
		e.SetTimestamp(g.time())
		if g.often() {
			e.SetTraceID(g.traceID())
			e.SetSpanID(g.spanID())
		}
		switch g.IntN(3) {
		case 0:
			e.SetIntValue(g.integer())
		case 1:
			e.SetDoubleValue(g.double())
		}
	}
}
