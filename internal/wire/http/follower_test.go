package http

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/wiretest"
)

const (
	parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	traced = "GET /a HTTP/1.1\r\nHost: h\r\nTraceParent:  " + parent + " \r\nUser-Agent: curl/8\r\n\r\n"
)

func fresh(tell wire.Tell) wire.Follower { return NewFollower(tell) }

// ms are so many milliseconds: the steps of a test happen at 1, 2, 3 …
func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// exchange is one of HTTP/1.1 to h, that began and was said at once.
func exchange(id uint64, method, path string, status int, e wire.Exchange) wire.Exchange {
	e.Protocol, e.ID, e.Method, e.Path, e.Status = wire.HTTP, id, method, path, status
	if e.Version == "" {
		e.Version = "1.1"
	}
	if e.Host == "" && e.Version == "1.1" {
		e.Host = "h"
	}
	if e.Host == "-" {
		e.Host = ""
	}
	if e.Said == 0 {
		e.Said = e.Begun
	}
	if e.SaidAt == 0 {
		e.SaidAt = e.BytesUp
	}
	if e.EndedAt == 0 {
		e.EndedAt = e.BytesDown
	}
	return e
}

func TestFollower(t *testing.T) {
	size := func(s ...string) int64 { return int64(len(strings.Join(s, ""))) }
	const (
		chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"
		endless = "HTTP/1.0 200 OK\r\n\r\nabc"
		hints   = "HTTP/1.1 103 Early Hints\r\n\r\n"
		gone    = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
		head    = "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
		expect  = "POST /pay HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
		upgrade = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
		connect = "CONNECT db:5432 HTTP/1.1\r\nHost: h\r\n\r\n"
		late    = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	)
	c, _ := wire.ParseContext([]byte(parent))
	type told = []wire.Exchange
	for _, tc := range []struct {
		name  string
		steps []wiretest.Step
		want  told
		why   string
		open  int
	}{
		{
			name:  "requests one by one",
			steps: []wiretest.Step{up(get), down(ok), up(traced), down(chunked)},
			want: told{
				exchange(1, "GET", "/a", 200, wire.Exchange{Begun: ms(1), Answered: ms(2), Ended: ms(2), BytesUp: size(get), BytesDown: size(ok)}),
				exchange(2, "GET", "/a", 200, wire.Exchange{Begun: ms(3), Answered: ms(4), Ended: ms(4), BytesUp: size(traced), SaidAt: size(get, traced),
					BytesDown: size(chunked), EndedAt: size(ok, chunked), Agent: "curl/8", Parent: c}),
			},
		},
		{
			name:  "in parts",
			steps: []wiretest.Step{up("\r\n" + post[:10]), up(post[10 : len(post)-1]), up(post[len(post)-1:]), down(ok[:1]), down(ok[1:20]), down(ok[20 : len(ok)-1]), down(ok[len(ok)-1:])},
			want: told{exchange(1, "POST", "/pay", 200, wire.Exchange{Begun: ms(1), Said: ms(3), Answered: ms(4), Ended: ms(7),
				BytesUp: size(post), SaidAt: size(post) + 2, BytesDown: size(ok)})},
		},
		{
			name:  "pipelined",
			steps: []wiretest.Step{up(get + post), up(head), down(ok), down(ok), down("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")},
			want: told{
				exchange(1, "GET", "/a", 200, wire.Exchange{Begun: ms(1), Answered: ms(3), Ended: ms(3), BytesUp: size(get), BytesDown: size(ok)}),
				exchange(2, "POST", "/pay", 200, wire.Exchange{Begun: ms(1), Answered: ms(4), Ended: ms(4), Ahead: ms(3), BytesUp: size(post), SaidAt: size(get, post), BytesDown: size(ok), EndedAt: size(ok, ok)}),
				exchange(3, "HEAD", "/", 200, wire.Exchange{Begun: ms(2), Answered: ms(5), Ended: ms(5), Ahead: ms(4), BytesUp: size(head), SaidAt: size(get, post, head), BytesDown: 38, EndedAt: size(ok, ok) + 38}),
			},
		},
		{
			name:  "interim answers",
			steps: []wiretest.Step{up(expect), down("HTTP/1.1 100 Continue\r\n\r\n"), up("hello"), down(hints), down(gone)},
			want: told{exchange(1, "POST", "/pay", 204, wire.Exchange{Begun: ms(1), Said: ms(3), Answered: ms(5), Ended: ms(5),
				BytesUp: size(expect) + 5, BytesDown: 25 + size(hints, gone)})},
		},
		{
			name:  "answered before it was said",
			steps: []wiretest.Step{up(expect), down(ok), up("hello"), up(get), down(ok)},
			want: told{
				exchange(1, "POST", "/pay", 200, wire.Exchange{Begun: ms(1), Answered: ms(2), Ended: ms(2), BytesUp: size(expect), BytesDown: size(ok)}),
				exchange(2, "GET", "/a", 200, wire.Exchange{Begun: ms(4), Answered: ms(5), Ended: ms(5), BytesUp: size(get), SaidAt: size(expect, get) + 5, BytesDown: size(ok), EndedAt: size(ok, ok)}),
			},
		},
		{
			name:  "until the end",
			steps: []wiretest.Step{up("GET http://x/y?z HTTP/1.0\r\n\r\n"), down(endless), down("def"), wiretest.EndUp, wiretest.EndDown},
			want: told{exchange(1, "GET", "/y", 200, wire.Exchange{Version: "1.0", Begun: ms(1), Answered: ms(2), Ended: ms(5),
				BytesUp: 29, BytesDown: size(endless) + 3})},
		},
		{
			name:  "upgraded",
			steps: []wiretest.Step{up(upgrade), down("HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x01a"), up("\x81\x01b"), wiretest.EndUp},
			want:  told{exchange(1, "GET", "/ws", 101, wire.Exchange{Begun: ms(1), Answered: ms(2), Ended: ms(2), BytesUp: size(upgrade), BytesDown: 36})},
			why:   "upgraded",
		},
		{
			name:  "a tunnel",
			steps: []wiretest.Step{up(connect + "early"), down("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")},
			want:  told{exchange(1, "CONNECT", "db:5432", 200, wire.Exchange{Begun: ms(1), Answered: ms(2), Ended: ms(2), BytesUp: size(connect), BytesDown: 38})},
			why:   "upgraded",
		},
		{
			name:  "an upgrade that was refused",
			steps: []wiretest.Step{up(upgrade), down(ok), up(get), down(ok)},
			want: told{
				exchange(1, "GET", "/ws", 200, wire.Exchange{Begun: ms(1), Answered: ms(2), Ended: ms(2), BytesUp: size(upgrade), BytesDown: size(ok)}),
				exchange(2, "GET", "/a", 200, wire.Exchange{Begun: ms(3), Answered: ms(4), Ended: ms(4), BytesUp: size(get), SaidAt: size(upgrade, get), BytesDown: size(ok), EndedAt: size(ok, ok)}),
			},
		},
		{
			name:  "the client hangs up",
			steps: []wiretest.Step{up(get + post[:40]), wiretest.EndUp, down(ok[:len(ok)-1]), wiretest.EndDown},
			want: told{
				exchange(1, "GET", "/a", 200, wire.Exchange{Begun: ms(1), Answered: ms(3), Ended: ms(3), BytesUp: size(get), BytesDown: size(ok) - 1, Cut: "client"}),
			},
		},
		{
			name:  "the client hangs up and nobody answers",
			steps: []wiretest.Step{up(get + post[:len(post)-2]), wiretest.EndUp, wiretest.EndDown},
			want: told{
				exchange(1, "GET", "/a", 0, wire.Exchange{Begun: ms(1), Ended: ms(2), BytesUp: size(get), Cut: "client"}),
				exchange(2, "POST", "/pay", 0, wire.Exchange{Begun: ms(1), Ended: ms(2), BytesUp: size(post) - 2, SaidAt: size(get, post) - 2, Cut: "client"}),
			},
		},
		{
			name:  "the client has said all and waits",
			steps: []wiretest.Step{up(get), wiretest.EndUp, down(ok), wiretest.EndDown},
			want:  told{exchange(1, "GET", "/a", 200, wire.Exchange{Begun: ms(1), Answered: ms(3), Ended: ms(3), BytesUp: size(get), BytesDown: size(ok)})},
		},
		{
			name:  "the upstream hangs up",
			steps: []wiretest.Step{up(post[:len(post)-2]), down(ok[:len(ok)-1]), wiretest.EndDown, up("lo"), up(get), wiretest.EndUp},
			want: told{
				exchange(1, "POST", "/pay", 200, wire.Exchange{Begun: ms(1), Answered: ms(2), Ended: ms(3), BytesUp: size(post) - 2, BytesDown: size(ok) - 1, Cut: "upstream"}),
				exchange(2, "GET", "/a", 0, wire.Exchange{Begun: ms(5), Ended: ms(5), BytesUp: size(get), SaidAt: size(post, get), EndedAt: size(ok) - 1, Cut: "upstream"}),
			},
		},
		{
			name:  "nothing behind a last answer",
			steps: []wiretest.Step{up(get + post), down(gone), up(get), wiretest.EndDown},
			want: told{
				exchange(1, "GET", "/a", 204, wire.Exchange{Begun: ms(1), Answered: ms(2), Ended: ms(2), BytesUp: size(get), BytesDown: size(gone)}),
				exchange(2, "POST", "/pay", 0, wire.Exchange{Begun: ms(1), Ended: ms(2), Ahead: ms(2), BytesUp: size(post), SaidAt: size(get, post), EndedAt: size(gone), Cut: "upstream"}),
				exchange(3, "GET", "/a", 0, wire.Exchange{Begun: ms(3), Ended: ms(3), BytesUp: size(get), SaidAt: size(get, post, get), EndedAt: size(gone), Cut: "upstream"}),
			},
		},
		{
			name:  "unasked",
			steps: []wiretest.Step{up(get), down(ok), down(late), wiretest.EndDown, wiretest.EndUp},
			want:  told{exchange(1, "GET", "/a", 200, wire.Exchange{Begun: ms(1), Answered: ms(2), Ended: ms(2), BytesUp: size(get), BytesDown: size(ok)})},
		},
		{
			name:  "unasked, to half a head",
			steps: []wiretest.Step{up(get[:9]), down(late), wiretest.EndDown, wiretest.EndUp},
		},
		{
			name:  "still open",
			steps: []wiretest.Step{up(get + post), down(ok + ok[:30])},
			want:  told{exchange(1, "GET", "/a", 200, wire.Exchange{Begun: ms(1), Answered: ms(2), Ended: ms(2), BytesUp: size(get), BytesDown: size(ok)})},
			open:  1,
		},
		{
			name:  "answers to what was understood",
			steps: []wiretest.Step{up(get + "\x00\x01"), down(ok + "+OK")},
			want:  told{exchange(1, "GET", "/a", 200, wire.Exchange{Begun: ms(1), Answered: ms(2), Ended: ms(2), BytesUp: size(get), BytesDown: size(ok)})},
			why:   "lost",
		},
		{
			name:  "a body that is none",
			steps: []wiretest.Step{up("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzzz"), down(ok)},
			want:  told{exchange(1, "POST", "/", 200, wire.Exchange{Host: "-", Begun: ms(1), Answered: ms(2), Ended: ms(2), BytesUp: 47, BytesDown: size(ok)})},
			why:   "lost",
		},
		{name: "an answer that is none", steps: []wiretest.Step{up(get), down("+OK\r\n")}, why: "lost"},
		{name: "another protocol", steps: []wiretest.Step{up("EHLO\r\n"), down("220 hi\r\n")}, why: "unknown"},
		{name: "an upstream that speaks first", steps: []wiretest.Step{down("220 hi\r\n")}, why: "unknown"},
		{name: "TLS", steps: []wiretest.Step{up("\x16\x03\x01")}, why: "tls"},
		{name: "a head that is too large", steps: []wiretest.Step{up("GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 2*wire.MaxHead) + "\r\n\r\n")}, why: "unknown"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, f := wiretest.Follow(t, fresh, tc.steps, 1)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(- want, + got)\n%s", diff)
			}
			if f.Opaque() != tc.why || f.Open() != tc.open {
				t.Errorf("opaque is %q with %d open, want %q with %d", f.Opaque(), f.Open(), tc.why, tc.open)
			}
		})
	}
}

func TestStamp(t *testing.T) {
	const old = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
	drop := rehearse.Fault{Kind: rehearse.FaultDropHeader, Header: "Traceparent"}
	for _, c := range []struct {
		name   string
		faults []rehearse.Fault
		in     string
		want   string // STAMP stands for what the stamper gives
	}{
		{"none", nil, get, "GET /a?x=1 HTTP/1.1\r\nHost: h\r\ntraceparent: STAMP\r\n\r\n"},
		{"no lines at all", nil, "GET / HTTP/1.0\n\n", "GET / HTTP/1.0\ntraceparent: STAMP\r\n\n"},
		{"in its place", nil, traced, strings.Replace(traced, parent, "STAMP", 1)},
		{"with a body", nil, "POST / HTTP/1.1\r\nTRACEPARENT:00-" + old + "-00\r\nContent-Length: 5\r\n\r\nhello", "POST / HTTP/1.1\r\nTRACEPARENT:STAMP\r\nContent-Length: 5\r\n\r\nhello"},
		{"of a version to come", nil, "GET / HTTP/1.1\r\ntraceparent: 01-" + old + "-00-more\r\nA: b\r\n\r\n", "GET / HTTP/1.1\r\ntraceparent: STAMP\r\nA: b\r\n\r\n"},
		{"malformed", nil, "GET / HTTP/1.1\r\ntraceparent: 00-x\r\nA: b\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\ntraceparent: STAMP\r\n\r\n"},
		{"empty", nil, "GET / HTTP/1.1\r\ntraceparent:\r\n\r\n", "GET / HTTP/1.1\r\ntraceparent: STAMP\r\n\r\n"},
		{"two", nil, "GET / HTTP/1.1\r\ntraceparent: 00-" + old + "-00\r\nA: b\r\nTraceparent: 00-" + old + "-01\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\ntraceparent: STAMP\r\n\r\n"},
		{"in two lines", nil, "GET / HTTP/1.1\r\ntraceparent: 00-" + old + "-00\r\n more\r\nA: b\r\n c\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n c\r\ntraceparent: STAMP\r\n\r\n"},
		{"beside what is dropped", []rehearse.Fault{{Kind: rehearse.FaultDropHeader, Header: "a"}}, "GET / HTTP/1.1\r\nA: b\r\ntraceparent: 00-" + old + "-00\r\n\r\n", "GET / HTTP/1.1\r\ntraceparent: STAMP\r\n\r\n"},
		{"itself dropped", []rehearse.Fault{drop}, traced, "GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: curl/8\r\n\r\n"},
		{"it would be dropped", []rehearse.Fault{drop}, get, get},
		{"aborted", []rehearse.Fault{{Kind: rehearse.FaultAbort}}, traced, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s *wiretest.Stamper
			want := strings.Replace(c.want, "STAMP", wiretest.Stamp(1), 1) + strings.Replace(c.want, "STAMP", wiretest.Stamp(2), 1)
			client := ""
			if c.name == "aborted" {
				const none = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 0\r\n\r\n"
				client = none + none
			}
			wiretest.Play(t, func() wire.Editor {
				s = wiretest.NewStamper(t, c.faults...)
				return New(s)
			}, []wiretest.Step{up(c.in + c.in)}, want, client)
			if stamped := strings.Count(want, wiretest.Stamp(1)[:20]); len(s.Decided) != 2 || len(s.Stamped) != stamped {
				t.Errorf("decided on %d and stamped %d, want 2 and %d", len(s.Decided), len(s.Stamped), stamped)
			}
		})
	}
}

// TestAgreement plays editor and follower the same requests, some of which never
// reach the upstream.
func TestAgreement(t *testing.T) {
	abort := rehearse.Fault{Kind: rehearse.FaultAbort, Body: "oops", Match: rehearse.Match{Method: "POST"}}
	hints := "HTTP/1.1 103 Early Hints\r\n\r\n"
	s, told := wiretest.Agree(t, func(d wire.Decider) wire.Editor { return New(d) }, fresh, []wiretest.Step{
		up(post + get + chunk + traced[:30]), up(traced[30:] + post), down(hints + ok + hints), down(ok), up(get + post), down(ok),
	}, abort)
	var stamped, all []string
	for _, a := range s.Stamped {
		stamped = append(stamped, a.String())
	}
	for _, e := range told {
		all = append(all, fmt.Sprint(e.ID, " ", e.Method, " ", e.Path, " ", e.Status))
	}
	if diff := cmp.Diff([]string{"2 GET /a", "4 GET /a", "6 GET /a"}, stamped); diff != "" {
		t.Errorf("stamped\n%s", diff)
	}
	if diff := cmp.Diff([]string{"1 POST /pay 503", "2 GET /a 200", "3 POST /pay 503", "4 GET /a 200", "5 POST /pay 503", "6 GET /a 200", "7 POST /pay 503"}, all); diff != "" {
		t.Errorf("told\n%s", diff)
	}
}

// conversation makes steps of bytes: the sides take turns at each 0x01, and end
// with 0x02.
func conversation(script []byte) (steps []wiretest.Step) {
	client := true
	for turn := range bytes.SplitSeq(script, []byte{1}) {
		turn, ends := bytes.CutSuffix(turn, []byte{2})
		if len(turn) > 0 {
			steps = append(steps, wiretest.Step{Up: client, Bytes: string(turn)})
		}
		if ends {
			steps = append(steps, wiretest.Step{Up: client})
		}
		client = !client
	}
	return steps
}

func seeds(f *testing.F) {
	for _, s := range []string{
		get + "\x01" + ok + "\x01" + traced + post + "\x01" + ok + ok + "\x02\x01\x02",
		chunk + get + "\x01HTTP/1.1 100 Continue\r\n\r\n" + ok + "\x01\x02\x01HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n\x02",
		"CONNECT h:1 HTTP/1.1\r\n\r\n\x01HTTP/1.1 200 OK\r\n\r\nabc",
		"GET / HTTP/1.0\r\ntraceparent: x\r\n y\r\nb3: 0\r\n\r\n\x01HTTP/1.0 200 OK\r\n\r\nabc\x02",
		get + "\x01HTTP/1.1 204 No\r\nConnection: close\r\n\r\n\x01" + get + "\x02\x01\x02",
	} {
		f.Add([]byte(s), uint64(1))
	}
}

// FuzzFollow holds the follower to the same exchanges however the bytes are cut,
// and their numbers to some order.
func FuzzFollow(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, script []byte, seed uint64) {
		steps := conversation(script)
		told, _ := wiretest.Follow(t, fresh, steps, seed)
		var ups, downs, end int64
		for _, s := range steps {
			if s.Up {
				ups += int64(len(s.Bytes))
			} else {
				downs += int64(len(s.Bytes))
			}
		}
		for i, e := range told {
			if e.ID != uint64(i)+1 || e.Begun > e.Said || e.Said > e.Ended || e.Answered > e.Ended || e.BytesUp <= 0 || e.SaidAt > ups ||
				e.BytesDown < 0 || e.EndedAt-e.BytesDown < end || e.EndedAt > downs || e.Cut == "" && e.Status == 0 {
				t.Fatalf("%d of %d: %+v", i, len(told), e)
			}
			end = e.EndedAt
		}
	})
}

// FuzzStamp holds an editor that stamps to change nothing but traceparents, and
// to agree with a follower.
func FuzzStamp(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, script []byte, seed uint64) {
		steps := conversation(script)
		rng := rand.New(rand.NewPCG(seed, 0))
		tape := wiretest.NewTape(New(wiretest.NewStamper(t)))
		var ups, downs []byte
		for _, s := range steps {
			pieces := wiretest.Pieces([]byte(s.Bytes), func() int { return 1 + rng.IntN(40) })
			if s.Up {
				ups = append(ups, s.Bytes...)
				tape.Up(pieces...)
			} else {
				downs = append(downs, s.Bytes...)
				tape.Down(pieces...)
			}
		}
		tape.End()
		if got, want := without(tape.Server()), without(string(ups)); got != want {
			t.Fatalf("the server got %q, want %q", got, want)
		}
		if got := tape.Client(); got != string(downs) {
			t.Fatalf("the client got %q, want %q", got, downs)
		}
		wiretest.Agree(t, func(d wire.Decider) wire.Editor { return New(d) }, fresh, steps)
	})
}

// without is s without lines that begin like a traceparent, and those that go on
// with them.
func without(s string) string {
	var b strings.Builder
	in := false
	for line := range strings.Lines(s) {
		in = in && (line[0] == ' ' || line[0] == '\t') || len(line) > 12 && strings.EqualFold(line[:12], "traceparent:")
		if !in {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestFollowerAllocatesLittle(t *testing.T) {
	told := 0
	f := NewFollower(func(*wire.Exchange) { told++ })
	request, answer := []byte(traced), []byte(ok)
	round := func() {
		f.Up(request, 1)
		f.Down(answer, 2)
	}
	round()
	if n := testing.AllocsPerRun(100, round); n != 0 || told != 102 {
		t.Errorf("%v allocations for a request like the last, want none; %d exchanges", n, told)
	}
}

func BenchmarkFollow(b *testing.B) {
	request := []byte("GET /documents/17 HTTP/1.1\r\nHost: api:8080\r\nUser-Agent: Go-http-client/1.1\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\nTraceparent: " + parent + "\r\n\r\n")
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024))
	told := 0
	f := NewFollower(func(*wire.Exchange) { told++ })
	b.SetBytes(int64(len(request) + len(answer)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		f.Up(request, 1)
		f.Down(answer, 2)
		n++
	}
	if told != n {
		b.Fatal("the follower lost its way")
	}
}

func BenchmarkStamp(b *testing.B) {
	request, answer := []byte(traced), []byte(ok)
	e, out := New(stamper{}), &wire.Out{}
	b.ReportAllocs()
	for b.Loop() {
		e.Up(request, out)
		e.Down(answer, out)
		out.Clear()
	}
	if !e.Free() {
		b.Fatal("the editor lost its way")
	}
}

// stamper gives every request the same context.
type stamper struct{ wire.Nobody }

func (stamper) Stamp(q *wire.Request) (wire.Context, bool) { return q.Parent, true }
