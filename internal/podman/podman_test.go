package podman_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/client"

	"github.com/rehearse-dev/rehearse/internal/podman"
)

// answering is a client of a server that answers as Podman 4.3 and 5.8 were seen to.
func answering(t *testing.T, h http.Handler) *client.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "podman-") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "podman.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	s.Start()
	t.Cleanup(s.Close)
	c, err := podman.Client("unix://"+path, "1.41")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNetworksWithoutGateway(t *testing.T) {
	m := http.NewServeMux()
	m.HandleFunc("GET /v1.41/networks", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `[{"Name":"a","IPAM":{"Config":[{"Subnet":"10.1.0.0/26","Gateway":"\u003cnil\u003e"}]}},{"Name":"b","IPAM":{"Config":[{"Subnet":"10.2.0.0/26","Gateway":"10.2.0.1"}]}}]`)
	})
	m.HandleFunc("GET /v1.41/containers/json", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `[{"Id":"1","NetworkSettings":{"Networks":{"a":{"Gateway":"\u003cnil\u003e","IPAddress":"10.1.0.2"}}}}]`)
	})
	m.HandleFunc("GET /v1.41/containers/1/json", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"Id":"1","NetworkSettings":{"Networks":{"a":{"Gateway":"<nil>","IPAddress":"10.1.0.2"}}}}`)
	})
	c := answering(t, m)
	networks, err := c.NetworkList(t.Context(), client.NetworkListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []netip.Addr
	for _, n := range networks.Items {
		got = append(got, n.IPAM.Config[0].Gateway)
	}
	if want := []netip.Addr{{}, netip.MustParseAddr("10.2.0.1")}; !cmp.Equal(got, want, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })) {
		t.Errorf("gateways: got %v, want %v", got, want)
	}
	if _, err := c.ContainerList(t.Context(), client.ContainerListOptions{}); err != nil {
		t.Error(err)
	}
	one, err := c.ContainerInspect(t.Context(), "1", client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := one.Container.NetworkSettings.Networks["a"].IPAddress.String(); got != "10.1.0.2" {
		t.Errorf("got the address %s, want 10.1.0.2", got)
	}
}

func TestItsOwnRequests(t *testing.T) {
	m := http.NewServeMux()
	var asked map[string]any
	m.HandleFunc("POST /v4.0.0/libpod/networks/create", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&asked)
		_, _ = io.WriteString(w, "{}")
	})
	m.HandleFunc("POST /v4.0.0/libpod/containers/{id}/init", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") == "bad" {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"cause":"OCI runtime error","message":"crun: executable file not found","response":500}`)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	c := answering(t, m)
	if err := podman.CreateNetwork(t.Context(), c, "n", netip.MustParsePrefix("10.1.0.0/26"), map[string]string{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"name": "n", "driver": "bridge", "internal": true, "dns_enabled": false,
		"subnets": []any{map[string]any{"subnet": "10.1.0.0/26"}}, "labels": map[string]any{"k": "v"},
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("the network that is asked for (-want +got)\n%s", diff)
	}
	if err := podman.Init(t.Context(), c, "good"); err != nil {
		t.Error(err)
	}
	if err, want := podman.Init(t.Context(), c, "bad"), "crun: executable file not found"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
