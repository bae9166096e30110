package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse/internal/ramdisk"
)

// The scratch space has file systems of its own for what a service writes into its
// data directory, over its golden data or not, and for each volume, so that each can
// be full by itself. They are the guest's, so that they outlive a restart of the
// service:
//
//	NAME/written   data, or data.upper and data.work
//	volumes/NAME   a volume, of all services that mount it
const (
	writtenDir = "written"
	volumesDir = "volumes"
)

// fileSystems are the directories on which a jail needs them.
func fileSystems(spec jailSpec) []string {
	out := []string{filepath.Join(spec.Work, writtenDir)}
	for _, m := range spec.Mounts {
		if m.Kind == "volume" {
			out = append(out, filepath.Join(filepath.Dir(spec.Work), volumesDir, m.Keep))
		}
	}
	return out
}

// scratch mounts a file system on a directory, unless one is there.
func (g *guest) scratch(dir string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var above, own unix.Stat_t
	if err := errors.Join(unix.Stat(dir+"/..", &above), unix.Stat(dir, &own)); err != nil {
		return err
	}
	if above.Dev != own.Dev {
		return nil
	}
	if err := ramdisk.Mount(dir); err != nil {
		return fmt.Errorf("mount a place for what is written: %w", err)
	}
	return nil
}
