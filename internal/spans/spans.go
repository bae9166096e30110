// Package spans writes the calls that links have seen as spans of OpenTelemetry,
// with the stable semantic conventions for HTTP, gRPC, PostgreSQL and Redis, and
// the link's own measurements beside them.
//
// A span is the client's view of a call: its kind is client, its service the
// link's client, and its times are when the client asked and when it had the
// answer. Statements lose their literals here, before anything is kept.
package spans

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/link"
	"github.com/rehearse-dev/rehearse/internal/wire"
	"github.com/rehearse-dev/rehearse/internal/wire/postgres"
)

// Maker makes the spans of one link. It is used by one goroutine at a time.
type Maker struct {
	spec       rehearse.LinkSpec
	statements statements
	spans      []rehearse.Span
}

// New makes the maker of a link's spans.
func New(spec rehearse.LinkSpec) *Maker {
	return &Maker{spec: spec, statements: statements{known: map[string]postgres.Statement{}}}
}

// Of are the spans of some calls. The slice, and their attributes, are good until
// the next call.
func (m *Maker) Of(calls []link.Call) []rehearse.Span {
	m.spans = slices.Grow(m.spans[:0], len(calls))[:len(calls)]
	for i := range calls {
		m.one(&m.spans[i], &calls[i])
	}
	return m.spans
}

// one makes a span in the place of an old one, whose memory it uses again.
func (m *Maker) one(s *rehearse.Span, c *link.Call) {
	*s = rehearse.Span{
		Trace: c.Context.Trace, ID: c.Context.Span, Parent: c.Parent.Span,
		Kind: rehearse.SpanClient, Service: m.spec.Client, Scope: rehearse.LinkScope,
		Start: c.Start, Duration: rehearse.Duration(c.End.Sub(c.Start)),
		Attributes: s.Attributes[:0],
	}
	switch c.Protocol {
	case wire.HTTP:
		http(s, &c.Exchange)
	case wire.PostgreSQL:
		m.postgres(s, &c.Exchange)
	case wire.Redis:
		redis(s, &c.Exchange)
	}
	if c.Abandoned != "" && s.Status != rehearse.StatusError {
		fail(s, c.Abandoned+"_hung_up")
	}
	m.measured(s, c)
}

// measured adds what the link knows of the call besides the protocol.
func (m *Maker) measured(s *rehearse.Span, c *link.Call) {
	add(s, "server.address", string(m.spec.Upstream))
	if len(m.spec.Ports) > 0 {
		add(s, "server.port", int64(m.spec.Ports[0]))
	}
	add(s, rehearse.AttrLink, string(m.spec.ID))
	add(s, rehearse.AttrConnection, c.Connection)
	add(s, rehearse.AttrNumber, int64(c.ID))
	add(s, rehearse.AttrQueue, milliseconds(c.Queue))
	add(s, rehearse.AttrShape, milliseconds(c.Shape))
	add(s, rehearse.AttrServer, milliseconds(c.Server))
	add(s, rehearse.AttrTransfer, milliseconds(c.Transfer))
	add(s, rehearse.AttrBytesUp, c.BytesUp)
	add(s, rehearse.AttrBytesDown, c.BytesDown)
	if c.Nominal {
		add(s, rehearse.AttrNominal, true)
	}
	if c.Faults != "" {
		add(s, rehearse.AttrFault, c.Faults)
	}
	if c.Abandoned != "" {
		add(s, rehearse.AttrAbandoned, c.Abandoned)
	}
}

// Connection is the span of a whole connection.
func (m *Maker) Connection(c link.Connection) rehearse.Span {
	s := rehearse.Span{
		Trace: c.Context.Trace, ID: c.Context.Span, Name: "connection to " + string(m.spec.Upstream),
		Kind: rehearse.SpanClient, Service: m.spec.Client, Scope: rehearse.LinkScope,
		Start: c.Opened, Duration: rehearse.Duration(c.Closed.Sub(c.Opened)),
	}
	add(&s, "network.transport", "tcp")
	add(&s, "server.address", string(m.spec.Upstream))
	add(&s, rehearse.AttrLink, string(m.spec.ID))
	add(&s, rehearse.AttrConnection, c.Number)
	why := c.Undecoded
	if why == "" {
		why = rehearse.UndecodedNothing
	}
	add(&s, rehearse.AttrUndecoded, why)
	add(&s, rehearse.AttrTurns, c.Turns)
	add(&s, rehearse.AttrBytesUp, c.BytesUp)
	add(&s, rehearse.AttrBytesDown, c.BytesDown)
	return s
}

// http follows https://opentelemetry.io/docs/specs/semconv/http/http-spans/ and,
// for gRPC, https://opentelemetry.io/docs/specs/semconv/rpc/grpc/. A query is not
// kept: it may hold anything.
func http(s *rehearse.Span, e *wire.Exchange) {
	if e.RPC {
		grpc(s, e)
		return
	}
	route := Route(e.Path)
	s.Name = e.Method + " " + route
	add(s, "http.request.method", e.Method)
	add(s, "url.path", e.Path)
	add(s, "http.route", route)
	if e.Status > 0 {
		add(s, "http.response.status_code", int64(e.Status))
	}
	if e.Status >= 400 {
		fail(s, strconv.Itoa(e.Status))
	}
	add(s, "network.protocol.name", "http")
	add(s, "network.protocol.version", e.Version)
	if e.Agent != "" {
		add(s, "user_agent.original", e.Agent)
	}
}

func grpc(s *rehearse.Span, e *wire.Exchange) {
	s.Name = strings.TrimPrefix(e.Path, "/")
	service, method, _ := strings.Cut(s.Name, "/")
	add(s, "rpc.system", "grpc")
	add(s, "rpc.service", service)
	add(s, "rpc.method", method)
	if e.GRPC >= 0 {
		add(s, "rpc.grpc.status_code", int64(e.GRPC))
	}
	switch {
	case e.GRPC > 0:
		fail(s, strconv.Itoa(e.GRPC))
	case e.Status >= 400:
		fail(s, "http_"+strconv.Itoa(e.Status))
	}
}

// postgres follows https://opentelemetry.io/docs/specs/semconv/database/postgresql/.
func (m *Maker) postgres(s *rehearse.Span, e *wire.Exchange) {
	n := m.statements.normal(e.Statement)
	s.Name = n.Summary
	if e.Tag == "PARSE" { // a round trip of its own, as drivers prepare
		s.Name = strings.TrimSpace("PREPARE " + n.Summary)
	}
	if s.Name == "" {
		s.Name = strings.ToUpper(e.Tag)
	}
	if s.Name == "" {
		s.Name = "EMPTY" // a statement of nothing but a comment, as drivers ping
	}
	add(s, "db.system.name", "postgresql")
	if e.Database != "" {
		add(s, "db.namespace", e.Database)
	}
	if n.Text != "" {
		add(s, "db.query.text", n.Text)
		add(s, "db.query.summary", n.Summary)
	}
	if n.Operation != "" {
		add(s, "db.operation.name", n.Operation)
	}
	if n.Collection != "" {
		add(s, "db.collection.name", n.Collection)
	}
	if e.Rows >= 0 {
		add(s, "db.response.returned_rows", e.Rows)
	}
	if e.Prepared {
		add(s, rehearse.AttrPrepared, true)
	}
	switch e.Transaction {
	case 'I':
		add(s, rehearse.AttrTransaction, "idle")
	case 'T':
		add(s, rehearse.AttrTransaction, "open")
	case 'E':
		add(s, rehearse.AttrTransaction, "failed")
	}
	if e.State != "" {
		add(s, "db.response.status_code", e.State)
		fail(s, e.State)
	}
	if context, ok := postgres.Comment(e.Statement); ok && s.Parent.IsZero() {
		s.Trace, s.Parent = context.Trace, context.Span
	}
}

// redis follows https://opentelemetry.io/docs/specs/semconv/database/redis/. Keys
// and values are not kept.
func redis(s *rehearse.Span, e *wire.Exchange) {
	s.Name = e.Command
	add(s, "db.system.name", "redis")
	add(s, "db.operation.name", e.Command)
	if e.ErrorCode != "" {
		add(s, "db.response.status_code", e.ErrorCode)
		fail(s, e.ErrorCode)
	}
}

func add(s *rehearse.Span, key string, value any) {
	s.Attributes = append(s.Attributes, rehearse.Attribute{Key: key, Value: value})
}

func fail(s *rehearse.Span, why string) {
	s.Status = rehearse.StatusError
	add(s, "error.type", why)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
