package check

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

// asking is a check of the kind with its defaults.
func asking(kind rehearse.CheckKind, edits ...func(*rehearse.Check)) rehearse.Check {
	c, ok := Default(kind)
	if !ok {
		panic(kind)
	}
	c.Name = "it"
	for _, e := range edits {
		e(&c)
	}
	return c
}

func limit(v float64) func(*rehearse.Check) { return func(c *rehearse.Check) { c.Limit = v } }

func link(id rehearse.LinkID) func(*rehearse.Check) { return func(c *rehearse.Check) { c.Link = id } }

func operation(op string) func(*rehearse.Check) {
	return func(c *rehearse.Check) { c.Operation = op }
}

func percent(p float64) func(*rehearse.Check) { return func(c *rehearse.Check) { c.Percent = p } }

func samples(n int) func(*rehearse.Check) { return func(c *rehearse.Check) { c.MinSamples = n } }

func expecting(e, over string) rehearse.Check {
	return asking(rehearse.CheckExpect, func(c *rehearse.Check) { c.Expect, c.Over = e, over })
}

// requests are n traces that take 10 ms, 20 ms and so on.
func requests(n int) *rehearse.Telemetry {
	return times(n, func(n int) rehearse.Trace { return trace(n, asked(10*n)) })
}

var maxDuration = func(edits ...func(*rehearse.Check)) rehearse.Check {
	return asking(rehearse.CheckMaxDuration, edits...)
}

func TestRun(t *testing.T) {
	failed := func(i, code int) call {
		c := call{link: "web:api", name: "POST /pay", at: 10 * i, length: 8, attributes: attr("http.response.status_code", int64(code))}
		if code >= 400 {
			c.status = rehearse.StatusError
		}
		return c
	}
	state := func(c call, sqlstate string) call {
		c.attributes = append(c.attributes, attr("db.response.status_code", sqlstate)...)
		return c
	}
	status := func(c call, code int64) call {
		c.attributes = attr("http.response.status_code", code)
		return c
	}
	in := func(c call, transaction string) call {
		c.attributes = attr(rehearse.AttrTransaction, transaction)
		return c
	}
	gone := func(c call, by string) call {
		c.attributes = attr(rehearse.AttrAbandoned, by)
		return c
	}
	at := func(c call, start, length int) call {
		c.at, c.length = start, length
		return c
	}
	pool := rehearse.Pool{
		Link: "web:db", Size: 8, Peak: 8, Saturated: 14200 * ms, Waited: 412, Trips: 5, RTT: 84 * ms, Lost: 2,
		Waits:    rehearse.Quantiles{Count: 412, P50: 300 * ms, P90: 800 * ms, P99: 1200 * ms},
		Holds:    rehearse.Quantiles{Count: 900, P50: 427 * ms},
		Examples: []rehearse.TraceID{id(3), id(4), id(3)},
	}
	logs := func(severities ...rehearse.Severity) *rehearse.Telemetry {
		return with(of(), func(t *rehearse.Telemetry) {
			for i, s := range severities {
				t.Logs = append(t.Logs, rehearse.LogRecord{Service: "web", Severity: s, Body: "no\nluck " + strings.Repeat("x", 300), Trace: id(i + 1)})
			}
			t.Result.Logs = int64(len(severities))
		})
	}
	undecoded := func(t *rehearse.Telemetry, id rehearse.LinkID, why string) *rehearse.Telemetry {
		t.Result.Undecoded = map[rehearse.LinkID]map[string]int64{id: {why: 3}}
		return t
	}
	loose := func(t *rehearse.Telemetry, n int) *rehearse.Telemetry {
		for range n {
			c := query(0)
			c.known = rehearse.KnownNothing
			t.Loose = append(t.Loose, c.node(99, noon))
		}
		return t
	}
	counted := func(t *rehearse.Telemetry, ops ...rehearse.OperationStats) *rehearse.Telemetry {
		t.Result.Operations = ops
		return t
	}
	took := func(link rehearse.LinkID, name string, p50, p90, p99, most int) rehearse.OperationStats {
		d := func(n int) rehearse.Duration { return rehearse.Duration(n) * ms }
		return rehearse.OperationStats{Link: link, Name: name, Count: 1000, Duration: rehearse.Quantiles{Count: 1000, Min: ms, P50: d(p50), P90: d(p90), P99: d(p99), Max: d(most)}}
	}
	nPlusOne := asking(rehearse.CheckNPlusOne)
	chatty := asking(rehearse.CheckChattyLink)
	retries := asking(rehearse.CheckRetryStorm)
	exhausted := asking(rehearse.CheckPoolExhausted)
	idle := asking(rehearse.CheckIdleInTransaction)
	noTimeout := asking(rehearse.CheckNoTimeout)
	swallowed := asking(rehearse.CheckErrorSwallowed)
	undeclared := asking(rehearse.CheckUndeclaredCall)
	logErrors := asking(rehearse.CheckLogErrors)

	tests := []struct {
		name    string
		check   rehearse.Check
		t       *rehearse.Telemetry
		outcome rehearse.Outcome
		got     string
		says    string             // part of the detail
		traces  []rehearse.TraceID // nil: any
	}{
		{"no telemetry", nPlusOne, nil, rehearse.Unverified, "no telemetry", "left no telemetry", nil},
		{"no such check", rehearse.Check{Kind: "luck"}, of(), rehearse.Unverified, "not a check", `"luck"`, nil},

		{"max_duration passes", maxDuration(limit(0.1)), requests(10), rehearse.Pass, "max 100ms", "0 of 10 traces took longer than 100ms; the slowest took 100ms.", nil},
		{"max_duration fails", maxDuration(limit(0.07)), requests(10), rehearse.Fail, "max 100ms", "3 of 10 traces", []rehearse.TraceID{id(10), id(9), id(8)}},
		{"p95 fails", maxDuration(limit(0.9), percent(95)), requests(100), rehearse.Fail, "p95 950ms", "10 of 100", []rehearse.TraceID{id(100), id(99), id(98), id(97), id(96)}},
		{"p90 of the same", maxDuration(limit(0.9), percent(90)), requests(100), rehearse.Pass, "p90 900ms", "10 of 100", nil},
		{"p95 of too few", maxDuration(limit(9), percent(95)), requests(19), rehearse.Unverified, "19 traces", "An answer takes 20 traces, and there are 19.", nil},
		{"p95 of few, by wish", maxDuration(limit(9), percent(95), samples(3)), requests(3), rehearse.Pass, "p95 30ms", "", nil},
		{"another operation", maxDuration(limit(9), operation("web GET /item")), requests(3), rehearse.Unverified, "no samples", "no trace of web GET /item", nil},
		{"the operation", maxDuration(limit(0.01), operation("web GET /*s")), requests(3), rehearse.Fail, "max 30ms", "", nil},
		{"calls on a link", maxDuration(limit(0.007), link("web:db")), of(queries(1, 3)), rehearse.Fail, "max 8ms", "3 of 3 calls", []rehearse.TraceID{id(1)}},
		{"calls on a link are short", maxDuration(limit(0.008), link("web:db")), of(queries(1, 3)), rehearse.Pass, "max 8ms", "", nil},
		{"calls whose request is unknown count", maxDuration(limit(0.007), link("web:db")), loose(of(), 1), rehearse.Fail, "max 8ms", "", []rehearse.TraceID{id(99)}},
		{"calls to a service", maxDuration(limit(0.007), func(c *rehearse.Check) { c.Service = "db" }), of(queries(1, 3)), rehearse.Fail, "max 8ms", "", nil},
		{"calls to no service", maxDuration(limit(9), func(c *rehearse.Check) { c.Service = "mail" }), of(queries(1, 3)), rehearse.Unverified, "no samples", "no call of mail", nil},
		{"a link that is encrypted", maxDuration(limit(9), link("web:db")), undecoded(of(queries(1, 1)), "web:db", "tls"), rehearse.Unverified, "max 8ms", "3 connections on web:db could not be read (tls)", nil},
		{"ingress by region", maxDuration(limit(9), link("ingress:web")), of(trace(1, call{link: "ingress/eu:web", name: "GET /", length: 3})), rehearse.Pass, "max 3ms", "", nil},
		{"lost, but counted below", maxDuration(limit(0.5), percent(95), link("web:db")), counted(lost(of()), took("web:db", "a", 1, 2, 500, 900)), rehearse.Pass, "p95 2ms to 500ms", "1000 calls are counted", nil},
		{"lost, but counted above", maxDuration(limit(0.5), percent(95), link("web:db")), counted(lost(of()), took("web:db", "a", 1, 501, 502, 900)), rehearse.Fail, "p95 501ms to 502ms", "", nil},
		{"lost, and counted on both sides", maxDuration(limit(0.5), percent(95), link("web:db")), counted(lost(of()), took("web:db", "a", 1, 499, 501, 900)), rehearse.Unverified, "p95 499ms to 501ms", "on which side of 500ms", nil},
		{"lost, one of two operations is slow", maxDuration(limit(0.5), percent(90), link("web:db")), counted(lost(of()), took("web:db", "a", 1, 2, 3, 4), took("web:db", "b", 1, 600, 700, 800)), rehearse.Unverified, "p90 2ms to 600ms", "", nil},
		{"lost, requests", maxDuration(limit(0.5), operation("web GET /items")), counted(lost(of()), took("ingress:web", "GET /items", 1, 2, 3, 501), took("ingress:web", "GET /", 1, 2, 3, 4)), rehearse.Fail, "max 501ms", "", nil},
		{"lost, calls of an operation", maxDuration(limit(9), operation("web *"), link("web:db")), counted(lost(of(queries(1, 1))), took("web:db", "a", 1, 2, 3, 4)), rehearse.Unverified, "max 8ms", "7 of 100 spans were lost", nil},

		{"n_plus_one passes", nPlusOne, of(queries(1, 9)), rehearse.Pass, "9 times", "None of 1 traces make the same call 10 times", nil},
		{"n_plus_one fails", nPlusOne, of(queries(1, 9), queries(2, 10), queries(3, 14)), rehearse.Fail, "14 times", "2 of 3 traces make the same call 10 times or more, one after the other; at worst 14 times: SELECT items on web:db for GET /items.", []rehearse.TraceID{id(3), id(2)}},
		{"n_plus_one in parallel is none", nPlusOne, of(with2(queries(1, 12), func(t *rehearse.Trace) {
			for i := range t.Nodes {
				t.Nodes[i].Start = t.Start
			}
		})), rehearse.Pass, "1 time", "", nil},
		{"n_plus_one of other statements is none", nPlusOne, of(with2(queries(1, 12), func(t *rehearse.Trace) {
			for i := range t.Nodes {
				t.Nodes[i].Attributes = attr("db.query.text", string(rune('a'+i)))
			}
		})), rehearse.Pass, "1 time", "", nil},
		{"n_plus_one below an SDK's own spans", nPlusOne, of(func() rehearse.Trace {
			all := []call{asked(400), {sdk: rehearse.SpanServer, service: "web", name: "GET /items", length: 300}}
			for i := range 10 {
				all = append(all, call{sdk: rehearse.SpanInternal, service: "web", name: "load", up: 1, at: 10 * i, length: 9})
				q := query(i)
				q.up = len(all) - 1
				all = append(all, q)
			}
			return trace(1, all...)
		}()), rehearse.Fail, "10 times", "", nil},
		{"n_plus_one of statements with their literals", nPlusOne, of(with2(queries(1, 12), func(t *rehearse.Trace) {
			for i := range t.Nodes {
				t.Nodes[i].Attributes = attr("db.query.text", fmt.Sprintf("SELECT * FROM items WHERE id = %d AND name = 'it''s %c'", i, 'a'+i))
			}
		})), rehearse.Fail, "12 times", "", nil},
		{"n_plus_one inferred once", nPlusOne, of(queries(1, 2), queries(2, 2), known(queries(3, 10), rehearse.KnownNearest)), rehearse.Unverified, "10 times", "whose request is inferred", []rehearse.TraceID{id(3)}},
		{"n_plus_one inferred of most", nPlusOne, of(queries(1, 2), known(queries(2, 10), rehearse.KnownTemplate), known(queries(3, 10), rehearse.KnownNearest)), rehearse.Fail, "10 times", "", nil},
		{"n_plus_one fails though spans were lost", nPlusOne, lost(of(queries(1, 10))), rehearse.Fail, "10 times", "", nil},
		{"n_plus_one cannot pass when spans were lost", nPlusOne, lost(of(queries(1, 3))), rehearse.Unverified, "3 times", "7 of 100 spans were lost", nil},
		{"n_plus_one of unknown requests", nPlusOne, loose(of(queries(1, 3)), 1), rehearse.Unverified, "3 times", "requests of 1 of 4 calls are unknown", nil},
		{"n_plus_one with few unknown", nPlusOne, loose(of(queries(1, 9), queries(2, 9), queries(3, 9)), 1), rehearse.Pass, "9 times", "", nil},
		{"n_plus_one of a link without calls", asking(rehearse.CheckNPlusOne, link("web:mail")), of(queries(1, 3)), rehearse.Unverified, "no samples", "no trace with a call on web:mail", nil},
		{"n_plus_one of an unreadable link", asking(rehearse.CheckNPlusOne, link("web:mail")), undecoded(of(queries(1, 3)), "web:mail", "unknown"), rehearse.Unverified, "no samples", "could not be read (unknown)", nil},
		{"n_plus_one of all links but one that nobody knows", nPlusOne, undecoded(of(queries(1, 3)), "web:mail", "unknown"), rehearse.Pass, "3 times", "", nil},
		{"n_plus_one of all links but one that is encrypted", nPlusOne, undecoded(of(queries(1, 3)), "web:mail", "tls"), rehearse.Unverified, "3 times", "", nil},
		{"n_plus_one of too few", asking(rehearse.CheckNPlusOne, samples(3)), of(queries(1, 30), queries(2, 30)), rehearse.Unverified, "2 traces", "", nil},

		{"max_calls passes", asking(rehearse.CheckMaxCalls, limit(3)), of(queries(1, 3)), rehearse.Pass, "3 calls", "", nil},
		{"max_calls fails", asking(rehearse.CheckMaxCalls, limit(3)), of(queries(1, 3), queries(2, 4)), rehearse.Fail, "4 calls", "1 of 2 traces make more than 3 calls on one link; at worst 4 calls: web GET /items on web:db.", []rehearse.TraceID{id(2)}},
		{"max_calls of none", asking(rehearse.CheckMaxCalls, limit(0)), of(trace(1, asked(3))), rehearse.Unverified, "no samples", "", nil},
		{"max_calls of an operation that has none", asking(rehearse.CheckMaxCalls, limit(3), operation("web POST *")), of(queries(1, 9)), rehearse.Unverified, "no samples", "", nil},
		{"a health check is no request", asking(rehearse.CheckMaxCalls, limit(0)), of(trace(1, query(1))), rehearse.Unverified, "no samples", "", nil},

		{"chatty_link passes", chatty, of(queries(1, 50)), rehearse.Pass, "250ms", "", nil},
		{"chatty_link fails", chatty, of(queries(1, 51)), rehearse.Fail, "255ms", "51 round trips on web:db of 5ms each", []rehearse.TraceID{id(1)}},
		{"chatty_link in parallel", chatty, of(with2(queries(1, 90), func(t *rehearse.Trace) {
			for i := range t.Nodes {
				t.Nodes[i].Start = t.Start
			}
		})), rehearse.Pass, "5ms", "", nil},
		{"chatty_link without calls", asking(rehearse.CheckChattyLink, link("web:mail")), of(queries(1, 90)), rehearse.Unverified, "no samples", "", nil},

		{"retry_storm passes", retries, of(trace(1, asked(90), failed(0, 503), failed(1, 503), failed(2, 200))), rehearse.Pass, "3×", "", nil},
		{"retry_storm fails", retries, of(trace(1, asked(90), failed(0, 503), failed(1, 429), failed(2, 503), failed(3, 503))), rehearse.Fail, "4×", "POST /pay on web:api after status 503", []rehearse.TraceID{id(1)}},
		{"retry_storm: again after success is none", retries, of(trace(1, asked(90), failed(0, 200), failed(1, 200), failed(2, 200), failed(3, 200), failed(4, 503))), rehearse.Pass, "0×", "", nil},
		{"retry_storm: beside each other is none", retries, of(trace(1, asked(90), failed(0, 503), failed(0, 503), failed(0, 503), failed(0, 503))), rehearse.Pass, "0×", "", nil},
		{"retry_storm: 404 is an answer", retries, of(trace(1, asked(90), failed(0, 404), failed(1, 404), failed(2, 404), failed(3, 404))), rehearse.Pass, "0×", "", nil},
		{"retry_storm without calls", retries, of(trace(1, asked(90))), rehearse.Unverified, "no samples", "", nil},

		{"pool_exhausted passes", exhausted, with(of(), func(t *rehearse.Telemetry) { t.Pools = []rehearse.Pool{{Link: "web:db", Peak: 5}} }), rehearse.Pass, "0 requests waited", "at once were 5 on web:db", nil},
		{
			"pool_exhausted fails", exhausted, with(of(), func(t *rehearse.Telemetry) { t.Pools = []rehearse.Pool{{Link: "web:cache", Peak: 5}, pool} }), rehearse.Fail, "412 requests waited",
			"All 8 connections from web to db were busy for 14.2s, and 412 requests waited for one (p50 300ms, p90 800ms, p99 1.2s). A request kept one for 427ms in the median: 5 round trips, one after the other, of 84ms each. 2 connections ended in the middle of a call or a transaction, with no other to follow.",
			[]rehearse.TraceID{id(3), id(4)},
		},
		{
			"pool_exhausted that is not clear", exhausted, with(of(), func(t *rehearse.Telemetry) { t.Pools = []rehearse.Pool{{Link: "web:db", Peak: 8, Unclear: true}} }),
			rehearse.Unverified, "not clear", "before they called over web:db", nil,
		},
		{"pool_exhausted elsewhere", asking(rehearse.CheckPoolExhausted, link("web:cache")), with(of(queries(1, 1)), func(t *rehearse.Telemetry) { t.Pools = []rehearse.Pool{pool} }), rehearse.Unverified, "no samples", "", nil},
		{"pool_exhausted without a pool", asking(rehearse.CheckPoolExhausted, link("web:db")), of(queries(1, 1)), rehearse.Unverified, "no samples", "There is no pool of connections on web:db.", nil},
		{"pool_exhausted when spans were lost", exhausted, lost(with(of(), func(t *rehearse.Telemetry) { t.Pools = []rehearse.Pool{pool} })), rehearse.Unverified, "412 requests waited", "spans were lost", nil},

		{"idle_in_transaction passes", idle, of(trace(1, asked(900), in(query(0), "open"), in(at(query(0), 508, 5), "idle"))), rehearse.Pass, "500ms", "Of 1 pause in a transaction", nil},
		{"idle_in_transaction fails", idle, of(trace(1, asked(900), in(query(0), "open"), in(at(query(0), 509, 5), "idle"))), rehearse.Fail, "501ms", "at worst 501ms on web:db after SELECT items", []rehearse.TraceID{id(1)}},
		{"idle, not in a transaction", idle, of(trace(1, asked(900), in(query(0), "idle"), in(at(query(0), 809, 5), "idle"))), rehearse.Pass, "0s", "", nil},
		{"idle on another connection", idle, of(trace(1, asked(900), in(query(0), "open"), in(func() call { c := at(query(0), 809, 5); c.connection = 2; return c }(), "idle"))), rehearse.Pass, "0s", "1 connection did nothing more", nil},
		{"idle_in_transaction of what has none", idle, of(queries(1, 3)), rehearse.Unverified, "no samples", "no statement", nil},
		{"idle_in_transaction when spans were lost", idle, lost(of(trace(1, asked(900), in(query(0), "open"), in(at(query(0), 509, 5), "idle")))), rehearse.Unverified, "501ms", "", nil},

		{"no_timeout passes", noTimeout, of(trace(1, gone(asked(100), "client"), at(query(0), 50, 1049))), rehearse.Pass, "999ms", "Clients gave up 1 request.", nil},
		{"no_timeout fails", noTimeout, of(trace(1, gone(asked(100), "client"), at(query(0), 50, 1050))), rehearse.Fail, "1s", "GET /items on ingress:web", []rehearse.TraceID{id(1)}},
		{"no_timeout of a chain", noTimeout, of(trace(1, gone(asked(100), "client"), call{sdk: rehearse.SpanServer, service: "web", length: 100}, func() call { c := at(query(0), 90, 2000); c.up = 1; return c }())), rehearse.Fail, "1.99s", "", nil},
		{"no_timeout: slow is not given up", noTimeout, of(trace(1, asked(100), at(query(0), 50, 5000))), rehearse.Pass, "0s", "Clients gave up 0 requests.", nil},
		{"no_timeout that wants to see one", asking(rehearse.CheckNoTimeout, samples(1)), of(trace(1, asked(100))), rehearse.Unverified, "0s", "An answer takes 1", nil},
		{"no_timeout without requests", noTimeout, of(), rehearse.Unverified, "no samples", "", nil},

		{"error_swallowed passes", swallowed, of(queries(1, 3)), rehearse.Pass, "0 errors", "", nil},
		{"error_swallowed fails", swallowed, of(queries(1, 3), trace(2, asked(90), state(query(0), "40001"))), rehearse.Fail, "1 error", "SELECT items on web:db failed with 40001", []rehearse.TraceID{id(2)}},
		{"error_swallowed of HTTP", swallowed, of(trace(1, asked(90), failed(0, 500))), rehearse.Fail, "1 error", "", nil},
		{"error_swallowed: a warning is none", swallowed, of(trace(1, asked(90), state(query(0), "01000"))), rehearse.Pass, "0 errors", "", nil},
		{"error_swallowed: made good", swallowed, of(trace(1, asked(90), failed(0, 503), failed(1, 200))), rehearse.Pass, "0 errors", "", nil},
		{"error_swallowed: told", swallowed, of(trace(1, status(asked(90), 409), state(query(0), "23505"))), rehearse.Pass, "0 errors", "", nil},
		{"error_swallowed: a broken connection", swallowed, of(trace(1, asked(90), gone(query(0), "upstream"))), rehearse.Fail, "1 error", "a broken connection", nil},
		{"error_swallowed: gRPC", swallowed, of(trace(1, asked(90), call{link: "web:api", name: "p.S/M", status: rehearse.StatusError, attributes: attr("rpc.grpc.status_code", int64(14))})), rehearse.Fail, "1 error", "gRPC status 14", nil},
		{"error_swallowed: gRPC's not found is an answer", swallowed, of(trace(1, asked(90), call{link: "web:api", name: "p.S/M", status: rehearse.StatusError, attributes: attr("rpc.grpc.status_code", int64(5))})), rehearse.Pass, "0 errors", "", nil},
		{"error_swallowed inferred", swallowed, of(queries(1, 1), queries(2, 1), known(trace(3, asked(90), state(query(0), "40001")), rehearse.KnownNearest)), rehearse.Unverified, "1 error", "", nil},
		{"error_swallowed without requests", swallowed, of(), rehearse.Unverified, "no samples", "", nil},

		{"undeclared_call passes", undeclared, of(queries(1, 3)), rehearse.Pass, "0 calls", "All of 4 calls", nil},
		{"undeclared_call fails", undeclared, of(trace(1, asked(9), call{link: "web:mail", name: "POST /send"})), rehearse.Fail, "1 call", "web to mail (1)", []rehearse.TraceID{id(1)}},
		{"undeclared_call that no span tells of", undeclared, counted(lost(of()), took("web:mail", "POST /send", 1, 2, 3, 4)), rehearse.Fail, "1000 calls", "", nil},
		{"undeclared_call counts are exact", undeclared, counted(lost(of()), took("web:db", "a", 1, 2, 3, 4)), rehearse.Pass, "0 calls", "", nil},
		{"undeclared_call when spans were lost", undeclared, lost(of(queries(1, 3))), rehearse.Unverified, "0 calls", "", nil},
		{"undeclared_call of bytes", undeclared, undecoded(of(queries(1, 3)), "web:mail", "unknown"), rehearse.Fail, "3 calls", "", nil},
		{"undeclared_call to nowhere", undeclared, of(trace(1, asked(9), call{sdk: rehearse.SpanClient, service: "web", attributes: attr("server.address", "API.stripe.com")})), rehearse.Fail, "1 call", "web to api.stripe.com (1)", nil},
		{"undeclared_call to an alias", undeclared, of(trace(1, asked(9),
			call{sdk: rehearse.SpanClient, service: "web", attributes: attr("server.address", "postgres")},
			call{sdk: rehearse.SpanClient, service: "web", attributes: attr("server.address", "10.0.0.7")},
			call{sdk: rehearse.SpanClient, service: "web", attributes: attr("server.address", "localhost")})), rehearse.Pass, "0 calls", "", nil},
		{"undeclared_call without calls", undeclared, of(), rehearse.Unverified, "no samples", "", nil},

		{"log_errors passes", logErrors, logs(rehearse.SeverityInfo, rehearse.SeverityWarn, 0), rehearse.Pass, "0 errors", "0 of 3 log records", nil},
		{"log_errors fails", logErrors, logs(rehearse.SeverityInfo, rehearse.SeverityError, rehearse.SeverityFatal), rehearse.Fail, "2 errors", `The first is of web: "no luck xxx`, []rehearse.TraceID{id(2), id(3)}},
		{"log_errors within the limit", asking(rehearse.CheckLogErrors, limit(2)), logs(rehearse.SeverityError, rehearse.SeverityFatal), rehearse.Pass, "2 errors", "", nil},
		{"log_errors of another service", asking(rehearse.CheckLogErrors, func(c *rehearse.Check) { c.Service = "db" }), logs(rehearse.SeverityError), rehearse.Pass, "0 errors", "0 of 0", nil},
		{"log_errors of unknown severity", logErrors, logs(0, 0), rehearse.Unverified, "0 errors", "none says how severe", nil},
		{"log_errors of what was not kept", logErrors, with(logs(rehearse.SeverityInfo), func(t *rehearse.Telemetry) { t.Result.Logs = 5 }), rehearse.Unverified, "0 errors", "Of 5 log records, 4 were not kept", nil},

		{"expect passes", expecting(`{ kind = client } >> { name =~ "SELECT .*" } | count() <= 3`, "all"), of(queries(1, 3)), rehearse.Pass, "100%", "It holds for 1 of 1 trace.", nil},
		{"expect fails", expecting(`{ kind = client } >> { name =~ "SELECT .*" } | count() <= 3`, "all"), of(queries(1, 3), queries(2, 4)), rehearse.Fail, "50%", "1 of 2", []rehearse.TraceID{id(2)}},
		{"expect of a share passes", expecting(`{ name = "SELECT items" } | count() < 9`, "p90"), times(20, func(n int) rehearse.Trace { return queries(n, (n-1)*9/18) }), rehearse.Pass, "90%", "", nil},
		{"expect of a share fails", expecting(`{ name = "SELECT items" } | count() < 8`, "p90"), times(20, func(n int) rehearse.Trace { return queries(n, (n-1)*9/18) }), rehearse.Fail, "80%", "", nil},
		{"expect of a share of too few", expecting(`{ name = "SELECT items" } | count() < 8`, "p90"), of(queries(1, 1)), rehearse.Unverified, "1 trace", "An answer takes 10 traces, and there are 1.", nil},
		{"expect of any passes", expecting(`{ name = "SELECT items" } | count() > 3`, "any"), of(queries(1, 1), queries(2, 4)), rehearse.Pass, "50%", "", nil},
		{"expect of any fails", expecting(`{ name = "SELECT items" } | count() > 4`, "any"), of(queries(1, 1), queries(2, 4)), rehearse.Fail, "0%", "", nil},
		{"expect never arises", expecting(`{ name = "x" } >> { } | count() = 0`, "all"), of(queries(1, 1)), rehearse.Unverified, "no samples", "There is no trace to which it is a question.", nil},
		{"expect inferred", expecting(`{ name = "SELECT items" } | count() < 4`, "all"), of(queries(1, 1), queries(2, 1), known(queries(3, 4), rehearse.KnownNearest)), rehearse.Unverified, "66.7%", "", nil},
		{"expect fails over what could be missing", expecting(`{ name = "SELECT items" } | count() = 4`, "all"), loose(of(queries(1, 3)), 5), rehearse.Unverified, "0%", "", nil},
		{"expect passes over what could not be read", expecting(`{ name = "SELECT items" } | count() = 4`, "all"), undecoded(of(queries(1, 4)), "web:tls", "tls"), rehearse.Unverified, "100%", "web:tls", nil},
		{"expect when spans were lost", expecting(`{ name = "SELECT items" } | count() < 4`, "all"), lost(of(queries(1, 4))), rehearse.Unverified, "0%", "", nil},
		{"expect of what is no expression", expecting(`{ name`, "all"), of(queries(1, 4)), rehearse.Unverified, "not an expression", "column 7", nil},
		{"expect over what is no share", expecting(`{ }`, "most"), of(queries(1, 4)), rehearse.Unverified, "not a share", "", nil},
	}
	kinds := map[rehearse.CheckKind]map[rehearse.Outcome]bool{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := Run(tt.check, plan, tt.t)
			if f.Outcome != tt.outcome || f.Got != tt.got || !strings.Contains(f.Detail, tt.says) {
				t.Errorf("got %s %q %q\nwant %s %q %q", f.Outcome, f.Got, f.Detail, tt.outcome, tt.got, tt.says)
			}
			if tt.traces != nil {
				if d := cmp.Diff(tt.traces, f.Traces); d != "" {
					t.Errorf("examples (-want +got)\n%s", d)
				}
			}
			if !strings.HasSuffix(f.Detail, ".") {
				t.Errorf("the detail %q is no sentence", f.Detail)
			}
			if f.Check != "check: "+tt.check.Name {
				t.Errorf("got the name %q", f.Check)
			}
			if f.Outcome == rehearse.Pass && len(f.Traces) > 0 {
				t.Errorf("a pass has examples %v", f.Traces)
			}
		})
		if kinds[tt.check.Kind] == nil {
			kinds[tt.check.Kind] = map[rehearse.Outcome]bool{}
		}
		kinds[tt.check.Kind][tt.outcome] = true
	}
	// A check that cannot fail is none.
	for _, k := range allKinds {
		for _, o := range []rehearse.Outcome{rehearse.Pass, rehearse.Fail, rehearse.Unverified} {
			if !kinds[k][o] {
				t.Errorf("no test shows %s with the outcome %s", k, o)
			}
		}
	}
}

var allKinds = []rehearse.CheckKind{
	rehearse.CheckMaxDuration, rehearse.CheckNPlusOne, rehearse.CheckMaxCalls, rehearse.CheckChattyLink, rehearse.CheckRetryStorm, rehearse.CheckPoolExhausted,
	rehearse.CheckIdleInTransaction, rehearse.CheckNoTimeout, rehearse.CheckErrorSwallowed, rehearse.CheckUndeclaredCall, rehearse.CheckLogErrors, rehearse.CheckExpect,
}

func with2(t rehearse.Trace, edit func(*rehearse.Trace)) rehearse.Trace {
	edit(&t)
	return t
}

func TestNearOperation(t *testing.T) {
	f := Run(maxDuration(operation("web GET /itmes")), plan, requests(1))
	if want := `Did you mean the operation "web GET /items"?`; f.Hint != want {
		t.Errorf("got the hint %q, want %q", f.Hint, want)
	}
}

// What a finding rests on is in its detail.
func TestNotes(t *testing.T) {
	tel := of(queries(1, 3))
	tel.Coverage = rehearse.Coverage{Calls: 1000, Context: 700, Certain: 272, Inferred: 21, Unknown: 7}
	tel.Result.Quiet = false
	f := Run(asking(rehearse.CheckNPlusOne), plan, tel)
	for _, want := range []string{
		"Of 1000 calls, 97.2% are attributed to their request with certainty and 2.1% by inference.",
		"Calls that were still in flight at the end are not counted.",
	} {
		if !strings.Contains(f.Detail, want) {
			t.Errorf("%q lacks %q", f.Detail, want)
		}
	}
}

// The order of the traces does not matter.
func TestOrder(t *testing.T) {
	tel := times(60, func(n int) rehearse.Trace { return queries(n, n%13) })
	r := rand.New(rand.NewPCG(1, 2))
	for _, k := range allKinds {
		c := asking(k, limit(0.01))
		if k == rehearse.CheckExpect {
			c = expecting(`{ name = "SELECT items" } | by(name) | count() < 5`, "p50")
		}
		want := Run(c, plan, tel)
		for range 5 {
			r.Shuffle(len(tel.Traces), func(i, j int) { tel.Traces[i], tel.Traces[j] = tel.Traces[j], tel.Traces[i] })
			if d := cmp.Diff(want, Run(c, plan, tel)); d != "" {
				t.Errorf("%s: %s", k, d)
			}
		}
	}
}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "a", true}, {"*", "", true}, {"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"*b", "ab", true}, {"a*a", "a", false},
		{"a*b*c", "a-b-b-c", true}, {"a*b*c", "a-c", false}, {"web * /x/*", "web GET /x/7", true}, {"web *", "web2 GET", false},
	} {
		if got := matches(tt.pattern, tt.text); got != tt.want {
			t.Errorf("matches(%q, %q): got %v, want %v", tt.pattern, tt.text, got, tt.want)
		}
	}
}

// No telemetry makes a check panic, whatever refers to whatever.
func FuzzRun(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	f.Add([]byte("a trace of a request with many calls and some that fail"))
	attributes := attr("http.response.status_code", int64(503), "db.response.status_code", "40001", rehearse.AttrAbandoned, "client", rehearse.AttrTransaction, "open",
		"server.address", "x", "db.query.text", "SELECT ?", "http.response.status_code", "no number")
	f.Fuzz(func(t *testing.T, data []byte) {
		tel := of(rehearse.Trace{})
		links := []rehearse.LinkID{"ingress:web", "web:db", "x", ""}
		for len(data) >= 6 {
			d := data[:6]
			data = data[6:]
			c := call{
				link: links[d[0]%4], at: int(d[1]), length: int(int8(d[2])), connection: int64(d[3] % 3), known: []rehearse.Known{"", rehearse.KnownNearest, "?"}[d[4]%3],
				attributes: attributes[d[5]%7 : d[5]%7+1], sdk: rehearse.SpanKind(d[4] / 100), status: rehearse.SpanStatus(d[3] % 4),
			}
			node := c.node(int(d[0]), noon.Add(time.Duration(d[1])))
			node.Up = int(int8(d[3]))
			last := &tel.Traces[len(tel.Traces)-1]
			switch d[5] % 8 {
			case 0:
				tel.Traces = append(tel.Traces, rehearse.Trace{ID: id(int(d[1]))})
			case 1:
				tel.Loose = append(tel.Loose, node)
			case 2:
				tel.Result.Lost++
			case 3:
				tel.Pools = append(tel.Pools, rehearse.Pool{Link: c.link, Size: int(d[1]), Waited: int(d[2])})
			default:
				last.Nodes = append(last.Nodes, node)
			}
		}
		for _, k := range allKinds {
			c := asking(k, func(c *rehearse.Check) { c.Expect = `({ } >> { status = error }) ~ { } | by(.x) | max(duration) < 3ms` })
			for _, l := range links {
				c.Link = l
				if got := Run(c, plan, tel); got.Detail == "" || got.Outcome == "" {
					t.Errorf("%s: got %+v", k, got)
				}
			}
		}
	})
}
