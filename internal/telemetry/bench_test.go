package telemetry

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

// benchSpan has ten attributes and about 470 bytes, as the spans do that other
// stores were measured with.
func benchSpan(i int) rehearse.Span {
	return rehearse.Span{
		Trace: traceID(i / 8), ID: spanID(i), Parent: spanID(i - i%8), Name: fmt.Sprint("GET /documents/", i%20), Kind: rehearse.SpanServer,
		Service: "web", Scope: "otelhttp", Start: start.Add(time.Duration(i) * time.Microsecond), Duration: rehearse.Duration(time.Duration(i%1000) * time.Microsecond),
		Resource: []rehearse.Attribute{{Key: "service.name", Value: "web"}, {Key: "service.version", Value: "1.2.3"}},
		Attributes: []rehearse.Attribute{
			{Key: "http.request.method", Value: "GET"}, {Key: "http.response.status_code", Value: int64(200)}, {Key: "url.scheme", Value: "http"},
			{Key: "url.path", Value: fmt.Sprintf("/documents/%08d", i)}, {Key: "http.route", Value: "/documents/{id}"}, {Key: "server.address", Value: "web.internal"},
			{Key: "network.protocol.version", Value: "1.1"}, {Key: "user_agent.original", Value: "rehearse/1.0"},
			{Key: "db.query.text", Value: "SELECT id, title FROM documents WHERE tenant = ? AND id = ?"}, {Key: "thread.id", Value: int64(i % 16)},
		},
	}
}

// requests are of 512 spans each, and their ids differ.
func requests(n int) (all [][]byte) {
	for i := range n {
		all = append(all, otlp.AppendTraces(nil, many(i*512, i*512+512, benchSpan)))
	}
	return all
}

// BenchmarkIngest is a span's way from a request to the columns and the file: one
// service, one core.
func BenchmarkIngest(b *testing.B) {
	all := requests(64)
	for _, kind := range []string{"memory", "disk"} {
		b.Run(kind, func(b *testing.B) {
			o := Options{Memory: 8 << 30, Services: []rehearse.ServiceName{"web"}}
			if kind == "disk" {
				o = Options{Dir: b.TempDir(), Disk: 8 << 30, Services: []rehearse.ServiceName{"web"}}
			}
			s := openStore(b, o)
			sink := s.Service("web")
			before := heap()
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if _, _, err := sink.Export(otlp.SignalTraces, all[n%len(all)]); err != nil {
					b.Fatal(err)
				}
				n++
			}
			spans := float64(512 * n)
			b.ReportMetric(spans/b.Elapsed().Seconds(), "spans/s")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/spans, "ns/span")
			sealNow(s)
			b.ReportMetric((heap()-before)/spans, "B/span")
			runtime.KeepAlive(s)
		})
	}
}

func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// BenchmarkAddSpans is what a link pays for one span.
func BenchmarkAddSpans(b *testing.B) {
	for _, size := range []int{1, 16} {
		b.Run(fmt.Sprintf("by %d", size), func(b *testing.B) {
			s := openStore(b, Options{Dir: b.TempDir(), Disk: 8 << 30})
			spans := many(0, size, linkSpan)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				s.AddSpans(spans)
				n += size
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/span")
			b.ReportMetric(100*float64(s.Stats().Lost)/float64(n), "%lost")
		})
	}
}

// BenchmarkQuerySlow looks for slow spans among a million, of which there are
// none, and then for the ten latest.
func BenchmarkQuerySlow(b *testing.B) {
	s := openStore(b, Options{Memory: 8 << 30, Services: []rehearse.ServiceName{"web"}})
	for _, request := range requests(1_000_000 / 512) {
		if _, _, err := s.Service("web").Export(otlp.SignalTraces, request); err != nil {
			b.Fatal(err)
		}
	}
	sealNow(s)
	for _, bb := range []struct {
		name  string
		query Query
		want  int
	}{
		{"none", Query{MinDuration: 2 * time.Second}, 0},
		{"trace", Query{Trace: traceID(50_000)}, 8},
		{"latest", Query{Limit: 10, Newest: true}, 10},
	} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				if got := len(s.Spans(bb.query)); got != bb.want {
					b.Fatalf("%d spans, want %d", got, bb.want)
				}
			}
		})
	}
	b.Run("traces", func(b *testing.B) {
		for b.Loop() {
			s.Traces(Query{Limit: 10})
		}
	})
}

// What is taken in costs no allocation for each span.
func TestAllocations(t *testing.T) {
	s := openStore(t, Options{Memory: 1 << 30, Services: []rehearse.ServiceName{"web"}})
	request := requests(1)[0]
	got := testing.AllocsPerRun(20, func() {
		if _, _, err := s.Service("web").Export(otlp.SignalTraces, request); err != nil {
			t.Fatal(err)
		}
	}) / 512
	if got > 0.5 {
		t.Errorf("%.2f allocations for a span of an SDK, want fewer than one in two", got)
	}
	spans, most := many(0, 1, linkSpan), 1.0
	if raceDetector {
		most = 16
	}
	if got := testing.AllocsPerRun(1000, func() { s.AddSpans(spans) }); got > most {
		t.Errorf("%.2f allocations for a span of a link, want at most 1", got)
	}
}
