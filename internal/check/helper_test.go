package check

import (
	"encoding/binary"
	"time"

	"github.com/rehearse-dev/rehearse"
)

const ms = rehearse.Duration(time.Millisecond)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func id(n int) (t rehearse.TraceID) {
	binary.BigEndian.PutUint64(t[8:], uint64(n))
	return t
}

// call is one node of a trace, for tests to change.
type call struct {
	link       rehearse.LinkID
	name       string
	up         int // index of the parent; the root's is ignored
	at, length int // milliseconds since the trace's start
	known      rehearse.Known
	shape      int // milliseconds
	connection int64
	attributes []rehearse.Attribute
	sdk        rehearse.SpanKind // not a link's: an SDK's of this kind
	service    rehearse.ServiceName
	status     rehearse.SpanStatus
}

func attr(kv ...any) (out []rehearse.Attribute) {
	for i := 0; i < len(kv); i += 2 {
		out = append(out, rehearse.Attribute{Key: kv[i].(string), Value: kv[i+1]})
	}
	return out
}

// node is the call as it stands in a trace that starts at a time.
func (c call) node(n int, start time.Time) rehearse.Node {
	client, _ := ends(c.link)
	node := rehearse.Node{Up: c.up, Known: c.known, Span: rehearse.Span{
		Trace: id(n), Name: c.name, Kind: rehearse.SpanClient, Service: client, Status: c.status,
		Start: start.Add(time.Duration(c.at) * time.Millisecond), Duration: rehearse.Duration(c.length) * ms, Attributes: c.attributes,
	}}
	if node.Known == "" {
		node.Known = rehearse.KnownAlone
	}
	if c.sdk != rehearse.SpanUnspecified {
		node.Kind, node.Service, node.Known = c.sdk, c.service, rehearse.KnownSDK
		return node
	}
	shape := rehearse.Duration(c.shape) * ms
	node.Wire = &rehearse.Wire{Link: c.link, Connection: c.connection, Shape: shape, Server: node.Duration - shape}
	return node
}

// trace is the n-th trace: the first call is its root.
func trace(n int, calls ...call) rehearse.Trace {
	start := noon.Add(time.Duration(n) * time.Second)
	t := rehearse.Trace{ID: id(n), Start: start}
	for i, c := range calls {
		node := c.node(n, start)
		if i == 0 {
			node.Up, node.Known = -1, rehearse.KnownRoot
		}
		t.Nodes = append(t.Nodes, node)
	}
	_, upstream := ends(calls[0].link)
	t.Operation = string(upstream) + " " + calls[0].name
	t.Duration = t.Nodes[0].Duration
	t.Failed = calls[0].status == rehearse.StatusError
	return t
}

// asked is a request from outside that took so many milliseconds.
func asked(length int) call {
	return call{link: "ingress:web", name: "GET /items", length: length, attributes: attr("http.response.status_code", int64(200))}
}

// query is the i-th of calls to the database that follow one another.
func query(i int) call {
	return call{link: "web:db", name: "SELECT items", at: 10 * i, length: 8, shape: 5, connection: 1, attributes: attr("db.query.text", "SELECT * FROM items WHERE id = ?")}
}

// queries is a request with so many of them.
func queries(n, calls int) rehearse.Trace {
	all := []call{asked(10*calls + 10)}
	for i := range calls {
		all = append(all, query(i))
	}
	return trace(n, all...)
}

func known(t rehearse.Trace, k rehearse.Known) rehearse.Trace {
	for i := range t.Nodes[1:] {
		t.Nodes[i+1].Known = k
	}
	return t
}

func of(traces ...rehearse.Trace) *rehearse.Telemetry {
	return &rehearse.Telemetry{Traces: traces, Result: rehearse.TelemetryResult{Quiet: true, Spans: 100}}
}

// times is n traces made alike.
func times(n int, f func(n int) rehearse.Trace) *rehearse.Telemetry {
	t := of()
	for i := range n {
		t.Traces = append(t.Traces, f(i+1))
	}
	return t
}

func with(t *rehearse.Telemetry, edit func(*rehearse.Telemetry)) *rehearse.Telemetry {
	edit(t)
	return t
}

func lost(t *rehearse.Telemetry) *rehearse.Telemetry {
	t.Result.Lost = 7
	return t
}

var plan = &rehearse.Plan{
	Services: []rehearse.Service{{Name: "web", Hostname: "web-1"}, {Name: "db", Aliases: []string{"postgres"}}, {Name: "mail"}},
	Links: []rehearse.LinkSpec{
		{ID: "ingress:web", Client: "ingress", Upstream: "web", Declared: true, Names: []string{"web"}},
		{ID: "web:db", Client: "web", Upstream: "db", Declared: true, Names: []string{"db"}},
		{ID: "web:mail", Client: "web", Upstream: "mail", Names: []string{"mail"}},
	},
}
