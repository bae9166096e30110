package compose

import (
	"fmt"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/rehearse-dev/rehearse"
)

// build maps how the image is built. Only where it really is built, for
// containers, is there more to say than where the source is.
func (m *mapper) build(s types.ServiceConfig) *rehearse.Build {
	b := s.Build
	if b == nil {
		return nil
	}
	out := &rehearse.Build{Context: b.Context, Dockerfile: b.Dockerfile, Target: b.Target, Args: environment(b.Args)}
	if !m.containers() {
		return out
	}
	out.Inline = b.DockerfileInline
	out.Labels = b.Labels
	out.Network = b.Network
	out.CacheFrom = b.CacheFrom
	out.Contexts = b.AdditionalContexts
	// As docker compose up has it: of several, the builder takes the engine's own.
	out.Platform = s.Platform
	if out.Platform == "" && len(b.Platforms) == 1 {
		out.Platform = b.Platforms[0]
	}
	out.ShmSize = int64(b.ShmSize)
	out.NoCache = b.NoCache
	out.Pull = b.Pull
	out.ExtraHosts = b.ExtraHosts
	for _, key := range b.SSH {
		id := key.ID
		if key.Path != "" {
			id += "=" + key.Path
		}
		out.SSH = append(out.SSH, id)
	}
	for _, ref := range b.Secrets {
		out.Secrets = m.buildSecret(out.Secrets, s.Name, ref)
	}
	return out
}

func (m *mapper) buildSecret(secrets []rehearse.BuildSecret, service string, ref types.ServiceSecretConfig) []rehearse.BuildSecret {
	o := m.project.Secrets[ref.Source]
	secret := rehearse.BuildSecret{ID: ref.Target, File: o.File, Env: o.Environment}
	if secret.ID == "" {
		secret.ID = ref.Source
	}
	switch {
	case o.Environment != "":
		m.variable(service, "build.secrets", "secret "+ref.Source, o.Environment)
	case o.File == "":
		m.note(service, "build.secrets", fmt.Sprintf("The secret %s has no file or variable here, so the build goes without it.", ref.Source))
		return secrets
	}
	return append(secrets, secret)
}

// variable keeps the value of an environment variable that holds a config or
// secret.
func (m *mapper) variable(service, field, what, name string) {
	if value, ok := m.project.Environment[name]; ok {
		m.out.Variables[name] = value
	} else {
		m.note(service, field, fmt.Sprintf("The environment variable %s, which holds the %s, is not set; the file will be empty.", name, what))
	}
}
