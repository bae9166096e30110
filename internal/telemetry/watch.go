package telemetry

import (
	"context"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

// AttrSkipped is the one attribute of a span that Watch puts where it had to leave
// spans out: an int64, how many. Its ids are those of the first of them.
const AttrSkipped = "rehearse.skipped"

// SkippedScope is the scope of such spans.
const SkippedScope = "rehearse/skipped"

// Skipped is how many spans a watcher has missed before this one, which is no span
// then; 0 for every other span.
func Skipped(sp *rehearse.Span) int64 {
	if sp.Scope != SkippedScope {
		return 0
	}
	n, _ := sp.Attribute(AttrSkipped).(int64)
	return n
}

// Watch gives the spans that come from now on, in the order in which they come.
// Who reads too slowly misses the oldest: at most n wait for the reader, and in the
// place of what was left out comes one span that tells how many; see [Skipped].
// Writers never wait for a watcher. The channel is closed when ctx is done, and
// when the store was closed and all was read.
func (s *Store) Watch(ctx context.Context, n int) <-chan rehearse.Span {
	s.mu.Lock()
	s.watchers++
	w := &watcher{store: s, at: s.lanes[otlp.SignalTraces].open, most: max(n, 1)}
	w.row = w.at.rows()
	s.mu.Unlock()
	spans := make(chan rehearse.Span)
	go w.run(ctx, spans)
	return spans
}

// watcher reads tables from a row on. A table that was sealed meanwhile stays as
// it was for who still reads it, and leads to the next.
type watcher struct {
	store *Store
	at    *open
	row   int // the next
	most  int
}

func (w *watcher) run(ctx context.Context, spans chan<- rehearse.Span) {
	defer close(spans)
	defer func() {
		w.store.mu.Lock()
		w.store.watchers--
		w.store.mu.Unlock()
	}()
	send := func(sp rehearse.Span) bool {
		select {
		case spans <- sp:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for {
		now, changed, skipped := w.next()
		if skipped != nil && !send(*skipped) {
			return
		}
		if now == nil {
			if changed == nil {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
			continue
		}
		for _, sp := range collect(w.store, []source{{table: &now.table}}, now.hits, walkSpans) {
			if !send(sp) {
				return
			}
		}
	}
}

// step is what a watcher decodes at once.
type step struct {
	table table
	hits  []hit
}

// maxStep is how many spans a watcher decodes at once: between two steps it may
// find that it is too slow.
const maxStep = 16

// next is what the watcher reads next; nil when there is nothing, and then a
// channel that is closed when there is, itself nil when there never will be. Where
// spans are left out before it, there is a span that says so.
func (w *watcher) next() (now *step, changed <-chan struct{}, skipped *rehearse.Span) {
	s := w.store
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := w.at.rows() - w.row
	for o := w.at.next; o != nil; o = o.next {
		waiting += o.rows()
	}
	var left int64
	for waiting > w.most {
		w.follow()
		if skipped == nil {
			skipped = &rehearse.Span{Trace: w.at.trace[w.row], ID: w.at.span[w.row], Name: "skipped", Scope: SkippedScope, Start: s.options.Now()}
		}
		n := min(waiting-w.most, w.at.rows()-w.row)
		w.row, waiting, left = w.row+n, waiting-n, left+int64(n)
	}
	if skipped != nil {
		skipped.Attributes = []rehearse.Attribute{{Key: AttrSkipped, Value: left}}
	}
	w.follow()
	if waiting == 0 {
		if s.closed {
			return nil, nil, skipped
		}
		return nil, s.changed, skipped
	}
	now = &step{table: w.at.table}
	for range min(maxStep, w.at.rows()-w.row) {
		now.hits = append(now.hits, hit{row: int32(w.row)})
		w.row++
	}
	return now, nil, skipped
}

// follow goes on to the next table when this one is read.
func (w *watcher) follow() {
	for w.row == w.at.rows() && w.at.next != nil {
		w.at, w.row = w.at.next, 0
	}
}
