package trace

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// The flaws that Assemble counts in Telemetry.Flaws.
const (
	FlawDuplicate = "duplicate span"      // the same ids twice: one is kept
	FlawMissing   = "missing parent"      // the parent never came: the span is a root
	FlawCycle     = "cycle"               // a span is its own ancestor: one of them is a root
	FlawSkew      = "clock skew"          // a server's span lay outside of the call: moved into it
	FlawDuration  = "impossible duration" // it ended before it began, or decades later: cut to size
)

// Assemble makes telemetry of the spans and logs of one leg: traces with their
// critical paths, pools, and what remains. Links are the plan's; r is handed on.
// It does not keep or change its arguments. A million spans take a few seconds.
//
// Each span is a node of one trace, or is loose, or is counted as
// [FlawDuplicate], or is the link's span of a node that has Wire and is an SDK's.
func Assemble(spans []rehearse.Span, logs []rehearse.LogRecord, links []rehearse.LinkSpec, r rehearse.TelemetryResult) *rehearse.Telemetry {
	f := newForest(spans, links)
	f.join()
	f.cut()
	f.straighten()
	f.fold()
	f.infer()
	f.cut()
	f.children()
	f.settle()
	t := &rehearse.Telemetry{Flaws: f.flaws, Result: r}
	w := f.pools(t)
	f.traces(t, w)
	t.Coverage = f.coverage()
	t.Logs = f.logs(logs)
	return t
}

// settle keeps as a trace what hangs below a call whose request is unknown.
func (f *forest) settle() {
	for i := range f.nodes {
		if n := &f.nodes[i]; n.loose && len(f.below(int32(i))) > 0 {
			n.loose = false
		}
	}
}

// traces makes the traces and the loose nodes, in order.
func (f *forest) traces(t *rehearse.Telemetry, w *waits) {
	byID := map[rehearse.TraceID][]int32{}
	var ids []rehearse.TraceID
	// Nodes are in order of their start, and so are the roots of each trace.
	for i := range f.nodes {
		n := &f.nodes[i]
		switch {
		case n.folded:
		case n.loose:
			t.Loose = append(t.Loose, rehearse.Node{Span: *n.span, Up: -1, Known: rehearse.KnownNothing, Wire: n.wire})
		case n.up < 0:
			if _, ok := byID[n.span.Trace]; !ok {
				ids = append(ids, n.span.Trace)
			}
			byID[n.span.Trace] = append(byID[n.span.Trace], int32(i))
		}
	}
	t.Traces = make([]rehearse.Trace, 0, len(ids))
	p := &path{forest: f, waits: w}
	for _, id := range ids {
		t.Traces = append(t.Traces, f.trace(id, byID[id], p))
	}
	slices.SortStableFunc(t.Traces, func(x, y rehearse.Trace) int { return x.Start.Compare(y.Start) })
}

// trace makes one trace of its roots, the earliest of which is the root.
func (f *forest) trace(id rehearse.TraceID, roots []int32, p *path) rehearse.Trace {
	// A root that is one by right goes before those that lost their parents.
	slices.SortStableFunc(roots, func(x, y int32) int {
		return cmp.Compare(rank(f.nodes[x].known), rank(f.nodes[y].known))
	})
	root := &f.nodes[roots[0]]
	out := rehearse.Trace{
		ID: id, Start: root.span.Start, Duration: root.span.Duration,
		Operation: Operation(root.span), Failed: root.span.Status == rehearse.StatusError,
	}
	type item struct {
		node int32
		up   int
	}
	var stack []item
	for _, r := range slices.Backward(roots) {
		stack = append(stack, item{r, -1})
	}
	for len(stack) > 0 {
		it := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n := &f.nodes[it.node]
		if n.span.Trace != id {
			f.moved[n.span.Trace] = id
			n.span.Trace = id
		}
		n.at = int32(len(out.Nodes))
		node := rehearse.Node{Span: *n.span, Up: it.up, Known: n.known, Wire: n.wire}
		if n.up >= 0 {
			node.Span.Parent = f.nodes[n.up].span.ID
		}
		out.Nodes = append(out.Nodes, node)
		for _, c := range slices.Backward(f.below(it.node)) {
			stack = append(stack, item{c, int(n.at)})
		}
	}
	out.Critical = p.of(roots[0])
	return out
}

func rank(k rehearse.Known) int {
	if k == rehearse.KnownRoot {
		return 0
	}
	return 1
}

// coverage counts calls by how their parents are known.
func (f *forest) coverage() (c rehearse.Coverage) {
	for i := range f.nodes {
		n := &f.nodes[i]
		if n.wire == nil || n.wire.Undecoded != "" || n.edge.ingress || n.background {
			continue
		}
		if n.folded {
			continue // its SDK's span counts
		}
		c.Calls++
		switch n.known {
		case rehearse.KnownHeader, rehearse.KnownSDK, rehearse.KnownRoot:
			c.Context++
		case rehearse.KnownAlone, rehearse.KnownOwned:
			c.Certain++
		case rehearse.KnownTemplate, rehearse.KnownNearest:
			c.Inferred++
		default:
			c.Unknown++
		}
	}
	return c
}

// logs are the records by time, in the traces that their spans are in now.
func (f *forest) logs(logs []rehearse.LogRecord) []rehearse.LogRecord {
	logs = slices.Clone(logs)
	for i := range logs {
		l := &logs[i]
		if n, ok := f.byID[spanKey{l.Trace, l.Span}]; ok {
			l.Trace = f.nodes[n].span.Trace
		} else if id, ok := f.moved[l.Trace]; ok {
			l.Trace = id
		}
	}
	slices.SortStableFunc(logs, func(x, y rehearse.LogRecord) int {
		return cmp.Or(x.Time.Compare(y.Time), cmp.Compare(x.Service, y.Service), cmp.Compare(x.Stream, y.Stream), strings.Compare(x.Body, y.Body))
	})
	return logs
}

// never is longer than any span, and twice of it is still a number.
const never = time.Duration(1) << 61
