package link

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// serveHTTP runs a link to a server that answers with the request's path and
// body, and gives a client that keeps one connection alive.
func serveHTTP(t *testing.T) (l *Link, get func(path, body string) (int, string)) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.URL.Path, body)
	}))
	t.Cleanup(server.Close)
	l, addr := serveLink(t, rehearse.Shape{}, server.Listener.Addr().String())
	return l, newClient(t, addr)
}

func newClient(t *testing.T, addr string) func(path, body string) (int, string) {
	transport := &http.Transport{MaxConnsPerHost: 1}
	t.Cleanup(transport.CloseIdleConnections)
	return func(path, body string) (int, string) {
		t.Helper()
		r, err := (&http.Client{Transport: transport}).Post("http://"+addr+path, "text/plain", strings.NewReader(body))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return 0, ""
		}
		defer r.Body.Close()
		got, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("%s: read: %v", path, err)
		}
		return r.StatusCode, string(got)
	}
}

// TestAbortOnALiveConnection sets a fault of requests on a connection that has
// been in use, and takes it away again.
func TestAbortOnALiveConnection(t *testing.T) {
	noLeaks(t)
	l, get := serveHTTP(t)
	check := func(path string, status int, body string) {
		t.Helper()
		if s, b := get(path, "body"); s != status || b != body {
			t.Errorf("%s: %d %q, want %d %q", path, s, b, status, body)
		}
	}
	check("/a", 200, "/a body")
	abort := rehearse.Fault{Kind: rehearse.FaultAbort, Status: 503, Body: "down", Match: rehearse.Match{Path: "/b*"}}
	mustBreak(t, l, abort)
	check("/a", 200, "/a body")
	check("/b", 503, "down")
	check("/bb", 503, "down")
	check("/c", 200, "/c body")
	if d := doseOf(t, l, "abort"); d.Requests != 2 || d.Connections != 1 {
		t.Errorf("dose is %+v, want 2 requests of one connection", d)
	}
	d := gone(t, l, "abort")
	check("/b", 200, "/b body")
	if s := l.Stats(); s.Connections != 1 || doseOf(t, l, "abort").Requests != d.Requests {
		t.Errorf("%d connections, dose %+v; want one connection, and no more requests", s.Connections, d)
	}
	mustBreak(t, l, abort)
	check("/b", 503, "down")
}

// TestAbortsOnManyConnections sets and takes away faults of requests while many
// clients ask. Each answer is the upstream's or the fault's, and never a mixture.
func TestAbortsOnManyConnections(t *testing.T) {
	noLeaks(t)
	l, get := serveHTTP(t)
	get("/warm", "")
	addr := listenAddr(l)
	var clients sync.WaitGroup
	var mu sync.Mutex
	aborted := 0
	for i := range 8 {
		get := newClient(t, addr)
		clients.Go(func() {
			for k := range 60 {
				path, body := fmt.Sprintf("/%d/%d", i, k), strings.Repeat("x", k*k*10)
				switch status, got := get(path, body); {
				case status == 503 && got == "down":
					mu.Lock()
					aborted++
					mu.Unlock()
				case status == 200 && got == path+" "+body:
				default:
					t.Errorf("%s: %d and %d bytes", path, status, len(got))
				}
			}
		})
	}
	for range 30 {
		mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultAbort, Status: 503, Body: "down", Probability: 0.5},
			rehearse.Fault{Kind: rehearse.FaultDelay, Delay: 1e6, Match: rehearse.Match{Path: "/1/*"}})
		l.Set(rehearse.Symmetric(1e6, 0, 0))
		l.Stats()
		mustBreak(t, l)
		l.Set(rehearse.Shape{})
	}
	mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultAbort, Status: 503, Body: "down", Probability: 0.5})
	clients.Wait()
	mustBreak(t, l)
	var touched int64
	for _, d := range l.Stats().Doses {
		if d.Holding != 0 {
			t.Errorf("dose is %+v", d)
		}
		if d.Fault.Kind == rehearse.FaultAbort {
			touched += d.Requests
		}
	}
	if touched != int64(aborted) {
		t.Errorf("%d requests are counted and %d answers are the fault's", touched, aborted)
	}
}

// listenAddr is where a link of one listener listens.
func listenAddr(l *Link) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ln := range l.listeners {
		return ln.Addr().(*net.TCPAddr).String()
	}
	return ""
}
