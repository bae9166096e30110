package trace_test

import (
	"container/heap"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// sim is a service "web" behind an ingress link that works on a database "db"
// through another, in virtual time. It knows what Assemble has to find out.
type sim struct {
	seed     uint64
	rate     float64 // requests per second, Poisson
	requests int
	size     int // of the pool
	ops      []simOp
	rtt      time.Duration // of the link to the database
	server   time.Duration // of the database, the mean of an exponential
	cpu      time.Duration // before the first call, uniform from half to three halves
	timeout  time.Duration // 0: none
	leak     bool          // what times out in a call keeps its place in the pool
	ping     time.Duration // on a connection of its own, 0: never
	ingress  rehearse.Shape
	sdk      bool // web's SDK tells of requests
	client   bool // and of its calls

	rand    *rand.Rand
	now     time.Duration
	events  events
	order   int
	ids     uint64
	idle    []*simConn
	opened  int // places of the pool in use, idle ones included
	conns   int64
	waiting []*simRequest

	spans []rehearse.Span
	// What is true.
	parents map[rehearse.SpanID]rehearse.SpanID // of a database call: the link's span of its request
	waits   map[rehearse.SpanID]time.Duration   // of a request
	leaked  int
}

type simOp struct {
	name     string
	weight   float64
	tx       bool // one transaction around all
	hold     bool // one connection for all, without a transaction
	parallel bool // all at once, each on a connection of its own
	calls    []string
}

type simConn struct {
	number, calls int64
}

type simRequest struct {
	op       simOp
	span     rehearse.SpanID // the link's
	trace    rehearse.TraceID
	server   rehearse.SpanID // the SDK's
	start    time.Duration
	asked    time.Duration // since when it waits for a connection
	wake     func(*simConn)
	done     bool
	deadline time.Duration
	pending  int
}

type simEvent struct {
	at    time.Duration
	order int
	do    func()
}

type events []simEvent

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(simEvent)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

var epoch = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

const ms = time.Millisecond

func (s *sim) after(d time.Duration, do func()) {
	s.order++
	heap.Push(&s.events, simEvent{s.now + d, s.order, do})
}

func (s *sim) id() (id rehearse.SpanID) {
	s.ids++
	binary.BigEndian.PutUint64(id[:], s.ids)
	return id
}

func (s *sim) newTrace() (id rehearse.TraceID) {
	s.ids++
	binary.BigEndian.PutUint64(id[8:], s.ids)
	id[0] = 1
	return id
}

// small is a think time.
func (s *sim) small() time.Duration {
	return ms/20 + time.Duration(s.rand.ExpFloat64()*0.1*float64(ms))
}

func (s *sim) links() []rehearse.LinkSpec {
	return []rehearse.LinkSpec{
		{ID: "ingress:web", Client: "ingress", Upstream: "web", Names: []string{"web"}, Shape: s.ingress},
		{ID: "web:db", Client: "web", Upstream: "db", Names: []string{"db"}, Shape: rehearse.Symmetric(s.rtt, 0, 0)},
	}
}

// run makes the spans.
func (s *sim) run() {
	s.rand = rand.New(rand.NewPCG(s.seed, 1))
	s.parents, s.waits = map[rehearse.SpanID]rehearse.SpanID{}, map[rehearse.SpanID]time.Duration{}
	at := time.Duration(0)
	for range s.requests {
		at += time.Duration(s.rand.ExpFloat64() / s.rate * float64(time.Second))
		op := s.pick()
		heap.Push(&s.events, simEvent{at, s.order, func() { s.arrive(op) }})
		s.order++
	}
	if s.ping > 0 {
		s.conns++
		conn := &simConn{number: s.conns}
		var ping func()
		ping = func() {
			s.call(nil, conn, "-- ping", "idle", func(bool) {})
			if s.now < at {
				s.after(s.ping, ping)
			}
		}
		s.after(s.ping, ping)
	}
	for len(s.events) > 0 {
		e := heap.Pop(&s.events).(simEvent)
		s.now = e.at
		e.do()
	}
}

func (s *sim) pick() simOp {
	total := 0.0
	for _, op := range s.ops {
		total += op.weight
	}
	x := s.rand.Float64() * total
	for _, op := range s.ops {
		if x -= op.weight; x < 0 {
			return op
		}
	}
	return s.ops[0]
}

func (s *sim) arrive(op simOp) {
	r := &simRequest{op: op, span: s.id(), trace: s.newTrace(), start: s.now, deadline: 1 << 60}
	if s.sdk {
		r.server = s.id()
	}
	up := time.Duration(s.ingress.Up.Delay)
	s.after(up+s.small(), func() {
		begun := s.now
		if s.timeout > 0 {
			r.deadline = begun + s.timeout
			s.after(s.timeout, func() { s.expire(r, begun) })
		}
		think := s.cpu/2 + time.Duration(s.rand.Float64()*float64(s.cpu))
		s.after(think+s.small(), func() { s.work(r, begun) })
	})
}

// work makes the calls of a request.
func (s *sim) work(r *simRequest, begun time.Duration) {
	finish := func() { s.after(s.small(), func() { s.answer(r, begun, false) }) }
	calls := r.op.calls
	if r.op.tx {
		calls = append(append([]string{"BEGIN"}, calls...), "COMMIT")
	}
	switch {
	case len(calls) == 0:
		finish()
	case r.op.parallel:
		r.pending = len(calls)
		for _, c := range calls {
			s.acquire(r, func(conn *simConn) {
				s.call(r, conn, c, "idle", func(ok bool) {
					if !ok {
						return
					}
					s.release(conn)
					if r.pending--; r.pending == 0 {
						finish()
					}
				})
			})
		}
	case r.op.tx || r.op.hold:
		s.acquire(r, func(conn *simConn) {
			var next func(k int)
			next = func(k int) {
				tx := "idle"
				if r.op.tx && k < len(calls)-1 {
					tx = "open"
				}
				s.call(r, conn, calls[k], tx, func(ok bool) {
					switch {
					case !ok:
					case k+1 < len(calls):
						s.after(s.small(), func() { next(k + 1) })
					default:
						s.release(conn)
						finish()
					}
				})
			}
			next(0)
		})
	default:
		var next func(k int)
		next = func(k int) {
			s.acquire(r, func(conn *simConn) {
				s.call(r, conn, calls[k], "idle", func(ok bool) {
					if !ok {
						return
					}
					s.release(conn)
					if k+1 < len(calls) {
						s.after(s.small(), func() { next(k + 1) })
					} else {
						finish()
					}
				})
			})
		}
		next(0)
	}
}

// acquire gives a connection to a request, in turn.
func (s *sim) acquire(r *simRequest, use func(*simConn)) {
	if r.done {
		return
	}
	if n := len(s.idle); n > 0 {
		conn := s.idle[n-1]
		s.idle = s.idle[:n-1]
		use(conn)
		return
	}
	if s.opened < s.size {
		s.opened++
		s.conns++
		use(&simConn{number: s.conns})
		return
	}
	asked := s.now
	w := &simRequest{}
	*w = *r
	w.wake = func(conn *simConn) {
		if r.done {
			s.give(conn)
			return
		}
		s.waits[r.span] += s.now - asked
		s.after(s.small()/4, func() { use(conn) })
	}
	r.asked = asked
	s.waiting = append(s.waiting, w)
}

func (s *sim) release(conn *simConn) { s.after(s.small()/4, func() { s.give(conn) }) }

func (s *sim) give(conn *simConn) {
	if len(s.waiting) == 0 {
		s.idle = append(s.idle, conn)
		return
	}
	w := s.waiting[0]
	s.waiting = s.waiting[1:]
	w.wake(conn)
}

// expire answers a request whose time is up. What it has in flight on a
// connection ends by itself.
func (s *sim) expire(r *simRequest, begun time.Duration) {
	if r.done {
		return
	}
	if r.asked > 0 && r.pending == 0 {
		s.waits[r.span] += s.now - r.asked
	}
	s.after(s.small(), func() { s.answer(r, begun, true) })
}

func (s *sim) answer(r *simRequest, begun time.Duration, failed bool) {
	if r.done {
		return
	}
	r.done = true
	ended := s.now
	status := rehearse.StatusUnset
	if failed {
		status = rehearse.StatusError
	}
	if s.sdk {
		s.spans = append(s.spans, rehearse.Span{
			Trace: r.trace, ID: r.server, Parent: r.span, Name: r.op.name, Kind: rehearse.SpanServer, Service: "web", Scope: "http",
			Start: epoch.Add(begun), Duration: rehearse.Duration(ended - begun), Status: status,
		})
	}
	up, down := time.Duration(s.ingress.Up.Delay), time.Duration(s.ingress.Down.Delay)
	total := ended - r.start + down
	s.spans = append(s.spans, rehearse.Span{
		Trace: r.trace, ID: r.span, Name: r.op.name, Kind: rehearse.SpanServer, Service: "ingress", Scope: rehearse.LinkScope,
		Start: epoch.Add(r.start), Duration: rehearse.Duration(total), Status: status,
		Attributes: []rehearse.Attribute{
			{Key: rehearse.AttrLink, Value: "ingress:web"}, {Key: rehearse.AttrConnection, Value: int64(binary.BigEndian.Uint64(r.span[:]))}, {Key: rehearse.AttrNumber, Value: int64(1)},
			{Key: "http.request.method", Value: "GET"},
			{Key: rehearse.AttrShape, Value: float64(up+down) / float64(ms)}, {Key: rehearse.AttrServer, Value: float64(total-up-down) / float64(ms)},
		},
	})
}

// call is one call on a connection; r is nil for a ping.
func (s *sim) call(r *simRequest, conn *simConn, name, tx string, then func(ok bool)) {
	if r != nil {
		r.asked = 0
	}
	server := time.Duration(s.rand.ExpFloat64() * float64(s.server))
	begun, length := s.now, s.rtt+server
	conn.calls++
	number, cut := conn.calls, false
	if r != nil && begun >= r.deadline {
		cut, length = true, 0
	} else if r != nil && begun+length > r.deadline {
		cut, length = true, r.deadline-begun
	}
	s.after(length, func() {
		span := rehearse.Span{
			Trace: s.newTrace(), ID: s.id(), Name: name, Kind: rehearse.SpanClient, Service: "web", Scope: rehearse.LinkScope,
			Start: epoch.Add(begun), Duration: rehearse.Duration(length),
			Attributes: []rehearse.Attribute{
				{Key: rehearse.AttrLink, Value: "web:db"}, {Key: rehearse.AttrConnection, Value: conn.number}, {Key: rehearse.AttrNumber, Value: number},
				{Key: "db.system.name", Value: "postgresql"},
				{Key: rehearse.AttrShape, Value: float64(min(s.rtt, length)) / float64(ms)}, {Key: rehearse.AttrServer, Value: float64(length-min(s.rtt, length)) / float64(ms)},
			},
		}
		if cut {
			span.Status = rehearse.StatusError
			span.Attributes = append(span.Attributes, rehearse.Attribute{Key: rehearse.AttrAbandoned, Value: "client"})
		} else {
			span.Attributes = append(span.Attributes, rehearse.Attribute{Key: rehearse.AttrTransaction, Value: tx})
		}
		s.spans = append(s.spans, span)
		if r != nil {
			s.parents[span.ID] = r.span
			if s.client {
				s.spans = append(s.spans, rehearse.Span{
					Trace: r.trace, ID: s.id(), Parent: r.server, Name: "query", Kind: rehearse.SpanClient, Service: "web", Scope: "pgx",
					Start: epoch.Add(begun - ms/50), Duration: rehearse.Duration(length + ms/25), Status: span.Status,
					Attributes: []rehearse.Attribute{{Key: "db.system", Value: "postgresql"}, {Key: "db.statement", Value: name}},
				})
			}
		}
		if cut {
			if s.leak {
				s.leaked++
			} else {
				s.conns++
				s.give(&simConn{number: s.conns}) // another one in its place
			}
		}
		then(!cut)
	})
}
