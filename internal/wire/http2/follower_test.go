package http2

import (
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

const traced = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func fresh(tell wire.Tell) wire.Follower { return NewFollower(tell) }

// line is an exchange in words.
func line(e *wire.Exchange) string {
	at := func(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
	s := fmt.Sprintf("%d %s %s %d HTTP/%s %s-%s, %s-%s, up %d to %d, down %d to %d", e.ID, e.Method, e.Path, e.Status, e.Version,
		at(e.Begun), at(e.Said), at(e.Answered), at(e.Ended), e.BytesUp, e.SaidAt, e.BytesDown, e.EndedAt)
	if e.RPC {
		s += fmt.Sprintf(", gRPC %d", e.GRPC)
	}
	if e.Host != "h" {
		s += ", host " + e.Host
	}
	if e.Agent != "" {
		s += ", agent " + e.Agent
	}
	if !e.Parent.IsZero() {
		s += ", parent " + string(wire.AppendContext(nil, e.Parent))
	}
	if e.Cut != "" {
		s += ", cut by " + e.Cut
	}
	return s
}

func TestFollower(t *testing.T) {
	hello := preface + setting()
	get := []string{":method: GET", ":path: /a?x=1", ":authority: h"}
	post := []string{":method: POST", ":path: /pay", "host: h", "user-agent: curl/8", "traceparent: " + traced}
	call := []string{":method: POST", ":path: /shop.Cart/Add", ":authority: h", "content-type: application/grpc+proto"}
	ok := []string{":status: 200", "x-a: 1"}
	goAway := func(last byte) string {
		return raw(goAwayFrame, 0, 0, "\x00\x00\x00"+string([]byte{last})+"\x00\x00\x00\x00bye")
	}
	type steps = []wiretest.Step
	for _, tc := range []struct {
		name  string
		steps func(c, s *peer) steps
		want  []string
		why   string
		open  int
	}{
		{
			name: "one by one and at once",
			steps: func(c, s *peer) steps {
				return steps{up(hello + c.head(1, endStream, get...)), down(setting() + s.head(1, 0, ok...)), down(data(1, 0, "hel") + data(1, endStream, "lo")),
					up(c.pieces(3, 0, post...) + data(3, 0, "abc")), up(c.head(5, endStream, get...) + data(3, padded|endStream, "\x02de\x00\x00")),
					down(s.head(5, endStream, ok...)), down(s.head(3, 0, ":status: 103") + s.pieces(3, 0, ok...)), down(data(3, 0, "x") + s.head(3, endStream, "x-t: 1"))}
			},
			want: []string{
				"1 GET /a 200 HTTP/2 1-1, 2-3, up 20 to 53, down 40 to 49",
				"5 GET /a 200 HTTP/2 5-5, 6-6, up 12 to 746, down 11 to 60",
				"3 POST /pay 200 HTTP/2 4-5, 7-8, up 695 to 760, down 68 to 128, agent curl/8, parent " + traced,
			},
		},
		{
			name: "gRPC",
			steps: func(c, s *peer) steps {
				return steps{up(hello + c.head(1, 0, call...) + data(1, endStream, "\x00\x00\x00\x00\x00")),
					down(setting() + s.head(1, 0, ":status: 200", "content-type: application/grpc") + data(1, 0, "\x00\x00\x00\x00\x00")), down(s.head(1, endStream, "grpc-status: 0")),
					up(c.head(3, 0, call...)), down(s.head(3, endStream, ":status: 200", "grpc-status: 5")), up(data(3, endStream, "late")),
					up(c.head(5, endStream, call...)), down(s.head(5, 0, ":status: 200") + data(5, endStream, "no status")),
					up(c.head(7, endStream, call...)), down(s.head(7, endStream, ":status: 503", "grpc-status: x"))}
			},
			want: []string{
				"1 POST /shop.Cart/Add 200 HTTP/2 1-1, 2-3, up 58 to 91, down 58 to 67, gRPC 0",
				"3 POST /shop.Cart/Add 200 HTTP/2 4-4, 5-5, up 13 to 104, down 13 to 80, gRPC 5",
				"5 POST /shop.Cart/Add 200 HTTP/2 7-7, 8-8, up 13 to 130, down 28 to 108, gRPC -1",
				"7 POST /shop.Cart/Add 503 HTTP/2 9-9, 10-10, up 13 to 143, down 18 to 126, gRPC -1",
			},
		},
		{
			name: "resets",
			steps: func(c, s *peer) steps {
				return steps{up(hello + c.head(1, 0, get...) + c.head(3, 0, get...) + c.head(5, endStream, get...)), down(setting() + s.head(1, 0, ok...) + data(1, 0, "12")),
					up(number(rstStreamFrame, 1, 8)), down(data(1, endStream, "34") + number(rstStreamFrame, 3, 7)), up(data(3, endStream, "x")),
					down(s.head(5, endStream, ok...) + number(rstStreamFrame, 5, 0))}
			},
			want: []string{
				"1 GET /a 200 HTTP/2 1-1, 2-3, up 20 to 53, down 28 to 37, cut by client",
				"3 GET /a 0 HTTP/2 1-1, 0-4, up 12 to 65, down 0 to 61, cut by upstream",
				"5 GET /a 200 HTTP/2 1-1, 6-6, up 12 to 77, down 11 to 72",
			},
		},
		{
			name: "going away",
			steps: func(c, s *peer) steps {
				return steps{up(hello + c.head(1, endStream, get...) + c.head(3, endStream, get...) + c.head(5, endStream, get...)), down(setting() + goAway(1)), up(c.head(7, endStream, get...)), down(s.head(1, endStream, ok...))}
			},
			want: []string{
				"3 GET /a 0 HTTP/2 1-1, 0-2, up 12 to 65, down 0 to 22, cut by upstream",
				"5 GET /a 0 HTTP/2 1-1, 0-2, up 12 to 77, down 0 to 22, cut by upstream",
				"7 GET /a 0 HTTP/2 3-3, 0-3, up 12 to 89, down 0 to 29, cut by upstream",
				"1 GET /a 200 HTTP/2 1-1, 4-4, up 20 to 53, down 17 to 46",
			},
		},
		{
			name: "the client hangs up",
			steps: func(c, s *peer) steps {
				return steps{up(hello + c.head(1, endStream, get...) + c.head(3, 0, get...)), wiretest.EndUp, down(setting() + s.head(1, 0, ok...)), wiretest.EndDown}
			},
			want: []string{
				"1 GET /a 200 HTTP/2 1-1, 3-3, up 20 to 53, down 17 to 26, cut by client",
				"3 GET /a 0 HTTP/2 1-1, 0-2, up 12 to 65, down 0 to 26, cut by client",
			},
		},
		{
			name: "the upstream hangs up",
			steps: func(c, s *peer) steps {
				return steps{up(hello + c.head(1, 0, get...)), down(setting()), wiretest.EndDown, up(data(1, endStream, "x") + c.head(3, 0, get...)), wiretest.EndUp}
			},
			want: []string{
				"1 GET /a 0 HTTP/2 1-1, 0-3, up 20 to 53, down 0 to 9, cut by upstream",
				"3 GET /a 0 HTTP/2 4-4, 0-4, up 12 to 75, down 0 to 9, cut by upstream",
			},
		},
		{
			name: "pushes are none",
			steps: func(c, s *peer) steps {
				promise := raw(pushPromiseFrame, endHeaders, 1, "\x00\x00\x00\x02"+string(s.block(":method: GET", ":path: /p")))
				return steps{up(hello + c.head(1, endStream, get...)), down(setting() + promise + s.head(2, endStream, ok...) + s.head(1, endStream, ok...))}
			},
			want: []string{"1 GET /a 200 HTTP/2 1-1, 2-2, up 20 to 53, down 11 to 55"},
		},
		{
			name: "a server that speaks first",
			steps: func(c, s *peer) steps {
				return steps{down(setting(headerTableSize, 9000)), up(preface), up(setting() + c.head(1, endStream, get...)), down(s.head(1, endStream, ok...))}
			},
			want: []string{"1 GET /a 200 HTTP/2 3-3, 4-4, up 20 to 53, down 17 to 32"},
		},
		{
			name: "HTTP/1",
			steps: func(c, s *peer) steps {
				return steps{up("P"), up("R"), up("OPFIND /x HTTP/1.1\r\nHost: h\r\n\r\n"), down("HTTP/1.1 207 Multi-Status\r\nContent-Length: 0\r\n\r\n")}
			},
			want: []string{"1 PROPFIND /x 207 HTTP/1.1 1-3, 4-4, up 33 to 33, down 48 to 48"},
		},
		{
			name: "HTTP/1 at a server that is gone",
			steps: func(c, s *peer) steps {
				return steps{wiretest.EndDown, up("GET /x HTTP/1.1\r\nHost: h\r\n\r\n")}
			},
			want: []string{"1 GET /x 0 HTTP/1.1 2-2, 0-2, up 28 to 28, down 0 to 0, cut by upstream"},
		},
		{
			name: "an upgrade",
			steps: func(c, s *peer) steps {
				return steps{up("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n"), down("HTTP/1.1 101 Switching Protocols\r\n\r\n" + setting()), up(hello)}
			},
			want: []string{"1 GET / 101 HTTP/1.1 1-1, 2-2, up 41 to 41, down 36 to 36"},
			why:  "upgraded",
		},
		{
			name:  "open",
			steps: func(c, s *peer) steps { return steps{up(hello + c.head(1, endStream, get...) + c.head(3, 0, get...))} },
			open:  2,
		},
		{
			name: "a block that nobody can read",
			steps: func(c, s *peer) steps {
				return steps{up(hello + c.head(1, endStream, get...)), down(setting() + raw(headersFrame, endHeaders, 1, "\xff\xff\xff\xff\xff\xff") + s.head(1, endStream, ok...))}
			},
			why: "lost",
		},
		{
			name:  "no settings",
			steps: func(c, s *peer) steps { return steps{up(preface + data(1, 0, "x"))} },
			why:   "unknown",
		},
		{name: "TLS", steps: func(c, s *peer) steps { return steps{up("\x16\x03\x01\x00")} }, why: "tls"},
		{name: "another protocol", steps: func(c, s *peer) steps { return steps{up("PRI"), down("220 hi\r\n")} }, why: "unknown"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			told, f := wiretest.Follow(t, fresh, tc.steps(newPeer(), newPeer()), 1)
			var got []string
			for _, e := range told {
				got = append(got, line(&e))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(- want, + got)\n%s", diff)
			}
			if f.Opaque() != tc.why || f.Open() != tc.open {
				t.Errorf("opaque is %q with %d open, want %q with %d", f.Opaque(), f.Open(), tc.why, tc.open)
			}
		})
	}
}

// TestFollowerBytes adds up by hand what the follower counts.
func TestFollowerBytes(t *testing.T) {
	c, s := newPeer(), newPeer()
	hello, greeting := preface+setting(), setting()
	ask := c.pieces(1, 0, ":method: POST", ":path: /")
	other := c.head(3, endStream, ":method: GET", ":path: /")
	body, rest := data(1, 0, "abc"), data(1, padded|endStream, "\x01x\x00")
	credit := number(windowUpdateFrame, 1, 5)
	head, more, end := s.head(1, 0, ":status: 200"), data(1, 0, strings.Repeat("x", 1000)), s.head(1, endStream, "x-t: 1")
	told, _ := wiretest.Follow(t, fresh, []wiretest.Step{
		up(hello + ask + body + credit + other + rest + credit), down(greeting + head + credit + s.head(3, 0, ":status: 200") + more + end + data(3, endStream, "")),
	}, 1)
	ups, downs := len(ask)+len(body)+len(rest), len(head)+len(more)+len(end)
	want := [][4]int{
		{ups, len(hello) + ups + len(credit) + len(other), downs, len(greeting) + downs + len(credit) + frameHead + 1},
		{len(other), len(hello) + len(ask) + len(body) + len(credit) + len(other), 2*frameHead + 1, len(greeting) + downs + len(credit) + 2*frameHead + 1},
	}
	var got [][4]int
	for _, e := range told {
		got = append(got, [4]int{int(e.BytesUp), int(e.SaidAt), int(e.BytesDown), int(e.EndedAt)})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(- want, + got)\n%s", diff)
	}
}

func TestStamp(t *testing.T) {
	const bad = "00-x"
	drop := rehearse.Fault{Kind: rehearse.FaultDropHeader, Header: "Traceparent"}
	for _, c := range []struct {
		name   string
		faults []rehearse.Fault
		in     []string // beside the method and the path
		want   []string // STAMP stands for what the stamper gives
		parent string
	}{
		{name: "none", in: []string{"x-a: 1"}, want: []string{"x-a: 1", "traceparent: STAMP"}},
		{name: "in its place", in: []string{"traceparent: " + traced, "!x-a: 1"}, want: []string{"traceparent: STAMP", "!x-a: 1"}, parent: traced},
		{name: "malformed", in: []string{"traceparent: " + bad, "x-a: 1"}, want: []string{"x-a: 1", "traceparent: STAMP"}},
		{name: "two", in: []string{"traceparent: " + traced, "x-a: 1", "traceparent: " + traced}, want: []string{"x-a: 1", "traceparent: STAMP"}},
		{name: "b3", in: []string{"b3: 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"}, want: []string{"b3: 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", "traceparent: STAMP"}, parent: traced},
		{name: "beside what is dropped", faults: []rehearse.Fault{{Kind: rehearse.FaultDropHeader, Header: "x-a"}}, in: []string{"x-a: 1"}, want: []string{"traceparent: STAMP"}},
		{name: "itself dropped", faults: []rehearse.Fault{drop}, in: []string{"x-a: 1", "traceparent: " + traced}, want: []string{"x-a: 1"}, parent: traced},
		{name: "it would be dropped", faults: []rehearse.Fault{drop}, in: []string{"x-a: 1"}, want: []string{"x-a: 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			peer := newPeer()
			in := append([]string{":method: GET", ":path: /"}, c.in...)
			want := greetingUp
			for _, id := range []uint64{1, 3} {
				fields := append([]string{":method: GET", ":path: /"}, c.want...)
				want += strings.ReplaceAll(fmt.Sprintf("%d HEADERS END [%s]\n", id, strings.Join(fields, " | ")), "STAMP", wiretest.Stamp(id))
			}
			var s *wiretest.Stamper
			play(t, func() wire.Editor {
				s = wiretest.NewStamper(t, c.faults...)
				return New(s)
			}, []wiretest.Step{up(preface + setting()), up(peer.head(1, endStream, in...) + peer.head(3, endStream, in...))}, want, "")
			if len(s.Decided) != 2 || s.Decided[1].ID != 3 || len(s.Stamped) != strings.Count(want, "traceparent") {
				t.Errorf("decided on %v and stamped %v", s.Decided, s.Stamped)
			}
			if got := s.Decided[1].Parent; !got.IsZero() && string(wire.AppendContext(nil, got)) != c.parent || got.IsZero() != (c.parent == "") {
				t.Errorf("the parent is %+v, want %s", got, c.parent)
			}
		})
	}
}

// TestAgreement plays editor and follower the same requests, some of which never
// reach the upstream.
func TestAgreement(t *testing.T) {
	abort := rehearse.Fault{Kind: rehearse.FaultAbort, Body: "oops", Match: rehearse.Match{Method: "POST"}}
	c, s := newPeer(), newPeer()
	post, get := []string{":method: POST", ":path: /pay"}, []string{":method: GET", ":path: /a", "traceparent: " + traced}
	asked, told := wiretest.Agree(t, func(d wire.Decider) wire.Editor { return New(d) }, fresh, []wiretest.Step{
		up(preface + setting()), down(setting()), up(c.head(1, endStream, post...) + c.pieces(3, 0, get...) + c.head(5, 0, post...)),
		up(c.head(9, endStream, get...) + data(3, endStream, "hi")), down(s.head(9, endStream, ":status: 204") + s.head(3, 0, ":status: 103")), down(s.head(3, endStream, ":status: 404")),
	}, abort)
	var stamped, all []string
	for _, a := range asked.Stamped {
		stamped = append(stamped, a.String())
	}
	for _, e := range told {
		all = append(all, fmt.Sprint(e.ID, " ", e.Method, " ", e.Path, " ", e.Status))
	}
	if diff := cmp.Diff([]string{"3 GET /a", "9 GET /a"}, stamped); diff != "" {
		t.Errorf("stamped\n%s", diff)
	}
	if diff := cmp.Diff([]string{"1 POST /pay 503", "5 POST /pay 503", "9 GET /a 204", "3 GET /a 404"}, all); diff != "" {
		t.Errorf("told\n%s", diff)
	}
}

// checkStamps holds an editor that stamps to change nothing but traceparents, and
// to agree with a follower.
func checkStamps(t *testing.T, steps []wiretest.Step) {
	t.Helper()
	tape := wiretest.NewTape(New(wiretest.NewStamper(t)))
	var ups, downs string
	for _, s := range steps {
		if s.Up {
			ups += s.Bytes
			tape.Up([]byte(s.Bytes))
		} else {
			downs += s.Bytes
			tape.Down([]byte(s.Bytes))
		}
	}
	tape.End()
	want := transcript(t, ups)
	got := transcript(t, tape.Server())
	for _, lines := range [][]string{want, got} {
		for i, l := range lines {
			l, _, _ = strings.Cut(l, " | traceparent: ") // it is the last, and the programs have none
			lines[i] = strings.TrimSuffix(l, "]")
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("the server got (- want, + got)\n%s", diff)
	}
	if got := tape.Client(); got != downs {
		t.Fatalf("the client got %q, want %q", got, downs)
	}
	wiretest.Agree(t, func(d wire.Decider) wire.Editor { return New(d) }, fresh, steps)
}

// checkFollow holds the follower to the same exchanges however the bytes are cut,
// and their numbers to some order.
func checkFollow(t *testing.T, steps []wiretest.Step, seed uint64) {
	t.Helper()
	told, f := wiretest.Follow(t, fresh, steps, seed)
	seen := map[uint64]bool{}
	for _, e := range told {
		if seen[e.ID] || e.Begun > e.Said || e.Said > e.Ended || e.Answered > e.Ended || e.BytesUp <= 0 || e.BytesUp > e.SaidAt || e.BytesDown > e.EndedAt {
			t.Fatalf("%+v", e)
		}
		seen[e.ID] = true
	}
	if ended := len(steps) > 1 && steps[len(steps)-1] == wiretest.EndDown; ended && f.Open() > 0 {
		t.Fatalf("%d are open behind the end", f.Open())
	}
}

func FuzzFollow(f *testing.F) {
	u, d := conversation()
	f.Add(u, d, uint64(1))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), []byte("HTTP/1.1 200 OK\r\n\r\nabc"), uint64(3))
	f.Fuzz(func(t *testing.T, u, d []byte, seed uint64) {
		steps := []wiretest.Step{up(string(u)), down(string(d)), up(string(u)), wiretest.EndUp, down(string(d)), wiretest.EndDown}
		if len(u) == 0 || len(d) == 0 {
			return
		}
		checkFollow(t, steps, seed)
		wiretest.Agree(t, func(d wire.Decider) wire.Editor { return New(d) }, fresh, steps)
	})
}

// FuzzFollowFrames does so with frames that make a little more sense.
func FuzzFollowFrames(f *testing.F) {
	f.Add([]byte("\x02\x01\x01\x00\x03\x01\x01\x00\x03\x00\x01\x09\x02\x00\x01\x05"))
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 4*64 {
			return // longer is no other, and slow
		}
		checkFollow(t, append(steps(program), wiretest.EndUp, wiretest.EndDown), 1)
		checkStamps(t, steps(program))
	})
}

// TestFollowFrames runs FuzzFollowFrames on some programs of chance.
func TestFollowFrames(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	program := make([]byte, 4*30)
	for range 300 {
		for i := range program {
			program[i] = byte(rng.Uint32())
		}
		checkFollow(t, append(steps(program), wiretest.EndUp, wiretest.EndDown), rng.Uint64())
		checkStamps(t, steps(program))
	}
}

// BenchmarkFollow follows a unary call of gRPC.
func BenchmarkFollow(b *testing.B) {
	c, s := newPeer(), newPeer()
	request := func(id uint32) []byte {
		return []byte(c.head(id, 0, ":method: POST", ":scheme: http", ":path: /shop.Cart/Add", ":authority: cart:8080", "content-type: application/grpc", "user-agent: grpc-go/1.70.0", "te: trailers", "!traceparent: "+traced) +
			data(id, endStream, "\x00\x00\x00\x00\x40"+strings.Repeat("x", 64)))
	}
	answer := func(id uint32) []byte {
		return []byte(s.head(id, 0, ":status: 200", "content-type: application/grpc") + data(id, 0, "\x00\x00\x00\x00\x40"+strings.Repeat("y", 64)) + s.head(id, endStream, "grpc-status: 0", "grpc-message: "))
	}
	told := 0
	f := NewFollower(func(*wire.Exchange) { told++ })
	f.Up(append([]byte(preface+setting()), request(1)...), 1)
	f.Down(append([]byte(setting()), answer(1)...), 2)
	ask, answered := request(3), answer(3)
	b.ReportAllocs()
	n, id := 1, uint32(1)
	renumber := func(p []byte) {
		for len(p) > 0 {
			n := frameHead + parse(p).length
			p[5], p[6], p[7], p[8] = byte(id>>24), byte(id>>16), byte(id>>8), byte(id)
			p = p[n:]
		}
	}
	for b.Loop() {
		id += 2
		renumber(ask)
		renumber(answered)
		f.Up(ask, 1)
		f.Down(answered, 2)
		n++
	}
	if told != n {
		b.Fatalf("%d of %d exchanges; opaque is %q", told, n, f.Opaque())
	}
}
