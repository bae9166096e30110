package cli

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/evidence"
	"github.com/rehearse-dev/rehearse/internal/stand"
)

// What is younger than the run, or plans something else, is named.
func TestChanged(t *testing.T) {
	dir := t.TempDir()
	started := time.Now()
	for name, age := range map[string]time.Duration{
		"compose.yaml": time.Hour, "rehearse.yaml": -time.Hour, "app/main.go": -time.Hour, "app/go.mod": time.Hour, "app/.git/index": -time.Hour, "other.go": -time.Hour,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, started, started.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	p := &stand.Project{Dir: dir}
	plan := &rehearse.Plan{Dir: dir, Files: []string{"compose.yaml"}, Services: []rehearse.Service{
		{Name: "app", Process: &rehearse.Process{Build: []string{"go", "build"}, Dir: filepath.Join(dir, "app")}},
	}}
	was := evidence.Redact(*plan)
	want := []string{"Changed since it failed: app/main.go, rehearse.yaml."}
	if d := cmp.Diff(want, changed(started, p, &was, plan)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if got := changed(started.Add(2*time.Hour), p, &was, plan); got != nil {
		t.Errorf("of files that are older than the run: %q", got)
	}
	was.Seed = 3
	if got := changed(started.Add(2*time.Hour), p, &was, plan); len(got) != 1 || got[0] != "The files make another plan now than when it failed." {
		t.Errorf("of another plan: %q", got)
	}
}

func TestCommandOf(t *testing.T) {
	got := commandOf(stand.Source{Files: []string{"a.yaml", "b.yaml"}, Config: "other.yaml", Driver: "docker", EnvFiles: []string{".env"}, Profiles: []string{"x"}}, t.TempDir()+"/shop")
	if want := "rehearse run -f a.yaml -f b.yaml --profile x --env-file .env --config other.yaml --driver docker "; len(got) <= len(want) || got[:len(want)] != want {
		t.Errorf("got %s, want %s and the directory", got, want)
	}
}
