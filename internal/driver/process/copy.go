package process

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// copyTemplate copies a data directory with its modes, once: a target that has
// anything in it has been copied, and used, before. The copy belongs to the
// given user, where we may give things away.
func copyTemplate(from, to string, uid, gid int) error {
	if entries, err := os.ReadDir(to); err == nil && len(entries) > 0 {
		return nil
	}
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			err = errors.Join(os.MkdirAll(target, 0o700), os.Chmod(target, info.Mode().Perm()))
		case d.Type()&fs.ModeSymlink != 0:
			var link string
			if link, err = os.Readlink(path); err == nil {
				err = os.Symlink(link, target)
			}
		case d.Type().IsRegular():
			err = copyFile(path, target, info.Mode().Perm())
		default:
			return nil // sockets and pipes mean nothing in a copy
		}
		if err == nil && os.Getuid() == 0 {
			err = os.Lchown(target, uid, gid)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("copy the template: %w", err)
	}
	return nil
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
