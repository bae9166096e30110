package compose

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/rehearse-dev/rehearse"
)

// What is refused is found all at once, each with its line; the process driver
// mounts nothing of the kind and refuses nothing.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"compose.yaml": `services:
  ui:
    image: example/ui
    volumes:
      - data:/data
      - /var/run/docker.sock:/var/run/docker.sock:ro
  agent:
    image: example/agent
    security_opt: ["seccomp:none.json"]
volumes: {data: }
`,
		"compose.override.yaml": `services:
  agent:
    use_api_socket: true
    volumes:
      - type: bind
        source: /
        target: /host
`,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(t.Context(), Options{Dir: dir}); err != nil {
		t.Errorf("process: got %v, want no error", err)
	}
	_, err := Load(t.Context(), Options{Dir: dir, Driver: "docker"})
	if rehearse.KindOf(err) != rehearse.Invalid {
		t.Fatalf("got %v, want an error of kind Invalid", err)
	}
	want := strings.Join([]string{
		"DIR/compose.yaml:9: service agent: the seccomp profile none.json cannot be read: open DIR/none.json: no such file or directory",
		"DIR/compose.override.yaml:6: service agent: the mount of / is refused",
		"DIR/compose.override.yaml:3: service agent: use_api_socket is refused",
		"DIR/compose.yaml:6: service ui: the mount of /var/run/docker.sock is refused",
	}, "\n")
	for _, line := range strings.Split(want, "\n") {
		if got := strings.ReplaceAll(err.Error(), dir, "DIR"); !strings.Contains(got, line) {
			t.Errorf("got\n%s\nwithout\n%s", got, line)
		}
	}
	if got := strings.Count(err.Error(), "\n"); got != 3 {
		t.Errorf("got %d lines, want 4 problems:\n%v", got+1, err)
	}
}

func TestReachesEngine(t *testing.T) {
	for source, want := range map[string]bool{
		"/var/run/docker.sock": true, "/run/docker.sock": true, "/run/user/1000/docker.sock": true, "/run/user/1000/podman/podman.sock": true,
		"/": true, "/var": true, "/var/run": true, "/run/": true, "/run/containerd": true,
		"/run/user": true, "/run/user/1000": true, "/run/user/1000/wayland-0": false,
		"/var/lib": false, "/runner": false, "/srv/docker.sock.d": false, "/etc": false, "/project/run": false,
	} {
		if got := reachesEngine(types.ServiceVolumeConfig{Type: "bind", Source: source}); got != want {
			t.Errorf("%s: got %v, want %v", source, got, want)
		}
	}
	link := filepath.Join(t.TempDir(), "harmless")
	if err := os.Symlink("/run", link); err != nil {
		t.Fatal(err)
	}
	if !reachesEngine(types.ServiceVolumeConfig{Type: "bind", Source: link}) {
		t.Error("a symbolic link to /run does not reach the engine")
	}
	if reachesEngine(types.ServiceVolumeConfig{Type: "volume", Source: "run"}) {
		t.Error("a volume reaches the engine")
	}
}
