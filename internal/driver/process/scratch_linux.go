package process

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// writtenDir is the directory of a jail's work directory in which lies what a
// service writes over its golden data. It is a file system of its own, as a volume
// is, so that it can be full by itself; and it is the guest's, so that it outlives a
// restart of the service.
const writtenDir = "written"

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

// fill leaves the file system on a directory no more room than is used, or gives it
// room again.
func fill(dir string, full bool) error {
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
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("change how much can be written: %w", err)
	}
	return nil
}
