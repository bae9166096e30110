package docker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

func TestPluginArgs(t *testing.T) {
	b := &building{
		tag: "rehearse/p-api:latest", file: "/src/Dockerfile.dev", labels: map[string]string{"b": "2", "a": "1"},
		spec: rehearse.Build{
			Context: "/src", Target: "run", Network: "host", Platform: "linux/arm64", ShmSize: 64, NoCache: true, Pull: true,
			Args: map[string]string{"Z": "z=1", "A": ""}, CacheFrom: []string{"type=gha"}, Contexts: map[string]string{"lib": "../lib"},
			Secrets:    []rehearse.BuildSecret{{ID: "token", Env: "TOKEN"}, {ID: "key", File: "/src/a,b"}},
			SSH:        []string{"default", "git=/agent"},
			ExtraHosts: map[string][]string{"v6": {"::1"}, "two": {"10.0.0.1", "10.0.0.2"}},
		},
	}
	want := strings.Fields("build --load --progress plain --tag rehearse/p-api:latest --iidfile /id --file /src/Dockerfile.dev --target run --network host" +
		" --platform linux/arm64 --shm-size 64 --build-arg A= --build-arg Z=z=1 --label a=1 --label b=2 --cache-from type=gha" +
		" --build-context lib=../lib --add-host two:10.0.0.1 --add-host two:10.0.0.2 --add-host v6:::1" +
		` --secret id=token,env=REHEARSE_BUILD_SECRET_0 --secret id=key,"src=/src/a,b" --ssh default --ssh git=/agent` +
		" --no-cache --pull /src")
	if diff := cmp.Diff(want, b.pluginArgs("/id")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A stand-in for the plugin: buildx itself needs an engine of its own age.
func TestBuildByPlugin(t *testing.T) {
	e := testEngine(t)
	r := testdocker.Start(t).Registry(t)
	ready := rehearse.Service{Name: "web", Image: r.Host + "/app:1"}
	removeImage(t, e, ready.Image)
	of, err := e.image(t.Context(), ready, "", &lines{})
	if err != nil {
		t.Fatal(err)
	}
	e.at.Config, e.at.Path = t.TempDir(), os.Getenv("PATH")
	plugin := filepath.Join(e.at.Config, "cli-plugins/docker-buildx")
	install := func(script string) {
		write(t, "#!/bin/sh\n"+script, plugin)
		if err := os.Chmod(plugin, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got, ok := e.buildx(); ok && strings.HasPrefix(got, e.at.Config) {
		t.Fatalf("got %s before it is there", got)
	}
	install(`while [ "$1" != --iidfile ]; do shift; done
printf %s ` + of.ID + ` >"$2"
echo "#1 host $DOCKER_HOST config $DOCKER_CONFIG"
`)
	if got, ok := e.buildx(); !ok || got != plugin {
		t.Fatalf("got %q, %v, want %q", got, ok, plugin)
	}
	s := rehearse.Service{Name: "api", Build: &rehearse.Build{Context: t.TempDir(), Inline: "FROM scratch\n"}}
	var progress lines
	got, err := e.build(t.Context(), testProject, s, nil, &progress)
	if err != nil || got.ID != of.ID || got.Ref != "rehearse/rehearse-test-api:latest" {
		t.Errorf("got %+v, %v, want the image %s", got, err, of.ID)
	}
	if want := "#1 host " + e.host + " config " + e.at.Config + "\n"; progress.String() != want {
		t.Errorf("progress is %q, want %q", progress.String(), want)
	}

	e.at.Getenv = func(name string) string { return "the value of " + name }
	s.Build.Secrets = []rehearse.BuildSecret{{ID: "a", File: "/a"}, {ID: "token", Env: "TOKEN"}}
	install(`echo "ERROR: failed to solve: secret $REHEARSE_BUILD_SECRET_1"; exit 1` + "\n")
	_, err = e.build(t.Context(), testProject, s, nil, &progress)
	wantError(t, err, rehearse.NotReady, "secret the value of TOKEN")
	s.Build.Secrets = nil

	install(`cat <<'END'
#4 [1/2] COPY tool /tool
#4 DONE 0.1s

#5 [2/2] RUN make
#5 0.101 compiling
#5 0.202 main.c:1: error
#5 ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 2
------
 > [2/2] RUN make:
0.101 compiling
------
ERROR: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2
END
exit 1
`)
	_, err = e.build(t.Context(), testProject, s, nil, &progress)
	wantError(t, err, rehearse.NotReady, `build "api": [2/2] RUN make`, "exit code: 2", "The build said:\n  compiling\n  main.c:1: error")

	install(`echo 'Dockerfile:2' >&2
echo 'ERROR: failed to solve: dockerfile parse error on line 2: unknown instruction: RUNN' >&2
exit 1
`)
	_, err = e.build(t.Context(), testProject, s, nil, &progress)
	wantError(t, err, rehearse.Invalid, "line 2 of dockerfile_inline", "unknown instruction: RUNN")

	install("echo 'ERROR: no builder \"x\" found' >&2\nexit 1\n")
	_, err = e.build(t.Context(), testProject, s, nil, &progress)
	wantError(t, err, rehearse.NotReady, `build "api"`, `no builder "x" found`)
}
