package docker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/mount"

	"github.com/rehearse-dev/rehearse"
)

// mounts are what is mounted in a service's containers, and what is copied into
// them before they start.
type mounts struct {
	list   []mount.Mount
	tmpfs  map[string]string
	from   []string // whose volumes it has too
	copied []content
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
			name, err := e.makeVolume(ctx, w.Source, w.OwnDisk)
			if err != nil {
				return m, err
			}
			m.list = append(m.list, mount.Mount{
				Type: mount.TypeVolume, Source: name, Target: w.Target, ReadOnly: w.ReadOnly,
				VolumeOptions: &mount.VolumeOptions{NoCopy: w.NoCopy, Subpath: w.Subpath},
			})
		case "tmpfs":
			if w.Options != "" {
				m.tmpfs[w.Target] = w.Options
				continue
			}
			m.list = append(m.list, mount.Mount{
				Type: mount.TypeTmpfs, Target: w.Target,
				TmpfsOptions: &mount.TmpfsOptions{SizeBytes: w.Size, Mode: os.FileMode(w.Mode)},
			})
		case "config", "secret":
			f, err := e.object(w)
			if err != nil {
				return m, fmt.Errorf("service %s: %w", s.spec.Name, err)
			}
			m.copied = append(m.copied, f)
		}
	}
	if err := e.scripts(s, &m); err != nil {
		return m, err
	}
	if at := s.data.mount(); at != nil {
		m.list = append(m.list, *at)
	}
	if e.spec.Authority != nil {
		m.copied = append(m.copied, content{target: authorityPath, data: e.spec.Authority, mode: 0o644})
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
	return m, e.placeFiles(s, &m)
}

// volumeOf is the name of the volume that an instance of a service mounts.
func volumeOf(w rehearse.Mount, number int) string {
	if w.Anonymous && number > 1 {
		return fmt.Sprintf("%s-%d", w.Source, number)
	}
	return w.Source
}

// ownVolumes are a service's mounts with the volumes that are an instance's own.
func (e *environment) ownVolumes(ctx context.Context, s *service, m mounts, number int) (mounts, error) {
	m.list = slices.Clone(m.list)
	for _, w := range s.spec.Mounts {
		at := slices.IndexFunc(m.list, func(o mount.Mount) bool { return o.Type == mount.TypeVolume && o.Target == w.Target })
		if !w.Anonymous || number == 1 || at < 0 {
			continue
		}
		var err error
		if m.list[at].Source, err = e.makeVolume(ctx, volumeOf(w, number), false); err != nil {
			return m, err
		}
	}
	return m, nil
}

// authorityPath is where services find the certificate of links that end TLS.
const authorityPath = "/etc/rehearse/ca.pem"

// bind makes sure that a path of the host may be mounted, and is there: an engine
// would make a missing one, and leave it behind.
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
