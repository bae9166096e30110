package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// How long an engine is waited for by whoever ends something: one that has gone
// without a word, as over a connection to another host, may never answer.
const (
	// closeTime is for all that an environment consists of, and as much again for the
	// question whether the engine still answers. Where it does, it may have many
	// environments to end, and has closeTimes as long.
	closeTime  = time.Minute
	closeTimes = 5
	// requestTime is for one request. An engine itself gives a process twelve
	// seconds to end of SIGKILL.
	requestTime = 15 * time.Second
	// reaperTime is for the reaper, which is told at the end that something is left:
	// what was being made may come to exist a moment later. It goes on by itself.
	reaperTime = 10 * time.Second
)

// limits are these times, of one environment.
type limits struct{ close, request, reaper time.Duration }

// standing are the limits of every environment but those of tests.
var standing = limits{close: closeTime, request: requestTime, reaper: reaperTime}

// until is a context that ends with something else, too.
func until(ctx context.Context, end <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	go func() {
		select {
		case <-end:
			stop()
		case <-ctx.Done():
		}
	}()
	return ctx, stop
}

// untilClosed is a context that ends with the environment.
func (e *environment) untilClosed(ctx context.Context) (context.Context, context.CancelFunc) {
	return until(ctx, e.closed)
}

// untilAbandoned is a context for what has to be done although its caller does not
// wait for it any more: it ends when Close has waited long enough.
func (e *environment) untilAbandoned(ctx context.Context) (context.Context, context.CancelFunc) {
	return until(context.WithoutCancel(ctx), e.abandoned)
}

// forRequest is one for a single request that ends something.
func (e *environment) forRequest(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := e.untilAbandoned(ctx)
	ctx, cancel := context.WithTimeout(ctx, e.limits.request)
	return ctx, func() {
		cancel()
		stop()
	}
}

// Close ends everything at once, and waits until it is gone. An engine that does
// not answer is not waited for longer than the limits say; the error then names
// what is left.
func (e *environment) Close(ctx context.Context) error {
	e.close.Do(func() {
		e.mu.Lock()
		e.gone = true
		e.mu.Unlock()
		close(e.closed)
		waiting, done := context.WithCancel(context.Background())
		defer done()
		go e.abandonLate(waiting)
		ctx, stop := until(ctx, e.abandoned)
		defer stop()
		e.making.Wait() // what is being made stands, and is found below
		e.closeErr = e.remove(ctx)
		e.watch.end()
		if e.reaper != nil {
			e.reaper.dismiss(e.closeErr == nil, e.limits.reaper)
		}
	})
	return e.closeErr
}

// abandonLate abandons the engine when it has been waited for long enough, unless ctx
// ends before.
func (e *environment) abandonLate(ctx context.Context) {
	for range closeTimes {
		select {
		case <-ctx.Done():
			return
		case <-time.After(e.limits.close):
		}
		asking, cancel := context.WithTimeout(ctx, e.limits.close)
		_, err := e.engine.api.Ping(asking, client.PingOptions{})
		cancel()
		if err != nil && ctx.Err() == nil {
			break
		}
	}
	e.abandon()
}

func (e *environment) remove(ctx context.Context) error {
	var left remains
	var all sync.WaitGroup
	for _, s := range e.services {
		for _, i := range s.instances {
			all.Go(func() { left.add(e.containerNamed(i.name), e.removeContainer(ctx, i.name, i.id)) })
		}
	}
	if e.board.id != "" {
		all.Go(func() {
			e.endBoard()
			name := e.name(boardName)
			left.add(e.containerNamed(name), e.removeContainer(ctx, name, e.board.id))
		})
	}
	all.Wait()
	for _, s := range e.services { // their streams end with them
		s.mu.Lock()
		p := s.proc
		s.mu.Unlock()
		if p != nil {
			<-p.Done()
		}
	}
	for v := range e.volumes {
		all.Go(func() { left.add(e.volumeNamed(v), e.removeVolume(ctx, v)) })
	}
	if e.addresses != nil {
		all.Go(func() {
			r := driver.Remnant{Environment: e.spec.ID, Kind: "network", Name: e.name("")}
			_, err := e.engine.api.NetworkRemove(ctx, r.Name, client.NetworkRemoveOptions{})
			left.add(r, e.removed(r, err))
		})
	}
	all.Wait()
	return errors.Join(left.error(e.spec.ID), e.removeData(ctx))
}

func (e *environment) containerNamed(name string) driver.Remnant {
	return driver.Remnant{Environment: e.spec.ID, Kind: "container", Name: name}
}

func (e *environment) volumeNamed(name string) driver.Remnant {
	return driver.Remnant{Environment: e.spec.ID, Kind: "volume", Name: name}
}

func (e *environment) removeContainer(ctx context.Context, name, id string) error {
	undo := e.watch.acts.ask(name, events.ActionDestroy)
	err := e.engine.removeContainer(ctx, id)
	if err != nil {
		undo()
	}
	return e.removed(e.containerNamed(name), err)
}

func (e *environment) removeVolume(ctx context.Context, name string) error {
	_, err := e.engine.api.VolumeRemove(ctx, name, client.VolumeRemoveOptions{Force: true})
	return e.removed(e.volumeNamed(name), err)
}

// removed confirms that a thing is gone; that it was gone already is as good.
func (e *environment) removed(r driver.Remnant, err error) error {
	if err != nil && !isGone(err) {
		return fmt.Errorf("remove %s %s: %w", r.Kind, r.Name, explain(err))
	}
	return e.spec.Journal.Confirm(r, false)
}

// remains are what could not be removed.
type remains struct {
	mu       sync.Mutex
	silent   []string // of which the engine said nothing, with their kinds
	problems []error  // why the others are there
}

func (l *remains) add(r driver.Remnant, err error) {
	if err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if isSilence(err) {
		l.silent = append(l.silent, r.Kind+" "+r.Name)
	} else {
		l.problems = append(l.problems, err)
	}
}

// error says what may still be there, and who removes it.
func (l *remains) error(id rehearse.EnvironmentID) error {
	other := errors.Join(l.problems...)
	if len(l.silent) == 0 {
		return other
	}
	slices.Sort(l.silent)
	return errors.Join(&rehearse.Error{
		Kind: rehearse.Unavailable, Msg: fmt.Sprintf("the engine did not answer when %s was taken down, and may still have its %s", id, strings.Join(l.silent, ", ")),
		Hint: fmt.Sprintf("A process of ours goes on removing it for up to %v, if the engine answers again. `rehearse gc` removes what is left after that.", reapings*(reapTime+reapingWait)),
	}, other)
}
