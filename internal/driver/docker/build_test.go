package docker

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// toolProgram is what the steps of tests' builds run.
const toolProgram = `package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	switch os.Args[1] {
	case "copy":
		b, err := os.ReadFile(os.Args[2])
		if err != nil {
			panic(err)
		}
		os.WriteFile(os.Args[3], b, 0o644)
	case "cat":
		b, _ := os.ReadFile(os.Args[2])
		fmt.Printf("%s", b)
	case "list":
		all, _ := os.ReadDir(os.Args[2])
		for _, e := range all {
			fmt.Println(e.Name())
		}
	case "fail":
		for i := range 30 {
			fmt.Println("line", i)
		}
		os.Exit(3)
	case "hang":
		fmt.Println("hanging")
		time.Sleep(time.Hour)
	}
}
`

// buildContext is a directory with the tool and a Dockerfile, whose builds are
// removed when the test ends.
func buildContext(t *testing.T, e *engine, dockerfile string) rehearse.Service {
	t.Helper()
	dir := t.TempDir()
	compile(t, toolProgram, filepath.Join(dir, "tool"))
	if dockerfile != "" {
		write(t, dockerfile, dir, "Dockerfile")
	}
	t.Cleanup(func() { removeSteps(t, e) })
	s := rehearse.Service{Name: rehearse.ServiceName(strings.ToLower(t.Name())), Build: &rehearse.Build{Context: dir}}
	removeImage(t, e, buildTag(testProject, s.Name))
	return s
}

// stepLabel is on what the steps of tests' builds make.
const stepLabel = "rehearse-test-step"

// removeSteps removes the images of steps that no build came to the end of.
func removeSteps(t *testing.T, e *engine) {
	left, err := e.api.ImageList(cleaning(t), client.ImageListOptions{Filters: make(client.Filters).Add("label", stepLabel).Add("dangling", "true")})
	if err != nil {
		t.Error(err)
	}
	for _, i := range left.Items {
		_, _ = e.api.ImageRemove(cleaning(t), i.ID, client.ImageRemoveOptions{Force: true, PruneChildren: true})
	}
}

const testProject = "rehearse-test"

// engineBuilder is an engine whose own builder is used, whatever is installed.
func engineBuilder(t *testing.T) *engine {
	e := testEngine(t)
	if _, ok := e.buildx(); ok {
		e.podman = true // which has no buildx
	}
	return e
}

func TestBuild(t *testing.T) { testBuild(t, engineBuilder(t), "Step 1/") }

func TestBuildByInstalledPlugin(t *testing.T) {
	e := testEngine(t)
	if _, ok := e.buildx(); !ok {
		t.Skip("docker's buildx plugin is not on this host")
	}
	testBuild(t, e, "#1 ")
}

// testBuild builds with an engine's builder, whose progress has a word that shows
// which it is.
func testBuild(t *testing.T, e *engine, word string) {
	t.Helper()
	s := buildContext(t, e, `FROM scratch AS base
LABEL rehearse-test-step=1
ARG TEXT
LABEL text=$TEXT
COPY tool /tool
COPY data /data
RUN ["/tool", "copy", "/data/kept", "/made"]
ENTRYPOINT ["/tool"]
FROM base AS other
CMD ["cat", "/other"]
FROM base
`)
	dir := s.Build.Context
	write(t, "kept\n", dir, "data/kept")
	write(t, "ignored\n", dir, "data/ignored")
	write(t, "data/ignored\n", dir, ".dockerignore")
	s.Build.Args = map[string]string{"TEXT": "given"}
	s.Build.Labels = map[string]string{"mine": "yes"}
	var progress lines
	got, err := e.build(t.Context(), testProject, s, map[string]string{"dev.rehearse.test": "1"}, &progress)
	if err != nil {
		t.Fatal(err)
	}
	if want := buildTag(testProject, s.Name); got.Ref != want || !strings.HasPrefix(got.ID, "sha256:") || got.Digest != got.ID {
		t.Errorf("got %+v, want the reference %s and an ID that is the digest too", got, want)
	}
	if diff := cmp.Diff([]string{"/tool"}, got.Config.Entrypoint); diff != "" {
		t.Errorf("entrypoint (-want +got)\n%s", diff)
	}
	if !strings.Contains(progress.String(), word) {
		t.Errorf("progress is %q, want %q in it", progress.String(), word)
	}
	inspected, err := e.api.ImageInspect(t.Context(), got.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{stepLabel: "1", "text": "given", "mine": "yes", "dev.rehearse.test": "1"}, inspected.Config.Labels); diff != "" {
		t.Errorf("labels (-want +got)\n%s", diff)
	}
	if got, want := output(t, e, got.ID, "list", "/data"), "kept\n"; got != want {
		t.Errorf("the image has %q in /data, want %q", got, want)
	}
	again, err := e.build(t.Context(), testProject, s, map[string]string{"dev.rehearse.test": "1"}, &progress)
	if err != nil || again.ID != got.ID {
		t.Errorf("built again: got %v, %v, want %v from the cache", again.ID, err, got.ID)
	}
	s.Build.Target = "other"
	other, err := e.build(t.Context(), testProject, s, nil, &progress)
	if err != nil || cmp.Diff([]string{"cat", "/other"}, other.Config.Cmd) != "" {
		t.Errorf("target other: got %+v, %v", other.Config, err)
	}
	removeImage(t, e, got.ID) // the tag has moved on
}

func TestBuildWithDockerfileFromElsewhere(t *testing.T) {
	e := engineBuilder(t)
	s := buildContext(t, e, "")
	const text = "FROM scratch\nLABEL rehearse-test-step=1\nCOPY . /all\nENTRYPOINT [\"/all/tool\", \"list\", \"/all\"]\n"
	for _, c := range []struct {
		name string
		set  func(b *rehearse.Build)
	}{
		{"outside", func(b *rehearse.Build) {
			b.Dockerfile = filepath.Join(t.TempDir(), "Other")
			write(t, text, b.Dockerfile)
		}},
		{"inline", func(b *rehearse.Build) { b.Inline = text }},
	} {
		build := *s.Build
		c.set(&build)
		of := s
		of.Build = &build
		var progress lines
		got, err := e.build(t.Context(), testProject, of, nil, &progress)
		if err != nil {
			t.Fatalf("%s: %v\n%s", c.name, err, progress.String())
		}
		removeImage(t, e, got.ID)
		t.Run(c.name, func(t *testing.T) {
			if got, want := output(t, e, got.ID), "tool\n"; got != want {
				t.Errorf("the image has %q, want %q", got, want)
			}
		})
	}
}

func TestBuildFails(t *testing.T) {
	e := engineBuilder(t)
	s := buildContext(t, e, "FROM scratch\nLABEL rehearse-test-step=1\nCOPY tool /tool\nRUN [\"/tool\", \"fail\"]\n")
	before := containers(t, e)
	var progress lines
	_, err := e.build(t.Context(), testProject, s, nil, &progress)
	wantError(t, err, rehearse.NotReady, `build "testbuildfails"`, `RUN ["/tool", "fail"]`, "returned a non-zero code: 3", "The build said:\n  line 10\n  line 11\n", "\n  line 29")
	if strings.Contains(unwrapped(err).Hint, "line 9\n") {
		t.Error("more than the last 20 lines are shown")
	}
	if diff := cmp.Diff(before, containers(t, e)); diff != "" {
		t.Errorf("left behind (-before +after)\n%s", diff)
	}

	write(t, "FROM scratch\nLABEL rehearse-test-step=1\nCOPY tool /tool\nRUNN x\n", s.Build.Context, "Dockerfile")
	_, err = e.build(t.Context(), testProject, s, nil, &progress)
	wantError(t, err, rehearse.Invalid, filepath.Join(s.Build.Context, "Dockerfile")+":4", "RUNN")

	base := testdocker.Start(t).Registry(t).Host + "/absent:1"
	write(t, "FROM "+base+" AS base\n", s.Build.Context, "Dockerfile")
	_, err = e.build(t.Context(), testProject, s, nil, &progress)
	wantError(t, err, rehearse.Invalid, "the image "+base+` of "testbuildfails" does not exist`)

	write(t, "FROM scratch\nLABEL rehearse-test-step=1\nCOPY absent /x\n", s.Build.Context, "Dockerfile")
	_, err = e.build(t.Context(), testProject, s, nil, &progress)
	wantError(t, err, rehearse.NotReady, "COPY absent /x", "absent")

	write(t, "FROM scratch\nLABEL rehearse-test-step=1\nCOPY tool /tool\nRUN --mount=type=cache,target=/c /tool cat /tool\n", s.Build.Context, "Dockerfile")
	_, err = e.build(t.Context(), testProject, s, nil, &progress)
	wantError(t, err, rehearse.NotReady, "buildx")

	if err := os.Remove(filepath.Join(s.Build.Context, "Dockerfile")); err != nil {
		t.Fatal(err)
	}
	_, err = e.build(t.Context(), testProject, s, nil, &progress)
	wantError(t, err, rehearse.Invalid, "no Dockerfile", "build.dockerfile")
	s.Build.Contexts = map[string]string{"more": "/x"}
	write(t, "FROM scratch\n", s.Build.Context, "Dockerfile")
	_, err = e.build(t.Context(), testProject, s, nil, &progress)
	wantError(t, err, rehearse.Unavailable, "additional_contexts", "buildx")
	s.Build.Contexts, s.Build.Secrets = nil, []rehearse.BuildSecret{{ID: "token", Env: "TOKEN"}}
	_, err = e.build(t.Context(), testProject, s, nil, &progress)
	wantError(t, err, rehearse.Unavailable, "has secrets", "buildx")
	s.Build.Secrets, s.Build.SSH = nil, []string{"default"}
	_, err = e.build(t.Context(), testProject, s, nil, &progress)
	wantError(t, err, rehearse.Unavailable, "has ssh", "buildx")
	s.Build.SSH = nil
	s.Build.Context += "/absent"
	_, err = e.build(t.Context(), testProject, s, nil, &progress)
	wantError(t, err, rehearse.Invalid, "no directory", "build.context")
}

// The engine's own builder writes extra hosts into the step's /etc/hosts.
func TestBuildWithExtraHosts(t *testing.T) {
	e := engineBuilder(t)
	s := buildContext(t, e, "FROM scratch\nLABEL rehearse-test-step=1\nCOPY tool /tool\nRUN [\"/tool\", \"copy\", \"/etc/hosts\", \"/made\"]\nENTRYPOINT [\"/tool\", \"cat\", \"/made\"]\n")
	s.Build.ExtraHosts = map[string][]string{"elsewhere.example": {"192.0.2.7"}}
	got, err := e.build(t.Context(), testProject, s, nil, &lines{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := output(t, e, got.ID), "192.0.2.7\telsewhere.example\n"; !strings.Contains(got, want) {
		t.Errorf("the step's /etc/hosts is %q, want %q in it", got, want)
	}
}

func unwrapped(err error) *rehearse.Error {
	for ; err != nil; err = unwrap(err) {
		if known, ok := err.(*rehearse.Error); ok {
			return known
		}
	}
	return &rehearse.Error{}
}

// containers are the IDs of those of the tool that exist, in any state.
func containers(t *testing.T, e *engine) []string {
	t.Helper()
	all, err := e.api.ContainerList(cleaning(t), client.ContainerListOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, c := range all.Items {
		if strings.Contains(c.Command, "/tool") {
			ids = append(ids, c.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// whenSaid cancels once something has been written that contains text.
type whenSaid struct {
	lines
	text   string
	cancel func()
}

func (w *whenSaid) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.text) {
		w.cancel()
	}
	return w.lines.Write(p)
}

func TestBuildCancelled(t *testing.T) {
	e := engineBuilder(t)
	s := buildContext(t, e, "FROM scratch\nLABEL rehearse-test-step=1\nCOPY tool /tool\nRUN [\"/tool\", \"hang\"]\n")
	before := containers(t, e)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := e.build(ctx, testProject, s, nil, &whenSaid{text: "hanging", cancel: cancel})
	if err != context.Canceled {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	// The engine ends it once it has seen that nobody listens any more.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		diff := cmp.Diff(before, containers(t, e))
		if diff == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind (-before +after)\n%s", diff)
		}
	}
}

func TestBuildTag(t *testing.T) {
	if got, want := buildTag("My.Project", "api_1"), "rehearse/my-project-api-1:latest"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestIsRemote(t *testing.T) {
	for context, want := range map[string]bool{
		"https://git.test/a.git#main": true, "git@git.test:a.git": true, "github.com/a/b": true, "/srv/app": false, "/srv/a.git": false,
	} {
		if got := isRemote(context); got != want {
			t.Errorf("%s: got %v, want %v", context, got, want)
		}
	}
}
