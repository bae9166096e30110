package stand

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(testdocker.Main(m))
}

var all = flag.Bool("others", false, "bring up every project of others that can be")

// others are the projects of Docker Compose's own tests, as their files are.
var others = []struct {
	name   string
	stands string            // each service with its state, when it is up
	fails  string            // what keeps it from coming up
	says   map[string]string // what a service answers over HTTP
	quick  bool              // it is brought up every time, the others where -others says so
	not    string            // why it is not brought up here
}{
	{name: "attach-restart", fails: `service "failing" ended before it was ready: exit 1`},
	{name: "bridge", fails: "ended before it was ready: exit 0"}, // it says hello and ends, on no port
	{name: "build-dependencies", not: "its additional_contexts need docker's buildx plugin"},
	{name: "build-infinite", not: "its build never ends"},
	{name: "build-test", stands: "nginx ready, nginx2 ready", says: map[string]string{"nginx": "Hello from Nginx container"}},
	{name: "build-test-entitlements", not: "its Dockerfile's syntax is an image of a registry"},
	{name: "build-test-minimal", quick: true, fails: "its image has no command"},
	{name: "build-test-multi-args", quick: true, stands: "multiargs completed"},
	{name: "build-test-platforms", not: "it is built from golang:alpine"},
	{name: "build-test-privileged", not: "its Dockerfile's syntax is an image of a registry"},
	{name: "cascade", fails: `service "fail" ended before it was ready: exit 111`},
	{name: "config_hash", stands: "optional-env ready, plain ready, with-env-file ready"},
	{name: "dotenv-development", quick: true, stands: "backend completed"},
	{name: "logs-test", quick: true, stands: "hello completed, ping completed"},
	{name: "network-recreate", stands: "web ready"},
	{name: "network-test", not: "its images are its authors' own"},
	{name: "ps-test", quick: true, stands: "busybox ready, nginx ready", says: map[string]string{"busybox": "404 Not Found"}},
	{name: "restart-test", stands: "restart completed"},
	{name: "sentences", not: "its images are its authors' own"},
	{name: "simple-build-test", stands: "nginx ready"},
	{name: "simple-composefile", stands: "another ready, simple ready"},
	{name: "start-stop", stands: "another ready, simple ready"},
	{name: "ups-deps-stop", stands: "dependency ready, app ready"},
	{name: "volume-test", quick: true, stands: "nginx ready, nginx2 ready", says: map[string]string{"nginx": "Hello from Nginx container"}},
	{name: "wait", stands: "faster ready, infinity ready, slower ready"}, // what has ended by then is completed
	{name: "watch", stands: "alpine ready, busybox ready, debian ready"},
}

// TestFilesOfOthers brings up in containers what internal/plan plans, and finds that
// nothing stays. The README beside the files says of what their images are made here.
func TestFilesOfOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("makes several environments: run without -short")
	}
	root := filepath.Join("..", "compose", "testdata", "compose-e2e")
	engine := testdocker.Start(t)
	busybox, nginx := engine.Busybox(t), engine.Nginx(t)
	for image, names := range map[string][]string{
		busybox: {"alpine:latest", "busybox:latest", "debian:latest", "backend:latest"}, nginx: {"nginx:latest", "nginx:alpine"},
	} {
		for _, name := range names {
			engine.As(t, image, name)
		}
	}
	var known []string
	for _, o := range others {
		known = append(known, o.name)
	}
	entries, err := filepath.Glob(filepath.Join(root, "*", "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := filepath.Base(filepath.Dir(e)); !slices.Contains(known, name) {
			t.Errorf("nothing is said of %s", name)
		}
	}
	for _, o := range others {
		t.Run(o.name, func(t *testing.T) {
			switch {
			case o.not != "":
				t.Skip(o.not)
			case !o.quick && !*all:
				t.Skip("-others brings up all of them")
			}
			t.Parallel()
			p := newPlace(t, engine)
			stands, err := p.up(t, filepath.Join(root, o.name), o.says)
			if o.fails != "" {
				if text := fmt.Sprint(err); !strings.Contains(text, o.fails) {
					t.Errorf("it says %q, want %q in it", text, o.fails)
				}
			} else if err != nil {
				t.Errorf("%v\n%s", err, strings.Join(rehearse.Hints(err), "\n"))
			} else if stands != o.stands && !(o.name == "wait" && strings.ReplaceAll(stands, "completed", "ready") == o.stands) {
				t.Errorf("there stands %q, want %q", stands, o.stands)
			}
			p.nothingLeft(t)
		})
	}
}

// place is a user of an engine, with directories of their own.
type place struct {
	*Host
	engine *testdocker.Engine
}

func newPlace(t *testing.T, engine *testdocker.Engine) *place {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "r") // short, as a socket's path has to be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return &place{engine: engine, Host: &Host{
		Env: []string{"PATH=" + os.Getenv("PATH"), "DOCKER_HOST=" + engine.Host()}, Home: dir, State: filepath.Join(dir, "environments"), Cache: filepath.Join(dir, "cache"),
	}}
}

// up brings up a copy of a project, says what stands then, and takes it down.
func (p *place) up(t *testing.T, from string, says map[string]string) (stands string, err error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), filepath.Base(from))
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	project, err := p.Load(t.Context(), Source{Dir: dir, Driver: "docker"})
	if err != nil {
		return "", err
	}
	plan, err := project.Plan(rehearse.Production())
	if err != nil {
		return "", err
	}
	for i := range plan.Services {
		plan.Services[i].StopGrace = rehearse.Duration(100 * time.Millisecond) // most of them heed no signal
	}
	d, err := p.Driver("docker")
	if err != nil {
		return "", err
	}
	ctx, down := context.WithCancel(t.Context())
	defer down()
	err = p.Stand(ctx, Options{Plan: plan, Project: project, Driver: d, Ready: func(s Standing) error {
		defer down()
		var all []string
		for _, service := range s.Services {
			all = append(all, fmt.Sprintf("%s %s", service.Service, service.State))
			if want, ok := says[string(service.Service)]; ok {
				if got := get(t, service.URL); !strings.Contains(got, want) {
					t.Errorf("%s answers %q at %s, want %q in it", service.Service, got, service.URL, want)
				}
			}
		}
		stands = strings.Join(all, ", ")
		return nil
	}})
	return stands, err
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}

// nothingLeft finds that neither the engine nor the records have anything of the
// user's environments. Images that were built stay, and are removed here.
func (p *place) nothingLeft(t *testing.T) {
	t.Helper()
	for _, left := range p.engine.Leftovers(t, "dev.rehearse.state="+p.Label()) {
		image, ok := strings.CutPrefix(left, "image ")
		if !ok {
			t.Errorf("there is still %s", left)
			continue
		}
		at := strings.Fields(image)
		if _, err := p.engine.Client().ImageRemove(t.Context(), at[len(at)-1], client.ImageRemoveOptions{Force: true, PruneChildren: true}); err != nil {
			t.Error(err)
		}
	}
	if entries, err := os.ReadDir(p.State); err != nil && !errors.Is(err, os.ErrNotExist) || len(entries) > 0 {
		t.Errorf("of the records there are still %v (%v)", entries, err)
	}
}
