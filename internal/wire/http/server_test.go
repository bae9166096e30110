package http

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
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

// marker stamps every request.
type marker struct{ wire.Nobody }

func (marker) Stamp(q *wire.Request) (wire.Context, bool) { return wiretest.Context(q.ID), true }

// told collects what a follower tells.
type told struct {
	mu  sync.Mutex
	all []string
}

func (l *told) tell(e *wire.Exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, fmt.Sprintf("%d %s %s %d %v", e.ID, e.Method, e.Path, e.Status, !e.Parent.IsZero()))
}

func (l *told) take() (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all, l.all = l.all, nil
	return all
}

// echo is a server that answers with the request's body, and with its traceparents
// in front of that.
func echo(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintln(w, r.Header.Values("Traceparent"))
		if r.URL.Path == "/flush" {
			w.(http.Flusher).Flush()
		}
		w.Write(body)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// TestRealPeersStamped lets Go's own client and server talk through an editor
// that stamps, with a follower beside it.
func TestRealPeersStamped(t *testing.T) {
	address := echo(t)
	var log told
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		MaxConnsPerHost: 1,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			c, err := net.Dial("tcp", address)
			if err != nil {
				return nil, err
			}
			return wiretest.Carry(t, c, wiretest.Along(New(marker{}), NewFollower(log.tell))), nil
		},
	}}
	id := uint64(0)
	large := strings.Repeat("0123456789", 30_000)
	for range 3 {
		for _, own := range []string{"", parent, "nonsense"} {
			for _, path := range []string{"/", "/flush"} {
				for _, body := range []io.Reader{nil, strings.NewReader("hello"), io.MultiReader(strings.NewReader(large))} {
					id++
					q, err := http.NewRequest("POST", "http://h"+path, body)
					if err != nil {
						t.Fatal(err)
					}
					sent := 0
					switch body.(type) {
					case nil:
					case *strings.Reader:
						sent = len("hello")
					default:
						sent = len(large)
					}
					if own != "" {
						q.Header.Set("Traceparent", own)
					}
					a, err := client.Do(q)
					if err != nil {
						t.Fatal(err)
					}
					b, err := io.ReadAll(a.Body)
					a.Body.Close()
					head := fmt.Sprintf("[%s]\n", wiretest.Stamp(id))
					if err != nil || !strings.HasPrefix(string(b), head) || len(b) != len(head)+sent {
						t.Fatalf("%d: got %d bytes, %.80q (%v), want %d behind %q", id, len(b), b, err, sent, head)
					}
					want := []string{fmt.Sprintf("%d POST %s 200 %v", id, path, own == parent)}
					if diff := cmp.Diff(want, log.take()); diff != "" {
						t.Errorf("told (- want, + got)\n%s", diff)
					}
				}
			}
		}
	}
}

// TestCurlStamped lets another implementation judge the same.
func TestCurlStamped(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl here: install curl")
	}
	address := echo(t)
	var log told
	port := wiretest.Listen(t, func() net.Conn {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Error(err)
			c, _ = net.Pipe()
		}
		return c
	}, func() wire.Editor { return wiretest.Along(New(marker{}), NewFollower(log.tell)) })
	at := "http://127.0.0.1:" + port
	c := exec.CommandContext(t.Context(), "curl", "-sS", "--max-time", "30", at+"/a", at+"/b?x=y", "--next", "-sS", "-T", "-", "-H", "Expect: 100-continue", "-H", "traceparent: "+parent, at+"/flush")
	c.Stdin = strings.NewReader("hello\n")
	got, err := c.CombinedOutput()
	want := fmt.Sprintf("[%s]\n[%s]\n[%s]\nhello\n", wiretest.Stamp(1), wiretest.Stamp(2), wiretest.Stamp(3))
	if string(got) != want || err != nil {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
	if diff := cmp.Diff([]string{"1 GET /a 200 false", "2 GET /b 200 false", "3 PUT /flush 200 true"}, log.take()); diff != "" {
		t.Errorf("told (- want, + got)\n%s", diff)
	}
}
