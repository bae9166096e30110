package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// api is a client of Toxiproxy's HTTP API, as far as the benchmark needs it.
type api struct {
	base   string
	client http.Client
}

// proxySpec and toxicSpec are as Toxiproxy's API spells them.
type proxySpec struct {
	Name     string `json:"name"`
	Listen   string `json:"listen"`
	Upstream string `json:"upstream"`
	Enabled  bool   `json:"enabled"`
}

type toxicSpec struct {
	Name       string           `json:"name"`
	Type       string           `json:"type"`
	Stream     string           `json:"stream"`
	Attributes map[string]int64 `json:"attributes"`
}

func newAPI(address string) *api {
	// A transport of its own: a contestant that is gone leaves no idle
	// connection to the next one at its port.
	return &api{base: "http://" + address, client: http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}}
}

func (a *api) close() { a.client.CloseIdleConnections() }

// proxy creates a proxy on a free port and returns its address.
func (a *api) proxy(ctx context.Context, name, upstream string) (string, error) {
	spec := proxySpec{Name: name, Listen: "127.0.0.1:0", Upstream: upstream, Enabled: true}
	err := a.call(ctx, http.MethodPost, "/proxies", spec, &spec)
	return spec.Listen, err
}

// delay sets a latency toxic called "delay" on one of the two streams.
func (a *api) delay(ctx context.Context, proxy, stream string, d time.Duration) error {
	t := toxicSpec{Name: "delay", Type: "latency", Stream: stream, Attributes: map[string]int64{"latency": d.Milliseconds()}}
	return a.call(ctx, http.MethodPost, "/proxies/"+proxy+"/toxics", t, nil)
}

// undelay takes it away.
func (a *api) undelay(ctx context.Context, proxy string) error {
	return a.call(ctx, http.MethodDelete, "/proxies/"+proxy+"/toxics/delay", nil, nil)
}

// show asks for a proxy.
func (a *api) show(ctx context.Context, proxy string) error {
	return a.call(ctx, http.MethodGet, "/proxies/"+proxy, nil, nil)
}

func (a *api) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, a.base+path, body)
	if err != nil {
		return err
	}
	answer, err := a.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", method, path, err)
	case answer.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, data)
	case out == nil:
		return nil
	}
	return json.Unmarshal(data, out)
}
