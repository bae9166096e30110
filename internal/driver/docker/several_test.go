package docker_test

import (
	"fmt"
	"sync"
	"testing"
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
