package diagnosis

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Populations are made by hand: a builder lays calls one behind the other, and
// the critical path is what it has laid.

var epoch = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func ms(v float64) rehearse.Duration { return rehearse.Duration(v * float64(time.Millisecond)) }

// builder lays out one trace of an operation of a service.
type builder struct {
	trace   rehearse.Trace
	service string
	at      rehearse.Duration
	parent  int
	next    *uint64
	sdk     bool
}

type call struct {
	edge, name                              string
	network, queue, shape, server, transfer float64 // ms
	connection, number                      int64
	down, rows                              int64
	fault, abandoned                        string
	status                                  any    // SQLSTATE, or HTTP's
	message                                 string // of a failure
	in                                      func(*builder)
}

func (b *builder) segment(node int, path string, kind rehearse.SegmentKind, d rehearse.Duration) {
	if d > 0 {
		b.trace.Critical = append(b.trace.Critical, rehearse.Segment{Node: node, Path: path, Kind: kind, Start: b.at, Length: d})
		b.at += d
	}
}

func (b *builder) node(n rehearse.Node) int {
	*b.next++
	n.Trace = b.trace.ID
	binary.BigEndian.PutUint64(n.ID[:], *b.next)
	n.Start = b.trace.Start.Add(time.Duration(b.at))
	n.Kind = rehearse.SpanClient
	b.trace.Nodes = append(b.trace.Nodes, n)
	return len(b.trace.Nodes) - 1
}

func (b *builder) self(d float64) { b.segment(b.parent, b.service, rehearse.SegmentSelf, ms(d)) }

func (b *builder) wait(edge string, d rehearse.Duration) {
	b.segment(b.parent, edge, rehearse.SegmentWait, d)
}

func (b *builder) call(c call) {
	path := c.edge + " " + c.name
	span := rehearse.Span{Name: c.name, Service: clientOf(linkOf(c.edge)), Scope: rehearse.LinkScope}
	if b.sdk && c.in == nil { // the SDK has its own name for the call
		span.Name, span.Scope = "pool.Query "+c.name, "pgx"
	}
	add := func(key string, v any) {
		span.Attributes = append(span.Attributes, rehearse.Attribute{Key: key, Value: v})
	}
	if c.fault != "" {
		add(rehearse.AttrFault, c.fault)
	}
	if c.down > 0 {
		add(rehearse.AttrBytesDown, c.down)
	}
	if c.rows > 0 {
		add("db.response.returned_rows", c.rows)
	}
	switch v := c.status.(type) {
	case string:
		add("db.response.status_code", v)
		span.Status = rehearse.StatusError
	case int64:
		add("http.response.status_code", v)
		if v >= 500 {
			span.Status = rehearse.StatusError
		}
	}
	if c.abandoned != "" {
		add(rehearse.AttrAbandoned, c.abandoned)
		span.Status = rehearse.StatusError
	}
	span.Message = c.message
	n := b.node(rehearse.Node{Span: span, Up: b.parent, Known: rehearse.KnownAlone, Wire: &rehearse.Wire{
		Link: linkOf(c.edge), Connection: c.connection, Number: c.number,
		Queue: ms(c.queue), Shape: ms(c.shape), Server: ms(c.server), Transfer: ms(c.transfer),
	}})
	from := b.at
	b.segment(n, path, rehearse.SegmentNetwork, ms(c.network))
	b.segment(n, path, rehearse.SegmentQueue, ms(c.queue))
	b.segment(n, path, rehearse.SegmentShape, ms(c.shape))
	if c.in != nil {
		service, parent := b.service, b.parent
		b.service, b.parent = upstreamOf(linkOf(c.edge)), n
		c.in(b)
		b.service, b.parent = service, parent
	} else {
		b.segment(n, path, rehearse.SegmentServer, ms(c.server))
	}
	b.segment(n, path, rehearse.SegmentTransfer, ms(c.transfer))
	b.trace.Nodes[n].Duration = b.at - from
}

// world makes the traces of one leg.
type world struct {
	random *rand.Rand
	next   uint64
	sdk    bool
	side   Side
}

func newWorld(name string, seed uint64) *world {
	return &world{
		random: rand.New(rand.NewPCG(seed, 7)),
		side:   Side{Name: name, Plan: &rehearse.Plan{Seed: seed}, Telemetry: &rehearse.Telemetry{}},
	}
}

// about is a duration that strays by a fifth.
func (w *world) about(v float64) float64 { return v * (1 + 0.2*w.random.NormFloat64()*0.5) }

// request adds a request that starts at a time, in seconds.
func (w *world) request(at float64, operation string, status int64, do func(*builder)) *rehearse.Trace {
	b := &builder{next: &w.next, sdk: w.sdk}
	b.trace.Operation = operation
	b.trace.Start = epoch.Add(time.Duration(at * float64(time.Second)))
	w.next++
	binary.BigEndian.PutUint64(b.trace.ID[:8], w.random.Uint64())
	binary.BigEndian.PutUint64(b.trace.ID[8:], w.next)
	var service, name string
	fmt.Sscanf(operation, "%s", &service)
	name = operation[len(service)+1:]
	b.parent = -1
	b.call(call{edge: "ingress" + arrow + service, name: name, status: status, in: func(b *builder) {
		if w.sdk {
			b.parent = b.node(rehearse.Node{Span: rehearse.Span{Name: name, Service: rehearse.ServiceName(service), Scope: "otelhttp"}, Up: 0, Known: rehearse.KnownSDK})
		}
		do(b)
		if w.sdk {
			b.trace.Nodes[b.parent].Duration = b.at
		}
	}})
	b.trace.Duration = b.at
	b.trace.Failed = b.trace.Nodes[0].Status == rehearse.StatusError
	w.side.Telemetry.Traces = append(w.side.Telemetry.Traces, b.trace)
	return &w.side.Telemetry.Traces[len(w.side.Telemetry.Traces)-1]
}

// poolWorld is a service with so many connections to a database, that does so
// many statements of one round trip each on one of them for each request. Its
// clients go after five seconds.
type poolWorld struct {
	service, upstream string
	size, trips       int
	rtt               float64 // ms
	rate              float64 // requests a second at the peak
	sdk               bool
	noPool            bool
}

func (p poolWorld) run(name string, seed uint64) Side {
	w := newWorld(name, seed)
	w.sdk = p.sdk
	edge := p.service + arrow + p.upstream
	var free []float64 // when each connection is free, in seconds
	for range p.size {
		free = append(free, 0)
	}
	var waits, holds, busy []time.Duration
	saturated := 0.0
	end := 0.0
	for at := 0.0; at < 15; {
		rate := 5.0
		if at > 3 && at < 12 {
			rate = p.rate
		}
		at += w.random.ExpFloat64() / rate
		read := w.random.IntN(5) == 0
		c := 0
		for i := range free {
			if free[i] < free[c] {
				c = i
			}
		}
		waited := max(0, free[c]-at-0.001)
		operation, trips := p.service+" POST /things", p.trips
		if read {
			operation, trips = p.service+" GET /things/{id}", 2
		}
		gone := waited > 4.5
		var status int64 = 201
		t := w.request(at, operation, status, func(b *builder) {
			b.self(1)
			if gone {
				b.wait(edge, ms(4999))
				return
			}
			b.wait(edge, ms(waited*1000))
			for i := range trips {
				b.call(call{edge: edge, name: fmt.Sprintf("SELECT t%d", i), connection: int64(c) + 1, number: int64(w.next), shape: w.about(p.rtt), server: w.about(0.4), transfer: 0.05})
				b.self(0.1)
			}
		})
		if gone {
			t.Failed = true
			t.Nodes[0].Status = rehearse.StatusError
			t.Nodes[0].Attributes = []rehearse.Attribute{{Key: rehearse.AttrAbandoned, Value: "client"}}
			continue
		}
		hold := t.Duration.Seconds() - waited - 0.001
		holds = append(holds, time.Duration(hold*1e9))
		if waited > 0 {
			waits = append(waits, time.Duration(waited*1e9))
			start := max(at, end)
			end = at + waited
			saturated += max(0, end-start)
		}
		n := 1
		for i := range free {
			if i != c && free[i] > at+waited {
				n++
			}
		}
		busy = append(busy, time.Duration(n))
		free[c] = at + waited + 0.001 + hold
	}
	w.side.Plan.Links = []rehearse.LinkSpec{{ID: linkOf(edge), Shape: rehearse.Symmetric(time.Duration(ms(p.rtt)), 0, 0)}}
	if !p.noPool {
		pool := rehearse.Pool{
			Link: linkOf(edge), Peak: int(slices.Max(busy)), Saturated: rehearse.Duration(saturated * 1e9),
			Waited: len(waits), Waits: quantiles(waits), Holds: quantiles(holds), Trips: float64(p.trips), RTT: ms(p.rtt),
			Examples: []rehearse.TraceID{w.side.Telemetry.Traces[len(w.side.Telemetry.Traces)/2].ID},
		}
		if len(waits) > 0 {
			pool.Size = p.size
		}
		w.side.Telemetry.Pools = []rehearse.Pool{pool}
	}
	return w.side
}

func quantiles(values []time.Duration) rehearse.Quantiles {
	q := rehearse.Quantiles{Count: int64(len(values))}
	if len(values) == 0 {
		return q
	}
	var sum time.Duration
	for _, v := range values {
		sum += v
	}
	slices.Sort(values)
	q.Mean = rehearse.Duration(sum / time.Duration(len(values)))
	q.P50, q.Min, q.Max = rehearse.Duration(rank(values, 50)), rehearse.Duration(values[0]), rehearse.Duration(values[len(values)-1])
	return q
}

// steady is a leg of n requests of one operation, ten a second.
func steady(name string, seed uint64, n int, operation string, do func(w *world, i int, b *builder) (status int64)) Side {
	w := newWorld(name, seed)
	for i := range n {
		var status int64 = 200
		t := w.request(float64(i)/10, operation, 200, func(b *builder) { status = do(w, i, b) })
		if status >= 500 {
			t.Failed = true
			t.Nodes[0].Status = rehearse.StatusError
			t.Nodes[0].Attributes = []rehearse.Attribute{{Key: "http.response.status_code", Value: status}}
		}
	}
	return w.side
}

// within gives a plan a threshold on durations.
func within(s Side, threshold string) Side {
	t, err := rehearse.ParseThreshold(threshold)
	if err != nil {
		panic("diagnosis: internal error: " + err.Error())
	}
	plan := *s.Plan
	plan.Steps = []rehearse.Step{{Load: &rehearse.LoadStep{Name: "peak", Thresholds: []rehearse.Threshold{t}}}}
	s.Plan = &plan
	return s
}
