package environment_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

// TestSpent has a service whose driver stops to say what it uses: what is known is
// not told as all.
func TestSpent(t *testing.T) {
	s := newStage(t)
	var silent atomic.Bool
	s.driver.Options.FailUsage = func(name rehearse.ServiceName) error {
		if name == "db" && silent.Load() {
			return errors.New("nobody answers")
		}
		return nil
	}
	e := s.mustUp(t, []rehearse.Service{{Name: "db", Image: "idle"}, {Name: "api", Image: "idle"}})
	if got := e.Spent(t.Context()); got.AtLeast || len(got.Services) != 2 {
		t.Errorf("all were asked: %+v, want two services, and nothing unknown", got)
	}
	silent.Store(true)
	if got := e.Spent(t.Context()); !got.AtLeast || len(got.Services) != 2 {
		t.Errorf("the database was not: %+v, want two services, and more unknown", got)
	}
}
