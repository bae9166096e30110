package testdocker

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// image is what an image is made of.
type image struct {
	name    string // "postgres"
	version string // "15", or "" where none matters
	config  container.Config
	files   *files
}

// make gives an image's name in the engine, having made it where it is not there.
func (e *Engine) make(t testing.TB, i image) string {
	t.Helper()
	i.config.Labels = map[string]string{Label: "1"}
	config, err := json.Marshal(i.config)
	if err != nil {
		t.Fatal(err)
	}
	tag := i.files.hash(config)
	if i.version != "" {
		tag = i.version + "-" + tag
	}
	// The domain is one of those that no registry can have (RFC 6761).
	name := "rehearse.test/" + i.name + ":" + tag
	unlock := lockName(t, name)
	defer unlock()
	if e.idOf(t, name) != "" {
		return name
	}
	if err := e.load(name, config, i.files); err != nil {
		t.Fatalf("make the image %s: %v", name, err)
	}
	return name
}

// load gives the engine an image of one layer, as "docker save" writes them. Not
// by import, which cannot say what signal stops a container.
func (e *Engine) load(name string, config []byte, f *files) error {
	layer, err := os.CreateTemp("", "rehearse-testdocker-")
	if err != nil {
		return err
	}
	defer os.Remove(layer.Name())
	defer layer.Close()
	size, digest, err := writeLayer(layer, f)
	if err != nil {
		return err
	}
	described, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "created": "1970-01-01T00:00:00Z", "config": json.RawMessage(config),
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	r, w := io.Pipe()
	go func() {
		archive := tar.NewWriter(w)
		err := errors.Join(
			member(archive, "manifest.json", int64(len(manifest)), bytes.NewReader(manifest)),
			member(archive, "config.json", int64(len(described)), bytes.NewReader(described)),
			member(archive, "layer.tar", size, layer),
			archive.Close())
		w.CloseWithError(err)
	}()
	defer r.Close()
	said, err := e.client.ImageLoad(context.Background(), r)
	if err != nil {
		return err
	}
	defer said.Close()
	return complaint(said)
}

// writeLayer writes files to the beginning of a file, and goes back to it. The
// digest is SHA-256 in hexadecimal.
func writeLayer(to *os.File, f *files) (size int64, digest string, err error) {
	h := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(to, h), 1<<20)
	archive := tar.NewWriter(buffered)
	if err := errors.Join(f.write(archive), archive.Close(), buffered.Flush()); err != nil {
		return 0, "", err
	}
	if size, err = to.Seek(0, io.SeekCurrent); err != nil {
		return 0, "", err
	}
	_, err = to.Seek(0, io.SeekStart)
	return size, hex.EncodeToString(h.Sum(nil)), err
}

func member(archive *tar.Writer, name string, size int64, content io.Reader) error {
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size}); err != nil {
		return err
	}
	_, err := io.Copy(archive, content)
	return err
}

// complaint is the error among an engine's messages of progress.
func complaint(messages io.Reader) error {
	for d := json.NewDecoder(messages); ; {
		var m struct {
			Error string `json:"error"`
		}
		err := d.Decode(&m)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if m.Error != "" {
			return fmt.Errorf("the engine says: %s", m.Error)
		}
	}
}

// idOf is the ID of an image of the engine's, "" when it has none of that name.
func (e *Engine) idOf(t testing.TB, name string) string {
	t.Helper()
	found, err := e.client.ImageList(context.Background(), client.ImageListOptions{Filters: make(client.Filters).Add("reference", name)})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Items) == 0 {
		return ""
	}
	return found.Items[0].ID
}

// As lets a test use an image under another name, with a tag, as "postgres:15",
// which a Compose file of other people's has. An image that the engine has under that name
// already stays what it is. The name goes with the last test that uses it.
func (e *Engine) As(t testing.TB, image, name string) {
	t.Helper()
	unlock := lockName(t, name)
	defer unlock()
	id := e.idOf(t, name)
	if id != "" && id != e.idOf(t, image) {
		return
	}
	if _, err := e.client.ImageTag(context.Background(), client.ImageTagOptions{Source: image, Target: name}); err != nil {
		t.Fatal(err)
	}
	used := openName(t, name+" used")
	if err := syscall.Flock(int(used.Fd()), syscall.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unlock := lockName(t, name)
		defer unlock()
		defer used.Close()
		if syscall.Flock(int(used.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			return
		}
		if _, err := e.client.ImageRemove(context.Background(), name, client.ImageRemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	})
}

// lockName keeps other test processes from making or removing what has a name,
// until the function that it returns is called.
func lockName(t testing.TB, name string) func() {
	t.Helper()
	f := openName(t, name)
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { f.Close() }
}

func openName(t testing.TB, name string) *os.File {
	t.Helper()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("rehearse-testdocker-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, strings.NewReplacer("/", "_", " ", "_").Replace(name)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
