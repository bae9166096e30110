//go:build unix

package link

import (
	"testing"
	"time"
)

// Tests count goroutines and allocations: the measurement is not for them.
func init() { wake.once.Do(func() {}) }

func TestMeasureWake(t *testing.T) {
	noLeaks(t)
	took, err := measureWake()
	if err != nil {
		t.Fatal(err)
	}
	if took <= 0 || took > time.Minute {
		t.Errorf("a goroutine wakes in %v", took)
	}
}
