package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	rehearse "github.com/rehearse-dev/rehearse"
)

// upstream answers requests one after the other with what it has been told; then
// with 200.
type upstream struct {
	mu      sync.Mutex
	answers []answer
	got     []string        // when, where to, and how many spans
	began   time.Time       // of the test
	hold    <-chan struct{} // where not nil, answers wait for it
}

type answer struct {
	status  int // 0: the connection breaks
	headers []string
	body    string
}

func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	unzip, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(unzip)
	if err != nil {
		return nil, err
	}
	if u.hold != nil {
		select {
		case <-u.hold:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.got = append(u.got, fmt.Sprintf("%v %s %d", time.Since(u.began).Truncate(time.Second), r.URL, Count(body, SignalTraces)))
	next := answer{status: http.StatusOK}
	if len(u.answers) > 0 {
		next, u.answers = u.answers[0], u.answers[1:]
	}
	if next.status == 0 {
		return nil, errors.New("connection refused")
	}
	response := &http.Response{StatusCode: next.status, Status: fmt.Sprint(next.status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(next.body)), Request: r}
	for i := 0; i+1 < len(next.headers); i += 2 {
		response.Header.Set(next.headers[i], next.headers[i+1])
	}
	return response, nil
}

func forward(t *testing.T, room int64, u *upstream) *Forwarder {
	t.Helper()
	u.began = time.Now() // in a bubble always the same, and so are the pauses by chance
	f, err := newForwarder("http://collector:4318/base", room, u)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var twoSpans = []byte(request(pbytes(2, minimalSpan("a"), minimalSpan("b"))))

func TestForwarderRetries(t *testing.T) {
	const to = "http://collector:4318/base/v1/traces 2"
	for _, c := range []struct {
		name      string
		answers   []answer
		got       []string
		sent      int64
		dropped   int64
		lastError string
	}{
		{name: "taken", got: []string{"0s " + to}, sent: 2},
		{
			name: "later", answers: []answer{{}, {status: 503}, {status: 429, headers: []string{"Retry-After", "7"}}}, got: []string{"0s " + to, "0s " + to, "1s " + to, "8s " + to}, sent: 2,
		},
		{
			name: "much later", answers: []answer{{status: 502, headers: []string{"Retry-After", "99999999"}}}, got: []string{"0s " + to, "10s " + to}, sent: 2,
		},
		{name: "refused", answers: []answer{{status: 400, body: "nonsense"}}, got: []string{"0s " + to}, dropped: 2, lastError: "http://collector:4318/base/v1/traces answered 400"},
		{name: "moved", answers: []answer{{status: 302, headers: []string{"Location", "/login"}}}, got: []string{"0s " + to}, dropped: 2, lastError: "http://collector:4318/base/v1/traces answered 302"},
		{name: "partly", answers: []answer{{status: 200, body: pbytes(1, pvarint(1, 1), pbytes(2, "too old"))}}, got: []string{"0s " + to}, sent: 1, dropped: 1, lastError: "http://collector:4318/base/v1/traces rejected some: too old"},
		{name: "rejects more than there is", answers: []answer{{status: 200, body: pbytes(1, pvarint(1, 99))}}, got: []string{"0s " + to}, dropped: 2, lastError: "http://collector:4318/base/v1/traces rejected some: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := &upstream{answers: c.answers}
				f := forward(t, 1<<20, u)
				f.Offer(SignalTraces, twoSpans)
				if err := f.Close(t.Context()); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(u.got, c.got); diff != "" {
					t.Error("got -, want +:\n", diff)
				}
				stats := f.Stats()
				if stats.Sent != c.sent || stats.Dropped != c.dropped || stats.Queued != 0 {
					t.Errorf("got %+v, want %d sent and %d dropped", stats, c.sent, c.dropped)
				}
				if c.lastError != "" && (stats.LastError == nil || stats.LastError.Error() != c.lastError) || c.lastError == "" && stats.LastError != nil {
					t.Errorf("got error %v, want %q", stats.LastError, c.lastError)
				}
			})
		})
	}
}

func TestForwarderGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{answers: make([]answer, 100)}
		f := forward(t, 1<<20, u)
		f.Offer(SignalLogs, []byte(fullLogs))
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
		stats := f.Stats()
		if stats.DroppedOther != 3 || stats.Dropped != 0 || stats.LastError == nil || !strings.Contains(stats.LastError.Error(), "connection refused") {
			t.Errorf("got %+v, want 3 log records dropped for a refused connection", stats)
		}
		if took := time.Since(u.began); took > longestTry {
			t.Errorf("it tried for %v, want at most %v", took, longestTry)
		}
		if len(u.got) < 5 {
			t.Errorf("it tried %d times", len(u.got))
		}
	})
}

func TestForwarderRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		u := &upstream{hold: hold}
		f := forward(t, 2*int64(len(twoSpans)), u)
		original := bytes.Clone(twoSpans)
		for range 5 {
			f.Offer(SignalTraces, original)
		}
		clear(original) // it has its own copy
		if stats := f.Stats(); stats.Dropped != 6 || stats.Queued != 2*int64(len(twoSpans)) || stats.LastError == nil {
			t.Errorf("got %+v, want 6 spans dropped and two requests queued", stats)
		}
		close(hold)
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if stats := f.Stats(); stats.Sent != 4 || stats.Dropped != 6 || stats.Queued != 0 {
			t.Errorf("got %+v, want 4 spans sent", stats)
		}
		f.Offer(SignalTraces, twoSpans)
		if stats := f.Stats(); stats.Dropped != 8 {
			t.Errorf("got %+v, want what comes after Close dropped", stats)
		}
	})
}

func TestForwarderCloseInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{hold: make(chan struct{})} // never answers
		f := forward(t, 1<<20, u)
		f.Offer(SignalTraces, twoSpans)
		f.Offer(SignalTraces, twoSpans)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := f.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		if took := time.Since(u.began); took != 3*time.Second {
			t.Errorf("Close took %v, want 3 s", took)
		}
		if stats := f.Stats(); stats.Dropped != 4 || stats.Queued != 0 {
			t.Errorf("got %+v, want 4 spans dropped", stats)
		}
	})
}

func TestForwarderURL(t *testing.T) {
	for _, target := range []string{"collector:4318", "localhost:4318", "grpc://collector:4317", "http://", "", "/v1", "http://bad host"} {
		_, err := NewForwarder(target)
		e, ok := errors.AsType[*rehearse.Error](err)
		if !ok || e.Kind != rehearse.Invalid || !strings.Contains(e.Hint, "http://localhost:4318") || !strings.Contains(e.Msg, target) {
			t.Errorf("%q: got %v, want an invalid URL with a hint", target, err)
		}
	}
}

// From a forwarder to a handler, over a real connection.
func TestForwarderToHandler(t *testing.T) {
	sink := new(recorder)
	f, err := NewForwarder("http://" + listen(t, sink) + "/")
	if err != nil {
		t.Fatal(err)
	}
	f.Offer(SignalTraces, []byte(fullTraces))
	f.Offer(SignalMetrics, []byte(fullMetrics))
	if err := f.Close(t.Context()); err != nil {
		t.Error(err)
	}
	got, refused := sink.take()
	if diff := cmp.Diff(got, []string{"traces " + fullTracesJSON, "metrics " + fullMetricsJSON}); diff != "" || len(refused) > 0 {
		t.Error("got -, want +:\n", diff, refused)
	}
	if stats := f.Stats(); stats.Sent != 1 || stats.Dropped != 0 || stats.DroppedOther != 0 || stats.LastError != nil {
		t.Errorf("got %+v, want a span sent", stats)
	}
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where the clock stands at a whole second
		for header, want := range map[string]time.Duration{
			"": 0, "5": 5 * time.Second, "-5": 0, "soon": 0, "99999999999": time.Hour, "7200": time.Hour,
			time.Now().Add(9 * time.Second).UTC().Format(http.TimeFormat):  9 * time.Second,
			time.Now().Add(-9 * time.Second).UTC().Format(http.TimeFormat): 0,
		} {
			if got := retryAfter(header); got != want {
				t.Errorf("%q: got %v, want %v", header, got, want)
			}
		}
	})
}
