package telemetry

import (
	"context"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/otlp"
)

// AttrSkipped is the one attribute of a span that Watch puts where it had to leave
// spans out: an int64, how many. Such a span has no ids; see [Skipped].
const AttrSkipped = "rehearse.skipped"

// Skipped is how many spans a watcher has missed before this one, which is no span
// then; 0 for every other span.
func Skipped(sp *rehearse.Span) int64 {
	if !sp.ID.IsZero() {
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
		if skipped > 0 && !send(rehearse.Span{
			Name: "skipped", Start: w.store.options.Now(),
			Attributes: []rehearse.Attribute{{Key: AttrSkipped, Value: skipped}},
		}) {
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
// channel that is closed when there is, itself nil when there never will be.
func (w *watcher) next() (now *step, changed <-chan struct{}, skipped int64) {
	s := w.store
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := w.at.rows() - w.row
	for o := w.at.next; o != nil; o = o.next {
		waiting += o.rows()
	}
	for waiting > w.most {
		n := min(waiting-w.most, w.at.rows()-w.row)
		w.row, waiting, skipped = w.row+n, waiting-n, skipped+int64(n)
		w.follow()
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
