package dockerbench_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"

	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

// project is a copy of docgen's Compose file, with files over it that change what a
// case is about, and images that no registry has to give.
type project struct {
	dir                         string
	appImage, dbImage, oneImage string
}

// variant is the files of one environment, in the order in which they override one
// another.
type variant []string

const base = "compose.yaml"

// oneCommand is that of the container alone. It ends when it is asked to.
var oneCommand = []string{testdocker.ProgramPath, "drivertest-program", "serve", "7000"}

var (
	asInFile    = variant{base, "images.yaml"}
	everySecond = variant{base, "images.yaml", "second.yaml"}
	// ownUser has rehearse start the database without a golden, as the image makes
	// its data: what belongs to a user whom the file names is not copied.
	ownUser = variant{base, "images.yaml", "second.yaml", "user.yaml"}
	// patient has many start at once on few processors: a database that is still
	// making its data after half a minute is not given up.
	patient = variant{base, "images.yaml", "patient.yaml"}
	single  = variant{"single.yaml"}
)

func newProject(b *testing.B, engine *testdocker.Engine, dir string) (project, error) {
	b.Helper()
	const example = "../../examples/docgen"
	p := project{
		dir: dir, dbImage: engine.Postgres(b), oneImage: engine.Program(b),
		appImage: engine.Go(b, filepath.Join(example, "app"), "docgen", container.Config{User: "nobody"}),
	}
	if err := os.CopyFS(filepath.Join(dir, "db"), os.DirFS(filepath.Join(example, "db"))); err != nil {
		return p, err
	}
	compose, err := os.ReadFile(filepath.Join(example, base))
	if err != nil {
		return p, err
	}
	// Several stand at once, so that the engine chooses the port on the host.
	files := map[string]string{
		base:           string(compose),
		"images.yaml":  fmt.Sprintf("services:\n  docgen:\n    image: %s\n    build: !reset null\n    ports: !override [\"8080\"]\n  db:\n    image: %s\n", p.appImage, p.dbImage),
		"second.yaml":  "services:\n  docgen:\n    healthcheck:\n      interval: 1s\n  db:\n    healthcheck:\n      interval: 1s\n",
		"patient.yaml": "services:\n  docgen:\n    healthcheck:\n      retries: 1000\n  db:\n    healthcheck:\n      retries: 1000\n",
		"user.yaml":    "services:\n  db:\n    user: postgres\n",
		"single.yaml":  fmt.Sprintf("services:\n  one:\n    image: %s\n    command: [%s]\n", p.oneImage, `"`+strings.Join(oneCommand, `", "`)+`"`),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return p, err
		}
	}
	return p, nil
}

// args are the files as flags.
func (v variant) args(dir string) []string {
	var out []string
	for _, name := range v {
		out = append(out, "-f", filepath.Join(dir, name))
	}
	return out
}
