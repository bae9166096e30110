package ramdisk_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse/internal/ramdisk"
)

// TestFill fills a file system, and gives it room again.
func TestFill(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can mount here")
	}
	dir := t.TempDir()
	if err := ramdisk.Mount(dir); err != nil {
		t.Fatal(err)
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
	if err := ramdisk.Fill(dir, true); err != nil {
		t.Fatal(err)
	}
	if err := write("full"); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("writing to what is full: %v, want ENOSPC", err)
	}
	if err := ramdisk.Fill(dir, false); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "before")); err != nil || len(got) != 1<<20 {
		t.Errorf("of what lay in it there are %d bytes, %v", len(got), err)
	}
	if err := write("after"); err != nil {
		t.Errorf("writing to what has room again: %v", err)
	}
}
