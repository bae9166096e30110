package packet

import (
	"errors"
	"os"
	"testing"

	"github.com/rehearse-dev/rehearse"
)

func TestAvailable(t *testing.T) {
	err := Available()
	_, missing := os.Stat(control)
	if missing != nil && err == nil {
		t.Error("there is no device, and it is available")
	}
	if err == nil {
		return
	}
	var e *rehearse.Error
	if !errors.As(err, &e) || e.Kind != rehearse.Unavailable || e.Hint == "" {
		t.Errorf("%#v says neither kind nor hint", err)
	}
}
