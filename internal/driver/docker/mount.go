package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
)

// mounts are what is mounted in a service's containers, and what is copied into
// them before they start.
type mounts struct {
	list   []mount.Mount
	tmpfs  map[string]string
	from   []string // whose volumes it has too
	copied []copied
}

// copied is a config, a secret or a script, which lies in the container itself.
type copied struct {
	target   string
	content  []byte
	uid, gid int
	mode     fs.FileMode
}

// mounts collects what a service mounts. Volumes are the environment's own.
func (e *environment) mounts(ctx context.Context, s *service) (m mounts, err error) {
	m.tmpfs = map[string]string{}
	for _, w := range s.spec.Mounts {
		if s.data.covers(w.Target) {
			continue // its data directory is a copy of a golden one
		}
		switch w.Type {
		case "bind":
			if err := e.bind(s, w); err != nil {
				return m, err
			}
			m.list = append(m.list, mount.Mount{
				Type: mount.TypeBind, Source: w.Source, Target: w.Target, ReadOnly: w.ReadOnly,
				BindOptions: &mount.BindOptions{Propagation: mount.Propagation(w.Propagation)},
			})
		case "volume":
			name, err := e.makeVolume(ctx, w.Source)
			if err != nil {
				return m, err
			}
			m.list = append(m.list, mount.Mount{
				Type: mount.TypeVolume, Source: name, Target: w.Target, ReadOnly: w.ReadOnly,
				VolumeOptions: &mount.VolumeOptions{NoCopy: w.NoCopy, Subpath: w.Subpath},
			})
		case "tmpfs":
			m.list = append(m.list, mount.Mount{
				Type: mount.TypeTmpfs, Target: w.Target,
				TmpfsOptions: &mount.TmpfsOptions{SizeBytes: w.Size, Mode: os.FileMode(w.Mode)},
			})
		case "config", "secret":
			if err := m.object(w); err != nil {
				return m, fmt.Errorf("service %s: %w", s.spec.Name, err)
			}
		}
	}
	if err := m.scripts(s); err != nil {
		return m, err
	}
	if at := s.data.mount(); at != nil {
		m.list = append(m.list, *at)
	}
	if e.spec.Authority != nil {
		m.copied = append(m.copied, copied{target: authorityPath, content: e.spec.Authority, mode: 0o644})
	}
	if c := s.spec.Container; c != nil {
		for _, from := range c.VolumesFrom {
			name, access, _ := strings.Cut(from, ":")
			other, err := e.firstInstance(rehearse.ServiceName(name))
			if err != nil {
				return m, err
			}
			if access != "" {
				other += ":" + access
			}
			m.from = append(m.from, other)
		}
	}
	return m, nil
}

// authorityPath is where services find the certificate of links that end TLS.
const authorityPath = "/etc/rehearse/ca.pem"

// bind makes sure that a directory of the host may be mounted, and is there: a
// missing one is made by Compose's rules, which would leave it behind.
func (e *environment) bind(s *service, w rehearse.Mount) error {
	if filepath.Base(w.Source) == "docker.sock" || filepath.Base(w.Source) == "podman.sock" {
		return &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("service %q mounts %s, with which it could do anything to this host", s.spec.Name, w.Source),
			Hint: "An environment never gets the engine's socket; leave the mount out of the rehearsal, with an override file.",
		}
	}
	if !e.engine.local {
		return nil // it is not our host's
	}
	if _, err := os.Stat(w.Source); err != nil {
		return &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("service %q mounts %s, which does not exist", s.spec.Name, w.Source), Err: err,
			Hint: "Make it, or correct the path in the Compose file.",
		}
	}
	return nil
}

// object is a config or secret. Its content is copied into the container, where it
// goes with it.
func (m *mounts) object(w rehearse.Mount) error {
	f := copied{target: w.Target, content: []byte(w.Content), mode: fs.FileMode(w.Mode)}
	if w.Source != "" {
		data, err := os.ReadFile(w.Source)
		if err != nil {
			return &rehearse.Error{Kind: rehearse.Invalid, Msg: "read a " + w.Type, Err: err}
		}
		f.content = data
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
			return &rehearse.Error{Kind: rehearse.Invalid, Msg: fmt.Sprintf("the owner %q of the %s %s is not a number", id.text, w.Type, w.Target)}
		}
	}
	m.copied = append(m.copied, f)
	return nil
}

// scripts puts the SQL of a service's dataset where its image looks for
// initialisation scripts, behind the image's own.
func (m *mounts) scripts(s *service) error {
	if s.data.kind == nil || s.data.golden != nil {
		return nil // there is no such place, or it has run already
	}
	for i, name := range s.spec.SQL {
		data, err := os.ReadFile(name)
		if err != nil {
			return &rehearse.Error{Kind: rehearse.Invalid, Msg: "read a dataset's file", Err: err}
		}
		m.copied = append(m.copied, copied{target: path.Join(initScripts, scriptName(i, name)), content: data, mode: 0o444})
	}
	return nil
}

// initScripts is where the official images of databases look for them.
const initScripts = "/docker-entrypoint-initdb.d"

// scriptName sorts behind any name that people give.
func scriptName(i int, file string) string {
	return fmt.Sprintf("zzz-rehearse-%04d-%s", i, filepath.Base(file))
}

// copyFiles puts files into a container that has not started.
func (e *environment) copyFiles(ctx context.Context, id string, files []copied) error {
	if len(files) == 0 {
		return nil
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	made := map[string]bool{}
	for _, f := range files {
		name := strings.TrimPrefix(path.Clean(f.target), "/")
		for _, dir := range parents(name) {
			if made[dir] {
				continue
			}
			made[dir] = true
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}); err != nil {
				return err
			}
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(f.content)), Mode: int64(f.mode), Uid: f.uid, Gid: f.gid}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := w.Write(f.content); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	_, err := e.engine.api.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: "/", Content: &b, CopyUIDGID: true})
	if err != nil {
		return fmt.Errorf("copy configs and secrets: %w", explain(err))
	}
	return nil
}

// parents are the directories above a relative path, outermost first.
func parents(name string) []string {
	var out []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		out = append([]string{dir}, out...)
	}
	return out
}
