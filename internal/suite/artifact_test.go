//go:build unix

package suite_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestArtifacts(t *testing.T) {
	o := options(t, `exit 1`)
	secret := filepath.Join(t.TempDir(), "secret")
	files(t, filepath.Dir(secret), map[string]string{"secret": "s"})
	files(t, o.Step.Dir, map[string]string{
		"report/index.html": "<p>", "report/data/a.json": "{}", "[1].png": "1", "2.png": "2", "unasked": "u",
	})
	for link, to := range map[string]string{
		"latest": "report", "report/inside": "index.html", "report/outside": secret, "report/circle": ".", "stolen": secret,
	} {
		if err := os.Symlink(to, filepath.Join(o.Step.Dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	o.Step.Artifacts = []string{"report", "[1].png", "*.png", "latest/data", "stolen", "none/*"}
	r := run(t, o)
	want := []string{"report", "[1].png", "2.png", "latest/data"}
	for i := range want {
		want[i] = "suites/e2e/artifacts/" + want[i]
	}
	if diff := cmp.Diff(want, r.Artifacts); diff != "" {
		t.Error(diff)
	}
	kept := []string{"2.png", "[1].png", "latest/data/a.json", "report/data/a.json", "report/index.html", "report/inside"}
	if diff := cmp.Diff(kept, tree(t, filepath.Join(o.OutDir, "artifacts"))); diff != "" {
		t.Error(diff)
	}
	log := output(t, o)
	for _, left := range []string{"report/outside was left out", "report/circle was left out: it is a link to a directory", "stolen was left out", "there is no none/*"} {
		if !strings.Contains(log, left) {
			t.Errorf("output.log does not say %q: %q", left, log)
		}
	}
	if len(r.Tail) != 0 {
		t.Errorf("the tail holds more than the command said: %q", r.Tail)
	}
}

func TestArtifactsThatAreTooLarge(t *testing.T) {
	o := options(t, `true`)
	files(t, o.Step.Dir, map[string]string{"all/a": "", "all/b": "small"})
	if err := os.Truncate(filepath.Join(o.Step.Dir, "all", "a"), 256<<20+1); err != nil { // sparse
		t.Fatal(err)
	}
	o.Step.Artifacts = []string{"all"}
	run(t, o)
	if diff := cmp.Diff([]string{"b"}, tree(t, filepath.Join(o.OutDir, "artifacts", "all"))); diff != "" {
		t.Error(diff)
	}
	if log := output(t, o); !strings.Contains(log, "all/a was left out: results and artifacts of a suite may have 256 MiB together") {
		t.Errorf("output.log: %q", log)
	}
}

func TestArtifactsThatHoldTheCopies(t *testing.T) {
	o := options(t, `true`)
	files(t, o.Step.Dir, map[string]string{"a": "a"})
	o.RelTo = o.Step.Dir
	o.OutDir = filepath.Join(o.Step.Dir, "runs", "1")
	o.Step.Artifacts = []string{"."}
	r := run(t, o)
	if diff := cmp.Diff([]string{"runs/1/artifacts"}, r.Artifacts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a"}, tree(t, filepath.Join(o.OutDir, "artifacts"))); diff != "" {
		t.Error(diff)
	}
}

// tree lists the files of a directory.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
