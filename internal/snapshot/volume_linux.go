package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse"
)

// volume is a file system of our own in a sparse file, opened by this process.
//
// It is mounted with fsmount(2), whose result is a file descriptor: no path leads
// there but ours through /proc/self/fd, no table of mounts shows it, and when the
// last process lets go of it, however that happens, the kernel takes down the
// mount, and then the loop device, which clears itself. A mount on a path would
// have to be found and undone after a kill.
type volume struct {
	mount  *os.File
	device string
	fs     string
}

// minVolume is the least room for which a volume is worth its own overhead.
const minVolume = 1 << 30

// openVolume mounts the volume in the file name.img. It is os.ErrNotExist that
// there is none, unless it is to be made.
func openVolume(ctx context.Context, name string, create bool) (*volume, error) {
	if os.Geteuid() != 0 {
		return nil, errNotRoot
	}
	image := name + ".img"
	alone, err := takeLock(ctx, name+".lock", false)
	if err != nil {
		return nil, err
	}
	defer alone.release() // the loop device and the mount are ours then
	_, err = os.Stat(image)
	if errors.Is(err, os.ErrNotExist) && create {
		err = format(ctx, image)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the loop device holds it as long as it needs
	v := &volume{}
	if v.fs, err = fileSystemIn(f); err != nil {
		return nil, err
	}
	loop, err := attach(f)
	if err != nil {
		return nil, fmt.Errorf("attach %s to a loop device: %w", image, err)
	}
	defer loop.Close() // the mount holds it
	v.device = loop.Name()
	if v.mount, err = privateMount(v.device, v.fs); err != nil {
		return nil, fmt.Errorf("mount %s: %w", image, err)
	}
	for _, dir := range []string{"goldens", "clones"} {
		if err := os.MkdirAll(filepath.Join(v.root(), dir), 0o755); err != nil {
			return nil, errors.Join(err, v.close())
		}
	}
	return v, nil
}

func (v *volume) close() error             { return v.mount.Close() }
func (v *volume) root() string             { return "/proc/self/fd/" + strconv.Itoa(int(v.mount.Fd())) }
func (v *volume) golden(key string) string { return filepath.Join(v.root(), "goldens", key) }
func (v *volume) clone(id string) string   { return filepath.Join(v.root(), "clones", id) }

var errNotRoot = errors.New("it needs root")

// tryVolume says why no volume can be had. It asks for as much as can be asked
// without making one.
func tryVolume() error {
	if os.Geteuid() != 0 {
		return errNotRoot
	}
	if _, _, err := formatter(); err != nil {
		return err
	}
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("no loop devices: %w", err)
	}
	return control.Close()
}

// formatter finds a program that makes a file system which shares extents.
// Privileged programs are not looked for in PATH.
func formatter() (program string, args []string, err error) {
	for _, f := range []struct {
		name string
		args []string
	}{
		{"mkfs.xfs", []string{"-q", "-m", "reflink=1"}},
		{"mkfs.btrfs", []string{"-q"}},
	} {
		for _, dir := range []string{"/sbin", "/usr/sbin", "/usr/local/sbin", "/usr/bin"} {
			path := filepath.Join(dir, f.name)
			if _, err := os.Stat(path); err == nil && hasFileSystem(strings.TrimPrefix(f.name, "mkfs.")) {
				return path, f.args, nil
			}
		}
	}
	return "", nil, errors.New("neither mkfs.xfs nor mkfs.btrfs is here, with a kernel that knows the file system")
}

// hasFileSystem asks the kernel for a file system, which loads its module.
func hasFileSystem(name string) bool {
	fd, err := unix.Fsopen(name, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return false
	}
	return unix.Close(fd) == nil
}

// format makes the volume: a sparse file that may grow into four fifths of what
// is free now. Blocks that its files give up are given back to the host.
func format(ctx context.Context, image string) error {
	program, args, err := formatter()
	if err != nil {
		return err
	}
	var st unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(image), &st); err != nil {
		return err
	}
	size := int64(st.Bavail) * st.Bsize / 5 * 4
	if size < minVolume {
		return &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("there is too little room for a volume in %s", filepath.Dir(image)),
			Hint: "Free some, or put the cache on another disk.",
		}
	}
	unborn := image + ".new"
	defer os.Remove(unborn) // after the rename it is gone
	f, err := os.OpenFile(unborn, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, program, append(args, unborn)...).CombinedOutput(); err != nil {
		return fmt.Errorf("make a file system for clones: %w: %s", err, bytes.TrimSpace(out))
	}
	if f, err = os.Open(unborn); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return errors.Join(os.Rename(unborn, image), syncDir(filepath.Dir(image)))
}

// fileSystemIn reads which file system a volume holds from its superblock.
func fileSystemIn(f *os.File) (string, error) {
	head := make([]byte, 8)
	if _, err := f.ReadAt(head, 0); err == nil && string(head[:4]) == "XFSB" {
		return "xfs", nil
	}
	if _, err := f.ReadAt(head, 0x10040); err == nil && string(head) == "_BHRfS_M" {
		return "btrfs", nil
	}
	return "", &rehearse.Error{
		Kind: rehearse.Unavailable, Msg: f.Name() + " is no file system of ours",
		Hint: "Remove the file: datasets are made again when they are needed.",
	}
}

// attach finds the loop device that has the file, or gives it a new one. The
// device stays as long as it is open or mounted.
func attach(image *os.File) (*os.File, error) {
	if loop, err := attached(image); err != nil || loop != nil {
		return loop, err
	}
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, err
		}
		loop, err := openLoop(n)
		if err != nil {
			return nil, err
		}
		err = configure(loop, image)
		if err == nil {
			return loop, nil
		}
		loop.Close()
		if !errors.Is(err, unix.EBUSY) { // else somebody was quicker
			return nil, err
		}
	}
}

// openLoop opens a loop device. In a container that has /dev of its own the
// kernel's new devices have no name: we make one.
func openLoop(n int) (*os.File, error) {
	const major = 7
	path := "/dev/loop" + strconv.Itoa(n)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		if err := unix.Mknod(path, unix.S_IFBLK|0o600, int(unix.Mkdev(major, uint32(n)))); err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, fmt.Errorf("make %s: %w", path, err)
		}
		f, err = os.OpenFile(path, os.O_RDWR, 0)
	}
	return f, err
}

// configure gives a loop device its file, unbuffered where the host's file system
// can: the volume's own cache is enough.
func configure(loop, image *os.File) error {
	c := &unix.LoopConfig{Fd: uint32(image.Fd())}
	copy(c.Info.File_name[:len(c.Info.File_name)-1], image.Name())
	c.Info.Flags = unix.LO_FLAGS_AUTOCLEAR | unix.LO_FLAGS_DIRECT_IO
	err := unix.IoctlLoopConfigure(int(loop.Fd()), c)
	if errors.Is(err, unix.EINVAL) {
		c.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
		err = unix.IoctlLoopConfigure(int(loop.Fd()), c)
	}
	return err
}

// attached finds the loop device that has the file already; nil when none has.
// Two devices with one file would each have a cache of their own, and destroy it.
func attached(image *os.File) (*os.File, error) {
	var want unix.Stat_t
	if err := unix.Fstat(int(image.Fd()), &want); err != nil {
		return nil, err
	}
	bound, err := filepath.Glob("/sys/block/loop*/loop")
	if err != nil {
		return nil, err
	}
	for _, dir := range bound {
		n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(filepath.Dir(dir)), "loop"))
		if err != nil {
			continue
		}
		loop, err := openLoop(n)
		if err != nil {
			return nil, err
		}
		// Open, it keeps its file: what it says now holds.
		if is, err := unix.IoctlLoopGetStatus64(int(loop.Fd())); err == nil && is.Inode == want.Ino && is.Device == uint64(want.Dev) {
			return loop, nil
		}
		loop.Close()
	}
	return nil, nil
}

// privateMount mounts a device on a file descriptor.
func privateMount(device, fs string) (*os.File, error) {
	config, err := unix.Fsopen(fs, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(config)
	if err := errors.Join(
		unix.FsconfigSetString(config, "source", device),
		unix.FsconfigSetFlag(config, "discard"), // freed blocks go back to the host
		unix.FsconfigCreate(config),
	); err != nil {
		return nil, err
	}
	fd, err := unix.Fsmount(config, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOATIME)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "volume"), nil
}
