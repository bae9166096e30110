package docker_test

import (
	"os"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver/docker"
	"github.com/rehearse-dev/rehearse/internal/driver/drivertest"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

func TestMain(m *testing.M) {
	docker.Main()
	drivertest.Main()
	if order := os.Getenv(supervise); order != "" {
		supervisor(order)
	}
	os.Exit(testdocker.Main(m))
}

// newDriver makes a driver for the tests' engine.
func newDriver(t testing.TB, label string) *docker.Driver {
	t.Helper()
	return newDriverIn(t, label, t.TempDir())
}

// newDriverIn makes one that has its cache in a directory.
func newDriverIn(t testing.TB, label, cache string) *docker.Driver {
	t.Helper()
	return newDriverWith(t, label, cache, map[string]string{"DOCKER_HOST": testdocker.Start(t).Host(), "TEST_TOKEN": "of a variable"})
}

// newDriverWith makes one that reads some variables as given.
func newDriverWith(t testing.TB, label, cache string, env map[string]string) *docker.Driver {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return docker.New(docker.Options{
		Cache: cache, Label: label, Home: t.TempDir(), Exe: exe,
		Getenv: func(name string) string {
			if value, ok := env[name]; ok {
				return value
			}
			return os.Getenv(name)
		},
	})
}

func TestConformance(t *testing.T) { conform(t, newDriver(t, "conformance")) }

// conform runs the conformance suite.
func conform(t *testing.T, d *docker.Driver) {
	t.Helper()
	image := testdocker.Start(t).Program(t)
	drivertest.Run(t, drivertest.Harness{
		Driver: d, Dir: t.TempDir(), Isolated: true,
		Service: func(name rehearse.ServiceName, args ...string) rehearse.Service {
			return rehearse.Service{Name: name, Image: image, Command: append([]string{testdocker.ProgramPath, "drivertest-program"}, args...), Container: &rehearse.Container{}}
		},
		Command: func(args ...string) []string {
			return append([]string{testdocker.ProgramPath, "drivertest-program"}, args...)
		},
	})
}
