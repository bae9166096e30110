package link

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
)

// notes is what a Watch was told.
type notes struct {
	mu          sync.Mutex
	calls       []Call
	lost        int
	connections []Connection
}

func (n *notes) watch(propagate bool) Watch {
	return Watch{
		Calls: func(calls []Call, lost int) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.calls = append(n.calls, calls...)
			n.lost += lost
		},
		Connection: func(c Connection) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.connections = append(n.connections, c)
		},
		Propagate: propagate, Seed: [2]uint64{7, 8},
	}
}

func (n *notes) all() []Call {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.calls
}

// split is where the time of a call went.
type split struct{ Queue, Shape, Server, Transfer, Total time.Duration }

// splitOf is exact to the 10 µs by which a link is early to be on time.
func splitOf(c Call) split {
	near := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	return split{near(c.Queue), near(c.Shape), near(c.Server), near(c.Transfer), near(c.End.Sub(c.Start))}
}

// TestSplit holds where a call's time goes.
func TestSplit(t *testing.T) {
	const ms = time.Millisecond
	const ask, answer = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	synctest.Test(t, func(t *testing.T) {
		l, dial := memoryLink(t, slow, 1, 0)
		var n notes
		l.Watch(n.watch(false))
		client, accepted := dial()
		time.Sleep(time.Second) // connected for long
		upstream := <-accepted
		go io.Copy(io.Discard, client)
		// A request in two pieces, 5 ms apart; 20 ms of work; an answer in two
		// pieces, 7 ms apart.
		io.WriteString(client, ask[:8])
		time.Sleep(5 * ms)
		io.WriteString(client, ask[8:])
		io.ReadFull(upstream, make([]byte, len(ask)))
		time.Sleep(20 * ms)
		io.WriteString(upstream, answer[:10])
		time.Sleep(7 * ms)
		io.WriteString(upstream, answer[10:])
		time.Sleep(time.Second)
		// Two requests at once, of which the second waits for the first.
		io.WriteString(client, ask+ask)
		io.ReadFull(upstream, make([]byte, 2*len(ask)))
		time.Sleep(10 * ms)
		io.WriteString(upstream, answer)
		time.Sleep(15 * ms)
		io.WriteString(upstream, answer)
		time.Sleep(time.Second)
		l.Flush()
		want := []split{
			{0, 42 * ms, 20 * ms, 12 * ms, 74 * ms},
			{0, 42 * ms, 10 * ms, 0, 52 * ms},
			{10 * ms, 42 * ms, 15 * ms, 0, 67 * ms},
		}
		var got []split
		for _, c := range n.all() {
			got = append(got, splitOf(c))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if !l.Quiet() {
			t.Error("a link whose calls have ended is not quiet")
		}
		io.WriteString(client, ask)
		time.Sleep(ms)
		if l.Quiet() {
			t.Error("a link with a call in flight is quiet")
		}
	})
}

// TestHungUp has a client that leaves while the upstream works.
func TestHungUp(t *testing.T) {
	const ms = time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		l, dial := memoryLink(t, rehearse.Shape{}, 1, 0)
		var n notes
		l.Watch(n.watch(false))
		client, accepted := dial()
		upstream := <-accepted
		go io.Copy(io.Discard, upstream)
		io.WriteString(client, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
		time.Sleep(100 * ms)
		client.Close()
		time.Sleep(400 * ms)
		io.WriteString(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		upstream.Close()
		time.Sleep(100 * ms)
		synctest.Wait()
		l.Flush()
		calls := n.all()
		if len(calls) != 1 || calls[0].Abandoned != "client" || calls[0].End.Sub(calls[0].Start) != 100*ms {
			t.Errorf("calls are %+v; want one of 100 ms that the client abandoned", calls)
		}
	})
}

// TestPropagation follows a request's context from the client over the link to
// the server, and a request that has none.
func TestPropagation(t *testing.T) {
	noLeaks(t)
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Traceparent") }))
	defer server.Close()
	for _, propagate := range []bool{true, false} {
		l := New(rehearse.LinkSpec{ID: "client:upstream"}, 1)
		var n notes
		l.Watch(n.watch(propagate))
		addr := serveThis(t, l, server.Listener.Addr().String())
		const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
		for i, given := range []string{"", parent} {
			r, _ := http.NewRequest("GET", "http://"+addr+"/x", nil)
			if given != "" {
				r.Header.Set("Traceparent", given)
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			eventually(t, func() bool { l.Flush(); return len(n.all()) == i+1 })
			c := n.all()[i]
			own := string(wire.AppendContext(nil, c.Context))
			switch {
			case propagate && got != own:
				t.Errorf("the server was given %q; want the call's own %q", got, own)
			case !propagate && got != given:
				t.Errorf("the server was given %q; want it as it came, %q", got, given)
			case given == "" && !c.Parent.IsZero(), given != "" && own[:36] != parent[:36], c.Context.Span == c.Parent.Span:
				t.Errorf("the call is %q below %+v", own, c.Parent)
			}
		}
		http.DefaultClient.CloseIdleConnections()
	}
}

// TestAbortedCallIsSeen has a fault answer in the upstream's place: the client's
// view is what is told.
func TestAbortedCallIsSeen(t *testing.T) {
	noLeaks(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
	defer server.Close()
	l := New(rehearse.LinkSpec{ID: "client:upstream"}, 1)
	var n notes
	l.Watch(n.watch(true))
	mustBreak(t, l, rehearse.Fault{Kind: rehearse.FaultAbort, Status: 503, Match: rehearse.Match{Path: "/b"}})
	get := newClient(t, serveThis(t, l, server.Listener.Addr().String()))
	want := []string{"/a 200", "/b 503", "/c 200", "/b 503"}
	for _, w := range want {
		get(strings.Fields(w)[0], "")
	}
	eventually(t, func() bool { l.Flush(); return len(n.all()) == len(want) })
	var got []string
	for _, c := range n.all() {
		got = append(got, fmt.Sprintf("%s %d", c.Path, c.Status))
		if c.Faults != "abort" {
			t.Errorf("%s: faults in force are %q, want abort", c.Path, c.Faults)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// TestUndecoded has connections whose bytes are no calls. They pass, and are told
// of with what was counted.
func TestUndecoded(t *testing.T) {
	noLeaks(t)
	l := New(rehearse.LinkSpec{ID: "client:upstream"}, 1)
	var n notes
	l.Watch(n.watch(true))
	addr := serveThis(t, l, serveEchoDirect(t))
	for i, first := range []string{"\x16\x03\x01hello", "\x01\x02\x03\x04"} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, first)
		if _, err := io.ReadFull(bufio.NewReader(c), make([]byte, len(first))); err != nil {
			t.Fatal(err)
		}
		c.Close()
		eventually(t, func() bool {
			n.mu.Lock()
			defer n.mu.Unlock()
			return len(n.connections) == i+1
		})
	}
	for i, want := range []struct {
		why   string
		bytes int64
	}{{"tls", 8}, {"unknown", 4}} {
		c := n.connections[i]
		if c.Undecoded != want.why || c.BytesUp != want.bytes || c.BytesDown != want.bytes || c.Turns != 1 || !c.Closed.After(c.Opened) {
			t.Errorf("connection %d is %+v; want %+v", i, c, want)
		}
	}
	if len(n.all()) > 0 {
		t.Errorf("calls were told: %+v", n.all())
	}
}

// TestSlowWatch loses what does not fit, and says so.
func TestSlowWatch(t *testing.T) {
	var got, lost int
	w := &watcher{Watch: Watch{Calls: func(calls []Call, l int) { got += len(calls); lost += l }}}
	w.telling.Lock() // Calls is under way
	for range maxUntold + 10 {
		w.add(&Call{})
	}
	w.telling.Unlock()
	w.flush()
	w.telling.Lock()
	defer w.telling.Unlock()
	if got != maxUntold || lost != 10 {
		t.Errorf("%d calls were told and %d lost, want %d and 10", got, lost, maxUntold)
	}
}

// TestTunnelNeedsNoEditor has a request that turns its connection into another
// protocol's: what follows passes as if nobody had ever understood it.
func TestTunnelNeedsNoEditor(t *testing.T) {
	noLeaks(t)
	upstream := serveTCP(t, func(c *net.TCPConn) {
		r := bufio.NewReader(c)
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(c, r)
	})
	l := New(rehearse.LinkSpec{ID: "client:upstream"}, 1)
	var n notes
	l.Watch(n.watch(true))
	client := dialTCP(t, serveThis(t, l, upstream))
	io.WriteString(client, "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	answers := bufio.NewReader(client)
	if res, err := http.ReadResponse(answers, nil); err != nil || res.StatusCode != 101 {
		t.Fatalf("%+v, %v", res, err)
	}
	for _, word := range []string{"GET / HTTP/1.1\r\n\r\n", "hello"} {
		io.WriteString(client, word)
		got := make([]byte, len(word))
		if _, err := io.ReadFull(answers, got); err != nil || string(got) != word {
			t.Fatalf("sent %q, got %q, %v", word, got, err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.sessions {
		if s.editor.Load() != nil || s.followed() {
			t.Error("somebody still reads what is no HTTP any more")
		}
	}
}
