package ramdisk

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// flags are those of every such file system.
const flags = unix.MS_NOSUID | unix.MS_NODEV

// Mount mounts an empty one on a directory that exists. It takes the right to
// administer the mount namespace, as Fill does.
func Mount(dir string) error {
	return unix.Mount("rehearse", dir, "tmpfs", flags, "mode=755,"+Options)
}

// Main does what a program was started for with these arguments, where that is to
// fill such a file system.
func Main(args []string) (done bool, err error) {
	if len(args) != 2 || args[0] != Full && args[0] != Roomy {
		return false, nil
	}
	return true, Fill(args[1], args[0] == Full)
}

// fillTries is how often what is written meanwhile may be in the way of filling.
const fillTries = 20

// Fill leaves the file system on a directory no more room than is used, or gives it
// room again. What lies in it stays, and may be written over.
func Fill(dir string, full bool) (err error) {
	for range fillTries {
		options := Options
		if full {
			var st unix.Statfs_t
			if err := unix.Statfs(dir, &st); err != nil {
				return err
			}
			// Nothing less than a page can be had; 0 would be no limit at all.
			used := max(int64(st.Blocks)-int64(st.Bfree), 1)
			options = fmt.Sprintf("size=%d", used*int64(st.Bsize))
		}
		err = unix.Mount("", dir, "", unix.MS_REMOUNT|flags, options)
		if !full || !errors.Is(err, unix.EINVAL) { // which says that more is used by now
			break
		}
	}
	if err != nil {
		return fmt.Errorf("change how much can be written: %w", err)
	}
	return nil
}
