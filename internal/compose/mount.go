package compose

import (
	"fmt"
	"path"
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
		switch v.Type {
		case "bind":
		case "tmpfs":
			mount.Source = ""
		case "volume":
			if v.Source == "" {
				// An anonymous volume is as private as a named one is here.
				mount.Source = fmt.Sprintf("%s-anonymous-%d", s.Name, i+1)
			}
			m.noteVolume(s.Name, v)
		default:
			m.note(s.Name, "volumes", fmt.Sprintf("The %s mount at %s is left out.", v.Type, v.Target))
			continue
		}
		mounts = append(mounts, mount)
	}
	for _, t := range s.Tmpfs {
		target, _, _ := strings.Cut(t, ":") // the rest are mount options
		mounts = append(mounts, rehearse.Mount{Type: "tmpfs", Target: target})
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

func (m *mapper) noteVolume(service string, v types.ServiceVolumeConfig) {
	if v.Volume != nil && v.Volume.Subpath != "" {
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
	switch {
	case o.File != "":
	case o.Environment != "":
		mount.Env = o.Environment
		if value, ok := m.project.Environment[o.Environment]; ok {
			m.out.Variables[o.Environment] = value
		} else {
			m.note(service, kind+"s", fmt.Sprintf("The environment variable %s, which holds the %s %s, is not set; the file will be empty.", o.Environment, kind, ref.Source))
		}
	case kind == "config" && o.Content != "":
		mount.Content = o.Content
	default:
		m.note(service, kind+"s", fmt.Sprintf("The %s %s has no file, content or variable here, so %s does not exist.", kind, ref.Source, target))
		return mounts
	}
	return append(mounts, mount)
}
