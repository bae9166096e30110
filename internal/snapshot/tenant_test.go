package snapshot_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse/internal/snapshot"
)

// A clone is found by its label and removed for its owner alone.
func TestTenants(t *testing.T) {
	dir := t.TempDir()
	s, err := snapshot.Open(dir, snapshot.Options{Methods: []snapshot.Method{snapshot.Copy}, Small: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g, err := s.Golden(t.Context(), "key", func(_ context.Context, dir string) error {
		return os.WriteFile(filepath.Join(dir, "rows"), []byte("rows"), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	mine, other := snapshot.Tenant{Label: "a", Environment: "shop-1"}, snapshot.Tenant{Label: "b", Environment: "shop-1"}
	for _, tenant := range []snapshot.Tenant{mine, other} {
		if _, err := g.Clone(t.Context(), tenant.Clone("db"), tenant.Owner()); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]snapshot.Tenant{mine.Clone("db"): mine}
	if got, err := snapshot.TenantClones(dir, "a"); err != nil || !cmp.Equal(got, want) {
		t.Errorf("clones of a: %v (%v), want %v", got, err, want)
	}
	if err := snapshot.RemoveTenantClone(t.Context(), dir, mine, other.Clone("db")); err != nil {
		t.Error(err)
	}
	if got, _ := snapshot.TenantClones(dir, "b"); len(got) != 1 {
		t.Errorf("one tenant has removed another's clone: %v are left", got)
	}
	if err := snapshot.RemoveTenantClone(t.Context(), dir, mine, mine.Clone("db")); err != nil {
		t.Error(err)
	}
	if got, _ := snapshot.TenantClones(dir, "a"); len(got) != 0 {
		t.Errorf("left after its removal: %v", got)
	}
}
