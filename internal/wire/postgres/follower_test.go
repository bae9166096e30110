package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/wiretest"
)

// brief is an exchange on a line: tag, statement, rows, state, transaction, the
// times of the request and the answer, and how it was cut.
func brief(x *wire.Exchange) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %q", x.ID, x.Tag, x.Statement)
	if x.Prepared {
		b.WriteString(" prepared")
	}
	if x.Rows >= 0 {
		fmt.Fprintf(&b, " %d rows", x.Rows)
	}
	if x.State != "" {
		b.WriteString(" " + x.State)
	}
	if x.Transaction != 0 {
		fmt.Fprintf(&b, " %c", x.Transaction)
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

// loggedIn makes followers that have seen a login, and do not tell of it.
func loggedIn(tell wire.Tell) wire.Follower {
	f := NewFollower(func(x *wire.Exchange) {
		if x.ID > 1 {
			tell(x)
		}
	})
	f.Up([]byte(startup), 0)
	f.Down([]byte(hello), 0)
	return f
}

func fresh(tell wire.Tell) wire.Follower { return NewFollower(tell) }

func TestFollower(t *testing.T) {
	type steps = []wiretest.Step
	var (
		end  = "" // of the side
		z    = func(status string) string { return m('Z', status) }
		row  = m('D', "\x00\x01\x00\x00\x00\x01x")
		p    = func(name, sql string) string { return m('P', name+"\x00"+sql+"\x00\x00\x00") }
		b    = func(portal, name string) string { return m('B', portal+"\x00"+name+"\x00\x00\x00\x00\x00\x00\x00") }
		e    = func(portal string) string { return m('E', portal+"\x00\x00\x00\x00\x00") }
		d    = func(what string) string { return m('D', what+"\x00") }
		hush = m('H', "")
		t0   = m('T', "\x00\x00")
		par  = m('t', "\x00\x00")
		one  = m('1', "")
		two  = m('2', "")
	)
	for _, c := range []struct {
		name   string
		fresh  bool // there is no login in front
		steps  steps
		want   []string
		open   int
		opaque string
	}{
		{name: "login", fresh: true, steps: steps{up(s0("\x04\xd2\x16\x2f")), down("N"), up(startup), down(m('R', "\x00\x00\x00\x05salt")), up(m('p', "secret\x00")), down(hello)}, want: []string{`1 STARTUP "" I 0-2 3-5`}},
		{name: "login with protocol 3.2", fresh: true, steps: steps{up(s0("\x00\x03\x00\x02user\x00u\x00\x00")), down(m('v', "\x00\x03\x00\x00\x00\x00\x00\x00") + hello)}, want: []string{`1 STARTUP "" I 0-0 1-1`}},
		{name: "login fails", fresh: true, steps: steps{up(startup), down(failure), down(end), up(end)}, want: []string{`1 STARTUP "" 40001 0-0 1-1`}},
		{name: "login is cut", fresh: true, steps: steps{up(startup), up(end), down(end)}, want: []string{`1 STARTUP "" 0-0 0-1 cut by client`}},
		{name: "login goes on", fresh: true, steps: steps{up(startup), down(hello[:9])}, open: 1},
		{name: "encrypted", fresh: true, steps: steps{up(s0("\x04\xd2\x16\x2f")), down("S"), up("\x16\x03\x01")}, opaque: "tls"},
		{name: "encrypted by Kerberos", fresh: true, steps: steps{up(s0("\x04\xd2\x16\x30")), down("G"), up("xyz")}, opaque: "tls"},
		{name: "encrypted from the first byte", fresh: true, steps: steps{up("\x16\x03\x01")}, opaque: "tls"},
		{name: "not waiting for encryption", fresh: true, steps: steps{up(s0("\x04\xd2\x16\x2f") + startup), down("N")}, opaque: "unknown"},
		{name: "replication", fresh: true, steps: steps{up(s0("\x00\x03\x00\x00user\x00u\x00replication\x00true\x00\x00")), down(hello)}, opaque: "replication"},
		{name: "another protocol", fresh: true, steps: steps{up("GET / HTTP/1.1\r\n\r\n")}, opaque: "unknown"},
		{name: "another version", fresh: true, steps: steps{up(s0("\x00\x02\x00\x00user\x00u\x00\x00"))}, opaque: "unknown"},
		{name: "the server speaks first", fresh: true, steps: steps{down("220 hello")}, opaque: "unknown"},
		{name: "cancel", fresh: true, steps: steps{up(s0("\x04\xd2\x16\x2e12345678")), up(end), down(end)}, want: []string{`1  "CANCEL" 0-0 2-2`}},
		{name: "cancel with a long key", fresh: true, steps: steps{up(s0("\x04\xd2\x16\x2e" + strings.Repeat("k", 256))), down(end)}, want: []string{`1  "CANCEL" 0-0 1-1`}},
		{name: "a port is looked at", fresh: true, steps: steps{up(end), down(end)}},

		{name: "simple", steps: steps{up(q("select 1")), down(t0 + row + row), down(row + done("SELECT 3") + z("I"))}, want: []string{`2 SELECT "select 1" 3 rows I 0-0 1-2`}},
		{name: "simple, slowly", steps: steps{up(q("select 1")[:3]), up(q("select 1")[3:]), down(t0[:2]), down(t0[2:] + done("SELECT 0")), down(z("T"))}, want: []string{`2 SELECT "select 1" 0 rows T 0-1 2-4`}},
		{name: "several statements", steps: steps{up(q("begin; insert; show x")), down(done("BEGIN") + done("INSERT 0 5") + t0 + row + done("SHOW") + z("T"))}, want: []string{`2 SHOW "begin; insert; show x" 6 rows T 0-0 1-1`}},
		{name: "nothing to do", steps: steps{up(q("")), down(m('I', "") + z("I"))}, want: []string{`2  "" I 0-0 1-1`}},
		{name: "an error behind rows", steps: steps{up(q("select")), down(t0 + row + failure + z("E"))}, want: []string{`2  "select" 1 rows 40001 E 0-0 1-1`}},
		{name: "simple pipeline", steps: steps{up(q("a") + q("b")), down(done("A") + z("I")), down(done("B") + z("I"))}, want: []string{`2 A "a" I 0-0 1-1`, `3 B "b" I 0-0 <1> 2-2`}},
		{name: "what else the server says", steps: steps{down(m('A', "\x00\x00\x00\x01c\x00\x00") + m('S', "a\x00b\x00")), up(q("a")), down(m('N', "SNOTICE\x00\x00")), down(done("A")), down(m('S', "x\x00y\x00") + z("I"))}, want: []string{`2 A "a" I 1-1 3-4`}},
		{name: "function call", steps: steps{up(m('F', "\x00\x00\x00\x01")), down(m('V', "\xff\xff\xff\xff") + z("I"))}, want: []string{`2 FUNCTION "" I 0-0 1-1`}},
		{name: "context in a comment", steps: steps{up(q("a /*traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/")), down(done("A") + z("I"))},
			want: []string{`2 A "a /*traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/" I 0-0 1-1`}},

		{name: "extended", steps: steps{up(p("", "select $1")), up(b("", "") + d("P")), up(e("")), up(syncs), down(one), down(two + t0 + row + done("SELECT 1") + z("I"))}, want: []string{`2 SELECT "select $1" 1 rows I 0-3 4-5`}},
		{name: "prepared", steps: steps{up(p("s", "update") + d("Ss") + syncs), down(one + par + m('n', "") + z("I")), up(b("", "s") + e("") + syncs), down(two + done("UPDATE 7") + z("T")),
			up(m('C', "Ss\x00") + syncs), down(m('3', "") + z("T")), up(b("", "s") + e("") + syncs), down(m('E', "SERROR\x00C26000\x00\x00") + z("E"))},
			want: []string{`2 PARSE "update" I 0-0 1-1`, `3 UPDATE "update" prepared 7 rows T 2-2 3-3`, `4 CLOSE "update" T 4-4 5-5`, `5  "" prepared 26000 E 6-6 7-7`}},
		{name: "prepare fails", steps: steps{up(p("s", "oops") + d("Ss")), down(failure), up(syncs), down(z("I"))}, want: []string{`2 PARSE "oops" 40001 I 0-2 2-3`}},
		{name: "prepare by Flush", steps: steps{up(p("", "select") + d("S") + hush), down(one + par), down(t0), up(b("", "") + e("") + syncs), down(two + row + done("SELECT 1") + z("I"))},
			want: []string{`2 PARSE "select" 0-0 1-2`, `3 SELECT "select" 1 rows I 3-3 4-4`}},
		{name: "batch", steps: steps{up(p("", "a") + b("", "") + e("")), up(p("", "b") + b("", "") + e("") + p("", "c") + b("", "") + e("")), up(syncs), down(told[:10] + done("A 1")), down(one + two), down(done("B 2") + one + two + done("C 3")), down(z("I"))},
			want: []string{`2 A "a" 1 rows 0-2 3-3`, `3 B "b" 2 rows 1-2 <3> 4-5`, `4 C "c" 3 rows I 1-2 <5> 5-6`}},
		{name: "batch that fails", steps: steps{up(p("", "a") + b("", "") + e("") + p("", "b") + b("", "") + e("") + p("", "c") + b("", "") + e("") + syncs + q("d")), down(one + two + done("A") + one), down(failure), down(z("I") + done("D") + z("I"))},
			want: []string{`2 A "a" 0-0 1-1`, `3  "b" 40001 0-0 <1> 1-2`, `4 SKIPPED "c" I 0-0 <2> 3-3`, `5 D "d" I 0-0 <3> 3-3`}},
		{name: "batch that fails before it is said", steps: steps{up(p("", "a") + b("", "") + e("")), down(one + failure), up(p("", "b") + b("", "") + e("") + q("c")), up(syncs), down(z("I"))},
			want: []string{`2  "a" 40001 0-0 1-1`, `3 SKIPPED "b" 2-2 4-4`, `4 SKIPPED "c" 2-2 <4> 4-4`, `5 SYNC "" I 3-3 <4> 4-4`}},
		{name: "batch that fails in its Parse", steps: steps{up(p("", "a")), down(failure), up(b("", "") + e("")), up(syncs), down(z("I"))}, want: []string{`2  "a" 40001 I 0-2 2-4`}},
		{name: "batch that fails at its end", steps: steps{up(p("", "a") + b("", "") + e("") + syncs), down(one + two + failure), down(z("E"))}, want: []string{`2  "a" 40001 E 0-0 1-2`}},
		{name: "batches in a pipeline", steps: steps{up(p("", "a") + b("", "") + e("") + syncs + b("", "") + e("") + syncs), down(failure + z("I") + two), down(done("A") + z("I"))},
			want: []string{`2  "a" 40001 I 0-0 1-1`, `3 A "a" I 0-0 <1> 1-2`}},
		{name: "rows by and by", steps: steps{up(p("", "select") + b("c", "") + e("c") + hush), down(one + two + row + row + m('s', "")), up(e("c") + hush), down(row + done("SELECT 1")), up(syncs), down(z("I")), up(e("d") + syncs), down(m('E', "SERROR\x00C34000\x00\x00") + z("I"))},
			want: []string{`2 SUSPENDED "select" 2 rows 0-0 1-1`, `3 SELECT "select" 1 rows 2-2 3-3`, `4 SYNC "" I 4-4 5-5`, `5  "" 34000 I 6-6 7-7`}},
		{name: "query behind an Execute", steps: steps{up(p("", "a") + b("", "") + e("")), up(q("b")), down(one + two + done("A") + done("B") + z("I"))}, want: []string{`2 A "a" 0-1 2-2`, `3 B "b" I 1-1 <2> 2-2`}},
		{name: "query behind a Parse", steps: steps{up(p("s", "a") + q("b")), down(one + done("B") + z("I")), up(syncs), down(z("I"))}, want: []string{`2 PARSE "a" 0-0 1-1`, `3 B "b" I 0-0 <1> 1-1`, `4 SYNC "" I 2-2 3-3`}},
		{name: "an answer before the Sync", steps: steps{up(p("", "a") + b("", "") + e("")), down(one + two + row + done("SELECT 1")), up(p("", "b") + b("", "") + e("")), up(syncs), down(one + two + done("B") + z("I"))},
			want: []string{`2 SELECT "a" 1 rows 0-0 1-1`, `3 B "b" I 2-3 4-4`}},

		{name: "COPY in", steps: steps{up(q("copy")), down(m('G', "\x00\x00\x00")), up(m('d', "abc")), up(m('d', "def") + m('c', "")), down(done("COPY 2")), down(z("I"))}, want: []string{`2 COPY "copy" 2 rows I 0-3 4-5`}},
		{name: "COPY in without waiting", steps: steps{up(q("copy") + m('d', "abc")), up(m('c', "") + q("b")), down(m('G', "\x00\x00\x00")), down(done("COPY 2") + z("I") + done("B") + z("I"))}, want: []string{`2 COPY "copy" 2 rows I 0-1 3-3`, `3 B "b" I 1-1 <3> 3-3`}},
		{name: "COPY in that the client ends", steps: steps{up(q("copy")), down(m('G', "\x00\x00\x00")), up(m('d', "abc") + m('f', "no\x00")), down(failure + z("I"))}, want: []string{`2  "copy" 40001 I 0-2 3-3`}},
		{name: "COPY in that the server ends", steps: steps{up(q("copy")), down(m('G', "\x00\x00\x00")), up(m('d', "abc")), down(failure + z("I")), up(m('d', "def") + m('c', "") + q("b")), down(done("B") + z("I"))},
			want: []string{`2  "copy" 40001 I 0-0 3-3`, `3 B "b" I 4-4 5-5`}},
		{name: "COPY in, extended", steps: steps{up(p("", "copy") + b("", "") + e("") + syncs), down(one + two + m('G', "\x00\x00\x00")), up(m('d', "x") + hush + syncs), up(m('c', "") + syncs), down(done("COPY 1") + z("I")), up(q("b")), down(done("B") + z("I"))},
			want: []string{`2 COPY "copy" 1 rows I 0-3 4-4`, `3 B "b" I 5-5 6-6`}},
		{name: "COPY in, extended, that the server ends", steps: steps{up(p("", "copy") + b("", "") + e("") + syncs), down(one + two + m('G', "\x00\x00\x00")), up(m('d', "x")), down(failure), up(m('d', "y") + m('c', "") + syncs), down(z("I")), up(q("b")), down(done("B") + z("I"))},
			want: []string{`2  "copy" 40001 I 0-0 1-5`, `3 B "b" I 6-6 7-7`}},
		{name: "COPY in, extended, without waiting", steps: steps{up(p("", "copy") + b("", "") + e("") + syncs + m('d', "x") + m('c', "") + syncs), down(one + two + m('G', "\x00\x00\x00") + done("COPY 1") + z("I")), up(q("b")), down(done("B") + z("I"))},
			want: []string{`2 COPY "copy" 1 rows I 0-0 1-1`, `3 B "b" I 2-2 3-3`}},
		{name: "COPY out", steps: steps{up(q("copy")), down(m('H', "\x00\x00\x00") + m('d', "Z")), down(m('c', "") + done("COPY 1") + z("I"))}, want: []string{`2 COPY "copy" 1 rows I 0-0 1-2`}},

		{name: "good-bye", steps: steps{up(q("a")), down(done("A") + z("I")), up(m('X', "")), up(end), down(end)}, want: []string{`2 A "a" I 0-0 1-1`}},
		{name: "the server goes", steps: steps{up(q("a") + q("b")), down(row), down(end), up(end)}, want: []string{`2  "a" 1 rows 0-0 1-2 cut by upstream`, `3  "b" 0-0 <2> 0-2 cut by upstream`}},
		{name: "the server says why it goes", steps: steps{up(q("a")), down(fatal), down(end)}, want: []string{`2  "a" 57P01 0-0 1-2 cut by upstream`}},
		{name: "the server goes in between", steps: steps{down(fatal), down(end), up(q("a")), up(end)}, want: []string{`2  "a" 2-2 0-2 cut by upstream`}},
		{name: "the client goes", steps: steps{up(q("a")), up(end), down(end)}, want: []string{`2  "a" 0-0 0-1 cut by client`}},
		{name: "the client goes, and is answered", steps: steps{up(q("a")), up(end), down(done("A") + z("I")), down(end)}, want: []string{`2 A "a" I 0-0 2-2`}},
		{name: "the client goes, and is answered in part", steps: steps{up(q("a")), up(end), down(row), down(end)}, want: []string{`2  "a" 1 rows 0-0 2-3 cut by client`}},
		{name: "good-bye in the middle", steps: steps{up(q("a") + m('X', "")), up(end), down(end)}, want: []string{`2  "a" 0-0 0-1 cut by client`}},
		{name: "an Execute that no Sync follows", steps: steps{up(p("", "a") + b("", "") + e("")), down(one + two + done("A")), up(end), down(end)}, want: []string{`2 A "a" 0-0 1-1`}},

		{name: "in flight", steps: steps{up(q("a") + q("b") + q("c")[:2])}, open: 3},
		{name: "not said yet", steps: steps{up(p("", "a"))}, open: 1},
		{name: "lost by the client", steps: steps{up(q("a") + "?????" + q("b")), down(done("A") + z("I"))}, opaque: "lost"},
		{name: "lost by the server", steps: steps{up(q("a")), down("?????")}, opaque: "lost"},
		{name: "an answer to nothing", steps: steps{down(done("A"))}, opaque: "lost"},
		{name: "ready for nothing", steps: steps{down(z("I"))}, opaque: "lost"},
		{name: "a length that cannot be", steps: steps{up("Q\x00\x00\x00\x03")}, opaque: "lost"},
		{name: "ready too early", steps: steps{up(p("", "a") + b("", "") + e("") + syncs), down(z("I"))}, opaque: "lost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin := loggedIn
			if c.fresh {
				begin = fresh
			}
			exchanges, f := wiretest.Follow(t, begin, c.steps, 1)
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
	answer := m('1', "") + m('2', "") + m('n', "") + done("INSERT 0 2")
	batch := ext("", "insert") + execute
	copied := m('d', "abc") + m('c', "")
	var up, down int64
	var got, want []wire.Exchange
	expect := func(x wire.Exchange, said, answered string) {
		up, down = up+int64(len(said)), down+int64(len(answered))
		x.Protocol, x.ID, x.User, x.Database, x.Application = wire.PostgreSQL, uint64(len(want)+1), "me", "db", "psql"
		x.BytesUp, x.BytesDown, x.SaidAt, x.EndedAt = int64(len(said)), int64(len(answered)), up, down
		want = append(want, x)
	}
	begin, ask := s0("\x00\x03\x00\x00user\x00me\x00application_name\x00psql\x00database\x00db\x00\x00"), s0("\x04\xd2\x16\x2f")
	f := NewFollower(func(x *wire.Exchange) { got = append(got, *x) })
	say := func(at int, up, down string) {
		f.Up([]byte(up), time.Duration(2*at))
		f.Down([]byte(down), time.Duration(2*at+1))
	}
	say(0, ask, "N")
	say(1, begin, hello)
	expect(wire.Exchange{Tag: "STARTUP", Rows: -1, Transaction: 'I', Said: 2, Answered: 3, Ended: 3}, ask+begin, "N"+hello)

	const comment = "/* traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' */"
	parent, _ := wire.ParseContext([]byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
	say(2, q("a"+comment), done("A")+m('Z', "T"))
	expect(wire.Exchange{Statement: "a" + comment, Parent: parent, Tag: "A", Rows: -1, Transaction: 'T', Begun: 4, Said: 4, Answered: 5, Ended: 5}, q("a"+comment), done("A")+m('Z', "T"))

	// The second of a batch has the Sync and the ReadyForQuery. Both are said with it.
	say(3, batch+batch+syncs, answer+answer+m('Z', "T"))
	expect(wire.Exchange{Statement: "insert", Tag: "INSERT", Rows: 2, Begun: 6, Said: 6, Answered: 7, Ended: 7}, batch, answer)
	expect(wire.Exchange{Statement: "insert", Tag: "INSERT", Rows: 2, Transaction: 'T', Begun: 6, Said: 6, Answered: 7, Ended: 7, Ahead: 7}, batch+syncs, answer+m('Z', "T"))
	want[2].SaidAt = want[3].SaidAt

	say(4, q("copy"), m('G', "\x00\x00\x00"))
	say(5, copied, done("COPY 1")+m('Z', "I"))
	expect(wire.Exchange{Statement: "copy", Tag: "COPY", Rows: 1, Transaction: 'I', Begun: 8, Said: 10, Answered: 11, Ended: 11}, q("copy")+copied, m('G', "\x00\x00\x00")+done("COPY 1")+m('Z', "I"))
	if !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestFollowerNoAllocation(t *testing.T) {
	count := 0
	f := NewFollower(func(*wire.Exchange) { count++ })
	f.Up([]byte(startup+m('P', "s\x00select\x00\x00\x00")+syncs), 0)
	f.Down([]byte(hello+m('1', "")+m('Z', "I")), 0)
	request := []byte(ext("", "select $1") + execute + m('B', "\x00s\x00") + execute + syncs + q("select 1"))
	answer := []byte(told + done("SELECT 1") + m('2', "") + done("SELECT 1") + m('Z', "I") + done("SELECT 1") + m('Z', "I"))
	if n := testing.AllocsPerRun(100, func() {
		for _, p := range [][]byte{request[:20], request[20:]} {
			f.Up(p, 1)
		}
		for _, p := range [][]byte{answer[:20], answer[20:]} {
			f.Down(p, 2)
		}
	}); n != 0 || count != 2+101*3 {
		t.Errorf("%v allocations for %d exchanges, want none", n, count)
	}
}

func TestFollowerLongStatement(t *testing.T) {
	long := strings.Repeat("x", 2*wire.MaxHead)
	got, _ := wiretest.Follow(t, loggedIn, []wiretest.Step{up(q(long) + q("b")), down(done("A") + m('Z', "I") + done("B") + m('Z', "I"))}, 1)
	if len(got) != 2 || got[0].Statement != long[:wire.MaxHead] || got[1].Statement != "b" {
		t.Errorf("got %d exchanges, want the first %d bytes of the long statement, and the short one", len(got), wire.MaxHead)
	}
}

func TestFollowerTooMany(t *testing.T) {
	f := NewFollower(func(*wire.Exchange) {})
	f.Up([]byte(startup), 0)
	f.Down([]byte(hello), 0)
	for range wire.MaxOwed + 1 {
		f.Up([]byte(q("a")), 0)
	}
	if got := f.Opaque(); got != "lost" || f.Open() != 0 {
		t.Errorf("opaque is %q with %d open, want it lost", got, f.Open())
	}
}

// FuzzFollower holds that any bytes in any pieces give the same exchanges, whose
// times and counts are in order.
func FuzzFollower(f *testing.F) {
	login := "u" + startup + "\xffd" + hello
	for _, conversation := range []string{
		"u" + s0("\x04\xd2\x16\x2f") + "\xffdN\xff" + login,
		login + "\xffu" + ext("", "a") + execute + ext("s", "b") + execute + syncs + q("c") + "\xffd" + told + done("A") + told + done("INSERT 0 3") + m('Z', "T") + done("C") + m('Z', "I") + "\xffU\xffD",
		login + "\xffu" + ext("", "a") + execute + ext("s", "b") + "\xffd" + told + failure + "\xffu" + execute + syncs + "\xffd" + m('Z', "E"),
		login + "\xffu" + q("copy") + m('d', "x") + m('c', "") + syncs + "\xffd" + m('G', "") + m('D', "x") + done("COPY 1") + m('Z', "I"),
		login + "\xffu" + ext("", "copy") + execute + m('H', "") + "\xffd" + told + m('G', "") + "\xffu" + m('d', "x") + m('c', "") + syncs + "\xffD\xffU",
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
				if x.Begun > x.Said || x.Said > x.Ended || x.Answered != 0 && (x.Said > x.Answered || x.Answered > x.Ended) || x.BytesUp <= 0 || x.SaidAt <= 0 || x.EndedAt < x.BytesDown || x.Rows < -1 {
					t.Fatalf("%+v", x)
				}
				tell(x)
			})
		}, steps, seed)
	})
}

func benchmarkFollow(b *testing.B, request, answer string) {
	count := 0
	f := NewFollower(func(*wire.Exchange) { count++ })
	f.Up([]byte(startup+m('P', "s1\x00"+update+"\x00\x00\x00")+syncs), 0)
	f.Down([]byte(hello+m('1', "")+m('Z', "I")), 0)
	up, down := []byte(request), []byte(answer)
	b.SetBytes(int64(len(up) + len(down)))
	b.ReportAllocs()
	for b.Loop() {
		f.Up(up, 1)
		f.Down(down, 2)
	}
	if count != 2+b.N {
		b.Fatal(count, f.Opaque())
	}
}

// The answers' 20 rows have 5 columns.
func BenchmarkFollowExtended(b *testing.B) {
	row := m('D', "\x00\x05"+strings.Repeat("\x00\x00\x00\x0esome text here", 5))
	benchmarkFollow(b, m('B', "\x00s1\x00\x00\x00\x00\x01\x00\x00\x00\x0512345\x00\x00")+m('D', "P\x00")+execute+syncs,
		m('2', "")+m('T', "\x00\x05"+strings.Repeat("column_name\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x19\xff\xff\xff\xff\xff\xff\x00\x00", 5))+strings.Repeat(row, 20)+done("SELECT 20")+m('Z', "I"))
}

func BenchmarkFollowSimple(b *testing.B) {
	benchmarkFollow(b, q(update), done("UPDATE 1")+m('Z', "I"))
}

func BenchmarkFollowUnnamed(b *testing.B) {
	benchmarkFollow(b, ext("", update)+execute+syncs, told+done("UPDATE 1")+m('Z', "I"))
}
