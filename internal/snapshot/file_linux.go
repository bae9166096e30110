package snapshot

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// reflinkFile makes an empty file share all extents of another.
func reflinkFile(to, from *os.File) error {
	if err := unix.IoctlFileClone(int(to.Fd()), int(from.Fd())); err != nil {
		return fmt.Errorf("share extents: %w", err)
	}
	return nil
}

// flush writes the file system that holds a directory to its disk.
func flush(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("write %s to disk: %w", dir, err)
	}
	return nil
}
