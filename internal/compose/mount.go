package compose

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/rehearse-dev/rehearse"
)

// mounts lists what is mounted, in the order of the file: volumes, tmpfs,
// configs, secrets.
func (m *mapper) mounts(s types.ServiceConfig) []rehearse.Mount {
	var mounts []rehearse.Mount
	for i, v := range s.Volumes {
		mount := rehearse.Mount{Type: v.Type, Source: v.Source, Target: v.Target, ReadOnly: v.ReadOnly}
		if m.containers() {
			m.volumeOptions(&mount, s.Name, v)
		}
		switch v.Type {
		case "bind":
		case "tmpfs":
			mount.Source = ""
		case "volume":
			if v.Source == "" {
				// An anonymous volume is as private as a named one is here.
				mount.Source = fmt.Sprintf("%s-anonymous-%d", s.Name, i+1)
				mount.Anonymous = m.containers()
			}
			m.noteVolume(s.Name, v)
		default:
			m.note(s.Name, "volumes", fmt.Sprintf("The %s mount at %s is left out.", v.Type, v.Target))
			continue
		}
		mounts = append(mounts, mount)
	}
	for _, t := range s.Tmpfs {
		target, options, _ := strings.Cut(t, ":")
		mount := rehearse.Mount{Type: "tmpfs", Target: target}
		if m.containers() {
			tmpfsOptions(&mount, options)
		}
		mounts = append(mounts, mount)
	}
	for _, c := range s.Configs {
		object := types.FileObjectConfig(m.project.Configs[c.Source])
		mounts = m.object(mounts, s.Name, "config", types.FileReferenceConfig(c), object)
	}
	for _, c := range s.Secrets {
		object := types.FileObjectConfig(m.project.Secrets[c.Source])
		mounts = m.object(mounts, s.Name, "secret", types.FileReferenceConfig(c), object)
	}
	return mounts
}

// tmpfsOptions reads the options of a tmpfs's short syntax.
func tmpfsOptions(mount *rehearse.Mount, options string) {
	mount.Options = options
	for o := range strings.SplitSeq(options, ",") {
		switch name, value, _ := strings.Cut(o, "="); name {
		case "size":
			// What is no number of bytes, as a share of the memory, stays an option.
			var size types.UnitBytes
			if size.DecodeMapstructure(value) == nil {
				mount.Size = int64(size)
			}
		case "mode":
			if mode, err := strconv.ParseUint(value, 8, 32); err == nil {
				mount.Mode = uint32(mode)
			}
		}
	}
}

// volumeOptions maps what only containers can have of the long syntax.
func (m *mapper) volumeOptions(mount *rehearse.Mount, service string, v types.ServiceVolumeConfig) {
	if reachesEngine(v) {
		m.refuse(service, "volumes", v.Source, noSocket)
	}
	if v.Bind != nil {
		mount.Propagation = v.Bind.Propagation
	}
	if v.Volume != nil {
		mount.NoCopy, mount.Subpath = v.Volume.NoCopy, v.Volume.Subpath
	}
	if v.Tmpfs != nil {
		mount.Size, mount.Mode = int64(v.Tmpfs.Size), v.Tmpfs.Mode
	}
}

func (m *mapper) noteVolume(service string, v types.ServiceVolumeConfig) {
	if v.Volume != nil && v.Volume.Subpath != "" && !m.containers() {
		m.note(service, "volumes.subpath", fmt.Sprintf("The whole volume is mounted at %s, not only its %s.", v.Target, v.Volume.Subpath))
	}
	if bool(m.project.Volumes[v.Source].External) {
		m.note(service, "volumes.external", fmt.Sprintf("The volume %s exists outside of the project; here it starts empty.", v.Source))
	}
}

// object adds the mount of a config or secret.
func (m *mapper) object(mounts []rehearse.Mount, service, kind string, ref types.FileReferenceConfig, o types.FileObjectConfig) []rehearse.Mount {
	root := map[string]string{"config": "/", "secret": "/run/secrets"}[kind]
	target := ref.Target
	if target == "" {
		target = ref.Source
	}
	if !path.IsAbs(target) {
		target = path.Join(root, target)
	}
	mount := rehearse.Mount{Type: kind, Source: o.File, Target: target, ReadOnly: true}
	if m.containers() {
		mount.UID, mount.GID = ref.UID, ref.GID
		if ref.Mode != nil {
			mount.Mode = uint32(*ref.Mode)
		}
	}
	switch {
	case o.File != "":
	case o.Environment != "":
		mount.Env = o.Environment
		m.variable(service, kind+"s", kind+" "+ref.Source, o.Environment)
	case kind == "config" && o.Content != "":
		mount.Content = o.Content
	default:
		m.note(service, kind+"s", fmt.Sprintf("The %s %s has no file, content or variable here, so %s does not exist.", kind, ref.Source, target))
		return mounts
	}
	return append(mounts, mount)
}
