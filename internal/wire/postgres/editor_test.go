package postgres

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/wiretest"
)

// m is a message.
func m(kind byte, body string) string {
	return string(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))) + body
}

// s0 is a message of the startup.
func s0(body string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))) + body
}

func q(sql string) string { return m('Q', sql+"\x00") }

// ext is the beginning of a batch, up to its Execute.
func ext(name, sql string) string {
	return m('P', name+"\x00"+sql+"\x00\x00\x00") + m('B', "\x00"+name+"\x00\x00\x00\x00\x00\x00\x00") + m('D', "P\x00")
}

var (
	up      = wiretest.Up
	down    = wiretest.Down
	startup = s0("\x00\x03\x00\x00user\x00u\x00\x00")
	hello   = m('R', "\x00\x00\x00\x00") + m('S', "a\x00b\x00") + m('K', "12345678") + m('Z', "I")
	execute = m('E', "\x00\x00\x00\x00\x00")
	syncs   = m('S', "")
	told    = m('1', "") + m('2', "") + m('n', "")
	failure = m('E', "SERROR\x00C40001\x00\x00")
	fatal   = string(killed())
)

func raising(code, msg string) string {
	return "DO $rehearse$ BEGIN RAISE EXCEPTION USING MESSAGE = '" + msg + "', ERRCODE = '" + code + "'; END $rehearse$"
}

func done(tag string) string { return m('C', tag+"\x00") }

func TestFaults(t *testing.T) {
	fail := rehearse.Fault{Kind: rehearse.FaultSQLError, Code: "40001", Match: rehearse.Match{Statement: "(?i)pay|^commit"}}
	kill := rehearse.Fault{Kind: rehearse.FaultSQLKill, Match: rehearse.Match{Statement: "pay"}}
	slow := rehearse.Fault{Name: "slow", Kind: rehearse.FaultDelay, Delay: rehearse.Duration(time.Second), Match: rehearse.Match{Statement: "pay"}}
	late := slow
	late.Name, late.Direction = "late", rehearse.Down
	readOnly := rehearse.Fault{Kind: rehearse.FaultReadOnly}
	bang := raising("40001", `fault "sql-error"`)
	z := func(status string) string { return m('Z', status) }
	type steps = []wiretest.Step
	for _, c := range []struct {
		name           string
		fault          rehearse.Fault
		fresh          bool
		steps          steps
		server, client string
		touched        int
		free           bool
	}{
		{
			name: "startup", fault: fail, fresh: true,
			steps:  steps{up(s0("\x04\xd2\x16\x2f")), down("N"), up(startup), down(m('R', "\x00\x00\x00\x03")), up(m('p', "secret\x00")), down(hello), up(q("pay"))},
			server: s0("\x04\xd2\x16\x2f") + startup + m('p', "secret\x00") + q(bang), client: "N" + m('R', "\x00\x00\x00\x03") + hello, touched: 1,
		},
		{
			name: "encrypted", fault: fail, fresh: true,
			steps:  steps{up(s0("\x04\xd2\x16\x2f")), down("S"), up(q("pay")), down("xyz")},
			server: s0("\x04\xd2\x16\x2f") + q("pay"), client: "Sxyz", free: true,
		},
		{
			name: "cancel", fault: fail, fresh: true,
			steps:  steps{up(s0("\x04\xd2\x16\x2e12345678"))},
			server: s0("\x04\xd2\x16\x2e12345678"), free: true,
		},
		{
			name: "replication", fault: fail, fresh: true,
			steps:  steps{up(s0("\x00\x03\x00\x00user\x00u\x00replication\x00true\x00\x00") + q("pay"))},
			server: s0("\x00\x03\x00\x00user\x00u\x00replication\x00true\x00\x00") + q("pay"), free: true,
		},
		{
			name: "another protocol", fault: fail, fresh: true,
			steps:  steps{up("GET / HTTP/1.1\r\n\r\n"), down("HTTP/1.1 200 OK")},
			server: "GET / HTTP/1.1\r\n\r\n", client: "HTTP/1.1 200 OK", free: true,
		},
		{
			name: "simple", fault: fail,
			steps:  steps{up(q("select 1") + q("select pay") + q("select 2")), down(done("A") + z("I") + failure + z("I") + done("B") + z("I"))},
			server: q("select 1") + q(bang) + q("select 2"), client: done("A") + z("I") + failure + z("I") + done("B") + z("I"), touched: 1, free: true,
		},
		{
			name: "simple commit", fault: fail,
			steps: steps{up(q("begin")), down(done("BEGIN") + z("T")), up(q("COMMIT")),
				down(m('N', "x\x00") + done("ROLLBACK") + failure + z("I"))},
			server: q("begin") + q("ROLLBACK; "+bang), client: done("BEGIN") + z("T") + failure + z("I"), touched: 1, free: true,
		},
		{
			name: "a rollback never fails", fault: rehearse.Fault{Kind: rehearse.FaultSQLError, Code: "40001"},
			steps:  steps{up(q("rollback")), down(done("ROLLBACK") + z("I"))},
			server: q("rollback"), client: done("ROLLBACK") + z("I"), free: true,
		},
		{
			name: "nothing fails twice", fault: fail,
			steps: steps{up(q("begin; pay")), down(failure + z("E")), up(q("pay")), down(failure + z("E"))},
			// The first of two statements is reason enough.
			server: q(bang) + q("pay"), client: failure + z("E") + failure + z("E"), touched: 1, free: true,
		},
		{
			name: "extended", fault: fail,
			steps:  steps{up(ext("", "pay") + execute + syncs), down(told), down(failure + z("I") + z("I")), up(q("x")), down(done("X") + z("I"))},
			server: ext("", "pay") + q(bang) + syncs + q("x"), client: told + failure + z("I") + done("X") + z("I"), touched: 1, free: true,
		},
		{
			name: "extended, the rest of the batch is dropped", fault: fail,
			steps: steps{up(ext("", "ok") + execute + ext("s", "pay") + execute + ext("", "more pay") + execute + m('H', "")),
				down(told + done("OK") + told + failure + z("I")), up(ext("", "pay") + syncs + q("x")), down(z("I") + done("X") + z("I"))},
			server: ext("", "ok") + execute + ext("s", "pay") + q(bang) + syncs + q("x"),
			client: told + done("OK") + told + failure + z("I") + done("X") + z("I"), touched: 1, free: true,
		},
		{
			name: "extended, but the batch has failed before", fault: fail,
			steps:  steps{up(ext("", "pay") + execute + syncs + q("x")), down(m('1', "") + failure + z("I") + done("X") + z("I"))},
			server: ext("", "pay") + q(bang) + syncs + q("x"), client: m('1', "") + failure + z("I") + done("X") + z("I"), touched: 1, free: true,
		},
		{
			name: "prepared before", fault: fail,
			steps: steps{up(m('P', "s\x00pay\x00\x00\x00") + syncs), down(m('1', "") + z("I")), up(m('B', "p\x00s\x00") + m('E', "p\x00\x00\x00\x00\x00") + syncs), down(m('2', "") + failure + z("I") + z("I")),
				up(m('C', "Ss\x00") + m('B', "p\x00s\x00") + m('E', "p\x00\x00\x00\x00\x00") + syncs), down(m('3', "") + failure + z("I"))},
			server: m('P', "s\x00pay\x00\x00\x00") + syncs + m('B', "p\x00s\x00") + q(bang) + syncs + m('C', "Ss\x00") + m('B', "p\x00s\x00") + m('E', "p\x00\x00\x00\x00\x00") + syncs,
			client: m('1', "") + z("I") + m('2', "") + failure + z("I") + m('3', "") + failure + z("I"), touched: 1, free: true,
		},
		{
			name: "extended commit behind another statement", fault: fail,
			steps:  steps{up(ext("", "ok") + execute + ext("", "commit") + execute + syncs), down(told + done("OK") + told + done("ROLLBACK") + failure + z("I") + z("I"))},
			server: ext("", "ok") + execute + ext("", "commit") + q("ROLLBACK; "+bang) + syncs, client: told + done("OK") + told + failure + z("I"), touched: 1, free: true,
		},
		{
			name: "a portal is one request", fault: slow,
			steps:  steps{up(ext("", "pay") + execute + m('H', "")), down(told + m('s', "")), up(execute + syncs), down(done("SELECT 1") + z("I"))},
			server: ext("", "pay") + "<hold slow>" + execute + m('H', "") + execute + syncs, client: told + m('s', "") + done("SELECT 1") + z("I"), touched: 1, free: true,
		},
		{
			name: "delay of the answer", fault: late,
			steps:  steps{up(q("x") + q("pay") + ext("", "pay") + execute + syncs), down(done("X") + z("I") + m('N', "n\x00") + done("PAY") + z("I") + told + done("PAY") + z("I"))},
			server: q("x") + q("pay") + ext("", "pay") + execute + syncs, client: done("X") + z("I") + m('N', "n\x00") + "<hold late>" + done("PAY") + z("I") + "<hold late>" + told + done("PAY") + z("I"),
			touched: 2, free: true,
		},
		{
			name: "read-only", fault: readOnly,
			steps:  steps{up(q("select 1")), down(done("S") + z("I")), up(q("/* a */ insert into t")), down(failure + z("I"))},
			server: q("select 1") + q(raising("25006", "cannot execute INSERT in a read-only transaction")), client: done("S") + z("I") + failure + z("I"), touched: 1, free: true,
		},
		{
			name: "kill", fault: kill,
			steps:  steps{up(q("pay")), down(done("PAY") + z("I")), up(q("begin")), down(done("BEGIN") + z("T")), up(q("pay") + q("commit")), down("never seen")},
			server: q("pay") + q("begin") + m('X', ""), client: done("PAY") + z("I") + done("BEGIN") + z("T") + fatal + "<close>", touched: 1,
		},
		{
			name: "kill between two messages", fault: kill,
			steps:  steps{up(q("begin")), down(done("BEGIN") + z("T") + m('N', "notice")[:6]), up(q("pay")), down(m('N', "notice")[6:] + "never seen")},
			server: q("begin") + m('X', ""), client: done("BEGIN") + z("T") + m('N', "notice") + fatal + "<close>", touched: 1,
		},
		{
			name: "COPY", fault: fail,
			steps: steps{up(q("copy t from stdin")), down(m('G', "\x00\x00\x00")), up(m('d', "pay\n") + m('d', "Q") + m('c', "")), down(done("COPY 2") + z("I")),
				up(q("copy t to stdout")), down(m('H', "\x00\x00\x00") + m('d', "Z") + m('c', "") + done("COPY 1") + z("I"))},
			server: q("copy t from stdin") + m('d', "pay\n") + m('d', "Q") + m('c', "") + q("copy t to stdout"),
			client: m('G', "\x00\x00\x00") + done("COPY 2") + z("I") + m('H', "\x00\x00\x00") + m('d', "Z") + m('c', "") + done("COPY 1") + z("I"), free: true,
		},
		{
			name: "COPY in the extended protocol", fault: fail,
			steps:  steps{up(ext("", "copy t from stdin") + execute + syncs), down(told + m('G', "\x00\x00\x00")), up(m('d', "x") + m('H', "") + syncs + m('c', "") + syncs), down(done("COPY 1") + z("I"))},
			server: ext("", "copy t from stdin") + execute + syncs + m('d', "x") + m('H', "") + syncs + m('c', "") + syncs,
			client: told + m('G', "\x00\x00\x00") + done("COPY 1") + z("I"), free: true,
		},
		{
			name: "an answer that nobody can read", fault: fail,
			steps:  steps{up(q("pay")), down("?????")},
			server: q(bang), client: "<reset>", touched: 1,
		},
		{
			name: "no protocol any more", fault: fail,
			steps:  steps{up(q("x") + "?????" + q("pay")), down(done("X") + z("I") + "???")},
			server: q("x") + "?????" + q("pay"), client: done("X") + z("I") + "???", free: true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d *wiretest.Decider
			e := wiretest.Play(t, func() wire.Editor {
				d = wiretest.NewDecider(t, c.fault)
				return New(d, !c.fresh)
			}, c.steps, c.server, c.client)
			if got := e.Free(); got != c.free {
				t.Errorf("free is %v, want %v", got, c.free)
			}
			if got := d.Requests(c.fault.ID()); got != c.touched {
				t.Errorf("%d requests touched, want %d", got, c.touched)
			}
		})
	}
}

func TestLongStatement(t *testing.T) {
	d := wiretest.NewDecider(t, rehearse.Fault{Kind: rehearse.FaultSQLError, Code: "40001", Match: rehearse.Match{Statement: "^pay"}})
	e := New(d, true)
	tape := wiretest.NewTape(e)
	long := strings.Repeat("x", 3*wire.MaxHead)
	tape.Up(wiretest.Pieces([]byte(q(long)+q("pay"+long)+q("end")), func() int { return 1000 })...)
	if want := q(long) + q(raising("40001", `fault "sql-error"`)) + q("end"); tape.Server() != want {
		t.Errorf("the server got %d bytes, want %d", len(tape.Server()), len(want))
	}
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		sql              string
		writes           string
		commit, rollback bool
	}{
		{sql: ""},
		{sql: "select 'insert', \"update\", $$delete$$, $a$ ; insert $a$ -- delete\n from t"},
		{sql: "SELECT e'\\'; delete'"},
		{sql: "insert into t", writes: "INSERT"},
		{sql: " /* a /* b */ c */ -- d\n ((Update t", writes: "UPDATE"},
		{sql: "select 1; delete from t", writes: "DELETE"},
		{sql: "with a as (select 1) select * from a"},
		{sql: "with a as (delete from t returning *) select * from a", writes: "DELETE"},
		{sql: "with a as (select 1) insert into t select * from a", writes: "INSERT"},
		{sql: "select * from t for no key update", writes: "SELECT FOR UPDATE"},
		{sql: "select 1 into t", writes: "SELECT INTO"},
		{sql: "copy t from stdin", writes: "COPY FROM"},
		{sql: "copy (select 1 from t) to stdout"},
		{sql: "explain insert into t"},
		{sql: "explain (analyze) insert into t", writes: "INSERT"},
		{sql: "create table t ()", writes: "CREATE"},
		{sql: "commit", commit: true},
		{sql: "END;", commit: true},
		{sql: "abort", rollback: true},
		{sql: "'unended"},
		{sql: "/* unended"},
		{sql: "$a$ unended"},
		{sql: "-- unended"},
	} {
		got := classify([]byte(c.sql))
		if want := (class{c.writes, c.commit, c.rollback}); got != want {
			t.Errorf("%q is %+v, want %+v", c.sql, got, want)
		}
	}
}

func FuzzTransparent(f *testing.F) {
	f.Add([]byte(startup+q("begin")+ext("", "x")+execute+syncs), []byte(hello+m('Z', "T")+told+m('Z', "T")), uint64(1), false)
	f.Add([]byte(q("copy")+m('d', "x")+m('c', "")), []byte(m('G', "")+m('Z', "T")), uint64(2), true)
	f.Add([]byte(s0("\x04\xd2\x16\x2f")+startup), []byte("N"+hello), uint64(2), false)
	f.Fuzz(func(t *testing.T, up, down []byte, seed uint64, live bool) {
		wiretest.Transparent(t, New(wire.Nobody{}, live), up, down, seed)
	})
}

// FuzzCuts holds an editor with every fault to the same result however its bytes
// are cut.
func FuzzCuts(f *testing.F) {
	f.Add([]byte(q("begin")+q("commit")+ext("", "insert")+execute+ext("s", "kill")+execute+syncs), []byte(m('Z', "T")+told+m('E', "")+m('Z', "I")+m('Z', "I")))
	f.Fuzz(func(t *testing.T, up, down []byte) {
		var want [2]string
		for i, size := range []int{1 << 20, 1, 5} {
			tape := wiretest.NewTape(New(wiretest.NewDecider(t,
				rehearse.Fault{Kind: rehearse.FaultDelay, Match: rehearse.Match{Statement: "insert"}},
				rehearse.Fault{Kind: rehearse.FaultSQLKill, Match: rehearse.Match{Statement: "kill"}},
				rehearse.Fault{Kind: rehearse.FaultSQLError, Code: "40001", Match: rehearse.Match{Statement: "commit"}},
				rehearse.Fault{Kind: rehearse.FaultReadOnly},
			), true))
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
	e, out := New(wire.Nobody{}, true), &wire.Out{}
	request, answer := []byte(ext("", "select $1")+execute+syncs+q("select 1")), []byte(told+done("SELECT 1")+m('Z', "I")+done("SELECT 1")+m('Z', "I"))
	if n := testing.AllocsPerRun(100, func() {
		e.Up(request, out)
		e.Down(answer, out)
		out.Clear()
	}); n != 0 {
		t.Errorf("%v allocations for statements that no fault touches, want none", n)
	}
}

const update = "UPDATE pgbench_accounts SET abalance = abalance + -1234 WHERE aid = 56789;"

func BenchmarkSimple(b *testing.B) {
	benchmark(b, q(update), done("UPDATE 1")+m('Z', "I"))
}

func BenchmarkExtended(b *testing.B) {
	benchmark(b, ext("", update)+execute+syncs, told+done("UPDATE 1")+m('Z', "I"))
}

func BenchmarkRows(b *testing.B) {
	benchmark(b, q("select * from t"), strings.Repeat(m('D', strings.Repeat("x", 200)), 300)+done("SELECT 300")+m('Z', "I"))
}

func benchmark(b *testing.B, request, answer string) {
	e, out := New(wire.Nobody{}, true), &wire.Out{}
	up, down := []byte(request), []byte(answer)
	b.SetBytes(int64(len(up) + len(down)))
	b.ReportAllocs()
	for b.Loop() {
		e.Up(up, out)
		e.Down(down, out)
		out.Clear()
	}
}
