package trace_test

import (
	"encoding/binary"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/trace"
)

func spanID(n uint64) (id rehearse.SpanID) { binary.BigEndian.PutUint64(id[:], n); return id }

func traceID(n uint64) (id rehearse.TraceID) {
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// sdk is a span of a service's SDK. Times are milliseconds.
func sdk(tr, id, parent uint64, service, name string, kind rehearse.SpanKind, start, length float64, attrs ...rehearse.Attribute) rehearse.Span {
	return rehearse.Span{
		Trace: traceID(tr), ID: spanID(id), Parent: spanID(parent), Name: name, Kind: kind, Service: rehearse.ServiceName(service), Scope: "sdk",
		Start: epoch.Add(time.Duration(start * float64(ms))), Duration: rehearse.Duration(length * float64(ms)), Attributes: attrs,
	}
}

// measured is a link's span.
func measured(tr, id, parent uint64, link rehearse.LinkID, name string, conn int64, start, length float64, attrs ...rehearse.Attribute) rehearse.Span {
	s := sdk(tr, id, parent, "", name, rehearse.SpanClient, start, length, attrs...)
	s.Scope = rehearse.LinkScope
	s.Attributes = append(s.Attributes, attr(rehearse.AttrLink, string(link)), attr(rehearse.AttrConnection, conn), attr(rehearse.AttrNumber, int64(start)))
	for i, c := range link {
		if c == ':' {
			s.Service = rehearse.ServiceName(link[:i])
		}
	}
	return s
}

func attr(key string, value any) rehearse.Attribute {
	return rehearse.Attribute{Key: key, Value: value}
}

// shares are those of a call: queue, shape, transfer.
func shares(queue, shape, transfer float64) []rehearse.Attribute {
	return []rehearse.Attribute{attr(rehearse.AttrQueue, queue), attr(rehearse.AttrShape, shape), attr(rehearse.AttrTransfer, transfer)}
}

type seg struct {
	Node          int
	Path          string
	Kind          rehearse.SegmentKind
	Start, Length float64
}

func segments(tr *rehearse.Trace) (out []seg) {
	for _, s := range tr.Critical {
		out = append(out, seg{s.Node, s.Path, s.Kind, float64(s.Start) / float64(ms), float64(s.Length) / float64(ms)})
	}
	return out
}

var plan = []rehearse.LinkSpec{
	{ID: "ingress/eu:web", Client: "ingress/eu", Upstream: "web"},
	{ID: "web:api", Client: "web", Upstream: "api", Shape: rehearse.Symmetric(20*ms, 0, 0)},
	{ID: "api:db", Client: "api", Upstream: "db", Shape: rehearse.Shape{Up: rehearse.Path{Delay: rehearse.Duration(3 * ms)}, Down: rehearse.Path{Delay: rehearse.Duration(ms)}}},
}

func assemble(spans ...rehearse.Span) *rehearse.Telemetry {
	return trace.Assemble(spans, nil, plan, rehearse.TelemetryResult{})
}

// TestThroughServices follows a request through two services, with and without
// SDKs: all that a link measured is on the critical path.
func TestThroughServices(t *testing.T) {
	ingress := measured(1, 1, 0, "ingress/eu:web", "GET /a", 1, 0, 100)
	call := func(tr, parent uint64) rehearse.Span {
		return measured(tr, 3, parent, "web:api", "GET /b", 1, 10, 80, shares(4, 20, 2)...)
	}
	query := measured(9, 5, 0, "api:db", "SELECT t", 1, 40, 20, append(shares(0, 4, 0), attr("db.system.name", "postgresql"))...)
	type node struct {
		Name  string
		Up    int
		Known rehearse.Known
	}
	for _, tt := range []struct {
		name  string
		spans []rehearse.Span
		nodes []node
		want  []seg
	}{
		{
			"no SDK", []rehearse.Span{ingress, call(8, 0), query},
			[]node{{"GET /a", -1, rehearse.KnownRoot}, {"GET /b", 0, rehearse.KnownNearest}, {"SELECT t", 1, rehearse.KnownNearest}},
			[]seg{
				{0, "web", "self", 0, 10},
				{1, "web → api GET /b", "queue", 10, 4}, {1, "web → api GET /b", "shape", 14, 10}, {1, "api", "self", 24, 16},
				{2, "api → db SELECT t", "shape", 40, 3}, {2, "api → db SELECT t", "server", 43, 16}, {2, "api → db SELECT t", "shape", 59, 1},
				{1, "api", "self", 60, 18}, {1, "web → api GET /b", "shape", 78, 10}, {1, "web → api GET /b", "transfer", 88, 2},
				{0, "web", "self", 90, 10},
			},
		},
		{
			"SDKs",
			[]rehearse.Span{
				ingress, sdk(1, 10, 1, "web", "GET /a", rehearse.SpanServer, 1, 98), sdk(1, 11, 10, "web", "GET", rehearse.SpanClient, 8, 83),
				call(1, 11), sdk(1, 12, 3, "api", "GET /b", rehearse.SpanServer, 25, 52), sdk(1, 13, 12, "api", "load", rehearse.SpanInternal, 26, 45), query,
			},
			[]node{
				{"GET /a", -1, rehearse.KnownRoot}, {"GET /a", 0, rehearse.KnownSDK}, {"GET", 1, rehearse.KnownSDK}, {"GET /b", 2, rehearse.KnownHeader},
				{"GET /b", 3, rehearse.KnownSDK}, {"load", 4, rehearse.KnownSDK}, {"SELECT t", 5, rehearse.KnownNearest},
			},
			[]seg{
				{0, "ingress → web GET /a", "network", 0, 1}, {1, "web", "self", 1, 7}, {2, "web → api GET /b", "network", 8, 2},
				{3, "web → api GET /b", "queue", 10, 4}, {3, "web → api GET /b", "shape", 14, 10}, {3, "web → api GET /b", "network", 24, 1},
				{4, "api", "self", 25, 1}, {5, "api", "self", 26, 14},
				{6, "api → db SELECT t", "shape", 40, 3}, {6, "api → db SELECT t", "server", 43, 16}, {6, "api → db SELECT t", "shape", 59, 1},
				{5, "api", "self", 60, 11}, {4, "api", "self", 71, 6},
				{3, "web → api GET /b", "network", 77, 1}, {3, "web → api GET /b", "shape", 78, 10}, {3, "web → api GET /b", "transfer", 88, 2},
				{2, "web → api GET /b", "network", 90, 1}, {1, "web", "self", 91, 8}, {0, "ingress → web GET /a", "network", 99, 1},
			},
		},
		{
			"an SDK that knows the query",
			[]rehearse.Span{
				ingress, call(8, 0), sdk(8, 12, 3, "api", "GET /b", rehearse.SpanServer, 25, 52),
				sdk(8, 14, 12, "api", "db.query", rehearse.SpanClient, 38, 23, attr("db.system", "postgresql"), attr("db.operation", "select")), query,
			},
			[]node{{"GET /a", -1, rehearse.KnownRoot}, {"GET /b", 0, rehearse.KnownNearest}, {"GET /b", 1, rehearse.KnownSDK}, {"db.query", 2, rehearse.KnownSDK}},
			[]seg{
				{0, "web", "self", 0, 10},
				{1, "web → api GET /b", "queue", 10, 4}, {1, "web → api GET /b", "shape", 14, 10}, {1, "web → api GET /b", "network", 24, 1},
				{2, "api", "self", 25, 13}, {3, "api → db db.query", "network", 38, 2},
				{3, "api → db db.query", "shape", 40, 3}, {3, "api → db db.query", "server", 43, 16}, {3, "api → db db.query", "shape", 59, 1},
				{3, "api → db db.query", "network", 60, 1}, {2, "api", "self", 61, 16},
				{1, "web → api GET /b", "network", 77, 1}, {1, "web → api GET /b", "shape", 78, 10}, {1, "web → api GET /b", "transfer", 88, 2},
				{0, "web", "self", 90, 10},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tel := assemble(tt.spans...)
			if len(tel.Traces) != 1 {
				t.Fatalf("got %d traces, want 1", len(tel.Traces))
			}
			tr := &tel.Traces[0]
			if tr.Operation != "web GET /a" || tr.ID != traceID(1) {
				t.Errorf("got the operation %q and the id %s", tr.Operation, tr.ID)
			}
			var got []node
			for _, n := range tr.Nodes {
				got = append(got, node{n.Name, n.Up, n.Known})
			}
			if diff := cmp.Diff(tt.nodes, got); diff != "" {
				t.Errorf("nodes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, segments(tr)); diff != "" {
				t.Errorf("critical path (-want +got):\n%s", diff)
			}
			for i, n := range tr.Nodes {
				if n.Wire != nil && trace.Key(&tr.Nodes[i]) == "" {
					t.Errorf("node %d has no key", i)
				}
			}
			tiles(t, tel)
			whole(t, tt.spans, tel)
		})
	}
}

// TestParallel has two calls at once: the later one was waited for.
func TestParallel(t *testing.T) {
	tel := assemble(
		sdk(1, 1, 0, "web", "job", rehearse.SpanInternal, 0, 100),
		sdk(1, 2, 1, "web", "fetch", rehearse.SpanClient, 10, 50, attr("server.address", "weather.example")),
		sdk(1, 3, 1, "web", "compute", rehearse.SpanInternal, 10, 80),
		sdk(1, 4, 1, "web", "late", rehearse.SpanInternal, 95, 30),
	)
	want := []seg{{0, "web", "self", 0, 10}, {2, "web", "self", 10, 80}, {0, "web", "self", 90, 5}, {3, "web", "self", 95, 5}}
	if diff := cmp.Diff(want, segments(&tel.Traces[0])); diff != "" {
		t.Errorf("critical path (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]int{{1, 2, 3}, nil, nil, nil}, trace.Children(&tel.Traces[0])); diff != "" {
		t.Errorf("children (-want +got):\n%s", diff)
	}
	if got, want := trace.Key(&tel.Traces[0].Nodes[1]), "web → weather.example fetch"; got != want {
		t.Errorf("got the key %q, want %q", got, want)
	}
}

func TestFlaws(t *testing.T) {
	in := func(start, length float64) []rehearse.Span {
		return []rehearse.Span{
			measured(1, 1, 0, "ingress/eu:web", "GET /a", 1, 0, 100),
			sdk(1, 2, 1, "web", "GET /a", rehearse.SpanServer, start, length), sdk(1, 3, 2, "web", "inner", rehearse.SpanInternal, start+10, 10),
		}
	}
	for _, tt := range []struct {
		name   string
		spans  []rehearse.Span
		want   map[string]int
		traces int
	}{
		{"none", in(1, 98), nil, 1},
		{"milliseconds only", in(0, 105), nil, 1},
		{"duplicate", append(in(1, 98), in(1, 98)[1]), map[string]int{trace.FlawDuplicate: 1}, 1},
		{"skew", in(-3000, 98), map[string]int{trace.FlawSkew: 1}, 1},
		{"a little skew", in(40, 98), map[string]int{trace.FlawSkew: 1}, 1},
		{"missing parent", append(in(1, 98), sdk(1, 9, 77, "web", "lost", rehearse.SpanInternal, 5, 1)), map[string]int{trace.FlawMissing: 1}, 1},
		{"a parent outside", []rehearse.Span{measured(1, 1, 77, "ingress/eu:web", "GET /a", 1, 0, 100)}, nil, 1},
		{"its own parent", []rehearse.Span{sdk(1, 1, 1, "web", "a", rehearse.SpanInternal, 0, 1)}, map[string]int{trace.FlawCycle: 1}, 1},
		{"cycle", []rehearse.Span{
			sdk(1, 1, 3, "web", "a", rehearse.SpanInternal, 0, 9), sdk(1, 2, 1, "web", "b", rehearse.SpanInternal, 1, 7), sdk(1, 3, 2, "web", "c", rehearse.SpanInternal, 2, 5),
		}, map[string]int{trace.FlawCycle: 1}, 1},
		{"negative", []rehearse.Span{sdk(1, 1, 0, "web", "a", rehearse.SpanInternal, 5, -9)}, map[string]int{trace.FlawDuration: 1}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tel := assemble(tt.spans...)
			if len(tt.want) == 0 && len(tel.Flaws) > 0 || len(tt.want) > 0 && !cmp.Equal(tt.want, tel.Flaws) {
				t.Errorf("got the flaws %v, want %v", tel.Flaws, tt.want)
			}
			if len(tel.Traces) != tt.traces {
				t.Errorf("got %d traces, want %d", len(tel.Traces), tt.traces)
			}
			root := tel.Traces[0].Nodes[0]
			for _, n := range tel.Traces[0].Nodes[1:] {
				if tt.want[trace.FlawSkew] > 0 && (n.Start.Before(root.Start) || n.End().After(root.End())) {
					t.Errorf("%s is at %v to %v, outside of the root", n.Name, n.Start, n.End())
				}
			}
			tiles(t, tel)
			whole(t, tt.spans, tel)
		})
	}
}

// TestBackground holds apart what a service does on its own and what nobody can
// say whose it is.
func TestBackground(t *testing.T) {
	spans := []rehearse.Span{
		measured(1, 1, 0, "ingress/eu:web", "GET /a", 1, 1000, 100), measured(2, 2, 0, "ingress/eu:web", "GET /a", 2, 1010, 100),
		measured(3, 3, 0, "web:api", "GET /b", 1, 100, 10),
		measured(4, 4, 0, "web:api", "GET /c", 1, 1030, 10),
		measured(5, 5, 0, "web:api", "connection to api", 9, 1030, 10, attr(rehearse.AttrUndecoded, "tls")),
	}
	tel := assemble(spans...)
	var got []string
	for i := range tel.Traces {
		got = append(got, tel.Traces[i].Operation)
	}
	for _, n := range tel.Loose {
		got = append(got, "loose "+n.Name)
	}
	want := []string{"web (background) GET /b", "web GET /a", "web GET /a", "loose GET /c", "loose connection to api"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(rehearse.Coverage{Calls: 1, Unknown: 1}, tel.Coverage); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	whole(t, spans, tel)
}

// TestLogs finds the records of a trace that has joined another.
func TestLogs(t *testing.T) {
	spans := []rehearse.Span{
		measured(1, 1, 0, "ingress/eu:web", "GET /a", 1, 0, 100),
		measured(8, 3, 0, "web:api", "GET /b", 1, 10, 80), sdk(8, 12, 3, "api", "GET /b", rehearse.SpanServer, 12, 70),
	}
	logs := []rehearse.LogRecord{
		{Time: epoch.Add(2 * ms), Service: "api", Body: "by trace", Trace: traceID(8)},
		{Time: epoch.Add(1 * ms), Service: "api", Body: "by span", Trace: traceID(8), Span: spanID(12)},
		{Time: epoch, Service: "api", Body: "of none"},
	}
	tel := trace.Assemble(spans, logs, plan, rehearse.TelemetryResult{})
	type line struct {
		Body  string
		Trace rehearse.TraceID
	}
	var got []line
	for _, l := range tel.Logs {
		got = append(got, line{l.Body, l.Trace})
	}
	if diff := cmp.Diff([]line{{"of none", rehearse.TraceID{}}, {"by span", traceID(1)}, {"by trace", traceID(1)}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if logs[0].Trace != traceID(8) {
		t.Error("Assemble changed its arguments")
	}
}

// FuzzAssemble makes spans of bytes: any will do.
func FuzzAssemble(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 1, 0, 0, 0, 90, 1, 0, 2, 2, 1, 3, 10, 60, 2, 0, 3, 3, 2, 8, 20, 10, 1, 0})
	f.Add([]byte{1, 1, 2, 3, 0, 90, 1, 0, 1, 2, 1, 3, 10, 60, 2, 0, 9, 3, 0, 9, 20, 10, 1, 0x41, 9, 4, 0, 9, 40, 10, 1, 0x81})
	f.Add([]byte{1, 1, 0, 7, 0, 90, 1, 0, 2, 2, 0, 7, 5, 90, 2, 0, 3, 3, 0, 9, 20, 10, 1, 1, 3, 4, 0, 9, 20, 10, 1, 0x21, 4, 5, 0, 3, 200, 250, 1, 0})
	f.Add([]byte("000\xff00000100000 10000 0 ")) // a service that calls itself
	f.Fuzz(func(t *testing.T, b []byte) {
		var spans []rehearse.Span
		links := []rehearse.LinkID{"ingress/eu:web", "web:api", "api:db", "web:web", "strange"}
		names := []string{"GET /a", "SELECT t", "BEGIN", "", "STARTUP", "COMMIT"}
		for ; len(b) >= 8 && len(spans) < 300; b = b[8:] {
			start, length := float64(b[4])*4, float64(int8(b[5]))
			s := sdk(uint64(b[0]%8), uint64(b[1]), uint64(b[2]), string(links[b[3]%3][:3]), names[b[6]%6], rehearse.SpanKind(b[3]%6), start, length)
			if b[3] >= 128 {
				s.Service = "web"
			}
			if b[3]%4 != 3 {
				s = measured(uint64(b[0]%8), uint64(b[1]), uint64(b[2]%4), links[b[3]%5], names[b[6]%6], int64(b[6]>>5), start, length,
					attr(rehearse.AttrShape, float64(b[7]&15)), attr(rehearse.AttrQueue, float64(b[7]>>4)), attr(rehearse.AttrTransfer, float64(b[0]>>4)))
				if b[7]&0x40 != 0 {
					s.Attributes = append(s.Attributes, attr(rehearse.AttrTransaction, "open"))
				}
				if b[7]&0x80 != 0 {
					s.Attributes = append(s.Attributes, attr(rehearse.AttrAbandoned, "client"))
				}
				if b[7]&0x30 == 0x30 {
					s.Attributes = append(s.Attributes, attr(rehearse.AttrUndecoded, "tls"))
				}
			}
			if b[6] == 255 {
				s.Start, s.Duration = time.Time{}, 1<<63-1
			}
			spans = append(spans, s)
		}
		tel := assemble(spans...)
		tiles(t, tel)
		whole(t, spans, tel)
		for i := len(spans)/2 - 1; i >= 0; i-- {
			spans[i], spans[len(spans)-1-i] = spans[len(spans)-1-i], spans[i]
		}
		if again := assemble(spans...); !reflect.DeepEqual(tel, again) {
			t.Fatalf("another order, another result (-want +got):\n%s", cmp.Diff(tel, again))
		}
	})
}

// TestNominalCalls has two calls on a connection of a path with jitter. Where they
// must follow one another they are taken apart, and else left alone.
func TestNominalCalls(t *testing.T) {
	links := []rehearse.LinkSpec{{ID: "web:api", Client: "web", Upstream: "api", Shape: rehearse.Symmetric(20*ms, 2*ms, 0)}}
	for _, test := range []struct {
		name   string
		speaks rehearse.Attribute
		second float64 // when it begins
	}{
		{"HTTP/1.1", attr("network.protocol.version", "1.1"), 35},
		{"HTTP/2", attr("network.protocol.version", "2"), 30},
		{"gRPC", attr("rpc.system", "grpc"), 30},
	} {
		t.Run(test.name, func(t *testing.T) {
			attrs := append(shares(0, 20, 0), test.speaks, attr(rehearse.AttrNominal, true))
			tel := trace.Assemble([]rehearse.Span{
				measured(1, 1, 0, "web:api", "GET /a", 1, 0, 40, attrs...),
				measured(2, 2, 0, "web:api", "GET /b", 1, 30, 40, attrs...),
			}, nil, links, rehearse.TelemetryResult{})
			got := map[string]float64{}
			for _, tr := range tel.Traces {
				got[tr.Operation] = float64(tr.Start.Sub(epoch)) / float64(ms)
				if want := 70 - test.second; float64(tr.Duration) != want*float64(ms) {
					t.Errorf("%s takes %v, want %v ms", tr.Operation, tr.Duration, want)
				}
			}
			want := map[string]float64{"web (background) GET /a": 0, "web (background) GET /b": test.second}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("starts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNotAlone has calls that nobody in flight asked for, beside the only request
// in flight: a ticker's beside one that stays, and work that a request has left
// behind beside the next one. None of them is certain.
func TestNotAlone(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spans func() []rehearse.Span
	}{
		{"a ticker", func() (spans []rehearse.Span) {
			spans = append(spans, measured(1, 1, 0, "ingress/eu:web", "GET /events", 1, 0, 10000))
			for i := range 20 {
				spans = append(spans, measured(uint64(10+i), uint64(10+i), 0, "web:api", "GET /ticks", 1, float64(200+400*i), 5))
			}
			return spans
		}},
		{"work left behind", func() (spans []rehearse.Span) {
			for i := range 20 {
				spans = append(spans,
					measured(uint64(50+i), uint64(50+i), 0, "ingress/eu:web", "GET /a", 1, float64(50*i), 49),
					measured(uint64(10+i), uint64(10+i), 0, "web:api", "GET /b", 1, float64(50*i+15), 5))
			}
			return spans
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tel := assemble(tt.spans()...)
			if tel.Coverage.Certain > 0 {
				t.Errorf("%d calls are certain, and none can be: %+v", tel.Coverage.Certain, tel.Coverage)
			}
		})
	}
}

// TestOnlyRequest has one request and nothing else: its calls are its own, as far
// as anybody can tell.
func TestOnlyRequest(t *testing.T) {
	for _, conn := range []int64{1, 2} {
		tel := assemble(
			measured(1, 1, 0, "ingress/eu:web", "GET /twice", 1, 0, 10),
			measured(2, 2, 0, "web:api", "GET /", 1, 2, 2),
			measured(3, 3, 0, "web:api", "GET /", conn, 5, 2),
		)
		want := rehearse.Coverage{Calls: 2, Inferred: 2}
		if diff := cmp.Diff(want, tel.Coverage); diff != "" {
			t.Errorf("second call on connection %d (-want +got):\n%s", conn, diff)
		}
	}
}
