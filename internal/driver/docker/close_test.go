package docker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// TestCloseGivesUp has an engine fall silent: no connection ends, and nothing is
// answered.
func TestCloseGivesUp(t *testing.T) {
	for _, test := range []struct {
		name string
		// begin mutes the way, and does something that waits for the engine then.
		begin func(p *place, w *testdocker.Way) error
		left  []string
	}{
		{"preparing", func(p *place, w *testdocker.Way) error {
			w.Mute()
			return p.Prepare(p.t.Context(), "up")
		}, []string{"container rehearse-mute-preparing-_links", "network rehearse-mute-preparing"}},
		{"starting", func(p *place, w *testdocker.Way) error {
			if err := p.Prepare(p.t.Context(), "up"); err != nil {
				return err
			}
			w.Mute()
			_, err := p.Start(p.t.Context(), "up", driver.Output{})
			return err
		}, []string{"container rehearse-mute-starting-up", "network rehearse-mute-starting", "volume rehearse-mute-starting-volume-data"}},
		{"stopping", func(p *place, w *testdocker.Way) error {
			proc, _ := p.start("up")
			w.Mute()
			return proc.Signal(driver.Signal(""))
		}, []string{"container rehearse-mute-stopping-up", "container rehearse-mute-stopping-_links", "volume rehearse-mute-stopping-volume-data"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			label := "mute-" + test.name
			w := testdocker.Start(t).Way(t)
			d := newDriverWith(t, label, t.TempDir(), map[string]string{"DOCKER_HOST": w.Host()})
			d.SetLimits(300*time.Millisecond, 100*time.Millisecond, 0)
			up := shell(t, "up", forever)
			up.Mounts = []rehearse.Mount{{Type: "volume", Source: "data", Target: "/data"}}
			s, j, said := spec(t, label, up)
			e, err := d.Open(t.Context(), s)
			if err != nil {
				t.Fatal(hinted(err))
			}
			p := &place{Environment: e, t: t, id: s.ID, label: label, journal: j, said: said}
			t.Cleanup(func() { _ = e.Close(context.Background()) })
			p.linked()
			began := make(chan error, 1)
			go func() { began <- test.begin(p, w) }()
			w.AwaitMuted()
			w.AwaitWaiting()
			p.givesUp(test.left)
			select {
			case err := <-began:
				if err == nil {
					t.Error("what waited for the engine has no error")
				}
			case <-time.After(30 * time.Second):
				t.Error("what waited for the engine waits still")
			}
			w.Break(0)
			eventuallyNothing(t, label) // the reaper goes on
		})
	}
}

// linked waits until the link container answers.
func (p *place) linked() {
	p.t.Helper()
	if l, _, err := p.Listen(p.t.Context(), "up", []string{"other"}, 80); err != nil {
		p.t.Fatal(hinted(err))
	} else {
		_ = l.Close() // it ends with the environment in any case
	}
}

// givesUp finds that Close says in time what is left.
func (p *place) givesUp(left []string) {
	p.t.Helper()
	closed := make(chan error, 1)
	go func() { closed <- p.Close(context.Background()) }()
	select {
	case err := <-closed:
		text := hinted(err)
		if rehearse.KindOf(err) != rehearse.Unavailable || !strings.Contains(text, "rehearse gc") {
			p.t.Errorf("close: %s, want an error of the kind Unavailable that names rehearse gc", text)
		}
		for _, name := range left {
			if !strings.Contains(text, name) {
				p.t.Errorf("close: %s, want %s in it", text, name)
			}
		}
	case <-time.After(30 * time.Second):
		p.t.Fatal("Close waits for an engine that does not answer")
	}
}
