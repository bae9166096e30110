package wire

import (
	"errors"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

func TestRules(t *testing.T) {
	request := &Request{Protocol: HTTP, Method: []byte("POST"), Path: []byte("/v1/pay/7"), Header: []byte("Host: h\r\nX-User: ann \r\n")}
	sql := &Request{Protocol: PostgreSQL, Statement: []byte("select pay"), InTransaction: true}
	failed := &Request{Protocol: PostgreSQL, Statement: []byte("insert"), Writes: true, Failed: true}
	command := &Request{Protocol: Redis, Command: []byte("get"), Key: []byte("user:1")}
	queued := &Request{Protocol: Redis, Command: []byte("get"), Key: []byte("user:1"), Queued: true}
	abort := func(m rehearse.Match) rehearse.Fault { return rehearse.Fault{Kind: rehearse.FaultAbort, Match: m} }
	for _, c := range []struct {
		fault   rehearse.Fault
		request *Request
		want    bool
	}{
		{abort(rehearse.Match{}), request, true},
		{abort(rehearse.Match{}), sql, false},
		{abort(rehearse.Match{Method: "POST", Path: "/v1/*", Header: "x-user: a*n"}), request, true},
		{abort(rehearse.Match{Method: "post"}), request, false},
		{abort(rehearse.Match{Path: "/v1/pay"}), request, false},
		{abort(rehearse.Match{Path: "*pay*7"}), request, true},
		{abort(rehearse.Match{Path: "*pay*8"}), request, false},
		{abort(rehearse.Match{Header: "X-User"}), request, true},
		{abort(rehearse.Match{Header: "X-User:"}), request, false},
		{abort(rehearse.Match{Header: "X-Use"}), request, false},
		{rehearse.Fault{Kind: rehearse.FaultSQLKill}, sql, true},
		{rehearse.Fault{Kind: rehearse.FaultSQLKill}, failed, false},
		{rehearse.Fault{Kind: rehearse.FaultReadOnly}, sql, false},
		{rehearse.Fault{Kind: rehearse.FaultReadOnly}, failed, false},
		{rehearse.Fault{Kind: rehearse.FaultSQLError, Code: "40001"}, failed, false},
		{rehearse.Fault{Kind: rehearse.FaultSQLError, Code: "40001", Match: rehearse.Match{Statement: "pay$"}}, sql, true},
		{rehearse.Fault{Kind: rehearse.FaultSQLError, Code: "40001", Match: rehearse.Match{Statement: "^pay"}}, sql, false},
		{rehearse.Fault{Kind: rehearse.FaultEvict, Match: rehearse.Match{Command: "GET", Key: "user:*"}}, command, true},
		{rehearse.Fault{Kind: rehearse.FaultEvict}, queued, false},
		{rehearse.Fault{Kind: rehearse.FaultRedisError, Code: "E", Match: rehearse.Match{Key: "*"}}, &Request{Protocol: Redis, Command: []byte("PING")}, false},
		{rehearse.Fault{Kind: rehearse.FaultDelay, Match: rehearse.Match{Key: "user:1"}}, queued, true},
	} {
		r, err := NewRule(c.fault)
		if err != nil {
			t.Errorf("%+v: %v", c.fault, err)
		} else if got := r.Matches(c.request); got != c.want {
			t.Errorf("%+v matches %+v: %v, want %v", c.fault, c.request, got, c.want)
		}
	}
}

func TestNewRuleRefuses(t *testing.T) {
	for _, c := range []struct {
		fault rehearse.Fault
		want  string
	}{
		{rehearse.Fault{Kind: rehearse.FaultLoss}, `fault "loss": it is not a fault of requests`},
		{rehearse.Fault{Kind: rehearse.FaultDelay}, `fault "delay": it is not a fault of requests`},
		{rehearse.Fault{Name: "x", Kind: rehearse.FaultAbort, Match: rehearse.Match{Key: "k"}}, `fault "x": its match's key is of redis, but the fault of http`},
		{rehearse.Fault{Kind: rehearse.FaultTruncate, Match: rehearse.Match{Statement: "x"}}, `fault "truncate": its match's statement is of postgres, but the fault of http`},
		{rehearse.Fault{Kind: rehearse.FaultAbort, Match: rehearse.Match{Header: ": x"}}, `fault "abort": its match's header ": x" has no name`},
		{rehearse.Fault{Kind: rehearse.FaultAbort, Status: 101}, `fault "abort": status 101 does not end a request`},
		{rehearse.Fault{Kind: rehearse.FaultAbort, Status: 204, Body: "x"}, `fault "abort": an answer with status 204 has no body`},
		{rehearse.Fault{Kind: rehearse.FaultDropHeader}, `fault "drop-header": "" is not a header's name`},
		{rehearse.Fault{Kind: rehearse.FaultDropHeader, Header: "content-length"}, `fault "drop-header": without content-length the body's end cannot be told`},
		{rehearse.Fault{Kind: rehearse.FaultSQLError, Code: "4000"}, `fault "sql-error": "4000" is not a SQLSTATE`},
		{rehearse.Fault{Kind: rehearse.FaultSQLError, Code: "02000"}, `fault "sql-error": SQLSTATE 02000 is of class 02, which is no error`},
		{rehearse.Fault{Kind: rehearse.FaultSQLError, Code: "40001", Match: rehearse.Match{Statement: "("}}, "fault \"sql-error\": its match's statement is not a regular expression: error parsing regexp: missing closing ): `(`"},
		{rehearse.Fault{Kind: rehearse.FaultRedisError, Code: "a\r\nb"}, `fault "redis-error": "a\r\nb" is not a Redis error`},
		{rehearse.Fault{Kind: rehearse.FaultTruncate, Bytes: -1, Match: rehearse.Match{Path: "/"}}, `fault "truncate": a body cannot be shorter than nothing`},
		{rehearse.Fault{Kind: rehearse.FaultDelay, Delay: -1, Match: rehearse.Match{Path: "/"}}, `fault "delay": a delay cannot be negative`},
	} {
		_, err := NewRule(c.fault)
		if err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
			continue
		}
		if e := (*rehearse.Error)(nil); !errors.As(err, &e) || e.Kind != rehearse.Invalid || e.Hint == "" {
			t.Errorf("%v: the kind or the hint is missing", err)
		}
	}
}

func TestMatchesAllocatesNothing(t *testing.T) {
	r, err := NewRule(rehearse.Fault{Kind: rehearse.FaultSQLError, Code: "40001", Match: rehearse.Match{Statement: "^UPDATE"}})
	if err != nil {
		t.Fatal(err)
	}
	q := &Request{Protocol: PostgreSQL, Statement: []byte("SELECT 1")}
	if n := testing.AllocsPerRun(100, func() { r.Matches(q) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
