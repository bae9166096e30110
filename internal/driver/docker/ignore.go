package docker

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/rehearse-dev/rehearse"
)

// ignore is a .dockerignore file.
type ignore struct {
	matcher *patternmatcher.PatternMatcher
	text    []string // its patterns
}

// readIgnore reads what a build leaves out: DOCKERFILE.dockerignore beside the
// Dockerfile, or else .dockerignore in the context.
func readIgnore(context, dockerfile string) (ignore, error) {
	for _, file := range []string{dockerfile + ".dockerignore", filepath.Join(context, ".dockerignore")} {
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return ignore{}, fmt.Errorf("read what a build leaves out: %w", err)
		}
		patterns, err := ignorefile.ReadAll(bytes.NewReader(b))
		if err == nil {
			var matcher *patternmatcher.PatternMatcher
			if matcher, err = patternmatcher.New(patterns); err == nil {
				return ignore{matcher, patterns}, nil
			}
		}
		return ignore{}, &rehearse.Error{Kind: rehearse.Invalid, File: file, Msg: "not readable", Err: err, Hint: "Correct the pattern."}
	}
	matcher, err := patternmatcher.New(nil)
	return ignore{matcher: matcher}, err
}

// writeTree writes a directory as a tar archive that is the same for the same
// files: sorted, without owners. Symbolic links stay what they are. keep names
// files that are sent whatever is ignored; extra adds files, name → path on the
// host, and makes the archive's .dockerignore name them.
func writeTree(w io.Writer, dir string, ignored ignore, keep []string, extra map[string]string) error {
	t := tar.NewWriter(w)
	parents := map[string]patternmatcher.MatchInfo{} // of directories that have been walked
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil || name == "." {
			return err
		}
		match, info, err := ignored.matcher.MatchesUsingParentResults(name, parents[filepath.Dir(name)])
		if err != nil {
			return err
		}
		if d.IsDir() {
			parents[name] = info
		}
		if match && !slices.Contains(keep, filepath.ToSlash(name)) {
			if d.IsDir() && !ignored.reachesInto(name, keep) {
				return fs.SkipDir
			}
			return nil
		}
		if name == ".dockerignore" && len(extra) > 0 {
			return nil // it is written below
		}
		return writeEntry(t, file, filepath.ToSlash(name))
	})
	if err != nil {
		return fmt.Errorf("send the build's context: %w", err)
	}
	for name, file := range extra {
		if err := writeEntry(t, file, name); err != nil {
			return fmt.Errorf("send the build's context: %w", err)
		}
	}
	if len(extra) > 0 {
		text := strings.Join(ignored.text, "\n") + "\n"
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: ".dockerignore", Mode: 0o644, Size: int64(len(text)), ModTime: epoch}); err != nil {
			return err
		}
		if _, err := io.WriteString(t, text); err != nil {
			return err
		}
	}
	return t.Close()
}

// reachesInto says whether something in an ignored directory may be wanted all the
// same: by an exception, or because it must be kept.
func (i ignore) reachesInto(dir string, keep []string) bool {
	prefix := filepath.ToSlash(dir) + "/"
	return i.matcher.Exclusions() || slices.ContainsFunc(keep, func(k string) bool { return strings.HasPrefix(k, prefix) })
}

// writeEntry writes one file, directory or link. Sockets and devices are left out,
// as docker does.
func writeEntry(t *tar.Writer, file, name string) error {
	info, err := os.Lstat(file)
	if err != nil {
		return err
	}
	target := ""
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		if target, err = os.Readlink(file); err != nil {
			return err
		}
	case !info.IsDir() && !info.Mode().IsRegular():
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
	// Whose they are, and when they were read, is this host's.
	h.Uid, h.Gid, h.Uname, h.Gname = 0, 0, "", ""
	h.AccessTime, h.ChangeTime, h.Format = time.Time{}, time.Time{}, tar.FormatPAX
	h.ModTime = h.ModTime.Truncate(time.Second)
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(t, in)
	return err
}
