package http2

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/wiretest"
)

var (
	up   = wiretest.Up
	down = wiretest.Down
)

const greetingUp = `
	preface
	SETTINGS
`

func TestFaults(t *testing.T) {
	abort := rehearse.Fault{Kind: rehearse.FaultAbort, Body: "oops", Match: rehearse.Match{Method: "POST", Path: "/pay*"}}
	bare := abort
	bare.Body = ""
	slow := rehearse.Fault{Name: "slow", Kind: rehearse.FaultDelay, Delay: rehearse.Duration(time.Second), Match: rehearse.Match{Path: "/a"}}
	late := slow
	late.Name, late.Direction = "late", rehearse.Down
	short := rehearse.Fault{Kind: rehearse.FaultTruncate, Bytes: 4, Match: rehearse.Match{Method: "GET"}}
	drop := rehearse.Fault{Kind: rehearse.FaultDropHeader, Header: "X-A"}
	hello := preface + setting()
	get := []string{":method: GET", ":path: /a?x=1", ":authority: h", "x-k: v1", "!x-a: secret"}
	post := []string{":method: POST", ":path: /pay", ":authority: h", "x-k: v1"}
	const (
		gets  = "[:method: GET | :path: /a?x=1 | :authority: h | x-k: v1 | !x-a: secret]"
		posts = "[:method: POST | :path: /pay | :authority: h | x-k: v1]"
		ok    = "[:status: 200 | x-a: 1 | x-b: 2]"
		oops  = "[:status: 503 | content-type: text/plain; charset=utf-8 | content-length: 4]"
		none  = "[:status: 503 | content-type: text/plain; charset=utf-8 | content-length: 0]"
	)
	oks := []string{":status: 200", "x-a: 1", "x-b: 2"}
	for _, c := range []struct {
		name           string
		faults         []rehearse.Fault
		steps          func(c, s *peer) []wiretest.Step
		server, client string
		dose           string // of the first fault
	}{
		{
			name: "nothing",
			steps: func(c, s *peer) []wiretest.Step {
				return []wiretest.Step{up(hello), down(setting()), up(c.head(1, endStream, get...)), up(c.pieces(3, 0, post...)), up(data(3, padded|endStream, "\x02hello\x00\x00")),
					down(s.head(1, 0, oks...)), down(data(1, endStream, "hi")), down(s.pieces(3, 0, oks...)), down(s.head(3, endStream, "x-t: 1"))}
			},
			server: greetingUp + "1 HEADERS END " + gets + "\n3 HEADERS with priority " + posts + "\n3 DATA END \"hello\"",
			client: "SETTINGS\n1 HEADERS " + ok + "\n1 DATA END \"hi\"\n3 HEADERS with priority " + ok + "\n3 HEADERS END [x-t: 1]",
		},
		{
			name: "abort", faults: []rehearse.Fault{abort},
			steps: func(c, s *peer) []wiretest.Step {
				return []wiretest.Step{up(hello), down(setting()), up(c.head(1, endStream, post...)), up(c.head(3, endStream, get...)), down(s.head(3, 0, oks...)),
					up(number(windowUpdateFrame, 1, 5) + number(rstStreamFrame, 1, 8)), down(s.head(3, endStream, "x-a: 1"))}
			},
			// What the server misses it must not be referred to.
			server: greetingUp + "3 HEADERS END " + gets,
			client: "SETTINGS\n1 HEADERS " + oops + "\n1 DATA END \"oops\"\n3 HEADERS " + ok + "\n3 HEADERS END [x-a: 1]",
			dose:   "1 requests, 26 bytes",
		},
		{
			name: "abort of a request that goes on", faults: []rehearse.Fault{bare},
			steps: func(c, s *peer) []wiretest.Step {
				return []wiretest.Step{up(hello), down(setting()), up(c.pieces(1, 0, post...)), up(data(1, padded, "\x01abc\x00") + data(1, 0, "") + c.head(1, endStream, "x-t: 1")),
					up(c.head(3, endStream, get...) + raw(2, 0, 1, "12345"))}
			},
			server: greetingUp + "3 HEADERS END " + gets,
			client: "SETTINGS\n1 HEADERS END " + none + "\n0 WINDOW_UPDATE 5\n1 WINDOW_UPDATE 5",
			dose:   "1 requests, 200 bytes",
		},
		{
			name: "abort before the server has spoken, inside its frame", faults: []rehearse.Fault{abort},
			steps: func(c, s *peer) []wiretest.Step {
				first, frame := setting(), data(7, 0, "0123456789")
				return []wiretest.Step{up(hello), up(c.head(1, endStream, post...)), down(first[:4]), down(first[4:] + frame[:12]), up(c.head(3, endStream, post...)), down(frame[12:])}
			},
			server: greetingUp,
			client: "SETTINGS\n1 HEADERS " + oops + "\n1 DATA END \"oops\"\n7 DATA \"0123456789\"\n3 HEADERS " + oops + "\n3 DATA END \"oops\"",
			dose:   "2 requests, 39 bytes",
		},
		{
			name: "abort waits for the stream's window", faults: []rehearse.Fault{abort},
			steps: func(c, s *peer) []wiretest.Step {
				return []wiretest.Step{up(preface + setting(initialWindowSize, 1)), down(setting()), up(c.head(1, endStream, post...)), up(number(windowUpdateFrame, 1, 2)),
					up(setting(initialWindowSize, 2)), up(number(windowUpdateFrame, 0, 3)), up(number(windowUpdateFrame, 0, 3))}
			},
			server: "preface\nSETTINGS 000400000001\nSETTINGS 000400000002\n0 WINDOW_UPDATE 2",
			client: "SETTINGS\n1 HEADERS " + oops + "\n1 DATA \"o\"\n1 DATA \"op\"\n1 DATA END \"s\"",
			dose:   "1 requests, 26 bytes",
		},
		{
			name: "the client gives up while the answer waits", faults: []rehearse.Fault{abort},
			steps: func(c, s *peer) []wiretest.Step {
				return []wiretest.Step{up(preface + setting(initialWindowSize, 1)), down(setting()), up(c.head(1, endStream, post...)), up(number(rstStreamFrame, 1, 8)), up(number(windowUpdateFrame, 1, 2))}
			},
			server: "preface\nSETTINGS 000400000001",
			client: "SETTINGS\n1 HEADERS " + oops + "\n1 DATA \"o\"",
			dose:   "1 requests, 26 bytes",
		},
		{
			name: "the server uses up the window that an answer took", faults: []rehearse.Fault{abort},
			steps: func(c, s *peer) []wiretest.Step {
				var fill string
				for range 3 {
					fill += data(7, 0, strings.Repeat("x", 16<<10))
				}
				fill += data(7, 0, strings.Repeat("x", 16<<10-5))
				return []wiretest.Step{up(hello), down(setting()), up(c.head(1, endStream, post...)), down(fill + data(7, 0, "1234")), down(s.head(9, endStream, oks...)), up(number(windowUpdateFrame, 0, 10)), down(data(7, 0, "y"))}
			},
			server: greetingUp + "0 WINDOW_UPDATE 6",
			client: "SETTINGS\n1 HEADERS " + oops + "\n1 DATA END \"oops\"\n" + strings.Repeat("7 DATA \""+strings.Repeat("x", 16<<10)+"\"\n", 3) + "7 DATA \"" + strings.Repeat("x", 16<<10-5) + "\"\n7 DATA \"1234\"\n9 HEADERS END " + ok + "\n7 DATA \"y\"",
			dose:   "1 requests, 26 bytes",
		},
		{
			name: "abort of gRPC", faults: []rehearse.Fault{{Kind: rehearse.FaultAbort, Status: 429, Body: "50 % off\n"}},
			steps: func(c, s *peer) []wiretest.Step {
				return []wiretest.Step{up(hello), down(setting()), up(c.head(1, 0, append(post, "content-type: application/grpc+proto")...)), up(data(1, endStream, "abc"))}
			},
			server: greetingUp,
			client: "SETTINGS\n1 HEADERS END [:status: 200 | content-type: application/grpc+proto | grpc-status: 14 | grpc-message: 50 %25 off%0A]\n0 WINDOW_UPDATE 3",
			dose:   "1 requests, 47 bytes",
		},
		{
			name: "abort of HEAD", faults: []rehearse.Fault{{Kind: rehearse.FaultAbort, Status: 500, Body: "oops"}},
			steps: func(c, s *peer) []wiretest.Step {
				return []wiretest.Step{up(hello), down(setting()), up(c.head(1, endStream, ":method: HEAD", ":path: /"))}
			},
			server: greetingUp,
			client: "SETTINGS\n1 HEADERS END [:status: 500 | content-type: text/plain; charset=utf-8 | content-length: 4]",
			dose:   "1 requests, 16 bytes",
		},
		{
			name: "abort of an upload without an end", faults: []rehearse.Fault{abort},
			steps: func(c, s *peer) []wiretest.Step {
				part := data(1, 0, strings.Repeat("x", 16<<10))
				return []wiretest.Step{up(hello), down(setting()), up(c.head(1, 0, post...)), up(strings.Repeat(part, 66)), up(number(rstStreamFrame, 1, 8)), up(c.head(3, endStream, get...))}
			},
			server: greetingUp + "3 HEADERS END " + gets,
			client: "SETTINGS\n1 HEADERS " + oops + "\n1 DATA END \"oops\"\n" + strings.Repeat("0 WINDOW_UPDATE 16384\n1 WINDOW_UPDATE 16384\n", 64) + "0 WINDOW_UPDATE 16384\n1 RST_STREAM 0\n0 WINDOW_UPDATE 16384",
			dose:   "1 requests, 1064986 bytes",
		},
		{
			name: "a block that nobody can read behind an abort", faults: []rehearse.Fault{abort},
			steps: func(c, s *peer) []wiretest.Step {
				return []wiretest.Step{up(hello), down(setting()), up(c.head(1, endStream, post...)), down(raw(headersFrame, endHeaders, 3, "\xff\xff\xff\xff\xff\xff"))}
			},
			server: greetingUp,
			client: "SETTINGS\n1 HEADERS " + oops + "\n1 DATA END \"oops\"\n<reset>",
			dose:   "1 requests, 26 bytes",
		},
		{
			name: "delay", faults: []rehearse.Fault{slow},
			steps: func(c, s *peer) []wiretest.Step {
				return []wiretest.Step{up(hello), down(setting()), up(c.head(1, endStream, post...) + c.head(3, endStream, get...)), down(s.head(3, endStream, oks...))}
			},
			server: greetingUp + "1 HEADERS END " + posts + "\n<hold slow>\n3 HEADERS END " + gets,
			client: "SETTINGS\n3 HEADERS END " + ok,
			dose:   "1 requests, 29 bytes",
		},
		{
			name: "delay of the answer", faults: []rehearse.Fault{late},
			steps: func(c, s *peer) []wiretest.Step {
				return []wiretest.Step{up(hello), down(setting()), up(c.head(1, endStream, post...) + c.head(3, endStream, get...)),
					down(s.head(3, 0, ":status: 103") + s.head(1, endStream, oks...) + s.head(3, 0, oks...) + s.head(3, endStream, "x-t: 1"))}
			},
			server: greetingUp + "1 HEADERS END " + posts + "\n3 HEADERS END " + gets,
			client: "SETTINGS\n3 HEADERS [:status: 103]\n1 HEADERS END " + ok + "\n<hold late>\n3 HEADERS " + ok + "\n3 HEADERS END [x-t: 1]",
			dose:   "1 requests, 12 bytes",
		},
		{
			name: "delay of an abort", faults: []rehearse.Fault{slow, {Kind: rehearse.FaultAbort, Status: 204}, late},
			steps: func(c, s *peer) []wiretest.Step {
				return []wiretest.Step{up(hello), down(setting()), up(c.head(1, endStream, get...))}
			},
			server: greetingUp,
			client: "SETTINGS\n<hold slow>\n1 HEADERS END [:status: 204]",
			dose:   "1 requests, 0 bytes",
		},
		{
			name: "truncate", faults: []rehearse.Fault{short},
			steps: func(c, s *peer) []wiretest.Step {
				return []wiretest.Step{up(hello), down(setting()), up(c.head(1, 0, get...) + c.head(3, endStream, post...)),
					down(s.head(1, 0, oks...) + s.head(3, 0, oks...) + data(1, padded, "\x01abc\x00") + data(1, padded, "\x02defg\x00\x00")),
					up(data(1, endStream, "more")), down(data(3, endStream, "0123456789")), down(data(1, 0, "xyz") + s.head(1, endStream, "x-t: 1")),
					up(number(windowUpdateFrame, 1, 9)), up(c.head(5, endStream, post...)), down(s.head(5, endStream, "x-t: 1"))}
			},
			server: greetingUp + "1 HEADERS " + gets + "\n3 HEADERS END " + posts + "\n0 WINDOW_UPDATE 6\n1 RST_STREAM 8\n0 WINDOW_UPDATE 3\n5 HEADERS END " + posts,
			client: "SETTINGS\n1 HEADERS " + ok + "\n3 HEADERS " + ok + "\n1 DATA \"abc\"\n1 DATA \"d\"\n1 RST_STREAM 2\n0 WINDOW_UPDATE 4\n3 DATA END \"0123456789\"\n5 HEADERS END [x-t: 1]",
			dose:   "1 requests, 26 bytes",
		},
		{
			name: "truncate the last frame", faults: []rehearse.Fault{short},
			steps: func(c, s *peer) []wiretest.Step {
				return []wiretest.Step{up(hello), down(setting()), up(c.head(1, endStream, get...)), down(s.head(1, 0, oks...) + data(1, endStream, "hello"))}
			},
			server: greetingUp + "1 HEADERS END " + gets + "\n0 WINDOW_UPDATE 1",
			client: "SETTINGS\n1 HEADERS " + ok + "\n1 DATA \"hell\"\n1 RST_STREAM 2",
			dose:   "1 requests, 1 bytes",
		},
		{
			name: "truncate beyond the end", faults: []rehearse.Fault{short},
			steps: func(c, s *peer) []wiretest.Step {
				return []wiretest.Step{up(hello), down(setting()), up(c.head(1, endStream, get...)), down(s.head(1, 0, oks...) + data(1, endStream, "hell"))}
			},
			server: greetingUp + "1 HEADERS END " + gets,
			client: "SETTINGS\n1 HEADERS " + ok + "\n1 DATA END \"hell\"",
			dose:   "0 requests, 0 bytes",
		},
		{
			name: "truncate with a push", faults: []rehearse.Fault{short},
			steps: func(c, s *peer) []wiretest.Step {
				push := func(of byte) string {
					return raw(pushPromiseFrame, endHeaders, 1, string([]byte{0, 0, 0, of})+string(s.block(":method: GET", ":path: /p", "x-p: 1")))
				}
				return []wiretest.Step{up(hello), down(setting()), up(c.head(1, endStream, get...)), down(push(2) + s.head(1, 0, oks...) + data(1, 0, "hello")),
					down(push(4)), down(s.head(2, endStream, "x-p: 1")), down(s.head(4, 0, "x-p: 1") + data(4, endStream, "abc")), down(number(rstStreamFrame, 1, 0))}
			},
			server: greetingUp + "1 HEADERS END " + gets + "\n0 WINDOW_UPDATE 1\n1 RST_STREAM 8\n4 RST_STREAM 8\n0 WINDOW_UPDATE 3",
			client: "SETTINGS\n1 PUSH_PROMISE of 2 [:method: GET | :path: /p | x-p: 1]\n1 HEADERS " + ok + "\n1 DATA \"hell\"\n1 RST_STREAM 2\n2 HEADERS END [x-p: 1]",
			dose:   "1 requests, 14 bytes",
		},
		{
			name: "drop header both ways", faults: []rehearse.Fault{drop},
			steps: func(c, s *peer) []wiretest.Step {
				return []wiretest.Step{up(hello), down(setting()), up(c.pieces(1, endStream, get...)), down(s.pieces(1, 0, oks...) + s.head(1, endStream, "x-a: 1"))}
			},
			server: greetingUp + "1 HEADERS with priority END [:method: GET | :path: /a?x=1 | :authority: h | x-k: v1]",
			client: "SETTINGS\n1 HEADERS with priority [:status: 200 | x-b: 2]\n1 HEADERS END [x-a: 1]",
			dose:   "1 requests, 21 bytes",
		},
		{
			name: "drop header of answers", faults: []rehearse.Fault{{Kind: rehearse.FaultDropHeader, Direction: rehearse.Down, Header: "X-B", Match: rehearse.Match{Header: "Host: h"}}},
			steps: func(c, s *peer) []wiretest.Step {
				return []wiretest.Step{up(hello), down(setting()), up(c.head(1, endStream, get...) + c.head(3, endStream, get[:2]...)), down(s.head(1, endStream, oks...) + s.head(3, endStream, oks...))}
			},
			server: greetingUp + "1 HEADERS END " + gets + "\n3 HEADERS END [:method: GET | :path: /a?x=1]",
			client: "SETTINGS\n1 HEADERS END [:status: 200 | x-a: 1]\n3 HEADERS END " + ok,
			dose:   "1 requests, 8 bytes",
		},
		{
			name: "the table's size changes", faults: []rehearse.Fault{abort},
			steps: func(c, s *peer) []wiretest.Step {
				first := c.head(1, endStream, get...)
				c.encoder.SetMaxDynamicTableSizeLimit(8192)
				c.encoder.SetMaxDynamicTableSize(8192)
				return []wiretest.Step{up(hello), up(first), down(setting(headerTableSize, 8192)), up(c.head(3, endStream, get...)), up(c.head(5, endStream, post...)), up(c.head(7, endStream, get...))}
			},
			server: greetingUp + "1 HEADERS END " + gets + "\n3 HEADERS END " + gets + "\n7 HEADERS END " + gets,
			client: "SETTINGS 000100002000\n5 HEADERS " + oops + "\n5 DATA END \"oops\"",
			dose:   "1 requests, 17 bytes",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d *wiretest.Decider
			e := play(t, func() wire.Editor {
				d = wiretest.NewDecider(t, c.faults...)
				return New(d)
			}, c.steps(newPeer(), newPeer()), c.server, c.client)
			if len(c.faults) > 0 && d.Dose(c.faults[0].ID()) != c.dose {
				t.Errorf("dose is %s, want %s", d.Dose(c.faults[0].ID()), c.dose)
			}
			if e := e.(*Editor); !e.over && e.stalled {
				t.Error("bytes are still waiting")
			}
		})
	}
}

// TestOthers leaves what is not HTTP/2 to the other editor, and what cannot be
// understood alone.
func TestOthers(t *testing.T) {
	abort := rehearse.Fault{Kind: rehearse.FaultAbort, Body: "oops", Match: rehearse.Match{Method: "POST"}}
	const (
		get  = "GET / HTTP/1.1\r\n\r\n"
		post = "POST / HTTP/1.1\r\n\r\n"
		ok   = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
		oops = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n\r\noops"
	)
	hello := preface + setting()
	large := newPeer().head(1, endStream, ":method: POST", ":path: /", "x: "+strings.Repeat("~", 2*wire.MaxHead))
	many := make([]string, 100)
	for i := range many {
		many[i] = "x: " + strings.Repeat("~", 4000)
	}
	aborted := newPeer().head(1, endStream, ":method: POST", ":path: /")
	for _, c := range []struct {
		name           string
		steps          []wiretest.Step
		server, client string
		free           bool
	}{
		{name: "HTTP/1", steps: []wiretest.Step{up(post + get), down(ok), up(post)}, server: get, client: oops + ok + oops, free: true},
		{name: "almost the preface", steps: []wiretest.Step{up("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")}, server: "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", free: true},
		{name: "a server that speaks first", steps: []wiretest.Step{down("220 hi\r\n"), up("EHLO\r\n")}, server: "EHLO\r\n", client: "220 hi\r\n", free: true},
		{name: "a server of HTTP/1 that speaks first", steps: []wiretest.Step{down(ok), up(get)}, server: get, client: ok, free: true},
		{name: "half a preface", steps: []wiretest.Step{up("PRI"), down("2"), up("X")}, server: "PRIX", client: "2", free: true},
		{name: "a server of HTTP/2 that speaks first", steps: []wiretest.Step{down(setting()), up(hello)}, server: hello, client: setting()},
		{name: "a client of HTTP/1 at such a server", steps: []wiretest.Step{down(setting() + data(1, 0, "ab")), up(get)}, server: get, client: setting() + data(1, 0, "ab")},
		{name: "a server of HTTP/1", steps: []wiretest.Step{up(hello), down(ok), up(hello)}, server: hello + hello, client: ok, free: true},
		{name: "a server of HTTP/1 behind an abort", steps: []wiretest.Step{up(hello + aborted), down(ok)}, server: hello, client: "<reset>"},
		{name: "no settings", steps: []wiretest.Step{up(preface + aborted), down(setting())}, server: preface + aborted, client: setting(), free: true},
		{name: "a connection that was there before", steps: []wiretest.Step{up(aborted + aborted), down(data(1, 0, "x"))}, server: aborted + aborted, client: data(1, 0, "x"), free: true},
		{name: "a head that is too large", steps: []wiretest.Step{up(hello + large + aborted), down(setting())}, server: hello + large + aborted, client: setting(), free: true},
		{name: "a list that is too large", steps: []wiretest.Step{up(hello), down(setting()), up(bombed(many) + aborted)}, server: hello + bombed(many) + aborted, client: setting(), free: true},
		{name: "a stray continuation", steps: []wiretest.Step{up(hello + raw(continuationFrame, 0, 1, "x") + aborted), down(setting())}, server: hello + raw(continuationFrame, 0, 1, "x") + aborted, client: setting(), free: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := wiretest.Play(t, func() wire.Editor { return New(wiretest.NewDecider(t, abort)) }, c.steps, c.server, c.client)
			if got := e.Free(); got != c.free {
				t.Errorf("free is %v, want %v", got, c.free)
			}
		})
	}
}

// bombed is a small block with a large list of equal fields.
func bombed(lines []string) string { return newPeer().head(1, endStream, lines...) }

// TestHalfClosed tells the editor of one side's end while the other goes on.
func TestHalfClosed(t *testing.T) {
	c, s := newPeer(), newPeer()
	e := every(t)
	tape := wiretest.NewTape(e)
	tape.Up([]byte(preface + setting() + c.head(1, endStream, ":method: POST", ":path: /") + c.head(3, endStream, ":method: GET", ":path: /")))
	tape.Down([]byte(setting() + s.head(3, 0, ":status: 200")))
	var out wire.Out
	e.EndUp(&out)
	before := tape.Server()
	tape.Down([]byte(data(3, endStream, "hello")))
	want := words("SETTINGS\n1 HEADERS [:status: 503 | content-type: text/plain; charset=utf-8 | content-length: 4]\n1 DATA END \"oops\"\n3 HEADERS [:status: 200]\n3 DATA \"hell\"\n3 RST_STREAM 2")
	if diff := cmp.Diff(want, transcript(t, tape.Client())); diff != "" {
		t.Error(diff)
	}
	if len(out.Server)+len(out.Client) > 0 || out.Reset || tape.Server() != before {
		t.Errorf("the end handed out %v, and what was behind it %q", out, tape.Server()[len(before):])
	}
}

func TestSkipped(t *testing.T) {
	s, want := skipped{}, map[uint32]bool{}
	for _, id := range []uint32{1, 3, 127, 129, 255, 1<<31 - 1} {
		s.add(id)
		want[id] = true
	}
	for _, base := range []uint32{0, 1<<31 - 400} {
		for id := base; id < base+400; id++ {
			if s.has(id) != want[id] {
				t.Errorf("%d: got %v", id, s.has(id))
			}
		}
	}
}

func TestStatusOfGRPC(t *testing.T) {
	for status, want := range map[int]int{200: 2, 400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 500: 2, 502: 14, 503: 14, 504: 14} {
		if got := grpcStatus(status); got != want {
			t.Errorf("status %d is %d, want %d", status, got, want)
		}
	}
	for kind, want := range map[string]bool{"application/grpc": true, "application/grpc+proto": true, "application/grpc;x=y": true, "application/grpc-web": false, "application/json": false, "": false} {
		if got := isGRPC(kind); got != want {
			t.Errorf("%q is gRPC: %v, want %v", kind, got, want)
		}
	}
}

// conversation is one of everything, for fuzzing to start from.
func conversation() (ups, downs []byte) {
	c, s := newPeer(), newPeer()
	u := preface + setting(initialWindowSize, 3, headerTableSize, 100) + c.head(1, endStream, ":method: GET", ":path: /a", "x-a: 1") +
		c.pieces(3, 0, ":method: POST", ":path: /pay", "x-a: 1") + data(3, padded, "\x02abc\x00\x00") + number(windowUpdateFrame, 3, 2) + c.head(3, endStream, "x-t: 1") +
		number(windowUpdateFrame, 0, 70) + number(rstStreamFrame, 1, 8) + raw(6, 0, 0, "12345678") + raw(7, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x00")
	d := setting(headerTableSize, 9000) + s.head(1, 0, ":status: 200", "x-a: 1") + data(1, 0, "hello world") + s.pieces(1, endStream, "x-t: 1") +
		raw(pushPromiseFrame, endHeaders, 1, "\x00\x00\x00\x02"+string(s.block(":method: GET", ":path: /p"))) + s.head(2, endStream, ":status: 204") + number(windowUpdateFrame, 1, 5)
	return []byte(u), []byte(d)
}

func FuzzTransparent(f *testing.F) {
	u, d := conversation()
	f.Add(u, d, uint64(1))
	f.Add([]byte(preface), []byte("HTTP/1.1 200 OK\r\n\r\n"), uint64(2))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), []byte("HTTP/1.1 200 OK\r\n\r\nabc"), uint64(3))
	f.Fuzz(func(t *testing.T, up, down []byte, seed uint64) {
		wiretest.Transparent(t, New(wire.Nobody{}), up, down, seed)
	})
}

// every is an editor with every fault.
func every(t testing.TB) *Editor {
	return New(wiretest.NewDecider(t,
		rehearse.Fault{Kind: rehearse.FaultDelay, Match: rehearse.Match{Path: "/a"}},
		rehearse.Fault{Kind: rehearse.FaultDropHeader, Header: "X-A"},
		rehearse.Fault{Kind: rehearse.FaultAbort, Body: "oops", Match: rehearse.Match{Method: "POST"}},
		rehearse.Fault{Kind: rehearse.FaultTruncate, Bytes: 4, Match: rehearse.Match{Method: "GET"}},
	))
}

// FuzzCuts holds an editor with every fault to the same result however its bytes
// are cut.
func FuzzCuts(f *testing.F) {
	u, d := conversation()
	f.Add(u, d)
	f.Fuzz(func(t *testing.T, up, down []byte) {
		sameInPieces(t, []wiretest.Step{wiretest.Up(string(up)), wiretest.Down(string(down)), wiretest.Up(string(up))})
	})
}

// FuzzFrames does so with frames that make a little more sense: four bytes of
// the program are one.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x02\x01\x01\x00\x03\x01\x01\x00\x03\x00\x01\x09\x02\x00\x01\x05"))
	f.Add([]byte("\x02\x01\x01\x02\x02\x03\x01\x00\x02\x08\x00\x05\x03\x05\x01\x02\x03\x04\x00\x01\x02\x04\x00\x02"))
	f.Fuzz(func(t *testing.T, program []byte) {
		whole(t, sameInPieces(t, steps(program)))
	})
}

// whole fails unless both sides were given whole frames, with header blocks that
// they can read.
func whole(t *testing.T, given [2]string) {
	t.Helper()
	for _, s := range given {
		transcript(t, s)
	}
}

// TestFrames runs FuzzFrames on some programs of chance.
func TestFrames(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	program := make([]byte, 4*30)
	for range 1000 {
		for i := range program {
			program[i] = byte(rng.Uint32())
		}
		whole(t, sameInPieces(t, steps(program)))
	}
}

// steps makes a conversation of a program.
func steps(program []byte) []wiretest.Step {
	c, s := newPeer(), newPeer()
	all := []wiretest.Step{up(preface + setting(initialWindowSize, 2)), down(setting())}
	for ; len(program) >= 4; program = program[4:] {
		client, k, id, n := program[0]%2 == 0, kind(program[1]%10), uint32(program[2]%12), int(program[3]%32)
		flags := program[0] >> 1 & (endStream | padded)
		from := s
		if client {
			from = c
		}
		var b string
		switch k {
		case headersFrame:
			lines := []string{":status: 200", "x-a: 1", "x-b: 2"}
			if client {
				lines = []string{[]string{":method: POST", ":method: GET"}[n%2], ":path: " + []string{"/a", "/b"}[n/2%2], "x-a: 1"}
			}
			if b = from.head(id, flags&endStream, lines[n/8:]...); n == 31 {
				b = from.pieces(id, flags&endStream, lines...)
			}
		case pushPromiseFrame:
			b = raw(k, endHeaders, id, string([]byte{0, 0, 0, byte(n)})+string(from.block(":method: GET", "x-b: 2")))
		case settingsFrame:
			b = setting(initialWindowSize, uint32(n))
		case rstStreamFrame, windowUpdateFrame:
			b = number(k, id, uint32(n))
		case dataFrame:
			if n > 28 {
				n <<= 9
			}
			if n < 3 {
				flags &^= padded // or there were more padding than frame
			}
			b = raw(k, flags, id, strings.Repeat("\x02", n))
		case continuationFrame:
			continue // it ends all understanding
		default:
			b = raw(k, flags, id, strings.Repeat("p", n))
		}
		all = append(all, wiretest.Step{Up: client, Bytes: b})
	}
	return all
}

// sameInPieces plays steps through editors with every fault. It returns what the
// server and the client were given.
func sameInPieces(t *testing.T, steps []wiretest.Step) (want [2]string) {
	t.Helper()
	for i, size := range []int{1 << 20, 1, 5} {
		tape := wiretest.NewTape(every(t))
		for _, s := range steps {
			call := tape.Down
			if s.Up {
				call = tape.Up
			}
			call(wiretest.Pieces([]byte(s.Bytes), func() int { return size })...)
		}
		tape.End()
		got := [2]string{tape.Server(), tape.Client()}
		if i > 0 && got != want {
			t.Fatalf("in pieces of %d: %q, want %q", size, got, want)
		}
		want = got
	}
	return want
}

func BenchmarkBodies(b *testing.B) {
	c, s := newPeer(), newPeer()
	e, out := New(wire.Nobody{}), &wire.Out{}
	e.Up([]byte(preface+setting()+c.head(1, 0, ":method: POST", ":path: /")), out)
	e.Down([]byte(setting()+s.head(1, 0, ":status: 200")), out)
	body := []byte(strings.Repeat(data(1, 0, strings.Repeat("x", anyFrame)), 4))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		out.Clear()
		e.Down(body, out)
	}
}

func BenchmarkRequests(b *testing.B) {
	c, s := newPeer(), newPeer()
	e, out := New(wire.Nobody{}), &wire.Out{}
	request := func(id uint32) []byte {
		return []byte(c.head(id, endStream, ":method: GET", ":path: /a", ":authority: h", "user-agent: b"))
	}
	answer := func(id uint32) []byte {
		return []byte(s.head(id, 0, ":status: 200", "content-length: 2") + data(id, endStream, "hi"))
	}
	e.Up(append([]byte(preface+setting()), request(1)...), out)
	e.Down(append([]byte(setting()), answer(1)...), out)
	ask, answered := request(3), answer(3)
	id := uint32(1)
	b.ReportAllocs()
	for b.Loop() {
		id += 2
		for _, p := range [][]byte{ask, answered} {
			p[5], p[6], p[7], p[8] = byte(id>>24), byte(id>>16), byte(id>>8), byte(id)
		}
		out.Clear()
		e.Up(ask, out)
		e.Down(answered, out)
	}
	if e.Opaque() {
		b.Fatal("the editor lost its way")
	}
}

func TestNoAllocation(t *testing.T) {
	s := newPeer()
	e, out := New(wire.Nobody{}), &wire.Out{}
	e.Up([]byte(preface+setting()), out)
	e.Down([]byte(setting()+s.head(1, 0, ":status: 200")), out)
	body := []byte(data(1, 0, "hello") + number(windowUpdateFrame, 1, 5))
	if n := testing.AllocsPerRun(100, func() {
		out.Clear()
		e.Down(body, out)
	}); n != 0 {
		t.Errorf("%v allocations for frames that no fault touches, want none", n)
	}
}
