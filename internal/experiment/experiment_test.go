package experiment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

// place is an environment that writes down what is done to it, and when.
type place struct {
	began time.Time

	mu     sync.Mutex
	log    []string
	links  map[rehearse.LinkID][]rehearse.Fault
	gone   map[rehearse.LinkID][]rehearse.Dose
	down   map[rehearse.ServiceName]rehearse.DisruptionKind
	sticky bool          // faults that are taken away stay
	slow   time.Duration // that services take to come back
	fail   func(what string) error
}

func newPlace() *place {
	return &place{
		began: time.Now(), links: map[rehearse.LinkID][]rehearse.Fault{}, gone: map[rehearse.LinkID][]rehearse.Dose{},
		down: map[rehearse.ServiceName]rehearse.DisruptionKind{}, fail: func(string) error { return nil },
	}
}

func (p *place) say(format string, args ...any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := fmt.Sprintf(format, args...)
	p.log = append(p.log, fmt.Sprintf("%v %s", time.Since(p.began), line))
	return p.fail(line)
}

func (p *place) Break(id rehearse.LinkID, faults []rehearse.Fault) error {
	var names []string
	for _, f := range faults {
		if slices.Contains(names, f.ID()) {
			return fmt.Errorf("two faults are called %q", f.ID())
		}
		names = append(names, f.ID())
	}
	if err := p.say("%s %v", id, names); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.links[id] {
		if !slices.Contains(faults, f) {
			p.gone[id] = append([]rehearse.Dose{{Fault: f, Gone: !p.sticky, Connections: 3}}, p.gone[id]...)
		}
	}
	p.links[id] = faults
	return nil
}

func (p *place) Doses(id rehearse.LinkID) (out []rehearse.Dose) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.links[id] {
		out = append(out, rehearse.Dose{Fault: f, Active: true, Connections: 3})
	}
	return append(out, p.gone[id]...)
}

func (p *place) Disrupt(ctx context.Context, name rehearse.ServiceName, d rehearse.Disruption) (func(context.Context) error, error) {
	if err := p.say("%s %s", d.Kind, name); err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.down[name] = d.Kind
	p.mu.Unlock()
	return func(ctx context.Context) error {
		if err := p.say("undo %s %s", d.Kind, name); err != nil {
			return err
		}
		time.Sleep(p.slow)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.down, name)
		return nil
	}, nil
}

// whole reports whether nothing is broken.
func (p *place) whole() bool {
	for _, f := range p.links {
		if len(f) > 0 {
			return false
		}
	}
	return len(p.down) == 0
}

const second = rehearse.Duration(time.Second)

func fault(kind rehearse.FaultKind, at, length rehearse.Duration, links ...rehearse.LinkID) rehearse.Action {
	return rehearse.Action{Title: string(kind), At: at, For: length, Fault: &rehearse.Fault{Kind: kind}, Links: links}
}

func disruption(kind rehearse.DisruptionKind, at, length rehearse.Duration, services ...rehearse.ServiceName) rehearse.Action {
	return rehearse.Action{Title: string(kind), At: at, For: length, Disruption: &rehearse.Disruption{Kind: kind}, Services: services}
}

func method() rehearse.ExperimentStep {
	return rehearse.ExperimentStep{Name: "x", Before: 5 * second, Method: []rehearse.Action{
		fault(rehearse.FaultReset, 0, 4*second, "a:b", "c:b"),
		disruption(rehearse.DisruptKill, second, 2*second, "b"),
		fault(rehearse.FaultDelay, 2*second, 4*second, "a:b"),
		fault(rehearse.FaultReset, 4*second, second, "a:b"), // when the first is over
	}}
}

func TestTimeLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace()
		events, err := run(t.Context(), method(), p)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			"5s a:b [reset]", "5s c:b [reset]", "6s kill b", "7s a:b [reset delay]", "8s undo kill b",
			"9s a:b [delay]", "9s c:b []", "9s a:b [delay reset]", "10s a:b [delay]", "11s a:b []",
		}
		if d := cmp.Diff(want, p.log); d != "" {
			t.Errorf("what was done (-want +got)\n%s", d)
		}
		wantEvents := []string{
			"0 begins 5s", "1 begins 6s", "2 begins 7s", "1 ends 8s", "0 ends 9s a:b=3 c:b=3", "3 begins 9s", "3 ends 10s a:b=3", "2 ends 11s a:b=3",
		}
		slices.Sort(wantEvents)
		slices.Sort(events) // two that are of one moment come in any order
		if d := cmp.Diff(wantEvents, events); d != "" {
			t.Errorf("events (-want +got)\n%s", d)
		}
		if !p.whole() {
			t.Errorf("something is left: %v, %v", p.links, p.down)
		}
	})
}

func run(ctx context.Context, step rehearse.ExperimentStep, p *place) (events []string, err error) {
	err = Run(ctx, step, p.began, p, func(e rehearse.ActionEvent) {
		what := "begins"
		if e.Over {
			what = "ends"
		}
		line := fmt.Sprintf("%d %s %v", e.Action, what, e.At)
		for _, d := range e.Doses {
			line += fmt.Sprintf(" %s=%d", d.Link, d.Dose.Connections)
		}
		if e.Error != "" {
			line += " " + strings.ReplaceAll(e.Error, "\n", "; ")
		}
		events = append(events, line)
	})
	return events, err
}

// Whenever and however a method ends, nothing is left.
func TestRollsBack(t *testing.T) {
	broken := errors.New("broken")
	at := func(what string, do func() error) func(string) error {
		return func(line string) error {
			if line == what {
				return do()
			}
			return nil
		}
	}
	for _, tt := range []struct {
		name string
		fail func(string) error
		stop time.Duration // 0: never
		want string        // of the error
		ends string        // an event
	}{
		{name: "interrupted before", stop: 4 * time.Second, want: "context canceled"},
		{name: "interrupted half-way", stop: 7500 * time.Millisecond, want: "context canceled", ends: "2 ends 7.5s a:b=3"},
		{name: "the second link cannot", fail: at("c:b [reset]", func() error { return broken }), ends: "0 begins 5s break c:b: broken"},
		{name: "the service cannot", fail: at("kill b", func() error { return broken }), ends: "1 begins 6s b: broken"},
		{name: "the link panics", fail: at("a:b [reset delay]", func() error { panic("oh") }), want: `experiment "x": internal error: oh`, ends: "0 ends 7s a:b=3 c:b=3"},
		{name: "the service panics", fail: at("kill b", func() error { panic("oh") }), ends: "1 begins 6s b: internal error: oh"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace()
				if tt.fail != nil {
					p.fail = tt.fail
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.stop > 0 {
					time.AfterFunc(tt.stop, cancel)
				}
				events, err := run(ctx, method(), p)
				if got := fmt.Sprint(err); err == nil && tt.want != "" || err != nil && got != tt.want {
					t.Errorf("got error %v, want %q", err, tt.want)
				}
				if tt.ends != "" && !slices.Contains(events, tt.ends) {
					t.Errorf("got events %q, want %q among them", events, tt.ends)
				}
				if !p.whole() {
					t.Errorf("something is left: %v, %v", p.links, p.down)
				}
			})
		})
	}
}

// A fault that a link is not rid of is an error; a service that does not come back
// stands in the event.
func TestNotUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace()
		p.sticky = true
		_, err := run(t.Context(), method(), p)
		if err == nil || !strings.Contains(err.Error(), "reset is still on a:b, where 0 connections bear it") {
			t.Errorf("got %v, want that the reset is still there", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := newPlace()
		p.slow = time.Hour
		events, err := run(t.Context(), method(), p)
		if err != nil {
			t.Errorf("a service that does not come back: %v", err)
		}
		if i := slices.IndexFunc(events, func(e string) bool { return strings.HasPrefix(e, "1 ends") }); i < 0 || !strings.Contains(events[i], "b: context deadline exceeded") {
			t.Errorf("got events %q, want that b did not come back", events)
		}
	})
}

func TestCalm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace()
		step := method()
		step.Calm = true
		if events, err := run(t.Context(), step, p); err != nil || len(events)+len(p.log) > 0 {
			t.Errorf("a calm step did %v, told %v, and ended with %v", p.log, events, err)
		}
	})
}
