package testdocker

import (
	"archive/tar"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// files is the root directory of an image: what host says of this host's files is
// read when the image is made. Errors are kept for write.
type files struct {
	entries  map[string]entry // by path in the image, which begins with "/"
	unwanted []string
	err      error
}

type entry struct {
	mode     fs.FileMode
	owner    int
	content  []byte
	link     string
	from     string // a file of the host's, instead of content
	size     int64
	modified int64 // Unix nanoseconds
}

// newFiles has the directories that every system has, and no /dev, /proc and /sys,
// which the engine makes.
func newFiles() *files {
	f := &files{entries: make(map[string]entry)}
	for _, dir := range []string{"/etc", "/root", "/run", "/usr/bin", "/usr/lib", "/var/lib"} {
		f.dir(dir, 0o755, 0)
	}
	f.dir("/tmp", 0o777|fs.ModeSticky, 0)
	for dir, at := range map[string]string{"/bin": "usr/bin", "/sbin": "usr/bin", "/usr/sbin": "bin", "/lib": "usr/lib", "/lib64": "usr/lib", "/usr/lib64": "lib", "/var/run": "../run"} {
		f.symlink(dir, at)
	}
	return f
}

// users makes /etc/passwd and /etc/group of names and numbers; root and nobody are
// there always.
func (f *files) users(others map[string]int) {
	passwd := "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
	group := "root:x:0:\nnobody:x:65534:\n"
	for _, name := range slices.Sorted(maps.Keys(others)) {
		passwd += fmt.Sprintf("%s:x:%d:%d::/:/bin/sh\n", name, others[name], others[name])
		group += fmt.Sprintf("%s:x:%d:\n", name, others[name])
	}
	f.file("/etc/passwd", 0o644, []byte(passwd))
	f.file("/etc/group", 0o644, []byte(group))
	f.file("/etc/nsswitch.conf", 0o644, []byte("passwd: files\ngroup: files\nhosts: files dns\n"))
}

func (f *files) dir(path string, mode fs.FileMode, owner int) {
	f.put(path, entry{mode: mode | fs.ModeDir, owner: owner})
}

func (f *files) file(path string, mode fs.FileMode, content []byte) {
	f.put(path, entry{mode: mode, content: content})
}

func (f *files) symlink(path, to string) {
	f.put(path, entry{mode: 0o777 | fs.ModeSymlink, link: to})
}

// put adds an entry, and the directories that it is in, which an engine would make
// so that root alone may enter them.
func (f *files) put(path string, e entry) {
	path = canonical(path)
	f.entries[path] = e
	for dir := filepath.Dir(path); dir != "/"; dir = filepath.Dir(dir) {
		if _, ok := f.entries[dir]; ok {
			return
		}
		f.entries[dir] = entry{mode: 0o755 | fs.ModeDir}
	}
}

// canonical is where a path of the host's is in an image, whose programs are all
// in /usr/bin and whose libraries are all in /usr/lib.
func canonical(path string) string {
	for _, in := range []struct{ from, to string }{
		{"/usr/sbin/", "/usr/bin/"}, {"/sbin/", "/usr/bin/"}, {"/bin/", "/usr/bin/"},
		{"/usr/lib64/", "/usr/lib/"}, {"/lib64/", "/usr/lib/"}, {"/lib/", "/usr/lib/"},
	} {
		if rest, ok := strings.CutPrefix(path, in.from); ok {
			return in.to + rest
		}
	}
	return path
}

// busybox puts the host's static busybox there, as every program that it is and
// that is not there yet.
func (f *files) busybox(applets []string) {
	f.host("/usr/bin/busybox")
	for _, a := range applets {
		if _, ok := f.entries["/usr/bin/"+a]; !ok {
			f.symlink("/usr/bin/"+a, "busybox")
		}
	}
}

// host puts files of the host's at the same paths, directories with all that is in
// them, and with programs the libraries that they need.
func (f *files) host(paths ...string) {
	for _, path := range paths {
		if f.err == nil {
			f.err = f.add(path)
		}
	}
}

// without keeps what is under paths of the host's from being put there later, and
// what only that needs.
func (f *files) without(paths ...string) { f.unwanted = append(f.unwanted, paths...) }

func (f *files) add(path string) error {
	if slices.Contains(f.unwanted, path) {
		return nil
	}
	at := canonical(path)
	if have, ok := f.entries[at]; ok && have.from == path {
		return nil
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		f.dir(path, info.Mode().Perm(), 0)
		entries, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := f.add(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
		return nil
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(path)
		if err != nil {
			return err
		}
		target := to
		if !filepath.IsAbs(to) {
			target = filepath.Join(filepath.Dir(path), to)
		}
		if canonical(target) != at {
			f.put(at, entry{mode: 0o777 | fs.ModeSymlink, link: canonical(target), from: path})
		}
		return f.add(target)
	case info.Mode().IsRegular():
		f.put(at, entry{mode: info.Mode().Perm(), from: path, size: info.Size(), modified: info.ModTime().UnixNano()})
		return f.libraries(path)
	}
	return nil
}

// libraries adds what the loader would load with a program or library.
func (f *files) libraries(path string) error {
	e, err := elf.Open(path)
	if err != nil {
		return nil // not a program
	}
	defer e.Close()
	needed, err := e.ImportedLibraries()
	if err != nil {
		return nil // a static one
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_INTERP {
			loader, err := io.ReadAll(p.Open())
			if err != nil {
				return err
			}
			if err := f.add(strings.TrimRight(string(loader), "\x00")); err != nil {
				return err
			}
		}
	}
	own, _ := e.DynString(elf.DT_RUNPATH)
	for _, name := range needed {
		found, ok := findLibrary(name, own)
		if !ok {
			return fmt.Errorf("%s needs %s, which is not on this host", path, name)
		}
		if err := f.add(found); err != nil {
			return err
		}
	}
	return nil
}

func findLibrary(name string, own []string) (string, bool) {
	var dirs []string
	for _, o := range own {
		dirs = append(dirs, strings.Split(o, ":")...)
	}
	multiarch, _ := filepath.Glob("/usr/lib/*-linux-gnu")
	for _, dir := range append(append(dirs, multiarch...), "/usr/lib64", "/usr/lib", "/lib64", "/lib") {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, true
		}
	}
	return "", false
}

// hash names what the files and an image's settings are.
func (f *files) hash(settings []byte) string {
	h := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(f.entries)) {
		e := f.entries[path]
		fmt.Fprintf(h, "%q %v %d %q %q %d %d %x\n", path, e.mode, e.owner, e.link, e.from, e.size, e.modified, sha256.Sum256(e.content))
	}
	fmt.Fprintf(h, "%q", settings)
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// write writes everything, parents before what is in them.
func (f *files) write(w *tar.Writer) error {
	if f.err != nil {
		return f.err
	}
	for _, path := range slices.Sorted(maps.Keys(f.entries)) {
		if err := f.entries[path].write(w, strings.TrimPrefix(path, "/")); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func (e entry) write(w *tar.Writer, path string) error {
	h := &tar.Header{Name: path, Mode: int64(e.mode.Perm()), Uid: e.owner, Gid: e.owner, Size: int64(len(e.content)), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
	if e.mode&fs.ModeSticky != 0 {
		h.Mode |= 0o1000
	}
	switch {
	case e.mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, path+"/"
	case e.link != "":
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
	case e.from != "":
		h.Size = e.size
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	if e.from == "" {
		_, err := w.Write(e.content)
		return err
	}
	in, err := os.Open(e.from)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(w, in)
	return err
}
