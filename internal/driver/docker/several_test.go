package docker_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// TestSeveralEnvironments has eight environments on one engine at once.
func TestSeveralEnvironments(t *testing.T) {
	d := newDriver(t, "several")
	service := server(t, "up")
	var mu sync.Mutex
	networks := map[string]bool{}
	t.Run("all", func(t *testing.T) {
		var all sync.WaitGroup
		places := make([]*place, 8)
		for n := range places {
			s, j, said := spec(t, fmt.Sprint("several-", n), service)
			s.Plan.Services[0].Env = map[string]string{"WHICH": fmt.Sprint(n)}
			all.Go(func() {
				e, err := d.Open(t.Context(), s)
				if err != nil {
					t.Error(hinted(err))
					return
				}
				places[n] = &place{Environment: e, t: t, id: s.ID, label: "several", journal: j, said: said}
				t.Cleanup(places[n].close)
				if err := e.Prepare(t.Context(), "up"); err != nil {
					t.Error(hinted(err))
				}
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
		for n, p := range places {
			all.Go(func() {
				p.start("up")
				if got := p.ask("up", "env WHICH"); got != fmt.Sprint(n) {
					t.Errorf("environment %d is answered by %q", n, got)
				}
				mu.Lock()
				defer mu.Unlock()
				networks[p.containers("up")[0].NetworkSettings.Networks["rehearse-"+string(p.id)].Gateway.String()] = true
			})
		}
		all.Wait()
		if len(networks) != len(places) {
			t.Errorf("eight environments have the gateways %v", networks)
		}
	})
	nothingLeft(t, "several")
}

// TestSameName has two state directories come by the same name for an environment:
// the second is refused before it has made anything.
func TestSameName(t *testing.T) {
	open(t, newDriver(t, "first"), "first", "same-name", server(t, "up"))
	s, _, _ := spec(t, "same-name", server(t, "up"))
	e, err := newDriver(t, "second").Open(t.Context(), s)
	if err == nil {
		err = e.Close(t.Context())
		t.Fatal("it was made; closing it: ", err)
	}
	if got := err.Error(); rehearse.KindOf(err) != rehearse.Unavailable || !strings.Contains(got, "another state directory: its label is dev.rehearse.state=first") {
		t.Errorf("it was refused with %q of kind %v", got, rehearse.KindOf(err))
	}
	nothingLeft(t, "second")
}

// TestAnonymousVolumes has each instance of a service see its own anonymous volume,
// and all of them the one with a name.
func TestAnonymousVolumes(t *testing.T) {
	s := server(t, "up")
	s.Container.Replicas = 2
	s.Mounts = []rehearse.Mount{
		{Type: "volume", Source: "up-anonymous-1", Target: "/own", Anonymous: true}, {Type: "volume", Source: "shared", Target: "/shared"},
	}
	p := open(t, newDriver(t, "anonymous"), "anonymous", "anonymous", s)
	p.start("up")
	p.ask("up", "hostname") // it is there
	c := p.Environment.(driver.Copier)
	first := driver.Place{Service: "up", Instance: 1}
	for _, dir := range []string{"/own", "/shared"} {
		first.Path = dir
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := errors.Join(w.WriteHeader(&tar.Header{Name: "file", Typeflag: tar.TypeReg, Mode: 0o644}), w.Close(), c.WriteFiles(t.Context(), first, &b)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]rehearse.Kind{"/own/file": rehearse.Invalid, "/shared/file": rehearse.KindOf(nil)} {
		_, err := c.Stat(t.Context(), driver.Place{Service: "up", Instance: 2, Path: path})
		if rehearse.KindOf(err) != want {
			t.Errorf("%s of the second instance: %v", path, err)
		}
	}
}
