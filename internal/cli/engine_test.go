package cli

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rehearse-dev/rehearse/internal/stand"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// engines gives the command "engine [NAME...]": it has rehearse find a real engine,
// and sets variables to images there: PROGRAM answers questions, as the drivers'
// conformance suite asks them, and POSTGRES and REDIS are what they are called.
func engines(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("usage: engine [NAME...]")
		}
		e := testdocker.Start(t)
		ts.Setenv("DOCKER_HOST", e.Host())
		for _, name := range args {
			image := map[string]func(testing.TB) string{"PROGRAM": e.Program, "POSTGRES": e.Postgres, "REDIS": e.Redis}[name]
			if image == nil {
				ts.Fatalf("there is no image %s", name)
			}
			ts.Setenv(name, image(t))
		}
	}
}

// ways gives the command "way": the engine that "engine" has found is reached over a
// way that breaks, as by a restart, when somebody asks for the URL in BREAK. The
// answer comes when the engine answers again.
func ways(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) > 0 {
			ts.Fatalf("usage: way")
		}
		w := testdocker.Start(t).Way(t)
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			w.Break(6) // who asks whether it answers connects twice
			w.AwaitWhole()
		}))
		t.Cleanup(server.Close)
		ts.Setenv("DOCKER_HOST", w.Host())
		ts.Setenv("BREAK", server.URL)
	}
}

// containers lists what an engine has of a script's environments.
func containers(ts *testscript.TestScript) []string {
	h := stand.Host{State: records(ts.Getenv("XDG_STATE_HOME"))}
	var left []string
	for _, kind := range []string{"container", "network", "volume"} {
		args := []string{kind, "ls", "--filter", "label=dev.rehearse.state=" + h.Label(), "--format", "{{json .}}"}
		if kind == "container" {
			args = append(args, "--all")
		}
		cmd := exec.Command("docker", args...)
		cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "DOCKER_HOST=" + ts.Getenv("DOCKER_HOST")}
		out, err := cmd.Output()
		ts.Check(err)
		for line := range strings.Lines(string(out)) {
			left = append(left, kind+" "+line)
		}
	}
	return left
}
