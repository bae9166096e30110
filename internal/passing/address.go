//go:build unix

package passing

import (
	"fmt"
	"os"
	"path/filepath"
)

// Address is a name for a Unix socket that fits into the kernel's 107 bytes: a
// long path is taken through a file descriptor of its directory, which stays open
// until release is called. It works where there is /proc.
func Address(path string) (name string, release func(), err error) {
	if len(path) < 100 {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { dir.Close() }, nil
}
