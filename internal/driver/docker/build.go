package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"

	"github.com/rehearse-dev/rehearse"
)

// build builds a service's image and tags it as ours, so that a tag of the
// person's own never changes. The image stays for the next build to start from.
// What is built by BuildKit where docker's buildx is installed, is built by the
// engine's own builder elsewhere. progress receives what the builder says.
func (e *engine) build(ctx context.Context, project string, s rehearse.Service, labels map[string]string, progress io.Writer) (image, error) {
	tag := buildTag(project, s.Name)
	unlock, err := e.pulls.lock(ctx, tag)
	if err != nil {
		return image{}, err
	}
	defer unlock()
	b, err := e.newBuild(s, tag, labels)
	if err != nil {
		return image{}, err
	}
	defer b.close()
	var steps steps
	var id string
	if plugin, ok := e.buildx(); ok {
		id, err = e.buildByPlugin(ctx, plugin, b, io.MultiWriter(progress, &steps))
	} else {
		id, err = e.buildByEngine(ctx, b, io.MultiWriter(progress, &steps))
	}
	if err != nil {
		if ctx.Err() != nil {
			return image{}, ctx.Err()
		}
		if base, ok := strings.CutPrefix(steps.title(), "FROM "); ok {
			base, _, _ = strings.Cut(base, " ")
			if named, bad := reference.ParseDockerRef(base); bad == nil {
				return image{}, e.unpulled(ctx, rehearse.Service{Name: s.Name, Image: base}, reference.Domain(named), false, err)
			}
		}
		return image{}, b.failed(err, &steps)
	}
	if id == "" {
		id = tag
	}
	built, err := e.inspect(ctx, id, "")
	if isGone(err) {
		// The plugin tells the digest of the configuration; an engine that keeps images
		// in containerd, as later ones do, knows them by the manifest's.
		built, err = e.inspect(ctx, tag, "")
	}
	if err != nil {
		return image{}, fmt.Errorf("look for what the build of %q made: %w", s.Name, explain(err))
	}
	built.Ref = tag
	return built, nil
}

// buildTag names the image of a service. It is the same for every environment of a
// project: containers are made of the image's ID.
func buildTag(project string, service rehearse.ServiceName) string {
	clean := func(s string) string {
		return strings.Trim(notInTag.ReplaceAllString(strings.ToLower(s), "-"), "-")
	}
	return "rehearse/" + clean(project+"-"+string(service)) + ":latest"
}

var notInTag = regexp.MustCompile(`[^a-z0-9]+`)

// building is one build: its spec, and where its Dockerfile is.
type building struct {
	service rehearse.ServiceName
	spec    rehearse.Build
	tag     string
	labels  map[string]string
	remote  bool   // the context is a URL
	file    string // the Dockerfile: on the host, or in a remote context
	inside  string // its path in the context, with slashes; empty when it lies outside
	temp    string // removed in the end
}

// newBuild checks what can be checked before the builder is asked.
func (e *engine) newBuild(s rehearse.Service, tag string, labels map[string]string) (*building, error) {
	b := &building{service: s.Name, spec: *s.Build, tag: tag, labels: maps.Clone(s.Build.Labels)}
	if b.labels == nil {
		b.labels = map[string]string{}
	}
	maps.Copy(b.labels, labels)
	if b.spec.Platform == "" && s.Container != nil {
		b.spec.Platform = s.Container.Platform
	}
	if isRemote(b.spec.Context) {
		b.remote, b.file, b.inside = true, b.spec.Dockerfile, b.spec.Dockerfile
		if b.spec.Inline != "" {
			return nil, &rehearse.Error{
				Kind: rehearse.Invalid, Msg: fmt.Sprintf("the build of %q has a remote context and dockerfile_inline", s.Name),
				Hint: "Use one or the other.",
			}
		}
		return b, nil
	}
	if st, err := os.Stat(b.spec.Context); err != nil || !st.IsDir() {
		return nil, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("the build of %q has the context %s, which is no directory", s.Name, b.spec.Context),
			Hint: "Correct services." + string(s.Name) + ".build.context in the Compose file.",
		}
	}
	if b.spec.Inline != "" {
		dir, err := os.MkdirTemp("", "rehearse-build-")
		if err != nil {
			return nil, fmt.Errorf("write the Dockerfile of %q: %w", s.Name, err)
		}
		b.temp, b.file = dir, filepath.Join(dir, "Dockerfile")
		if err := os.WriteFile(b.file, []byte(b.spec.Inline), 0o600); err != nil {
			b.close()
			return nil, fmt.Errorf("write the Dockerfile of %q: %w", s.Name, err)
		}
		return b, nil
	}
	b.file = b.spec.Dockerfile
	if b.file == "" {
		b.file = "Dockerfile"
	}
	if !filepath.IsAbs(b.file) {
		b.file = filepath.Join(b.spec.Context, b.file)
	}
	if _, err := os.Stat(b.file); err != nil {
		return nil, &rehearse.Error{
			Kind: rehearse.Invalid, Msg: fmt.Sprintf("the build of %q has no Dockerfile at %s", s.Name, b.file),
			Hint: "Write it, or correct services." + string(s.Name) + ".build.dockerfile in the Compose file.",
		}
	}
	if in, err := filepath.Rel(b.spec.Context, b.file); err == nil && filepath.IsLocal(in) {
		b.inside = filepath.ToSlash(in)
	}
	return b, nil
}

// extraHosts are the build's in the words of builders, "NAME:ADDRESS", sorted.
func (b *building) extraHosts() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(b.spec.ExtraHosts)) {
		for _, address := range b.spec.ExtraHosts[name] {
			all = append(all, name+":"+address)
		}
	}
	return all
}

func (b *building) close() {
	if b.temp != "" {
		_ = os.RemoveAll(b.temp) // the system clears what is left there
	}
}

// isRemote says whether a context is one that the builder fetches itself.
func isRemote(context string) bool {
	return strings.Contains(context, "://") || strings.HasPrefix(context, "git@") || strings.HasPrefix(context, "github.com/")
}

// failed says why a build failed: the step, and the last that it said.
func (b *building) failed(err error, s *steps) error {
	var known *rehearse.Error
	if errors.As(err, &known) {
		return err
	}
	if isDiskFull(err.Error()) || isDiskFull(s.end()) {
		return &rehearse.Error{
			Kind: rehearse.Unavailable, Msg: fmt.Sprintf("build %q: the engine's disk is full", b.service), Err: &engineError{err},
			Hint: "`docker system df` says what takes the space, and `docker system prune` frees what nothing uses.",
		}
	}
	text := s.said() + "\n" + err.Error()
	if at := parseErrorAt.FindStringSubmatch(text); at != nil {
		line, _ := strconv.Atoi(at[1])
		e := &rehearse.Error{
			Kind: rehearse.Invalid, File: b.file, Line: line, Msg: fmt.Sprintf("build %q: %s", b.service, at[2]),
			Hint: "Correct the Dockerfile.",
		}
		if b.temp != "" {
			e.File, e.Msg = "", fmt.Sprintf("build %q: line %d of dockerfile_inline: %s", b.service, line, at[2])
		}
		return e
	}
	msg := fmt.Sprintf("build %q", b.service)
	if step := s.title(); step != "" {
		msg += ": " + step
	}
	var hint []string
	if strings.Contains(text, "requires BuildKit") || strings.Contains(text, "the --mount option") {
		hint = append(hint, "The engine's own builder cannot do this: install docker's buildx plugin.")
	}
	if end := s.end(); end != "" {
		hint = append(hint, "The build said:\n  "+strings.ReplaceAll(end, "\n", "\n  "))
	}
	if len(hint) == 0 {
		hint = append(hint, fmt.Sprintf("`docker build %s` does the same.", b.spec.Context))
	}
	return &rehearse.Error{Kind: rehearse.NotReady, Msg: msg, Err: &engineError{err}, Hint: strings.Join(hint, " ")}
}

var parseErrorAt = regexp.MustCompile(`(?m)dockerfile parse error (?:on )?line (\d+): (.*)$`)

// sorted gives a map's entries as "key=value", in the order of keys.
func sorted(m map[string]string) []string {
	all := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, k+"="+m[k])
	}
	return all
}
