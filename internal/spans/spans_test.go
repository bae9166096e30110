package spans_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/link"
	"github.com/rehearse-dev/rehearse/internal/spans"
	"github.com/rehearse-dev/rehearse/internal/wire"
)

// text is a span as a table has it: its name, status, and those attributes that
// are not the link's own.
func text(s *rehearse.Span) string {
	parts := []string{s.Name}
	if s.Status == rehearse.StatusError {
		parts = append(parts, "error")
	}
	for _, a := range s.Attributes {
		if !strings.HasPrefix(a.Key, "rehearse.") && !strings.HasPrefix(a.Key, "server.") {
			parts = append(parts, fmt.Sprintf("%s=%v", a.Key, a.Value))
		}
	}
	return strings.Join(parts, " | ")
}

func TestConventions(t *testing.T) {
	for _, c := range []struct {
		exchange wire.Exchange
		want     string
	}{
		{
			wire.Exchange{Protocol: wire.HTTP, Method: "GET", Path: "/documents/17", Version: "1.1", Status: 200, Agent: "curl/8"},
			"GET /documents/{id} | http.request.method=GET | url.path=/documents/17 | http.route=/documents/{id} | http.response.status_code=200 | network.protocol.name=http | network.protocol.version=1.1 | user_agent.original=curl/8",
		},
		{
			wire.Exchange{Protocol: wire.HTTP, Method: "POST", Path: "/", Version: "2", Status: 503},
			"POST / | error | http.request.method=POST | url.path=/ | http.route=/ | http.response.status_code=503 | error.type=503 | network.protocol.name=http | network.protocol.version=2",
		},
		{
			wire.Exchange{Protocol: wire.HTTP, RPC: true, Path: "/shop.Orders/Place", Status: 200, GRPC: 0},
			"shop.Orders/Place | rpc.system=grpc | rpc.service=shop.Orders | rpc.method=Place | rpc.grpc.status_code=0",
		},
		{
			wire.Exchange{Protocol: wire.HTTP, RPC: true, Path: "/shop.Orders/Place", Status: 200, GRPC: 14},
			"shop.Orders/Place | error | rpc.system=grpc | rpc.service=shop.Orders | rpc.method=Place | rpc.grpc.status_code=14 | error.type=14",
		},
		{
			wire.Exchange{Protocol: wire.PostgreSQL, Statement: "SELECT body FROM documents WHERE id = 17", Rows: 1, Tag: "SELECT", Transaction: 'T', Database: "shop"},
			"SELECT documents | db.system.name=postgresql | db.namespace=shop | db.query.text=SELECT body FROM documents WHERE id = ? | db.query.summary=SELECT documents | db.operation.name=SELECT | db.collection.name=documents | db.response.returned_rows=1",
		},
		{
			wire.Exchange{Protocol: wire.PostgreSQL, Statement: "INSERT INTO documents VALUES ('secret')", Rows: -1, State: "23505", Transaction: 'E'},
			"INSERT documents | error | db.system.name=postgresql | db.query.text=INSERT INTO documents VALUES (?) | db.query.summary=INSERT documents | db.operation.name=INSERT | db.collection.name=documents | db.response.status_code=23505 | error.type=23505",
		},
		{
			wire.Exchange{Protocol: wire.PostgreSQL, Statement: "SELECT name FROM customers WHERE id = $1", Rows: -1, Tag: "PARSE"},
			"PREPARE SELECT customers | db.system.name=postgresql | db.query.text=SELECT name FROM customers WHERE id = $1 | db.query.summary=SELECT customers | db.operation.name=SELECT | db.collection.name=customers",
		},
		{
			wire.Exchange{Protocol: wire.PostgreSQL, Statement: "-- ping", Rows: -1, Transaction: 'I'},
			"EMPTY | db.system.name=postgresql",
		},
		{
			wire.Exchange{Protocol: wire.PostgreSQL, Tag: "STARTUP", Rows: -1, State: "28P01"},
			"STARTUP | error | db.system.name=postgresql | db.response.status_code=28P01 | error.type=28P01",
		},
		{
			wire.Exchange{Protocol: wire.Redis, Command: "GET"},
			"GET | db.system.name=redis | db.operation.name=GET",
		},
		{
			wire.Exchange{Protocol: wire.Redis, Command: "INCR", ErrorCode: "WRONGTYPE"},
			"INCR | error | db.system.name=redis | db.operation.name=INCR | db.response.status_code=WRONGTYPE | error.type=WRONGTYPE",
		},
	} {
		m := spans.New(rehearse.LinkSpec{ID: "web:db", Client: "web", Upstream: "db", Ports: []int{5432}})
		got := m.Of([]link.Call{{Exchange: c.exchange}})
		if diff := cmp.Diff(c.want, text(&got[0])); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.exchange, diff)
		}
	}
}

// TestMeasurements reads back what a link has measured.
func TestMeasurements(t *testing.T) {
	const ms = time.Millisecond
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	m := spans.New(rehearse.LinkSpec{ID: "web:db", Client: "web", Upstream: "db", Ports: []int{5432}})
	c := link.Call{
		Exchange:   wire.Exchange{Protocol: wire.Redis, ID: 4, Command: "GET", BytesUp: 20, BytesDown: 30, Parent: wire.Context{Span: [8]byte{9}}},
		Connection: 3, Context: wire.Context{Trace: [16]byte{1}, Span: [8]byte{2}},
		Start: start, End: start.Add(94 * ms), Queue: 1 * ms, Shape: 84 * ms, Server: 7 * ms, Transfer: 2 * ms,
		Nominal: true, Faults: "delay", Abandoned: "client",
	}
	s := m.Of([]link.Call{c})[0]
	want := rehearse.Wire{
		Link: "web:db", Connection: 3, Number: 4, Queue: rehearse.Duration(ms), Shape: rehearse.Duration(84 * ms),
		Server: rehearse.Duration(7 * ms), Transfer: rehearse.Duration(2 * ms),
	}
	got, ok := s.Wire()
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Errorf("measurements (-want +got):\n%s", diff)
	}
	if s.Trace != (rehearse.TraceID{1}) || s.ID != (rehearse.SpanID{2}) || s.Parent != (rehearse.SpanID{9}) || s.Service != "web" ||
		s.Kind != rehearse.SpanClient || s.Scope != rehearse.LinkScope || !s.Start.Equal(start) || s.Duration != rehearse.Duration(94*ms) {
		t.Errorf("the span is %+v", s)
	}
	for key, want := range map[string]any{
		rehearse.AttrNominal: true, rehearse.AttrFault: "delay", rehearse.AttrAbandoned: "client", "error.type": "client_hung_up",
		rehearse.AttrBytesUp: int64(20), rehearse.AttrBytesDown: int64(30), "server.address": "db", "server.port": int64(5432),
	} {
		if got := s.Attribute(key); got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
}

// TestSQLComment has a statement that says whose it is.
func TestSQLComment(t *testing.T) {
	m := spans.New(rehearse.LinkSpec{ID: "web:db"})
	c := link.Call{Exchange: wire.Exchange{
		Protocol: wire.PostgreSQL, Rows: -1,
		Statement: "SELECT 1 /*traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/",
	}}
	s := m.Of([]link.Call{c})[0]
	if s.Trace.String() != "0af7651916cd43dd8448eb211c80319c" || s.Parent.String() != "b7ad6b7169203331" {
		t.Errorf("its trace is %s below %s", s.Trace, s.Parent)
	}
}
