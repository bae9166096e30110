package http

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire/wiretest"
)

// TestRealPeers lets Go's own client and server talk, over as few connections as
// they like.
func TestRealPeers(t *testing.T) {
	var served atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		n, _ := io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Secret", "s")
		fmt.Fprintf(w, "%s %s %d %s", r.Method, r.URL.Path, n, r.Header.Get("X-Up"))
		if r.URL.Path == "/large" {
			w.(http.Flusher).Flush()
			io.WriteString(w, strings.Repeat("x", 1<<20))
		}
	}))
	t.Cleanup(server.Close)
	d := func(t *testing.T) *wiretest.Decider {
		return wiretest.NewDecider(t,
			rehearse.Fault{Kind: rehearse.FaultAbort, Body: "no", Match: rehearse.Match{Method: "POST", Path: "/pay"}},
			rehearse.Fault{Kind: rehearse.FaultTruncate, Bytes: 100_000, Match: rehearse.Match{Path: "/large"}},
			rehearse.Fault{Kind: rehearse.FaultDropHeader, Header: "X-Secret"},
			rehearse.Fault{Name: "up", Kind: rehearse.FaultDropHeader, Header: "X-Up"},
		)
	}
	var dialled int
	client := &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			MaxConnsPerHost: 1,
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				dialled++
				c, err := net.Dial("tcp", server.Listener.Addr().String())
				if err != nil {
					return nil, err
				}
				return wiretest.Carry(t, c, New(d(t))), nil
			},
		},
	}
	ask := func(method, path, body string, known bool) (string, error) {
		t.Helper()
		var r io.Reader = strings.NewReader(body)
		if !known {
			r = io.MultiReader(r) // hides the length: the body goes in chunks
		}
		q, err := http.NewRequest(method, "http://h"+path, r)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("X-Up", "u")
		a, err := client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		if a.Header.Get("X-Secret") != "" {
			t.Error("the header came through")
		}
		b, err := io.ReadAll(a.Body)
		return fmt.Sprintf("%d %s", a.StatusCode, b), err
	}
	for range 3 {
		for _, c := range []struct {
			method, path string
			known        bool
			want         string
		}{
			{"GET", "/pay", true, "200 GET /pay 300000 "},
			{"POST", "/pay", true, "503 no"},
			{"POST", "/pay", false, "503 no"},
			{"POST", "/x", false, "200 POST /x 300000 "},
		} {
			if got, err := ask(c.method, c.path, strings.Repeat("b", 300_000), c.known); err != nil || got != c.want {
				t.Errorf("%s %s: got %q (%v), want %q", c.method, c.path, got, err, c.want)
			}
		}
	}
	if got := served.Load(); got != 6 || dialled != 1 {
		t.Errorf("%d requests reached the server over %d connections, want 6 over 1", got, dialled)
	}
	got, err := ask("GET", "/large", "", true)
	if len(got) != len("200 ")+100_000 || err != io.ErrUnexpectedEOF {
		t.Errorf("got %d bytes and %v, want 100000 and an unexpected end", len(got)-len("200 "), err)
	}
}
