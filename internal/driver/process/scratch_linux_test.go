package process

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestScratch asks for a file system again, as a service does that is restarted: it
// is mounted once, with what lies in it.
func TestScratch(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can mount here")
	}
	dir := filepath.Join(t.TempDir(), writtenDir)
	g := &guest{}
	if err := g.scratch(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, "row"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.scratch(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "row")); err != nil {
		t.Error(err)
	}
}
