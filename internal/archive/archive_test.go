package archive

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPackAndUnpack(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{"tree/a": "one", "tree/deep/b": "two"} {
		write(t, filepath.Join(from, name), text)
	}
	if err := os.Symlink("../a", filepath.Join(from, "tree/deep/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(from, "tree/deep"), 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.Chmod(filepath.Join(from, "tree/deep"), 0o700)
		_ = os.Chmod(filepath.Join(to, "other/deep"), 0o700)
	})
	var b bytes.Buffer
	if err := Pack(&b, filepath.Join(from, "tree"), "tree", false); err != nil {
		t.Fatal(err)
	}
	if err := Unpack(&b, to, "other"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"other/a": "one", "other/deep/b": "two", "other/deep/link": "one"} {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q (%v), want %q", name, got, err, want)
		}
	}
	if st, err := os.Stat(filepath.Join(to, "other/deep")); err != nil || st.Mode().Perm() != 0o500 {
		t.Errorf("the directory's mode is %v (%v), want 0500", st.Mode(), err)
	}
}

// What leads out of the directory is refused, and nothing is written there.
func TestNothingLeadsOut(t *testing.T) {
	for name, entries := range map[string][]tar.Header{
		"a name":           {{Name: "../out", Typeflag: tar.TypeReg}},
		"an absolute name": {{Name: "/out", Typeflag: tar.TypeReg}},
		"a deep name":      {{Name: "a/../../out", Typeflag: tar.TypeReg}},
		"a hard link":      {{Name: "in", Linkname: "../secret", Typeflag: tar.TypeLink}},
		"a symbolic link":  {{Name: "in", Linkname: "..", Typeflag: tar.TypeSymlink}, {Name: "in/out", Typeflag: tar.TypeReg}},
		"a device":         {{Name: "in", Typeflag: tar.TypeChar}},
	} {
		t.Run(name, func(t *testing.T) {
			outside := t.TempDir()
			write(t, filepath.Join(outside, "secret"), "secret")
			dir := filepath.Join(outside, "dir")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			for _, h := range entries {
				h.Mode = 0o644
				if err := w.WriteHeader(&h); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if err := Unpack(&b, dir, ""); err == nil {
				t.Error("it was unpacked")
			}
			entriesOutside, err := os.ReadDir(outside)
			if err != nil || len(entriesOutside) != 2 {
				t.Errorf("outside there are %v (%v), want what was there before", entriesOutside, err)
			}
		})
	}
}

func TestMainOps(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("gone", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		out  string
	}{
		{[]string{OpStat, dir}, 0, `{"dir":true}`},
		{[]string{OpStat, filepath.Join(dir, "link")}, 0, `"link":"` + filepath.Join(dir, "gone") + `"`},
		{[]string{OpStat, filepath.Join(dir, "nothing")}, ExitMissing, ""},
		{[]string{OpWrite, filepath.Join(dir, "nothing")}, ExitMissing, ""},
		{[]string{"dance", dir}, 1, ""},
		{nil, 2, ""},
	} {
		var out, errs bytes.Buffer
		if code := Main(c.args, strings.NewReader(""), &out, &errs); code != c.code || !strings.Contains(out.String(), c.out) || (code != 0) != (errs.Len() > 0) {
			t.Errorf("%q: exit %d, %q, %q; want exit %d and %q", c.args, code, out.String(), errs.String(), c.code, c.out)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
