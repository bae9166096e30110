package telemetry

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

var start = time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)

// openStore starts a store that is closed at the end of the test.
func openStore(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// sdkSpan is a span that an SDK sends: each trace has four, the second and the fourth of
// which are errors and slow.
func sdkSpan(i int) rehearse.Span {
	sp := rehearse.Span{
		Trace: traceID(i / 4), ID: spanID(i), Name: fmt.Sprintf("GET /documents/%d", i%4), Kind: rehearse.SpanServer,
		Service: "web", Scope: "otelhttp", Start: start.Add(time.Duration(i) * time.Millisecond), Duration: rehearse.Duration(time.Duration(i%4) * 10 * time.Millisecond),
		Attributes: []rehearse.Attribute{
			{Key: "http.request.method", Value: "GET"}, {Key: "http.response.status_code", Value: int64(200)},
			{Key: "url.path", Value: fmt.Sprintf("/documents/%d", i)}, {Key: "ratio", Value: 0.5}, {Key: "ok", Value: true},
			{Key: "list", Value: []any{"a", int64(1)}},
		},
		Resource: []rehearse.Attribute{{Key: "service.name", Value: "the-web"}, {Key: "host.name", Value: "h"}},
		Events:   []rehearse.SpanEvent{{Time: start, Name: "e", Attributes: []rehearse.Attribute{{Key: "k", Value: "v"}}}},
		Links:    []rehearse.SpanRef{{Trace: traceID(1), Span: spanID(1)}},
	}
	if i%4 > 0 {
		sp.Parent = spanID(i - i%4)
	}
	if i%2 == 1 {
		sp.Status, sp.Message = rehearse.StatusError, "no"
	}
	return sp
}

// linkSpan is a span that a link writes.
func linkSpan(i int) rehearse.Span {
	return rehearse.Span{
		Trace: traceID(1_000_000 + i), ID: spanID(1_000_000 + i), Name: "SELECT documents", Kind: rehearse.SpanClient,
		Service: "web", Scope: rehearse.LinkScope, Start: start.Add(time.Duration(i) * time.Millisecond), Duration: rehearse.Duration(time.Millisecond),
		Attributes: []rehearse.Attribute{
			{Key: rehearse.AttrLink, Value: "web:db"}, {Key: rehearse.AttrQueue, Value: 0.25}, {Key: rehearse.AttrConnection, Value: int64(i % 8)},
		},
	}
}

func traceID(i int) (id rehearse.TraceID) {
	copy(id[:], fmt.Sprintf("%016d", i+1))
	return id
}

func spanID(i int) (id rehearse.SpanID) {
	copy(id[:], fmt.Sprintf("%08d", i+1))
	return id
}

// many makes spans from one to another.
func many(from, to int, span func(int) rehearse.Span) (spans []rehearse.Span) {
	for i := from; i < to; i++ {
		spans = append(spans, span(i))
	}
	return spans
}

// export sends spans as their service's SDK would.
func export(s *Store, name rehearse.ServiceName, spans []rehearse.Span) error {
	_, _, err := s.Service(name).Export(otlp.SignalTraces, otlp.AppendTraces(nil, spans))
	return err
}

// sealNow has all that is open sealed, and waits for it.
func sealNow(s *Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for signal := range s.lanes {
		s.rotate(otlp.Signal(signal))
	}
	for len(s.pending) > 0 {
		s.sealed.Wait()
	}
}

// forget takes everything out of memory that is in files.
func forget(s *Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	memory := s.options.Memory
	s.options.Memory = 0
	s.evict()
	s.options.Memory = memory
}

// states are the places where spans can be when they are asked for.
var states = []struct {
	name   string
	reach  func(*Store)
	inFile bool
}{
	{"growing", func(*Store) {}, false},
	{"sealed", sealNow, false},
	{"out of memory", func(s *Store) { sealNow(s); forget(s) }, true},
	{"closed", func(s *Store) { s.Close() }, false},
}

func TestSpansComeBack(t *testing.T) {
	want := slices.Concat(many(0, 10, sdkSpan), many(0, 10, linkSpan))
	slices.SortStableFunc(want, func(a, b rehearse.Span) int { return a.Start.Compare(b.Start) })
	for _, state := range states {
		t.Run(state.name, func(t *testing.T) {
			dir := t.TempDir()
			s := openStore(t, Options{Dir: dir, Services: []rehearse.ServiceName{"web"}})
			if err := export(s, "web", many(0, 10, sdkSpan)); err != nil {
				t.Fatal(err)
			}
			s.AddSpans(many(0, 10, linkSpan))
			state.reach(s)
			if diff := cmp.Diff(want, s.Spans(Query{})); diff != "" {
				t.Errorf("Spans (-want +got):\n%s", diff)
			}
			r, err := s.Close()
			if err != nil {
				t.Fatal(err)
			}
			for _, result := range []rehearse.TelemetryResult{r, {}} {
				got, _, damage := Open(dir, result)
				if len(damage) > 0 {
					t.Errorf("damage: %q", damage)
				}
				slices.SortStableFunc(got, func(a, b rehearse.Span) int { return a.Start.Compare(b.Start) })
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("Open (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestQuery(t *testing.T) {
	all := slices.Concat(many(0, 400, sdkSpan), many(0, 100, linkSpan))
	tests := []struct {
		name  string
		query Query
		want  func(*rehearse.Span) bool
	}{
		{"everything", Query{}, func(*rehearse.Span) bool { return true }},
		{"a trace", Query{Trace: traceID(7)}, func(sp *rehearse.Span) bool { return sp.Trace == traceID(7) }},
		{"no trace", Query{Trace: traceID(7777)}, func(sp *rehearse.Span) bool { return false }},
		{"a service", Query{Service: "web"}, func(sp *rehearse.Span) bool { return sp.Service == "web" }},
		{"another service", Query{Service: "the-web"}, func(sp *rehearse.Span) bool { return false }},
		{"a link", Query{Link: "web:db"}, func(sp *rehearse.Span) bool { return sp.Scope == rehearse.LinkScope }},
		{"a name", Query{Name: "GET /documents/2"}, func(sp *rehearse.Span) bool { return sp.Name == "GET /documents/2" }},
		{"a pattern", Query{Name: "*doc*s"}, func(sp *rehearse.Span) bool { return strings.HasSuffix(sp.Name, "s") }},
		{"slow", Query{MinDuration: 20 * time.Millisecond}, func(sp *rehearse.Span) bool { return sp.Duration >= rehearse.Duration(20*time.Millisecond) }},
		{"errors", Query{Errors: true}, func(sp *rehearse.Span) bool { return sp.Status == rehearse.StatusError }},
		{"a time", Query{Since: start.Add(10 * time.Millisecond), Until: start.Add(20 * time.Millisecond)}, func(sp *rehearse.Span) bool {
			return !sp.Start.Before(start.Add(10*time.Millisecond)) && sp.Start.Before(start.Add(20*time.Millisecond))
		}},
		{"all of it", Query{Service: "web", Name: "GET*", Errors: true, MinDuration: 30 * time.Millisecond, Until: start.Add(50 * time.Millisecond)}, func(sp *rehearse.Span) bool {
			return sp.Status == rehearse.StatusError && sp.Duration >= rehearse.Duration(30*time.Millisecond) && sp.Start.Before(start.Add(50*time.Millisecond))
		}},
	}
	for _, state := range states {
		t.Run(state.name, func(t *testing.T) {
			s := openStore(t, Options{Dir: t.TempDir(), Services: []rehearse.ServiceName{"web"}})
			for i := 0; i < 400; i += 50 {
				if err := export(s, "web", many(i, i+50, sdkSpan)); err != nil {
					t.Fatal(err)
				}
				if i == 100 || i == 200 {
					sealNow(s)
				}
			}
			s.AddSpans(many(0, 100, linkSpan))
			state.reach(s)
			for _, tt := range tests {
				var want []rehearse.Span
				for _, sp := range all {
					if tt.want(&sp) {
						want = append(want, sp)
					}
				}
				slices.SortStableFunc(want, func(a, b rehearse.Span) int { return a.Start.Compare(b.Start) })
				byID := cmp.Transformer("", func(spans []rehearse.Span) (keys []string) {
					for _, sp := range spans {
						keys = append(keys, sp.Start.Format(time.StampMilli)+" "+sp.ID.String())
					}
					return keys
				})
				sorted := func(spans []rehearse.Span) []rehearse.Span {
					slices.SortStableFunc(spans, func(a, b rehearse.Span) int {
						if c := a.Start.Compare(b.Start); c != 0 {
							return c
						}
						return bytes.Compare(a.ID[:], b.ID[:])
					})
					return spans
				}
				if diff := cmp.Diff(sorted(slices.Clone(want)), sorted(s.Spans(tt.query)), byID); diff != "" {
					t.Errorf("%s: Spans (-want +got):\n%s", tt.name, diff)
				}
				tt.query.Limit = 3
				first := s.Spans(tt.query)
				if got, want := len(first), min(3, len(want)); got != want {
					t.Errorf("%s: with a limit, %d spans, want %d", tt.name, got, want)
				}
				for i, sp := range first {
					if !sp.Start.Equal(want[i].Start) {
						t.Errorf("%s: span %d starts at %v, want %v", tt.name, i, sp.Start, want[i].Start)
					}
				}
				tt.query.Newest = true
				for i, sp := range s.Spans(tt.query) {
					if w := want[len(want)-1-i]; !sp.Start.Equal(w.Start) {
						t.Errorf("%s: newest span %d starts at %v, want %v", tt.name, i, sp.Start, w.Start)
					}
				}
				tt.query.Limit = 0
				traces := map[rehearse.TraceID]bool{}
				for _, sp := range want {
					traces[sp.Trace] = true
				}
				of := slices.DeleteFunc(slices.Clone(all), func(sp rehearse.Span) bool { return !traces[sp.Trace] })
				if diff := cmp.Diff(Summarize(of), s.Traces(tt.query)); diff != "" {
					t.Errorf("%s: Traces (-want +got):\n%s", tt.name, diff)
				}
			}
		})
	}
}

func TestSummarize(t *testing.T) {
	spans := many(0, 8, sdkSpan)
	spans = append(spans, linkSpan(0))
	spans[8].Trace, spans[8].Service = spans[0].Trace, "batch"
	want := []TraceSummary{
		{ID: traceID(1), Service: "web", Name: "GET /documents/0", Start: start.Add(4 * time.Millisecond), Duration: rehearse.Duration(33 * time.Millisecond), Spans: 4, Errors: 2, Services: []rehearse.ServiceName{"web"}},
		// The link's span has no parent, starts at the same time, and is longer.
		{ID: traceID(0), Service: "batch", Name: "SELECT documents", Start: start, Duration: rehearse.Duration(33 * time.Millisecond), Spans: 5, Errors: 2, Services: []rehearse.ServiceName{"batch", "web"}},
	}
	if diff := cmp.Diff(want, Summarize(spans)); diff != "" {
		t.Errorf("Summarize (-want +got):\n%s", diff)
	}
	for range 10 {
		rand.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
		if diff := cmp.Diff(want, Summarize(spans)); diff != "" {
			t.Errorf("in another order (-want +got):\n%s", diff)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"*", "", true}, {"*b", "ab", true}, {"*b", "ba", false},
		{"a*a", "a", false}, {"a*b*c", "a-b-c", true}, {"a*b*c", "acb", false}, {"GET */x", "GET /a/b/x", true}, {"**", "x", true},
	} {
		if got := glob(tt.pattern, tt.name); got != tt.want {
			t.Errorf("glob(%q, %q) = %v, want %v", tt.pattern, tt.name, got, tt.want)
		}
	}
}

// inFiles is how many items of a signal are in files.
func inFiles(r rehearse.TelemetryResult, signal otlp.Signal) (n int64) {
	for _, f := range r.Files {
		if f.Signal == signal.String() {
			n += f.Count
		}
	}
	return n
}

func TestFairShares(t *testing.T) {
	for _, place := range []string{"memory", "disk"} {
		t.Run(place, func(t *testing.T) {
			o := Options{Memory: 1 << 20, Services: []rehearse.ServiceName{"quiet", "chatty"}}
			if place == "disk" {
				o.Dir, o.Disk = t.TempDir(), 1<<20
			}
			s := openStore(t, o)
			noise := rand.NewChaCha8([32]byte{})
			flood := func(i int) rehearse.Span { // what does not compress
				sp := sdkSpan(i)
				b := make([]byte, 2048)
				noise.Read(b)
				sp.Attributes = append(sp.Attributes, rehearse.Attribute{Key: "noise", Value: b})
				return sp
			}
			accepted, refused := 0, 0
			for i := 0; i < 4000; i += 20 {
				err := export(s, "chatty", many(i, i+20, flood))
				if exhausted := (*otlp.Exhausted)(nil); errors.As(err, &exhausted) {
					refused++
					if exhausted.RetryAfter <= 0 {
						t.Errorf("RetryAfter = %v", exhausted.RetryAfter)
					}
					continue
				} else if err != nil {
					t.Fatal(err)
				}
				accepted += 20
			}
			if accepted == 0 || refused == 0 {
				t.Errorf("accepted %d spans and refused %d requests; want some of both", accepted, refused)
			}
			// The others have their parts all the same.
			if err := export(s, "quiet", many(10_000, 10_020, flood)); err != nil {
				t.Errorf("the quiet service: %v", err)
			}
			s.AddSpans(many(0, 200, linkSpan))
			s.AddLog(rehearse.LogRecord{Time: start, Service: "quiet", Body: "still here"})
			if got := s.Stats().Lost; got != 0 {
				t.Errorf("Lost = %d of links' spans", got)
			}
			// Nobody was evicted for that.
			if got := len(s.Spans(Query{Service: "chatty"})); got != accepted {
				t.Errorf("%d spans of the chatty service are left, of %d", got, accepted)
			}
			if got := len(s.Spans(Query{Service: "quiet"})); got != 20 {
				t.Errorf("%d spans of the quiet service are left, of 20", got)
			}
			if got := len(s.Logs(LogQuery{Service: "quiet"})); got != 1 {
				t.Errorf("%d log records of the quiet service", got)
			}
			// Links' spans beyond their part are dropped, and counted.
			for i := 0; i < 2000; i += 20 {
				s.AddSpans(many(i, i+20, flood))
			}
			r, err := s.Close()
			if err != nil {
				t.Fatal(err)
			}
			if want := int64(accepted + 20 + 200 + 2000); r.Spans != want {
				t.Errorf("Spans = %d, want %d", r.Spans, want)
			}
			if r.Lost == 0 {
				t.Error("Lost = 0, want some")
			}
			if got := int64(len(s.Spans(Query{}))); got != r.Spans-r.Lost {
				t.Errorf("%d spans are there, want %d - %d", got, r.Spans, r.Lost)
			}
			if place == "disk" {
				if got := inFiles(r, otlp.SignalTraces); got != r.Spans-r.Lost {
					t.Errorf("%d spans are in files, want %d - %d", got, r.Spans, r.Lost)
				}
				var size int64
				for _, f := range r.Files {
					info, err := os.Stat(filepath.Join(o.Dir, f.Name))
					if err != nil {
						t.Fatal(err)
					}
					if info.Mode() != 0o600 {
						t.Errorf("%s has mode %v", f.Name, info.Mode())
					}
					size += info.Size()
				}
				if size > o.Disk {
					t.Errorf("files have %d bytes, and the budget is %d", size, o.Disk)
				}
			}
			// The figures of operations have all of them.
			var count int64
			for _, op := range r.Operations {
				count += op.Count
			}
			if count != r.Spans {
				t.Errorf("operations count %d spans, want %d", count, r.Spans)
			}
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, Options{Dir: dir, Memory: 1 << 20, Services: []rehearse.ServiceName{"web"}})
	const n = 40_000
	for i := 0; i < n; i += 500 {
		if err := export(s, "web", many(i, i+500, sdkSpan)); err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		// Beyond the budget there can be what waits to be sealed, which nobody
		// could have evicted.
		if most := s.options.Memory + 4*int64(s.limit); s.resident > most {
			t.Errorf("%d bytes in memory, want at most %d", s.resident, most)
		}
		s.mu.Unlock()
	}
	sealNow(s)
	s.mu.Lock()
	var resident int64
	var out int
	for _, g := range s.lanes[otlp.SignalTraces].sealed {
		resident += g.kept.Load().bytes() + int64(len(g.data))
		if g.kept.Load().table == nil {
			out++
		}
	}
	if s.resident != resident || resident+s.ops.bytes() > s.options.Memory {
		t.Errorf("%d bytes in memory are accounted as %d", resident, s.resident)
	}
	s.mu.Unlock()
	if out == 0 {
		t.Error("no segment has left memory")
	}
	if got := len(s.Spans(Query{Errors: true})); got != n/2 {
		t.Errorf("%d errors are found, want %d", got, n/2)
	}
	if got := len(s.Traces(Query{})); got != n/4 {
		t.Errorf("%d traces, want %d", got, n/4)
	}
	if diff := cmp.Diff(many(400, 404, sdkSpan), s.Spans(Query{Trace: traceID(100)})); diff != "" {
		t.Errorf("a trace in a file (-want +got):\n%s", diff)
	}
}

func TestOperations(t *testing.T) {
	s := openStore(t, Options{})
	s.AddSpans(many(0, 100, linkSpan))
	if err := export(s, "web", many(0, 100, sdkSpan)); err != nil {
		t.Fatal(err)
	}
	backwards := sdkSpan(1000)
	backwards.Name, backwards.Duration = "backwards", -5
	s.AddSpans([]rehearse.Span{backwards})
	quantiles := func(n int64, d time.Duration) rehearse.Quantiles {
		v := rehearse.Duration(d)
		return rehearse.Quantiles{Count: n, Min: v, P50: v, P90: v, P99: v, Max: v, Mean: v}
	}
	want := []rehearse.OperationStats{
		{Service: "web", Name: "GET /documents/0", Kind: rehearse.SpanServer, Count: 25, Duration: quantiles(25, 0)},
		{Service: "web", Name: "GET /documents/1", Kind: rehearse.SpanServer, Count: 25, Errors: 25, Duration: quantiles(25, 10*time.Millisecond)},
		{Service: "web", Name: "GET /documents/2", Kind: rehearse.SpanServer, Count: 25, Duration: quantiles(25, 20*time.Millisecond)},
		{Service: "web", Name: "GET /documents/3", Kind: rehearse.SpanServer, Count: 25, Errors: 25, Duration: quantiles(25, 30*time.Millisecond)},
		{Service: "web", Name: "backwards", Kind: rehearse.SpanServer, Count: 1, Duration: quantiles(1, 0)},
		{Link: "web:db", Service: "web", Name: "SELECT documents", Kind: rehearse.SpanClient, Count: 100, Duration: quantiles(100, time.Millisecond)},
	}
	if diff := cmp.Diff(want, s.Stats().Operations); diff != "" {
		t.Errorf("Operations (-want +got):\n%s", diff)
	}
}

func TestOperationsAreBounded(t *testing.T) {
	s := openStore(t, Options{Services: []rehearse.ServiceName{"chatty", "web"}})
	const n = 10_000
	if err := export(s, "chatty", many(0, n, func(i int) rehearse.Span {
		sp := sdkSpan(i)
		sp.Name = fmt.Sprint("GET /documents/", i)
		return sp
	})); err != nil {
		t.Fatal(err)
	}
	if err := export(s, "web", []rehearse.Span{sdkSpan(0)}); err != nil {
		t.Fatal(err)
	}
	long := linkSpan(0)
	long.Name = strings.Repeat("x", maxOperationName+1)
	s.AddSpans([]rehearse.Span{long})
	counts := map[string]int64{}
	ops := s.Stats().Operations
	for _, op := range ops {
		if op.Name == Other {
			counts[string(op.Link)+" "+string(op.Service)] += op.Count
		}
		counts["all"] += op.Count
	}
	if len(ops) > maxOperations+2 || counts["all"] != n+2 {
		t.Errorf("%d operations count %d spans", len(ops), counts["all"])
	}
	if !slices.ContainsFunc(ops, func(op rehearse.OperationStats) bool { return op.Service == "web" && op.Name == "GET /documents/0" }) {
		t.Error("a service's name was given up for another's")
	}
	delete(counts, "all")
	if got := slices.Sorted(maps.Keys(counts)); len(got) != 2 {
		t.Errorf("others are %v", got)
	}
}

// A builder that has been used keeps no number of a name or group from before, and
// few of them are numbered as many are.
func TestNumbers(t *testing.T) {
	b := newBuilder()
	for _, n := range []int{1, few - 1, few, few + 1, few + 2, 3 * few, 2} {
		for range 2 { // the second time they are known
			for i := range n {
				name := fmt.Sprint("name ", n-i)
				if got := b.intern(name); got != uint32(i) {
					t.Errorf("of %d names number %d has %d", n, i, got)
				}
				if got := b.internBytes([]byte(name)); got != uint32(i) {
					t.Errorf("of %d names number %d has %d as bytes", n, i, got)
				}
				if got := b.groupOf(group{service: "web", scope: name}); got != uint32(i) {
					t.Errorf("of %d groups number %d has %d", n, i, got)
				}
			}
		}
		if len(b.names) != n || len(b.groups) != n {
			t.Errorf("got %d names and %d groups, want %d", len(b.names), len(b.groups), n)
		}
		b.reset()
	}
}
