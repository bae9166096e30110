package process

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

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
