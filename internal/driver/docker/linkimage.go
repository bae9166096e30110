package docker

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	engineimage "github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// linkProgram is what the link container's program is called inside its image. Our
// own executable does the same when it is started by this name.
const linkProgram = "rehearse-link"

const labelLink = "dev.rehearse.link"

// linkImage gives the reference of the link container's image. The first call for
// a program makes it: no registry is asked, as the engine takes it from us. find
// gives the program for a platform, in Go's words.
func (e *engine) linkImage(ctx context.Context, find func(goos, goarch string) (path string, err error)) (ref string, err error) {
	ref, program, files, err := e.linkFiles(ctx, find)
	if err != nil {
		return "", err
	}
	unlock, err := e.pulls.lock(ctx, ref)
	if err != nil {
		return "", err
	}
	defer unlock()
	_, err = e.api.ImageInspect(ctx, ref)
	if errdefs.IsNotFound(err) {
		if err = e.importFiles(ctx, files, ref); err == nil {
			_, _ = e.removeOldLinks(ctx, ref) // what cannot be removed now is tried again
		}
	}
	if err != nil {
		return "", fmt.Errorf("make the link container's image: %w", explain(err))
	}
	kind := "static"
	if len(files) > 1 {
		kind = fmt.Sprintf("with %d libraries of this host", len(files)-1)
	}
	e.mu.Lock()
	e.link = fmt.Sprintf("%s, of %s, %s", ref, program, kind)
	e.mu.Unlock()
	return ref, nil
}

// linkFiles are what the link container's image consists of, and what it is called.
func (e *engine) linkFiles(ctx context.Context, find func(goos, goarch string) (path string, err error)) (ref, program string, files []file, err error) {
	if program, err = find(e.os, e.arch); err != nil {
		return "", "", nil, err
	}
	if files, err = closure(ctx, program); err != nil {
		return "", "", nil, err
	}
	sum, err := hashOf(files)
	if err != nil {
		return "", "", nil, fmt.Errorf("read the link container's program: %w", err)
	}
	return linkProgram + ":" + sum, program, files, nil
}

// findLink looks for the link container's program beside our executable exe:
// rehearse-link-GOOS-GOARCH, then rehearse-link, then exe itself where containers
// run on a platform like ours.
func findLink(exe string) func(goos, goarch string) (path string, err error) {
	return func(goos, goarch string) (string, error) {
		dir := filepath.Dir(exe)
		for _, name := range []string{linkProgram + "-" + goos + "-" + goarch, linkProgram} {
			if file := filepath.Join(dir, name); runsOn(file, goarch) {
				return file, nil
			}
		}
		if goos == runtime.GOOS && goarch == runtime.GOARCH {
			return exe, nil
		}
		return "", &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("the link container's program for %s/%s is not on this host", goos, goarch),
			Hint: fmt.Sprintf("Put %s-%s-%s from the release into %s.", linkProgram, goos, goarch, dir),
		}
	}
}

// runsOn says whether a file is a program for Linux on an architecture.
func runsOn(file, goarch string) bool {
	f, err := elf.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	return map[string]elf.Machine{
		"386": elf.EM_386, "amd64": elf.EM_X86_64, "arm": elf.EM_ARM, "arm64": elf.EM_AARCH64, "loong64": elf.EM_LOONGARCH,
		"ppc64le": elf.EM_PPC64, "riscv64": elf.EM_RISCV, "s390x": elf.EM_S390,
	}[goarch] == f.Machine
}

// file is one file of an image that is imported.
type file struct{ from, to string }

// closure lists a program, and where it is linked dynamically its interpreter and
// libraries, which lie in the image where they lie on the host.
func closure(ctx context.Context, program string) ([]file, error) {
	files := []file{{program, "/" + linkProgram}}
	f, err := elf.Open(program)
	if err != nil {
		return nil, &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: program + " is no program for the link container", Err: err,
			Hint: "Install rehearse anew; rehearse-link lies beside it in the release.",
		}
	}
	defer f.Close()
	interpreter := ""
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			b, err := io.ReadAll(p.Open())
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", program, err)
			}
			interpreter = strings.TrimRight(string(b), "\x00")
		}
	}
	if interpreter == "" {
		return files, nil
	}
	files = append(files, file{interpreter, interpreter})
	// The interpreters of glibc and of musl know this option.
	listed, err := exec.CommandContext(ctx, interpreter, "--list", program).Output()
	if err != nil {
		return nil, &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: "the libraries of " + program + " cannot be listed", Err: err,
			Hint: "Put rehearse-link from the release beside it, which needs none.",
		}
	}
	for line := range strings.Lines(string(listed)) {
		// "	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f…)"
		_, found, ok := strings.Cut(line, "=> ")
		if library, _, _ := strings.Cut(strings.TrimSpace(found), " ("); ok && filepath.IsAbs(library) && library != interpreter {
			files = append(files, file{library, library})
		}
	}
	return files, nil
}

// hashOf is twelve hexadecimal digits by which a list of files is known.
func hashOf(files []file) (string, error) {
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%s\n", f.to)
		in, err := os.Open(f.from)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(h, in)
		_ = in.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

// importFiles makes an image of files, of which the first is the entrypoint.
func (e *engine) importFiles(ctx context.Context, files []file, ref string) error {
	r, w := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		w.CloseWithError(writeFiles(w, files))
	}()
	defer func() {
		_ = r.Close()
		<-written
	}()
	answer, err := e.api.ImageImport(ctx, client.ImageImportSource{Source: r, SourceName: "-"}, ref, client.ImageImportOptions{
		Changes:  []string{fmt.Sprintf("ENTRYPOINT [%q]", files[0].to), "LABEL " + labelLink + "=1"},
		Platform: ocispec.Platform{OS: e.os, Architecture: e.arch},
	})
	if err != nil {
		return err
	}
	defer answer.Close()
	return readStream(answer, nil)
}

// linkLife is how long an image of ours is kept beside newer ones: somebody may be
// about to start a container of it.
const linkLife = time.Hour

var _ driver.Sweeper = (*Driver)(nil)

// Sweep removes the images of link containers that other programs of ours have made,
// as those before an update, but for those that a container has and the latest. An
// engine that does not answer has none.
func (d *Driver) Sweep(ctx context.Context) ([]string, error) {
	e, err := d.connect(ctx)
	if err != nil {
		return nil, nil
	}
	asking, cancel := context.WithTimeoutCause(ctx, answerTime, errSilent)
	defer cancel()
	current, _, _, err := e.linkFiles(asking, findLink(d.o.Exe))
	if err != nil {
		current = "" // we make none on this engine
	}
	removed, err := e.removeOldLinks(asking, current)
	return removed, inTime(asking, err)
}

// removeOldLinks removes what older programs of ours have left behind, but for
// images that a container has. It says what, a line for each.
func (e *engine) removeOldLinks(ctx context.Context, current string) (removed []string, err error) {
	all, err := e.api.ImageList(ctx, client.ImageListOptions{Filters: make(client.Filters).Add("label", labelLink)})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", explain(err))
	}
	return e.removeLinks(ctx, outdated(all.Items, current, time.Now()))
}

// removeLinks removes images of link containers that no container has.
func (e *engine) removeLinks(ctx context.Context, all []engineimage.Summary) (removed []string, err error) {
	var problems []error
	for _, i := range all {
		name := i.ID
		if len(i.RepoTags) > 0 {
			name = i.RepoTags[0]
		}
		// Without force: the engine refuses where a container has it.
		_, err := e.api.ImageRemove(ctx, i.ID, client.ImageRemoveOptions{PruneChildren: true})
		switch {
		case err == nil:
			removed = append(removed, "image "+name)
		case !errdefs.IsConflict(err) && !isGone(err):
			problems = append(problems, fmt.Errorf("remove the image %s: %w", name, explain(err)))
		}
	}
	return removed, errors.Join(problems...)
}

// outdated are the images that were made long ago and are not the current one.
func outdated(all []engineimage.Summary, current string, now time.Time) []engineimage.Summary {
	return slices.DeleteFunc(all, func(i engineimage.Summary) bool {
		return slices.Contains(i.RepoTags, current) || now.Sub(time.Unix(i.Created, 0)) <= linkLife
	})
}

// writeFiles writes files as a tar archive that depends on nothing but their
// content, each directory before what is in it.
func writeFiles(w io.Writer, files []file) error {
	t := tar.NewWriter(w)
	made := map[string]bool{}
	for _, f := range files {
		if err := writeParents(t, f.to, made); err != nil {
			return err
		}
		if err := writeFile(t, f); err != nil {
			return err
		}
	}
	return t.Close()
}

func writeParents(t *tar.Writer, name string, made map[string]bool) error {
	dir := path.Dir(name)
	if dir == "/" || made[dir] {
		return nil
	}
	if err := writeParents(t, dir, made); err != nil {
		return err
	}
	made[dir] = true
	return t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(dir, "/") + "/", Mode: 0o755, ModTime: epoch})
}

func writeFile(t *tar.Writer, f file) error {
	in, err := os.Open(f.from)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return &fs.PathError{Op: "read", Path: f.from, Err: errors.New("not a regular file")}
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(f.to, "/"), Mode: 0o755, Size: st.Size(), ModTime: epoch}); err != nil {
		return err
	}
	_, err = io.Copy(t, in)
	return err
}

// epoch is the time of everything in an image of ours.
var epoch = time.Unix(0, 0)
