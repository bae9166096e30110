package docker_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// heard are the events of a place, as they come.
type heard struct {
	t    testing.TB
	mu   sync.Mutex
	all  []driver.Event
	more chan struct{}
}

func (p *place) listen() *heard {
	p.t.Helper()
	h := &heard{t: p.t, more: make(chan struct{}, 1)}
	ctx, stop := context.WithCancel(p.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Environment.(driver.Watcher).Watch(ctx, func(ev driver.Event) {
			h.mu.Lock()
			h.all = append(h.all, ev)
			h.mu.Unlock()
			select {
			case h.more <- struct{}{}:
			default:
			}
		})
	}()
	p.t.Cleanup(func() {
		stop()
		<-ended
	})
	return h
}

// await waits for an event of a service, after those that were awaited before.
func (h *heard) await(service rehearse.ServiceName, action string) driver.Event {
	h.t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		h.mu.Lock()
		for i, ev := range h.all {
			if ev.Service == service && ev.Action == action {
				h.all = slices.Delete(h.all, 0, i+1)
				h.mu.Unlock()
				return ev
			}
		}
		h.mu.Unlock()
		select {
		case <-h.more:
		case <-timeout:
			h.t.Fatalf("nothing was heard of %s: %s", service, action)
		}
	}
}

// TestOutside has a person do things to containers, and us.
func TestOutside(t *testing.T) {
	t.Parallel()
	p := open(t, newDriver(t, "outside"), "outside", "outside", shell(t, "api", forever), shell(t, "other", forever))
	h := p.listen()
	proc, _ := p.start("api")
	p.start("other")
	engine := testdocker.Start(t).Client()
	ctx := t.Context()
	id := p.containers("api")[0].ID
	do := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if ev := h.await("api", "start"); ev.Outside {
		t.Errorf("we have started it, and hear %+v", ev)
	}
	network := "rehearse-outside"
	for _, test := range []struct {
		action, detail string
		do             func() error
	}{
		{"pause", "api was paused", func() error { _, err := engine.ContainerPause(ctx, id, client.ContainerPauseOptions{}); return err }},
		{"unpause", "api was paused for ", func() error { _, err := engine.ContainerUnpause(ctx, id, client.ContainerUnpauseOptions{}); return err }},
		{"disconnect", "api was taken off the network " + network, func() error {
			_, err := engine.NetworkDisconnect(ctx, network, client.NetworkDisconnectOptions{Container: id})
			return err
		}},
		{"connect", "api was connected to the network " + network, func() error {
			_, err := engine.NetworkConnect(ctx, network, client.NetworkConnectOptions{Container: id})
			return err
		}},
		{"update", "api was given other limits", func() error {
			_, err := engine.ContainerUpdate(ctx, id, client.ContainerUpdateOptions{Resources: &container.Resources{CPUShares: 512}})
			return err
		}},
		{"kill", "api was sent the signal 15 (terminated)", func() error {
			_, err := engine.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: "TERM"})
			return err
		}},
	} {
		do(test.action, test.do())
		if ev := h.await("api", test.action); !ev.Outside || !strings.HasPrefix(ev.Detail, test.detail) {
			t.Errorf("after %s we hear %+v, want %q, from outside", test.action, ev, test.detail)
		}
	}
	if exit := p.ended(proc); exit.Code == 0 {
		t.Errorf("it ends with %+v", exit)
	}
	if ev := h.await("api", "die"); ev.Outside {
		t.Errorf("its end is the program's own, and we hear %+v", ev)
	}
	proc, err := p.Start(ctx, "api", driver.Output{})
	do("start", err)
	do("kill", proc.Kill())
	p.ended(proc)
	for _, action := range []string{"start", "kill", "die"} {
		if ev := h.await("api", action); ev.Outside {
			t.Errorf("we did it, and hear %+v", ev)
		}
	}
	_, err = engine.ContainerStart(ctx, id, client.ContainerStartOptions{})
	do("start", err)
	if ev := h.await("api", "start"); !ev.Outside {
		t.Errorf("somebody else has started it, and we hear %+v", ev)
	}
	timeout := 0
	_, err = engine.ContainerRestart(ctx, p.containers("other")[0].ID, client.ContainerRestartOptions{Timeout: &timeout})
	do("restart", err)
	for _, action := range []string{"kill", "restart"} {
		if ev := h.await("other", action); !ev.Outside {
			t.Errorf("somebody else has restarted it, and we hear %+v", ev)
		}
	}
	late := p.listen() // who comes late hears everything
	if ev := late.await("api", "pause"); !ev.Outside {
		t.Errorf("late we hear %+v", ev)
	}
}

// TestLimits has one service want more memory than it may have, and another more
// CPU time.
func TestLimits(t *testing.T) {
	t.Parallel()
	hungry := shell(t, "hungry", "while :; do tail /dev/zero; sleep 1; done")
	hungry.Limits.Memory = 16 << 20
	busy := shell(t, "busy", "while :; do :; done")
	busy.Limits.CPUs = 0.2
	p := open(t, newDriver(t, "limits"), "limits", "limits", hungry, busy)
	h := p.listen()
	p.start("busy")
	proc, _ := p.start("hungry")
	ev := h.await("hungry", rehearse.HappenedOOM)
	if want := "hungry ran out of memory: the limit is 16.8 MB"; ev.Outside || ev.Detail != want {
		t.Errorf("we hear %+v, want %q, its own doing", ev, want)
	}
	select {
	case <-proc.Done():
		t.Errorf("only its child was to end, and it ended itself: %+v", proc.Exit())
	default:
	}
	p.holds("busy", 20*time.Millisecond)
}

// holds finds that a service which wants all CPU time gets no more than its quota in
// each of the kernel's periods, however busy the host is, and was made to wait.
func (p *place) holds(name rehearse.ServiceName, quota time.Duration) {
	p.t.Helper()
	usage := func() driver.Usage {
		u, err := p.Usage(p.t.Context(), name)
		if err != nil {
			p.t.Fatal(err)
		}
		return u
	}
	first := usage()
	last := first
	for deadline := time.Now().Add(30 * time.Second); last.Throttled.Periods < first.Throttled.Periods+8 || last.Throttled.Throttled == first.Throttled.Throttled; last = usage() {
		if time.Now().After(deadline) {
			p.t.Fatalf("the kernel has held %s to its quota like this: %+v, then %+v", name, first.Throttled, last.Throttled)
		}
		time.Sleep(50 * time.Millisecond) // until it has counted
	}
	periods := last.Throttled.Periods - first.Throttled.Periods
	// Time and periods are not read at the same moment: two periods are at the edges.
	got, most := time.Duration(last.CPU-first.CPU), time.Duration(periods+2)*quota*5/4
	if got > most {
		p.t.Errorf("%s had %v of CPU time in %d periods, want at most %v", name, got, periods, most)
	}
	if held := last.Throttled; held.Throttled > held.Periods || held.For <= first.Throttled.For {
		p.t.Errorf("%s was held back like this: %+v, then %+v", name, first.Throttled, held)
	}
}
