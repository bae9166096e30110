package testdocker

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Registry is an image registry on the engine's loopback, which engines speak to
// without TLS. It has one image, app:1, which no engine has from an earlier test, and
// refuses in the ways of real ones.
type Registry struct {
	Host   string // "127.0.0.1:PORT"
	Digest string // of app:1

	User, Password string // empty: nobody is asked
	Limited        bool   // no pull is allowed

	mu    sync.Mutex
	blobs map[string][]byte
	pulls int
}

const manifestType = "application/vnd.docker.distribution.manifest.v2+json"

// Registry starts a registry, which ends with the test. Its image exposes the TCP port
// 80 and the UDP port 53.
func (e *Engine) Registry(t testing.TB) *Registry {
	t.Helper()
	r := &Registry{blobs: map[string][]byte{}}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	content := []byte(rand.Text())
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "content", Mode: 0o644, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`{"architecture":%q,"os":"linux","config":{"Entrypoint":["/content"],"Cmd":["x"],"Env":["A=1"],"User":"7","WorkingDir":"/w",
		"ExposedPorts":{"80/tcp":{},"53/udp":{}},"Volumes":{"/data":{}},"StopSignal":"SIGINT"},"rootfs":{"type":"layers","diff_ids":[%q]}}`,
		runtime.GOARCH, r.add(layer.Bytes()))
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": map[string]any{"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config), "digest": r.add([]byte(config))},
		"layers": []any{map[string]any{"mediaType": "application/vnd.docker.image.rootfs.diff.tar", "size": layer.Len(), "digest": r.add(layer.Bytes())}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Digest = r.add(manifest)
	listener, err := e.Listen()
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(r)
	s.Listener.Close()
	s.Listener = listener
	s.Start()
	t.Cleanup(s.Close)
	r.Host = s.Listener.Addr().String()
	return r
}

// Pulls is how many manifests it has given.
func (r *Registry) Pulls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pulls
}

func (r *Registry) add(b []byte) (digest string) {
	sum := sha256.Sum256(b)
	digest = "sha256:" + hex.EncodeToString(sum[:])
	r.blobs[digest] = b
	return digest
}

// ServeHTTP answers as the registry's API does.
func (r *Registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fail := func(status int, code, message string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
	}
	if user, password, _ := q.BasicAuth(); user != r.User || password != r.Password {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		fail(http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return
	}
	path := strings.TrimPrefix(q.URL.Path, "/v2/")
	name := path[strings.LastIndex(path, "/")+1:]
	switch {
	case path == "":
	case r.Limited:
		fail(http.StatusTooManyRequests, "TOOMANYREQUESTS", "You have reached your pull rate limit.")
	case strings.HasPrefix(path, "app/manifests/") && (name == "1" || name == r.Digest):
		if q.Method == http.MethodGet {
			r.pulls++
		}
		w.Header().Set("Content-Type", manifestType)
		w.Header().Set("Docker-Content-Digest", r.Digest)
		_, _ = w.Write(r.blobs[r.Digest])
	case strings.HasPrefix(path, "app/blobs/") && r.blobs[name] != nil:
		_, _ = w.Write(r.blobs[name])
	default:
		fail(http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
	}
}
