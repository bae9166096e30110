package telemetry

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

func TestWatch(t *testing.T) {
	s := openStore(t, Options{Dir: t.TempDir(), Services: []rehearse.ServiceName{"web"}})
	s.AddSpans(many(0, 5, linkSpan)) // nobody watches yet
	spans := s.Watch(t.Context(), 1000)
	want := slices.Concat(many(5, 30, linkSpan), many(0, 30, sdkSpan))
	s.AddSpans(want[:10])
	sealNow(s)
	s.AddSpans(want[10:25])
	if err := export(s, "web", want[25:]); err != nil {
		t.Fatal(err)
	}
	s.Close()
	var got []rehearse.Span
	for sp := range spans { // ends because the store is closed
		got = append(got, sp)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("watched (-want +got):\n%s", diff)
	}
}

func TestWatchSkipsTheOldest(t *testing.T) {
	s := openStore(t, Options{Dir: t.TempDir()})
	spans := s.Watch(t.Context(), 10)
	const n = 3000
	for i := 0; i < n; i += 10 {
		s.AddSpans(many(i, i+10, linkSpan)) // nobody reads, nobody waits
		if i%1000 == 0 {
			sealNow(s)
		}
	}
	s.Close()
	next, left := 0, int64(0)
	for sp := range spans {
		if skipped := Skipped(&sp); skipped > 0 {
			if sp.ID != linkSpan(next).ID {
				t.Errorf("the first that was skipped is %v, want %v", sp.ID, linkSpan(next).ID)
			}
			next, left = next+int(skipped), left+skipped
			continue
		}
		if diff := cmp.Diff(linkSpan(next), sp); diff != "" {
			t.Fatalf("span %d (-want +got):\n%s", next, diff)
		}
		next++
	}
	if next != n {
		t.Errorf("spans up to %d are told of, want %d", next, n)
	}
	if left < n-10-2*maxStep {
		t.Errorf("%d were skipped", left)
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	s := openStore(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	spans := s.Watch(ctx, 10)
	s.AddSpans(many(0, 5, linkSpan))
	<-spans
	cancel()
	for range spans {
	}
}

// What a killed run loses is some seconds: without another span, what came is
// written.
func TestAge(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := must(New(Options{Dir: dir}))
		defer s.Close()
		s.AddSpans(many(0, 5, linkSpan))
		time.Sleep(maxAge + time.Second)
		synctest.Wait()
		spans, _, damage := Open(dir, rehearse.TelemetryResult{})
		if len(spans) != 5 || len(damage) != 0 {
			t.Errorf("after %v, %d spans are in files (%q), want 5", maxAge, len(spans), damage)
		}
	})
}

// Writers, readers and watchers at once: nothing is lost, and the race detector
// has nothing to say.
func TestConcurrency(t *testing.T) {
	s := openStore(t, Options{Dir: t.TempDir(), Memory: 2 << 20, Services: []rehearse.ServiceName{"web", "api"}})
	const rounds = 100
	spans := s.Watch(t.Context(), 1<<20)
	var writers, readers sync.WaitGroup
	for w, name := range []rehearse.ServiceName{"web", "api"} {
		writers.Go(func() {
			for i := range rounds {
				from := (w*rounds + i) * 50
				if err := export(s, name, many(from, from+50, sdkSpan)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Go(func() {
		for i := range rounds {
			s.AddSpans(many(i*10, i*10+10, linkSpan))
			s.AddLog(rehearse.LogRecord{Time: start, Service: "web", Body: "line"})
		}
	})
	done := make(chan struct{})
	watched := make(chan int, 1)
	go func() {
		n := 0
		for range spans {
			n++
		}
		watched <- n
	}()
	for range 2 {
		readers.Go(func() {
			for last := 0; ; {
				n := len(s.Spans(Query{Errors: true, Name: "GET*", Limit: 5000}))
				if n < last {
					t.Errorf("%d spans after %d", n, last)
				}
				last = n
				s.Traces(Query{Trace: traceID(3)})
				s.Logs(LogQuery{Contains: "line", Limit: 3})
				s.Stats()
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	r, err := s.Close()
	if err != nil {
		t.Fatal(err)
	}
	const want = 2*rounds*50 + rounds*10
	if r.Spans != want || r.Lost != 0 || r.Logs != rounds || inFiles(r, otlp.SignalTraces) != want || inFiles(r, otlp.SignalLogs) != rounds {
		t.Errorf("Spans %d, lost %d, in files %d; logs %d, in files %d", r.Spans, r.Lost, inFiles(r, otlp.SignalTraces), r.Logs, inFiles(r, otlp.SignalLogs))
	}
	if n := <-watched; n != want {
		t.Errorf("%d spans were watched, want %d", n, want)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var size int64
	for _, f := range r.Files {
		size += must(os.Stat(filepath.Join(s.options.Dir, f.Name))).Size()
	}
	if got := s.data.sum(); got != size {
		t.Errorf("%d bytes are accounted for, and files have %d", got, size)
	}
}

func TestLogs(t *testing.T) {
	records := []rehearse.LogRecord{
		{Time: start, Service: "db", Stream: "err", Severity: rehearse.SeverityInfo, Body: "ready"},
		{Time: start.Add(1), Service: "web", Stream: "out", Severity: rehearse.SeverityError, Body: "no connection", Trace: traceID(1), Span: spanID(1)},
		{Time: start.Add(2), Service: "web", Stream: "err", Body: "no idea", Attributes: []rehearse.Attribute{{Key: "k", Value: int64(1)}}},
		{Time: start.Add(3), Service: "web", Severity: rehearse.SeverityFatal, Body: "sent by an SDK", Trace: traceID(1)},
	}
	tests := []struct {
		name  string
		query LogQuery
		want  []int
	}{
		{"everything", LogQuery{}, []int{0, 1, 2, 3}},
		{"a trace", LogQuery{Trace: traceID(1)}, []int{1, 3}},
		{"a service", LogQuery{Service: "db"}, []int{0}},
		{"errors", LogQuery{MinSeverity: rehearse.SeverityError}, []int{1, 3}},
		{"a text", LogQuery{Contains: "no "}, []int{1, 2}},
		{"the latest", LogQuery{Limit: 2}, []int{2, 3}},
		{"the latest with a text", LogQuery{Contains: "no ", Limit: 1}, []int{2}},
		{"nothing", LogQuery{Service: "db", Contains: "no "}, nil},
	}
	for _, state := range states {
		t.Run(state.name, func(t *testing.T) {
			s := openStore(t, Options{Dir: t.TempDir(), Services: []rehearse.ServiceName{"web", "db"}})
			// They need not come in the order of their times.
			if _, _, err := s.Service("web").Export(otlp.SignalLogs, otlp.AppendLogs(nil, records[3:])); err != nil {
				t.Fatal(err)
			}
			for _, rec := range records[:3] {
				s.AddLog(rec)
			}
			state.reach(s)
			for _, tt := range tests {
				var want []rehearse.LogRecord
				for _, i := range tt.want {
					want = append(want, records[i])
				}
				got := s.Logs(tt.query)
				if len(got) == 0 {
					got = nil
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: Logs (-want +got):\n%s", tt.name, diff)
				}
			}
			if got := s.Stats().Logs; got != 4 {
				t.Errorf("Logs = %d, want 4", got)
			}
		})
	}
}

// gauge is a metric with two data points.
const gauge = `{"resourceMetrics":[{"resource":{},"scopeMetrics":[{"metrics":[{"name":"g","gauge":{"dataPoints":[{"asInt":"1"},{"asInt":"2"}]}}]}]}]}`

func TestMetrics(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, Options{Dir: dir, Services: []rehearse.ServiceName{"web"}})
	request := must(otlp.FromJSON([]byte(gauge), otlp.SignalMetrics))
	for range 3 {
		if _, _, err := s.Service("web").Export(otlp.SignalMetrics, request); err != nil {
			t.Fatal(err)
		}
	}
	r, err := s.Close()
	if err != nil || r.Metrics != 6 || inFiles(r, otlp.SignalMetrics) != 6 {
		t.Fatalf("Metrics = %d, in files %d, %v; want 6", r.Metrics, inFiles(r, otlp.SignalMetrics), err)
	}
	data := must(os.ReadFile(filepath.Join(dir, r.Files[0].Name)))
	var points int
	if err := otlp.Metrics(must(s.codec.decoder.DecodeAll(data, nil)), func(r *otlp.Resource, _ *otlp.Scope, m *otlp.Metric) error {
		points += m.Points
		if string(m.Name) != "g" || owner(r) != "web" {
			t.Errorf("metric %q of %q", m.Name, owner(r))
		}
		return nil
	}); err != nil || points != 6 {
		t.Errorf("%d data points in the file, %v", points, err)
	}
}

// TestOverHTTP sends to the store as a service does.
func TestOverHTTP(t *testing.T) {
	s := openStore(t, Options{Memory: 256 << 10, Services: []rehearse.ServiceName{"web"}})
	server := httptest.NewServer(otlp.Handler(s.Service("web")))
	defer server.Close()
	post := func(body []byte) (status int, retry string) {
		t.Helper()
		r, err := http.Post(server.URL+"/v1/traces", "application/x-protobuf", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		return r.StatusCode, r.Header.Get("Retry-After")
	}
	nameless := sdkSpan(1)
	nameless.Trace = rehearse.TraceID{}
	if status, _ := post(otlp.AppendTraces(nil, []rehearse.Span{sdkSpan(0), nameless})); status != 200 {
		t.Errorf("status %d, want 200", status)
	}
	if status, _ := post([]byte("nonsense")); status != 400 {
		t.Errorf("status %d, want 400", status)
	}
	body, accepted := otlp.AppendTraces(nil, many(0, 100, sdkSpan)), int64(0)
	for {
		status, retry := post(body)
		if status == 200 {
			accepted++
			continue
		}
		if status != 429 || retry == "" || retry == "0" {
			t.Errorf("status %d, Retry-After %q, want 429 and some time", status, retry)
		}
		break
	}
	r := s.Stats()
	if r.Refused["web"] != 1 || r.Malformed["web"] != 1 || r.Spans != 2+100*accepted || r.Lost != 1 {
		t.Errorf("%d accepted: Refused = %v, Malformed = %v, Spans = %d, Lost = %d", accepted, r.Refused, r.Malformed, r.Spans, r.Lost)
	}
}

// What is sent on arrives, of links and of services, counted.
func TestForward(t *testing.T) {
	upstream := openStore(t, Options{Services: []rehearse.ServiceName{"all"}})
	server := httptest.NewServer(otlp.Handler(upstream.Service("all")))
	defer server.Close()
	forwarder := must(otlp.NewForwarder(server.URL))
	defer forwarder.Close(t.Context())
	for range 2 { // two legs share a forwarder
		s := openStore(t, Options{Services: []rehearse.ServiceName{"web"}, Forward: forwarder})
		if err := export(s, "web", many(0, 10, sdkSpan)); err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			s.AddSpans([]rehearse.Span{linkSpan(i)})
		}
		s.AddLog(rehearse.LogRecord{Time: start, Service: "web", Body: "line"})
		r, err := s.Close()
		if err != nil || r.Forwarded != 20 || r.Unforwarded != 0 {
			t.Errorf("Forwarded = %d, Unforwarded = %d, %v, want 20 and 0", r.Forwarded, r.Unforwarded, err)
		}
	}
	if r := upstream.Stats(); r.Spans != 40 || r.Logs != 2 {
		t.Errorf("upstream has %d spans and %d log records, want 40 and 2", r.Spans, r.Logs)
	}
}

func TestUndecodedAndMissed(t *testing.T) {
	s := openStore(t, Options{})
	tls := linkSpan(0)
	tls.Attributes = append(tls.Attributes, rehearse.Attribute{Key: rehearse.AttrUndecoded, Value: "tls"})
	s.AddSpans([]rehearse.Span{tls, linkSpan(1), tls, {Name: "without ids"}})
	s.Missed(3)
	r := s.Stats()
	if diff := cmp.Diff(map[rehearse.LinkID]map[string]int64{"web:db": {"tls": 2}}, r.Undecoded); diff != "" {
		t.Error(diff)
	}
	if r.Spans != 7 || r.Lost != 4 {
		t.Errorf("Spans = %d, Lost = %d, want 7 and 4", r.Spans, r.Lost)
	}
}

func TestClosed(t *testing.T) {
	s := openStore(t, Options{Services: []rehearse.ServiceName{"web"}})
	first, _ := s.Close()
	if err := export(s, "web", many(0, 1, sdkSpan)); err == nil {
		t.Error("a request was accepted after Close")
	}
	s.AddSpans(many(0, 1, linkSpan))
	again, err := s.Close()
	if diff := cmp.Diff(first, again); diff != "" || err != nil {
		t.Errorf("Close again: %v (-first +again):\n%s", err, diff)
	}
}

func TestTransfer(t *testing.T) {
	s := openStore(t, Options{})
	watched := s.Watch(t.Context(), 1)
	s.AddSpans(many(0, 3, linkSpan))
	want := append(many(0, 3, sdkSpan), linkSpan(0), <-watched)
	if Skipped(&want[4]) != 2 {
		t.Errorf("watched %v, want that two were skipped", want[4])
	}
	got, err := DecodeSpans(EncodeSpans(want))
	want[4].Resource, got[4].Resource = nil, nil // of no interest
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestCopyTo has a store take what another one takes for a while.
func TestCopyTo(t *testing.T) {
	web := []rehearse.ServiceName{"web"}
	s, other := openStore(t, Options{Services: web}), openStore(t, Options{Dir: t.TempDir(), Services: web})
	s.AddSpans(many(0, 5, linkSpan))
	stop := s.CopyTo(other)
	s.AddSpans(many(5, 10, linkSpan))
	s.AddLog(rehearse.LogRecord{Time: start, Service: "web", Body: "hello"})
	s.Missed(2)
	if err := export(s, "web", many(0, 5, sdkSpan)); err != nil {
		t.Fatal(err)
	}
	stop()
	s.AddSpans(many(10, 20, linkSpan))
	r, err := other.Close()
	if err != nil {
		t.Fatal(err)
	}
	if r.Spans != 12 || r.Lost != 2 || r.Logs != 1 || len(other.Logs(LogQuery{})) != 1 {
		t.Errorf("the other has %d spans, %d of them lost, and %d logs; want 12, 2 and 1", r.Spans, r.Lost, r.Logs)
	}
	if got, all := len(other.Spans(Query{})), len(s.Spans(Query{})); got != 10 || all != 25 {
		t.Errorf("the other gives %d spans and the store %d, want 10 and 25", got, all)
	}
}
