package link

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// TestAlarmsAreSorted pushes and removes at random and compares with a search.
func TestAlarmsAreSorted(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	start := time.Now()
	var heap alarms
	for range 5000 {
		switch n := len(heap); {
		case n == 0 || random.IntN(5) < 3:
			heap.push(&alarm{at: start.Add(time.Duration(random.IntN(1000)))})
		case random.IntN(2) == 0:
			gone := heap[random.IntN(n)]
			heap.remove(gone.index)
			if gone.index != -1 || len(heap) != n-1 {
				t.Fatalf("removed an alarm: its index is %d, %d of %d left", gone.index, len(heap), n)
			}
		default:
			first := heap[0]
			for i, a := range heap {
				if a.index != i {
					t.Fatalf("alarm %d believes to be %d", i, a.index)
				}
				if a.at.Before(first.at) {
					t.Fatalf("alarm %d is earlier than the first", i)
				}
			}
			heap.remove(0)
		}
	}
}

// TestEngine lets many goroutines wait at once, some of whom are stopped. No one
// may be woken early, and everyone must be woken.
func TestEngine(t *testing.T) {
	stop := make(chan struct{})
	var waiting sync.WaitGroup
	for i := range 300 {
		random := rand.New(rand.NewPCG(uint64(i), 1))
		waiting.Go(func() {
			if i%3 == 0 {
				if waitPrecisely(time.Now().Add(time.Hour), stop, nil) {
					t.Error("an hour has gone by")
				}
				return
			}
			for range 20 {
				until := time.Now().Add(time.Duration(random.IntN(5000)-500) * time.Microsecond)
				if !waitPrecisely(until, nil, nil) {
					t.Error("a wait without a stop was stopped")
				}
				if left := time.Until(until); left > 0 {
					t.Errorf("woken %v early", left)
				}
			}
		})
	}
	if !waitPrecisely(time.Now().Add(50*time.Millisecond), nil, nil) {
		t.Error("a wait without a stop was stopped")
	}
	close(stop)
	waiting.Wait()
	if e := theEngine(); e != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		if len(e.alarms) != 0 {
			t.Errorf("%d alarms are left", len(e.alarms))
		}
	}
}
