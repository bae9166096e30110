package suite

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// capacity is how much of results and artifacts is kept, together.
const capacity = 256 << 20

// keeper keeps what a suite leaves: its output, results and artifacts. As a
// writer it takes the output.
type keeper struct {
	outDir, relTo string
	log           *os.File
	filter        func(io.Writer) io.WriteCloser
	filtered      io.WriteCloser // what leads to the log
	tee           io.Writer
	tail          tail
	closed        bool
	open          bool  // the last line has not ended
	room          int64 // bytes that may still be copied
	err           error // the first that the log gave
	notes         []string
}

func newKeeper(o Options) (*keeper, error) {
	if _, err := filepath.Rel(o.RelTo, o.OutDir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.OutDir, 0o700); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(o.OutDir, "output.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	k := &keeper{outDir: o.OutDir, relTo: o.RelTo, log: log, tee: o.Tee, room: capacity, filter: o.Filter}
	if k.filter == nil {
		k.filter = func(w io.Writer) io.WriteCloser { return asItIs{w} }
	}
	k.filtered = k.filter(log)
	if k.tee == nil {
		k.tee = io.Discard
	}
	return k, nil
}

// asItIs is the filter that takes nothing out.
type asItIs struct{ io.Writer }

func (asItIs) Close() error { return nil }

// Write never fails, so that a full disk does not stop the suite: close says
// what went wrong.
func (k *keeper) Write(p []byte) (int, error) {
	if k.err == nil {
		_, k.err = k.filtered.Write(p)
	}
	_, _ = k.tee.Write(p)
	k.open = len(p) > 0 && p[len(p)-1] != '\n'
	return k.tail.Write(p)
}

// note says in the output what a reader of the results should know.
func (k *keeper) note(format string, args ...any) {
	k.notes = append(k.notes, fmt.Sprintf(format, args...))
	text := "rehearse: " + k.notes[len(k.notes)-1] + "\n"
	if k.open {
		text = "\n" + text
	}
	_, _ = io.WriteString(k, text) // never fails
}

// close says what went wrong with the output, if anything. It may be called more
// than once.
func (k *keeper) close() error {
	if k.closed {
		return k.err
	}
	k.closed = true
	if err := errors.Join(k.filtered.Close(), k.log.Close()); k.err == nil {
		k.err = err
	}
	return k.err
}

// relative is a path in the out directory as results have it.
func (k *keeper) relative(file string) string {
	rel, err := filepath.Rel(k.relTo, file)
	if err != nil {
		panic("suite: internal error: " + err.Error()) // newKeeper has tried it
	}
	return filepath.ToSlash(rel)
}

// match lists what the patterns name, each once, and notes those that name
// nothing.
func (k *keeper) match(root *os.Root, patterns []string) []string {
	var all []string
	for _, pattern := range patterns {
		found := glob(root, pattern)
		if len(found) == 0 {
			k.note("there is no %s in the suite's directory", pattern)
		}
		for _, name := range found {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// glob lists what a pattern names. A name that exists is no pattern.
func glob(root *os.Root, pattern string) []string {
	pattern = path.Clean(filepath.ToSlash(pattern))
	if _, err := root.Lstat(pattern); err == nil {
		return []string{pattern}
	}
	found, err := fs.Glob(root.FS(), pattern)
	if err != nil {
		return nil // check has tried the pattern
	}
	return found
}

// copy copies a file or directory to a place in the out directory. It returns
// the copy's path, or nothing when there was nothing to copy.
func (k *keeper) copy(root *os.Root, name, place string) []string {
	to := filepath.Join(k.outDir, place, filepath.FromSlash(name))
	out, err := os.Stat(k.outDir)
	if err != nil {
		k.note("%s was left out: %v", name, err)
		return nil
	}
	copied := false
	// The directories of a tree that is copied are entered only as they are: a
	// symbolic link could lead in a circle.
	_ = fs.WalkDir(root.FS(), name, func(file string, d fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil {
			info, err = root.Stat(filepath.FromSlash(file)) // follows links, but not out of the root
		}
		switch {
		case err != nil:
			k.note("%s was left out: %v", file, cause(err))
		case d.IsDir() && os.SameFile(info, out):
			return fs.SkipDir // a copy of the copies would have no end
		case d.IsDir():
		case info.IsDir():
			k.note("%s was left out: it is a link to a directory", file)
		case !info.Mode().IsRegular():
			k.note("%s was left out: it is not a file", file)
		case info.Size() > k.room:
			k.note("%s was left out: results and artifacts of a suite may have %d MiB together", file, capacity>>20)
		default:
			inside, err := filepath.Rel(filepath.FromSlash(name), filepath.FromSlash(file))
			if err == nil {
				err = k.copyFile(root, file, filepath.Join(to, inside), info.Size())
			}
			if err != nil {
				k.note("%s was left out: %v", file, err)
				return nil
			}
			copied = true
		}
		return nil
	})
	if !copied {
		return nil
	}
	return []string{k.relative(to)}
}

// copyFile copies as much of a file as it held when it was looked at.
func (k *keeper) copyFile(root *os.Root, name, to string, size int64) (err error) {
	in, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
	}()
	through := k.filter(out)
	n, err := io.Copy(through, io.LimitReader(in, size))
	k.room -= n
	return errors.Join(err, through.Close())
}

// cause is an error without the operation and the path, which the reader knows.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
