package redis

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/wiretest"
)

// cmd is a command as an array.
func cmd(words ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b.String()
}

var (
	up   = wiretest.Up
	down = wiretest.Down
)

func TestFaults(t *testing.T) {
	loading := rehearse.Fault{Kind: rehearse.FaultRedisError, Code: "LOADING wait", Match: rehearse.Match{Command: "get"}}
	any := rehearse.Fault{Kind: rehearse.FaultRedisError, Code: "LOADING wait"}
	evict := rehearse.Fault{Kind: rehearse.FaultEvict, Match: rehearse.Match{Key: "user:*"}}
	slow := rehearse.Fault{Name: "slow", Kind: rehearse.FaultDelay, Delay: rehearse.Duration(time.Second), Match: rehearse.Match{Command: "SET"}}
	late := slow
	late.Name, late.Direction = "late", rehearse.Down
	type steps = []wiretest.Step
	for _, c := range []struct {
		name           string
		faults         []rehearse.Fault
		live           bool
		steps          steps
		server, client string
		dose           string // of the first fault
		free           bool
	}{
		{
			name: "error", faults: []rehearse.Fault{loading},
			steps:  steps{up(cmd("GET", "k")), up(cmd("SET", "k", "v")), down("+OK\r\n")},
			server: cmd("SET", "k", "v"), client: "-LOADING wait\r\n+OK\r\n", dose: "1 requests, 20 bytes", free: true,
		},
		{
			name: "error in its turn", faults: []rehearse.Fault{loading},
			steps:  steps{up(cmd("MGET", "a", "b") + "get k\r\n" + cmd("PING")), down("*2\r\n$1\r\nx\r\n$-1\r\n+PONG\r\n")},
			server: cmd("MGET", "a", "b") + cmd("PING"), client: "*2\r\n$1\r\nx\r\n$-1\r\n-LOADING wait\r\n+PONG\r\n", dose: "1 requests, 7 bytes", free: true,
		},
		{
			name: "error takes the arguments along", faults: []rehearse.Fault{{Kind: rehearse.FaultRedisError, Code: "OOM no", Match: rehearse.Match{Command: "SET"}}},
			steps:  steps{up(cmd("SET", "k", strings.Repeat("\r\n*", 50), "EX", "1") + cmd("PING")), down("+PONG\r\n")},
			server: cmd("PING"), client: "-OOM no\r\n+PONG\r\n", dose: "1 requests, 193 bytes", free: true,
		},
		{
			name: "error in a MULTI", faults: []rehearse.Fault{loading},
			steps:  steps{up(cmd("MULTI") + cmd("GET", "k") + cmd("EXEC")), down("+OK\r\n-ERR wrong number\r\n"), down("-EXECABORT no\r\n"), up(cmd("GET", "k"))},
			server: cmd("MULTI") + cmd("GET") + cmd("EXEC"), client: "+OK\r\n-LOADING wait\r\n-EXECABORT no\r\n-LOADING wait\r\n", dose: "2 requests, 40 bytes", free: true,
		},
		{
			name: "error of an EXEC", faults: []rehearse.Fault{{Kind: rehearse.FaultRedisError, Code: "LOADING wait", Match: rehearse.Match{Command: "EXEC"}}},
			steps:  steps{up(cmd("MULTI") + cmd("GET", "k") + cmd("EXEC") + cmd("PING")), down("+OK\r\n+QUEUED\r\n+OK\r\n+PONG\r\n")},
			server: cmd("MULTI") + cmd("GET", "k") + cmd("DISCARD") + cmd("PING"), client: "+OK\r\n+QUEUED\r\n-LOADING wait\r\n+PONG\r\n", dose: "1 requests, 14 bytes", free: true,
		},
		{
			name: "error of a MULTI", faults: []rehearse.Fault{any},
			steps:  steps{up(cmd("MULTI") + cmd("GET", "k") + cmd("EXEC"))},
			client: strings.Repeat("-LOADING wait\r\n", 3), dose: "3 requests, 49 bytes", free: true,
		},
		{
			name: "evict", faults: []rehearse.Fault{evict},
			steps:  steps{up(cmd("GET", "user:1") + cmd("GET", "post:1")), down(":1\r\n$-1\r\n$1\r\nx\r\n")},
			server: cmd("UNLINK", "user:1") + cmd("GET", "user:1") + cmd("GET", "post:1"), client: "$-1\r\n$1\r\nx\r\n", dose: "1 requests, 0 bytes", free: true,
		},
		{
			name: "evict not in a MULTI", faults: []rehearse.Fault{evict},
			steps:  steps{up(cmd("MULTI") + cmd("GET", "user:1") + cmd("EXEC") + cmd("GET", "user:2")), down("+OK\r\n+QUEUED\r\n*1\r\n$1\r\nx\r\n:0\r\n$-1\r\n")},
			server: cmd("MULTI") + cmd("GET", "user:1") + cmd("EXEC") + cmd("UNLINK", "user:2") + cmd("GET", "user:2"), client: "+OK\r\n+QUEUED\r\n*1\r\n$1\r\nx\r\n$-1\r\n",
			dose: "1 requests, 0 bytes", free: true,
		},
		{
			name: "evict on a live connection", faults: []rehearse.Fault{evict}, live: true,
			steps:  steps{up(cmd("GET", "user:1")), down("+QUEUED\r\n"), up(cmd("EXEC")), down("*1\r\n$-1\r\n"), up(cmd("GET", "user:1")), down(":1\r\n$-1\r\n")},
			server: cmd("GET", "user:1") + cmd("EXEC") + cmd("UNLINK", "user:1") + cmd("GET", "user:1"), client: "+QUEUED\r\n*1\r\n$-1\r\n$-1\r\n",
			dose: "1 requests, 0 bytes", free: true,
		},
		{
			name: "evict on a live connection without a MULTI", faults: []rehearse.Fault{evict}, live: true,
			steps:  steps{up(cmd("GET", "user:1")), down("$-1\r\n"), up(cmd("GET", "user:1")), down(":1\r\n$-1\r\n")},
			server: cmd("GET", "user:1") + cmd("UNLINK", "user:1") + cmd("GET", "user:1"), client: "$-1\r\n$-1\r\n",
			dose: "1 requests, 0 bytes", free: true,
		},
		{
			name: "keys of all sorts", faults: []rehearse.Fault{{Kind: rehearse.FaultRedisError, Code: "E", Match: rehearse.Match{Key: "k"}}},
			steps: steps{up(cmd("EVAL", "return 1", "1", "k") + cmd("EVAL", "return 1", "0", "k") + cmd("XREAD", "COUNT", "2", "STREAMS", "k", "0") +
				cmd("OBJECT", "ENCODING", "k") + cmd("BITOP", "AND", "k", "x") + cmd("LMPOP", "1", "k", "LEFT") + cmd("PUBLISH", "k", "m")), down(":1\r\n:1\r\n")},
			server: cmd("EVAL", "return 1", "0", "k") + cmd("PUBLISH", "k", "m"), client: "-E\r\n:1\r\n" + strings.Repeat("-E\r\n", 4) + ":1\r\n",
			dose: "5 requests, 216 bytes", free: true,
		},
		{
			name: "delay", faults: []rehearse.Fault{slow, late},
			steps:  steps{up(cmd("PING") + cmd("SET", "k", "v")), down("+PONG\r\n+OK\r\n")},
			server: cmd("PING") + "<hold slow>" + cmd("SET", "k", "v"), client: "+PONG\r\n<hold late>+OK\r\n", dose: "1 requests, 27 bytes", free: true,
		},
		{
			name: "RESP3", faults: []rehearse.Fault{loading},
			steps: steps{up(cmd("HELLO", "3") + cmd("GET", "k")), down("%2\r\n+server\r\n$5\r\nredis\r\n+modules\r\n*0\r\n"),
				up(cmd("SUBSCRIBE", "c") + cmd("HGETALL", "h")), down(">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n" + "|1\r\n+ttl\r\n:3\r\n%1\r\n+a\r\n~2\r\n#t\r\n,1.5\r\n" + ">1\r\n_\r\n"),
				up(cmd("GET", "k"))},
			server: cmd("HELLO", "3") + cmd("SUBSCRIBE", "c") + cmd("HGETALL", "h"),
			client: "%2\r\n+server\r\n$5\r\nredis\r\n+modules\r\n*0\r\n-LOADING wait\r\n" + ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n" + "|1\r\n+ttl\r\n:3\r\n%1\r\n+a\r\n~2\r\n#t\r\n,1.5\r\n" + ">1\r\n_\r\n-LOADING wait\r\n",
			dose:   "2 requests, 40 bytes", free: true,
		},
		{
			name: "SUBSCRIBE in RESP2 is the end", faults: []rehearse.Fault{loading},
			steps:  steps{up(cmd("GET", "k") + cmd("SUBSCRIBE", "c") + cmd("GET", "k")), down("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n-ERR\r\n")},
			server: cmd("SUBSCRIBE", "c") + cmd("GET", "k"), client: "-LOADING wait\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n-ERR\r\n",
			dose: "1 requests, 20 bytes", free: true,
		},
		{
			name: "CLIENT REPLY is the end", faults: []rehearse.Fault{loading},
			steps:  steps{up(cmd("CLIENT", "SETNAME", "x") + cmd("CLIENT", "reply", "OFF") + cmd("GET", "k")), down("+OK\r\n")},
			server: cmd("CLIENT", "SETNAME", "x") + cmd("CLIENT", "reply", "OFF") + cmd("GET", "k"), client: "+OK\r\n",
			dose: "0 requests, 0 bytes", free: true,
		},
		{
			name: "what is not answered", faults: []rehearse.Fault{loading},
			steps:  steps{up("\r\n*0\r\n*-1\r\nPING\r\n" + cmd("GET", "k")), down("+PONG\r\n")},
			server: "\r\n*0\r\n*-1\r\nPING\r\n", client: "+PONG\r\n-LOADING wait\r\n",
			dose: "1 requests, 20 bytes", free: true,
		},
		{
			name: "an answer that nobody can read", faults: []rehearse.Fault{loading},
			steps:  steps{up(cmd("PING") + cmd("GET", "k")), down("HTTP")},
			server: cmd("PING"), client: "<reset>", dose: "1 requests, 20 bytes",
		},
		{
			name: "a refused command that is none", faults: []rehearse.Fault{loading},
			steps:  steps{up("*3\r\n$3\r\nGET\r\n$1\r\nk\r\n#")},
			client: "<reset>", dose: "1 requests, 20 bytes",
		},
		{
			name: "another protocol", faults: []rehearse.Fault{any},
			steps:  steps{up("\x16\x03\x01" + cmd("GET", "k")), down("\x15")},
			server: "\x16\x03\x01" + cmd("GET", "k"), client: "\x15", dose: "0 requests, 0 bytes", free: true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d *wiretest.Decider
			e := wiretest.Play(t, func() wire.Editor {
				d = wiretest.NewDecider(t, c.faults...)
				return New(d, c.live)
			}, c.steps, c.server, c.client)
			if got := e.Free(); got != c.free {
				t.Errorf("free is %v, want %v", got, c.free)
			}
			if got := d.Dose(c.faults[0].ID()); got != c.dose {
				t.Errorf("dose is %s, want %s", got, c.dose)
			}
		})
	}
}

func TestLargeKey(t *testing.T) {
	d := wiretest.NewDecider(t)
	e := New(d, false)
	tape := wiretest.NewTape(e)
	sent := cmd("SET", strings.Repeat("k", 2*wire.MaxHead), "v") + cmd("PING")
	tape.Up(wiretest.Pieces([]byte(sent), func() int { return 1000 })...)
	tape.Down([]byte("+OK\r\n+PONG\r\n"))
	if tape.Server() != sent || d.Asked() != 2 || !e.Free() || e.Opaque() {
		t.Errorf("after %d of %d bytes: %d requests, free %v, opaque %v", len(tape.Server()), len(sent), d.Asked(), e.Free(), e.Opaque())
	}
}

func FuzzTransparent(f *testing.F) {
	f.Add([]byte(cmd("SET", "k", "v")+"PING\r\n"+cmd("XREAD", "STREAMS", "k")), []byte("+OK\r\n+PONG\r\n*1\r\n$1\r\nx\r\n"), uint64(1))
	f.Add([]byte(cmd("HELLO", "3")+cmd("SUBSCRIBE", "k")), []byte("%1\r\n+a\r\n|1\r\n+t\r\n:1\r\n_\r\n>1\r\n:1\r\n"), uint64(2))
	f.Fuzz(func(t *testing.T, up, down []byte, seed uint64) {
		wiretest.Transparent(t, New(wire.Nobody{}, false), up, down, seed)
	})
}

// FuzzCuts holds an editor with every fault to the same result however its bytes
// are cut.
func FuzzCuts(f *testing.F) {
	f.Add([]byte(cmd("SET", "k", "v")+"PING\r\n"+cmd("MULTI")+cmd("INCR", "k")+cmd("DEL", "k")), []byte("+OK\r\n:1\r\n+PONG\r\n*1\r\n$1\r\nx\r\n"))
	f.Fuzz(func(t *testing.T, up, down []byte) {
		var want [2]string
		for i, size := range []int{1 << 20, 1, 5} {
			tape := wiretest.NewTape(New(wiretest.NewDecider(t,
				rehearse.Fault{Kind: rehearse.FaultDelay, Match: rehearse.Match{Command: "SET"}},
				rehearse.Fault{Kind: rehearse.FaultRedisError, Code: "E", Match: rehearse.Match{Command: "INCR"}},
				rehearse.Fault{Kind: rehearse.FaultEvict},
			), false))
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

func TestNoAllocation(t *testing.T) {
	e, out := New(wire.Nobody{}, false), &wire.Out{}
	request, answer := []byte(cmd("SET", "k", "v")), []byte("+OK\r\n")
	if n := testing.AllocsPerRun(100, func() {
		e.Up(request, out)
		e.Down(answer, out)
		out.Clear()
	}); n != 0 {
		t.Errorf("%v allocations for a command that no fault touches, want none", n)
	}
}

func BenchmarkCommands(b *testing.B) {
	request, answer := []byte(strings.Repeat(cmd("SET", "key:000001", "value"), 16)), []byte(strings.Repeat("+OK\r\n", 16))
	e, out := New(wire.Nobody{}, false), &wire.Out{}
	b.SetBytes(int64(len(request) + len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		e.Up(request, out)
		e.Down(answer, out)
		out.Clear()
	}
}

func BenchmarkLargeValues(b *testing.B) {
	request, answer := []byte(cmd("GET", "key:000001")), []byte("$1048576\r\n"+strings.Repeat("x", 1<<20)+"\r\n")
	e, out := New(wire.Nobody{}, false), &wire.Out{}
	b.SetBytes(int64(len(request) + len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		e.Up(request, out)
		e.Down(answer, out)
		out.Clear()
	}
}
