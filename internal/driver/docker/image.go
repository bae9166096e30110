package docker

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// The values of Compose's pull_policy that differ from the rest: empty, "missing",
// "build" and those that name a time, as "daily" does, pull what is not there.
const (
	pullAlways = "always" // once for each engine that we connect to
	pullNever  = "never"
)

// image is an image that lies on the engine.
type image struct {
	ID     string // "sha256:…"; what containers are made of
	Ref    string // as the Compose file names it, or as we do
	Digest string // of its manifest in the registry, "sha256:…"; the ID where it came from none
	Size   int64  // in bytes
	Config imageConfig
}

// imageConfig is what an image says of how it is run.
type imageConfig struct {
	Entrypoint, Cmd, Env         []string
	User, WorkingDir, StopSignal string
	Ports                        []int    // TCP, sorted
	Volumes                      []string // sorted
	Healthcheck                  *container.HealthConfig
}

// image finds a service's image on the engine, and pulls it where the policy says
// so, which is Compose's pull_policy. progress receives a line now and then, and
// one when a pull ends.
func (e *engine) image(ctx context.Context, s rehearse.Service, pull string, progress io.Writer) (image, error) {
	on := platformOf(s)
	if _, err := reference.ParseAnyReference(s.Image); err != nil {
		return image{}, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("the image %q of %q is no image's name", s.Image, s.Name), Err: err,
			Hint: "It is NAME:TAG or NAME@DIGEST, in lower case, with the registry before it where that is not Docker Hub.",
		}
	}
	unlock, err := e.pulls.lock(ctx, s.Image+" "+on)
	if err != nil {
		return image{}, err
	}
	defer unlock()
	if pull != pullAlways || isID(s.Image) || e.isFresh(s.Image, on) {
		switch found, err := e.inspect(ctx, s.Image, on); {
		case err == nil:
			return found, nil
		case !errdefs.IsNotFound(err):
			return image{}, fmt.Errorf("look for the image of %q: %w", s.Name, explain(err))
		case pull == pullNever || isID(s.Image):
			return image{}, &rehearse.Error{
				Kind: rehearse.Unavailable, Msg: fmt.Sprintf("the image %s of %q is not on the engine, and nothing may pull it", s.Image, s.Name),
				Hint: e.nearby(ctx, s.Image) + "Pull or build it first, or change the service's pull_policy.",
			}
		}
	}
	if err := e.pull(ctx, s, on, progress); err != nil {
		return image{}, err
	}
	e.mu.Lock()
	e.fresh[s.Image+" "+on] = true
	e.mu.Unlock()
	found, err := e.inspect(ctx, s.Image, on)
	if err != nil {
		return image{}, fmt.Errorf("look for the image of %q after its pull: %w", s.Name, explain(err))
	}
	return found, nil
}

var _ driver.Imager = (*Driver)(nil)

// Exposed asks the engine for the ports of a service's image. What keeps it from being
// known is said by Prepare, if it comes to that.
func (d *Driver) Exposed(ctx context.Context, s rehearse.Service, pull io.Writer) (ports []int, ok bool) {
	e, err := d.connect(ctx)
	if err != nil || s.Image == "" {
		return nil, false
	}
	var found image
	if c := s.Container; pull != nil && c != nil {
		found, err = e.image(ctx, s, c.PullPolicy, &prefixed{to: pull, prefix: string(s.Name) + ": "})
	} else {
		found, err = e.inspect(ctx, s.Image, platformOf(s))
	}
	return found.Config.Ports, err == nil
}

// platformOf is the platform that a service asks for; empty: the engine's own.
func platformOf(s rehearse.Service) string {
	if s.Container == nil {
		return ""
	}
	return s.Container.Platform
}

// isID says whether a reference is an image's ID, which no registry knows.
func isID(ref string) bool { return strings.HasPrefix(ref, "sha256:") }

func (e *engine) isFresh(ref, on string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fresh[ref+" "+on]
}

// pull fetches an image from its registry.
func (e *engine) pull(ctx context.Context, s rehearse.Service, on string, progress io.Writer) error {
	named, err := reference.ParseDockerRef(s.Image)
	if err != nil {
		return fmt.Errorf("pull the image of %q: %w", s.Name, err)
	}
	registry := reference.Domain(named)
	auth, known, err := e.credentials(ctx, registry)
	if err != nil {
		return err
	}
	options := client.ImagePullOptions{RegistryAuth: auth}
	if p := platform(on); p != nil {
		options.Platforms = append(options.Platforms, *p)
	}
	lines := newPullProgress(progress, s.Image, time.Now)
	stream, err := e.api.ImagePull(ctx, named.String(), options)
	if err == nil {
		err = readStream(stream, lines.message)
		_ = stream.Close()
	}
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return e.unpulled(ctx, s, registry, known, err)
	}
	if found, err := e.inspect(ctx, s.Image, ""); err == nil {
		lines.end(found.Size)
	}
	return nil
}

// inspect reads an image that is on the engine. One of another platform than is
// asked for is not found.
func (e *engine) inspect(ctx context.Context, ref, on string) (image, error) {
	got, err := e.api.ImageInspect(ctx, ref)
	if err != nil {
		return image{}, err
	}
	if want := platform(on); want != nil && (got.Os != want.OS || got.Architecture != want.Architecture) {
		return image{}, errdefs.ErrNotFound.WithMessage(fmt.Sprintf("%s is there for %s/%s alone", ref, got.Os, got.Architecture))
	}
	i := image{ID: got.ID, Ref: ref, Digest: got.ID, Size: got.Size}
	for _, at := range got.RepoDigests {
		name, digest, _ := strings.Cut(at, "@")
		if i.Digest == i.ID || sameRepository(name, ref) {
			i.Digest = digest
		}
	}
	if c := got.Config; c != nil {
		i.Config = imageConfig{
			Entrypoint: c.Entrypoint, Cmd: c.Cmd, Env: c.Env, User: c.User, WorkingDir: c.WorkingDir, StopSignal: c.StopSignal,
			Healthcheck: c.Healthcheck, Volumes: slices.Sorted(maps.Keys(c.Volumes)),
		}
		for port := range c.ExposedPorts {
			number, protocol, _ := strings.Cut(port, "/")
			if n, err := strconv.Atoi(number); err == nil && (protocol == "" || protocol == "tcp") {
				i.Config.Ports = append(i.Config.Ports, n)
			}
		}
		slices.Sort(i.Config.Ports)
	}
	return i, nil
}

func sameRepository(a, b string) bool {
	x, err := reference.ParseNormalizedNamed(a)
	if err != nil {
		return false
	}
	y, err := reference.ParseNormalizedNamed(b)
	return err == nil && x.Name() == y.Name()
}

// nearby is a sentence that names the image on the engine which a reference most
// likely meant, and a space; empty when there is none.
func (e *engine) nearby(ctx context.Context, ref string) string {
	all, err := e.api.ImageList(ctx, client.ImageListOptions{})
	if err != nil {
		return ""
	}
	var tags, same []string
	for _, i := range all.Items {
		for _, tag := range i.RepoTags {
			tags = append(tags, tag)
			if sameRepository(tag, ref) {
				same = append(same, tag)
			}
		}
	}
	near, ok := rehearse.Nearest(ref, same)
	if !ok && len(same) > 0 {
		near, ok = slices.Max(same), true
	}
	if !ok {
		near, ok = rehearse.Nearest(ref, tags)
	}
	if !ok {
		return ""
	}
	return fmt.Sprintf("Did you mean %s, which is on the engine? ", near)
}

// unpulled says why a pull failed. known tells that credentials were sent along.
func (e *engine) unpulled(ctx context.Context, s rehearse.Service, registry string, known bool, err error) error {
	said := &engineError{err}
	text := strings.ToLower(err.Error())
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	login := "docker login"
	if registry != "docker.io" {
		login += " " + registry
	}
	what := fmt.Sprintf("the image %s of %q", s.Image, s.Name)
	fail := func(kind rehearse.Kind, msg, hint string) error {
		return &rehearse.Error{Kind: kind, Msg: msg, Hint: hint, Err: said}
	}
	switch {
	case isDiskFull(text) || client.IsErrConnectionFailed(err):
		return explain(err)
	case has("toomanyrequests", "rate limit", "too many requests"):
		return fail(rehearse.Unavailable, "the registry "+registry+" allows no more pulls for now, and "+what+" is not on the engine",
			fmt.Sprintf("`%s` raises the limit of most registries; it also passes with time.", login))
	case has("no matching manifest", "does not match the specified platform"):
		return fail(rehearse.Invalid, what+" does not exist for "+e.os+"/"+e.arch,
			"Name a platform that it has in the service's platform, where the engine can emulate it, or another image.")
	case has("may require 'docker login'", "insufficient_scope"):
		return fail(rehearse.Unavailable, what+" does not exist, or needs a login",
			e.nearby(ctx, s.Image)+fmt.Sprintf("Else log in: `%s`.", login))
	case has("unauthorized", "authentication required", "no basic auth credentials", "denied", "forbidden"):
		hint := fmt.Sprintf("`%s` makes the credentials known.", login)
		if known {
			hint = fmt.Sprintf("The credentials that docker has for it are not enough; `%s` replaces them.", login)
		}
		return fail(rehearse.Unavailable, what+" needs a login at "+registry, hint)
	case has("manifest unknown", "name unknown", "not found"):
		return fail(rehearse.Invalid, what+" does not exist", e.nearby(ctx, s.Image)+"Correct the service's image.")
	case has("http response to https client"):
		return fail(rehearse.Unavailable, "the registry "+registry+" speaks no TLS",
			"Name it in insecure-registries of the engine's configuration, if you trust the network between them.")
	case has("no such host", "server misbehaving", "connection refused", "timeout", "unreachable", "deadline exceeded", "connection reset", "eof", "no route"):
		own := ""
		if e.rootless && onLoopback(registry) {
			own = "The loopback of a rootless engine is not this host's: name the registry by another address of the host. "
		}
		return fail(rehearse.Unavailable, "the registry "+registry+" cannot be reached, and "+what+" is not on the engine",
			own+e.nearby(ctx, s.Image)+"Pull it while there is a network: what is on the engine is not asked for again.")
	}
	return fmt.Errorf("pull %s: %w", what, said)
}

// onLoopback says whether a registry listens where nobody but its own host, or its
// engine, reaches it.
func onLoopback(registry string) bool {
	host, _, err := net.SplitHostPort(registry)
	if err != nil {
		host = registry
	}
	at, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && at.IsLoopback()
}
