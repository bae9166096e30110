//go:build unix

package process

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/recipe"
)

// fetch gets an npm package's content into the cache, with the user's own npm
// client and so from the user's own registry, and checks it against the pinned
// hash before it is unpacked.
func (e *environment) fetch(ctx context.Context, pkg recipe.NPMPackage) (string, error) {
	name := strings.NewReplacer("@", "", "/", "-").Replace(pkg.Name) + "-" + pkg.Version
	dir := filepath.Join(e.o.Cache, "npm", name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	npm, err := e.lookHost("npm", "/")
	if err != nil {
		return "", &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("%s would be fetched with npm, which is not on this host", pkg.Name), Hint: "Install npm, or the program itself.",
		}
	}
	unlock, err := lock(ctx, dir+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	fmt.Fprintf(e.spec.Log, "fetching %s %s, once\n", pkg.Name, pkg.Version)
	partial := dir + ".partial"
	if err := errors.Join(os.RemoveAll(partial), os.MkdirAll(partial, 0o755)); err != nil {
		return "", err
	}
	defer os.RemoveAll(partial)
	said := &lastLines{}
	cmd := exec.CommandContext(ctx, npm, "pack", "--silent", "--pack-destination", partial, pkg.Name+"@"+pkg.Version)
	e.contain(cmd)
	cmd.Dir, cmd.Stderr = partial, said
	if err := cmd.Run(); err != nil {
		return "", &rehearse.Error{Kind: rehearse.Unavailable, Msg: fmt.Sprintf("fetch %s@%s", pkg.Name, pkg.Version), Err: err, Hint: "npm said:\n" + said.String()}
	}
	archives, err := filepath.Glob(filepath.Join(partial, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return "", fmt.Errorf("fetch %s: npm left %d archives", pkg.Name, len(archives))
	}
	data, err := os.ReadFile(archives[0])
	if err != nil {
		return "", err
	}
	sum := sha512.Sum512(data)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != pkg.Integrity {
		return "", fmt.Errorf("fetch %s@%s: its hash is %s, not the pinned %s", pkg.Name, pkg.Version, got, pkg.Integrity)
	}
	content := filepath.Join(partial, "content")
	if err := unpack(bytes.NewReader(data), content); err != nil {
		return "", fmt.Errorf("unpack %s: %w", pkg.Name, err)
	}
	if pkg.Symlinks != "" {
		if err := relink(content, pkg.Symlinks); err != nil {
			return "", fmt.Errorf("unpack %s: %w", pkg.Name, err)
		}
	}
	return dir, os.Rename(content, dir)
}

// unpack extracts a gzipped tar of npm's, whose paths start with "package/". The
// root keeps writes inside, whatever the archive says.
func unpack(r io.Reader, dir string) error {
	zr, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(h.Name, "package/")
		if h.Typeflag != tar.TypeReg || name == "" {
			continue
		}
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, h.FileInfo().Mode().Perm()|0o444)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, tr)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
}

// relink makes the symbolic links that a JSON file of the package lists as
// {"source", "target"}, both relative to the package's root: the target is the
// link, the source is where it leads.
func relink(dir, list string) error {
	data, err := os.ReadFile(filepath.Join(dir, list))
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(data, &links); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, l := range links {
		to, err := filepath.Rel(filepath.Dir(l.Target), l.Source)
		if err != nil {
			return err
		}
		if err := root.Symlink(to, l.Target); err != nil {
			return err
		}
	}
	return nil
}
