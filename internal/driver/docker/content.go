package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
)

// content is a file of ours in a container: a config, a secret or a script. It is
// copied into the container, and goes with it. Where it would not lie in the
// container's own layer, or that is read-only, it is mounted from the environment's
// directory, as Compose mounts it.
type content struct {
	target   string
	data     []byte
	uid, gid int
	mode     fs.FileMode
}

// object is a config or secret.
func (e *environment) object(w rehearse.Mount) (content, error) {
	f := content{target: w.Target, data: []byte(w.Content), mode: fs.FileMode(w.Mode)}
	switch {
	case w.Env != "":
		f.data = []byte(e.o.Getenv(w.Env))
	case w.Source != "":
		data, err := os.ReadFile(w.Source)
		if err != nil {
			return f, &rehearse.Error{
				Kind: rehearse.Invalid, Msg: fmt.Sprintf("the %s for %s cannot be read", w.Type, w.Target), Err: err,
				Hint: "Make the file, or correct its path in the Compose file.",
			}
		}
		f.data = data
	}
	if f.mode == 0 {
		f.mode = 0o444
	}
	var err error
	for _, id := range []struct {
		text string
		to   *int
	}{{w.UID, &f.uid}, {w.GID, &f.gid}} {
		if id.text == "" {
			continue
		}
		if *id.to, err = strconv.Atoi(id.text); err != nil {
			return f, &rehearse.Error{
				Kind: rehearse.Invalid, Msg: fmt.Sprintf("the owner %q of the %s %s is not a number", id.text, w.Type, w.Target),
				Hint: "Compose takes the numbers of a user and a group here, not their names.",
			}
		}
	}
	return f, nil
}

// initScripts is where the official images of databases look for scripts.
const initScripts = "/docker-entrypoint-initdb.d"

// scripts puts the SQL of a service's dataset where its image looks for
// initialisation scripts, behind the image's own.
func (e *environment) scripts(s *service, m *mounts) error {
	if s.data.kind == nil || s.data.golden != nil || len(s.spec.SQL) == 0 {
		return nil // there is no such place, or they have run already
	}
	var all []content
	for i, name := range s.spec.SQL {
		data, err := os.ReadFile(name)
		if err != nil {
			return &rehearse.Error{
				Kind: rehearse.Invalid, Msg: fmt.Sprintf("a file of the dataset of %q cannot be read", s.spec.Name), Err: err,
				Hint: "Make the file, or correct its path in rehearse.yaml.",
			}
		}
		all = append(all, content{target: path.Join(initScripts, scriptName(i, name)), data: data, mode: 0o444})
	}
	at := slices.IndexFunc(m.list, func(w mount.Mount) bool { return w.Target == initScripts && w.Type == mount.TypeBind })
	if at < 0 || !e.engine.local {
		m.copied = append(m.copied, all...)
		return nil
	}
	// In a directory of a person's, nothing is written: a copy stands for it.
	dir := filepath.Join(e.spec.Dir, "files", string(s.spec.Name), "scripts")
	err := os.RemoveAll(dir)
	if err == nil {
		err = os.CopyFS(dir, os.DirFS(m.list[at].Source))
	}
	for _, f := range all {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, path.Base(f.target)), f.data, 0o644)
		}
	}
	if err != nil {
		return fmt.Errorf("copy the scripts of %s: %w", s.spec.Name, err)
	}
	m.list[at].Source = dir
	return nil
}

// scriptName sorts behind any name that people give.
func scriptName(i int, file string) string {
	return fmt.Sprintf("zzz-rehearse-%04d-%s", i, filepath.Base(file))
}

// placeFiles decides what is copied and what is mounted.
func (e *environment) placeFiles(s *service, m *mounts) error {
	readOnly := s.spec.Container != nil && s.spec.Container.ReadOnly
	all := m.copied
	m.copied = nil
	for n, f := range all {
		if !readOnly && !m.hides(f.target) {
			m.copied = append(m.copied, f)
			continue
		}
		if !e.engine.local {
			return &rehearse.Error{
				Kind: rehearse.Unavailable, Msg: fmt.Sprintf("%s of service %q is read-only or below a mount, and the engine does not see this host's files", f.target, s.spec.Name),
				Hint: "Put the config or secret elsewhere, leave out read_only, or use an engine on this host.",
			}
		}
		file := filepath.Join(e.spec.Dir, "files", string(s.spec.Name), strconv.Itoa(n))
		if err := e.writeContent(file, f); err != nil {
			return fmt.Errorf("write %s of service %q: %w", f.target, s.spec.Name, err)
		}
		m.list = append(m.list, mount.Mount{Type: mount.TypeBind, Source: file, Target: f.target, ReadOnly: true})
	}
	return nil
}

// hides says that a path lies below something that is mounted.
func (m *mounts) hides(target string) bool {
	for at := range m.tmpfs {
		if isBelow(target, at) {
			return true
		}
	}
	return slices.ContainsFunc(m.list, func(w mount.Mount) bool { return isBelow(target, w.Target) })
}

func isBelow(name, dir string) bool {
	return strings.HasPrefix(path.Clean(name), strings.TrimSuffix(path.Clean(dir), "/")+"/")
}

// writeContent writes a file for a mount, with the owner that it is to have there.
func (e *environment) writeContent(file string, f content) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(file, f.data, 0o600); err != nil {
		return err
	}
	if err := os.Chmod(file, f.mode); err != nil {
		return err
	}
	if e.engine.rootless && f.uid == 0 && f.gid == 0 && os.Getuid() != 0 {
		return nil // root in its containers is who runs it
	}
	err := os.Chown(file, f.uid, f.gid)
	if errors.Is(err, fs.ErrPermission) {
		e.fact(rehearse.Fact{Name: "file.owner", Value: f.target, Note: "its owner is whoever runs rehearse, and every user in the container can read it: only root can give a file away"})
		return os.Chmod(file, forAll(f.mode))
	}
	return err
}

// forAll gives everybody what an owner may do. Where the file has another owner than
// the one who is to read it, it is no less closed to the host's other users: the
// directory in which it lies is ours alone.
func forAll(mode fs.FileMode) fs.FileMode { return mode | mode&0o700>>3 | mode&0o700>>6 }

// copyFiles puts files into a container that has not started. The engine makes the
// directories that are missing.
func (e *environment) copyFiles(ctx context.Context, id string, files []content) error {
	if len(files) == 0 {
		return nil
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: strings.TrimPrefix(path.Clean(f.target), "/"), Size: int64(len(f.data)), Mode: int64(f.mode),
			Uid: f.uid, Gid: f.gid,
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := w.Write(f.data); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	_, err := e.engine.api.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: "/", Content: &b})
	if err != nil {
		return fmt.Errorf("copy configs and secrets: %w", explain(err))
	}
	return nil
}
