package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"example.com/zoo/internal/service"
)

// Place is where something is.
type Place struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

// attempts is how often the geocoder is asked before an address counts as lost.
const attempts = 3

type geocoder struct {
	url    string
	client *http.Client
	pace   *pace // nil: as fast as requests come
}

func newGeocoder(url string) *geocoder {
	return &geocoder{url: url, client: service.Client(2 * time.Second)}
}

// locate asks where an address is, and asks again when there is no answer.
func (g *geocoder) locate(ctx context.Context, address string) (Place, error) {
	var p Place
	var err error
	for range attempts {
		if err = g.pace.wait(ctx); err != nil {
			return p, err
		}
		if p, err = g.ask(ctx, address); err == nil {
			return p, nil
		}
	}
	return p, fmt.Errorf("locate the address: %w", err)
}

func (g *geocoder) ask(ctx context.Context, address string) (Place, error) {
	var p Place
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+"/v1/geocode?q="+url.QueryEscape(address), nil)
	if err != nil {
		return p, err
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return p, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
		if resp.StatusCode == http.StatusTooManyRequests {
			g.pace.back(time.Second)
		}
		return p, fmt.Errorf("status %d", resp.StatusCode)
	}
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
		return p, fmt.Errorf("read the place: %w", err)
	}
	return p, nil
}
