package docker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// watch follows the engine's events of one environment, from before its first
// thing is made until its last is gone.
type watch struct {
	acts  acts
	stop  context.CancelFunc // nil until it has begun
	ended chan struct{}

	mu     sync.Mutex
	events []driver.Event
	before int           // how many were left out before the first of events
	more   chan struct{} // closed when there is another, or none will come
	over   bool
}

// keptEvents is how many events there are for who begins to watch.
const keptEvents = 4096

// startWatch begins to follow the engine.
func (e *environment) startWatch(ctx context.Context) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.watch.stop, e.watch.ended, e.watch.more = stop, make(chan struct{}), make(chan struct{})
	f := &follower{e: e, known: map[string]*contained{}, since: e.engine.began()}
	go func() {
		defer close(e.watch.ended)
		f.run(ctx)
		e.watch.finish()
	}()
}

// end ends the watch, where it has begun.
func (w *watch) end() {
	if w.stop != nil {
		w.stop()
		<-w.ended
	}
}

// began is a time before anything of ours was made, by the engine's clock.
func (e *engine) began() time.Time {
	if t, err := time.Parse(time.RFC3339Nano, e.info.SystemTime); err == nil {
		return t
	}
	return time.Now().Add(-time.Minute)
}

var _ driver.Watcher = (*environment)(nil)

// Watch tells of what happens to the environment's containers.
func (e *environment) Watch(ctx context.Context, told func(driver.Event)) {
	w := &e.watch
	next := 0
	for {
		w.mu.Lock()
		fresh := w.events[min(max(next-w.before, 0), len(w.events)):]
		fresh = append([]driver.Event(nil), fresh...)
		next = w.before + len(w.events)
		more, over := w.more, w.over
		w.mu.Unlock()
		for _, ev := range fresh {
			if ctx.Err() != nil {
				return
			}
			told(ev)
		}
		if over {
			return
		}
		select {
		case <-more:
		case <-ctx.Done():
			return
		}
	}
}

func (w *watch) tell(ev driver.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, ev)
	if n := len(w.events) - keptEvents; n > 0 {
		w.events = append([]driver.Event(nil), w.events[n:]...)
		w.before += n
	}
	close(w.more)
	w.more = make(chan struct{})
}

func (w *watch) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	close(w.more)
}

// follower is the goroutine that reads the engine's events.
type follower struct {
	e     *environment
	known map[string]*contained // by the container's ID
	since time.Time             // of the last event; what comes at or before it has been told
}

// How soon and how often an engine that has stopped answering is asked again.
const (
	firstAsk = 50 * time.Millisecond
	lastAsk  = time.Second
)

// run reads the stream of events, and opens it again where it ended: an engine
// keeps its latest events, so that none is missed in between.
func (f *follower) run(ctx context.Context) {
	var silent time.Time // since when the engine does not answer; zero: it does
	pause := firstAsk
	for ctx.Err() == nil {
		f.follow(ctx, silent)
		asking, cancel := context.WithTimeout(ctx, pingTimeout)
		_, err := f.e.engine.api.Ping(asking, client.PingOptions{})
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && silent.IsZero():
			pause = firstAsk // a proxy had grown tired of the connection
		case err == nil:
			f.tellEngine("back", "the engine answered again", time.Since(silent))
			silent, pause = time.Time{}, firstAsk
			continue
		case silent.IsZero():
			silent = time.Now()
			f.tellEngine("lost", "the engine stopped answering", 0)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, lastAsk)
	}
}

func (f *follower) tellEngine(action, detail string, lasted time.Duration) {
	f.e.watch.tell(driver.Event{Time: time.Now(), Happening: rehearse.Happening{
		Action: action, Outside: !f.e.isClosed(), Detail: detail, For: rehearse.Duration(lasted),
	}})
}

// follow reads one stream to its end, unless the engine is known to be silent.
func (f *follower) follow(ctx context.Context, silent time.Time) {
	if !silent.IsZero() {
		return
	}
	// The labels of a network's events are the engine's, so that ours would leave
	// them out.
	filters := make(client.Filters).Add("type", string(events.ContainerEventType), string(events.NetworkEventType))
	for action := range clauses {
		filters.Add("event", string(action))
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	began := f.since
	stream := f.e.engine.api.Events(ctx, client.EventsListOptions{
		Since: fmt.Sprintf("%d.%09d", began.Unix(), began.Nanosecond()), Filters: filters,
	})
	for {
		select {
		case m := <-stream.Messages:
			at := time.Unix(0, m.TimeNano)
			if m.TimeNano == 0 {
				at = time.Unix(m.Time, 0)
			}
			if !at.After(began) {
				continue
			}
			if at.After(f.since) {
				f.since = at
			}
			f.heard(ctx, at, m)
		case <-stream.Err:
			return
		}
	}
}
