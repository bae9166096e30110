package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"

	"github.com/rehearse-dev/rehearse/internal/testdocker"
)

func TestMain(m *testing.M) { os.Exit(testdocker.Main(m)) }

// TestDocker rehearses the case study in containers: the verdicts and their causes
// are those of the process driver.
func TestDocker(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two minutes: run without -short")
	}
	engine := testdocker.Start(t)
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "rehearse")
	build(t, root, binary)
	buildLink(t, root, binary)
	example := filepath.Join(root, "examples", "docgen")
	image := engine.Go(t, filepath.Join(example, "app"), "docgen", container.Config{User: "nobody"})
	// No registry is asked.
	override := filepath.Join(t.TempDir(), "compose.test.yaml")
	if err := os.WriteFile(override, fmt.Appendf(nil, "services:\n  docgen:\n    image: %s\n    build: !reset null\n  db:\n    image: %s\n", image, engine.Postgres(t)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		config string
		says   []string
	}{
		// On a busy host the pool is not seen for sure, and then the time is the service's own.
		{"rehearse.yaml", []string{"staging: PASS · production: FAIL", `POST /documents (waits for a connection on docgen → db|spends \S+ in docgen itself)`}},
		{"rehearse.data.yaml", []string{"staging: PASS · production: FAIL", `POST /documents fails because db answers SQLSTATE 22021 to docgen \(INSERT documents\)\.`}},
	} {
		t.Run(c.config, func(t *testing.T) {
			cmd := exec.Command(binary, "compare", "--driver", "docker", "--config", c.config, "-f", "compose.yaml", "-f", override, ".")
			cmd.Dir = example
			cmd.Env = append(os.Environ(), "DOCKER_HOST="+engine.Host())
			var talk strings.Builder
			cmd.Stderr = &talk
			out, err := cmd.Output()
			if cmd.ProcessState.ExitCode() != 1 {
				t.Fatalf("compare: %v, want exit status 1\n%s\n%s", err, out, talk.String())
			}
			for _, want := range c.says {
				if !regexp.MustCompile(want).Match(out) {
					t.Errorf("it does not say %q:\n%s", want, out)
				}
			}
		})
	}
	for _, left := range engine.Leftovers(t, "dev.rehearse.environment") {
		if strings.Contains(left, "rehearse-docgen-") { // other tests use the engine, too
			t.Errorf("left behind: %s", left)
		}
	}
}

// buildLink builds the link container's program beside rehearse.
func buildLink(t *testing.T, root, binary string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", filepath.Join(filepath.Dir(binary), "rehearse-link"), root+"/cmd/rehearse-link")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
}
