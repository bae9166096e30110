package stand

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rehearse-dev/rehearse/internal/environment"
)

// newLease begins a lease of a minute, and the store that has its record.
func newLease(t *testing.T, over func()) (*environment.Store, *lease) {
	t.Helper()
	store := &environment.Store{Root: filepath.Join(t.TempDir(), "environments")}
	record, err := store.Create(environment.Meta{Project: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := record.Close(); err != nil {
			t.Error(err)
		}
	})
	l := &lease{record: record, length: time.Minute}
	if err := l.begin(over); err != nil {
		t.Fatal(err)
	}
	return store, l
}

// TestLeaseIsPutOffByUse uses an environment for a while, and then no more.
func TestLeaseIsPutOffByUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var over time.Time
		_, l := newLease(t, func() { over = time.Now() })
		const used = 10 * time.Minute
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			l.follow(ctx, func() int64 { return min(int64(time.Since(begun)), int64(used)) })
			close(ended)
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		if got, want := over.Sub(begun), used+l.length; got != want {
			t.Errorf("it was over after %v, want %v: its length after its last use", got, want)
		}
		stop()
		<-ended
	})
}

func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var over time.Time
		store, l := newLease(t, func() { over = time.Now() })
		time.Sleep(30 * time.Second)
		for _, d := range []time.Duration{5 * time.Minute, time.Second} { // the second is shorter than what there is
			if until, err := l.extend(d); err != nil || until.Sub(begun) != 5*time.Minute+30*time.Second {
				t.Errorf("extended by %v, it ends after %v (%v), want 5m30s", d, until.Sub(begun), err)
			}
		}
		if entries, err := store.List(); err != nil || len(entries) != 1 || !entries[0].Expires.Equal(l.record.Now().Expires) || l.record.Now().Expires.Sub(begun) != 5*time.Minute+30*time.Second {
			t.Errorf("the record says %+v (%v), want the end of the lease", entries, err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := over.Sub(begun); got != 5*time.Minute+30*time.Second {
			t.Errorf("it was over after %v, want 5m30s", got)
		}
	})
}
