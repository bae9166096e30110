package telemetry

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

// TraceSummary is a trace in a list. Only what carried a trace's id is in it: a
// call that carried none is a trace of its own here.
type TraceSummary struct {
	ID       rehearse.TraceID       `json:"id"`
	Service  rehearse.ServiceName   `json:"service"` // of the root
	Name     string                 `json:"name"`    // of the root
	Start    time.Time              `json:"start"`
	Duration rehearse.Duration      `json:"duration"` // from the first start to the last end
	Spans    int                    `json:"spans"`
	Errors   int                    `json:"errors,omitempty"`
	Services []rehearse.ServiceName `json:"services"` // by name
}

// summary is a trace summary in the making.
type summary struct {
	start, end    int64
	spans, errors int
	root          span // the first without a parent; or else the first
	services      []rehearse.ServiceName
}

// span is what a summary needs of one.
type span struct {
	service         rehearse.ServiceName
	name            string
	start, duration int64
	child, failed   bool
	id              rehearse.SpanID
}

func (s *summary) add(sp span) {
	if s.spans == 0 || sp.before(s.root) {
		s.root = sp
	}
	if s.spans == 0 {
		s.start = sp.start
	}
	s.start, s.end = min(s.start, sp.start), max(s.end, sp.start+sp.duration)
	s.spans++
	if sp.failed {
		s.errors++
	}
	if i, found := slices.BinarySearch(s.services, sp.service); !found {
		s.services = slices.Insert(s.services, i, sp.service)
	}
}

// before is an order of spans by how well they do as a root, the same whatever
// the order in which they came.
func (sp span) before(other span) bool {
	if sp.child != other.child {
		return other.child
	}
	return cmp.Or(cmp.Compare(sp.start, other.start), cmp.Compare(other.duration, sp.duration), bytes.Compare(sp.id[:], other.id[:])) < 0
}

// summaries makes a list of the traces, the latest first.
func summaries(traces map[rehearse.TraceID]*summary, limit int) []TraceSummary {
	list := make([]TraceSummary, 0, len(traces))
	for id, s := range traces {
		list = append(list, TraceSummary{
			ID: id, Service: s.root.service, Name: s.root.name,
			Start: time.Unix(0, s.start).UTC(), Duration: rehearse.Duration(s.end - s.start),
			Spans: s.spans, Errors: s.errors, Services: s.services,
		})
	}
	slices.SortFunc(list, func(a, b TraceSummary) int {
		return cmp.Or(b.Start.Compare(a.Start), bytes.Compare(a.ID[:], b.ID[:]))
	})
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	return list
}

// Traces summarises the traces that have a span that the query asks for, the
// latest first.
func (s *Store) Traces(q Query) []TraceSummary {
	all := s.sources(otlp.SignalTraces)
	all = slices.DeleteFunc(all, func(src source) bool {
		return src.segment != nil && !q.Trace.IsZero() && !src.segment.may(q.Trace)
	})
	limit := q.Limit
	q.Limit, q.Newest = 0, false
	everything := q == Query{}
	// Tables that have left memory are read twice rather than kept in between:
	// together they may be larger than the budget.
	traces := map[rehearse.TraceID]*summary{}
	if !everything {
		for _, src := range all {
			t := s.read(&src, otlp.SignalTraces)
			for _, h := range q.scan(t, 0, nil) {
				traces[t.trace[h.row]] = nil
			}
		}
	}
	for _, src := range all {
		t := s.read(&src, otlp.SignalTraces)
		for i, id := range t.trace {
			of, asked := traces[id]
			if !asked && !everything {
				continue
			}
			if of == nil {
				of = new(summary)
				traces[id] = of
			}
			row := int32(i)
			of.add(span{
				service: t.groups[t.group[i]].service, name: t.names[t.name[i]], id: t.span[i],
				start: t.start[i], duration: t.duration[i],
				child: !t.parent[i].IsZero(), failed: t.status(row) == rehearse.StatusError,
			})
		}
	}
	return summaries(traces, limit)
}

// Summarize gives the same summaries of spans that were read from files.
func Summarize(spans []rehearse.Span) []TraceSummary {
	traces := map[rehearse.TraceID]*summary{}
	for i := range spans {
		sp := &spans[i]
		of := traces[sp.Trace]
		if of == nil {
			of = new(summary)
			traces[sp.Trace] = of
		}
		of.add(span{
			service: sp.Service, name: sp.Name, id: sp.ID,
			start: unixOf(sp.Start), duration: max(0, int64(sp.Duration)),
			child: !sp.Parent.IsZero(), failed: sp.Status == rehearse.StatusError,
		})
	}
	return summaries(traces, 0)
}
