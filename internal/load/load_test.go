package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rehearse-dev/rehearse"
)

// network is a listener in memory, for virtual time.
type network struct {
	conns  chan net.Conn
	closed chan struct{}
	dialed atomic.Int64
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}
func (n *network) Close() error   { close(n.closed); return nil }
func (n *network) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (n *network) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	n.conns <- theirs
	n.dialed.Add(1)
	return ours, nil
}

// serve starts a service in memory; call it within a bubble.
func serve(t *testing.T, handler http.HandlerFunc) (*network, map[rehearse.LinkID]Target) {
	t.Helper()
	n := &network{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: handler}
	done := make(chan error)
	go func() { done <- server.Serve(n) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return n, map[rehearse.LinkID]Target{"": {Base: "http://service", Dial: n.dial}}
}

// steady is even traffic of one GET request from nowhere.
func steady(perSecond float64, d time.Duration) rehearse.Traffic {
	return rehearse.Traffic{
		Duration: rehearse.Duration(d),
		Arrivals: rehearse.Even,
		Rate:     []rehearse.RatePoint{{PerSecond: perSecond}},
		Origins:  []rehearse.Origin{{Weight: 1}},
		Requests: []rehearse.Request{{Name: "home", Weight: 1, Method: "GET", Path: "/"}},
		Timeout:  rehearse.Duration(10 * time.Second),
	}
}

func virtualPacer(context.Context) pacer { return timerPacer{} }

// run runs a load in virtual time.
func run(t *testing.T, o Options) *Result {
	t.Helper()
	o.pacer = virtualPacer
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// byIntent sorts samples into the order of the schedule.
func byIntent(samples []rehearse.Sample) []rehearse.Sample {
	return slices.SortedFunc(slices.Values(samples), func(a, b rehearse.Sample) int { return int(a.Intended - b.Intended) })
}

// TestStall is the test for coordinated omission. The service stalls for a
// second: each request that was due meanwhile must be sent when it was due and
// count the whole rest of that second.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, targets := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Until(began.Add(time.Second)))
			io.WriteString(w, "hello")
		})
		var watched []rehearse.Sample
		result := run(t, Options{
			Traffic:  steady(10, 2*time.Second),
			Targets:  targets,
			OnSample: func(s rehearse.Sample) { watched = append(watched, s) },
		})

		var want []rehearse.Sample
		for i := range 20 {
			at := time.Duration(i)*100*time.Millisecond + 50*time.Millisecond
			want = append(want, rehearse.Sample{
				Intended: rehearse.Duration(at),
				Sent:     rehearse.Duration(at),
				End:      rehearse.Duration(max(at, time.Second)),
				Request:  "home",
				Status:   200,
				Bytes:    5,
				Passed:   1,
			})
		}
		if diff := cmp.Diff(want, byIntent(result.Samples)); diff != "" {
			t.Errorf("samples (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(result.Samples, watched); diff != "" {
			t.Errorf("OnSample saw other samples than Run returned (-returned +watched):\n%s", diff)
		}
		if result.Asked != 20 || result.Sent != 20 || result.Late.Count != 20 || result.Late.Max != 0 {
			t.Errorf("asked %d, sent %d, late %+v; want 20, 20, and 20 times not late", result.Asked, result.Sent, result.Late)
		}
		if want := 1950 * time.Millisecond; result.Elapsed != want {
			t.Errorf("elapsed %v, want %v", result.Elapsed, want)
		}
	})
}

func TestConnectionsAreReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, targets := serve(t, func(w http.ResponseWriter, _ *http.Request) { time.Sleep(250 * time.Millisecond) })
		run(t, Options{Traffic: steady(10, 10*time.Second), Targets: targets})
		if got := n.dialed.Load(); got != 3 {
			t.Errorf("%d connections for at most 3 requests at a time", got)
		}
	})
}

func TestTimeoutCountsFromIntent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, targets := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/body" {
				io.WriteString(w, "begun")
				http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		})
		traffic := steady(10, time.Second)
		traffic.Timeout = rehearse.Duration(300 * time.Millisecond)
		traffic.Requests[0].Contains = []string{"begun"}
		traffic.Requests = append(traffic.Requests, traffic.Requests[0])
		traffic.Requests[1].Path = "/body"
		result := run(t, Options{Traffic: traffic, Targets: targets})
		bodies := 0
		for _, s := range result.Samples {
			if s.Error != "timeout" || s.Duration() != 300*time.Millisecond || s.Passed != 0 || s.Missed != 2 {
				t.Errorf("%+v, want a timeout after 300ms that missed two checks", s)
			}
			if s.Status == 200 && s.Bytes == 5 {
				bodies++
			}
		}
		if len(result.Samples) != 10 || bodies == 0 || bodies == 10 {
			t.Errorf("%d samples, of which %d with part of a body; want 10, and some", len(result.Samples), bodies)
		}
	})
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, targets := serve(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(300 * time.Millisecond)
			w.WriteHeader(http.StatusTeapot)
		})
		var got []Progress
		run(t, Options{
			Traffic:    steady(8, time.Second), // so that nothing else happens at the moments of the calls
			Targets:    targets,
			OnProgress: func(p Progress) { got = append(got, p) },
		})
		const ms = time.Millisecond
		want := []Progress{
			{Elapsed: 250 * ms, Asked: 2, Sent: 2, InFlight: 2, Rate: 8},
			{Elapsed: 500 * ms, Asked: 4, Sent: 4, Done: 2, Failed: 2, InFlight: 2, Rate: 8, P50: 300 * ms, P99: 300 * ms},
			{Elapsed: 750 * ms, Asked: 6, Sent: 6, Done: 4, Failed: 4, InFlight: 2, Rate: 8, P50: 300 * ms, P99: 300 * ms},
			{Elapsed: 1000 * ms, Asked: 8, Sent: 8, Done: 6, Failed: 6, InFlight: 2, P50: 300 * ms, P99: 300 * ms},
			{Elapsed: 1237500 * time.Microsecond, Asked: 8, Sent: 8, Done: 8, Failed: 8, P50: 300 * ms, P99: 300 * ms},
		}
		for i := range want {
			want[i].Total = time.Second
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("progress (-want +got):\n%s", diff)
		}
	})
}

func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, targets := serve(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		defer cancel()
		result, err := Run(ctx, Options{Traffic: steady(10, time.Minute), Targets: targets, pacer: virtualPacer})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		if result.Asked != 600 || result.Sent != 0 || len(result.Samples) != 4 || result.Elapsed != 400*time.Millisecond {
			t.Errorf("asked %d, sent %d, %d samples in %v; want 600, 0, 4 in 400ms", result.Asked, result.Sent, len(result.Samples), result.Elapsed)
		}
		for _, s := range result.Samples {
			if s.Error != "canceled" || !s.Dropped {
				t.Errorf("%+v, want it canceled, and to say nothing of the service", s)
			}
		}
	})
}

// TestCrowded asks for more requests in flight than the safety stop allows.
func TestCrowded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		traffic := steady(15, time.Second)
		traffic.Timeout = rehearse.Duration(2 * time.Second)
		result := run(t, Options{
			Traffic: traffic,
			Targets: map[rehearse.LinkID]Target{"": {Base: "http://service", Dial: silent}},
			limit:   10,
		})
		for i, s := range byIntent(result.Samples) {
			want := "timeout"
			if i >= 10 {
				want = "crowded"
			}
			if s.Error != want || s.Dropped != (want == "crowded") {
				t.Errorf("request %d: %+v, want %s", i, s, want)
			}
		}
		if len(result.Samples) != 15 || result.Asked != 15 || result.Sent != 10 || result.Late.Count != 10 {
			t.Errorf("%d samples, %d asked, %d sent, %d in Late; want 15, 15, 10, 10", len(result.Samples), result.Asked, result.Sent, result.Late.Count)
		}
	})
}

// documents is a small document service.
type documents struct {
	mu      sync.Mutex
	created map[string]bool
	missed  []string
}

func (d *documents) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Method == "POST" {
		var body struct {
			ID string `json:"id"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		d.created[body.ID] = true
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"documents": [{"id": %q}]}`, body.ID)
		return
	}
	id := strings.TrimPrefix(r.URL.Path, "/documents/")
	if !d.created[id] {
		d.missed = append(d.missed, id)
		http.NotFound(w, r)
	}
}

func TestCaptures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &documents{created: map[string]bool{}}
		_, targets := serve(t, service.ServeHTTP)
		traffic := steady(100, 2*time.Second)
		traffic.Requests = []rehearse.Request{
			{Name: "read", Weight: 9, Method: "GET", Path: `/documents/{{captured "id"}}`},
			{
				Name: "create", Weight: 1, Method: "POST", Path: "/documents", Body: `{"id": "{{uuid}}"}`,
				Capture: map[string]string{"id": "$.documents[0].id"}, Status: []int{201}, Contains: []string{"documents"},
			},
		}
		result := run(t, Options{Traffic: traffic, Seed: 3, Targets: targets})
		reads, creates := 0, 0
		for i, s := range byIntent(result.Samples) {
			if s.Error != "" || s.Missed != 0 {
				t.Errorf("%+v, want no failure", s)
			}
			switch s.Request {
			case "read":
				reads++
				if i == 0 {
					t.Error("the first request reads what nothing has created")
				}
			case "create":
				creates++
				if s.Passed != 2 {
					t.Errorf("%+v passed %d checks, want 2", s, s.Passed)
				}
			}
		}
		if len(service.missed) > 0 || reads < 150 || creates < 2 {
			t.Errorf("%d reads, %d creates, missed %q; want a mix in which each read finds its document", reads, creates, service.missed)
		}
	})
}

func TestChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, targets := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusFound)
			fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.Header.Get("X-Number"), r.Header.Get("User-Agent"))
		})
		tests := []struct {
			status         []int
			contains       []string
			passed, missed int
			word           string
		}{
			{nil, nil, 1, 0, ""}, // a redirect is an answer, and is not followed
			{[]int{302}, []string{"GET example.org 1 rehearse"}, 2, 0, ""},
			{nil, []string{"GET", "POST"}, 2, 1, ""},
			{[]int{200, 201}, []string{"GET"}, 1, 1, "status"},
		}
		for _, tt := range tests {
			traffic := steady(1, time.Second)
			traffic.Requests[0].Status, traffic.Requests[0].Contains = tt.status, tt.contains
			traffic.Requests[0].Headers = map[string]string{"Host": "example.org", "X-Number": "{{seq}}"}
			s := run(t, Options{Traffic: traffic, Targets: targets}).Samples[0]
			if s.Status != 302 || s.Passed != tt.passed || s.Missed != tt.missed || s.Error != tt.word {
				t.Errorf("status %v, contains %q: got %+v, want %d passed, %d missed, error %q", tt.status, tt.contains, s, tt.passed, tt.missed, tt.word)
			}
		}
	})
}

func TestOrigins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		targets := map[rehearse.LinkID]Target{}
		for _, region := range []string{"a", "b"} {
			_, own := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "reached "+region) })
			targets[rehearse.LinkID("ingress/"+region+":web")] = own[""]
		}
		traffic := steady(100, time.Second)
		traffic.Origins = []rehearse.Origin{{Region: "a", Weight: 1, Link: "ingress/a:web"}, {Region: "b", Weight: 1, Link: "ingress/b:web"}}
		byRegion := map[rehearse.Region]int{}
		for _, s := range run(t, Options{Traffic: traffic, Targets: targets}).Samples {
			byRegion[s.Origin]++
			if s.Error != "" {
				t.Errorf("%+v failed", s)
			}
		}
		if byRegion["a"] < 30 || byRegion["b"] < 30 || len(byRegion) != 2 {
			t.Errorf("requests by region: %v, want about 50 each", byRegion)
		}
	})
}

// TestErrorWords meets failures of real connections.
func TestErrorWords(t *testing.T) {
	hijacked := func(do func(*net.TCPConn)) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			do(conn.(*net.TCPConn))
			conn.Close()
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	gone := httptest.NewServer(nil)
	gone.Close()

	failing := func(err error) Target {
		return Target{Base: "http://service", Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: err}
		}}
	}
	tests := []struct {
		want    string
		target  Target
		dropped bool
	}{
		{"refused", Target{Base: gone.URL}, false},
		{"reset", Target{Base: hijacked(func(c *net.TCPConn) { c.SetLinger(0) })}, false},
		{"eof", Target{Base: hijacked(func(*net.TCPConn) {})}, false},
		{"eof", Target{Base: hijacked(func(c *net.TCPConn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf") })}, false},
		{"other", Target{Base: hijacked(func(c *net.TCPConn) { io.WriteString(c, "220 mail\r\n") })}, false},
		{"dns", failing(&net.DNSError{Err: "no such host", Name: "service", IsNotFound: true}), false},
		{"timeout", failing(syscall.ETIMEDOUT), false},
		{"local", failing(syscall.EADDRNOTAVAIL), true},
		{"local", failing(syscall.EMFILE), true},
	}
	for _, tt := range tests {
		traffic := steady(1000, time.Millisecond)
		result, err := Run(t.Context(), Options{Traffic: traffic, Targets: map[rehearse.LinkID]Target{"": tt.target}})
		if err != nil {
			t.Fatal(err)
		}
		s := result.Samples[0]
		missed, sent := 1, 1
		if tt.dropped {
			missed, sent = 0, 0
		}
		if s.Error != tt.want || s.Dropped != tt.dropped || s.Missed != missed || result.Sent != sent {
			t.Errorf("got %+v, %d sent; want %q, dropped %v", s, result.Sent, tt.want, tt.dropped)
		}
	}
}

func TestUnusableOptions(t *testing.T) {
	targets := map[rehearse.LinkID]Target{"": {Base: "http://service"}}
	change := func(change func(*rehearse.Traffic)) Options {
		o := Options{Traffic: steady(1, time.Second), Targets: targets}
		change(&o.Traffic)
		return o
	}
	tests := []struct {
		o    Options
		want string
	}{
		{Options{}, "load: the traffic has no timeout"},
		{change(func(t *rehearse.Traffic) { t.Requests = nil }), "load: the traffic has no requests"},
		{change(func(t *rehearse.Traffic) { t.Origins = nil }), "load: the traffic has no origins"},
		{change(func(t *rehearse.Traffic) { t.Origins = []rehearse.Origin{{Link: "a:b"}} }), `load: no target for link "a:b"`},
		{
			Options{Traffic: steady(1, time.Second), Targets: map[rehearse.LinkID]Target{"": {Base: "127.0.0.1:80"}}},
			`load: target of link "": "127.0.0.1:80" is not the address of an HTTP service`,
		},
		{
			change(func(t *rehearse.Traffic) { t.Requests[0].Path = `/{{pick "none"}}` }),
			`load: request "home": template: path:1:3: executing "path" at <pick "none">: error calling pick: no list "none"`,
		},
	}
	for _, tt := range tests {
		result, err := Run(t.Context(), tt.o)
		if err == nil || err.Error() != tt.want || result != nil {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}
