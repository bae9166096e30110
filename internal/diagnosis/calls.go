package diagnosis

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// calls sum up calls of some traces.
type calls struct {
	traces                       int // that were looked at
	count                        int
	failed                       int
	opened                       int // were the first on their connection
	left                         int // were given up by their client
	length, shape, server, queue time.Duration
	transfer                     time.Duration
	lengths, shapes, serving     []time.Duration
	up, down                     float64 // bytes
	rows                         float64
	faults                       map[string]int
	sequential                   float64 // a trace: calls of which none began before the one before it had ended, at most
}

// callsOf looks at the calls that match.
func callsOf(traces []*rehearse.Trace, match func(*rehearse.Node) bool) calls {
	c := calls{traces: len(traces), faults: map[string]int{}}
	chained := 0
	for _, t := range traces {
		var of []*rehearse.Node
		for i := range t.Nodes {
			if n := &t.Nodes[i]; n.Wire != nil && match(n) {
				of = append(of, n)
				c.add(n)
			}
		}
		chained += sequential(of)
	}
	if len(traces) > 0 {
		c.sequential = float64(chained) / float64(len(traces))
	}
	return c
}

func (c *calls) add(n *rehearse.Node) {
	c.count++
	if n.Status == rehearse.StatusError {
		c.failed++
	}
	if n.Span.Text(rehearse.AttrAbandoned) == "client" {
		c.left++
	}
	if n.Wire.Number == 1 {
		c.opened++
	}
	c.length += time.Duration(n.Duration)
	c.shape += time.Duration(n.Wire.Shape)
	c.server += time.Duration(n.Wire.Server)
	c.queue += time.Duration(n.Wire.Queue)
	c.transfer += time.Duration(n.Wire.Transfer)
	c.lengths = append(c.lengths, time.Duration(n.Duration))
	c.shapes = append(c.shapes, time.Duration(n.Wire.Shape))
	c.serving = append(c.serving, time.Duration(n.Wire.Server))
	for _, a := range []struct {
		key string
		sum *float64
	}{{rehearse.AttrBytesUp, &c.up}, {rehearse.AttrBytesDown, &c.down}, {"db.response.returned_rows", &c.rows}} {
		v, _ := n.Span.Number(a.key)
		*a.sum += v
	}
	for name := range strings.SplitSeq(n.Span.Text(rehearse.AttrFault), ",") {
		if name != "" {
			c.faults[name]++
		}
	}
}

// seen is the time that the links have seen of the calls.
func (c calls) seen() time.Duration { return c.queue + c.shape + c.server + c.transfer }

// each is a sum for one call.
func (c calls) each(sum time.Duration) time.Duration { return sum / time.Duration(max(c.count, 1)) }

// request is a sum for one request.
func (c calls) request(sum time.Duration) time.Duration { return sum / time.Duration(max(c.traces, 1)) }

// perRequest is the number of calls a request.
func (c calls) perRequest() float64 { return share(c.count, c.traces) }

// fault is the one in force on most calls, and on what share.
func (c calls) fault() (name string, of float64) {
	most := 0
	for _, f := range slices.Sorted(maps.Keys(c.faults)) {
		if c.faults[f] > most {
			name, most = f, c.faults[f]
		}
	}
	return name, share(most, c.count)
}

// on matches the calls of an edge.
func on(edge string) func(*rehearse.Node) bool {
	return func(n *rehearse.Node) bool { return edgeOfLink(n.Wire.Link) == edge }
}

// along matches the calls of a path.
func (n names) along(path string) func(*rehearse.Node) bool {
	return func(node *rehearse.Node) bool { return n.path(node) == path }
}

// sequential is the length of the longest chain of calls each of which begins
// after the one before it has ended.
func sequential(nodes []*rehearse.Node) int {
	slices.SortFunc(nodes, func(a, b *rehearse.Node) int { return cmp.Or(a.End().Compare(b.End()), a.Start.Compare(b.Start)) })
	chain := 0
	var end time.Time
	for _, n := range nodes {
		if chain == 0 || !n.Start.Before(end) {
			chain++
			end = n.End()
		}
	}
	return chain
}

// hold is how requests of an operation keep a connection, the medians.
type hold struct {
	operation            string
	count                int
	length               time.Duration // from its first call on the connection to the end of its last
	total                time.Duration // of all requests
	shape, server, other time.Duration // of length: on the way, at the upstream, and between the calls
	rtt                  time.Duration // on the way, a call
	trips                int
}

// holds are those of a link, the operation that keeps its connections for the
// most time in all first. What failed was cut short and counts only where
// nothing else does.
func holds(t *rehearse.Telemetry, link rehearse.LinkID) []hold {
	var out []hold
	for name, traces := range entries(t) {
		var good []*rehearse.Trace
		for _, t := range traces {
			if !t.Failed {
				good = append(good, t)
			}
		}
		h := holdOf(good, link)
		if h.count < 3 {
			h = holdOf(traces, link)
		}
		if h.count > 0 {
			h.operation = name
			out = append(out, h)
		}
	}
	slices.SortFunc(out, func(a, b hold) int {
		return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.operation, b.operation))
	})
	return out
}

func holdOf(traces []*rehearse.Trace, link rehearse.LinkID) hold {
	var h hold
	var lengths, shapes, servers, others, rtts, trips []time.Duration
	for _, t := range traces {
		connections := map[int64][]*rehearse.Node{}
		for i := range t.Nodes {
			if n := &t.Nodes[i]; n.Wire != nil && n.Wire.Link == link {
				connections[n.Wire.Connection] = append(connections[n.Wire.Connection], n)
			}
		}
		for _, nodes := range connections {
			trips = append(trips, time.Duration(sequential(nodes)))
			first, last := nodes[0].Start, nodes[0].End()
			var shape, server, length time.Duration
			for _, n := range nodes {
				first = minTime(first, n.Start)
				if n.End().After(last) {
					last = n.End()
				}
				shape += time.Duration(n.Wire.Shape)
				server += time.Duration(n.Wire.Server)
				length += time.Duration(n.Duration)
				rtts = append(rtts, time.Duration(n.Wire.Shape))
			}
			lengths = append(lengths, last.Sub(first))
			shapes = append(shapes, shape)
			servers = append(servers, server)
			others = append(others, last.Sub(first)-length)
			h.total += last.Sub(first)
		}
	}
	h.count = len(lengths)
	h.length, h.shape, h.server, h.other = median(lengths), median(shapes), median(servers), median(others)
	h.rtt, h.trips = median(rtts), int(median(trips))
	return h
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// poolOf is the link's pool that made most requests wait; nil: there is none.
func poolOf(t *rehearse.Telemetry, link rehearse.LinkID) *rehearse.Pool {
	var best *rehearse.Pool
	for i := range t.Pools {
		p := &t.Pools[i]
		if p.Link == link && (best == nil || cmp.Or(cmp.Compare(p.Waited, best.Waited), cmp.Compare(p.Size, best.Size), cmp.Compare(p.Peak, best.Peak)) > 0) {
			best = p
		}
	}
	return best
}
