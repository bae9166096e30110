package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
)

// outsideName is what a Dockerfile from outside of the context is called in there.
const outsideName = ".rehearse.Dockerfile"

// builderColor is how the engine's builder paints what a step writes to its standard
// error.
var builderColor = regexp.MustCompile("\x1b\\[[0-9;]*m")

// buildByEngine builds with the engine's own builder and gives the image's ID. It
// leaves no intermediate container, also when it fails or is cancelled.
func (e *engine) buildByEngine(ctx context.Context, b *building, out io.Writer) (string, error) {
	for _, only := range []struct {
		key  string
		used bool
	}{{"additional_contexts", len(b.spec.Contexts) > 0}, {"secrets", len(b.spec.Secrets) > 0}, {"ssh", len(b.spec.SSH) > 0}} {
		if only.used {
			return "", &rehearse.Error{
				Kind: rehearse.Unavailable, Msg: fmt.Sprintf("the build of %q has %s, which the engine's own builder does not know", b.service, only.key),
				Hint: "Install docker's buildx plugin, or leave it out of services." + string(b.service) + ".build in the Compose file.",
			}
		}
	}
	options := client.ImageBuildOptions{
		Tags: []string{b.tag}, Labels: b.labels, Target: b.spec.Target, NetworkMode: b.spec.Network, ShmSize: b.spec.ShmSize,
		ExtraHosts: b.extraHosts(), CacheFrom: b.spec.CacheFrom, NoCache: b.spec.NoCache, PullParent: b.spec.Pull,
		Remove: true, ForceRemove: true, Version: build.BuilderV1,
		BuildArgs: map[string]*string{}, AuthConfigs: e.allCredentials(ctx),
		Dockerfile: b.inside,
	}
	for name, value := range b.spec.Args {
		options.BuildArgs[name] = &value
	}
	if p := platform(b.spec.Platform); p != nil {
		options.Platforms = append(options.Platforms, *p)
	}
	var sent io.Reader
	if b.remote {
		options.RemoteContext = b.spec.Context
	} else {
		if b.inside == "" {
			options.Dockerfile = outsideName
		}
		r, w := io.Pipe()
		written := make(chan struct{})
		go func() {
			defer close(written)
			w.CloseWithError(b.writeContext(w))
		}()
		defer func() {
			_ = r.Close()
			<-written
		}()
		sent = r
	}
	result, err := e.api.ImageBuild(ctx, sent, options)
	if err != nil {
		return "", err
	}
	defer result.Body.Close()
	id := ""
	err = readStream(result.Body, func(m jsonstream.Message) {
		if m.Stream != "" {
			_, _ = io.WriteString(out, builderColor.ReplaceAllString(m.Stream, "")) // what it shows is the caller's concern
		}
		var made struct{ ID string }
		if m.Aux != nil && json.Unmarshal(*m.Aux, &made) == nil && made.ID != "" {
			id = made.ID
		}
	})
	return id, err
}

// writeContext writes the build's context as a tar archive: everything in the
// directory that .dockerignore leaves, and the Dockerfile.
func (b *building) writeContext(w io.Writer) error {
	ignored, err := readIgnore(b.spec.Context, b.file)
	if err != nil {
		return err
	}
	keep := []string{".dockerignore"}
	var extra map[string]string
	if b.inside != "" {
		keep = append(keep, path.Clean(b.inside))
	} else {
		extra = map[string]string{outsideName: b.file}
		// The builder takes it out again before COPY can see it.
		ignored.text = append(slices.Clone(ignored.text), outsideName)
		if _, err := os.Lstat(filepath.Join(b.spec.Context, ".dockerignore")); err != nil {
			ignored.text = append(ignored.text, ".dockerignore")
		}
	}
	return writeTree(w, b.spec.Context, ignored, keep, extra)
}
