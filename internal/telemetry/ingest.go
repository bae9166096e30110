package telemetry

import (
	"errors"
	"net/http"
	"sync"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

// serviceAttribute is the resource attribute that says whose telemetry it is
// where service.name says something else.
const serviceAttribute = "rehearse.service"

// Service is where one service's OTLP goes. What arrives there is that service's,
// whatever its resource says: of a span that is queried, Service is name, and the
// resource keeps its own service.name.
func (s *Store) Service(name rehearse.ServiceName) otlp.Sink { return &sink{s, name} }

type sink struct {
	store *Store
	name  rehearse.ServiceName
}

var errClosed = errors.New("this environment is being torn down")

// Export takes a request, all or nothing, except for spans without a valid id. It
// waits while more is to be compressed than it may.
func (k *sink) Export(signal otlp.Signal, request []byte) (rejected int64, reason string, err error) {
	s := k.store
	s.mask(request)
	batch := s.batches.Get().(*builder)
	defer s.release(&s.batches, batch)
	var points int64
	switch signal {
	case otlp.SignalTraces:
		err = k.spans(batch, request)
	case otlp.SignalLogs:
		err = k.logs(batch, request)
	case otlp.SignalMetrics:
		points, err = k.metrics(batch, request)
	}
	if partial := (*otlp.Partial)(nil); errors.As(err, &partial) {
		rejected, reason = partial.Rejected, partial.Reason
	} else if err != nil {
		return 0, "", err
	}

	if err := k.take(signal, &batch.table, points, rejected); err != nil {
		return 0, "", err
	}
	if s.options.Forward != nil {
		s.options.Forward.Offer(signal, request)
	}
	if c := s.copy.Load(); c != nil {
		to := &sink{c, k.name}
		if _, _, err := to.Export(signal, request); err != nil {
			to.Refused(signal, http.StatusTooManyRequests)
		}
	}
	return rejected, reason, nil
}

// CopyTo has another store take what this one takes, until stop is called. What the
// other has no room for, it alone lacks. At any time there is at most one.
func (s *Store) CopyTo(other *Store) (stop func()) {
	s.copy.Store(other)
	return func() { s.copy.CompareAndSwap(other, nil) }
}

// take adds and counts a request's batch.
func (k *sink) take(signal otlp.Signal, batch *table, points, rejected int64) error {
	s := k.store
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pending) >= maxPending && !s.closed {
		s.sealed.Wait()
	}
	if s.closed {
		return errClosed
	}
	share := s.share(k.name)
	if !s.add(signal, batch, share) {
		return &otlp.Exhausted{RetryAfter: retryAfter, Reason: "service " + string(k.name) + " has used up its share of the telemetry's budget"}
	}
	switch signal {
	case otlp.SignalTraces:
		s.observe(batch, share)
		s.result.Spans += int64(batch.rows()) + rejected
		s.result.Lost += rejected
	case otlp.SignalLogs:
		s.result.Logs += int64(batch.rows())
	case otlp.SignalMetrics:
		s.result.Metrics += points
	}
	return nil
}

// Refused counts a request that was answered with an error.
func (k *sink) Refused(signal otlp.Signal, status int) {
	s := k.store
	if c := s.copy.Load(); c != nil {
		(&sink{c, k.name}).Refused(signal, status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if status == http.StatusTooManyRequests || status >= http.StatusInternalServerError {
		s.result.Refused[k.name]++
	} else {
		s.result.Malformed[k.name]++
	}
}

// claimedScope is the scope of what a service tells in a link's name.
const claimedScope = "claimed " + rehearse.LinkScope

// grouper finds the groups of a request's items. Items of one scope come one
// after another, with the same views.
type grouper struct {
	batch   *builder
	service rehearse.ServiceName
	last    uint32
	views   [3]*byte // where the resource, the scope's name and version of the last are
	known   bool
}

func (g *grouper) of(r *otlp.Resource, s *otlp.Scope) uint32 {
	views := [3]*byte{at(r.Raw), at(s.Name), at(s.Version)}
	if g.known && views == g.views {
		return g.last
	}
	raw := r.Raw
	if string(r.Service) != string(g.service) {
		raw = otlp.AppendResource(append([]byte(nil), raw...), "", []rehearse.Attribute{{Key: serviceAttribute, Value: string(g.service)}})
	}
	scope := string(s.Name)
	if scope == rehearse.LinkScope {
		scope = claimedScope // only links speak for links
	}
	g.last = g.batch.groupOf(group{service: g.service, resource: string(raw), scope: scope, version: string(s.Version)})
	g.views, g.known = views, true
	return g.last
}

// at is where bytes are in memory; nil when there are none.
func at(b []byte) *byte {
	if len(b) == 0 {
		return nil
	}
	return &b[0]
}

func (k *sink) spans(batch *builder, request []byte) error {
	groups := grouper{batch: batch, service: k.name}
	return otlp.Traces(request, func(r *otlp.Resource, s *otlp.Scope, sp *otlp.Span) error {
		batch.addSpan(sp, batch.internBytes(sp.Name), groups.of(r, s))
		return nil
	})
}

// addSpan appends a span.
func (b *builder) addSpan(sp *otlp.Span, name, group uint32) {
	b.trace = append(b.trace, sp.Trace)
	b.span = append(b.span, sp.ID)
	b.parent = append(b.parent, sp.Parent)
	b.duration = append(b.duration, unix(sp.End-min(sp.Start, sp.End)))
	b.name = append(b.name, name)
	b.flags = append(b.flags, flags(sp.Kind, sp.Status))
	b.addView(sp.Raw, unix(sp.Start), group)
}

func (k *sink) logs(batch *builder, request []byte) error {
	groups := grouper{batch: batch, service: k.name}
	return otlp.Logs(request, func(r *otlp.Resource, s *otlp.Scope, l *otlp.Log) error {
		batch.addLog(l, groups.of(r, s))
		return nil
	})
}

// addLog appends a log record.
func (b *builder) addLog(l *otlp.Log, group uint32) {
	b.trace = append(b.trace, l.Trace)
	b.span = append(b.span, l.Span)
	b.flags = append(b.flags, uint8(l.Severity))
	time := l.Time
	if time == 0 {
		time = l.Observed
	}
	b.addView(l.Raw, unix(time), group)
}

func (k *sink) metrics(batch *builder, request []byte) (points int64, err error) {
	groups, now := grouper{batch: batch, service: k.name}, k.store.options.Now().UnixNano()
	err = otlp.Metrics(request, func(r *otlp.Resource, s *otlp.Scope, m *otlp.Metric) error {
		points += int64(m.Points)
		batch.duration = append(batch.duration, int64(m.Points))
		batch.addView(m.Raw, now, groups.of(r, s))
		return nil
	})
	return points, err
}

// AddSpans takes spans that links have written. It never waits: where there is no
// room for them they are dropped, and counted; so is a span without an id.
func (s *Store) AddSpans(spans []rehearse.Span) {
	if len(spans) == 0 {
		return
	}
	if c := s.copy.Load(); c != nil {
		c.AddSpans(spans)
	}
	batch := s.links.Get().(*builder)
	defer s.release(&s.links, batch)
	for i := range spans {
		if !spans[i].Trace.IsZero() && !spans[i].ID.IsZero() {
			batch.addLinkSpan(&spans[i], s.masked(spans[i].Name))
		}
	}
	s.mask(batch.raw)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.observe(&batch.table, 0)
	s.result.Spans += int64(len(spans))
	s.result.Lost += int64(len(spans))
	if s.unsealed(&batch.table) && s.add(otlp.SignalTraces, &batch.table, 0) {
		s.result.Lost -= int64(batch.rows())
	}
	for i := range spans {
		sp := &spans[i]
		if reason := sp.Text(rehearse.AttrUndecoded); reason != "" && reason != rehearse.UndecodedNothing {
			link := rehearse.LinkID(sp.Text(rehearse.AttrLink))
			if s.result.Undecoded[link] == nil {
				s.result.Undecoded[link] = map[string]int64{}
			}
			s.result.Undecoded[link][reason]++
		}
	}
	s.relay(otlp.SignalTraces, &batch.table)
}

// mask takes secrets out of messages.
func (s *Store) mask(messages []byte) {
	if s.options.Mask != nil {
		s.options.Mask(messages)
	}
}

// masked is a text without secrets.
func (s *Store) masked(text string) string {
	if s.options.Mask == nil {
		return text
	}
	b := []byte(text)
	s.options.Mask(b)
	return string(b)
}

// Missed counts spans that links could not write.
func (s *Store) Missed(n int) {
	if c := s.copy.Load(); c != nil {
		c.Missed(n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result.Spans += int64(n)
	s.result.Lost += int64(n)
}

// addLinkSpan appends a span that is not in an OTLP request.
func (b *builder) addLinkSpan(sp *rehearse.Span, name string) {
	b.trace = append(b.trace, sp.Trace)
	b.span = append(b.span, sp.ID)
	b.parent = append(b.parent, sp.Parent)
	b.duration = append(b.duration, max(0, int64(sp.Duration)))
	b.name = append(b.name, b.intern(name))
	b.flags = append(b.flags, flags(sp.Kind, sp.Status))
	b.raw = otlp.AppendSpan(b.raw, sp)
	b.add(unixOf(sp.Start), b.groupOf(group{service: sp.Service, link: rehearse.LinkID(sp.Text(rehearse.AttrLink)), scope: sp.Scope}))
}

// AddLog takes a line that a service has printed. It never waits: where there is
// no room for it, it is dropped; Logs of the result counts it, and no file does.
func (s *Store) AddLog(rec rehearse.LogRecord) {
	if c := s.copy.Load(); c != nil {
		c.AddLog(rec)
	}
	batch := s.links.Get().(*builder)
	defer s.release(&s.links, batch)
	batch.trace = append(batch.trace, rec.Trace)
	batch.span = append(batch.span, rec.Span)
	batch.flags = append(batch.flags, uint8(rec.Severity))
	batch.raw = otlp.AppendLog(batch.raw, &rec)
	s.mask(batch.raw)
	batch.add(unixOf(rec.Time), batch.groupOf(group{service: rec.Service}))

	s.mu.Lock()
	defer s.mu.Unlock()
	s.result.Logs++
	if s.unsealed(&batch.table) {
		s.add(otlp.SignalLogs, &batch.table, s.share(rec.Service))
	}
	s.relay(otlp.SignalLogs, &batch.table)
}

// unsealed reports whether memory has room for a batch of somebody who does not
// wait for tables to be sealed. The caller holds s.mu.
func (s *Store) unsealed(batch *table) bool {
	sum := int64(len(batch.raw))
	for _, o := range s.pending {
		sum += int64(len(o.raw))
	}
	return sum <= s.options.Memory/2
}

// observe counts a batch of spans. The caller holds s.mu.
func (s *Store) observe(batch *table, share int) {
	var last *operation
	for row := range int32(batch.rows()) {
		if row == 0 || batch.group[row] != batch.group[row-1] || batch.name[row] != batch.name[row-1] || batch.kind(row) != batch.kind(row-1) {
			g := &batch.groups[batch.group[row]]
			last = s.ops.of(operationKey{g.link, g.service, batch.names[batch.name[row]], batch.kind(row)}, share)
		}
		last.durations.observe(batch.duration[row])
		if batch.status(row) == rehearse.StatusError {
			last.errors++
		}
	}
}

// relay has a batch that came as no request sent on, with others. The caller holds
// s.mu.
func (s *Store) relay(signal otlp.Signal, batch *table) {
	if s.options.Forward == nil {
		return
	}
	rows := batch.all()
	batch.grouped(rows)
	s.outgoing[signal] = batch.encode(s.outgoing[signal], rows)
	s.forward(forwardBytes)
}

// forward sends on what waits for it, of each signal that has more than some
// bytes. The caller holds s.mu.
func (s *Store) forward(above int) {
	for signal, b := range s.outgoing {
		if len(b) > above {
			s.options.Forward.Offer(otlp.Signal(signal), b)
			s.outgoing[signal] = b[:0]
		}
	}
}

// release gives a batch back, unless it has grown out of proportion.
func (s *Store) release(to *sync.Pool, batch *builder) {
	if cap(batch.raw) > 4<<20 || cap(batch.end) > maxRows || len(batch.names) > 4096 {
		return
	}
	batch.reset()
	to.Put(batch)
}

func flags(kind rehearse.SpanKind, status rehearse.SpanStatus) uint8 {
	return uint8(kind)&15 | uint8(status)<<4
}
