package process

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFill fills what a service's data is written to, and gives it room again.
func TestFill(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can mount here")
	}
	dir := filepath.Join(t.TempDir(), writtenDir)
	g := &guest{}
	for range 2 { // a restart of the service finds it mounted
		if err := g.scratch(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	write := func(name string) error { return os.WriteFile(filepath.Join(dir, name), make([]byte, 1<<20), 0o600) }
	if err := write("before"); err != nil {
		t.Fatal(err)
	}
	if err := fill(dir, true); err != nil {
		t.Fatal(err)
	}
	if err := write("full"); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("writing to what is full: %v, want ENOSPC", err)
	}
	if err := fill(dir, false); err != nil {
		t.Fatal(err)
	}
	if err := write("after"); err != nil {
		t.Errorf("writing to what has room again: %v", err)
	}
}
