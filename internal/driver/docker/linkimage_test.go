package docker

import (
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	engineimage "github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
)

// output runs a container of an image to its end, and gives what it said.
func output(t *testing.T, e *engine, image string, args ...string) string {
	t.Helper()
	made, err := e.api.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Name:       "rehearse-test-" + strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")),
		Config:     &container.Config{Image: image, Cmd: args},
		HostConfig: &container.HostConfig{NetworkMode: "none"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = e.api.ContainerRemove(cleaning(t), made.ID, client.ContainerRemoveOptions{Force: true})
	})
	if _, err := e.api.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	logs, err := e.api.ContainerLogs(t.Context(), made.ID, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	var b bytes.Buffer
	if _, err := stdcopy.StdCopy(&b, &b, logs); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// removeImage removes an image at the end of the test.
func removeImage(t testing.TB, e *engine, ref string) {
	t.Cleanup(func() {
		_, _ = e.api.ImageRemove(cleaning(t), ref, client.ImageRemoveOptions{Force: true, PruneChildren: true})
	})
}

const helloProgram = `package main

import (
	"fmt"
	"os"
)

func main() { fmt.Println("hello", os.Args) }
`

func TestLinkImage(t *testing.T) {
	e := testEngine(t)
	program := filepath.Join(t.TempDir(), linkProgram)
	compile(t, helloProgram, program)
	find := findLink(filepath.Join(filepath.Dir(program), "rehearse"))

	var all sync.WaitGroup
	refs := make([]string, 4)
	for i := range refs {
		all.Go(func() {
			var err error
			if refs[i], err = e.linkImage(t.Context(), find); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	removeImage(t, e, refs[0])
	first, err := e.inspect(t.Context(), refs[0], "")
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range refs {
		if ref != refs[0] || !strings.HasPrefix(ref, "rehearse-link:") || len(ref) != len("rehearse-link:")+12 {
			t.Errorf("got %q beside %q, want one reference of 12 digits", ref, refs[0])
		}
	}
	if got, want := output(t, e, refs[0], "there"), "hello [/rehearse-link there]\n"; got != want {
		t.Errorf("the container said %q, want %q", got, want)
	}
	again, err := e.linkImage(t.Context(), find)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := e.inspect(t.Context(), again, ""); err != nil || second.ID != first.ID {
		t.Errorf("the second call: got %v, %v, want the first one's image %v", second.ID, err, first.ID)
	}
	fact := ""
	for _, f := range e.facts() {
		if f.Name == "engine.link" {
			fact = f.Value
		}
	}
	if !strings.Contains(fact, program) || !strings.Contains(fact, "static") {
		t.Errorf("the fact is %q, want %q and static in it", fact, program)
	}
}

// TestRemoveLinks has an image of another program than ours, which a container has at
// first.
func TestRemoveLinks(t *testing.T) {
	e := testEngine(t)
	program := filepath.Join(t.TempDir(), linkProgram)
	if err := os.WriteFile(program, []byte(rand.Text()), 0o700); err != nil {
		t.Fatal(err)
	}
	const ref = linkProgram + ":test-of-removal"
	if err := e.importFiles(t.Context(), []file{{program, "/" + linkProgram}}, ref); err != nil {
		t.Fatal(err)
	}
	removeImage(t, e, ref)
	all, err := e.api.ImageList(t.Context(), client.ImageListOptions{Filters: make(client.Filters).Add("reference", ref)})
	if err != nil || len(all.Items) != 1 {
		t.Fatalf("got %v (%v), want the image", all.Items, err)
	}
	made, err := e.api.ContainerCreate(t.Context(), client.ContainerCreateOptions{Name: "rehearse-test-remove-links", Config: &container.Config{Image: ref}})
	if err != nil {
		t.Fatal(err)
	}
	removed, err := e.removeLinks(t.Context(), all.Items)
	if err != nil || len(removed) > 0 {
		t.Errorf("with an image that a container has went %v (%v)", removed, err)
	}
	if err := e.removeContainer(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	removed, err = e.removeLinks(t.Context(), all.Items)
	if diff := cmp.Diff([]string{"image " + ref}, removed); diff != "" || err != nil {
		t.Errorf("%v, (-want +got)\n%s", err, diff)
	}
	if _, err := e.inspect(t.Context(), ref, ""); !errdefs.IsNotFound(err) {
		t.Errorf("the image is there still (%v)", err)
	}
}

// A program that is linked dynamically brings its libraries along.
func TestLinkImageOfDynamicProgram(t *testing.T) {
	e := testEngine(t)
	const program = "/bin/echo"
	files, err := closure(t.Context(), program)
	if err != nil || len(files) < 2 {
		t.Skipf("%s of this host is not linked dynamically: %v, %v", program, files, err)
	}
	ref, err := e.linkImage(t.Context(), func(string, string) (string, error) { return program, nil })
	if err != nil {
		t.Fatal(err)
	}
	removeImage(t, e, ref)
	if got, want := output(t, e, ref, "it", "runs"), "it runs\n"; got != want {
		t.Errorf("the container said %q, want %q", got, want)
	}
}

func TestFindLink(t *testing.T) {
	dir := t.TempDir()
	exe := filepath.Join(dir, "rehearse")
	find := findLink(exe)
	if got, err := find(runtime.GOOS, runtime.GOARCH); got != exe || err != nil {
		t.Errorf("nothing beside it: got %q, %v, want %q", got, err, exe)
	}
	_, err := find("linux", "mips")
	wantError(t, err, rehearse.Unavailable, "linux/mips", "rehearse-link-linux-mips", dir)

	plain := filepath.Join(dir, "rehearse-link")
	compile(t, helloProgram, plain)
	if runtime.GOOS != "linux" {
		t.Skip("what is compiled here is no program for Linux")
	}
	if got, err := find("linux", runtime.GOARCH); got != plain || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, plain)
	}
	if _, err := find("linux", "mips"); err == nil {
		t.Error("a program for another architecture was taken")
	}
	exact := plain + "-linux-" + runtime.GOARCH
	if err := os.Link(plain, exact); err != nil {
		t.Fatal(err)
	}
	if got, err := find("linux", runtime.GOARCH); got != exact || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, exact)
	}
}

func TestWriteFilesDependsOnContentAlone(t *testing.T) {
	var archives [2]bytes.Buffer
	for i := range archives {
		from := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(from, []byte("same"), os.FileMode(0o600+i)); err != nil {
			t.Fatal(err)
		}
		if err := writeFiles(&archives[i], []file{{from, "/rehearse-link"}, {from, "/lib/a/b.so"}}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archives[0].Bytes(), archives[1].Bytes()) {
		t.Error("two archives of the same content differ")
	}
	if err := writeFiles(io.Discard, []file{{"/dev/null", "/x"}}); err == nil {
		t.Error("a device was taken for a file")
	}
}

func TestOutdated(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	made := func(id string, ago time.Duration, tags ...string) engineimage.Summary {
		return engineimage.Summary{ID: id, Created: now.Add(-ago).Unix(), RepoTags: tags}
	}
	var got []string
	for _, i := range outdated([]engineimage.Summary{
		made("current", 2*linkLife, "rehearse-link:now"),
		made("older", 2*linkLife, "rehearse-link:before"),
		made("untagged", 2*linkLife),
		made("another's", linkLife/2, "rehearse-link:another"),
	}, "rehearse-link:now", now) {
		got = append(got, i.ID)
	}
	if diff := cmp.Diff([]string{"older", "untagged"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
