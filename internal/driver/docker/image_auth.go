package docker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"

	"github.com/rehearse-dev/rehearse"
)

// hubKey is what docker's configuration calls the registry docker.io.
const hubKey = "https://index.docker.io/v1/"

// credentials are those that docker has for a registry, as the engine wants them.
// known is false when it has none.
func (e *engine) credentials(ctx context.Context, host string) (auth string, known bool, err error) {
	c, err := e.at.config()
	if err != nil {
		return "", false, err
	}
	found, err := e.credential(ctx, c, host)
	if err != nil || found == (registry.AuthConfig{}) {
		return "", false, err
	}
	auth, err = authconfig.Encode(found)
	return auth, true, err
}

// allCredentials are those of every registry that the configuration names, for
// builds, which may pull from any. One that cannot be had is left out: the build
// says which it misses.
func (e *engine) allCredentials(ctx context.Context) map[string]registry.AuthConfig {
	c, err := e.at.config()
	if err != nil {
		return nil
	}
	all := map[string]registry.AuthConfig{}
	add := func(key string) {
		host := hostOf(key)
		if found, err := e.credential(ctx, c, host); err == nil && found != (registry.AuthConfig{}) {
			if host == "docker.io" {
				host = hubKey
			}
			all[host] = found
		}
	}
	for key := range c.Auths {
		add(key)
	}
	for key := range c.CredHelpers {
		add(key)
	}
	return all
}

// credential looks in the places of docker's own command line: the registry's
// helper, the helper of all, the file.
func (e *engine) credential(ctx context.Context, c config, host string) (registry.AuthConfig, error) {
	key := host
	if host == "docker.io" {
		key = hubKey
	}
	helper := c.CredsStore
	if own, ok := c.CredHelpers[host]; ok {
		helper = own
	} else if own, ok := c.CredHelpers[key]; ok {
		helper = own
	}
	if helper != "" {
		return e.fromHelper(ctx, helper, key)
	}
	for k, a := range c.Auths {
		if hostOf(k) != host {
			continue
		}
		found := registry.AuthConfig{ServerAddress: key, IdentityToken: a.IdentityToken}
		b, err := base64.StdEncoding.DecodeString(a.Auth)
		name, password, ok := strings.Cut(strings.TrimRight(string(b), "\x00"), ":")
		if err != nil || a.Auth != "" && !ok {
			return registry.AuthConfig{}, &rehearse.Error{
				Kind: rehearse.Invalid, Msg: "docker's credentials for " + host + " are not readable", Err: err,
				Hint: fmt.Sprintf("`docker login %s` writes them anew.", host),
			}
		}
		found.Username, found.Password = name, password
		if found.Username == "" && found.IdentityToken == "" {
			continue // an entry that says only that some helper has them
		}
		return found, nil
	}
	return registry.AuthConfig{}, nil
}

// hostOf is the registry that a key of the configuration stands for; keys may be
// URLs.
func hostOf(key string) string {
	if key == hubKey || key == "index.docker.io" {
		return "docker.io"
	}
	key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	host, _, _ := strings.Cut(key, "/")
	return host
}

// fromHelper asks a credential helper: docker-credential-NAME get, with the
// registry on its standard input.
func (e *engine) fromHelper(ctx context.Context, helper, key string) (registry.AuthConfig, error) {
	name := "docker-credential-" + helper
	fail := func(err error) (registry.AuthConfig, error) {
		return registry.AuthConfig{}, &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("docker's credential helper %s gives no credentials for %s", name, key), Err: err,
			Hint: "It is named in docker's config.json. Install it, unlock what it reads from, or remove it from there.",
		}
	}
	program, err := e.at.look(name)
	if err != nil {
		return fail(errors.New("it is not on this host"))
	}
	cmd := exec.CommandContext(ctx, program, "get")
	cmd.Stdin = strings.NewReader(key)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(out.String() + said.String())
		if strings.Contains(text, "credentials not found") {
			return registry.AuthConfig{}, nil
		}
		if text != "" {
			err = errors.New(text)
		}
		return fail(err)
	}
	var got struct{ Username, Secret string }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		return fail(err)
	}
	if got.Username == "<token>" {
		return registry.AuthConfig{ServerAddress: key, IdentityToken: got.Secret}, nil
	}
	return registry.AuthConfig{ServerAddress: key, Username: got.Username, Password: got.Secret}, nil
}
