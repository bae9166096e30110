package rehearsetest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/testdocker"
	"github.com/rehearse-dev/rehearse/rehearsetest"
)

// withEngine runs tests, and ends the engine that they started.
type withEngine struct{ *testing.M }

func (m withEngine) Run() int { return testdocker.Main(m.M) }

// In containers a test writes what it writes for processes.
func TestInContainers(t *testing.T) {
	engine := testdocker.Start(t)
	t.Setenv("DOCKER_HOST", engine.Host())
	file := filepath.Join(t.TempDir(), "compose.yaml")
	text := fmt.Sprintf("name: visits\nservices:\n  db:\n    image: %s\n    expose: [6379]\n", engine.Redis(t))
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	env := rehearsetest.Up(t, file, rehearsetest.Driver("docker"))
	for want := range 2 {
		if n, err := increment(env.Addr("db", 6379)); err != nil || n != fmt.Sprint(want+1) {
			t.Fatalf("the counter says %q (%v), want %d", n, err, want+1)
		}
	}
	link := env.Link("ingress", "db")
	link.Set(rehearse.Fault{Kind: rehearse.FaultReset})
	if n, err := increment(env.Addr("db", 6379)); err == nil {
		t.Errorf("over a link that resets the counter says %q", n)
	}
	link.Set()
	env.Reset("db")
	if n, err := increment(env.Addr("db", 6379)); err != nil || n != "1" {
		t.Errorf("after a reset the counter says %q (%v), want 1", n, err)
	}
	if _, _, code, err := env.Exec(t.Context(), "db", "redis-cli", "GET", "nothing"); err != nil || code != 0 {
		t.Errorf("redis-cli: exit %d (%v)", code, err)
	}
}
