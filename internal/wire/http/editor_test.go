package http

import (
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/wiretest"
)

var (
	up   = wiretest.Up
	down = wiretest.Down
)

const (
	get   = "GET /a?x=1 HTTP/1.1\r\nHost: h\r\n\r\n"
	post  = "POST /pay HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
	chunk = "POST /pay HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n"
	ok    = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\n\r\nhi"
	oops  = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n\r\noops"
	bye   = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops<close>"
)

func TestFaults(t *testing.T) {
	abort := rehearse.Fault{Kind: rehearse.FaultAbort, Body: "oops", Match: rehearse.Match{Method: "POST", Path: "/pay*"}}
	slow := rehearse.Fault{Name: "slow", Kind: rehearse.FaultDelay, Delay: rehearse.Duration(time.Second), Match: rehearse.Match{Path: "/a"}}
	late := slow
	late.Name, late.Direction = "late", rehearse.Down
	type steps = []wiretest.Step
	for _, c := range []struct {
		name           string
		faults         []rehearse.Fault
		steps          steps
		server, client string
		dose           string // of the first fault
		free           bool
	}{
		{name: "nothing", steps: steps{up(get), down(ok), up(post), down(ok)}, server: get + post, client: ok + ok, free: true},
		{
			name: "abort", faults: []rehearse.Fault{abort},
			steps:  steps{up(post), up(get), down(ok), up(chunk), up(get), down(ok)},
			server: get + get, client: oops + ok + oops + ok, dose: "2 requests, 138 bytes", free: true,
		},
		{
			name: "abort in its turn", faults: []rehearse.Fault{abort},
			steps:  steps{up(get + post + get + chunk), down(ok + ok)},
			server: get + get, client: ok + oops + ok + oops, dose: "2 requests, 138 bytes", free: true,
		},
		{
			name: "abort behind an interim answer", faults: []rehearse.Fault{abort},
			steps:  steps{up(get + post), down("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), down(ok)},
			server: get, client: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok + oops, dose: "1 requests, 55 bytes", free: true,
		},
		{
			name: "abort and close", faults: []rehearse.Fault{abort},
			steps:  steps{up("POST /pay HTTP/1.0\r\n\r\n" + get), down(ok)},
			server: "", client: bye, dose: "1 requests, 22 bytes",
		},
		{
			name: "abort keeps HTTP/1.0 open", faults: []rehearse.Fault{abort},
			steps:  steps{up("POST /pay HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")},
			client: strings.Replace(bye[:len(bye)-len("<close>")], "close", "keep-alive", 1), dose: "1 requests, 46 bytes", free: true,
		},
		{
			name: "abort of who waits for 100", faults: []rehearse.Fault{abort},
			steps:  steps{up("POST /pay HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"), up("hello" + get)},
			client: bye, dose: "1 requests, 63 bytes",
		},
		{
			name: "abort of HEAD", faults: []rehearse.Fault{{Kind: rehearse.FaultAbort, Status: 500, Body: "oops"}},
			steps:  steps{up("HEAD / HTTP/1.1\r\n\r\n")},
			client: "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n\r\n",
			dose:   "1 requests, 19 bytes", free: true,
		},
		{
			name: "abort with 204", faults: []rehearse.Fault{{Kind: rehearse.FaultAbort, Status: 204}},
			steps:  steps{up(get)},
			client: "HTTP/1.1 204 No Content\r\n\r\n", dose: "1 requests, 32 bytes", free: true,
		},
		{
			name: "abort with a body that is not one", faults: []rehearse.Fault{abort},
			steps:  steps{up("POST /pay HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzzz")},
			client: bye, dose: "1 requests, 50 bytes",
		},
		{
			name: "no answer behind the last", faults: []rehearse.Fault{abort},
			steps:  steps{up(get + post), down("HTTP/1.1 200 OK\r\n\r\nuntil the end"), down("!")},
			server: get, client: "HTTP/1.1 200 OK\r\n\r\nuntil the end!", dose: "1 requests, 55 bytes",
		},
		{
			name: "an answer that nobody can read", faults: []rehearse.Fault{abort},
			steps:  steps{up(get + post), down("+OK\r\n")},
			server: get, client: "<reset>", dose: "1 requests, 55 bytes",
		},
		{
			name: "delay", faults: []rehearse.Fault{slow},
			steps:  steps{up(post + get), down(ok + ok)},
			server: post + "<hold slow>" + get, client: ok + ok, dose: "1 requests, 32 bytes", free: true,
		},
		{
			name: "delay of the answer", faults: []rehearse.Fault{late},
			steps:  steps{up(post + get), down(ok + "HTTP/1.1 100 Continue\r\n\r\n" + ok)},
			server: post + get, client: ok + "HTTP/1.1 100 Continue\r\n\r\n<hold late>" + ok, dose: "1 requests, 46 bytes", free: true,
		},
		{
			name: "delay of an abort", faults: []rehearse.Fault{slow, {Kind: rehearse.FaultAbort, Body: "oops"}, late},
			steps:  steps{up(get)},
			client: "<hold slow>" + oops, dose: "1 requests, 0 bytes", free: true,
		},
		{
			name: "truncate", faults: []rehearse.Fault{{Kind: rehearse.FaultTruncate, Bytes: 1, Match: rehearse.Match{Method: "GET"}}},
			steps:  steps{up(post + get + get), down(ok + ok + ok)},
			server: post + get + get, client: ok + ok[:len(ok)-1] + "<close>", dose: "1 requests, 1 bytes",
		},
		{
			name: "truncate in a chunk", faults: []rehearse.Fault{{Kind: rehearse.FaultTruncate, Bytes: 4, Match: rehearse.Match{Method: "GET"}}},
			steps:  steps{up(get), down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nd")},
			server: get, client: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nd", dose: "0 requests, 0 bytes",
		},
		{
			name: "truncate beyond the end", faults: []rehearse.Fault{{Kind: rehearse.FaultTruncate, Bytes: 2, Match: rehearse.Match{Method: "GET"}}},
			steps:  steps{up(get), down(ok)},
			server: get, client: ok, dose: "0 requests, 0 bytes", free: true,
		},
		{
			name: "drop header both ways", faults: []rehearse.Fault{{Kind: rehearse.FaultDropHeader, Header: "x-a"}},
			steps:  steps{up("GET / HTTP/1.1\r\nX-A: 1,\r\n\t2\r\nHost: h\r\nx-A: 3\r\n\r\n"), down(ok)},
			server: "GET / HTTP/1.1\r\nHost: h\r\n\r\n", client: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
			dose: "1 requests, 29 bytes", free: true,
		},
		{
			name: "drop header of answers", faults: []rehearse.Fault{{Kind: rehearse.FaultDropHeader, Direction: rehearse.Down, Header: "X-A", Match: rehearse.Match{Header: "x-k: v*"}}},
			steps:  steps{up("GET / HTTP/1.1\r\nX-A: 1\r\nX-K: v1\r\n\r\n" + get), down(ok + ok)},
			server: "GET / HTTP/1.1\r\nX-A: 1\r\nX-K: v1\r\n\r\n" + get, client: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" + ok,
			dose: "1 requests, 8 bytes", free: true,
		},
		{
			name: "bodiless answers", faults: []rehearse.Fault{abort},
			steps: steps{up("HEAD / HTTP/1.1\r\n\r\n" + get + get + post), down("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
				down("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n" + "HTTP/1.1 204 No Content\r\n\r\n")},
			server: "HEAD / HTTP/1.1\r\n\r\n" + get + get,
			client: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n" + oops,
			dose:   "1 requests, 55 bytes", free: true,
		},
		{
			name: "WebSocket", faults: []rehearse.Fault{abort},
			steps:  steps{up("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), down("HTTP/1.1 101 Switching Protocols\r\n\r\n" + post), up(post)},
			server: "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + post, client: "HTTP/1.1 101 Switching Protocols\r\n\r\n" + post,
			dose: "0 requests, 0 bytes", free: true,
		},
		{
			name: "a switch that was refused", faults: []rehearse.Fault{abort},
			steps:  steps{up("CONNECT h:1 HTTP/1.1\r\n\r\n"), down("HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n"), up(post)},
			server: "CONNECT h:1 HTTP/1.1\r\n\r\n", client: "HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n" + oops,
			dose: "1 requests, 55 bytes", free: true,
		},
		{
			name: "tunnel", faults: []rehearse.Fault{abort},
			steps:  steps{up("CONNECT h:1 HTTP/1.1\r\n\r\n" + post), down("HTTP/1.1 200 OK\r\n\r\n" + post)},
			server: "CONNECT h:1 HTTP/1.1\r\n\r\n" + post, client: "HTTP/1.1 200 OK\r\n\r\n" + post,
			dose: "0 requests, 0 bytes", free: true,
		},
		{
			name: "HTTP/2", faults: []rehearse.Fault{abort},
			steps:  steps{up("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + post), down("xyz")},
			server: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + post, client: "xyz",
			dose: "0 requests, 0 bytes", free: true,
		},
		{
			name: "another protocol is not kept", faults: []rehearse.Fault{abort},
			steps:  steps{up("EHLO\r\n"), down("220 hi\r\n")},
			server: "EHLO\r\n", client: "220 hi\r\n",
			dose: "0 requests, 0 bytes", free: true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d *wiretest.Decider
			e := wiretest.Play(t, func() wire.Editor {
				d = wiretest.NewDecider(t, c.faults...)
				return New(d)
			}, c.steps, c.server, c.client)
			if got := e.Free(); got != c.free {
				t.Errorf("free is %v, want %v", got, c.free)
			}
			if len(c.faults) > 0 && d.Dose(c.faults[0].ID()) != c.dose {
				t.Errorf("dose is %s, want %s", d.Dose(c.faults[0].ID()), c.dose)
			}
		})
	}
}

func TestHeadTooLarge(t *testing.T) {
	d := wiretest.NewDecider(t)
	e := New(d)
	tape := wiretest.NewTape(e)
	head := "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 2*wire.MaxHead) + "\r\n\r\n"
	tape.Up(wiretest.Pieces([]byte(head), func() int { return 1000 })...)
	if tape.Server() != head || !e.up.opaque || d.Asked() != 0 {
		t.Errorf("opaque is %v after %d of %d bytes, %d requests", e.up.opaque, len(tape.Server()), len(head), d.Asked())
	}
}

func FuzzTransparent(f *testing.F) {
	f.Add([]byte(get+post+chunk), []byte(ok+ok+ok), uint64(1))
	f.Add([]byte("CONNECT h:1 HTTP/1.1\r\n\r\nabc"), []byte("HTTP/1.1 200 OK\r\n\r\nabc"), uint64(2))
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"), []byte("HTTP/1.0 200 OK\r\n\r\nabc"), uint64(3))
	f.Add([]byte(get), []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), uint64(4))
	f.Fuzz(func(t *testing.T, up, down []byte, seed uint64) {
		wiretest.Transparent(t, New(wire.Nobody{}), up, down, seed)
	})
}

// FuzzCuts holds an editor with every fault to the same result however its bytes
// are cut.
func FuzzCuts(f *testing.F) {
	f.Add([]byte(get+post+chunk), []byte(ok+ok+ok))
	f.Add([]byte(get+get), []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"+ok))
	f.Fuzz(func(t *testing.T, up, down []byte) {
		var want [2]string
		for i, size := range []int{1 << 20, 1, 5} {
			tape := wiretest.NewTape(New(wiretest.NewDecider(t,
				rehearse.Fault{Kind: rehearse.FaultDelay, Match: rehearse.Match{Path: "/a"}},
				rehearse.Fault{Kind: rehearse.FaultDropHeader, Header: "X-A"},
				rehearse.Fault{Kind: rehearse.FaultAbort, Match: rehearse.Match{Method: "POST"}},
				rehearse.Fault{Kind: rehearse.FaultTruncate, Bytes: 4, Match: rehearse.Match{Method: "GET"}},
			)))
			tape.Up(wiretest.Pieces(up, func() int { return size })...)
			tape.Down(wiretest.Pieces(down, func() int { return size })...)
			tape.End()
			got := [2]string{tape.Server(), tape.Client()}
			if i > 0 && got != want {
				t.Fatalf("in pieces of %d: %q, want %q", size, got, want)
			}
			want = got
		}
	})
}

func BenchmarkBodies(b *testing.B) {
	body := make([]byte, 64<<10)
	head := []byte("POST / HTTP/1.1\r\nContent-Length: 67108864\r\n\r\n")
	answer := []byte("HTTP/1.1 204 No Content\r\n\r\n")
	benchmark(b, len(head)+64<<20+len(answer), func(e *Editor, out *wire.Out) {
		e.Up(head, out)
		for range 1024 {
			out.Clear()
			e.Up(body, out)
		}
		e.Down(answer, out)
		out.Clear()
	})
}

func BenchmarkRequests(b *testing.B) {
	request, answer := []byte(get), []byte(ok)
	benchmark(b, len(request)+len(answer), func(e *Editor, out *wire.Out) {
		e.Up(request, out)
		e.Down(answer, out)
		out.Clear()
	})
}

func benchmark(b *testing.B, n int, round func(*Editor, *wire.Out)) {
	e, out := New(wire.Nobody{}), &wire.Out{}
	b.SetBytes(int64(n))
	b.ReportAllocs()
	for b.Loop() {
		round(e, out)
	}
	if !e.Free() {
		b.Fatal("the editor lost its way")
	}
}

func TestNoAllocation(t *testing.T) {
	e, out := New(wire.Nobody{}), &wire.Out{}
	request, answer := []byte(get), []byte(ok)
	if n := testing.AllocsPerRun(100, func() {
		e.Up(request, out)
		e.Down(answer, out)
		out.Clear()
	}); n != 0 {
		t.Errorf("%v allocations for a request that no fault touches, want none", n)
	}
}
