package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rehearse-dev/rehearse"
)

// copying is one copy of a directory, file by file.
type copying struct {
	// file gives an empty file the content of another.
	file func(to, from *os.File) error
	// move removes each file once it has been copied.
	move     bool
	uid, gid int // ours: what we make belongs to them already
}

// copyTree copies a directory with its owners and modes. Sockets and pipes mean
// nothing in a copy. After an error nothing is left at to.
func copyTree(ctx context.Context, from, to string, file func(to, from *os.File) error, move bool) error {
	c := &copying{file: file, move: move, uid: os.Geteuid(), gid: os.Getegid()}
	err := c.dir(ctx, from, to)
	if errors.Is(err, unix.ENOSPC) {
		err = &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: "no space is left for a copy of the data", Err: err,
			Hint: "Free some, for instance by removing datasets that are no longer used.",
		}
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(to))
	}
	return nil
}

func (c *copying) dir(ctx context.Context, from, to string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, e := range entries {
		from, to := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		switch e.Type() {
		case 0:
			err = c.regular(from, to)
		case fs.ModeDir:
			err = c.dir(ctx, from, to)
		case fs.ModeSymlink:
			err = c.symlink(from, to)
		}
		if err != nil {
			return err
		}
	}
	st, err := os.Stat(from)
	if err != nil {
		return err
	}
	// Last, because it may take our own right to write away.
	if err := c.own(st, func(uid, gid int) error { return os.Chown(to, uid, gid) }); err != nil {
		return err
	}
	if st.Mode().Perm() != 0o700 {
		return os.Chmod(to, st.Mode().Perm())
	}
	return nil
}

func (c *copying) regular(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if st.Size() > 0 {
		err = c.file(out, in)
	}
	if err == nil {
		err = c.own(st, out.Chown)
	}
	if err == nil && st.Mode().Perm() != 0o600 {
		err = out.Chmod(st.Mode().Perm())
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	if c.move {
		return os.Remove(from)
	}
	return nil
}

func (c *copying) symlink(from, to string) error {
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	if err := os.Symlink(target, to); err != nil {
		return err
	}
	st, err := os.Lstat(from)
	if err != nil {
		return err
	}
	return c.own(st, func(uid, gid int) error { return os.Lchown(to, uid, gid) })
}

// own gives a new file the owner of an old one, where that is not us.
func (c *copying) own(st fs.FileInfo, chown func(uid, gid int) error) error {
	of, ok := st.Sys().(*syscall.Stat_t)
	if !ok || int(of.Uid) == c.uid && int(of.Gid) == c.gid {
		return nil
	}
	return chown(int(of.Uid), int(of.Gid))
}

// copyFile copies every byte, inside the kernel where that can be.
func copyFile(to, from *os.File) error {
	_, err := io.Copy(to, from) // copy_file_range(2) on Linux
	return err
}

// sizeOf is what a directory's files take on the disk.
func sizeOf(dir string) (bytes int64, files int, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		files++
		if s, ok := st.Sys().(*syscall.Stat_t); ok {
			bytes += s.Blocks * 512
		}
		return nil
	})
	return bytes, files, err
}
