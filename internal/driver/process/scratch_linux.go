package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
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

// roomy is how large that file system may become.
const roomy = "size=50%"

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
	if err := unix.Mount("rehearse", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,"+roomy); err != nil {
		return fmt.Errorf("mount a place for what is written: %w", err)
	}
	return nil
}

// fillTries is how often what is written meanwhile may be in the way of filling.
const fillTries = 20

// fill leaves the file system on a directory no more room than is used, or gives it
// room again.
func fill(dir string, full bool) (err error) {
	for range fillTries {
		options := roomy
		if full {
			var st unix.Statfs_t
			if err := unix.Statfs(dir, &st); err != nil {
				return err
			}
			// Nothing less than a page can be had; 0 would be no limit at all.
			used := max(int64(st.Blocks)-int64(st.Bfree), 1)
			options = fmt.Sprintf("size=%d", used*int64(st.Bsize))
		}
		err = unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, options)
		if !full || !errors.Is(err, unix.EINVAL) { // which says that more is used by now
			break
		}
	}
	if err != nil {
		return fmt.Errorf("change how much can be written: %w", err)
	}
	return nil
}
