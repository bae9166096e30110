package report

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// traceMaker puts a trace together.
type traceMaker struct {
	rehearse.Trace
	at rehearse.Duration // where the critical path has come to
}

func newTrace(n byte, operation string, start time.Duration, took rehearse.Duration) *traceMaker {
	m := &traceMaker{}
	m.ID = traceID(n)
	m.Start, m.Operation, m.Duration = began.Add(start), operation, took
	return m
}

func traceID(n byte) rehearse.TraceID {
	return rehearse.TraceID{0x4b, 0xf9, 0x2f, n, 0x57, 0x7b, 0x34, 0xda, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, n}
}

func (m *traceMaker) add(n rehearse.Node, at rehearse.Duration) int {
	n.Trace, n.Start = m.ID, m.Start.Add(time.Duration(at))
	binary.BigEndian.PutUint64(n.ID[:], uint64(len(m.Nodes)+1))
	m.Nodes = append(m.Nodes, n)
	return len(m.Nodes) - 1
}

// call is a link's span; its parts add up to its duration.
func (m *traceMaker) call(up int, known rehearse.Known, link rehearse.LinkID, name string, at, queue, shape, server, transfer rehearse.Duration) int {
	client, _, _ := strings.Cut(string(link), ":")
	return m.add(rehearse.Node{
		Span: rehearse.Span{Name: name, Kind: rehearse.SpanClient, Service: rehearse.ServiceName(client), Scope: rehearse.LinkScope, Duration: queue + shape + server + transfer,
			Attributes: []rehearse.Attribute{{Key: rehearse.AttrLink, Value: string(link)}}},
		Up: up, Known: known, Wire: &rehearse.Wire{Link: link, Connection: 1, Queue: queue, Shape: shape, Server: server, Transfer: transfer},
	}, at)
}

// span is an SDK's.
func (m *traceMaker) span(up int, service rehearse.ServiceName, name string, at, took rehearse.Duration) int {
	return m.add(rehearse.Node{Span: rehearse.Span{Name: name, Service: service, Duration: took}, Up: up, Known: rehearse.KnownSDK}, at)
}

// fail marks a node as failed, with a status.
func (m *traceMaker) fail(i int, key string, status any) {
	m.Nodes[i].Status = rehearse.StatusError
	m.Nodes[i].Attributes = append(m.Nodes[i].Attributes, rehearse.Attribute{Key: key, Value: status})
}

// waits appends to the critical path.
func (m *traceMaker) waits(node int, path string, kind rehearse.SegmentKind, length rehearse.Duration) {
	m.Critical = append(m.Critical, rehearse.Segment{Node: node, Path: path, Kind: kind, Start: m.at, Length: length})
	m.at += length
}

// quickTrace is a request on a flat network.
func quickTrace() rehearse.Trace {
	m := newTrace(1, "docgen POST /documents", 9*time.Second, 14*ms)
	root := m.call(-1, rehearse.KnownRoot, "ingress:docgen", "POST /documents", 0, 0, 0, 13*ms+ms/2, ms/2)
	m.waits(root, "docgen", rehearse.SegmentSelf, ms/2)
	at := ms / 2
	for _, name := range []string{"BEGIN", "SELECT templates", "SELECT customers", "INSERT documents", "COMMIT"} {
		c := m.call(root, rehearse.KnownAlone, "docgen:db", name, at, 0, 0, 3*ms/10, 0)
		m.waits(c, "docgen → db "+name, rehearse.SegmentServer, 3*ms/10)
		m.waits(root, "docgen", rehearse.SegmentSelf, ms/10)
		at += 4 * ms / 10
	}
	m.waits(root, "docgen", rehearse.SegmentSelf, 11*ms)
	m.waits(root, "outside → docgen POST /documents", rehearse.SegmentTransfer, ms/2)
	return m.Trace
}

// waitingTrace is a request that waits for a connection, and then for five round
// trips.
func waitingTrace() rehearse.Trace {
	m := newTrace(2, "docgen POST /documents", 31*time.Second, 1225*ms)
	root := m.call(-1, rehearse.KnownRoot, "ingress/eu-west-1:docgen", "POST /documents", 0, 0, 8*ms, 1216*ms, ms)
	m.waits(root, "outside → docgen POST /documents", rehearse.SegmentShape, 4*ms)
	m.waits(root, "docgen", rehearse.SegmentSelf, 2*ms)
	m.waits(root, "docgen → db", rehearse.SegmentWait, 778*ms)
	at := 784 * ms
	for _, name := range []string{"BEGIN", "SELECT templates", "SELECT customers", "INSERT documents", "COMMIT"} {
		known := rehearse.KnownOwned
		if name == "BEGIN" {
			known = rehearse.KnownTemplate
		}
		c := m.call(root, known, "docgen:db", name, at, 0, 84*ms, ms/2, 0)
		m.waits(c, "docgen → db "+name, rehearse.SegmentShape, 42*ms)
		m.waits(c, "docgen → db "+name, rehearse.SegmentServer, ms/2)
		m.waits(c, "docgen → db "+name, rehearse.SegmentShape, 42*ms)
		m.waits(root, "docgen", rehearse.SegmentSelf, ms/2)
		at += 85 * ms
	}
	m.waits(root, "docgen", rehearse.SegmentSelf, 11*ms)
	m.waits(root, "outside → docgen POST /documents", rehearse.SegmentShape, 4*ms)
	m.waits(root, "outside → docgen POST /documents", rehearse.SegmentTransfer, ms)
	return m.Trace
}

// failedTrace is a request that never got a connection, as its SDK tells it.
func failedTrace() rehearse.Trace {
	m := newTrace(3, "docgen POST /documents", 38*time.Second, 6010*ms)
	m.Failed = true
	root := m.call(-1, rehearse.KnownRoot, "ingress/eu-west-1:docgen", "POST /documents", 0, 0, 8*ms, 6002*ms, 0)
	m.fail(root, "http.response.status_code", int64(503))
	server := m.span(root, "docgen", "POST /documents", 4*ms, 6002*ms)
	m.Nodes[server].Known = rehearse.KnownHeader
	m.fail(server, "error.type", "pool_timeout")
	m.waits(root, "outside → docgen POST /documents", rehearse.SegmentShape, 4*ms)
	m.waits(server, "docgen", rehearse.SegmentSelf, 2*ms)
	m.waits(server, "docgen → db", rehearse.SegmentWait, 6000*ms)
	m.waits(root, "outside → docgen POST /documents", rehearse.SegmentShape, 4*ms)
	return m.Trace
}

// busyTrace has a bit of everything: equal calls with children of their own,
// errors, guesses, a fault, an SDK's span of a call, work that outlives the request.
func busyTrace() rehearse.Trace {
	m := newTrace(4, "docgen GET /documents/{id}", 21*time.Second, 640*ms)
	root := m.call(-1, rehearse.KnownRoot, "ingress/eu-west-1:docgen", "GET /documents/{id}", 0, 0, 8*ms, 592*ms, 40*ms)
	server := m.span(root, "docgen", "GET /documents/{id}", 4*ms, 592*ms)
	m.Nodes[server].Known = rehearse.KnownHeader
	m.waits(root, "outside → docgen GET /documents/{id}", rehearse.SegmentShape, 4*ms)
	query := m.call(server, rehearse.KnownSDK, "docgen:db", "SELECT documents", 6*ms, 3*ms, 84*ms, 10*ms, 0)
	m.Nodes[query].Duration += 20 * ms // the SDK began to count before the link did
	m.waits(server, "docgen", rehearse.SegmentSelf, 2*ms)
	m.waits(query, "docgen → db SELECT documents", rehearse.SegmentNetwork, 20*ms)
	m.waits(query, "docgen → db SELECT documents", rehearse.SegmentQueue, 3*ms)
	m.waits(query, "docgen → db SELECT documents", rehearse.SegmentShape, 84*ms)
	m.waits(query, "docgen → db SELECT documents", rehearse.SegmentServer, 10*ms)
	at := 125 * ms
	for i := range 14 {
		item := m.call(server, rehearse.KnownTemplate, "docgen:store", "GET /items/{id}", at, 0, 2*ms, 18*ms, ms)
		m.waits(item, "docgen → store GET /items/{id}", rehearse.SegmentShape, 2*ms)
		look := m.call(item, rehearse.KnownAlone, "store:cache", "GET", at+2*ms, 0, 0, ms, 0)
		m.waits(item, "store", rehearse.SegmentSelf, 18*ms)
		m.waits(item, "docgen → store GET /items/{id}", rehearse.SegmentTransfer, ms)
		if i == 9 {
			m.fail(look, "db.response.status_code", "WRONGTYPE")
		}
		at += 21 * ms
	}
	// Parents before children and siblings by start, all the same.
	lost := m.call(server, rehearse.KnownNothing, "docgen:db", "UPDATE documents", at, 0, 84*ms, 0, 0)
	m.Nodes[lost].Attributes = append(m.Nodes[lost].Attributes, rehearse.Attribute{Key: rehearse.AttrAbandoned, Value: "upstream"}, rehearse.Attribute{Key: rehearse.AttrFault, Value: "reset"})
	m.waits(lost, "docgen → db UPDATE documents", rehearse.SegmentShape, 84*ms)
	m.waits(server, "docgen", rehearse.SegmentSelf, 596*ms-m.at)
	m.waits(root, "outside → docgen GET /documents/{id}", rehearse.SegmentTransfer, 40*ms)
	m.waits(root, "outside → docgen GET /documents/{id}", rehearse.SegmentShape, 4*ms)
	m.call(server, rehearse.KnownNearest, "docgen:mailer", "POST /mails", 590*ms, 0, 0, 160*ms, 0)
	return m.Trace
}

func sampleLogs() []rehearse.LogRecord {
	at := func(d rehearse.Duration) time.Time { return began.Add(38*time.Second + time.Duration(d)) }
	span := rehearse.SpanID{7: 2}
	return []rehearse.LogRecord{
		{Time: at(5 * ms), Service: "docgen", Stream: "out", Severity: rehearse.SeverityInfo, Body: "creating a document", Trace: traceID(3), Span: span},
		{Time: at(3000 * ms), Service: "docgen", Severity: rehearse.SeverityWarn, Body: "still no connection after 3s", Trace: traceID(3), Span: span},
		{Time: began.Add(9*time.Second + 2*time.Millisecond), Service: "db", Stream: "err", Body: "of another trace", Trace: traceID(1)},
		{Time: at(6003 * ms), Service: "docgen", Stream: "err", Severity: rehearse.SeverityError, Body: "timeout: no connection became free", Trace: traceID(3)},
	}
}

// sampleTelemetry is what the legs of sampleReport leave.
func sampleTelemetry(which rehearse.Leg) *rehearse.Telemetry {
	if !which.Has(rehearse.FacetNetwork) {
		return &rehearse.Telemetry{
			Traces:   []rehearse.Trace{quickTrace()},
			Pools:    []rehearse.Pool{{Link: "docgen:db", Peak: 2, Holds: rehearse.Quantiles{Count: 960, P50: 2 * ms, P99: 3 * ms}, Trips: 5, RTT: 0}},
			Coverage: rehearse.Coverage{Calls: 5760, Context: 960, Certain: 4800},
			Result:   rehearse.TelemetryResult{Files: []rehearse.TelemetryFile{{Name: "telemetry/traces-000.otlp.zst", Signal: "traces", Count: 5760, SHA256: strings.Repeat("5e", 32)}}, Spans: 5760, Logs: 960, Quiet: true},
		}
	}
	return &rehearse.Telemetry{
		Traces: []rehearse.Trace{busyTrace(), waitingTrace(), failedTrace()},
		Pools: []rehearse.Pool{
			{Link: "docgen:db", Size: 10, Peak: 10, Lost: 4, Saturated: 28400 * ms, Waited: 812,
				Waits: rehearse.Quantiles{Count: 812, P50: 2100 * ms, P99: 5900 * ms}, Holds: rehearse.Quantiles{Count: 603, P50: 427 * ms, P99: 470 * ms},
				Trips: 5, RTT: 84 * ms, Examples: []rehearse.TraceID{traceID(2)}},
			{Link: "docgen:store", Peak: 3, Holds: rehearse.Quantiles{Count: 3360, P50: 21 * ms}, Trips: 1, RTT: 2 * ms},
		},
		Loose:    make([]rehearse.Node, 31),
		Coverage: rehearse.Coverage{Calls: 41310, Context: 4323, Certain: 35830, Inferred: 868, Unknown: 289},
		Logs:     sampleLogs(),
		Flaws:    map[string]int{"missing parent": 3, "clock skew": 12},
		Result: rehearse.TelemetryResult{
			Files: []rehearse.TelemetryFile{{Name: "telemetry/traces-000.otlp.zst", Signal: "traces", Count: 40110, SHA256: strings.Repeat("a7", 32)}},
			Spans: 41310, Lost: 1200, Logs: 2211, Metrics: 64,
			Refused:   map[rehearse.ServiceName]int64{"docgen": 12},
			Malformed: map[rehearse.ServiceName]int64{"store": 1},
			Undecoded: map[rehearse.LinkID]map[string]int64{"docgen:mailer": {"tls": 2}},
			Operations: []rehearse.OperationStats{{Link: "docgen:db", Service: "docgen", Name: "SELECT templates", Kind: rehearse.SpanClient, Count: 603,
				Duration: rehearse.Quantiles{Count: 603, P50: 84 * ms, P99: 97 * ms}}},
			Forwarded: 41000, Unforwarded: 310,
		},
	}
}

func sampleDiagnosis() *rehearse.Diagnosis {
	part := func(path string, kind rehearse.SegmentKind, passing, failing rehearse.Duration) rehearse.Contribution {
		return rehearse.Contribution{Path: path, Kind: kind, Passing: passing, Failing: failing, Change: failing - passing, Share: float64(failing-passing) / float64(1962*ms)}
	}
	select1 := part("docgen → db SELECT templates", rehearse.SegmentShape, 0, 84*ms+300000)
	select1.PassingCalls, select1.FailingCalls = 1, 1
	customers := part("docgen → db SELECT customers", rehearse.SegmentShape, 0, 84*ms+400000)
	customers.PassingCalls, customers.FailingCalls = 1, 1.25
	wait := part("docgen → db", rehearse.SegmentWait, 0, 1530*ms)
	wait.Examples = []rehearse.TraceID{traceID(2), traceID(3)}
	return &rehearse.Diagnosis{
		Failing: "production", Passing: "staging",
		Sentence: "POST /documents waits for a connection on docgen → db: each request holds one for 427ms, 5 sequential round trips × 84ms, and there are 10.",
		Facts: []rehearse.DiagnosisFact{
			{Text: "Of +1.96s, 1.53s (78%) is waiting for a connection on docgen → db.", Traces: []rehearse.TraceID{traceID(2), traceID(3)}},
			{Text: "5 sequential round trips × 84ms hold each connection for 427ms; in staging it is 2ms.", Traces: []rehearse.TraceID{traceID(2), traceID(99)}},
			{Text: "At most 10 connections were busy at once, and for 28.4s none was free; 10 / 427ms = 23.4 requests/s is all that they can serve, and 28/s arrive."},
		},
		Operations: []rehearse.OperationChange{{
			Operation: "docgen POST /documents",
			Passing:   rehearse.OperationFigures{Count: 720, Mean: 14 * ms, P50: 14 * ms, P99: 18 * ms},
			Failing:   rehearse.OperationFigures{Count: 722, Failed: 270, Mean: 1976 * ms, P50: 1210 * ms, P99: 6010 * ms},
			Change:    1962 * ms, Noise: 61 * ms,
			Parts: []rehearse.Contribution{
				wait, select1, customers,
				part("docgen → db BEGIN", rehearse.SegmentShape, 0, 84*ms+400000),
				part("docgen → db COMMIT", rehearse.SegmentShape, 0, 84*ms+400000),
				part("docgen → db INSERT documents", rehearse.SegmentShape, 0, 84*ms+500000),
				part("outside → docgen POST /documents", rehearse.SegmentShape, 0, 8*ms),
				part("docgen", rehearse.SegmentSelf, 12*ms, 13*ms),
				part("docgen → db SELECT templates", rehearse.SegmentServer, ms, ms/2),
				part("outside → docgen POST /documents", rehearse.SegmentTransfer, ms, 2*ms+500000),
			},
		}},
		Command: "rehearse trace show " + traceID(2).String(),
	}
}
