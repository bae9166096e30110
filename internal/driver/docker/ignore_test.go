package docker

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

// sent is what a build's context consists of: name → type and content.
func sent(t *testing.T, b *building) map[string]string {
	t.Helper()
	var archive bytes.Buffer
	if err := b.writeContext(&archive); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	r := tar.NewReader(&archive)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" {
			t.Errorf("%s belongs to %d:%d %s, want no owner", h.Name, h.Uid, h.Gid, h.Uname)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = string(content)
		if h.Typeflag == tar.TypeSymlink {
			got[h.Name] = "→ " + h.Linkname
		}
	}
}

func TestContextLeavesOutWhatIsIgnored(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"Dockerfile", "main.go", "secret/key", "secret/public", "deep/a/b.log", "deep/a/c.txt", "node_modules/x/y"} {
		write(t, name, dir, name)
	}
	if err := os.Symlink("main.go", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	const ignored = "# not these\nsecret\n!secret/public\n**/*.log\nnode_modules\nDockerfile\n.dockerignore\n"
	write(t, ignored, dir, ".dockerignore")
	b := &building{spec: rehearse.Build{Context: dir}, file: filepath.Join(dir, "Dockerfile"), inside: "Dockerfile"}
	want := map[string]string{
		".dockerignore": ignored, "Dockerfile": "Dockerfile", "main.go": "main.go", "link": "→ main.go", "dangling": "→ nowhere",
		"secret/public": "secret/public", "deep/": "", "deep/a/": "", "deep/a/c.txt": "deep/a/c.txt",
	}
	if diff := cmp.Diff(want, sent(t, b)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	// A Dockerfile's own file of patterns comes first.
	write(t, "*\n!link\n", dir, "Dockerfile.dockerignore")
	want = map[string]string{"Dockerfile": "Dockerfile", ".dockerignore": ignored, "link": "→ main.go"}
	if diff := cmp.Diff(want, sent(t, b)); diff != "" {
		t.Errorf("with Dockerfile.dockerignore (-want +got)\n%s", diff)
	}
	if err := os.Remove(filepath.Join(dir, "Dockerfile.dockerignore")); err != nil {
		t.Fatal(err)
	}

	// A Dockerfile in an ignored directory is sent all the same.
	write(t, "*\n", dir, ".dockerignore")
	b.file, b.inside = filepath.Join(dir, "secret/key"), "secret/key"
	want = map[string]string{".dockerignore": "*\n", "secret/key": "secret/key"}
	if diff := cmp.Diff(want, sent(t, b)); diff != "" {
		t.Errorf("with everything ignored (-want +got)\n%s", diff)
	}

	// One from outside has a name that COPY does not see.
	outside := filepath.Join(t.TempDir(), "Other")
	write(t, "FROM scratch", outside)
	b.file, b.inside = outside, ""
	want = map[string]string{".dockerignore": "*\n" + outsideName + "\n", outsideName: "FROM scratch"}
	if diff := cmp.Diff(want, sent(t, b)); diff != "" {
		t.Errorf("with a Dockerfile from outside (-want +got)\n%s", diff)
	}

	write(t, "[\n", dir, ".dockerignore")
	wantError(t, b.writeContext(io.Discard), rehearse.Invalid, ".dockerignore", "Correct the pattern.")
}

// The same files make the same archive, whoever owns them and whatever else
// happened to them.
func TestContextIsDeterministic(t *testing.T) {
	var archives [2]bytes.Buffer
	for i := range archives {
		dir := t.TempDir()
		for _, name := range []string{"b", "a/z", "a/b/c", "Dockerfile"} {
			write(t, name, dir, name)
		}
		for _, name := range []string{"b", "a/z", "a/b/c", "Dockerfile", "a/b", "a"} {
			if err := os.Chtimes(filepath.Join(dir, name), time.Unix(int64(1e9+i), 0), time.Unix(1e9, int64(i))); err != nil {
				t.Fatal(err)
			}
		}
		b := &building{spec: rehearse.Build{Context: dir}, file: filepath.Join(dir, "Dockerfile"), inside: "Dockerfile"}
		if err := b.writeContext(&archives[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archives[0].Bytes(), archives[1].Bytes()) {
		t.Error("two archives of the same files differ")
	}
}
