package telemetry

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

// Query asks for spans. Zero fields ask for nothing.
type Query struct {
	Trace       rehearse.TraceID
	Service     rehearse.ServiceName
	Link        rehearse.LinkID // only spans that this link has written
	Name        string          // * stands for anything
	MinDuration time.Duration
	Errors      bool      // only spans whose status is an error
	Since       time.Time // the span starts then or later
	Until       time.Time // and before that
	Limit       int       // at most so many; 0: all
	Newest      bool      // the latest first, and of more than Limit the latest
}

// LogQuery asks for log records. Zero fields ask for nothing.
type LogQuery struct {
	Trace       rehearse.TraceID
	Service     rehearse.ServiceName
	MinSeverity rehearse.Severity
	Contains    string // the body has this text
	Limit       int    // at most so many, the latest; 0: all
}

// source is a part of the telemetry as a query finds it: a table that grew until
// then, or a segment.
type source struct {
	table   *table   // nil: not read yet
	segment *segment // nil: the messages are in the table
}

// hit is a row that was asked for.
type hit struct {
	source int
	row    int32
	start  int64
}

// sources are all the rows of a signal at this moment. Nobody waits for a query:
// it holds s.mu only for this.
func (s *Store) sources(signal otlp.Signal) []source {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.lanes[signal]
	all := make([]source, 0, len(l.sealed)+len(s.pending)+1)
	for _, g := range l.sealed {
		all = append(all, source{segment: g})
	}
	for _, o := range s.pending {
		if o.signal == signal {
			all = append(all, source{table: &o.table})
		}
	}
	now := l.open.table // rows are only appended to what it refers to
	return append(all, source{table: &now})
}

// read finds the columns of a source: in memory or, once they have left it, in
// the file. Where the file is gone or damaged, there are none: Open says so when
// the run is over.
func (s *Store) read(src *source, signal otlp.Signal) *table {
	if src.table != nil {
		return src.table
	}
	if t := src.segment.kept.Load().table; t != nil {
		src.table = t
		return t
	}
	t := newBuilder()
	if messages, err := src.segment.messages(s.codec); err == nil {
		load(t, messages, signal)
	}
	t.end, t.views = nil, nil
	return &t.table
}

// load appends the rows of an OTLP message that a table was encoded to.
func load(b *builder, messages []byte, signal otlp.Signal) {
	// The error says that the messages are malformed. We have written them, and
	// what comes from a disk has a checksum.
	if signal == otlp.SignalLogs {
		_ = otlp.Logs(messages, func(r *otlp.Resource, s *otlp.Scope, l *otlp.Log) error {
			b.addLog(l, b.groupOf(group{service: owner(r)}))
			return nil
		})
		return
	}
	_ = otlp.Traces(messages, func(r *otlp.Resource, s *otlp.Scope, sp *otlp.Span) error {
		g := group{service: owner(r), scope: string(s.Name)}
		if g.scope == rehearse.LinkScope {
			for key, value := range otlp.Attributes(sp.Raw, otlp.SpanAttributes) {
				if string(key) == rehearse.AttrLink {
					g.link = rehearse.LinkID(value.String())
				}
			}
		}
		b.addSpan(sp, b.internBytes(sp.Name), b.groupOf(g))
		return nil
	})
}

// owner is whose telemetry a resource in our files is of.
func owner(r *otlp.Resource) rehearse.ServiceName {
	service := r.Service
	for key, value := range otlp.Attributes(r.Raw, otlp.ResourceAttributes) {
		if string(key) == serviceAttribute {
			service = value.String()
		}
	}
	return rehearse.ServiceName(service)
}

// scan appends the rows of a table that a query asks for.
func (q *Query) scan(t *table, source int, hits []hit) []hit {
	since, until := int64(0), int64(1<<63-1)
	if !q.Since.IsZero() {
		since = q.Since.UnixNano()
	}
	if !q.Until.IsZero() {
		until = q.Until.UnixNano() - 1
	}
	groups := make([]bool, len(t.groups))
	for i := range t.groups {
		groups[i] = (q.Service == "" || t.groups[i].service == q.Service) && (q.Link == "" || t.groups[i].link == q.Link)
	}
	var names []bool
	if q.Name != "" {
		names = make([]bool, len(t.names))
		for i, name := range t.names {
			names[i] = glob(q.Name, name)
		}
	}
	for i, start := range t.start {
		row := int32(i)
		if start >= since && start <= until && t.duration[i] >= int64(q.MinDuration) &&
			(q.Trace.IsZero() || t.trace[i] == q.Trace) &&
			(!q.Errors || t.status(row) == rehearse.StatusError) &&
			groups[t.group[i]] && (names == nil || names[t.name[i]]) {
			hits = append(hits, hit{source, row, start})
		}
	}
	return hits
}

// narrow leaves the first limit hits, the latest or the earliest first. Hits of
// the same time stay in the order in which they came.
func narrow(hits []hit, limit int, newest bool) []hit {
	slices.SortFunc(hits, func(a, b hit) int {
		order := cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.source, b.source), cmp.Compare(a.row, b.row))
		if newest {
			return -order
		}
		return order
	})
	if limit > 0 && len(hits) > limit {
		hits = hits[:limit]
	}
	return hits
}

// Spans gives the spans that a query asks for, by their start. They may be changed.
func (s *Store) Spans(q Query) []rehearse.Span {
	all := s.sources(otlp.SignalTraces)
	var hits []hit
	for i := range all {
		if q.Newest {
			i = len(all) - 1 - i
		}
		src := &all[i]
		if g := src.segment; g != nil && (!q.Trace.IsZero() && !g.may(q.Trace) || g.outside(q.Since, q.Until)) {
			continue
		}
		hits = q.scan(s.read(src, otlp.SignalTraces), i, hits)
		if q.Limit > 0 && len(hits) > q.Limit {
			// What is not better than the last of these is not asked for.
			hits = narrow(hits, q.Limit, q.Newest)
			if last := time.Unix(0, hits[len(hits)-1].start); q.Newest {
				q.Since = last
			} else {
				q.Until = last.Add(1)
			}
		}
	}
	return collect(s, all, narrow(hits, q.Limit, q.Newest), walkSpans)
}

// outside reports whether all of the segment starts before since, or at until or
// later.
func (g *segment) outside(since, until time.Time) bool {
	return !since.IsZero() && g.last < since.UnixNano() || !until.IsZero() && g.first >= until.UnixNano()
}

// Logs gives the log records that a query asks for, by their time. They may be
// changed.
func (s *Store) Logs(q LogQuery) []rehearse.LogRecord {
	all := s.sources(otlp.SignalLogs)
	var hits []hit
	for i := range all {
		src := &all[i]
		if g := src.segment; g != nil && !q.Trace.IsZero() && !g.may(q.Trace) {
			continue
		}
		t := s.read(src, otlp.SignalLogs)
		for row, start := range t.start {
			if rehearse.Severity(t.flags[row]) >= q.MinSeverity && (q.Trace.IsZero() || t.trace[row] == q.Trace) &&
				(q.Service == "" || t.groups[t.group[row]].service == q.Service) {
				hits = append(hits, hit{i, int32(row), start})
			}
		}
	}
	limit := q.Limit
	if q.Contains != "" {
		limit = 0 // more may be asked for than there will be
	}
	records := collect(s, all, narrow(hits, limit, true), walkLogs)
	if q.Contains != "" {
		records = slices.DeleteFunc(records, func(rec rehearse.LogRecord) bool { return !strings.Contains(rec.Body, q.Contains) })
		if q.Limit > 0 && len(records) > q.Limit {
			records = records[:q.Limit]
		}
	}
	slices.Reverse(records)
	return records
}

// collect decodes hits and gives them in their order. For each item of messages
// walk asks where it is wanted; nil is nowhere.
func collect[T any](s *Store, all []source, hits []hit, walk func(messages []byte, want func() *T) error) []T {
	results, found := make([]T, len(hits)), make([]bool, len(hits))
	wanted := make([][]int, len(all)) // indices in hits, by source
	for i, h := range hits {
		wanted[h.source] = append(wanted[h.source], i)
	}
	for i, indices := range wanted {
		if len(indices) == 0 {
			continue
		}
		src := &all[i]
		item, next := int32(-1), 0
		if src.segment == nil {
			rows := make([]int32, len(indices))
			for j, index := range indices {
				rows[j] = hits[index].row
			}
			slices.SortFunc(indices, func(a, b int) int { return src.table.order(hits[a].row, hits[b].row) })
			src.table.grouped(rows)
			_ = walk(src.table.encode(nil, rows), func() *T {
				next++
				found[indices[next-1]] = true
				return &results[indices[next-1]]
			})
			continue
		}
		slices.SortFunc(indices, func(a, b int) int { return cmp.Compare(hits[a].row, hits[b].row) })
		messages, err := src.segment.messages(s.codec)
		if err != nil {
			continue // as in read
		}
		_ = walk(messages, func() *T {
			if item++; next == len(indices) || hits[indices[next]].row != item {
				return nil
			}
			next++
			found[indices[next-1]] = true
			return &results[indices[next-1]]
		})
	}
	kept := results[:0]
	for i := range results {
		if found[i] {
			kept = append(kept, results[i])
		}
	}
	return kept
}

// walkSpans decodes those spans of our messages that are wanted.
func walkSpans(messages []byte, want func() *rehearse.Span) error {
	return otlp.Traces(messages, func(r *otlp.Resource, s *otlp.Scope, sp *otlp.Span) error {
		if to := want(); to != nil {
			*to = sp.Decode(r, s)
			to.Service = owner(r)
			to.Resource = slices.DeleteFunc(to.Resource, func(a rehearse.Attribute) bool { return a.Key == serviceAttribute })
			if to.Scope == rehearse.LinkScope {
				to.Resource = nil // it has the service's name alone
			}
		}
		return nil
	})
}

// walkLogs is walkSpans of log records.
func walkLogs(messages []byte, want func() *rehearse.LogRecord) error {
	return otlp.Logs(messages, func(r *otlp.Resource, s *otlp.Scope, l *otlp.Log) error {
		if to := want(); to != nil {
			*to = l.Decode(r, s)
			to.Service = owner(r)
		}
		return nil
	})
}

// glob reports whether a name is what a pattern says, in which * stands for
// anything.
func glob(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		if _, rest, ok = strings.Cut(rest, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
