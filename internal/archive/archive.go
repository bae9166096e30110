// Package archive packs files into tar archives and unpacks them again, as copying
// between a host and its services needs it.
//
// [Pack] and [Unpack] are a pair. Neither leaves the directory that it was given:
// an archive whose names or links lead out of it is refused. [Main] does both where
// a service runs, with the service's own rights.
package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Pack writes a file, or a directory with everything below it, as an archive in
// which it is called name. Sockets and devices are left out. With follow, a
// symbolic link at the path itself stands for what it leads to.
func Pack(w io.Writer, file, name string, follow bool) error {
	if follow {
		real, err := filepath.EvalSymlinks(file)
		if err != nil {
			return err
		}
		file = real
	}
	out := tar.NewWriter(w)
	err := filepath.WalkDir(file, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(file, at)
		if err != nil {
			return err
		}
		return pack(out, at, path.Join(name, filepath.ToSlash(rel)), d)
	})
	return errors.Join(err, out.Close())
}

func pack(out *tar.Writer, at, name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	target := ""
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		if target, err = os.Readlink(at); err != nil {
			return err
		}
	case !info.Mode().IsRegular() && !info.IsDir():
		return nil
	}
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	h.Name = name
	if info.IsDir() {
		h.Name += "/"
	}
	if !info.Mode().IsRegular() {
		return out.WriteHeader(h)
	}
	f, err := os.Open(at)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := out.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(f, h.Size)) // it may be growing
	return err
}

// Rename changes the name of an entry: its first element becomes first, unless that
// is empty. It fails for a name that leads out of the directory that it is in.
func Rename(name, first string) (string, error) {
	clean := path.Clean(name)
	if !filepath.IsLocal(clean) {
		return "", fmt.Errorf("the archive's entry %q leads out of its directory", name)
	}
	if first == "" {
		return clean, nil
	}
	_, rest, _ := strings.Cut(clean, "/")
	return path.Join(first, rest), nil
}

// Unpack unpacks an archive into a directory. Where first is not empty, it takes the
// place of the first element of every name. What it makes belongs to the process's
// user, and no file keeps bits that would give others the rights of that user.
func Unpack(r io.Reader, dir, first string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	var made []*tar.Header // directories, which get their modes in the end
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		if h.Name, err = Rename(h.Name, first); err != nil {
			return err
		}
		isNew, err := unpack(root, h, in, first)
		if err != nil {
			return err
		}
		if isNew {
			made = append(made, h)
		}
	}
	for i := len(made) - 1; i >= 0; i-- {
		h := made[i]
		if err := errors.Join(root.Chmod(h.Name, h.FileInfo().Mode().Perm()), root.Chtimes(h.Name, h.ModTime, h.ModTime)); err != nil {
			return err
		}
	}
	return nil
}

// unpack makes one entry, and says whether that is a directory which was not there.
func unpack(root *os.Root, h *tar.Header, from io.Reader, first string) (newDir bool, err error) {
	if h.Typeflag != tar.TypeDir {
		if parent := path.Dir(h.Name); parent != "." {
			if err := root.MkdirAll(parent, 0o755); err != nil {
				return false, err
			}
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if info, err := root.Stat(h.Name); err == nil && info.IsDir() {
			return false, nil
		}
		return true, root.MkdirAll(h.Name, 0o755)
	case tar.TypeReg:
		return false, unpackFile(root, h, from)
	case tar.TypeSymlink:
		if err := root.Remove(h.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		return false, root.Symlink(h.Linkname, h.Name)
	case tar.TypeLink:
		to, err := Rename(h.Linkname, first)
		if err != nil {
			return false, err
		}
		if err := root.Remove(h.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		return false, root.Link(to, h.Name)
	case tar.TypeXGlobalHeader:
		return false, nil
	}
	return false, fmt.Errorf("the archive's entry %q is no file, directory or link", h.Name)
}

func unpackFile(root *os.Root, h *tar.Header, from io.Reader) error {
	mode := h.FileInfo().Mode().Perm()
	f, err := root.OpenFile(h.Name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err := errors.Join(err, f.Chmod(mode), f.Close()); err != nil {
		return err
	}
	return root.Chtimes(h.Name, h.ModTime, h.ModTime)
}
