package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

func TestEndpointFrom(t *testing.T) {
	env := map[string]string{
		"DOCKER_HOST": "tcp://a:1", "DOCKER_CONTEXT": "c", "DOCKER_CERT_PATH": "/certs", "DOCKER_TLS_VERIFY": "1",
		"XDG_RUNTIME_DIR": "/run/user/7", "PATH": "/bin",
	}
	got := endpointFrom(func(name string) string { return env[name] }, "/home/me")
	want := endpoint{
		Host: "tcp://a:1", Context: "c", Config: "/home/me/.docker", CertPath: "/certs", TLSVerify: true, Path: "/bin",
		Sockets: []string{
			"/var/run/docker.sock", "/run/user/7/docker.sock", "/home/me/.docker/run/docker.sock", "/home/me/.docker/desktop/docker.sock",
			"/run/user/7/podman/podman.sock", "/run/podman/podman.sock", "/home/me/.local/share/containers/podman/machine/podman.sock",
		},
	}
	if got.Getenv("DOCKER_CONTEXT") != "c" {
		t.Error("the environment is not kept for the secrets of builds")
	}
	got.Getenv = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// write makes a file of a directory of docker's configuration.
func write(t testing.TB, text string, path ...string) {
	t.Helper()
	file := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func contextID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

func TestCandidates(t *testing.T) {
	dir := t.TempDir()
	for name, host := range map[string]string{"near": "unix:///near.sock", "far": "ssh://me@far.test"} {
		write(t, `{"Name":"`+name+`","Metadata":{},"Endpoints":{"docker":{"Host":"`+host+`","SkipTLSVerify":false}}}`, dir, "contexts/meta", contextID(name), "meta.json")
	}
	write(t, `{"currentContext":"near"}`, dir, "config.json")
	sockets := []string{"/a.sock", "/b.sock"}
	file := filepath.Join(dir, "config.json")
	for _, c := range []struct {
		name string
		at   endpoint
		want []candidate
	}{
		{"DOCKER_HOST first", endpoint{Host: "unix:///mine.sock", Context: "far", Config: dir, Sockets: sockets}, []candidate{{host: "unix:///mine.sock", from: "DOCKER_HOST"}}},
		{"then DOCKER_CONTEXT", endpoint{Context: "far", Config: dir, Sockets: sockets}, []candidate{{host: "ssh://me@far.test", from: `the context "far"`, context: "far"}}},
		{"then the current one", endpoint{Config: dir, Sockets: sockets}, []candidate{{host: "unix:///near.sock", from: `the context "near"`, context: "near"}}},
		{"the default one is none", endpoint{Context: "default", Config: dir, Sockets: sockets}, []candidate{{host: "unix:///a.sock"}, {host: "unix:///b.sock"}}},
		{"no configuration", endpoint{Config: t.TempDir(), Sockets: sockets}, []candidate{{host: "unix:///a.sock"}, {host: "unix:///b.sock"}}},
	} {
		got, err := c.at.candidates()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(candidate{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.name, diff)
		}
	}

	_, err := endpoint{Context: "nea", Config: dir}.candidates()
	wantError(t, err, rehearse.Invalid, `DOCKER_CONTEXT names the context "nea"`, `Did you mean "near"?`)
	write(t, `{"currentContext":"gone"}`, file)
	_, err = endpoint{Config: dir}.candidates()
	wantError(t, err, rehearse.Invalid, "currentContext in "+file, `"gone"`, "docker context ls")
	write(t, `{"currentContext":`, file)
	_, err = endpoint{Config: dir}.candidates()
	wantError(t, err, rehearse.Invalid, file)
	write(t, `{"Name":"empty"}`, dir, "contexts/meta", contextID("empty"), "meta.json")
	_, err = endpoint{Context: "empty", Config: dir}.candidates()
	wantError(t, err, rehearse.Invalid, "no Docker endpoint")
}

func TestContextWithTLS(t *testing.T) {
	dir := t.TempDir()
	write(t, `{"Name":"far","Endpoints":{"docker":{"Host":"tcp://far.test:2376","SkipTLSVerify":true}}}`, dir, "contexts/meta", contextID("far"), "meta.json")
	got, err := endpoint{Context: "far", Config: dir}.candidates()
	if err != nil {
		t.Fatal(err)
	}
	if got[0].tls == nil || !got[0].tls.InsecureSkipVerify {
		t.Errorf("SkipTLSVerify: got %+v", got[0].tls)
	}
	write(t, "no certificate", dir, "contexts/tls", contextID("far"), "docker/ca.pem")
	_, err = endpoint{Context: "far", Config: dir}.candidates()
	wantError(t, err, rehearse.Invalid, "ca.pem", "no certificate")
}
