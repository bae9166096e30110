package http2

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
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

// guarded lets a test's decider be asked about several connections.
type guarded struct {
	mu sync.Mutex
	*wiretest.Decider
}

func (g *guarded) Decide(q *wire.Request) []*rehearse.Fault {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]*rehearse.Fault(nil), g.Decider.Decide(q)...)
}

func (g *guarded) Touched(f *rehearse.Fault, requests, bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.Decider.Touched(f, requests, bytes)
}

// serve starts a server of HTTP/2 without TLS. It answers with what it was sent,
// and counts requests. It returns its address.
func serve(t *testing.T, served *atomic.Int64) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		w.Header().Set("X-Secret", "s")
		w.Header().Set("X-Asked", r.Header.Get("X-Up"))
		w.Header().Set("X-Context", strings.Join(r.Header.Values("Traceparent"), " "))
		w.Header().Set("Trailer", "X-End")
		io.Copy(w, r.Body)
		w.Header().Set("X-End", "end of "+r.URL.Path)
	})}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(l) })
	t.Cleanup(func() {
		server.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// connect makes a client whose one connection goes through an editor.
func connect(t *testing.T, address string, fresh func(wire.Decider) wire.Editor, d wire.Decider, dialled *atomic.Int64) *http.Client {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols, DialContext: func(context.Context, string, string) (net.Conn, error) {
		dialled.Add(1)
		c, err := net.Dial("tcp", address)
		if err != nil {
			return nil, err
		}
		return wiretest.Carry(t, c, fresh(d)), nil
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Timeout: time.Minute, Transport: transport}
}

// edit makes an editor.
func edit(d wire.Decider) wire.Editor { return New(d) }

// echo sends a body and returns what came back of it.
func echo(c *http.Client, method, path string, body io.Reader) (*http.Response, []byte, error) {
	q, err := http.NewRequest(method, "http://h"+path, body)
	if err != nil {
		return nil, nil, err
	}
	q.Header.Set("X-Up", "u"+path)
	a, err := c.Do(q)
	if err != nil {
		return nil, nil, err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	return a, b, err
}

// TestRealPeers lets Go's own client and server talk over one connection, with
// many streams at once and large bodies both ways.
func TestRealPeers(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789"), 30_000)
	for _, c := range []struct {
		name   string
		faults []rehearse.Fault
	}{
		{name: "nothing"},
		{name: "every fault", faults: []rehearse.Fault{
			{Kind: rehearse.FaultAbort, Status: 503, Body: strings.Repeat("no ", 1000), Match: rehearse.Match{Path: "/abort*"}},
			{Kind: rehearse.FaultTruncate, Bytes: 100_000, Match: rehearse.Match{Path: "/truncate*"}},
			{Kind: rehearse.FaultDropHeader, Header: "X-Secret", Match: rehearse.Match{Header: "X-Up: u/drop*"}},
			{Name: "up", Kind: rehearse.FaultDropHeader, Header: "X-Up", Match: rehearse.Match{Path: "/drop*"}},
			{Kind: rehearse.FaultDelay, Match: rehearse.Match{Path: "/delay*"}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var served, dialled atomic.Int64
			d := &guarded{Decider: wiretest.NewDecider(t, c.faults...)}
			client := connect(t, serve(t, &served), edit, d, &dialled)
			// Without a connection that is there, each request would dial.
			if _, _, err := echo(client, "GET", "/first", nil); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			const streams, rounds = 8, 3
			for stream := range streams {
				wg.Go(func() {
					for round := range rounds {
						for _, what := range []string{"plain", "abort", "truncate", "drop", "delay"} {
							path := fmt.Sprintf("/%s/%d/%d", what, stream, round)
							var body io.Reader = bytes.NewReader(large)
							if round%2 == 1 {
								body = io.MultiReader(body) // hides the length
							}
							a, b, err := echo(client, "POST", path, body)
							if err := check(c.faults, what, path, a, b, err, large); err != nil {
								t.Errorf("%s: %v", path, err)
							}
						}
					}
				})
			}
			wg.Wait()
			if dialled.Load() != 1 {
				t.Errorf("%d connections were made, want one", dialled.Load())
			}
			const all, each = 1 + streams*rounds*5, streams * rounds
			want := int64(all)
			if c.faults != nil {
				want -= each
				for _, f := range c.faults {
					if got := d.Requests(f.ID()); got != each {
						t.Errorf("%s has touched %d requests, want %d", f.ID(), got, each)
					}
				}
			}
			if served.Load() != want {
				t.Errorf("%d requests reached the server, want %d", served.Load(), want)
			}
		})
	}
}

// check says what is wrong with an answer.
func check(faults []rehearse.Fault, what, path string, a *http.Response, b []byte, err error, large []byte) error {
	if faults != nil {
		switch what {
		case "abort":
			if err != nil || a.StatusCode != 503 || string(b) != strings.Repeat("no ", 1000) {
				return fmt.Errorf("got %v with %d bytes (%v), want 503", a, len(b), err)
			}
			return nil
		case "truncate":
			if err == nil || !strings.Contains(err.Error(), "INTERNAL_ERROR") || !bytes.Equal(b, large[:100_000]) {
				return fmt.Errorf("got %d bytes and %v, want 100000 and an INTERNAL_ERROR", len(b), err)
			}
			return nil
		}
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(b, large) {
		return fmt.Errorf("the body of %d bytes came back as another of %d", len(large), len(b))
	}
	secret, asked := "s", "u"+path
	if faults != nil && what == "drop" {
		secret, asked = "", ""
	}
	if a.StatusCode != 200 || a.Header.Get("X-Secret") != secret || a.Header.Get("X-Asked") != asked || a.Trailer.Get("X-End") != "end of "+path {
		return fmt.Errorf("got %d, %v, %v", a.StatusCode, a.Header, a.Trailer)
	}
	return nil
}

// TestAbortOfUnendedUpload answers a client that goes on for as long as it is
// let.
func TestAbortOfUnendedUpload(t *testing.T) {
	var served, dialled atomic.Int64
	d := &guarded{Decider: wiretest.NewDecider(t, rehearse.Fault{Kind: rehearse.FaultAbort, Status: 503, Body: "no", Match: rehearse.Match{Path: "/abort"}})}
	client := connect(t, serve(t, &served), edit, d, &dialled)
	for range 3 {
		r, w := io.Pipe()
		go func() {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}()
		a, b, err := echo(client, "POST", "/abort", r)
		r.Close()
		if err != nil || a.StatusCode != 503 || string(b) != "no" {
			t.Fatalf("got %v with %q (%v), want 503", a, b, err)
		}
		if a, b, err := echo(client, "POST", "/", strings.NewReader("hi")); err != nil || a.StatusCode != 200 || string(b) != "hi" {
			t.Fatalf("got %v with %q (%v) behind it", a, b, err)
		}
	}
	if dialled.Load() != 1 || served.Load() != 3 {
		t.Errorf("%d requests over %d connections reached the server, want 3 over one", served.Load(), dialled.Load())
	}
}

// TestCurl lets another implementation judge the frames: nghttp2's.
func TestCurl(t *testing.T) {
	version, err := exec.Command("curl", "--version").Output()
	if err != nil || !bytes.Contains(version, []byte("nghttp2")) {
		t.Skip("no curl with HTTP/2 here: install curl")
	}
	var served atomic.Int64
	address := serve(t, &served)
	d := &guarded{Decider: wiretest.NewDecider(t,
		rehearse.Fault{Kind: rehearse.FaultAbort, Status: 503, Body: "no\n", Match: rehearse.Match{Path: "/abort*"}},
		rehearse.Fault{Kind: rehearse.FaultTruncate, Bytes: 3, Match: rehearse.Match{Path: "/truncate"}},
		rehearse.Fault{Kind: rehearse.FaultDropHeader, Header: "X-Secret", Match: rehearse.Match{Path: "/drop"}},
	)}
	port := wiretest.Listen(t, func() net.Conn {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Error(err)
			c, _ = net.Pipe()
		}
		return c
	}, func() wire.Editor { return New(d) })
	at := "http://127.0.0.1:" + port
	body := strings.Repeat("b", 300_000)
	run := func(args ...string) (string, error) {
		c := exec.CommandContext(t.Context(), "curl", append([]string{"-sS", "--max-time", "30", "--http2-prior-knowledge", "-w", "%{http_version} %{http_code} %header{x-secret} %{size_download}\n"}, args...)...)
		c.Stdin = strings.NewReader(body)
		b, err := c.Output()
		return string(b), err
	}
	// Each over a connection of its own: some versions of curl cannot use one
	// again that began with prior knowledge.
	for path, want := range map[string]string{"/": "2 200 s 300000\n", "/abort": "2 503  3\n", "/drop": "2 200  300000\n"} {
		if got, err := run("--data-binary", "@-", at+path, "-o", "/dev/null"); err != nil || got != want {
			t.Errorf("%s: got %q (%v), want %q", path, got, err, want)
		}
	}
	// How much of the answer curl keeps is up to it.
	if got, err := run("-d", "hello", at+"/truncate"); err == nil {
		t.Errorf("got %q and no error for an answer that was cut off", got)
	}
}

// TestNode lets nghttp2 judge the header blocks of a whole connection, with the
// windows that every connection begins with.
func TestNode(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("no node here: install Node.js")
	}
	const script = `
const session = require('http2').connect(process.argv[1])
session.on('error', e => console.log('session', e.code))
const ask = (path, n) => new Promise(done => {
  const q = session.request({ ':method': 'POST', ':path': path, 'x-up': 'u' + path, 'x-long': 'x'.repeat(50) })
  let status = 0, size = 0, secret = '', end = '', failed = ''
  q.on('response', h => { status = h[':status']; secret = h['x-secret'] })
  q.on('trailers', h => { end = h['x-end'] })
  q.on('data', d => { size += d.length })
  q.on('error', e => { failed = e.message })
  q.on('close', () => done([path, status, size, secret, end, failed].join(' ')))
  q.end(Buffer.alloc(n, 'b'))
})
;(async () => {
  for (const n of [10, 200000]) {
    console.log((await Promise.all(['/a', '/abort', '/drop', '/truncate', '/b', '/abort/2', '/c'].map(p => ask(p, n)))).join('\n'))
    console.log(await ask('/last', n))
  }
  session.close()
})()
`
	var served atomic.Int64
	address := serve(t, &served)
	d := &guarded{Decider: wiretest.NewDecider(t,
		rehearse.Fault{Kind: rehearse.FaultAbort, Status: 503, Body: strings.Repeat("no ", 10_000), Match: rehearse.Match{Path: "/abort*"}},
		rehearse.Fault{Kind: rehearse.FaultTruncate, Bytes: 7, Match: rehearse.Match{Path: "/truncate"}},
		rehearse.Fault{Kind: rehearse.FaultDropHeader, Header: "X-Secret", Match: rehearse.Match{Path: "/drop"}},
	)}
	port := wiretest.Listen(t, func() net.Conn {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Error(err)
			c, _ = net.Pipe()
		}
		return c
	}, func() wire.Editor { return New(d) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := exec.CommandContext(ctx, "node", "-e", script, "http://127.0.0.1:"+port).CombinedOutput()
	var want strings.Builder
	for _, n := range []int{10, 200_000} {
		fmt.Fprintf(&want, "/a 200 %d s end of /a \n/abort 503 30000   \n/drop 200 %d  end of /drop \n", n, n)
		fmt.Fprintf(&want, "/truncate 200 7 s  Stream closed with error code NGHTTP2_INTERNAL_ERROR\n")
		fmt.Fprintf(&want, "/b 200 %d s end of /b \n/abort/2 503 30000   \n/c 200 %d s end of /c \n/last 200 %d s end of /last \n", n, n, n)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" || err != nil {
		t.Errorf("%v (- want, + got)\n%s", err, diff)
	}
}

// marker stamps every request.
type marker struct{ wire.Nobody }

func (marker) Stamp(q *wire.Request) (wire.Context, bool) { return wiretest.Context(q.ID), true }

// told collects what a follower tells, by the path.
type told struct {
	mu  sync.Mutex
	all map[string]wire.Exchange
}

func (l *told) tell(e *wire.Exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[e.Path] = *e
}

func (l *told) of(path string) wire.Exchange {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[path]
}

// TestRealPeersStamped lets Go's own client and server talk through an editor
// that stamps, with a follower beside it, with many streams at once.
func TestRealPeersStamped(t *testing.T) {
	log := told{all: map[string]wire.Exchange{}}
	var served, dialled atomic.Int64
	client := connect(t, serve(t, &served), func(d wire.Decider) wire.Editor {
		return wiretest.Along(New(d), NewFollower(log.tell))
	}, marker{}, &dialled)
	if _, _, err := echo(client, "GET", "/first", nil); err != nil {
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte("0123456789"), 30_000)
	var wg sync.WaitGroup
	for stream := range 8 {
		wg.Go(func() {
			for round := range 4 {
				path := fmt.Sprintf("/%d/%d", stream, round)
				body := large[:round*100_000]
				q, err := http.NewRequest("POST", "http://h"+path+"?x", bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				if round%2 == 1 {
					q.Header.Set("Traceparent", traced)
				}
				a, err := client.Do(q)
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(a.Body)
				a.Body.Close()
				e := log.of(path)
				if err != nil || !bytes.Equal(b, body) || a.Header.Get("X-Context") != wiretest.Stamp(e.ID) {
					t.Errorf("%s: got %d bytes, %v (%v), want %d with %s", path, len(b), a.Header, err, len(body), wiretest.Stamp(e.ID))
				}
				if e.Method != "POST" || e.Status != 200 || e.Host != "h" || e.Cut != "" || e.BytesUp < int64(len(body)) || e.BytesDown < int64(len(body)) || e.Parent.IsZero() != (round%2 == 0) {
					t.Errorf("%s was told as %+v", path, e)
				}
			}
		})
	}
	wg.Wait()
	if served.Load() != 33 || dialled.Load() != 1 {
		t.Errorf("%d requests over %d connections, want 33 over one", served.Load(), dialled.Load())
	}
}

// TestNodeStamped lets nghttp2 judge the header blocks of a stamped connection.
func TestNodeStamped(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("no node here: install Node.js")
	}
	const script = `
const server = require('http2').createServer()
server.on('stream', (s, h) => { s.respond({ ':status': 200, 'x-context': h['traceparent'] }); s.end('x'.repeat(20000)) })
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.on('close', () => process.exit()).resume()
`
	c := exec.CommandContext(t.Context(), "node", "-e", script)
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer stdin.Close()
	var port int
	if _, err := fmt.Fscan(stdout, &port); err != nil {
		t.Fatal(err)
	}
	log := told{all: map[string]wire.Exchange{}}
	var dialled atomic.Int64
	client := connect(t, fmt.Sprintf("127.0.0.1:%d", port), func(d wire.Decider) wire.Editor {
		return wiretest.Along(New(d), NewFollower(log.tell))
	}, marker{}, &dialled)
	for i := range 20 {
		path := fmt.Sprintf("/%d", i)
		a, b, err := echo(client, "GET", path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if e := log.of(path); len(b) != 20000 || a.Header.Get("X-Context") != wiretest.Stamp(e.ID) || e.Status != 200 {
			t.Errorf("%s: got %d bytes, %v, told as %+v", path, len(b), a.Header, e)
		}
	}
	if dialled.Load() != 1 {
		t.Errorf("%d connections, want one", dialled.Load())
	}
}
