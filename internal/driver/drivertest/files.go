package drivertest

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/rehearse-dev/rehearse"
	"github.com/rehearse-dev/rehearse/internal/driver"
)

// testFiles copies files into a service and out again.
func testFiles(t *testing.T, h Harness) {
	e := open(t, h, h.Service("up", "serve", "8080"))
	c, ok := e.Environment.(driver.Copier)
	if !ok {
		t.Skip("services of this driver have no files")
	}
	start(t, e, "up")
	ask(t, e, "up", "hostname") // it is there
	dir := t.TempDir()          // a name that nobody else has, where services share the host's files
	tmp := driver.Place{Service: "up", Instance: 1, Path: "/tmp"}
	tree := driver.Place{Service: "up", Instance: 1, Path: "/tmp/" + strings.ReplaceAll(strings.Trim(dir, "/"), "/", "-")}
	name := strings.TrimPrefix(tree.Path, "/tmp/")
	t.Cleanup(func() { // where the host's files are shared
		_, _ = e.Exec(t.Context(), "up", driver.Command{Args: []string{"rm", "-r", tree.Path}})
	})

	entries := []tar.Header{
		{Name: name + "/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: name + "/greeting", Typeflag: tar.TypeReg, Mode: 0o640, Size: 5},
		{Name: name + "/link", Typeflag: tar.TypeSymlink, Linkname: "greeting", Mode: 0o777},
	}
	if err := c.WriteFiles(t.Context(), tmp, packed(t, "hello", entries...)); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Stat(t.Context(), tree); err != nil || !got.Dir {
		t.Errorf("the directory is %+v (%v)", got, err)
	}
	link := tree
	link.Path += "/link"
	if got, err := c.Stat(t.Context(), link); err != nil || got.Link != tree.Path+"/greeting" {
		t.Errorf("the link is %+v (%v), want it to lead to %s/greeting", got, err, tree.Path)
	}
	var out bytes.Buffer
	if err := c.ReadFiles(t.Context(), tree, &out); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for in := tar.NewReader(&out); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = string(text) + h.Linkname
	}
	if len(got) != 3 || got[name+"/greeting"] != "hello" || got[name+"/link"] != "greeting" {
		t.Errorf("what was read is %q", got)
	}

	missing := tree
	missing.Path += "/nothing"
	second := tree
	second.Instance = 2
	_, stat := c.Stat(t.Context(), missing)
	_, instance := c.Stat(t.Context(), second)
	for what, err := range map[string]error{
		"stat of nothing":            stat,
		"an instance that is not":    instance,
		"nothing to read":            c.ReadFiles(t.Context(), missing, io.Discard),
		"no directory to write into": c.WriteFiles(t.Context(), missing, packed(t, "hello", entries...)),
		"an archive that leads out":  c.WriteFiles(t.Context(), tree, packed(t, "", tar.Header{Name: "../escaped", Typeflag: tar.TypeReg, Mode: 0o644})),
		"what is no archive":         c.WriteFiles(t.Context(), tree, strings.NewReader(strings.Repeat("no tar ", 1000))),
	} {
		if rehearse.KindOf(err) != rehearse.Invalid {
			t.Errorf("%s: %v of kind %v, want Invalid", what, err, rehearse.KindOf(err))
		}
	}
	escaped := driver.Place{Service: "up", Instance: 1, Path: "/tmp/escaped"}
	if _, err := c.Stat(t.Context(), escaped); rehearse.KindOf(err) != rehearse.Invalid {
		t.Errorf("a file outside of the directory was written (%v)", err)
	}
}

// packed is an archive in which every file has the same text.
func packed(t *testing.T, text string, entries ...tar.Header) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}
