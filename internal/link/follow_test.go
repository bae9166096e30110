package link

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
)

const (
	getA   = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
	answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
)

// headersFrame is a frame of HEADERS that ends its stream.
func headersFrame(stream uint32, fields ...hpack.HeaderField) http2.HeadersFrameParam {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, f := range fields {
		e.WriteField(f)
	}
	return http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true}
}

// TestUpstreamGreets has a server of HTTP/2 that speaks first, as those of gRPC
// do. Its calls are seen and stamped all the same, and what its client says
// unasked afterwards is no call in flight.
func TestUpstreamGreets(t *testing.T) {
	noLeaks(t)
	given := make(chan string, 1)
	addr := serveTCP(t, func(c *net.TCPConn) {
		frames := http2.NewFramer(c, c)
		frames.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		frames.WriteSettings()
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		for {
			f, err := frames.ReadFrame()
			if err != nil {
				return
			}
			if f, ok := f.(*http2.MetaHeadersFrame); ok {
				for _, field := range f.RegularFields() {
					given <- field.Name + ": " + field.Value
				}
				frames.WriteHeaders(headersFrame(f.StreamID, hpack.HeaderField{Name: ":status", Value: "200"}))
			}
		}
	})
	l := New(rehearse.LinkSpec{ID: "client:upstream"}, 1)
	var n notes
	l.Watch(n.watch(true))
	conn := dialTCP(t, serveThis(t, l, addr))
	frames := http2.NewFramer(conn, conn)
	if _, err := frames.ReadFrame(); err != nil { // the greeting
		t.Fatal(err)
	}
	io.WriteString(conn, http2.ClientPreface)
	frames.WriteSettings()
	frames.WriteHeaders(headersFrame(1,
		hpack.HeaderField{Name: ":method", Value: "GET"}, hpack.HeaderField{Name: ":scheme", Value: "http"},
		hpack.HeaderField{Name: ":authority", Value: "h"}, hpack.HeaderField{Name: ":path", Value: "/x"},
	))
	if f, err := frames.ReadFrame(); err != nil || f.Header().Type != http2.FrameHeaders {
		t.Fatalf("the answer is %v, %v", f, err)
	}
	eventually(t, func() bool { l.Flush(); return len(n.all()) == 1 })
	c := n.all()[0]
	if got, want := <-given, "traceparent: "+string(wire.AppendContext(nil, c.Context)); c.Path != "/x" || got != want {
		t.Errorf("the call is %+v, and the server was given %q; want %q", c, got, want)
	}
	// Nobody answers this.
	if err := frames.WriteWindowUpdate(0, 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return l.Stats().InFlight == 1 && l.Quiet() })
}

// TestLongQueueOfCalls has more calls open at once than a link notes places for
// one by one.
func TestLongQueueOfCalls(t *testing.T) {
	const n, ms = 3 * maxMarks, time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		l, dial := memoryLink(t, rehearse.Shape{}, 1, 0)
		var seen notes
		l.Watch(seen.watch(false))
		client, accepted := dial()
		upstream := <-accepted
		go io.Copy(io.Discard, client)
		go io.Copy(io.Discard, upstream)
		for range n {
			io.WriteString(client, getA)
			time.Sleep(ms)
		}
		time.Sleep(n * ms)
		for range n {
			io.WriteString(upstream, answer)
		}
		synctest.Wait()
		l.Flush()
		calls := seen.all()
		if len(calls) != n {
			t.Fatalf("%d calls were told, want %d", len(calls), n)
		}
		// Those behind it wait for it.
		if first, want := splitOf(calls[0]), 2*n*ms; first.Total != want || first.Server < want-want/100 {
			t.Errorf("the first call is %+v, want nearly all of %v at the server", first, want)
		}
		for i := range l.only().follow.handed {
			if size := len(l.only().follow.handed[i].all); size > maxMarks {
				t.Errorf("%d places are remembered, want no more than %d", size, maxMarks)
			}
		}
	})
}

// only is the link's one session.
func (l *Link) only() *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.sessions {
		return s
	}
	return nil
}

// TestSplitOfFaults holds where the time of calls goes that a fault has touched.
func TestSplitOfFaults(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		name  string
		fault rehearse.Fault
		shape rehearse.Shape
		want  split
		who   string
	}{
		{"abort", rehearse.Fault{Kind: rehearse.FaultAbort, Status: 503}, slow, split{0, 42 * ms, 0, 0, 42 * ms}, ""},
		{"blackhole", rehearse.Fault{Kind: rehearse.FaultBlackhole, Direction: rehearse.Up}, rehearse.Shape{}, split{0, 1000 * ms, 0, 0, 1000 * ms}, "client"},
		{"blackhole of answers", rehearse.Fault{Kind: rehearse.FaultBlackhole, Direction: rehearse.Down}, rehearse.Shape{}, split{0, 980 * ms, 20 * ms, 0, 1000 * ms}, "client"},
		{"slice", rehearse.Fault{Kind: rehearse.FaultSlice, Direction: rehearse.Down, Size: (len(answer) + 1) / 2, Delay: rehearse.Duration(5 * ms)}, rehearse.Shape{}, split{0, 5 * ms, 20 * ms, 0, 25 * ms}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, dial := memoryLink(t, test.shape, 1, 0)
				var n notes
				l.Watch(n.watch(false))
				if test.fault.Kind == rehearse.FaultAbort {
					mustBreak(t, l, test.fault) // editors come with the connection
				}
				client, accepted := dial()
				upstream := <-accepted
				mustBreak(t, l, test.fault)
				go io.Copy(io.Discard, client)
				go func() {
					if _, err := io.ReadFull(upstream, make([]byte, len(getA))); err != nil {
						return
					}
					time.Sleep(20 * ms)
					io.WriteString(upstream, answer)
				}()
				time.Sleep(time.Second) // connected for long
				io.WriteString(client, getA)
				time.Sleep(time.Second)
				if test.who == "" {
					l.Flush() // while the connection is there
				}
				client.Close()
				time.Sleep(time.Second)
				upstream.Close()
				synctest.Wait()
				if test.who != "" {
					l.Flush()
				}
				calls := n.all()
				if len(calls) != 1 {
					t.Fatalf("calls are %+v, want one", calls)
				}
				if diff := cmp.Diff(test.want, splitOf(calls[0])); diff != "" || calls[0].Abandoned != test.who {
					t.Errorf("abandoned by %q, want %q (-want +got):\n%s", calls[0].Abandoned, test.who, diff)
				}
			})
		})
	}
}

// TestStampedStreamsPass sends what an editor has to keep its hands off over a
// link that stamps requests: a body that waits to be asked for, and a connection
// that changes its protocol.
func TestStampedStreamsPass(t *testing.T) {
	noLeaks(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			io.Copy(w, r.Body)
			return
		}
		conn, rest, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(conn, rest)
	}))
	defer server.Close()
	l := New(rehearse.LinkSpec{ID: "client:upstream"}, 1)
	var n notes
	l.Watch(n.watch(true))
	conn := dialTCP(t, serveThis(t, l, server.Listener.Addr().String()))
	in := bufio.NewReader(conn)
	expect := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(in, got); err != nil || string(got) != want {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
	fmt.Fprint(conn, "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	expect("HTTP/1.1 100 Continue\r\n\r\n")
	fmt.Fprint(conn, "hello")
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != "hello" {
		t.Fatalf("got %q, %v", b, err)
	}
	fmt.Fprint(conn, "GET /echo HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	expect("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	const said = "GET /looks-like-a-request HTTP/1.1\r\nHost: h\r\n\r\n"
	fmt.Fprint(conn, said)
	expect(said)
	conn.Close()
	eventually(t, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.connections) == 1
	})
	l.Flush()
	var got []string
	for _, c := range n.all() {
		got = append(got, fmt.Sprint(c.Path, " ", c.Status))
	}
	if diff := cmp.Diff([]string{"/body 200", "/echo 101"}, got); diff != "" || n.connections[0].Undecoded != "upgraded" {
		t.Errorf("the connection is %+v; calls (-want +got):\n%s", n.connections[0], diff)
	}
}
