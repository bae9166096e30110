package otlp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	rehearse "github.com/rehearse-dev/rehearse"
)

// The tests make their bytes with an encoder of their own, which knows nothing of
// the schema.

func pbytes(num int, parts ...string) string {
	body := strings.Join(parts, "")
	b := binary.AppendUvarint(nil, uint64(num)<<3|2)
	b = binary.AppendUvarint(b, uint64(len(body)))
	return string(b) + body
}

func pvarint(num int, v uint64) string {
	return string(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(num)<<3), v))
}

func pfixed64(num int, v uint64) string {
	return string(binary.LittleEndian.AppendUint64(binary.AppendUvarint(nil, uint64(num)<<3|1), v))
}

func pfixed32(num int, v uint32) string {
	return string(binary.LittleEndian.AppendUint32(binary.AppendUvarint(nil, uint64(num)<<3|5), v))
}

func pdouble(num int, v float64) string { return pfixed64(num, math.Float64bits(v)) }

func pattr(num int, key string, value ...string) string {
	return pbytes(num, pbytes(1, key), pbytes(2, value...))
}

const (
	trace1 = "0123456789abcdef"
	span1  = "spanspan"
	span2  = "parentid"
)

func request(parts ...string) string { return pbytes(1, parts...) }

// fullSpan has every field of a Span.
var fullSpan = strings.Join([]string{
	pbytes(1, trace1), pbytes(2, span1), pbytes(3, "vendor=1"), pbytes(4, span2), pbytes(5, "GET /"),
	pvarint(6, 3), pfixed64(7, 1_000_000_000), pfixed64(8, 1_250_000_000),
	pattr(9, "text", pbytes(1, "é")), pattr(9, "yes", pvarint(2, 1)), pattr(9, "no", pvarint(2, 0)),
	pattr(9, "minus", pvarint(3, math.MaxUint64)), pattr(9, "half", pdouble(4, 0.5)),
	pattr(9, "list", pbytes(5, pbytes(1, pbytes(1, "a")), pbytes(1, pvarint(3, 7)), pbytes(1))),
	pattr(9, "map", pbytes(6, pattr(1, "k", pbytes(1, "v")))),
	pattr(9, "raw", pbytes(7, "\x00\xff")), pattr(9, "empty"),
	pvarint(10, 3),
	pbytes(11, pfixed64(1, 1_100_000_000), pbytes(2, "retry"), pattr(3, "n", pvarint(3, 2)), pvarint(4, 1)),
	pvarint(12, 4),
	pbytes(13, pbytes(1, "fedcba9876543210"), pbytes(2, "linkspan"), pbytes(3, "x=y"), pattr(4, "why", pbytes(1, "batch")), pvarint(5, 1), pfixed32(6, 1)),
	pvarint(14, 5),
	pbytes(15, pbytes(2, "it broke"), pvarint(3, 2)),
	pfixed32(16, 0x101),
	pbytes(99, "unknown"), pvarint(98, 1), pfixed32(97, 1), pfixed64(96, 1),
}, "")

// fullTraces has its resource and scope behind what they hold.
var fullTraces = request(
	pbytes(2, pbytes(2, fullSpan), pbytes(1, pbytes(1, "my/scope"), pbytes(2, "1.2"), pattr(3, "s", pbytes(1, "t")), pvarint(4, 2)), pbytes(3, "https://schema/2")),
	pbytes(1, pattr(1, "service.name", pbytes(1, "shop")), pattr(1, "host.cpus", pvarint(3, 4)), pvarint(2, 1), pbytes(3, pbytes(2, "host"), pbytes(3, "a"), pbytes(3, "b"))),
	pbytes(3, "https://schema/1"),
)

func decodeTraces(t testing.TB, b []byte) (spans []rehearse.Span, err error) {
	t.Helper()
	err = Traces(b, func(r *Resource, s *Scope, sp *Span) error {
		spans = append(spans, sp.Decode(r, s))
		return nil
	})
	return spans, err
}

func fullDecoded() rehearse.Span {
	return rehearse.Span{
		Trace: rehearse.TraceID([]byte(trace1)), ID: rehearse.SpanID([]byte(span1)), Parent: rehearse.SpanID([]byte(span2)),
		Name: "GET /", Kind: rehearse.SpanClient, Service: "shop", Scope: "my/scope",
		Start: time.Unix(1, 0).UTC(), Duration: rehearse.Duration(250 * time.Millisecond),
		Status: rehearse.StatusError, Message: "it broke",
		Attributes: []rehearse.Attribute{
			{Key: "text", Value: "é"}, {Key: "yes", Value: true}, {Key: "no", Value: false}, {Key: "minus", Value: int64(-1)}, {Key: "half", Value: 0.5},
			{Key: "list", Value: []any{"a", int64(7), nil}},
			{Key: "map", Value: []rehearse.Attribute{{Key: "k", Value: "v"}}},
			{Key: "raw", Value: []byte{0, 255}}, {Key: "empty", Value: nil},
		},
		Resource: []rehearse.Attribute{{Key: "service.name", Value: "shop"}, {Key: "host.cpus", Value: int64(4)}},
		Events:   []rehearse.SpanEvent{{Time: time.Unix(1, 1e8).UTC(), Name: "retry", Attributes: []rehearse.Attribute{{Key: "n", Value: int64(2)}}}},
		Links:    []rehearse.SpanRef{{Trace: rehearse.TraceID([]byte("fedcba9876543210")), Span: rehearse.SpanID([]byte("linkspan"))}},
	}
}

func TestTraces(t *testing.T) {
	err := Traces([]byte(fullTraces), func(r *Resource, s *Scope, sp *Span) error {
		got := fmt.Sprintf("%s %s %s %s %d %d %d %d %s %d %d %d", r.Service, s.Name, s.Version, sp.Name, sp.Kind, sp.Start, sp.End, sp.Status, sp.Message, sp.Attributes, sp.Events, sp.Links)
		want := "shop my/scope 1.2 GET / 3 1000000000 1250000000 2 it broke 9 1 1"
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if string(sp.Raw) != fullSpan {
			t.Error("Raw is not the span's bytes")
		}
		if again := ParseSpan(sp.Raw); !cmp.Equal(again, *sp) {
			t.Error("ParseSpan(Raw) differs: ", cmp.Diff(again, *sp))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeTraces(t, []byte(fullTraces))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, []rehearse.Span{fullDecoded()}); diff != "" {
		t.Error("got -, want +:\n", diff)
	}
}

func minimalSpan(name string, parts ...string) string {
	return pbytes(2, pbytes(1, trace1), pbytes(2, span1), pbytes(5, name), strings.Join(parts, ""))
}

func TestTracesRejected(t *testing.T) {
	b := request(pbytes(2,
		pbytes(2, pbytes(5, "no ids")),
		minimalSpan("good"),
		pbytes(2, pbytes(1, trace1), pbytes(2, strings.Repeat("\x00", 8)), pbytes(5, "zero")),
		pbytes(2, pbytes(1, ""), pbytes(2, span1)),
		minimalSpan("also good"),
	))
	spans, err := decodeTraces(t, []byte(b))
	partial, ok := errors.AsType[*Partial](err)
	if !ok || partial.Rejected != 3 || partial.Reason != `span "no ids" has no trace id` {
		t.Errorf("got %v, want 3 rejected for want of a trace id", err)
	}
	if len(spans) != 2 || spans[0].Name != "good" || spans[1].Name != "also good" {
		t.Errorf("got %d spans: %v", len(spans), spans)
	}
}

func TestVisitStops(t *testing.T) {
	enough := errors.New("enough")
	calls := 0
	err := Traces([]byte(request(pbytes(2, minimalSpan("a"), minimalSpan("b")))), func(*Resource, *Scope, *Span) error {
		calls++
		return enough
	})
	if !errors.Is(err, enough) || calls != 1 {
		t.Errorf("got %v after %d calls, want its own error after one", err, calls)
	}
}

func nested(depth int) string {
	value := pbytes(1, "bottom")
	for range depth - 1 {
		value = pbytes(5, pbytes(1, value))
	}
	return value
}

func TestMalformed(t *testing.T) {
	span := func(parts ...string) string { return request(pbytes(2, pbytes(2, parts...))) }
	for _, c := range []struct {
		name, in, want string
	}{
		{"text", "not protobuf at all", "malformed TracesData at byte 0: is cut short, or a value of none of the wire types"},
		{"cut short", fullTraces[:len(fullTraces)-1], "malformed TracesData.resourceSpans at byte 0: is longer than what is around it"},
		{"cut inside", request(pbytes(2, "\x12\x05abc")), "malformed ScopeSpans.spans at byte 4: is longer than what is around it"},
		{"field 0", "\x00\x00", "malformed TracesData at byte 0: 0 is no number of a field"},
		{"endless varint", strings.Repeat("\xff", 11), "malformed TracesData at byte 0: a field's number is cut short or too long"},
		{"wire type", span(pfixed64(5, 1)), "malformed Span.name at byte 6: has wire type 1"},
		{"wire type of a number", span(pbytes(7, "12345678")), "malformed Span.startTimeUnixNano at byte 6: has wire type 2"},
		{"trace id", span(pbytes(1, "short")), "malformed Span.traceId at byte 6: has 5 bytes: 16 are due"},
		{"parent id", span(pbytes(4, trace1)), "malformed Span.parentSpanId at byte 6: has 16 bytes: 8 are due"},
		{"link's id", span(pbytes(13, pbytes(2, "x"))), "malformed Link.spanId at byte 8: has 1 bytes: 8 are due"},
		{"time cut short", span("\x39\x00\x00"), "malformed Span.startTimeUnixNano at byte 6: is cut short, or a value of none of the wire types"},
		{"deep", span(pattr(9, "k", nested(MaxDepth+1))), "nested deeper than 32 levels"},
		{"group", span("\xa3\x06\xa4\x06"), "malformed Span at byte 6: is cut short, or a value of none of the wire types"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Traces([]byte(c.in), func(*Resource, *Scope, *Span) error {
				t.Error("visit was called")
				return nil
			})
			if _, ok := errors.AsType[*Malformed](err); !ok || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	for name, in := range map[string]string{
		"nothing":      "",
		"depth":        request(pbytes(2, minimalSpan("n", pattr(9, "k", nested(MaxDepth))))),
		"strange enum": request(pbytes(2, minimalSpan("n", pvarint(6, 99), pbytes(15, pvarint(3, math.MaxUint64))))),
	} {
		if _, err := decodeTraces(t, []byte(in)); err != nil {
			t.Errorf("%s: %v, want none", name, err)
		}
	}
}

func TestDecodeBounds(t *testing.T) {
	many := request(pbytes(2, minimalSpan("n",
		strings.Repeat(pattr(9, "k", pvarint(3, 1)), MaxList+5), strings.Repeat(pbytes(11), MaxList+5), strings.Repeat(pbytes(13), MaxList+5),
		pvarint(6, 99), pvarint(15<<3, 0), pfixed64(7, 10), pfixed64(8, 3), pattr(9, "late", pbytes(1, "x")))))
	spans, err := decodeTraces(t, []byte(many))
	if err != nil {
		t.Fatal(err)
	}
	sp := spans[0]
	if len(sp.Attributes) != MaxList || len(sp.Events) != MaxList || len(sp.Links) != MaxList {
		t.Errorf("got %d attributes, %d events, %d links, want %d of each", len(sp.Attributes), len(sp.Events), len(sp.Links), MaxList)
	}
	if sp.Kind != rehearse.SpanUnspecified || sp.Duration != 0 {
		t.Errorf("got kind %d and duration %v, want neither", sp.Kind, sp.Duration)
	}
	if sp := ParseSpan([]byte(pbytes(5, "a\xffb"))); sp.Decode(&Resource{}, &Scope{}).Name != "a\uFFFDb" {
		t.Error("what is not UTF-8 is not replaced")
	}
}

var fullLogs = request(
	pbytes(1, pattr(1, "service.name", pbytes(1, "shop"))),
	pbytes(2, pbytes(1, pbytes(1, "logger")),
		pbytes(2, pfixed64(1, 2_000_000_000), pvarint(2, 17), pbytes(3, "ERROR"), pbytes(5, pbytes(1, "no room")),
			pattr(6, "log.iostream", pbytes(1, "stderr")), pattr(6, "user", pvarint(3, 5)), pvarint(7, 1), pfixed32(8, 1),
			pbytes(9, trace1), pbytes(10, span1), pfixed64(11, 3_000_000_000), pbytes(12, "full")),
		pbytes(2, pfixed64(11, 3_000_000_000), pvarint(2, 77), pbytes(5, pbytes(6,
			pattr(1, "a", pdouble(4, 1.5)), pattr(1, "b", pbytes(5, pbytes(1, pvarint(2, 1)), pbytes(1), pbytes(1, pdouble(4, math.NaN())))), pattr(1, "c", pbytes(7, "hi"))))),
		pbytes(2),
	),
)

func TestLogs(t *testing.T) {
	var got []rehearse.LogRecord
	err := Logs([]byte(fullLogs), func(r *Resource, s *Scope, l *Log) error {
		if string(s.Name) != "logger" {
			t.Errorf("scope: got %q", s.Name)
		}
		again := ParseLog(l.Raw)
		if again.Time != l.Time || string(again.SeverityText) != string(l.SeverityText) {
			t.Error("ParseLog(Raw) differs")
		}
		got = append(got, l.Decode(r, s))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []rehearse.LogRecord{
		{
			Time: time.Unix(2, 0).UTC(), Service: "shop", Stream: "err", Severity: rehearse.SeverityError, Body: "no room",
			Trace: rehearse.TraceID([]byte(trace1)), Span: rehearse.SpanID([]byte(span1)),
			Attributes: []rehearse.Attribute{{Key: "user", Value: int64(5)}},
		},
		{Time: time.Unix(3, 0).UTC(), Service: "shop", Body: `{"a":1.5,"b":[true,null,"NaN"],"c":"aGk="}`},
		{Service: "shop"},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error("got -, want +:\n", diff)
	}
	if err := Logs([]byte(request(pbytes(2, pbytes(2, pbytes(9, "short"))))), func(*Resource, *Scope, *Log) error { return nil }); err == nil {
		t.Error("a short trace id was accepted")
	}
}

var exemplar = pbytes(5, pfixed64(2, 5), pdouble(3, 0.25), pbytes(4, span1), pbytes(5, trace1), pattr(7, "k", pbytes(1, "v")))

func packed(num int, values ...string) string { return pbytes(num, values...) }

func le64(v uint64) string { return string(binary.LittleEndian.AppendUint64(nil, v)) }

var fullMetrics = request(
	pbytes(1, pattr(1, "service.name", pbytes(1, "shop"))),
	pbytes(2, pbytes(1, pbytes(1, "meter")),
		pbytes(2, pbytes(1, "temperature"), pbytes(2, "how warm"), pbytes(3, "Cel"), pbytes(5, pbytes(1, pfixed64(2, 1), pfixed64(3, 2), pdouble(4, 21.5), exemplar, pattr(7, "room", pbytes(1, "a")), pvarint(8, 1)), pbytes(1, pfixed64(6, math.MaxUint64))), pattr(12, "m", pbytes(1, "d"))),
		pbytes(2, pbytes(1, "requests"), pbytes(3, "1"), pbytes(7, pbytes(1, pfixed64(6, 12)), pvarint(2, 2), pvarint(3, 1))),
		pbytes(2, pbytes(1, "latency"), pbytes(9, pbytes(1, pfixed64(2, 1), pfixed64(3, 2), pfixed64(4, 3), pdouble(5, math.Inf(1)), packed(6, le64(1), le64(2)), pfixed64(6, 9), packed(7, le64(math.Float64bits(0.5))),
			pbytes(8, pfixed64(2, 5), pfixed64(6, 7)), pattr(9, "k", pbytes(1, "v")), pvarint(10, 1), pdouble(11, -1), pdouble(12, 1e300)), pvarint(2, 1))),
		pbytes(2, pbytes(1, "exp"), pbytes(10, pbytes(1, pattr(1, "k", pbytes(1, "v")), pfixed64(2, 1), pfixed64(3, 2), pfixed64(4, 3), pdouble(5, 6), pvarint(6, 3), pfixed64(7, 1),
			pbytes(8, pvarint(1, 5), packed(2, "\x01\xac\x02")), pbytes(9, pvarint(1, 4), pvarint(2, 3)), pvarint(10, 1), pbytes(11, pdouble(3, 1)), pdouble(12, 0), pdouble(13, 9), pdouble(14, 0.001)), pvarint(2, 2))),
		pbytes(2, pbytes(1, "sum"), pbytes(11, pbytes(1, pfixed64(2, 1), pfixed64(3, 2), pfixed64(4, 3), pdouble(5, 6), pbytes(6, pdouble(1, 0.99), pdouble(2, 4)), pattr(7, "k", pbytes(1, "v")), pvarint(8, 1)), pbytes(1), pbytes(1))),
		pbytes(2, pbytes(1, "nothing")),
	),
	pbytes(3, "https://schema/1"),
)

func TestMetrics(t *testing.T) {
	var got []string
	err := Metrics([]byte(fullMetrics), func(r *Resource, s *Scope, m *Metric) error {
		got = append(got, fmt.Sprintf("%s %s %s %s %d %d", r.Service, s.Name, m.Name, m.Unit, m.Type, m.Points))
		return nil
	})
	want := []string{
		"shop meter temperature Cel 5 2", "shop meter requests 1 7 1", "shop meter latency  9 1", "shop meter exp  10 1", "shop meter sum  11 3", "shop meter nothing  0 0",
	}
	if diff := cmp.Diff(got, want); diff != "" || err != nil {
		t.Error("got -, want +:\n", diff, err)
	}
	if got := Count([]byte(fullMetrics), SignalMetrics); got != 8 {
		t.Errorf("Count: got %d data points, want 8", got)
	}
	if got := Count([]byte(fullLogs), SignalLogs); got != 3 {
		t.Errorf("Count: got %d records, want 3", got)
	}
}

// sampleSpans are n spans of 10 attributes and about 470 bytes.
func sampleSpans(n int) []rehearse.Span {
	spans := make([]rehearse.Span, n)
	resource := []rehearse.Attribute{{Key: "service.name", Value: "checkout"}, {Key: "service.version", Value: "1.2.3"}, {Key: "deployment.environment.name", Value: "rehearsal-42"}}
	for i := range spans {
		sp := &spans[i]
		binary.BigEndian.PutUint64(sp.Trace[8:], uint64(i/8+1))
		binary.BigEndian.PutUint64(sp.ID[:], uint64(i+1))
		binary.BigEndian.PutUint64(sp.Parent[:], uint64(i/8*8+1))
		*sp = rehearse.Span{
			Trace: sp.Trace, ID: sp.ID, Parent: sp.Parent, Name: "SELECT orders", Kind: rehearse.SpanClient, Service: "checkout", Scope: "rehearse/link/postgres",
			Start: time.Unix(1_700_000_000, int64(i)*1000).UTC(), Duration: rehearse.Duration(time.Millisecond), Resource: resource,
			Attributes: []rehearse.Attribute{
				{Key: "db.system.name", Value: "postgresql"}, {Key: "db.namespace", Value: "shop"}, {Key: "db.operation.name", Value: "SELECT"},
				{Key: "db.collection.name", Value: "orders"}, {Key: "db.query.summary", Value: "SELECT orders"},
				{Key: "db.query.text", Value: "SELECT id, total, status FROM orders WHERE customer_id = $1 ORDER BY created_at DESC LIMIT 20"},
				{Key: "server.address", Value: "postgres"}, {Key: "server.port", Value: int64(5432)}, {Key: "rehearse.link", Value: "checkout-postgres"},
				{Key: "db.response.returned_rows", Value: int64(20)},
			},
		}
	}
	return spans
}

func TestWalkAllocatesForNoSpan(t *testing.T) {
	b := AppendTraces(nil, sampleSpans(512))
	got := testing.AllocsPerRun(20, func() {
		if err := Traces(b, countAttributes); err != nil {
			t.Fatal(err)
		}
	})
	if got > 8 {
		t.Errorf("got %v allocations for 512 spans, want a few for the request", got)
	}
}

func countAttributes(_ *Resource, _ *Scope, sp *Span) error {
	n := 0
	for key, value := range Attributes(sp.Raw, SpanAttributes) {
		if len(key) > 0 && value.Kind() != ValueEmpty {
			n++
		}
	}
	if n != sp.Attributes {
		return fmt.Errorf("%d attributes of %d", n, sp.Attributes)
	}
	return nil
}

func FuzzWalk(f *testing.F) {
	for _, seed := range []string{fullTraces, fullLogs, fullMetrics, "\xa3\x06\xa4\x06", request(pbytes(2, minimalSpan("n", pattr(9, "k", nested(MaxDepth+1)))))} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		visited := int64(0)
		err := Traces(b, func(r *Resource, s *Scope, sp *Span) error {
			visited++
			out := sp.Decode(r, s)
			if len(out.Attributes) > MaxList || out.Duration < 0 {
				t.Errorf("%d attributes, %v", len(out.Attributes), out.Duration)
			}
			again := ParseSpan(AppendSpan(nil, &out))
			if back := again.Decode(&Resource{}, &Scope{}); back.Trace != out.Trace || back.Name != out.Name || len(back.Attributes) != len(out.Attributes) {
				t.Errorf("encoded and decoded: %v, was %v", back, out)
			}
			return nil
		})
		partial, _ := errors.AsType[*Partial](err)
		if partial != nil {
			visited += partial.Rejected
		}
		if (err == nil || partial != nil) && visited != Count(b, SignalTraces) {
			t.Errorf("%d visited or rejected, %d counted", visited, Count(b, SignalTraces))
		}
		if _, malformed := errors.AsType[*Malformed](err); malformed && visited > 0 {
			t.Error("visited spans of a malformed request")
		}
		_ = Logs(b, func(r *Resource, s *Scope, l *Log) error {
			rec := l.Decode(r, s)
			AppendLog(nil, &rec)
			return nil
		})
		_ = Metrics(b, func(*Resource, *Scope, *Metric) error { return nil })
		// Not checked before.
		for _, v := range Attributes(b, SpanAttributes) {
			v.Any()
		}
		sp := ParseSpan(b)
		sp.Decode(&Resource{Raw: b}, &Scope{})
		Count(b, SignalMetrics)
	})
}

// BenchmarkWalk checks and walks over requests of 512 spans with 10 attributes.
func BenchmarkWalk(b *testing.B) {
	request := AppendTraces(nil, sampleSpans(512))
	for name, visit := range map[string]func(*Resource, *Scope, *Span) error{
		"columns":    func(*Resource, *Scope, *Span) error { return nil },
		"attributes": countAttributes,
	} {
		b.Run(name, func(b *testing.B) { perSpan(b, request, visit) })
	}
}

// BenchmarkDecode materialises every span.
func BenchmarkDecode(b *testing.B) {
	perSpan(b, AppendTraces(nil, sampleSpans(512)), func(r *Resource, s *Scope, sp *Span) error {
		sp.Decode(r, s)
		return nil
	})
}

func perSpan(b *testing.B, request []byte, visit func(*Resource, *Scope, *Span) error) {
	spans := float64(Count(request, SignalTraces))
	b.ReportAllocs()
	for b.Loop() {
		if err := Traces(request, visit); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/spans, "ns/span")
	b.ReportMetric(spans*float64(b.N)/b.Elapsed().Seconds(), "spans/s")
	b.ReportMetric(float64(len(request))/spans, "B/span")
}
