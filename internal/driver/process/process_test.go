package process_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver/drivertest"
	"github.com/rehearse-dev/rehearse/internal/driver/process"
)

func TestMain(m *testing.M) {
	process.Main()
	drivertest.Main()
	if cache := os.Getenv(holdVariable); cache != "" {
		hold(cache) // until it is killed
	}
	os.Exit(m.Run())
}

// TestConformance runs the suite in every tier that this host has.
func TestConformance(t *testing.T) {
	for _, tier := range []string{process.TierNamespaces, process.TierAddresses, process.TierPorts} {
		t.Run(tier, func(t *testing.T) {
			dir := projectDir(t)
			program := filepath.Join(dir, "program")
			o := options(t)
			o.Tier = tier
			drivertest.Run(t, drivertest.Harness{
				Driver: process.New(o), Dir: dir, Isolated: tier == process.TierNamespaces,
				Service: func(name rehearse.ServiceName, args ...string) rehearse.Service {
					return rehearse.Service{Name: name, Process: &rehearse.Process{
						Command: append([]string{program, "drivertest-program"}, args...), Dir: dir,
						Env: map[string]string{"LISTEN_HOST": "${listen.host}", "LISTEN_PORT": "${listen.port}"},
					}}
				},
				Command: func(args ...string) []string { return append([]string{program, "drivertest-program"}, args...) },
			})
		})
	}
}

func options(t *testing.T) process.Options {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	return process.Options{Cache: cacheDir(t), Label: t.TempDir(), Env: os.Environ(), Home: home}
}

// cacheDir is a directory that the services' unprivileged user can reach.
func cacheDir(t *testing.T) string {
	t.Helper()
	return openDir(t)
}

func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rehearse-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// projectDir is a project that holds this very test binary as its program.
func projectDir(t *testing.T) string {
	t.Helper()
	dir := openDir(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(dir, "program"), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	return dir
}
