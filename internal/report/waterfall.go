package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// waterfall is a trace laid out in lines, for text and for pictures alike.
type waterfall struct {
	trace *rehearse.Trace
	lines []line
	to    rehearse.Duration // the end of the time axis, which begins with the trace

	children map[int][]int                 // of a node; -1 has the roots
	waits    map[int][]rehearse.Segment    // of the critical path, by node
	notes    map[int][]*rehearse.LogRecord // of the trace, by node
}

// line is a span, or several equal siblings, or a log record.
type line struct {
	depth int
	nodes []int               // of the trace; none for a log record
	log   *rehearse.LogRecord // nil for spans
}

// minGroup is how many equal siblings make one line: fewer are worth their own.
const minGroup = 4

// newWaterfall puts every node of the trace into exactly one line, and each log
// record of the trace among the children of its span, or of the root, by time.
func newWaterfall(t *rehearse.Trace, logs []rehearse.LogRecord) *waterfall {
	w := &waterfall{
		trace: t, to: max(t.Duration, 1),
		children: map[int][]int{}, waits: map[int][]rehearse.Segment{}, notes: map[int][]*rehearse.LogRecord{},
	}
	// A request may leave work behind, but what matters is the request.
	limit := w.to
	if w.to < math.MaxInt64/3 {
		limit = 3 * w.to
	}
	at := map[rehearse.SpanID]int{}
	for i := range t.Nodes {
		n := &t.Nodes[i]
		up := n.Up
		if up < 0 || up >= i { // parents stand before their children
			up = -1
		}
		w.children[up] = append(w.children[up], i)
		at[n.ID] = i
		_, end := w.times(i)
		w.to = min(max(w.to, end), limit)
	}
	for _, s := range t.Critical {
		w.waits[s.Node] = append(w.waits[s.Node], s)
	}
	for i := range logs {
		if logs[i].Trace != t.ID {
			continue
		}
		node := at[logs[i].Span] // of the root, when its span is not here
		w.notes[node] = append(w.notes[node], &logs[i])
	}
	w.add([]int{-1}, 0)
	return w
}

// add appends the lines below some equal parents: their children and the log
// records of each, by time.
func (w *waterfall) add(parents []int, depth int) {
	var below []line
	groups := map[string]int{}
	for _, p := range parents {
		for _, c := range w.children[p] {
			key := w.kin(c)
			if g, ok := groups[key]; ok {
				below[g].nodes = append(below[g].nodes, c)
				continue
			}
			groups[key] = len(below)
			below = append(below, line{depth: depth, nodes: []int{c}})
		}
	}
	var lines []line
	for _, l := range below {
		if len(l.nodes) >= minGroup {
			lines = append(lines, l)
			continue
		}
		for _, n := range l.nodes {
			lines = append(lines, line{depth: depth, nodes: []int{n}})
		}
	}
	for _, p := range parents {
		for _, rec := range w.notes[p] {
			lines = append(lines, line{depth: depth, log: rec})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(w.begin(a), w.begin(b)) })
	for _, l := range lines {
		w.lines = append(w.lines, l)
		if l.log == nil {
			w.add(l.nodes, depth+1)
		}
	}
}

// kin is the same for siblings that a reader need not tell apart.
func (w *waterfall) kin(i int) string {
	n := &w.trace.Nodes[i]
	var link rehearse.LinkID
	if n.Wire != nil {
		link = n.Wire.Link
	}
	return fmt.Sprint(n.Name, "\x00", n.Service, "\x00", link, "\x00", n.Kind, "\x00", n.Status, "\x00", trouble(n), "\x00", certainty(n.Known))
}

// begin is when a line begins, since the trace's start.
func (w *waterfall) begin(l line) rehearse.Duration {
	if l.log != nil {
		return since(l.log.Time, w.trace.Start)
	}
	from, _ := w.times(l.nodes[0])
	return from
}

// times are a node's start and end since the trace's start.
func (w *waterfall) times(i int) (from, to rehearse.Duration) {
	n := &w.trace.Nodes[i]
	from = since(n.Start, w.trace.Start)
	return from, from + min(max(n.Duration, 0), math.MaxInt64/4)
}

// since is a difference that leaves room to calculate with it.
func since(at, start time.Time) rehearse.Duration {
	return rehearse.Duration(min(max(at.Sub(start), math.MinInt64/4), math.MaxInt64/4))
}

// took is the time of a line's spans, added up.
func (w *waterfall) took(l line) rehearse.Duration {
	var sum rehearse.Duration
	for _, n := range l.nodes {
		sum += max(w.trace.Nodes[n].Duration, 0)
	}
	return sum
}

// first is a line's first span, which stands for all of them.
func (w *waterfall) first(l line) *rehearse.Node { return &w.trace.Nodes[l.nodes[0]] }

// name is what was done, as in "SELECT templates ×14".
func (w *waterfall) name(l line) string {
	name := plain(w.first(l).Name)
	if len(l.nodes) > 1 {
		name += fmt.Sprintf(" ×%d", len(l.nodes))
	}
	return name
}

// place is the service that worked, or for a call whom a link called: "→ db".
func (w *waterfall) place(l line) string {
	n := w.first(l)
	if n.Wire != nil {
		if _, upstream, ok := strings.Cut(string(n.Wire.Link), ":"); ok {
			return "→ " + plain(upstream)
		}
	}
	return plain(string(n.Service))
}

// piece is a part of a line's bar: what happened from when to when.
type piece struct {
	kind     rehearse.SegmentKind
	from, to rehearse.Duration
	critical bool // the request waited for it
}

// pieces are a line's bar. Those of the critical path come last and lie over the
// others. Of a call that is not on it, a link knows how long each part was but
// not when: half of the shape stands on each side of the server.
func (w *waterfall) pieces(l line) []piece {
	var out []piece
	for _, i := range l.nodes {
		out = append(out, w.base(i)...)
	}
	for _, i := range l.nodes {
		for _, s := range w.waits[i] {
			out = append(out, piece{s.Kind, s.Start, s.Start + s.Length, true})
		}
	}
	return out
}

// base are the parts of one node's bar, whatever the request waited for.
func (w *waterfall) base(i int) []piece {
	n := &w.trace.Nodes[i]
	from, to := w.times(i)
	if n.Wire == nil || n.Wire.Undecoded != "" {
		return []piece{{kind: rehearse.SegmentSelf, from: from, to: max(to, from+1)}}
	}
	server := rehearse.SegmentServer
	if len(w.children[i]) > 0 { // spans look into what was called
		server = rehearse.SegmentSelf
	}
	parts := []struct {
		kind   rehearse.SegmentKind
		length rehearse.Duration
	}{
		{rehearse.SegmentQueue, n.Wire.Queue},
		{rehearse.SegmentShape, n.Wire.Shape / 2},
		{server, n.Wire.Server},
		{rehearse.SegmentShape, n.Wire.Shape - n.Wire.Shape/2},
		{rehearse.SegmentTransfer, n.Wire.Transfer},
	}
	// An SDK's span of the call begins before the link saw any of it.
	before := to - from
	for _, p := range parts {
		before -= max(p.length, 0)
	}
	var out []piece
	at := from
	add := func(kind rehearse.SegmentKind, length rehearse.Duration) {
		if end := min(at+length, to); end > at {
			out = append(out, piece{kind: kind, from: at, to: end})
			at = end
		}
	}
	add(rehearse.SegmentSelf, before)
	for _, p := range parts {
		add(p.kind, p.length)
	}
	if out == nil {
		out = []piece{{kind: server, from: from, to: from + 1}}
	}
	return out
}

// waited is how much of the critical path is a line's.
func (w *waterfall) waited(l line) rehearse.Duration {
	var sum rehearse.Duration
	for _, i := range l.nodes {
		for _, s := range w.waits[i] {
			sum += s.Length
		}
	}
	return sum
}

// split is what a link measured of a line's calls, added up; ok is false when no
// link did.
func (w *waterfall) split(l line) (sum rehearse.Wire, ok bool) {
	for _, i := range l.nodes {
		if m := w.trace.Nodes[i].Wire; m != nil && m.Undecoded == "" {
			sum.Queue += m.Queue
			sum.Shape += m.Shape
			sum.Server += m.Server
			sum.Transfer += m.Transfer
			ok = true
		}
	}
	return sum, ok
}

// criticalRow is one place of the critical path and what was waited for there.
type criticalRow struct {
	Path, Kind  string
	Time, Share string
}

// maxPlaces is how many rows the sum of a critical path has at most.
const maxPlaces = 10

// critical sums up the critical path by path and kind, the longest first and the
// shortest together. The shares are rounded so that they add up to 100 %.
func (w *waterfall) critical() []criticalRow {
	type key struct {
		path string
		kind rehearse.SegmentKind
	}
	var keys []key
	length := map[key]rehearse.Duration{}
	for _, s := range w.trace.Critical {
		k := key{s.Path, s.Kind}
		if _, ok := length[k]; !ok {
			keys = append(keys, k)
		}
		length[k] += s.Length
	}
	slices.SortStableFunc(keys, func(a, b key) int { return cmp.Compare(length[b], length[a]) })
	var rows []criticalRow
	var parts []float64
	var whole, rest float64
	for i, k := range keys {
		part := float64(length[k])
		whole += part
		if i < maxPlaces-1 || len(keys) == maxPlaces {
			rows = append(rows, criticalRow{Path: plain(k.path), Kind: kindText(k.kind), Time: short(length[k], true)})
			parts = append(parts, part)
		} else {
			rest += part
		}
	}
	if whole <= 0 {
		return nil
	}
	if len(rows) < len(keys) {
		rows = append(rows, criticalRow{Path: fmt.Sprintf("%d others", len(keys)-len(rows)), Time: short(rehearse.Duration(rest), true)})
		parts = append(parts, rest)
	}
	for i := range parts {
		parts[i] *= 1000 / whole
	}
	for i, tenths := range wholes(parts) {
		rows[i].Share = fixed(tenths, 1) + "%"
	}
	return rows
}

// marks say behind a name what went wrong and which faults were in force, as in
// " ✗ 53300 ! latency".
func marks(n *rehearse.Node) string {
	var text string
	if bad := trouble(n); bad != "" {
		text = " ✗ " + bad
	}
	if fault := n.Text(rehearse.AttrFault); fault != "" {
		text += " ! " + plain(fault)
	}
	return text
}

// trouble says in a word or two what went wrong with a span: its status code, or
// who hung up; empty when nothing did.
func trouble(n *rehearse.Node) string {
	if who := n.Text(rehearse.AttrAbandoned); who != "" {
		if who == "reset" {
			return who
		}
		return plain(who) + " hung up"
	}
	if n.Status != rehearse.StatusError {
		return ""
	}
	for _, key := range []string{"db.response.status_code", "http.response.status_code", "rpc.response.status_code", "rpc.grpc.status_code", "error.type"} {
		switch v := n.Attribute(key).(type) {
		case string:
			if v != "" {
				return plain(v)
			}
		case int64:
			return fmt.Sprint(v)
		}
	}
	if n.Message != "" {
		return cut(plain(n.Message), 24)
	}
	return "error"
}

// certainty marks a parent that is not known for certain.
func certainty(k rehearse.Known) string {
	switch {
	case k == rehearse.KnownNothing:
		return "?"
	case !k.Certain():
		return "~"
	}
	return ""
}

// kindText says what a segment is.
func kindText(k rehearse.SegmentKind) string {
	switch k {
	case rehearse.SegmentSelf:
		return "own work"
	case rehearse.SegmentWait:
		return "wait for a connection"
	case rehearse.SegmentQueue:
		return "queue"
	case rehearse.SegmentShape:
		return "network, shaped"
	case rehearse.SegmentNetwork:
		return "network, beside the link"
	case rehearse.SegmentServer:
		return "server"
	case rehearse.SegmentTransfer:
		return "transfer"
	}
	return plain(string(k))
}
