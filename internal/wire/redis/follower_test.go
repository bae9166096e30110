package redis

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/wiretest"
)

// brief is an exchange on a line: the command, its error, the times of the
// request and the answer, and how it was cut.
func brief(x *wire.Exchange) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", x.ID, x.Command)
	if x.ErrorCode != "" {
		b.WriteString(" " + x.ErrorCode)
	}
	fmt.Fprintf(&b, " %d-%d", x.Begun/time.Millisecond-1, x.Said/time.Millisecond-1)
	if x.Ahead > 0 {
		fmt.Fprintf(&b, " <%d>", x.Ahead/time.Millisecond-1)
	}
	fmt.Fprintf(&b, " %d-%d", max(0, x.Answered/time.Millisecond-1), x.Ended/time.Millisecond-1)
	if x.Cut != "" {
		b.WriteString(" cut by " + x.Cut)
	}
	return b.String()
}

func fresh(tell wire.Tell) wire.Follower { return NewFollower(tell) }

func TestFollower(t *testing.T) {
	type steps = []wiretest.Step
	confirm := func(top, word, channel string, n int) string {
		return fmt.Sprintf("%s3\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n:%d\r\n", top, len(word), word, len(channel), channel, n)
	}
	message := func(top string) string { return top + "3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n" }
	list := "*2\r\n$7\r\nmessage\r\n$1\r\nx\r\n"
	end := "" // of the side
	for _, c := range []struct {
		name   string
		steps  steps
		want   []string
		open   int
		opaque string
	}{
		{name: "one", steps: steps{up(cmd("get", "k")[:9]), up(cmd("get", "k")[9:]), down("$3\r\n"), down("a\nb\r\n")}, want: []string{"1 GET 0-1 2-3"}},
		{name: "empty strings", steps: steps{up(cmd("SET", "", "")), down("+OK\r\n")}, want: []string{"1 SET 0-0 1-1"}},
		{name: "inline", steps: steps{up("  ping\r\n\r\n*0\r\n*-1\r\nCONFIG get x\n"), down("+PONG\r\n"), down("*0\r\n")}, want: []string{"1 PING 0-0 1-1", "2 CONFIG GET 0-0 <1> 2-2"}},
		{name: "pipeline", steps: steps{up(cmd("GET", "a") + cmd("SET", "a", "b") + cmd("INCR", "a")), down("$-1\r\n"), down("+OK\r\n-WRONGTYPE Operation"), down(" against\r\n")},
			want: []string{"1 GET 0-0 1-1", "2 SET 0-0 <1> 2-2", "3 INCR WRONGTYPE 0-0 <2> 2-3"}},
		{name: "subcommands", steps: steps{up(cmd("client", "setname", "secret") + cmd("XGROUP", "create", "s") + cmd("FT.SEARCH", "secret") + cmd("client") + cmd("clïent")), down(strings.Repeat("+OK\r\n", 5))},
			want: []string{"1 CLIENT SETNAME 0-0 1-1", "2 XGROUP CREATE 0-0 <1> 1-1", "3 FT.SEARCH 0-0 <1> 1-1", "4 CLIENT 0-0 <1> 1-1", "5 CL??ENT 0-0 <1> 1-1"}},
		{name: "errors", steps: steps{up(cmd("EVAL", "x") + cmd("A") + cmd("B") + cmd("C")), down("-secret 1\r\n-ERR unknown\r\n!21\r\nSYNTAX invalid syntax\r\n-NOAUTH\r\n")},
			want: []string{"1 EVAL ERR 0-0 1-1", "2 A ERR 0-0 <1> 1-1", "3 B SYNTAX 0-0 <1> 1-1", "4 C NOAUTH 0-0 <1> 1-1"}},
		{name: "transaction", steps: steps{up(cmd("MULTI") + cmd("GET", "k") + cmd("EXEC")), down("+OK\r\n+QUEUED\r\n*2\r\n$1\r\nx\r\n-ERR no\r\n")}, want: []string{"1 MULTI 0-0 1-1", "2 GET 0-0 <1> 1-1", "3 EXEC 0-0 <1> 1-1"}},
		{name: "a long wait", steps: steps{up(cmd("BLPOP", "l", "0"))}, open: 1},
		{name: "half a command", steps: steps{up(cmd("GET", "k") + cmd("SET", "k", "v")[:12])}, open: 2},

		{name: "RESP3", steps: steps{up(cmd("HELLO", "3") + cmd("LRANGE", "l", "0", "1")), down("%1\r\n+server\r\n$5\r\nredis\r\n"), down(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n" + list)}, want: []string{"1 HELLO 0-0 1-1", "2 LRANGE 0-0 <1> 2-2"}},
		{name: "subscribe", steps: steps{up(cmd("SUBSCRIBE", "c", "d")), down(confirm("*", "subscribe", "c", 1)), down(message("*") + confirm("*", "subscribe", "d", 2)), down(message("*")), up(cmd("PING")), down(message("*") + "*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
			up(cmd("UNSUBSCRIBE")), down(confirm("*", "unsubscribe", "c", 1)), down(confirm("*", "unsubscribe", "d", 0)), up(cmd("LRANGE", "l", "0", "1")), down(list)},
			want: []string{"1 SUBSCRIBE 0-0 1-2", "2 PING 4-4 5-5", "3 UNSUBSCRIBE 6-6 7-7", "4 LRANGE 9-9 10-10"}},
		{name: "subscribe in RESP3", steps: steps{up(cmd("HELLO", "3")), down("%0\r\n"), up(cmd("SUBSCRIBE", "c") + cmd("LRANGE", "l", "0", "1")), down(confirm(">", "subscribe", "c", 1) + message(">") + list)}, want: []string{"1 HELLO 0-0 1-1", "2 SUBSCRIBE 2-2 3-3", "3 LRANGE 2-2 <3> 3-3"}},
		{name: "subscribe to shards", steps: steps{up(cmd("SSUBSCRIBE", "c")), down(confirm("*", "ssubscribe", "c", 1)), down(strings.Replace(message("*"), "$7\r\nm", "$8\r\nsm", 1))}, want: []string{"1 SSUBSCRIBE 0-0 1-1"}},
		{name: "subscribe is refused", steps: steps{up(cmd("SUBSCRIBE", "c", "d") + cmd("PING")), down("-NOPERM no\r\n+PONG\r\n")}, want: []string{"1 SUBSCRIBE NOPERM 0-0 1-1", "2 PING 0-0 <1> 1-1"}},
		{name: "monitor", steps: steps{up(cmd("MONITOR")), down("+OK\r\n+1339518083.107412 [0 127.0.0.1:60866] \"keys\" \"*\"\r\n"), up(cmd("RESET")), down("+1.1 [0 lua] \"x\"\r\n+RESET\r\n"), up(cmd("GET", "k")), down("+1\r\n")},
			want: []string{"1 MONITOR 0-0 1-1", "2 RESET 2-2 3-3", "3 GET 4-4 5-5"}},
		{name: "no answers", steps: steps{up(cmd("CLIENT", "REPLY", "SKIP") + cmd("SET", "a", "b") + cmd("GET", "a")), down("$1\r\nb\r\n"), up(cmd("client", "reply", "off") + cmd("SET", "a", "b")), up(cmd("CLIENT", "REPLY", "ON") + cmd("GET", "a")), down("+OK\r\n$1\r\nb\r\n")},
			want: []string{"1 CLIENT REPLY 0-0 0-0", "2 SET 0-0 0-0", "3 GET 0-0 1-1", "4 CLIENT REPLY 2-2 2-2", "5 SET 2-2 2-2", "6 CLIENT REPLY 3-3 4-4", "7 GET 3-3 <4> 4-4"}},

		{name: "the server goes", steps: steps{up(cmd("GET", "a") + cmd("GET", "b")), down("$3\r\na"), down(end), up(end)}, want: []string{"1 GET 0-0 1-2 cut by upstream", "2 GET 0-0 <2> 0-2 cut by upstream"}},
		{name: "the client goes", steps: steps{up(cmd("BLPOP", "a", "0")), up(end), down(end)}, want: []string{"1 BLPOP 0-0 0-1 cut by client"}},
		{name: "the client goes, and is answered", steps: steps{up(cmd("QUIT")), up(end), down("+OK\r\n"), down(end)}, want: []string{"1 QUIT 0-0 2-2"}},
		{name: "a command for nobody", steps: steps{down(end), up(cmd("GET", "a")), up(end)}, want: []string{"1 GET 1-1 0-1 cut by upstream"}},
		{name: "too many clients", steps: steps{down("-ERR max number of clients reached\r\n"), down(end), up(end)}},

		{name: "replication", steps: steps{up(cmd("PSYNC", "?", "-1"))}, opaque: "replication"},
		{name: "encrypted", steps: steps{up("\x16\x03\x01" + cmd("GET", "k")), down("\x15")}, opaque: "tls"},
		{name: "another protocol", steps: steps{up("\x00\x00\x00\x08")}, opaque: "unknown"},
		{name: "the server speaks first", steps: steps{down("+OK\r\n")}, opaque: "unknown"},
		{name: "lost by the client", steps: steps{up(cmd("GET", "k") + "*1\r\n#")}, opaque: "lost"},
		{name: "lost by the server", steps: steps{up(cmd("GET", "k")), down("HTTP")}, opaque: "lost"},
		{name: "an answer to nothing", steps: steps{up(cmd("GET", "k")), down("+OK\r\n+OK\r\n")}, want: []string{"1 GET 0-0 1-1"}, opaque: "lost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			exchanges, f := wiretest.Follow(t, fresh, c.steps, 1)
			var got []string
			for _, x := range exchanges {
				got = append(got, brief(&x))
			}
			if !cmp.Equal(got, c.want) {
				t.Errorf("it tells something else:\n%s", cmp.Diff(c.want, got))
			}
			if f.Open() != c.open || f.Opaque() != c.opaque {
				t.Errorf("%d open and opaque %q, want %d and %q", f.Open(), f.Opaque(), c.open, c.opaque)
			}
		})
	}
}

// TestExact holds that bytes are counted exactly.
func TestExact(t *testing.T) {
	var got, want []wire.Exchange
	f := NewFollower(func(x *wire.Exchange) { got = append(got, *x) })
	get, set := cmd("GET", "k"), cmd("SET", "k", "v")
	push := ">1\r\n+x\r\n"
	f.Up([]byte("\r\n"+get+set), 5)
	f.Down([]byte(push+"$1\r\nv\r\n"+push+"+OK\r\n"), 7)
	up, down := int64(2+len(get)), int64(len(push)+7)
	want = append(want, wire.Exchange{Protocol: wire.Redis, ID: 1, Begun: 5, Said: 5, Answered: 7, Ended: 7, SaidAt: up, EndedAt: down, BytesUp: int64(len(get)), BytesDown: 7, Rows: -1, Command: "GET"})
	up, down = up+int64(len(set)), down+int64(len(push)+5)
	want = append(want, wire.Exchange{Protocol: wire.Redis, ID: 2, Begun: 5, Said: 5, Ahead: 7, Answered: 7, Ended: 7, SaidAt: up, EndedAt: down, BytesUp: int64(len(set)), BytesDown: 5, Rows: -1, Command: "SET"})
	if !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestFollowerNoAllocation(t *testing.T) {
	f := NewFollower(func(*wire.Exchange) {})
	request := []byte(cmd("GET", "k") + cmd("client", "info") + cmd("EVAL", "x", "0"))
	answer := []byte("$5\r\nhello\r\n$1\r\nx\r\n-WRONGTYPE no\r\n")
	if n := testing.AllocsPerRun(100, func() {
		f.Up(request[:13], 1)
		f.Up(request[13:], 1)
		f.Down(answer[:13], 2)
		f.Down(answer[13:], 2)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func TestFollowerTooMany(t *testing.T) {
	f := NewFollower(func(*wire.Exchange) {})
	for range wire.MaxOwed + 1 {
		f.Up([]byte(cmd("PING")), 0)
	}
	if got := f.Opaque(); got != "lost" || f.Open() != 0 {
		t.Errorf("opaque is %q with %d open, want it lost", got, f.Open())
	}
}

// FuzzFollower holds that any bytes in any pieces give the same exchanges, whose
// times and counts are in order.
func FuzzFollower(f *testing.F) {
	for _, conversation := range []string{
		"u" + cmd("GET", "k") + cmd("CLIENT", "INFO") + "\xffd$3\r\nabc\r\n-ERR no\r\n\xffU\xffD",
		"u" + cmd("HELLO", "3") + cmd("SUBSCRIBE", "c") + "\xffd%1\r\n+a\r\n_\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
		"u" + cmd("SUBSCRIBE", "c") + cmd("UNSUBSCRIBE") + "\xffd*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n",
		"uPING\r\nMONITOR\r\n" + cmd("CLIENT", "REPLY", "SKIP") + "\xffd+PONG\r\n+OK\r\n+1.2 [x]\r\n\xffD\xffuPING\r\n\xffU",
	} {
		f.Add([]byte(conversation), uint64(1))
	}
	f.Fuzz(func(t *testing.T, conversation []byte, seed uint64) {
		var steps []wiretest.Step
		for _, s := range strings.Split(string(conversation), "\xff") {
			switch {
			case s == "U" || s == "D":
				steps = append(steps, wiretest.Step{Up: s == "U"})
			case len(s) > 1:
				steps = append(steps, wiretest.Step{Up: s[0] == 'u', Bytes: s[1:]})
			}
		}
		wiretest.Follow(t, func(tell wire.Tell) wire.Follower {
			return NewFollower(func(x *wire.Exchange) {
				if x.Begun > x.Said || x.Said > x.Ended || x.Answered != 0 && (x.Said > x.Answered || x.Answered > x.Ended) || x.BytesUp <= 0 || x.SaidAt < x.BytesUp || x.EndedAt < x.BytesDown {
					t.Fatalf("%+v", x)
				}
				tell(x)
			})
		}, steps, seed)
	})
}

func BenchmarkFollow(b *testing.B) {
	f := NewFollower(func(*wire.Exchange) {})
	up, down := []byte(cmd("GET", "user:4711")), []byte("$64\r\n"+strings.Repeat("x", 64)+"\r\n")
	b.SetBytes(int64(len(up) + len(down)))
	b.ReportAllocs()
	for b.Loop() {
		f.Up(up, 1)
		f.Down(down, 2)
	}
}
