// Package experiment does a method to an environment, and undoes it.
//
// [Run] is the whole of it. It begins and ends each action when the method's time
// line says so, and tells of each moment as a [rehearse.ActionEvent]. However it
// ends, by the time line's end, by its context's, by an error or by a panic of the
// target, it has undone what it began when it returns, and says what it could not
// undo: a fault counts as undone when the link itself says that it is gone and
// that no connection bears it any more.
package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rehearse-dev/rehearse"
)

// Target is the environment that a method is done to. Its methods may be called
// from several goroutines.
type Target interface {
	// Break makes the experiment's own faults of a link those that are given.
	Break(link rehearse.LinkID, faults []rehearse.Fault) error
	// Doses are of the faults that a link has, and then of those that it had, the
	// latest first.
	Doses(link rehearse.LinkID) []rehearse.Dose
	// Disrupt does something to a service, until undo is called, which returns when
	// the service is as it was. What it began when it fails, it has undone.
	Disrupt(ctx context.Context, service rehearse.ServiceName, d rehearse.Disruption) (undo func(context.Context) error, err error)
}

// undoTime bounds how long a service may take to come back.
const undoTime = 2 * time.Minute

// Run does a step's method, counting from the start of the step's load, and
// returns when all of it is undone. tell is called for each event, by one goroutine
// at a time.
//
// An action that could not be begun ends the method; that, and a service that did
// not come back, stand in the events and are no error. The error is that of the
// context, or says which fault a link could not be rid of.
func Run(ctx context.Context, step rehearse.ExperimentStep, began time.Time, target Target, tell func(rehearse.ActionEvent)) (err error) {
	if step.Calm {
		return nil
	}
	r := &runner{step: step, began: began, target: target, tell: tell, broken: map[rehearse.LinkID][]rehearse.Fault{}, open: map[int]bool{}}
	life, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r.stop = stop
	defer func() {
		if p := recover(); p != nil {
			r.panicked(p)
		}
		if life.Err() != nil {
			r.rollBack()
		}
		r.beside.Wait()
		err = errors.Join(r.failure...)
		if ctx.Err() != nil {
			err = errors.Join(context.Cause(ctx), err)
		}
	}()
	for i, a := range step.Method {
		if a.Disruption != nil {
			r.beside.Go(func() { r.disrupt(life, i) })
		}
	}
	for _, m := range moments(step) {
		if !until(life, began.Add(time.Duration(m.at))) {
			return nil
		}
		if m.over {
			r.mend(m.action)
		} else {
			r.breakLinks(m.action)
		}
	}
	r.beside.Wait()
	return nil
}

// moment is when an action on links begins, or is over.
type moment struct {
	at     rehearse.Duration // since the start of the load
	over   bool
	action int
}

// moments are those of the actions on links, in their order. What is over makes
// room for what begins at the same time.
func moments(step rehearse.ExperimentStep) []moment {
	var out []moment
	for i, a := range step.Method {
		if a.Fault != nil {
			out = append(out, moment{step.Before + a.At, false, i}, moment{step.Before + a.At + a.For, true, i})
		}
	}
	slices.SortStableFunc(out, func(a, b moment) int {
		if c := cmp.Compare(a.at, b.at); c != 0 || a.over == b.over {
			return c
		}
		if a.over {
			return -1
		}
		return 1
	})
	return out
}

// until waits for a moment, and reports false when ctx ended before it.
func until(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

type runner struct {
	step   rehearse.ExperimentStep
	began  time.Time
	target Target
	stop   context.CancelCauseFunc
	beside sync.WaitGroup // disruptions, and proofs that a fault is gone

	// broken are the faults that are in force, and open the actions that have begun
	// them; the goroutine of Run alone has them.
	broken map[rehearse.LinkID][]rehearse.Fault
	open   map[int]bool

	mu      sync.Mutex
	tell    func(rehearse.ActionEvent)
	failure []error
}

// event tells that an action has begun, or is over; why it did not go well may be
// nil.
func (r *runner) event(action int, over bool, at time.Time, doses []rehearse.LinkDose, why error) {
	e := rehearse.ActionEvent{Step: r.step.Name, Action: action, Over: over, At: rehearse.Duration(at.Sub(r.began)), Doses: doses}
	if why != nil {
		e.Error = why.Error()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell(e)
}

func (r *runner) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure = append(r.failure, err)
	r.stop(err)
}

// caught is deferred where a panic of the target must not keep the rest from being
// rolled back.
func (r *runner) caught() {
	if p := recover(); p != nil {
		r.panicked(p)
	}
}

func (r *runner) panicked(p any) {
	r.failed(fmt.Errorf("experiment %q: internal error: %v", r.step.Name, p))
}

// breakLinks begins an action on links: on all of them, or on none.
func (r *runner) breakLinks(action int) {
	a := r.step.Method[action]
	r.open[action] = true
	for _, id := range a.Links {
		faults := append(slices.Clone(r.broken[id]), *a.Fault)
		if err := r.target.Break(id, faults); err != nil {
			r.event(action, false, time.Now(), nil, fmt.Errorf("break %s: %w", id, err))
			r.stop(err)
			return
		}
		r.broken[id] = faults
	}
	r.event(action, false, time.Now(), nil, nil)
}

// mend ends an action on links, as far as it had begun, and has it proven.
func (r *runner) mend(action int) {
	a := r.step.Method[action]
	var wrong []error
	for _, id := range a.Links {
		left := slices.DeleteFunc(slices.Clone(r.broken[id]), func(f rehearse.Fault) bool { return f == *a.Fault })
		if len(left) == len(r.broken[id]) {
			continue
		}
		r.broken[id] = left
		if err := r.target.Break(id, left); err != nil {
			wrong = append(wrong, fmt.Errorf("mend %s: %w", id, err))
		}
	}
	delete(r.open, action)
	at := time.Now()
	r.beside.Go(func() {
		defer r.caught()
		doses, err := r.proof(a)
		if err = errors.Join(append(wrong, err)...); err != nil {
			r.failed(err)
		}
		r.event(action, true, at, doses, err)
	})
}

// proof asks the links whether an action's fault is gone, for a while: a connection
// that was being opened may still be told.
func (r *runner) proof(a rehearse.Action) (doses []rehearse.LinkDose, err error) {
	for deadline := time.Now().Add(time.Second); ; time.Sleep(20 * time.Millisecond) {
		doses, err = nil, nil
		for _, id := range a.Links {
			all := r.target.Doses(id)
			i := slices.IndexFunc(all, func(d rehearse.Dose) bool { return d.Fault == *a.Fault })
			if i < 0 {
				continue // it had not begun there
			}
			doses = append(doses, rehearse.LinkDose{Link: id, Dose: all[i]})
			if !all[i].Gone || all[i].Holding != 0 {
				err = errors.Join(err, fmt.Errorf("%s is still on %s, where %d connections bear it", a.Fault.ID(), id, all[i].Holding))
			}
		}
		if err == nil || time.Now().After(deadline) {
			return doses, err
		}
	}
}

// rollBack ends every action on links that is under way.
func (r *runner) rollBack() {
	for _, action := range slices.Sorted(maps.Keys(r.open)) {
		func() {
			defer r.caught()
			r.mend(action)
		}()
	}
}

// disrupt does an action on services from its beginning to its end.
func (r *runner) disrupt(ctx context.Context, action int) {
	a := r.step.Method[action]
	if !until(ctx, r.began.Add(time.Duration(r.step.Before+a.At))) {
		return
	}
	undos := make([]func(context.Context) error, len(a.Services))
	wrong := make([]error, len(a.Services))
	r.each(a.Services, wrong, func(i int) (err error) {
		undos[i], err = r.target.Disrupt(ctx, a.Services[i], *a.Disruption)
		return err
	})
	err := errors.Join(wrong...)
	r.event(action, false, time.Now(), nil, err)
	if err != nil {
		r.stop(err)
	} else {
		until(ctx, r.began.Add(time.Duration(r.step.Before+a.At+a.For)))
	}
	clear(wrong)
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	r.each(a.Services, wrong, func(i int) error {
		if undos[i] == nil {
			return nil
		}
		return undos[i](undo)
	})
	r.event(action, true, time.Now(), nil, errors.Join(wrong...))
}

// each does something to all services at once; a panic is an error like others.
func (r *runner) each(services []rehearse.ServiceName, wrong []error, do func(i int) error) {
	var all sync.WaitGroup
	for i, name := range services {
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					wrong[i] = fmt.Errorf("%s: internal error: %v", name, p)
				}
			}()
			if err := do(i); err != nil {
				wrong[i] = fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	all.Wait()
}
