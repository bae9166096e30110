package docker

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// TestRemains has an engine fall silent after it has refused something: both are said.
func TestRemains(t *testing.T) {
	var left remains
	left.add(driver.Remnant{Kind: "network", Name: "n"}, nil)
	left.add(driver.Remnant{Kind: "container", Name: "c"}, errors.New("remove container c: it is stuck"))
	if got, want := left.error("shop-1").Error(), "remove container c: it is stuck"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	left.add(driver.Remnant{Kind: "volume", Name: "v"}, context.DeadlineExceeded)
	err := left.error("shop-1")
	text := err.Error()
	if rehearse.KindOf(err) != rehearse.Unavailable || !strings.Contains(text, "may still have its volume v") || !strings.Contains(text, "it is stuck") {
		t.Errorf("got %s, want what is left with the reason that is known", text)
	}
	if strings.Contains(text, "container c,") || strings.Contains(text, "network n") {
		t.Errorf("got %s, want no more than the volume among what may be left", text)
	}
}
