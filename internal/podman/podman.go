// Package podman speaks to Podman where it differs from Docker behind the same API.
//
// [Is] recognises it and [Client] makes a client that understands its answers. Of
// what Docker's API has no words for, [CreateNetwork] and [Init] ask in Podman's own.
package podman

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/moby/moby/client"
)

// Is says whether an engine that gave this version is Podman.
func Is(v client.ServerVersionResult) bool {
	for _, part := range v.Components {
		if part.Name == "Podman Engine" {
			return true
		}
	}
	return false
}

// Client makes a client for the socket, "unix:///…", at which Podman listens. An
// API version that has been agreed upon spares the question.
func Client(socket, apiVersion string) (*client.Client, error) {
	path := strings.TrimPrefix(socket, "unix://")
	base := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	return client.New(client.WithHost(socket), client.WithAPIVersion(apiVersion),
		client.WithHTTPClient(&http.Client{Transport: gateways{base}, CheckRedirect: client.CheckRedirect}))
}

// gateways corrects answers. For the gateway that a network does not have, Podman
// writes "<nil>" (containers/podman#28705), which no client can read as an address.
type gateways struct{ base http.RoundTripper }

func (g gateways) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := g.base.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet || !hasGateways(r.URL.Path) {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	for _, none := range []string{`"Gateway":"\u003cnil\u003e"`, `"Gateway":"<nil>"`} { // of 4 and of 5
		body = bytes.ReplaceAll(body, []byte(none), []byte(`"Gateway":""`))
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}

// hasGateways says which answers tell of gateways: lists of networks and of
// containers, and what is known of one of them.
func hasGateways(path string) bool {
	return strings.Contains(path, "/networks") || strings.Contains(path, "/containers/") && strings.HasSuffix(path, "/json")
}

// CreateNetwork makes a network in which the host has no address, and from which
// nothing leads out: one of Podman's internal networks, without the name server that
// would need a gateway. Docker's API cannot ask for the second.
func CreateNetwork(ctx context.Context, c *client.Client, name string, subnet netip.Prefix, labels map[string]string) error {
	type network struct {
		Subnet netip.Prefix `json:"subnet"`
	}
	return call(ctx, c, "networks/create", map[string]any{
		"name": name, "driver": "bridge", "internal": true, "dns_enabled": false,
		"subnets": []network{{subnet}}, "labels": labels,
	})
}

// Init makes a container ready to be started, which attaching to it does too: but
// that does not say why it failed.
func Init(ctx context.Context, c *client.Client, container string) error {
	return call(ctx, c, "containers/"+container+"/init", nil)
}

// call posts a request of Podman's own API.
func call(ctx context.Context, c *client.Client, what string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://podman/v4.0.0/libpod/"+what, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	conn := c.Dialer()
	once := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return conn(ctx) }}
	resp, err := once.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode < http.StatusBadRequest {
		return nil
	}
	var said struct {
		Message string `json:"message"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || said.Message == "" {
		return fmt.Errorf("podman answers %s", resp.Status)
	}
	return fmt.Errorf("%s", said.Message)
}
